// Sends calls. A call is an object that api.js makes; the same object is also shown as a curl command.
import * as api from "./api.js";
import { kept, store } from "./state.js";

/** Where the calls are: the folder above the console's. */
export const ROOT = new URL("../", new URL("./", location.href));

/** The second half of the session; a cookie that no script can read is the first. */
export const half = kept("half", null);

/** Who has signed in, as GET `/session` answers; null: nobody; undefined: not known yet. */
export const session = store(undefined);

/** Since when the service cannot be reached; null while it can. */
export const lost = store(null);

/** A call that failed. `status` is 0 where there was no answer. */
export class Failure extends Error {
  /**
   * @param {{status: number, code: string, description: string, requestId?: string | null, retryAfter?: number, data?: any}} of
   */
  constructor({ status, code, description, requestId, retryAfter, data }) {
    super(description);
    this.status = status;
    this.code = code;
    this.requestId = requestId;
    this.retryAfter = retryAfter;
    this.data = data;
  }
}

/** A number that JavaScript would show in another way than it was sent: `1.0`, or 20 digits. */
export class Numeral {
  constructor(source) {
    this.source = source;
  }

  toString() {
    return this.source;
  }

  toJSON() {
    const { rawJSON } = /** @type {any} */ (JSON);
    return rawJSON ? rawJSON(this.source) : Number(this.source);
  }
}

/** JSON with every number as it was sent. */
export const parseJson = (text) => {
  const keep = (_, value, context) => (typeof value === "number" && context && context.source !== String(value) ? new Numeral(context.source) : value);
  return JSON.parse(text, /** @type {any} */ (keep));
};

/**
 * Sends a call, and gives the answer whatever its status is; a session that has ended is noted.
 * @param {import("./calls").Call} call
 * @param {AbortSignal} [signal]
 */
export async function fetchCall(call, signal) {
  const headers = { accept: call.accept ?? "application/json", ...call.headers };
  if (half.get()) headers["x-rollcall-session"] = half.get();
  // A change is declared as JSON, also one without a body: no form of another page can send it.
  if (call.method !== "GET") headers["content-type"] = "application/json";
  const asked = half.get();
  let answer;
  try {
    answer = await fetch(new URL(api.addressOf(call), ROOT), {
      method: call.method,
      headers,
      signal,
      cache: "no-store",
      credentials: "same-origin",
      redirect: "error",
      body: call.body === undefined ? undefined : JSON.stringify(call.body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    lost.set(lost.get() ?? Date.now());
    throw new Failure({ status: 0, code: "unreachable", description: "The service cannot be reached.", retryAfter: 2 });
  }
  lost.set(null);
  if (answer.status === 401 && session.get() && asked === half.get()) {
    half.set(null);
    session.set(null);
  }
  return answer;
}

/** The failure that an answer tells of. */
export async function failureOf(answer) {
  const text = await answer.text();
  let data;
  try {
    data = parseJson(text);
  } catch {
    // Not an answer of rollcall; perhaps one of a proxy.
  }
  const { code, description } = data?.error ?? {};
  const seconds = Number(answer.headers.get("retry-after"));
  return new Failure({
    status: answer.status,
    code: code ?? `status_${answer.status}`,
    data,
    description: description ?? `The answer was ${answer.status} ${answer.statusText}`.trim(),
    requestId: answer.headers.get("x-request-id"),
    retryAfter: seconds > 0 ? seconds : undefined,
  });
}

/**
 * Sends a call; gives `{data, etag, status}`, or throws a `Failure`.
 * @template A
 * @param {import("./calls").Call<A>} call
 * @param {AbortSignal} [signal]
 * @returns {Promise<{data: A, etag?: string | null, status?: number}>}
 */
export async function send(call, signal) {
  const answer = await fetchCall(call, signal);
  if (!answer.ok) throw await failureOf(answer);
  const data = call.bytes ? new Uint8Array(await answer.arrayBuffer()) : parseJson(await answer.text());
  return { data: /** @type {any} */ (data), etag: answer.headers.get("etag"), status: answer.status };
}

/** Answers that every page waits for, asked for while the other modules are still loaded, by the address of the call. */
const early = new Map();

if (half.get()) {
  for (const call of /** @type {import("./calls").Call<any>[]} */ ([api.session(), api.apps()])) {
    const answer = send(call);
    // Whoever waits for it learns of its failure.
    answer.catch(() => {});
    early.set(api.addressOf(call), answer);
  }
}

/**
 * Sends a call, or gives the answer to it that was asked for early.
 * @template A
 * @param {import("./calls").Call<A>} call
 * @param {AbortSignal} [signal]
 * @returns {ReturnType<typeof send<A>>}
 */
export function sendOrTake(call, signal) {
  const asked = early.get(api.addressOf(call));
  early.delete(api.addressOf(call));
  return asked ? asked.catch(() => send(call, signal)) : send(call, signal);
}

/** Whether the operator may change something. */
export const mayChange = () => session.get()?.role === "operator";

/** Whether answers have the values of people. */
export const seesPeople = () => session.get()?.personalData !== false;

/**
 * Looks up the session that this browser has, if any.
 * @returns {Promise<{data: any}>}
 */
export async function findSession() {
  const asked = half.get();
  try {
    session.set((await sendOrTake(api.session())).data);
  } catch (failure) {
    if (failure.status !== 401 && failure.status !== 403) throw failure;
    // Somebody may have signed in meanwhile.
    if (asked === half.get()) {
      half.set(null);
      session.set(null);
    }
  }
  return { data: session.get() };
}

/** Signs in with `{code}` or `{name, secret}`. */
export async function signIn(proof) {
  const { data } = await send(api.signIn(proof));
  session.set({ ...data, half: undefined });
  half.set(data.half);
}

/** Ends the session, here and in the other tabs. */
export async function signOut() {
  await send(api.signOut());
  half.set(null);
  session.set(null);
}

half.watch((value) => {
  early.clear();
  if (value === null) session.set(null);
  else if (!session.get()) findSession().catch(() => {});
});
