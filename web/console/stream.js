// One stream of the journal for all tabs of this browser: the tab that holds a lock reads it and tells the others. A
// browser has six connections to a host, so a stream in each tab would stop the seventh. A hidden tab follows nothing;
// shown again it goes on after the last entry that it has.
import { entries, tail } from "./api.js";
import { failureOf, fetchCall, half, parseJson, ROOT, send } from "./request.js";
import { useEffect, useRef, useState } from "./vendor/preact.js";

const NAME = `rollcall stream ${ROOT.pathname}`;
const ME = Math.random().toString(36).slice(2);
// Without TLS on a name other than localhost a browser has no locks: then each shown tab reads a stream of its own.
const ALONE = !navigator.locks;
/** @type {{postMessage: (message: any) => void, onmessage: any}} */
const channel = ALONE ? { postMessage() {}, onmessage: null } : new BroadcastChannel(NAME);

/** The followers of this tab by number: `{filter, last, told}`; `last` is the number of the last entry that each has. */
const own = new Map();
/** The followers of all tabs, in the tab that leads: by tab and number, `{filter, last}`. */
const followers = new Map();
/** The stream that is read: `{key, session, last, abort}`. */
let reading;
/** Ends the lead of this tab once it follows nothing; undefined in a tab that does not lead. */
let resign;
let queued = false;
let numbers = 0;

const keyOf = (filter) => new URLSearchParams(filter).toString();

function fits(entry, filter) {
  return (
    (!filter.app || entry.app === filter.app) &&
    (!filter.trigger || entry.trigger === filter.trigger) &&
    (!filter.user || (entry.users ?? []).includes(filter.user))
  );
}

/** Tells the followers of this tab. An entry that one has is not told again. */
function tell(message) {
  for (const follower of own.values()) {
    const known = message.kind === "entry" && follower.last >= message.entry.seq;
    if (message.last > (follower.last ?? 0)) follower.last = message.last;
    if (!known && (message.kind !== "entry" || fits(message.entry, follower.filter))) follower.told(message);
  }
}

/** Tells the followers of all tabs. */
function spread(message) {
  for (const follower of followers.values()) {
    if (message.last > (follower.last ?? 0)) follower.last = message.last;
  }
  tell(message);
  channel.postMessage({ message });
}

/** Cuts server-sent events out of a stream, each `{event, id, data}`. */
export async function* eventsOf(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    for (let end = text.search(/\r?\n\r?\n/); end >= 0; end = text.search(/\r?\n\r?\n/)) {
      const event = { event: "message", data: "" };
      for (const line of text.slice(0, end).split(/\r?\n/)) {
        const [, name, rest] = /^([^:]*):? ?(.*)$/.exec(line);
        if (name === "data") event.data += rest;
        else if (name) event[name] = rest;
      }
      text = text.slice(end).replace(/^\r?\n\r?\n/, "");
      if (event.data) yield event;
    }
  }
}

/** @type {(ms: number, signal: AbortSignal) => Promise<void>} */
const pause = (ms, signal) =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });

/** Reads until `of` is aborted: one stream, opened again where it ended, after the last entry. */
async function read(of, filter) {
  const { signal } = of.abort;
  while (!signal.aborted) {
    let wait = 1000;
    try {
      // From the start on there is a number to go on from, so that nothing is missed before the first entry either.
      of.last ??= (await send(entries({ limit: 1 }), signal)).data.entries[0]?.seq ?? 0;
      const answer = await fetchCall(tail(filter, of.last), signal);
      if (!answer.ok) throw await failureOf(answer);
      spread({ kind: "connected", last: of.last });
      for await (const { event, id, data } of eventsOf(answer.body)) {
        if (signal.aborted) return;
        if (id) of.last = Number(id);
        const value = parseJson(data);
        spread(event === "entry" ? { kind: event, last: of.last, entry: value } : { kind: event, last: of.last, data: value });
      }
      if (!signal.aborted) spread({ kind: "lost", why: "The stream ended." });
      wait = 200;
    } catch (failure) {
      if (signal.aborted) return;
      spread({ kind: "lost", why: failure.status === undefined ? "The connection broke off." : failure.message });
      if (failure.status === 401) return;
      if (failure.status === 410) of.last = undefined;
      if (failure.retryAfter) wait = failure.retryAfter * 1000;
    }
    await pause(wait, signal);
  }
}

