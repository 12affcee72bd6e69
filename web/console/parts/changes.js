// What an event changed, and the words for triggers and outcomes.
import { seesPeople } from "../request.js";
import { href } from "../state.js";
import { html } from "../vendor/preact.js";
import { Badge, Table } from "./page.js";
import { Id, Signs, Value } from "./text.js";

/** Kinds of outcome, for their badge. */
const OUTCOMES = { learned: "good", kept: "", repeated: "", quarantined: "warn", erased: "bad" };

/** What became of an event. */
export const Outcome = ({ of: outcome }) => outcome && html`<${Badge} kind=${OUTCOMES[outcome] ?? ""}>${outcome}<//>`;

/** A link to an event by its number. */
export const EventLink = ({ seq, shown }) => html`<a class="mono" href=${href(["events", String(seq)], { app: shown })}>${String(seq)}</a>`;

/** Whether the values of a change are left out for this session. */
const leftOut = ({ masked, before, after }) => masked || (!seesPeople() && before === undefined && after === undefined);

/** Changes as a table: of whom, which field, before and after. */
export function Changes({ of: changed, shown, whose = true }) {
  if (!changed?.length) return html`<p class="soft">It changed nothing that is shown of anybody.</p>`;
  const value = (change, side) =>
    leftOut(change)
      ? html`<span class="soft">not shown</span>`
      : change[side] === undefined
        ? html`<span class="soft">nothing</span>`
        : html`<span class=${side}><${Value} of=${change[side]} /></span>`;
  const columns = [
    whose && { name: "user", head: "App user", cell: (change) => html`<${Id} of=${change._id} href=${href(["users", change._id], { app: shown })} />` },
    { name: "field", head: "Field", cell: (change) => html`<code><${Signs} text=${change.field} /></code>` },
    { name: "before", head: "Before", cell: (change) => value(change, "before") },
    { name: "after", head: "After", cell: (change) => value(change, "after") },
  ].filter(Boolean);
  return html`<${Table} label="Changes" columns=${columns} rows=${changed} keyOf=${(change) => `${change._id} ${change.field}`} linked=${false} />`;
}

/** Changes in a line each, for a list of events. */
export function ChangeLines({ of: changed, id }) {
  return html`<ul>${(changed ?? []).map(
    (change) => html`<li><code><${Signs} text=${change.field} /></code>${" "}
    ${change.before !== undefined && html`<span class="before"><${Value} of=${change.before} /></span> → `}${leftOut(change) ? html`<span class="soft">changed</span>` : change.after === undefined ? html`<span class="soft">cleared</span>` : html`<span class="after"><${Value} of=${change.after} /></span>`}
    ${change._id !== id && html` <span class="soft small">of <span class="mono"><${Signs} text=${change._id} /></span></span>`}</li>`,
  )}</ul>`;
}

/** Words for the reason of a merge. */
export const REASONS = { webhook: "Smooch merged them", api: "merged through the API", init: "a device logged in", sameUserId: "both have the same userId" };

/** Merges of an event. */
export const Merges = ({ of: merges, shown }) =>
  html`<ul class="edges root">${merges.map(
    (merge) => html`<li><span class="line">
  <${Id} of=${merge.discarded} href=${href(["users", merge.discarded], { app: shown })} /> into <${Id} of=${merge.surviving} href=${href(["users", merge.surviving], { app: shown })} />
  <span class="soft">${REASONS[merge.reason] ?? merge.reason}</span>
  ${merge.holds !== undefined && html`<${Badge} kind=${merge.holds ? "good" : ""}>${merge.holds ? "holds" : "undone"}<//>`}</span></li>`,
  )}</ul>`;
