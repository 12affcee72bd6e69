// An app user: who it is now, and the tabs.
import * as api from "../api.js";
import { Change, Download } from "../parts/change.js";
import { Empty, Failed, Ghost, useCall } from "../parts/load.js";
import { Badge, Head, Pairs, Tabs } from "../parts/page.js";
import { Copy, Id, Signs } from "../parts/text.js";
import { count, Time } from "../parts/time.js";
import { mayChange, seesPeople } from "../request.js";
import { href, useTitle } from "../state.js";
import { html, useRef, useState } from "../vendor/preact.js";
import { AsOf } from "./asof.js";
import { Edit, nameOf } from "./edit.js";
import { Clients, Group } from "./group.js";
import { Profile } from "./profile.js";
import { Timeline, useTimeline } from "./timeline.js";

const TABS = [
  ["profile", "Profile"],
  ["timeline", "Timeline"],
  ["clients", "Clients"],
  ["group", "Group"],
  ["as-of", "As of"],
];

/**
 * What an erasure has done, from its receipt; `call` asks how far it is.
 * @param {{receipt: import("../calls").Schema<"Erasure">, call: any}} props
 */
function Receipt({ receipt, call: ask }) {
  const call = useCall(() => (receipt.complete ? null : ask), [], { every: receipt.complete ? undefined : 2000 });
  const of = call.data?.erasure ?? receipt;
  const erased = Object.entries(of.erased)
    .filter(([, n]) => n > 0)
    .map(([name, n]) => `${name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)}: ${n}`);
  return html`<div class="notice ${of.complete ? "good" : "warn"}" role="status">
    <p><strong>${of.complete ? "The person is erased." : "The erasure is under way."}</strong> ${of.complete ? "Nothing of it is left in this database." : "The last steps take a while; this is kept current."}</p>
    <${Pairs} of=${[
      ["Erased _ids", html`${of._ids.map((one) => html`<${Id} of=${one} /> `)}`],
      ["Journal number", of.seq],
      ["Asked for", html`<${Time} of=${of.time} />`],
      ["Completed", of.completedAt && html`<${Time} of=${of.completedAt} />`],
      ["Rows", erased.join(", ")],
      ["Left over", of.leftovers?.length && of.leftovers.join(", ")],
      ["Not erased", html`<${Signs} text=${of.remains} />`],
    ]} />
    <div class="actions"><${Copy} text=${JSON.stringify(of, null, 2)} what="Copy the receipt">Copy the receipt<//></div>
  </div>`;
}

/** An app user that no look-up shows: removed, erased, or never there. */
function Gone({ id, shown, app, apps, receipt, params }) {
  useTitle(id, "Users");
  const tombstone = api.tombstone(app, id);
  const calls = [tombstone, api.entries({ app: apps.length > 1 ? app : undefined, user: id })];
  const found = useCall(() => tombstone, [app, id]);
  const state = receipt ? "erased" : found.data?.state;
  const timeline = useTimeline(app, id, params, state === "removed");
  const links = html`<a href=${href(["events"], { app: shown, user: id })}>Events about it</a>, <a href=${href(["audit"], { app: apps.length > 1 ? app : undefined, user: id })}>what operators did to it</a>`;
  const head = html`<${Head} title=${html`<${Signs} text=${id} />`} sub=${state === undefined ? "Not in the directory" : html`<${Badge} kind="bad">${state}<//>`} calls=${calls} />`;
  const erasure = receipt ?? found.data?.erasure;
  if (erasure) return html`${head}<${Receipt} receipt=${erasure} call=${receipt ? api.eraseUser(app, id) : tombstone} /><p class="soft">${links}</p>`;
  if (state === "erased")
    return html`${head}<${Empty} title="This app user is erased">The erasure came with an import; no receipt of it is here. Later events do not bring the <code>_id</code> back. ${links}<//>`;
  if (state === "removed")
    return html`${head}<div class="notice"><p><strong>This app user was removed.</strong> Its <code>_id</code> stays reserved: later events do not bring it back. What the journal keeps of it is below; to delete that too, erase it. ${links}</p></div>
      <${Timeline} of=${timeline} id=${id} shown=${shown} params=${params} />`;
  return html`${head}${
    found.failure && found.failure.status !== 404
      ? html`<${Failed} of=${found} what="Whether it was removed" />`
      : found.loading
        ? html`<${Ghost} lines=${4} />`
        : html`<${Empty} title="There is no such app user">Nothing has named this <code>_id</code>. One that was removed or erased is found by its <code>_id</code> alone. ${links}<//>`
  }`;
}

/** The buttons that change it. */
function Actions({ user, members, app, shown, edit, reload, erased }) {
  const id = user._id;
  const save = seesPeople() && html`<${Download} call=${api.person(app, id)}>Save the whole file<//>`;
  if (!mayChange()) return save;
  const ids = members ? members.length : undefined;
  const all = html`<p>It has ${ids === undefined ? "this _id" : count(ids, "_id")}${ids > 1 ? html`: ${members.slice(0, 20).map((_id) => html`<code><${Signs} text=${_id} /></code> `)}` : ": "}${ids === 1 && html`<code><${Signs} text=${id} /></code>`}</p>`;
  return html`
    ${seesPeople() && html`<button onClick=${edit}>Edit</button>`}
    ${save}
    <a class="button" href=${href(["merge"], { app: shown, surviving: id })}>Merge …</a>
    <${Change} label="Remove" title=${html`Remove ${nameOf(user) ? html`<${Signs} text=${nameOf(user)} />` : "this app user"}?`} bad typed=${id} typedWhat="the _id"
      call=${() => api.removeUser(app, id)} done=${() => reload()}>
      <p>The directory forgets the profile, and later events about it have no effect. Its history stays in the journal; to delete that too, erase it. This cannot be undone.</p>${all}<//>
    <${Change} label="Erase" title=${html`Erase ${nameOf(user) ? html`<${Signs} text=${nameOf(user)} />` : "this person"}?`} bad typed=${id} typedWhat="the _id"
      call=${() => api.eraseUser(app, id)} done=${(data) => {
        erased(data.erasure);
        reload();
      }}>
      <p>Everything stored about the person is deleted: profile, history, bodies, quarantine. Earlier backups and exports still have it. This cannot be undone.</p>${all}<//>`;
}

