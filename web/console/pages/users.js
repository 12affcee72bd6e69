// Users: the list call of an app, its filters, order and pages.
import * as api from "../api.js";
import { Download } from "../parts/change.js";
import { Filters } from "../parts/filters.js";
import { Followed } from "../parts/job.js";
import { Empty, Failed, useCall } from "../parts/load.js";
import { Badge, Head, Menu, Table } from "../parts/page.js";
import { Pager, Progress, useSearch, useSize } from "../parts/pager.js";
import { Id, plain, Signs, Value } from "../parts/text.js";
import { count, Time, TimeHead } from "../parts/time.js";
import { seesPeople } from "../request.js";
import { href, kept, useTitle, withParams } from "../state.js";
import { html, useState } from "../vendor/preact.js";
import { Bulk } from "./bulk.js";
import { nameOf } from "./edit.js";
import { Chosen, pairsOf, Segments, useSegments } from "./segments.js";

const YES_NO = ["true", "false"];

/** The conditions of a list. `personal`: a session without personal data may not use it. */
export const FILTERS = [
  { name: "q", says: "words", personal: true },
  { name: "userId", says: "userId", personal: true },
  { name: "email", says: "e-mail", personal: true },
  { name: "identityEmail", says: "e-mail of an identity", personal: true },
  { name: "property.KEY", says: "property", personal: true },
  { name: "platform", says: "platform" },
  { name: "identified", says: "identified", options: YES_NO },
  { name: "conversationStarted", says: "conversation started", options: YES_NO },
  { name: "seenSince", says: "seen since", type: "time" },
  { name: "seenBefore", says: "seen before", type: "time" },
  { name: "signedUpSince", says: "signed up since", type: "time" },
  { name: "signedUpBefore", says: "signed up before", type: "time" },
  { name: "appVersion", says: "app version" },
  { name: "appVersionSince", says: "app version since" },
  { name: "appVersionBefore", says: "app version before" },
  { name: "brandId", says: "brand" },
];

const columnsShown = kept("columns", null);

const platforms = (user) => [...new Set((user.clients ?? []).map(({ platform }) => platform).filter(Boolean))];
const lastSeen = (user) =>
  (user.clients ?? [])
    .map((client) => client.lastSeen)
    .filter((seen) => typeof seen === "string")
    .sort()
    .at(-1);

function columnsFor(link, people, keys) {
  const text = (name, head, personal = true) => ({ name, head, personal, cell: (user) => user[name] !== undefined && html`<${Value} of=${user[name]} />` });
  /** @type {import("../calls").Column<import("../calls").Schema<"AppUser">>[]} */
  const all = [
    {
      name: "name",
      head: "Name",
      personal: true,
      cell: (user) =>
        html`<a class="row" href=${link(user)}>${nameOf(user) ? html`<${Signs} text=${nameOf(user)} />` : html`<span class="soft">no name</span>`}</a>`,
    },
    text("userId", "userId"),
    text("email", "E-mail"),
    {
      name: "platforms",
      head: "Platforms",
      cell: (user) => html`<span class="badges">${platforms(user).map((one) => html`<${Badge}><${Signs} text=${one} /><//>`)}</span>`,
    },
    {
      name: "lastSeen",
      head: html`<${TimeHead}>Client seen<//>`,
      says: "Client seen",
      kind: "time",
      sort: "lastSeen",
      cell: (user) => html`<${Time} of=${lastSeen(user)} />`,
    },
    {
      name: "signedUpAt",
      head: html`<${TimeHead}>Signed up<//>`,
      says: "Signed up",
      kind: "time",
      sort: "signedUpAt",
      cell: (user) => html`<${Time} of=${user.signedUpAt} />`,
    },
    { name: "_id", head: "_id", sort: "_id", cell: (user) => html`<${Id} of=${user._id} href=${people ? undefined : link(user)} row=${!people} />` },
    ...keys.map((key) => ({
      name: `property ${key}`,
      head: html`<${Signs} text=${key} />`,
      says: `property ${key}`,
      personal: true,
      cell: (user) => Object.hasOwn(user.properties ?? {}, key) && html`<${Value} of=${user.properties[key]} />`,
    })),
  ];
  return all.filter(({ personal }) => people || !personal);
}

/** Which columns are shown. */
function Columns({ all, shown }) {
  const toggle = (name) => columnsShown.set(shown.includes(name) ? shown.filter((one) => one !== name) : [...shown, name]);
  return html`<${Menu} says="Columns">${() =>
    all
      .slice(1)
      .map(
        ({ name, head, says }) =>
          html`<label class="check"><input type="checkbox" checked=${shown.includes(name)} onChange=${() => toggle(name)} />${says ?? head}</label>`,
      )}<//>`;
}

