// What a call has answered, and what a page shows until it has: nothing jumps, and what was there stays.
import { half, send } from "../request.js";
import { hrefOfJob } from "../state.js";
import { html, useEffect, useRef, useState } from "../vendor/preact.js";
import { Ago } from "./time.js";
import { Signs } from "./text.js";

/**
 * Sends `make()` once, again whenever `deps` change, and every `every` ms while the tab is visible. Gives
 * `{data, etag, failure, loading, at, again}`; `data` stays while a later answer is awaited or has failed, and `at` is its
 * time. A 503 is repeated after its `Retry-After`. Without a call to make (`null`) nothing is sent.
 * @template A
 * @param {() => import("../calls").Call<A> | null} make
 * @param {any[]} deps
 * @param {{every?: number, run?: (call: import("../calls").Call<A>, signal: AbortSignal, show: (part: {data: A}) => void) => Promise<{data: A, etag?: string | null}>}} [options]
 * @returns {{data?: A, etag?: string | null, failure?: any, loading?: boolean, at?: number, until?: number, again: (quietly?: boolean) => void}}
 */
export function useCall(make, deps, { every, run = send } = {}) {
  const [state, setState] = useState(/** @type {any} */ ({ loading: true }));
  const [round, setRound] = useState(0);
  const silent = useRef(false);
  useEffect(() => {
    const call = make();
    if (!call) {
      setState({ loading: false });
      return undefined;
    }
    const abort = new AbortController();
    let timer;
    if (!silent.current) setState((last) => ({ ...last, loading: true }));
    silent.current = false;
    const repeatIn = (seconds) => {
      timer = setTimeout(() => setRound((n) => n + 1), seconds * 1000);
    };
    const show = (part) => !abort.signal.aborted && setState((last) => ({ ...last, ...part, failure: undefined, at: Date.now() }));
    run(call, abort.signal, show).then(
      (answer) => !abort.signal.aborted && setState({ ...answer, loading: false, at: Date.now() }),
      (failure) => {
        if (abort.signal.aborted || failure.name === "AbortError") return;
        if (failure.status === undefined) throw failure;
        const until = failure.retryAfter && Date.now() + failure.retryAfter * 1000;
        setState((last) => ({ ...last, failure, until, loading: false }));
        if (failure.status === 503 || failure.status === 0 || failure.status === 429) repeatIn(failure.retryAfter ?? 5);
      },
    );
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [...deps, round, half.get()]);
  useEffect(() => {
    if (!every) return undefined;
    const timer = setInterval(() => {
      if (document.hidden) return;
      silent.current = true;
      setRound((n) => n + 1);
    }, every);
    return () => clearInterval(timer);
  }, [every]);
  const again = (quietly = false) => {
    silent.current = quietly;
    setRound((n) => n + 1);
  };
  return { ...state, again };
}

/** The time until `until`, in whole seconds, counted down. */
function Countdown({ until }) {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((n) => n + 1), 1000);
    return () => clearInterval(timer);
  }, [until]);
  return html`<span>${Math.max(0, Math.ceil((until - Date.now()) / 1000))} s</span>`;
}

/** Why a call failed: its sentence, code and request id, and how to go on. */
export function Failed({ of: { failure, until, at, again, data }, what = "This" }) {
  return html`<div class="notice bad" role="alert">
    <p><strong>${what} could not be loaded.</strong> <${Signs} text=${failure.message} /></p>
    <p class="small soft">
      <code>${failure.status || ""} ${failure.code}</code>
      ${failure.requestId && html` · request <code>${failure.requestId}</code>`}
      ${data && at && html` · what is shown is from <${Ago} time=${at} />`}
    </p>
    <div class="actions">
      ${again && html`<button onClick=${() => again()}>Retry</button>`}
      ${until > Date.now() && html`<span class="small soft">tried again in <${Countdown} until=${until} /></span>`}
    </div>
  </div>`;
}

/** Shows what a call answered; until then the same space, empty. */
export function Loaded({ of: call, what, children, lines = 4 }) {
  return html`
    ${call.failure && html`<${Failed} of=${call} what=${what} />`}
    ${call.data !== undefined ? children(call.data) : !call.failure && html`<${Ghost} lines=${lines} />`}`;
}

/** Grey lines where text will be. */
export function Ghost({ lines }) {
  return html`<div aria-busy="true"><span class="visually-hidden">Loading</span>
    <table aria-hidden="true"><tbody>${Array.from({ length: lines }, () => html`<tr class="ghost"><td>.</td></tr>`)}</tbody></table>
  </div>`;
}

/** A page or a list without anything in it: why, and what to do. */
export const Empty = ({ title, children }) => html`<div class="empty"><h2>${title}</h2><p>${children}</p></div>`;

/**
 * Sends a change, and keeps what became of it: `{run, busy, failure, data}`.
 * @param {(data: any, answer: any) => any} done
 */
export function useAction(done) {
  const [state, setState] = useState(/** @type {any} */ ({}));
  const run = async (call) => {
    setState({ busy: true });
    try {
      const answer = await send(call);
      setState({ data: answer.data });
      await done(answer.data, answer);
      return answer;
    } catch (failure) {
      if (failure.status === undefined) throw failure;
      setState({ failure });
      return undefined;
    }
  };
  return { ...state, run, reset: () => setState({}) };
}

/** Why a change was not made. */
export function Refused({ failure }) {
  if (!failure) return null;
  return html`<div class="notice bad" role="alert">
    <p><strong>Not done.</strong> <${Signs} text=${failure.message} />${failure.retryAfter && ` Try again in ${failure.retryAfter} s.`}
      ${failure.data?.job && html` <a href=${hrefOfJob(failure.data.job)}>Show job ${String(failure.data.job)}</a>`}</p>
    ${failure.data?.problems && html`<ul>${failure.data.problems.map(({ key, text, from }) => html`<li>${key && html`<code><${Signs} text=${key} /></code> `}<${Signs} text=${text} />${from?.file && html` <span class="small soft"><${Signs} text=${from.file} />${from.line !== undefined && `:${from.line}`}</span>`}</li>`)}</ul>`}
    <p class="small soft"><code>${failure.status || ""} ${failure.code}</code>${failure.requestId && html` · request <code>${failure.requestId}</code>`}</p>
  </div>`;
}
