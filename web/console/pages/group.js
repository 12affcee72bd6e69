// The clients of an app user, and the _ids that are one person: who is merged into whom, and why.
import * as api from "../api.js";
import { EventLink, REASONS } from "../parts/changes.js";
import { Change } from "../parts/change.js";
import { Empty, Failed, Ghost, useCall } from "../parts/load.js";
import { Badge, Table } from "../parts/page.js";
import { Id, Signs, Value } from "../parts/text.js";
import { Time, TimeHead } from "../parts/time.js";
import { href } from "../state.js";
import { html } from "../vendor/preact.js";

const SHOWN = ["id", "platform", "active", "lastSeen", "appVersion", "displayName", "claimedBy"];

export function Clients({ user, shown }) {
  const clients = user.clients ?? [];
  if (!clients.length) return html`<${Empty} title="No clients">No event has named a device or a channel of this app user.<//>`;
  const claimed = clients.some(({ claimedBy }) => claimedBy?.length);
  /** @type {import("../calls").Column<import("../calls").Schema<"Client">>[]} */
  const columns = [
    { name: "platform", head: "Platform", cell: (client) => html`<${Badge}><${Value} of=${client.platform} /><//>` },
    { name: "id", head: "Id", cell: (client) => client.id !== undefined && html`<${Id} of=${client.id} />` },
    { name: "name", head: "Name", cell: (client) => client.displayName !== undefined && html`<${Value} of=${client.displayName} />` },
    { name: "active", head: "Reaches this user", cell: (client) => (client.active ? html`<${Badge} kind="good">yes<//>` : html`<${Badge}>no<//>`) },
    claimed && {
      name: "claims",
      head: "Also claimed by",
      cell: (client) => (client.claimedBy ?? []).map((one) => html`<${Id} of=${one} href=${href(["users", one], { app: shown })} />`),
    },
    { name: "version", head: "App version", cell: (client) => client.appVersion !== undefined && html`<${Value} of=${client.appVersion} />` },
    { name: "seen", head: html`<${TimeHead}>Last seen<//>`, kind: "time", cell: (client) => html`<${Time} of=${client.lastSeen} />` },
    { name: "more", head: "More", cell: (client) => html`<${More} client=${client} />` },
  ].filter(Boolean);
  return html`<${Table} label="Clients" columns=${columns} rows=${clients} keyOf=${(client) => client.id ?? clients.indexOf(client)} linked=${false} />`;
}

function More({ client }) {
  const rest = Object.entries(client).filter(([name]) => !SHOWN.includes(name));
  if (!rest.length) return null;
  return html`<details><summary>${rest.length} more</summary><dl class="pairs">${rest.map(([name, value]) => html`<dt><${Signs} text=${name} /></dt><dd><${Value} of=${value} /></dd>`)}</dl></details>`;
}

/** What un-merging gives: both app users, from the history of the merge. */
function Separate({ app, id, edge }) {
  const page = useCall(() => api.history(app, id, { limit: 100 }), [app, id, edge.seq]);
  const event = page.data?.history.find(({ seq }) => seq === edge.seq);
  const merge = event?.merges?.find(({ discarded }) => discarded === edge._id);
  const describe = (user) => [user.givenName, user.surname, user.userId, user.email].filter((part) => typeof part === "string").join(", ") || "no name";
  if (page.loading) return html`<p class="soft">Looking up what it gives …</p>`;
  if (!merge?.unmerged) return html`<p>Both are separate app users again. Each keeps the values that its own events said.</p>`;
  return html`<p>They are separate again:</p><ul>
    <li><code>${merge.unmerged.surviving._id}</code>: <${Signs} text=${describe(merge.unmerged.surviving)} /></li>
    <li><code>${merge.unmerged.discarded._id}</code>: <${Signs} text=${describe(merge.unmerged.discarded)} /></li></ul>`;
}

/** How an edge came to be. */
const Edge = ({
  member,
  shown,
}) => html`<span class="soft">${REASONS[member.reason] ?? member.reason}${member.seq && html`, event <${EventLink} seq=${member.seq} shown=${shown} />`}${member.time && html`, <${Time} of=${member.time} />`}</span>
  ${member.removed && html`<${Badge} kind="warn">removed<//>`}`;

/** @param {{member: import("../calls").Schema<"MergeTree">["members"][number], members: import("../calls").Schema<"MergeTree">["members"], root: string, app: string, shown?: string, done: any}} props */
function Member({ member, members, root, app, shown, done }) {
  const below = members.filter(({ into, _id }) => into === member._id && _id !== root);
  return html`<li><span class="line"><${Id} of=${member._id} />
      ${
        member._id === root
          ? html`<${Badge} kind="good">shown<//>${member.removed && html`<${Badge} kind="warn">removed<//>`}`
          : html`<${Edge} member=${member} shown=${shown} />
            <${Change} label="Un-merge" title="Undo this merge?" verb="Un-merge" call=${() => api.unmerge(app, root, member._id)} done=${done}>
              <${Separate} app=${app} id=${root} edge=${member} /><p class="soft">The two can be merged again afterwards.</p><//>`
      }
    </span>
    ${below.length > 0 && html`<ul class="edges">${below.map((one) => html`<${Member} key=${one._id} member=${one} members=${members} root=${root} app=${app} shown=${shown} done=${done} />`)}</ul>`}</li>`;
}

export function Group({ call, app, shown, done }) {
  if (call.failure) return html`<${Failed} of=${call} what="The group" />`;
  const group = call.data?.group;
  if (!group) return html`<${Ghost} lines=${4} />`;
  // The edges that hold are a tree under the root; of the others there may be several for an _id, also in a circle.
  const holding = group.members.filter(({ holds, _id }) => holds && _id !== group.root);
  const root = group.members.find(({ _id }) => _id === group.root) ?? { _id: group.root };
  const undone = group.members.filter(({ holds, into }) => !holds && into);
  return html`${holding.length === 0 && html`<p class="soft">Nobody is merged into this app user.</p>`}
    <ul class="edges root"><${Member} member=${root} members=${holding} root=${group.root} app=${app} shown=${shown} done=${done} /></ul>
    ${
      undone.length > 0 &&
      html`<section><h2>Merges that do not hold</h2><ul class="edges root">${undone.map(
        (one) =>
          html`<li key=${`${one._id} ${one.into} ${one.seq}`}><span class="line"><${Id} of=${one._id} /> into <${Id} of=${one.into} /> <${Edge} member=${one} shown=${shown} /></span></li>`,
      )}</ul></section>`
    }`;
}
