// Segments: named lists of an app, which its operators share. One is chosen, made, changed and deleted on Users.
import * as api from "../api.js";
import { Change } from "../parts/change.js";
import { Curl } from "../parts/curl.js";
import { Dialog } from "../parts/dialog.js";
import { Failed, Refused, useAction, useCall } from "../parts/load.js";
import { Menu } from "../parts/page.js";
import { plain, Signs } from "../parts/text.js";
import { Time } from "../parts/time.js";
import { mayChange } from "../request.js";
import { go, href } from "../state.js";
import { html, useState } from "../vendor/preact.js";

/** The parameters of a query that are no page of it. */
export const pairsOf = (query) => [...new URLSearchParams(query)].filter(([name]) => !["app", "after", "limit", "count", "segment"].includes(name));

/**
 * The segments of an app, and the one with an id: `ready` once a list can be made, `query` as pairs. Without an id the list can
 * be made at once.
 */
export function useSegments(app, id) {
  const list = useCall(() => api.segments({ app }), [app, id]);
  const segment = id ? list.data?.segments.find((one) => one.id === id) : undefined;
  return { list, id, segment, ready: !id || Boolean(segment && !segment.masked && !segment.problem), query: pairsOf(segment?.query ?? "") };
}

/** The dialog that keeps a query: as a new segment, or in place of another one. */
function Save({ app, query, segments, target, close, saved }) {
  const [into, setInto] = useState(target?.id ?? "");
  const [name, setName] = useState(target?.name ?? "");
  const action = useAction((segment) => {
    close();
    saved(segment);
  });
  const call = into ? api.updateSegment(into, { name, query }) : api.createSegment({ app, name, query });
  const choose = (id) => {
    setInto(id);
    if (id) setName(segments.find((one) => one.id === id)?.name ?? "");
  };
  const submit = (event) => {
    event.preventDefault();
    if (name.trim()) action.run(call);
  };
  const others = segments.filter((one) => one.name !== undefined);
  return html`<${Dialog} title=${target ? "Rename the segment" : "Save as a segment"} onClose=${close}>
    <form onSubmit=${submit}>
      <p class="soft">${target ? "Its list stays as it is." : "The filter is kept under a name that all operators of the app see; whoever fits it at the time is in it."}</p>
      <div class="fields">
        ${
          !target &&
          others.length > 0 &&
          html`<label class="field"><span>Save as</span><select value=${into} onChange=${(event) => choose(event.currentTarget.value)}>
          <option value="">a new segment</option>${others.map((one) => html`<option value=${one.id}>in place of ${plain(one.name)}</option>`)}</select></label>`
        }
        <label class="field"><span>Name</span><input value=${name} autocomplete="off" data-focus onInput=${(event) => setName(event.currentTarget.value)} /></label>
      </div>
      <p class="small"><span class="soft">Filter:</span> ${query === "" ? "all app users" : html`<code class="long"><${Signs} text=${query} /></code>`}</p>
      <${Refused} failure=${action.failure} />
      <div class="actions"><${Curl} calls=${[call]} /><button type="button" onClick=${close}>Cancel</button>
        <button class="main" disabled=${!name.trim() || action.busy}>${action.busy ? "Saving …" : "Save"}</button></div>
    </form><//>`;
}

/** The menu of the segments. `query` is that of the list as it is shown. */
export function Segments({ app, shown, of, query }) {
  const [saving, setSaving] = useState();
  const { list, segment } = of;
  const segments = list.data?.segments ?? [];
  const name = (one) => (one.name === undefined ? "one that this session may not see" : html`<${Signs} text=${one.name} />`);
  const saved = ({ id }) => {
    list.again();
    go(href(["users"], { segment: id, app: shown }));
  };
  return html`<${Menu} says="Segments" key=${of.id ?? ""}>${(ask) => html`
    ${list.failure && html`<p class="soft">They could not be loaded.</p>`}
    ${list.data && segments.length === 0 && html`<p class="soft">None is kept yet.</p>`}
    ${
      segments.length > 0 &&
      html`<ul class="plain">${segments.map(
        (one) =>
          html`<li>${
            one.masked
              ? html`<span class="soft">${name(one)}</span>`
              : html`<a href=${href(["users"], { segment: one.id, app: shown })} aria-current=${one.id === of.id ? "true" : undefined}>${name(one)}</a>`
          }${one.problem && html` <span class="soft small">not understood any more</span>`}</li>`,
      )}</ul>`
    }
    ${mayChange() && of.ready && html`<button onClick=${ask(() => setSaving({}))}>Save as a segment …</button>`}
    ${mayChange() && segment && !segment.masked && html`<button onClick=${ask(() => setSaving({ target: segment }))}>Rename …</button>`}
  `}<//>
  ${saving && html`<${Save} app=${app} query=${saving.target ? saving.target.query : query} segments=${segments} target=${saving.target} close=${() => setSaving()} saved=${saved} />`}`;
}

/** Which segment is shown, or why it is not. `filter` leads to its filter without its name. */
export function Chosen({ of, shown, filter }) {
  const { id, list, segment } = of;
  if (!id) return null;
  if (list.failure) return html`<${Failed} of=${list} what="The segment" />`;
  if (!list.data || (!segment && list.loading)) return null;
  const leave = html`<a href=${href(["users"], { app: shown })}>All users</a>`;
  if (!segment) return html`<div class="notice warn"><p><strong>There is no such segment.</strong> It was deleted, or is of another app. ${leave}</p></div>`;
  const drop = html`<${Change} label="Delete" title="Delete the segment?" bad call=${() => api.deleteSegment(id)} done=${() => {
    list.again();
    go(href(["users"], { app: shown }));
  }}><p>It goes for all operators of the app. The app users stay as they are.</p><//>`;
  if (segment.masked)
    return html`<div class="notice warn"><p><strong>This session may not see the segment.</strong> It is a filter by values of people. ${leave}</p></div>`;
  return html`<div class="notice ${segment.problem ? "bad" : ""}"><p><strong><${Signs} text=${segment.name} /></strong>${" "}
      <span class="soft small">last changed${segment.by && html` by <${Signs} text=${segment.by} />`} <${Time} of=${segment.time} /></span></p>
    ${segment.problem && html`<p>Its filter is not understood any more: <${Signs} text=${segment.problem} /> <code class="long"><${Signs} text=${segment.query} /></code></p>`}
    <div class="actions"><a href=${filter}>Go on with its filter alone</a> ${leave} ${drop}</div></div>`;
}
