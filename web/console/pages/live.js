// Live: events as they are stored. At most 500 rows; what a busy service sends more is counted.
import * as api from "../api.js";
import { Filters } from "../parts/filters.js";
import { usePauseKey } from "../keys.js";
import { Empty } from "../parts/load.js";
import { Badge, Head, Table } from "../parts/page.js";
import { count, number, Time } from "../parts/time.js";
import { useShown, useStream } from "../stream.js";
import { useTitle } from "../state.js";
import { html, useCallback, useEffect, useRef, useState } from "../vendor/preact.js";
import { columnsOf } from "./events.js";

const MOST = 500;
const FILTERS = [
  { name: "trigger", says: "trigger" },
  { name: "user", says: "user (_id)" },
];

/** Entries that arrive are drawn together, a few times a second. */
function useBatches(add) {
  const waiting = useRef([]);
  useEffect(() => {
    const timer = setInterval(() => {
      if (!waiting.current.length) return;
      const batch = waiting.current;
      waiting.current = [];
      add(batch);
    }, 250);
    return () => clearInterval(timer);
  }, []);
  return waiting;
}

export function Live({ chosen, shown, apps, params }) {
  useTitle("Live");
  const [rows, setRows] = useState([]);
  const [held, setHeld] = useState([]);
  const [paused, setPaused] = useState(false);
  const [state, setState] = useState(/** @type {{kind: string, since?: number, why?: string}} */ ({ kind: "connecting" }));
  const [rates, setRates] = useState();
  const [skipped, setSkipped] = useState(0);
  const halted = useRef(false);
  halted.current = paused;
  const isShown = useShown();
  const waiting = useBatches((batch) => {
    const newest = [...batch].reverse();
    const put = (before) => [...newest, ...before].slice(0, MOST);
    if (halted.current) setHeld(put);
    else setRows(put);
  });
  const filter = Object.fromEntries(
    [
      ["app", chosen],
      ["user", params.get("user")],
      ["trigger", params.get("trigger")],
    ].filter(([, value]) => value),
  );
  const key = JSON.stringify(filter);
  useEffect(() => {
    setRows([]);
    setHeld([]);
    setSkipped(0);
  }, [key]);
  useStream(filter, (message) => {
    if (message.kind === "entry") waiting.current.push(message.entry);
    else if (message.kind === "skipped") setSkipped((n) => n + Number(message.data.n));
    else if (message.kind === "rate") setRates(message.data);
    // The stream says its rates each second, also to a tab that joins later.
    if (message.kind === "lost") setState((now) => (now.kind === "lost" ? now : { kind: "lost", since: Date.now(), why: message.why }));
    else setState((now) => (now.kind === "following" ? now : { kind: "following" }));
  });
  const toggle = useCallback(() => {
    if (halted.current) {
      setHeld((more) => {
        setRows((before) => [...more, ...before].slice(0, MOST));
        return [];
      });
    }
    setPaused(!halted.current);
  }, []);
  usePauseKey(toggle);
  const says = paused
    ? ["warn", "Paused"]
    : state.kind === "following"
      ? ["good", "Following"]
      : state.kind === "lost"
        ? ["bad", "Not connected"]
        : ["", isShown ? "Connecting" : "Waiting"];
  return html`
    <${Head} title="Live" sub="Events as they are stored; the newest is on top" calls=${[api.tail(filter)]}
      actions=${html`<button class=${paused ? "main" : ""} onClick=${toggle} title="p">${paused ? `Follow${held.length ? `, ${count(held.length, "new", "new")}` : ""}` : "Pause"}</button>`} />
    <${Filters} all=${FILTERS} now=${Object.fromEntries(Object.entries(filter).filter(([name]) => name !== "app"))} />
    <div class="rates" aria-busy=${says[1] === "Connecting"}><${Badge} kind=${says[0]}><span class="dot ${says[0]}"></span>${says[1]}<//>
      ${state.kind === "lost" && html`<span role="status">since <${Time} of=${state.since} clockOnly />; it goes on after the last event, without a gap</span>`}
      ${
        rates &&
        Object.entries(rates)
          .filter(([, n]) => typeof n === "number")
          .map(([name, n]) => html`<span><b>${number(n)}</b> ${name} a second</span>`)
      }
      ${skipped > 0 && html`<span><b>${number(skipped)}</b> more were stored and not shown</span>`}</div>
    ${
      rows.length === 0
        ? html`<${Empty} title=${state.kind === "following" ? "Nothing yet" : "Connecting"}>Events appear here as they are stored. Older ones are under Events.<//>`
        : html`<${Table} label="Live events" columns=${columnsOf(shown, apps)} rows=${rows} keyOf=${(entry) => entry.seq} still />
        <p class="under">${count(rows.length, "event")}${rows.length === MOST ? `: the newest ${MOST} are kept here` : ""}</p>`
    }`;
}
