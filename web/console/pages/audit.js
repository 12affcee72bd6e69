// Audit: who did what, to whom, and what came of it.
import * as api from "../api.js";
import { Download } from "../parts/change.js";
import { Filters } from "../parts/filters.js";
import { Empty, Failed, useCall } from "../parts/load.js";
import { Badge, Head, Table } from "../parts/page.js";
import { Pager, Progress, useSearch, useSize } from "../parts/pager.js";
import { Id, Signs } from "../parts/text.js";
import { count, number, Time, TimeHead } from "../parts/time.js";
import { href, useTitle } from "../state.js";
import { html } from "../vendor/preact.js";

/** Words for actions whose names do not say it alone. */
const ACTIONS = {
  deleteProfile: "clear the profile",
  showBody: "show a body",
  signIn: "sign in",
  signOut: "sign out",
  request: "a refused request",
  leftOut: "more refusals",
  delete: "remove",
  verifyBackup: "verify a backup",
  cancelJob: "cancel a job",
  segment: "keep, change or delete a segment",
};

const FILTERS = [
  { name: "who", says: "who" },
  {
    name: "action",
    says: "action",
    options: [
      "init",
      "create",
      "update",
      "event",
      "device",
      "delete",
      "erase",
      "deleteProfile",
      "merge",
      "unmerge",
      "secure",
      "import",
      "redrive",
      "drop",
      "rebuild",
      "export",
      "showBody",
      "signIn",
      "signOut",
      "reload",
      "backup",
      "verifyBackup",
      "replay",
      "cancelJob",
      "segment",
      "request",
      "leftOut",
    ],
    labels: ACTIONS,
  },
  { name: "user", says: "user (_id)" },
  { name: "since", says: "since", type: "time" },
  { name: "until", says: "until", type: "time" },
];
const KINDS = { done: "good", refused: "bad", failed: "bad", begun: "" };

/**
 * Whom it was done to: `_id`s, entries of the journal, bodies in quarantine.
 * @param {{of: import("../calls").Schema<"AuditEntry">, shown?: string}} props
 */
function Whom({ of: entry, shown }) {
  const ids = entry._ids;
  return html`${ids.slice(0, 3).map((id) => html`<${Id} of=${id} href=${href(["users", id], { app: shown && entry.app })} /> `)}${ids.length > 3 && html`<span class="soft">and ${number(ids.length - 3)} more</span>`}
    ${(entry.entries ?? []).slice(0, 3).map((seq) => html`<a class="mono" href=${href(["events", String(seq)], { app: shown && entry.app })}>event ${String(seq)}</a> `)}
    ${(entry.bodies ?? []).slice(0, 3).map((seq) => html`<span class="mono">body ${String(seq)}</span> `)}`;
}

export function Audit({ chosen, shown, params, address }) {
  useTitle("Audit");
  const [size, setSize] = useSize(params);
  const now = Object.fromEntries([...params].filter(([name]) => FILTERS.some((one) => one.name === name)));
  const call = api.audit({ app: chosen, ...now, limit: size, after: params.get("after") });
  const table = { ...call, query: { ...call.query, after: undefined, limit: undefined }, accept: "text/csv" };
  const search = useSearch("entries");
  const list = useCall(() => call, [JSON.stringify(call)], { run: search.run });
  const entries = list.data?.entries;
  const bad = [400, 404].includes(list.failure?.status) ? list.failure.message : undefined;
  /** @type {import("../calls").Column<import("../calls").Schema<"AuditEntry">>[]} */
  const columns = [
    { name: "time", head: html`<${TimeHead}>When<//>`, kind: "time", cell: (entry) => html`<${Time} of=${entry.time} />` },
    {
      name: "who",
      head: "Who",
      cell: (entry) =>
        entry.who === undefined
          ? html`<span class="soft">nobody known</span>`
          : html`<${Signs} text=${entry.who} />${entry.role && html` <span class="soft small">${entry.role}</span>`}`,
    },
    { name: "how", head: "How", cell: (entry) => html`<span class="soft">${entry.how}</span>` },
    {
      name: "action",
      head: "What",
      cell: (entry) =>
        html`<${Signs} text=${ACTIONS[entry.action] ?? entry.action} />${entry.detail && html`<div class="soft small"><${Signs} text=${entry.detail} /></div>`}`,
    },
    { name: "whom", head: "Whom", cell: (entry) => html`<${Whom} of=${entry} shown=${shown} />` },
    { name: "count", head: "How many", kind: "n", cell: (entry) => entry.count !== undefined && number(entry.count) },
    { name: "outcome", head: "Outcome", cell: (entry) => html`<${Badge} kind=${KINDS[entry.outcome] ?? ""}>${entry.outcome}<//>` },
    { name: "request", head: "Request", cell: (entry) => entry.requestId && html`<${Id} of=${entry.requestId} />` },
  ];
  return html`<${Head} title="Audit" sub="Every change, export, shown body and sign-in, newest first" calls=${[call, table]}
      actions=${html`<${Download} call=${table}>Save as CSV<//>`} />
    <${Filters} all=${FILTERS} now=${now} why=${bad} />
    ${list.failure && !bad && html`<${Failed} of=${list} what="The audit log" />`}
    ${
      entries?.length === 0 && !search.searching
        ? html`<${Empty} title="Nothing fits">${Object.keys(now).length ? html`Drop one of the filters, or <a href=${href(["audit"], { app: chosen })}>drop all</a>.` : "Nothing was done yet, or it is not kept any more (retention.audit_age)."}<//>`
        : !bad && html`<${Table} label="Audit log" columns=${columns} rows=${entries} keyOf=${({ seq }) => seq} linked=${false} busy=${list.loading} />`
    }
    <div class="under">${search.searching ? html`<${Progress} of=${search} found=${entries?.length ?? 0} />` : html`<span>${entries?.length > 0 && `${count(entries.length, "entry", "entries")} on this page`}</span>`}
      <${Pager} params=${params} address=${address} size=${size} setSize=${setSize} next=${list.data?.hasMore ? list.data.after : undefined} /></div>`;
}