export function User({ id, app, shown, apps, params }) {
  const [editing, setEditing] = useState(false);
  const [receipt, setReceipt] = useState();
  const tab = params.get("tab") ?? "profile";
  // Where each value is from is read out of the whole journal of the app user: only the profile shows it.
  const include = tab === "profile" ? "group,provenance" : "group";
  const calls = [api.user(app, id), api.user(app, id, { include })];
  const call = useCall(() => calls[0], [app, id]);
  const user = call.data?.appUser;
  const timeline = useTimeline(app, id, params, tab === "timeline");
  // After what the page shows first: the service reads for operators one after the other, and this takes long.
  const begun = useRef(false);
  begun.current ||= Boolean(user) && (tab !== "timeline" || !timeline.page.loading);
  const more = useCall(() => (begun.current ? calls[1] : null), [app, id, include, begun.current]);
  useTitle(user ? nameOf(user) || user._id : id, TABS.find(([name]) => name === tab)?.[1], "Users");
  if (receipt || (call.failure?.status === 404 && !call.loading))
    return html`<${Gone} id=${id} shown=${shown} app=${app} apps=${apps} receipt=${receipt} params=${params} />`;
  if (!user) {
    return html`<${Head} title=${html`<${Signs} text=${id} />`} sub="App user" calls=${calls} />
      ${call.failure ? html`<${Failed} of=${call} what="The app user" />` : html`<${Ghost} lines=${8} />`}`;
  }
  const again = () => {
    call.again();
    more.again();
  };
  const members = more.data && [...new Set(more.data.group.members.filter(({ holds }) => holds).map(({ _id }) => _id))];
  const merged = (members?.length ?? 1) - 1;
  const link = (changes) => href(["users", user._id], { app: shown, ...changes });
  const badges = [
    user.userId !== undefined && ["good", "identified"],
    user.credentialRequired && ["", "secured"],
    user.conversationStarted && ["", "conversation started"],
    merged > 0 && ["", `${merged} merged into it`],
    user.masked && ["warn", "without personal data"],
  ].filter(Boolean);
  return html`
    <${Head} title=${nameOf(user) ? html`<${Signs} text=${nameOf(user)} />` : html`<span class="soft">No name</span>`} calls=${[...calls, seesPeople() && api.person(app, user._id)]}
      sub=${html`<${Id} of=${user._id} />${user.userId !== undefined && html` <span class="nowrap">userId</span> <${Id} of=${String(user.userId)} />`}`}
      actions=${html`<${Actions} user=${user} members=${members} app=${app} shown=${shown} edit=${() => setEditing(true)} reload=${again} erased=${setReceipt} />`} />
    ${user._id !== id && members?.includes(id) && html`<div class="notice"><p><code><${Signs} text=${id} /></code> was merged into <a href=${link()}><code>${user._id}</code></a>, which is shown here.</p></div>`}
    ${call.failure && html`<${Failed} of=${call} what="The app user" />`}
    <p class="badges">${badges.map(([kind, says]) => html`<${Badge} kind=${kind}>${says}<//>`)}</p>
    <${Tabs} tabs=${TABS} now=${tab} label="About the app user" />
    ${
      tab === "profile"
        ? html`<${Profile} user=${user} more=${more} shown=${shown} />`
        : tab === "timeline"
          ? html`<${Timeline} of=${timeline} id=${user._id} shown=${shown} params=${params} />`
          : tab === "clients"
            ? html`<${Clients} user=${user} shown=${shown} />`
            : tab === "group"
              ? html`<${Group} call=${more} app=${app} shown=${shown} done=${again} />`
              : tab === "as-of"
                ? html`<${AsOf} user=${user} app=${app} params=${params} />`
                : html`<${Empty} title="There is no such tab">The address names a tab that this page does not have. <a href=${link()}>Show the profile</a><//>`
    }
    ${
      editing &&
      html`<${Edit} app=${app} user=${user} etag=${call.etag} close=${() => setEditing(false)} saved=${() => {
        setEditing(false);
        again();
      }} />`
    }`;
}
