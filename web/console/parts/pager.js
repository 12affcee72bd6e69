// Next and Previous. A cursor leads forwards only: what was before it is kept with the address, for this browser.
import { go, kept, withParams } from "../state.js";
import { html } from "../vendor/preact.js";
import { SIZES } from "./page.js";

const chosen = kept("size", 50);

/** The size of a page: of the address, else what this browser chose; and what chooses it. */
export function useSize(params) {
  const size = chosen.use();
  const named = Number(params.get("limit"));
  const set = (value) => {
    chosen.set(value);
    go(withParams({ limit: null, after: null }));
  };
  return [SIZES.includes(named) ? named : size, set];
}

export function Pager({ params, address, size, setSize, next }) {
  const before = address.state?.before ?? [];
  const after = params.get("after");
  const forth = (event) => {
    if (event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    go(withParams({ after: next, limit: size }), { state: { before: [...before, after] } });
  };
  const back = (event) => {
    event.preventDefault();
    go(withParams({ after: before.at(-1) }), { state: { before: before.slice(0, -1) } });
  };
  return html`<nav class="end" aria-label="Pages of the list">
    <label class="small"><span class="visually-hidden">Rows of a page</span><select value=${String(size)} onChange=${(event) => setSize(Number(event.currentTarget.value))}>
      ${SIZES.map((one) => html`<option value=${String(one)}>${one} rows</option>`)}</select></label>
    ${after && (before.length ? html`<a class="button" href=${withParams({ after: before.at(-1) })} onClick=${back}>Previous</a>` : html`<a class="button" href=${withParams({ after: null })}>First page</a>`)}
    ${next ? html`<a class="button" href=${withParams({ after: next, limit: size })} onClick=${forth}>Next</a>` : html`<button disabled>Next</button>`}
  </nav>`;
}
