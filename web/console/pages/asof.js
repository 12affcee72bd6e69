// An app user as of a number of the journal or a time, beside now.
import * as api from "../api.js";
import { Empty, Failed, Ghost, useCall } from "../parts/load.js";
import { Table } from "../parts/page.js";
import { Signs, Value } from "../parts/text.js";
import { Time } from "../parts/time.js";
import { go, withParams } from "../state.js";
import { html, useEffect, useState } from "../vendor/preact.js";
import { jsonText } from "../parts/text.js";
import { membersOf } from "./profile.js";

/** Members and clients as rows `[path, value]`; a client whose id is left out is known by its place. */
const rowsOf = (user) => new Map([...membersOf(user), ...(user.clients ?? []).map((client, n) => [`clients ${client.id ?? n + 1}`, client])]);

export function AsOf({ user, app, params }) {
  const wanted = params.get("asOf") ?? "";
  const [text, setText] = useState(wanted);
  useEffect(() => setText(wanted), [wanted]);
  const numbers = useCall(() => api.history(app, user._id, { limit: 1000 }), [app, user._id]);
  const then = useCall(() => (wanted ? api.user(app, user._id, { asOf: wanted }) : null), [app, user._id, wanted]);
  const events = [...(numbers.data?.history ?? [])].reverse();
  const at = Math.max(
    0,
    events.findLastIndex(({ seq }) => seq <= Number(wanted)),
  );
  const choose = (event) => {
    event.preventDefault();
    go(withParams({ asOf: text.trim() }));
  };
  return html`
    <form class="filters" onSubmit=${choose}>
      <label class="field"><span>Journal number or time</span><input size="26" placeholder="4711, 2026-11-30, 2026-11-30T08:00:00Z" value=${text} onInput=${(event) => setText(event.currentTarget.value)} /></label>
      ${
        events.length > 1 &&
        html`<label class="field"><span>${events[at]?.seq === Number(wanted) ? html`After event ${events[at].seq}, <${Signs} text=${events[at].trigger} />, <${Time} of=${events[at].received} />` : "Through its events"}</span>
        <input type="range" min="0" max=${events.length - 1} value=${at} onChange=${(event) => go(withParams({ asOf: events[Number(event.currentTarget.value)].seq }), { replace: Boolean(wanted) })} /></label>`
      }
      <button class="main">Show</button>
    </form>
    ${
      !wanted
        ? html`<${Empty} title="Choose a moment">A number of the journal shows the app user right after that event; a time shows what was known then.<//>`
        : then.failure?.status === 410
          ? html`<${Empty} title="Not kept any more">The journal begins at ${String(then.failure.data?.oldest ?? "a later number")}; the setting <code>retention.history_age</code> decides how long it is kept.<//>`
          : then.failure?.status === 404
            ? html`<${Empty} title="Not known then">No event before had named this app user.<//>`
            : then.failure
              ? html`<${Failed} of=${then} what="That moment" />`
              : then.data
                ? html`<${Beside} then=${then.data.appUser} now=${user} />`
                : html`<${Ghost} lines=${8} />`
    }`;
}

function Beside({ then, now }) {
  const [before, after] = [rowsOf(then), rowsOf(now)];
  const paths = [...new Set([...before.keys(), ...after.keys()])];
  const differ = (path) => jsonText(before.get(path)) !== jsonText(after.get(path));
  const columns = [
    { name: "field", head: "Field", cell: (path) => html`<code><${Signs} text=${path} /></code>` },
    { name: "then", head: "Then", cell: (path) => html`<${Value} of=${before.get(path)} />` },
    { name: "now", head: "Now", cell: (path) => html`<${Value} of=${after.get(path)} />` },
    {
      name: "differs",
      head: html`<span class="visually-hidden">Whether it differs</span>`,
      cell: (path) => differ(path) && html`<span class="badge warn">changed</span>`,
    },
  ];
  const changed = paths.filter(differ).length;
  return html`<p class="soft">${changed === 0 ? "The same then as now." : `${changed} of ${paths.length} differ.`}${then._id !== now._id && html` Then it was part of <code>${then._id}</code>.`}</p>
    <${Table} label="Then and now" columns=${columns} rows=${paths} keyOf=${(path) => path} linked=${false} />`;
}
