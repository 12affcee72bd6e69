// Times: local or UTC by one switch, the other one and how long ago in the tip.
import { kept, store } from "../state.js";
import { html, useEffect } from "../vendor/preact.js";

/** Whether times are shown in UTC. */
export const utc = kept("utc", false);

const minute = store(0);
setInterval(() => document.hidden || minute.set(Math.floor(Date.now() / 15_000)), 5_000);

const two = (n, length = 2) => String(n).padStart(length, "0");

function written(date, inUtc, millis) {
  const at = (name) => date[`get${inUtc ? "UTC" : ""}${name}`]();
  const clock = `${two(at("Hours"))}:${two(at("Minutes"))}:${two(at("Seconds"))}${millis ? `.${two(at("Milliseconds"), 3)}` : ""}`;
  return { day: `${two(at("FullYear"), 4)}-${two(at("Month") + 1)}-${two(at("Date"))}`, clock };
}

/** The name of the local zone, looked up again after some seconds: that is slow, and a table has a thousand times. */
const local = { name: "", until: 0 };

/** The name of the zone that times are shown in. */
export function zone(inUtc = utc.get()) {
  if (inUtc) return "UTC";
  if (Date.now() > local.until) {
    const parts = new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" }).formatToParts(new Date());
    Object.assign(local, { name: parts.find(({ type }) => type === "timeZoneName").value, until: Date.now() + 5_000 });
  }
  return local.name;
}

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

/** `3 minutes ago`, or `in 2 hours`. */
export function ago(date) {
  const seconds = Math.round((date.getTime() - Date.now()) / 1000);
  /** @type {[Intl.RelativeTimeFormatUnit, number][]} */
  const units = [
    ["year", 31_557_600],
    ["month", 2_629_800],
    ["day", 86_400],
    ["hour", 3_600],
    ["minute", 60],
    ["second", 1],
  ];
  const [unit, size] = units.find(([, length]) => Math.abs(seconds) >= length) ?? ["second", 1];
  return relative.format(Math.trunc(seconds / size), unit);
}

/** A moment; one that cannot be read is shown as it came. */
export function Time({ of: moment, millis = false, clockOnly = false }) {
  const inUtc = utc.use();
  if (moment === undefined || moment === null) return null;
  const date = new Date(moment);
  if (Number.isNaN(date.getTime())) return html`<bdi>${String(moment)}</bdi>`;
  const { day, clock } = written(date, inUtc, millis);
  const other = written(date, !inUtc, true);
  const tip = `${other.day} ${other.clock} ${zone(!inUtc)}, ${ago(date)}`;
  return html`<time class="nowrap" datetime=${date.toISOString()} title=${tip}>${clockOnly ? clock : `${day} ${clock}`}</time>`;
}

/** The day of a moment, as the switch has it. */
export const dayOf = (moment) => written(new Date(moment), utc.get(), false).day;

/** How long ago, kept current; the moment in the tip. */
export function Ago({ time }) {
  minute.use();
  const date = new Date(time);
  const { day, clock } = written(date, utc.use(), false);
  return html`<time class="nowrap" datetime=${date.toISOString()} title=${`${day} ${clock} ${zone()}`}>${ago(date)}</time>`;
}

/** The head of a column of times: it names the zone. */
export const TimeHead = ({ children }) => html`${children} <span class="soft">(${zone(utc.use())})</span>`;

/** The switch between local time and UTC. */
export function ZoneSwitch() {
  const inUtc = utc.use();
  useEffect(() => {
    document.documentElement.dataset.zone = inUtc ? "utc" : "local";
  }, [inUtc]);
  return html`<button class="plain" onClick=${() => utc.set(!inUtc)} title=${inUtc ? "Show local times" : "Show times in UTC"}>
    <span class="visually-hidden">Times in </span>${zone(inUtc)}<span class="visually-hidden">; show ${inUtc ? "local times" : "UTC"}</span></button>`;
}

/** A length of time in ms: `40 ms`, `1.3 s`, `2 min`. */
export function duration(ms) {
  const size = Math.abs(ms);
  if (size < 1_000) return `${Math.round(ms)} ms`;
  if (size < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  if (size < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  if (size < 172_800_000) return `${Math.round(ms / 3_600_000)} h`;
  return `${Math.round(ms / 86_400_000).toLocaleString("en")} days`;
}

/** `12,345`. */
export const number = (n) => (typeof n === "number" ? n.toLocaleString("en") : String(n));

/** `1.4 KB`: bytes in units of 1,000. */
export function size(bytes) {
  if (bytes < 1_000) return `${bytes} B`;
  const [unit, of] = bytes < 1e6 ? ["KB", 1e3] : bytes < 1e9 ? ["MB", 1e6] : ["GB", 1e9];
  return `${(bytes / of).toFixed(1)} ${unit}`;
}

/** `3 users`, `1 user`. */
export const count = (n, one, many = `${one}s`) => `${number(n)} ${n === 1 ? one : many}`;
