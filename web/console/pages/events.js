// Events: the journal of all apps or of one, filtered.
import * as api from "../api.js";
import { Outcome } from "../parts/changes.js";
import { Filters } from "../parts/filters.js";
import { Followed, StartJob } from "../parts/job.js";
import { Empty, Failed, useCall } from "../parts/load.js";
import { Head, Table } from "../parts/page.js";
import { Pager, Progress, useSearch, useSize } from "../parts/pager.js";
import { Id, Signs } from "../parts/text.js";
import { count, duration, size as bytes, Time, TimeHead } from "../parts/time.js";
import { href, useTitle, withParams } from "../state.js";
import { useStream } from "../stream.js";
import { html, useEffect, useState } from "../vendor/preact.js";

const FILTERS = [
  { name: "trigger", says: "trigger" },
  { name: "user", says: "user (_id)" },
  { name: "outcome", says: "outcome", options: ["learned", "kept"], labels: { learned: "applied", kept: "not about app users" } },
  { name: "source", says: "source", options: ["webhook", "api"] },
  { name: "since", says: "received since", type: "time" },
  { name: "until", says: "received until", type: "time" },
];

/**
 * How long after it happened an event was received, in ms.
 * @param {{time?: string, received: string}} entry
 */
export const lag = ({ time, received }) => (time ? new Date(received).getTime() - new Date(time).getTime() : undefined);

/**
 * The columns of a list of entries.
 * @returns {import("../calls").Column<import("../calls").Schema<"JournalEntry">>[]}
 */
export const columnsOf = (shown, apps) =>
  [
    {
      name: "seq",
      head: "Number",
      cell: (entry) => html`<a class="row mono" href=${href(["events", String(entry.seq)], { app: shown })}>${String(entry.seq)}</a>`,
    },
    { name: "received", head: html`<${TimeHead}>Received<//>`, kind: "time", cell: (entry) => html`<${Time} of=${entry.received} millis />` },
    { name: "lag", head: "Lag", kind: "n", cell: (entry) => lag(entry) !== undefined && duration(lag(entry)) },
    { name: "trigger", head: "Trigger", cell: (entry) => html`<${Signs} text=${entry.trigger} />` },
    {
      name: "users",
      head: "App users",
      cell: (entry) =>
        (entry.users ?? [])
          .slice(0, 3)
          .map((id) => html`<${Id} of=${id} href=${href(["users", id], { app: entry.app === shown || apps.length < 2 ? shown : entry.app })} /> `),
    },
    apps.length > 1 && { name: "app", head: "App", cell: (entry) => html`<${Signs} text=${apps.find(({ id }) => id === entry.app)?.name || entry.app} />` },
    { name: "outcome", head: "Outcome", cell: (entry) => html`<${Outcome} of=${entry.outcome} />` },
    { name: "bytes", head: "Size", kind: "n", cell: (entry) => entry.bytes > 0 && bytes(entry.bytes) },
  ].filter(Boolean);

/**
 * The button that applies webhooks of the journal again, those that `filter` names.
 * @param {{label: string, filter: import("../calls").Body<"POST", "/journal/replay">["filter"], started: (job: any) => void}} props
 */
export const Replay = ({ label, filter, started }) => html`<${StartJob} kind="replay" label=${label} title=${(parts) => `Replay ${parts}?`} verb="Replay"
    make=${(how) => api.replay({ filter, ...how })} started=${started}
    line=${({ seq, trigger, received }) => html`${String(seq)} <span class="soft"><${Signs} text=${trigger} />, <${Time} of=${received} /></span>`}>
    <p>The webhooks are applied again, the oldest first: into this directory, as today's rules read them. Nothing changes for events that are in the journal; they are counted as repeated. Calls to the API are not replayed.</p><//>`;

/** How many entries that fit were stored since the list was loaded; they are not pushed in. */
function News({ filter, fits, list }) {
  const [news, setNews] = useState(0);
  useEffect(() => setNews(0), [list.at]);
  useStream(filter, (message) => {
    if (message.kind === "entry" && fits(message.entry)) setNews((n) => n + 1);
    else if (message.kind === "skipped") setNews((n) => n + Number(message.data.n ?? 0));
  });
  return html`<span role="status">${news > 0 && html`<button class="main" onClick=${() => list.again()}>Show ${count(news, "new event")}</button>`}</span>`;
}

export function Events({ chosen, shown, apps, params, address }) {
  useTitle("Events");
  const [size, setSize] = useSize(params);
  const search = useSearch("entries");
  const now = Object.fromEntries([...params].filter(([name]) => FILTERS.some((one) => one.name === name)));
  const call = api.entries({ app: chosen, ...now, order: params.get("order"), limit: size, after: params.get("after") });
  const list = useCall(() => call, [JSON.stringify(call)], { run: search.run });
  const entries = list.data?.entries;
  const bad = [400, 404].includes(list.failure?.status) ? list.failure.message : undefined;
  const newest = !params.get("after") && params.get("order") !== "asc" && !now.until && entries;
  const followed = Object.fromEntries(Object.entries({ app: chosen, user: now.user, trigger: now.trigger }).filter(([, value]) => value));
  const fits = (entry) =>
    entry.seq > (entries?.[0]?.seq ?? 0) && (!now.outcome || entry.outcome === now.outcome) && (!now.source || entry.source === now.source);
  const [job, setJob] = useState();
  const { source, ...conditions } = now;
  const filter = { app: chosen, ...conditions };
  const oldest = params.get("order") === "asc";
  return html`
    <${Head} title="Events" sub="What was received, in the order of the journal" calls=${[call]}
      actions=${html`${newest && html`<${News} filter=${followed} fits=${fits} list=${list} />`}<a class="button" href=${withParams({ order: oldest ? null : "asc", after: null })}>${oldest ? "Newest first" : "Oldest first"}</a>
        ${entries?.length > 0 && source !== "api" && html`<${Replay} key=${JSON.stringify(filter)} label="Replay all …" filter=${filter} started=${setJob} />`}`} />
    ${job && html`<${Followed} key=${job.id} id=${job.id} ended=${() => list.again()} />`}
    <${Filters} all=${FILTERS} now=${now} why=${bad} />
    ${list.failure && !bad && list.failure.status !== 410 && html`<${Failed} of=${list} what="The list" />`}
    ${list.failure?.status === 410 && html`<div class="notice warn"><p><${Signs} text=${list.failure.message} /> <a href=${withParams({ after: null })}>Start at the beginning</a></p></div>`}
    ${
      entries?.length === 0 && !search.searching && !bad
        ? Object.keys(now).length
          ? html`<${Empty} title="No event fits">${list.data.hasMore ? `Stopped after looking at ${count(search.looked, "event")}. ` : ""}Drop one of the filters, or <a href=${href(["events"], { app: chosen })}>drop all</a>.<//>`
          : html`<${Empty} title="No events">Nothing was received yet, or it is not kept any more (<code>retention.history_age</code>). <a href=${href([], { app: shown })}>How to send a webhook</a><//>`
        : !bad && html`<${Table} label="Events" columns=${columnsOf(shown, apps)} rows=${entries} keyOf=${(entry) => entry.seq} busy=${list.loading} />`
    }
    <div class="under">
      ${search.searching ? html`<${Progress} of=${search} found=${entries?.length ?? 0} />` : html`<span>${entries?.length > 0 && `${count(entries.length, "event")} on this page`}</span>`}
      <${Pager} params=${params} address=${address} size=${size} setSize=${setSize} next=${list.data?.hasMore ? list.data.after : undefined} />
    </div>`;
}
