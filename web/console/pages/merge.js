// Merging two app users: who survives, what comes of it, and the way back.
import * as api from "../api.js";
import { Change } from "../parts/change.js";
import { Empty, Failed, useCall } from "../parts/load.js";
import { Badge, Head, Table } from "../parts/page.js";
import { Icon, Id, jsonText, Signs, Value } from "../parts/text.js";
import { mayChange } from "../request.js";
import { go, href, useTitle, withParams } from "../state.js";
import { html, useEffect, useState } from "../vendor/preact.js";
import { membersOf } from "./profile.js";

/** A field for an app user: its `_id`, or its userId where that is found. */
function Pick({ says, name, value, call }) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  const submit = (event) => {
    event.preventDefault();
    go(withParams({ [name]: text.trim() }));
  };
  return html`<form onSubmit=${submit}><label class="field"><span>${says}: an _id or a userId</span>
    <input value=${text} autocomplete="off" aria-invalid=${call.failure?.status === 404 ? "true" : undefined} onInput=${(event) => setText(event.currentTarget.value)} onBlur=${submit} /></label>
    ${value && call.failure?.status === 404 && html`<p class="why" role="alert">There is no such app user.</p>`}
    ${value && call.failure && call.failure.status !== 404 && html`<${Failed} of=${call} what="The app user" />`}
  </form>`;
}

/** Members of both, and of the merged one: the survivor's own value where it has one. */
function rowsOf(surviving, discarded) {
  const [one, other] = [surviving, discarded].map((user) => new Map(/** @type {[string, any][]} */ (membersOf(user))));
  const rows = [...new Set([...one.keys(), ...other.keys()])].map((path) => {
    const result = path === "conversationStarted" ? one.get(path) || other.get(path) : one.has(path) ? one.get(path) : other.get(path);
    return { path, one: one.get(path), other: other.get(path), result };
  });
  const clients = (user) => new Map((user.clients ?? []).map((client) => [`clients ${client.id ?? client.platform}`, client.platform ?? "yes"]));
  const [mine, theirs] = [clients(surviving), clients(discarded)];
  const both = [...new Set([...mine.keys(), ...theirs.keys()])].map((path) => ({
    path,
    one: mine.get(path),
    other: theirs.get(path),
    result: mine.get(path) ?? theirs.get(path),
  }));
  return [...rows, ...both];
}

function Preview({ surviving, discarded }) {
  const same = (a, b) => jsonText(a) === jsonText(b);
  const columns = [
    { name: "field", head: "Field", cell: ({ path }) => html`<code><${Signs} text=${path} /></code>` },
    { name: "one", head: "Survivor", cell: ({ one }) => html`<${Value} of=${one} />` },
    { name: "other", head: "Discarded", cell: ({ other }) => html`<${Value} of=${other} />` },
    { name: "result", head: "Together", cell: ({ result }) => html`<${Value} of=${result} />` },
    {
      name: "says",
      head: html`<span class="visually-hidden">What happens</span>`,
      cell: ({ one, other }) =>
        one === undefined
          ? html`<${Badge} kind="good">comes over<//>`
          : other !== undefined && !same(one, other)
            ? html`<${Badge} kind="warn">not shown any more<//>`
            : null,
    },
  ];
  return html`<h2>What comes of it</h2>
    <${Table} label="What comes of the merge" columns=${columns} rows=${rowsOf(surviving, discarded)} keyOf=${({ path }) => path} linked=${false} />
    <p class="soft small">The survivor's value is shown where it has one, else the newest of the others. Nothing is deleted: both histories stay, and the old <code>_id</code> leads to the survivor.</p>`;
}

export function Merge({ app, shown, params }) {
  useTitle("Merge");
  const [one, other] = [params.get("surviving") ?? "", params.get("discarded") ?? ""];
  const [done, setDone] = useState();
  const calls = [one && api.user(app, one), other && api.user(app, other)];
  const surviving = useCall(() => calls[0] || null, [app, one, done]);
  const discarded = useCall(() => calls[1] || null, [app, other, done]);
  const [a, b] = [one && surviving.data?.appUser, other && discarded.data?.appUser];
  const together = a && b && a._id === b._id;
  const identified = a?.userId !== undefined && b?.userId !== undefined;
  if (done) {
    return html`<${Head} title="Merged" sub=${html`<${Id} of=${done.discarded} /> is part of <${Id} of=${done.surviving} />`} />
      <div class="notice good" role="status"><p><strong>The two are one app user.</strong> Both <code>_id</code>s lead to it.</p>
      <div class="actions"><a class="button" href=${href(["users", done.surviving], { app: shown })}>Show it</a>
        <${Change} label="Undo" title="Undo the merge?" verb="Undo" call=${() => api.unmerge(app, done.surviving, done.discarded)} done=${() => setDone()}>
          <p>The two are separate app users again.</p><//></div></div>`;
  }
  return html`
    <${Head} title="Merge two app users" sub="The discarded one becomes part of the survivor" calls=${calls} />
    ${!mayChange() && html`<div class="notice"><p>A viewer can see what would come of a merge; an operator can do it.</p></div>`}
    <div class="merge">
      <${Pick} says="Survivor" name="surviving" value=${one} call=${surviving} />
      <button title="Let the other one survive" onClick=${() => go(withParams({ surviving: other, discarded: one }))}><${Icon} name="swap" />Swap</button>
      <${Pick} says="Discarded" name="discarded" value=${other} call=${discarded} />
    </div>
    ${
      together
        ? html`<${Empty} title="These two are one already">Both lead to <a href=${href(["users", a._id], { app: shown })}><code>${a._id}</code></a>.<//>`
        : a && b
          ? html`<${Preview} surviving=${a} discarded=${b} />
        <div class="under"><${Change} label="Merge" title="Merge these two?" verb="Merge" main call=${() => api.merge(app, a._id, b._id)}
          typed=${identified ? b._id : undefined} typedWhat="the _id that is discarded: both have a userId"
          done=${() => setDone({ surviving: a._id, discarded: b._id })}>
          <p><code>${b._id}</code> becomes part of <code>${a._id}</code>. It can be undone, here or on the page of the survivor under Group.</p><//></div>`
          : html`<${Empty} title="Name two app users">The survivor keeps its <code>_id</code>; the result is shown before anything is done.<//>`
    }`;
}
