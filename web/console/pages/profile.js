// The profile of an app user: each value with the event that set it.
import { EventLink } from "../parts/changes.js";
import { Failed } from "../parts/load.js";
import { Badge, Table } from "../parts/page.js";
import { Signs, Value } from "../parts/text.js";
import { Time, TimeHead } from "../parts/time.js";
import { html } from "../vendor/preact.js";

const FIRST = ["givenName", "surname", "userId", "email", "signedUpAt", "conversationStarted", "credentialRequired"];
const ELSEWHERE = ["_id", "clients", "masked", "properties"];

/** The members of an app user as rows `[path, value]`, a property in each its own. */
export function membersOf(user) {
  const others = Object.keys(user)
    .filter((name) => !FIRST.includes(name) && !ELSEWHERE.includes(name))
    .sort();
  const own = [...FIRST, ...others].filter((name) => user[name] !== undefined).map((name) => [name, user[name]]);
  return [...own, ...Object.entries(user.properties ?? {}).map(([key, value]) => [`properties.${key}`, value])];
}

/** Where a value is from: `{seq, trigger, time}`, and for one that came with a merge the event that said it. */
function Source({ of, shown, pending }) {
  if (!of && pending) return null;
  if (!of) return html`<span class="soft">not known</span>`;
  return html`<${EventLink} seq=${of.seq} shown=${shown} /> <span class="soft"><${Signs} text=${of.trigger} /></span>`;
}

export function Profile({ user, more, shown }) {
  const from = more.data?.provenance ?? {};
  const reported = more.data?.reported ?? {};
  const members = membersOf(user);
  // What our API cleared is no member, and Smooch still says it.
  const cleared = Object.keys(reported).filter((path) => !members.some(([name]) => name === path));
  const rows = [...members, ...cleared.map((path) => [path, undefined])];
  const columns = [
    { name: "field", head: "Field", cell: ([path]) => html`<code><${Signs} text=${path} /></code>` },
    { name: "value", head: "Value", cell: ([, value]) => html`<${Value} of=${value} />` },
    Object.keys(reported).length > 0 && {
      name: "reported",
      head: "Smooch says",
      cell: ([path]) => Object.hasOwn(reported, path) && html`<${Badge} kind="warn">overridden<//> <${Value} of=${reported[path]} />`,
    },
    {
      name: "event",
      head: "Set by event",
      cell: ([path, value]) => html`<${Source} of=${from[path]} shown=${shown} pending=${!more.data?.provenance || value === undefined} />`,
    },
    { name: "time", head: html`<${TimeHead}>Since<//>`, kind: "time", cell: ([path]) => html`<${Time} of=${from[path]?.time} />` },
  ].filter(Boolean);
  return html`${more.failure && html`<${Failed} of=${more} what="The event of each value" />`}
    <${Table} label="Profile" columns=${columns} rows=${rows} keyOf=${([path]) => path} linked=${false} />`;
}
