// The pages of a list: the search that fills one, and Next and Previous. A cursor leads forwards only: what was before it is
// kept with the address, for this browser.
import { send } from "../request.js";
import { go, kept, withParams } from "../state.js";
import { html, useMemo, useRef, useState } from "../vendor/preact.js";
import { SIZES } from "./page.js";
import { number } from "./time.js";

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

/**
 * A search that looks at page after page of a list until there are enough rows, shows what it has found, and can be stopped:
 * the `run` of a call of a list whose rows are the answer's `member`; how many were looked at; and what stops it.
 */
export function useSearch(member) {
  const [progress, setProgress] = useState({ looked: 0, searching: false });
  const stopping = useRef(new AbortController());
  const run = useMemo(
    () => async (call, signal, show) => {
      const limit = Number(call.query.limit);
      let [rows, looked, answer] = [[], 0, undefined];
      const stop = new AbortController();
      stopping.current = stop;
      const either = AbortSignal.any([signal, stop.signal]);
      for (;;) {
        const after = answer ? answer.data.after : call.query.after;
        try {
          const { data } = await send({ ...call, query: { ...call.query, after, limit: limit - rows.length } }, either);
          rows = [...rows, ...data[member]];
          looked += data.looked ?? 0;
          answer = { data: { ...data, [member]: rows } };
        } catch (failure) {
          // Stopped, the search keeps what was found before, and the page that it was waiting for is not looked at.
          if (!answer || signal.aborted || !stop.signal.aborted) throw failure;
        }
        const searching = answer.data.hasMore && rows.length < limit && !stop.signal.aborted;
        if (!signal.aborted) setProgress({ looked, searching });
        if (!searching || signal.aborted) return answer;
        show(answer);
      }
    },
    [member],
  );
  return {
    ...progress,
    run,
    stop: () => stopping.current.abort(),
  };
}

/** How far a search is, of about how many, and the button that stops it. */
export const Progress = ({
  of: search,
  found,
  among,
}) => html`<span role="status">Looked at ${number(search.looked)}${among ? ` of about ${number(among)}` : ""}, ${number(found)} found</span>
  <button onClick=${search.stop}>Stop</button>`;