function stopReading() {
  reading?.abort.abort();
  reading = undefined;
}

/** In the tab that leads: reads what the followers need, from the last entry of the one that is furthest behind. */
function choose() {
  if (!resign) return;
  const all = [...followers.values()];
  if (!all.length) {
    stopReading();
    return;
  }
  const filter = new Set(all.map((one) => keyOf(one.filter))).size === 1 ? all[0].filter : {};
  const [key, session] = [keyOf(filter), half.get()];
  const lasts = all.map(({ last }) => last).filter((last) => last !== undefined);
  const behind = lasts.some((last) => !(reading?.last <= last));
  if (reading?.key === key && reading.session === session && !behind) return;
  const before = [...lasts, reading?.last].filter((last) => last !== undefined);
  stopReading();
  reading = { key, session, abort: new AbortController(), last: before.length ? Math.min(...before) : undefined };
  read(reading, filter);
}

function note(name, follower) {
  if (follower) followers.set(name, follower);
  else followers.delete(name);
  choose();
}

/** Tells the tab that leads what a follower of this tab needs, or that it has gone. */
function announce(number) {
  const { filter, last } = own.get(number) ?? {};
  const about = { name: `${ME} ${number}`, follower: filter && { filter, last } };
  if (resign) note(about.name, about.follower);
  channel.postMessage(about);
}

channel.onmessage = ({ data }) => {
  if (data.message) tell(data.message);
  else if (data.who) [...own.keys()].forEach(announce);
  else if (resign) note(data.name, data.follower);
};

/**
 * Leads all tabs, until this one follows nothing.
 * @returns {Promise<void> | undefined}
 */
function lead() {
  if (!own.size) return undefined;
  return new Promise((end) => {
    followers.clear();
    resign = () => {
      if (own.size) return;
      resign = undefined;
      stopReading();
      end();
    };
    [...own.keys()].forEach(announce);
    channel.postMessage({ who: true });
  });
}

async function queueToLead() {
  if (queued || !own.size) return;
  queued = true;
  await (ALONE ? lead() : navigator.locks.request(NAME, lead));
  queued = false;
  queueToLead();
}

/** Follows, until the returned function is called; that gives the number of the last entry. */
function follow(filter, last, told) {
  numbers += 1;
  const number = numbers;
  own.set(number, { filter, last, told });
  announce(number);
  queueToLead();
  return () => {
    const end = own.get(number)?.last;
    own.delete(number);
    announce(number);
    resign?.();
    return end;
  };
}

half.watch(choose);
addEventListener("pagehide", () => {
  for (const number of [...own.keys()]) {
    own.delete(number);
    announce(number);
  }
});

/** Whether the tab is shown. */
export function useShown() {
  const [shown, setShown] = useState(!document.hidden);
  useEffect(() => {
    const look = () => setShown(!document.hidden);
    document.addEventListener("visibilitychange", look);
    return () => document.removeEventListener("visibilitychange", look);
  }, []);
  return shown;
}

/**
 * Follows the journal while the tab is shown: `told` gets `{kind: "entry", entry}`, what the stream says of its rates, and
 * `connected` and `lost`. `filter` has `app`, `user` and `trigger`.
 */
export function useStream(filter, told) {
  const shown = useShown();
  const listener = useRef(told);
  listener.current = told;
  const last = useRef();
  const key = keyOf(filter);
  useEffect(() => {
    last.current = undefined;
  }, [key]);
  useEffect(() => {
    if (!shown) return undefined;
    const stop = follow(filter, last.current, (message) => listener.current(message));
    return () => {
      last.current = stop() ?? last.current;
    };
  }, [key, shown]);
}
