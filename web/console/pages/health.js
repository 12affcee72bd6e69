// Health: every check of the running service, with what to do.
import * as api from "../api.js";
import { Loaded, useCall } from "../parts/load.js";
import { Badge, Head } from "../parts/page.js";
import { Signs } from "../parts/text.js";
import { Ago, duration } from "../parts/time.js";
import { ROOT } from "../request.js";
import { useTitle } from "../state.js";
import { html } from "../vendor/preact.js";

const STATES = { fine: ["good", "fine"], warning: ["warn", "look at it"], wrong: ["bad", "wrong"] };

/** Checks, those that are not fine first. */
export function Checks({ of: checks }) {
  const rank = ({ state }) => ["wrong", "warning", "fine"].indexOf(state);
  return html`<ul class="edges root">${[...checks]
    .sort((a, b) => rank(a) - rank(b))
    .map(
      ({ check, state, said, remedy }) => html`<li class="check" key=${check}>
    <span class="dot ${STATES[state]?.[0]}"></span><strong>${check}<span class="visually-hidden">: ${STATES[state]?.[1] ?? state}</span></strong>
    <span class="said"><${Signs} text=${said} /></span>${remedy && html`<p><${Signs} text=${remedy} /></p>`}</li>`,
    )}</ul>`;
}

export function Health() {
  useTitle("Health");
  const call = useCall(() => api.health(), [], { every: 10_000 });
  const wrong = call.data?.checks.filter(({ state }) => state !== "fine").length;
  const links = [
    ["readyz", "readyz?verbose"],
    ["metrics", "metrics"],
  ];
  return html`<${Head} title="Health" sub=${call.data && (wrong ? `${wrong} of ${call.data.checks.length} checks need attention` : "Everything is fine")} calls=${[api.health()]}
      actions=${call.data && html`<${Badge} kind=${call.data.ready ? "good" : "bad"}>${call.data.ready ? "Ready: webhooks are stored" : "Not ready"}<//>`} />
    <${Loaded} of=${call} what="The checks" lines=${10}>${(data) => html`<${Checks} of=${data.checks} />
      ${!data.examinedAt && html`<p class="soft" role="status">The database is being examined; its checks follow.</p>`}
      <p class="under">Version ${data.version}, up for ${duration(data.uptime * 1000)}${data.examinedAt && html`, database examined <${Ago} time=${data.examinedAt} />`}.</p>
      <p class="under">For monitoring: ${links.map(([says, path]) => html`<a href=${new URL(path, ROOT).href} target="_blank" rel="noreferrer">/${says}</a>`)}</p>`}<//>`;
}