export function Users({ app, shown, apps, params, address }) {
  const about = apps.find(({ id }) => id === app);
  const segments = useSegments(app, params.get("segment") ?? undefined);
  useTitle("Users", segments.segment?.name && plain(segments.segment.name), apps.length > 1 && (about?.name || app));
  const people = seesPeople();
  const [size, setSize] = useSize(params);
  const search = useSearch("appUsers");
  const [counted, setCounted] = useState("");
  // What the address has beside a segment comes on top of it.
  const own = pairsOf(params);
  const { sort, ...filters } = /** @type {Record<string, string>} */ (Object.fromEntries([...segments.query, ...own]));
  const query = new URLSearchParams(Object.entries({ ...filters, ...(sort && { sort }) })).toString();
  const isSegment = segments.id && !own.some(([name]) => name !== "sort");
  const known = Object.entries({ ...filters, sort }).filter(
    ([name]) => name === "sort" || FILTERS.some((one) => one.name === name || name.startsWith("property.")),
  );
  const change = (changes) => withParams({ segment: null, ...(segments.id && Object.fromEntries(known)), ...changes });
  const call = api.listUsers(app, { ...filters, sort, limit: size, after: params.get("after") });
  const file = (accept) => ({ ...call, query: { ...filters, sort }, accept });
  const key = JSON.stringify([call, segments.ready]);
  const list = useCall(() => (segments.ready ? call : null), [key], { run: search.run });
  const [job, setJob] = useState();
  const countOf = JSON.stringify([app, filters]);
  const counting = useCall(() => (counted === countOf ? api.listUsers(app, { ...filters, count: 10_000, limit: 1 }) : null), [counted === countOf, countOf]);
  const users = list.data?.appUsers;
  const keys = [...new Set((users ?? []).flatMap((user) => Object.keys(user.properties ?? {})))].sort().slice(0, 20);
  const link = (user) => href(["users", user._id], { app: shown });
  const all = columnsFor(link, people, keys);
  const chosen = columnsShown.use() ?? (people ? ["userId", "email", "platforms", "lastSeen"] : ["platforms", "lastSeen", "_id"]);
  const columns = all.filter(({ name }, n) => n === 0 || chosen.includes(name));
  const any = Object.keys(filters).length > 0;
  const bad = list.failure?.status === 400 ? list : undefined;
  const total = counting.data && `${counting.data.countExact === false ? "more than " : ""}${count(counting.data.count, "user")}`;
  return html`
    <${Head} title="Users" sub=${about && html`${apps.length > 1 && html`<${Signs} text=${about.name || about.id} />: `}${about.users > 0 && `About ${count(about.users, "user")}`}`}
      actions=${html`<${Segments} app=${app} shown=${shown} of=${segments} query=${query} /><${Columns} all=${all} shown=${chosen} />${
        people &&
        html`<${Download} call=${file("text/csv")}>Save as CSV<//>
        <${Download} call=${file("application/x-ndjson")}>Save as NDJSON<//>`
      }${segments.ready && html`<${Bulk} key=${query} of=${isSegment ? { segment: segments.id } : { app, filter: query }} started=${setJob} />`}`} calls=${[call, people && file("text/csv")]} />
    ${job && html`<${Followed} key=${job.id} id=${job.id} ended=${() => list.again()} />`}
    <${Chosen} of=${segments} shown=${shown} filter=${change({ after: null })} />
    <${Filters} all=${FILTERS.filter(({ personal }) => people || !personal)} now=${filters} change=${change} words=${people && "q"} placeholder="Words of a name, an e-mail address or a userId" why=${bad?.failure.message} />
    ${list.failure && !bad && list.failure.status !== 410 && html`<${Failed} of=${list} what="The list" />`}
    ${list.failure?.status === 410 && html`<div class="notice warn"><p>The list has moved on since this page of it was asked for. <a href=${withParams({ after: null })}>Start again at its beginning</a></p></div>`}
    ${
      users?.length === 0 && !search.searching && !list.failure
        ? any
          ? html`<${Empty} title="Nobody fits">${list.data.hasMore ? `Stopped after looking at ${count(search.looked, "user")}. ` : ""}Drop one of the filters, or <a href=${href(["users"], { app: shown })}>drop all</a>.<//>`
          : html`<${Empty} title="No users yet">An app user appears with the first webhook about it. <a href=${href([], { app: shown })}>How to send one</a><//>`
        : !bad &&
          (segments.ready || segments.list.loading) &&
          html`<${Table} label="Users" columns=${columns} rows=${users} keyOf=${(user) => user._id} busy=${list.loading} sort=${sort ?? "_id"} />`
    }
    <div class="under">
      ${
        search.searching
          ? html`<${Progress} of=${search} found=${users?.length ?? 0} among=${about?.users} />`
          : html`<span>${users && users.length > 0 && `${count(users.length, "user")} on this page`}</span>`
      }
      ${total ? html`<span role="status">${total} in all</span>` : counted === countOf ? html`<span role="status">${counting.failure ? "The count failed: it took too long." : "Counting …"}</span>` : html`<button onClick=${() => setCounted(countOf)}>Count</button>`}
      <${Pager} params=${params} address=${address} size=${size} setSize=${setSize} next=${list.data?.hasMore ? list.data.after : undefined} />
    </div>`;
}
