// A search that looks at page after page of a list until there are enough rows, shows what it has found, and can be stopped.
import { send } from "../request.js";
import { html, useMemo, useRef, useState } from "../vendor/preact.js";
import { number } from "./time.js";

/** The `run` of a call of a list whose rows are the answer's `member`; how many were looked at; and what stops it. */
export function useSearch(member) {
  const [progress, setProgress] = useState({ looked: 0, searching: false });
  const stopped = useRef(false);
  const run = useMemo(
    () => async (call, signal, show) => {
      const limit = Number(call.query.limit);
      let [rows, looked, after] = [[], 0, call.query.after];
      stopped.current = false;
      for (;;) {
        const { data } = await send({ ...call, query: { ...call.query, after, limit: limit - rows.length } }, signal);
        rows = [...rows, ...data[member]];
        looked += data.looked ?? 0;
        after = data.after;
        const answer = { data: { ...data, [member]: rows } };
        const searching = data.hasMore && rows.length < limit && !stopped.current;
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
    stop: () => {
      stopped.current = true;
    },
  };
}

/** How far a search is, of about how many, and the button that stops it. */
export const Progress = ({
  of: search,
  found,
  among,
}) => html`<span role="status">Looked at ${number(search.looked)}${among ? ` of about ${number(among)}` : ""}, ${number(found)} found</span>
  <button onClick=${search.stop}>Stop</button>`;
