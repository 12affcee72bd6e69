// Every event of an app user, newest first, by day, each with what it changed.
import * as api from "../api.js";
import { ChangeLines, EventLink, Merges } from "../parts/changes.js";
import { Empty, Failed, Ghost, useCall } from "../parts/load.js";
import { Pager, useSize } from "../parts/pager.js";
import { plain, Signs } from "../parts/text.js";
import { dayOf, Time, utc, zone } from "../parts/time.js";
import { go, useAddress, withParams } from "../state.js";
import { html } from "../vendor/preact.js";

/** @param {{entry: import("../calls").Schema<"HistoryEntry">, id: string, shown?: string}} props */
function Line({ entry, id, shown }) {
  return html`<li class="entry">
    <${Time} of=${entry.received} clockOnly millis />
    <span class="what"><${EventLink} seq=${entry.seq} shown=${shown} /><strong><${Signs} text=${entry.trigger} /></strong>
      ${entry.call && html`<span class="soft small"><${Signs} text=${[entry.call.method, entry.call.path].filter(Boolean).join(" ")} />${(entry.call.operator || entry.call.key) && html`, <${By} of=${entry.call} />`}</span>`}
      ${entry.note && html`<span class="soft small"><${Signs} text=${entry.note} /></span>`}</span>
    ${entry.changed?.length > 0 && html`<${ChangeLines} of=${entry.changed} id=${id} />`}
    ${entry.merges?.length > 0 && html`<div class="more"><${Merges} of=${entry.merges} shown=${shown} /></div>`}
  </li>`;
}

/** Who made a call: an operator, a key, the app user itself. */
export const By = ({ of: { operator, key, userId, scope } }) =>
  html`<${Signs} text=${operator ?? userId ?? (key ? `key ${key}` : ({ appToken: "an app token", admin: "an import" }[scope] ?? scope))} />`;

/** The page of the timeline that the address names; it is asked for once it is `wanted`. */
export function useTimeline(app, id, params, wanted) {
  const [size, setSize] = useSize(params);
  const after = params.get("after");
  const page = useCall(() => (wanted ? api.history(app, id, { limit: size, after }) : null), [app, id, size, after, wanted]);
  return { page, size, setSize };
}

/** @param {{of: ReturnType<typeof useTimeline>, id: string, shown?: string, params: URLSearchParams}} props */
export function Timeline({ of: { page, size, setSize }, id, shown, params }) {
  const address = useAddress();
  utc.use();
  if (page.failure?.status === 410) {
    return html`<${Empty} title="Not kept any more">The oldest event that is kept is ${String(page.failure.data?.oldest ?? "later")}; the setting <code>retention.history_age</code> decides.<//>`;
  }
  const all = page.data?.history;
  const triggers = [...new Set((all ?? []).map(({ trigger }) => trigger))].sort();
  const wanted = params.get("trigger");
  const entries = all?.filter(({ trigger }) => !wanted || trigger === wanted);
  const days = [];
  for (const entry of entries ?? []) {
    const day = dayOf(entry.received);
    if (days.at(-1)?.day !== day) days.push({ day, entries: [] });
    days.at(-1).entries.push(entry);
  }
  return html`
    ${page.failure && html`<${Failed} of=${page} what="The timeline" />`}
    <div class="tools"><label class="small">Trigger ${" "}<select value=${wanted ?? ""} onChange=${(event) => go(withParams({ trigger: event.currentTarget.value }))}>
      <option value="">all</option>${[...new Set([...triggers, wanted].filter(Boolean))].map((one) => html`<option value=${one}>${plain(one)}</option>`)}</select></label>
      <span class="soft small">Times in ${zone()}</span></div>
    ${!all && !page.failure && html`<${Ghost} lines=${10} />`}
    ${all && entries.length === 0 && html`<${Empty} title="No event on this page">${wanted ? html`None has the trigger <code><${Signs} text=${wanted} /></code>. <a href=${withParams({ trigger: null })}>Show all</a>` : "The journal keeps no event of this app user."}<//>`}
    ${all?.length > 0 && all.every(({ changed }) => changed === undefined) && html`<div class="notice"><p>This app user has more events than <code>limits.history_events</code>, so they are shown without their changes.</p></div>`}
    ${days.map(({ day, entries: of }) => html`<h2 class="day">${day}</h2><ol class="entries">${of.map((entry) => html`<${Line} key=${entry.seq} entry=${entry} id=${id} shown=${shown} />`)}</ol>`)}
    ${page.data?.oldest && !page.data.hasMore && html`<p class="soft small">Events before ${page.data.oldest} are not kept any more.</p>`}
    <div class="under"><${Pager} params=${params} address=${address} size=${size} setSize=${setSize} next=${page.data?.hasMore ? page.data.after : undefined} /></div>`;
}
