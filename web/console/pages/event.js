// An event: when and from whom it came, what it changed, and its body.
import * as api from "../api.js";
import { Download } from "../parts/change.js";
import { Changes, EventLink, Merges, Outcome } from "../parts/changes.js";
import { Followed } from "../parts/job.js";
import { Body } from "../parts/json.js";
import { Empty, Failed, Ghost, useCall } from "../parts/load.js";
import { Head, Pairs } from "../parts/page.js";
import { Id, Signs } from "../parts/text.js";
import { duration, size, Time, zone } from "../parts/time.js";
import { seesPeople } from "../request.js";
import { href, useTitle } from "../state.js";
import { html, useState } from "../vendor/preact.js";
import { lag, Replay } from "./events.js";
import { By } from "./timeline.js";

/** The body, once it is asked for: each time one is shown is in the audit log. */
export function AskedBody({ call, place, bytes }) {
  const [asked, ask] = useState(false);
  const body = useCall(() => (asked ? call : null), [asked]);
  if (!seesPeople()) return html`<p class="soft">This session does not see bodies.</p>`;
  const save = html`<${Download} call=${call}>Save the body<//>`;
  if (!asked)
    return html`<div class="actions"><button onClick=${() => ask(true)}>Show the body${bytes ? `, ${size(bytes)}` : ""}</button>${save}
      <span class="soft small">The audit log notes who looked.</span></div>`;
  if (body.failure) return html`<${Failed} of=${body} what="The body" />`;
  return body.data ? html`<${Body} bytes=${body.data} place=${place} /><div class="actions">${save}</div>` : html`<${Ghost} lines=${6} />`;
}

export function Event({ id, shown, apps }) {
  const call = api.entry(id);
  const found = useCall(() => call, [id]);
  const [job, setJob] = useState();
  useTitle(`Event ${id}`, found.data?.entry.trigger);
  if (!found.data) {
    const { status, data } = found.failure ?? {};
    return html`<${Head} title=${html`Event <${Signs} text=${id} />`} calls=${[call]} />
      ${
        status === 404
          ? html`<${Empty} title="There is no such event">The journal has no entry with this number that you may see. <a href=${href(["events"], { app: shown })}>All events</a><//>`
          : status === 410
            ? html`<${Empty} title="Not kept any more">The oldest event that is kept is ${String(data?.oldest ?? "later")}; the setting <code>retention.history_age</code> decides.<//>`
            : status
              ? html`<${Failed} of=${found} what="The event" />`
              : html`<${Ghost} lines=${8} />`
      }`;
  }
  const { entry, place, events, changed, changedUnknown, merges, previous, call: made, note } = found.data;
  const link = (seq) => html`<${EventLink} seq=${seq} shown=${shown} /> `;
  const others = (events ?? []).filter((seq) => seq !== entry.seq);
  const app = apps.find((one) => one.id === entry.app);
  return html`
    <${Head} title=${html`Event ${String(entry.seq)}`} sub=${html`<${Signs} text=${entry.trigger} />`} calls=${[call, entry.hasBody && api.entryBody(id)]}
      actions=${entry.source === "webhook" && html`<${Replay} label="Replay …" filter=${{ seqs: [entry.seq] }} started=${setJob} />`} />
    ${job && html`<${Followed} key=${job.id} id=${job.id} ended=${() => found.again(true)} />`}
    <section><${Pairs} of=${[
      ["Received", html`<${Time} of=${entry.received} millis /> ${zone()}`],
      [
        "Happened",
        entry.time && html`<${Time} of=${entry.time} millis />${lag(entry) !== undefined && html` <span class="soft">${duration(lag(entry))} before</span>`}`,
      ],
      ["Outcome", html`<${Outcome} of=${entry.outcome} />`],
      ["Source", html`${entry.source}${entry.by && html`, by <${By} of=${entry.by} />`}`],
      ["App", html`<${Id} of=${entry.app} />${app?.name && html` <span class="soft"><${Signs} text=${app.name} /></span>`}`],
      [
        "App users",
        entry.users?.length > 0 &&
          entry.users.map(
            (one) => html`<div><${Id} of=${one} href=${href(["users", one], { app: apps.length > 1 ? entry.app : undefined })} />
        ${previous?.[one] && html` <span class="soft small">its event before: ${link(previous[one])}</span>`}</div>`,
          ),
      ],
      ["Of its body", place !== undefined && place !== null && `event ${Number(place) + 1}${others.length ? ` of ${others.length + 1}` : ""}`],
      ["The body's others", others.length > 0 && others.map(link)],
      ["Call", made && html`<code>${made.method}${made.path && html` <${Signs} text=${made.path} />`}</code>`],
      ["Note", note && html`<${Signs} text=${note} />`],
    ]} /></section>
    <section><h2>What it changed</h2>${changed ? html`<${Changes} of=${changed} shown=${shown} />` : html`<p class="soft"><${Signs} text=${changedUnknown ?? "It is not known."} /></p>`}</section>
    ${merges?.length > 0 && html`<section><h2>Merges</h2><${Merges} of=${merges} shown=${shown} /></section>`}
    <section><h2>Body</h2>${
      entry.hasBody
        ? html`<${AskedBody} call=${api.entryBody(id)} bytes=${entry.bytes} />`
        : html`<p class="soft">No body is kept of this event: it had none, it was deleted with an erased person, or the limits of <code>[retention]</code> took it.</p>`
    }</section>`;
}
