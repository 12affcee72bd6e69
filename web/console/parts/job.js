// A job: how far it is, what came of it, and the dialog that starts one. What it would be about is counted first, and the
// count is what is then asked for.
import * as api from "../api.js";
import { mayChange } from "../request.js";
import { hrefOfJob } from "../state.js";
import { html, useEffect, useRef, useState } from "../vendor/preact.js";
import { Change, Download } from "./change.js";
import { Curl } from "./curl.js";
import { Dialog } from "./dialog.js";
import { Failed, Ghost, Refused, useAction, useCall } from "./load.js";
import { Badge } from "./page.js";
import { Signs } from "./text.js";
import { count, duration, number, Time } from "./time.js";

/** What each kind of job does, and the words for one and for many of its parts. */
export const KINDS = {
  export: ["Export", "user", "users"],
  setProperty: ["Set a property", "user", "users"],
  clearProperty: ["Clear a property", "user", "users"],
  remove: ["Remove", "user", "users"],
  erase: ["Erase", "user", "users"],
  redrive: ["Redrive", "body", "bodies"],
  drop: ["Drop", "body", "bodies"],
  replay: ["Replay", "event", "events"],
  backup: ["Make a backup", "backup", "backups"],
  verifyBackup: ["Verify a backup", "backup", "backups"],
};

const STATES = { running: "", done: "good", cancelled: "warn", failed: "bad" };

/** The state of a job. */
export const State = ({ of: job }) => html`<${Badge} kind=${STATES[job.state] ?? ""}>${job.state}<//>`;

/** `12 of 40 users, 1 failed`. */
export function partsOf(job) {
  const [, one, many] = KINDS[job.kind] ?? ["", "part", "parts"];
  return `${number(job.done)} of ${count(job.of, one, many)}${job.failed > 0 ? `, ${number(job.failed)} failed` : ""}`;
}

/**
 * A job by its number: asked for each second while it runs and the tab is shown. `was` is the state that is known of it, and
 * `ended` is called when it is seen to end.
 */
export function useJob(id, was, ended) {
  const [runs, setRuns] = useState(true);
  const known = useRef(was);
  const call = useCall(() => api.job(id), [id], { every: runs ? 1000 : undefined });
  const { data: job, failure } = call;
  useEffect(() => {
    if (job) {
      setRuns(job.state === "running");
      if (known.current === "running" && job.state !== "running") ended?.(job);
      known.current = job.state;
    }
    if (failure?.status === 404) setRuns(false);
  }, [job?.state, failure?.status]);
  return call;
}

/** How many parts of a job are done, and while it runs how many a second, and how long the others may take. */
export function JobProgress({ of: job }) {
  const first = useRef(/** @type {{at: number, n: number} | undefined} */ (undefined));
  const n = job.done + job.failed;
  first.current ??= { at: Date.now(), n };
  if (job.state !== "running") return html`<span>${partsOf(job)}</span>`;
  const seconds = (Date.now() - first.current.at) / 1000;
  const rate = seconds >= 1 ? (n - first.current.n) / seconds : 0;
  return html`<span class="job"><progress aria-label=${`Progress of job ${job.id}`} max=${Math.max(1, job.of)} value=${n}></progress>
    <span>${partsOf(job)}${rate > 0 && `, ${rate < 10 ? rate.toFixed(1) : number(Math.round(rate))} a second, about ${duration(((job.of - n) / rate) * 1000)} left`}</span></span>`;
}

/** The button that cancels a job. */
export const CancelJob = ({ of: job, done }) =>
  job.state === "running" &&
  html`<${Change} label="Cancel the job" title=${`Cancel job ${job.id}?`} bad dismiss="Let it run" call=${() => api.cancelJob(job.id)} done=${done}>
    <p>What it has done stays done, and nothing more is done. ${job.kind === "export" && "Its file is deleted."}</p><//>`;

/**
 * The words for what came of a job as a whole.
 * @param {any} job
 */
export function resultOf({ kind, counts = {}, result }) {
  const events = Object.entries(counts).map(([name, n]) => `${number(n)} ${name}`);
  const said = events.length ? `Events: ${events.join(", ")}.` : "";
  if (result?.error) return result.error.description;
  if (kind === "verifyBackup" && result) return `${result.name} is ${result.verdict}.${result.said ? ` ${result.said}` : ""}`;
  if (kind === "backup" && result) return `${result.name}: ${count(result.users, "user")}, ${count(result.events, "event")}, up to number ${result.seq}.`;
  return said;
}

/** The button that saves the file of an export, and how long it is kept. Nobody may have it who sees no people. */
export const JobFile = ({ of: job }) =>
  job.fileUntil && html`<${Download} call=${api.jobFile(job.id)}>Save the file<//> <span class="soft small">kept until <${Time} of=${job.fileUntil} /></span>`;

/** @param {any} job */
function kindOf({ state, failed, result }) {
  if (state === "running") return "";
  if (state === "failed" || result?.verdict === "damaged") return "bad";
  return failed > 0 || state === "cancelled" ? "warn" : "good";
}

/** A job that was started on this page, until its end and what came of it. `ended` is called then. */
export function Followed({ id, ended }) {
  const call = useJob(id, "running", ended);
  const job = call.data;
  if (!job) return call.failure ? html`<${Failed} of=${call} what="The job" />` : null;
  const link = html`<a href=${hrefOfJob(id)}>Job ${String(id)}</a>`;
  const says = KINDS[job.kind]?.[0] ?? job.kind;
  return html`<div class="notice ${kindOf(job)}">
    <p role="status"><strong>${says}: ${job.state}.</strong> ${link} ${job.state !== "running" && html`<${Signs} text=${resultOf(job)} />`}</p>
    <p><${JobProgress} of=${job} /></p>
    ${job.failed > 0 && html`<p><a href=${hrefOfJob(id)}>What failed</a></p>`}
    <div class="actions"><${CancelJob} of=${job} done=${() => call.again(true)} /><${JobFile} of=${job} /></div>
  </div>`;
}

/**
 * The dialog before a job. `make` makes the call, with `{dryRun}` to count, with `{expect}` to start. `title` and `verb` are
 * told with the number of parts, `line` shows one of them; `typed`: the number must be typed; `most`: more cannot be done at once.
 */
export function Counted({ kind, title, verb, make, line, typed = false, bad = false, most, started, close, children }) {
  const dry = useCall(() => make({ dryRun: true }), []);
  const [text, setText] = useState("");
  const action = useAction((job) => {
    close();
    started(job);
  });
  const [asked, setAsked] = useState();
  const now = action.failure?.data?.count;
  useEffect(() => {
    if (now === undefined) return;
    setText("");
    dry.again();
  }, [action.failure]);
  const [, one, many] = KINDS[kind];
  const { data } = dry;
  const n = Number(data?.count);
  const parts = data ? count(n, one, many) : "";
  const tooMany = n > (most ?? n);
  const ready = data && n > 0 && !tooMany && !dry.loading && !action.busy && (!typed || text.trim() === String(n));
  const start = () => {
    setAsked(n);
    action.run(make({ expect: n }));
  };
  return html`<${Dialog} title=${data ? title(parts) : dry.failure ? "They could not be counted" : "Counting …"} onClose=${close}>
    ${dry.failure && html`<${Failed} of=${dry} what="The count" />`}
    ${!data && !dry.failure && html`<${Ghost} lines=${4} />`}
    ${
      data &&
      html`${children}
      ${n === 0 && html`<p><strong>There is none.</strong></p>`}
      ${tooMany && html`<div class="notice warn"><p>At most ${number(most)} at a time: narrow the filter.</p></div>`}
      ${data.sample.length > 0 && html`<ul class="small">${data.sample.map((part) => html`<li>${line(part)}</li>`)}</ul>`}
      ${n > data.sample.length && html`<p class="soft small">and ${number(n - data.sample.length)} more</p>`}
      ${
        typed &&
        n > 0 &&
        !tooMany &&
        html`<label class="field fields"><span>Type <code>${String(n)}</code>, how many</span>
        <input value=${text} autocomplete="off" inputmode="numeric" onInput=${(event) => setText(event.currentTarget.value)} /></label>`
      }`
    }
    ${
      now === undefined
        ? html`<${Refused} failure=${action.failure} />`
        : html`<div class="notice warn" role="alert"><p><strong>By now there are ${number(now)}, not ${number(asked)}.</strong> Nothing was done. Look again, and confirm.</p></div>`
    }
    <div class="actions"><${Curl} calls=${[make({ dryRun: true }), data && make({ expect: n })]} />
      <button data-focus onClick=${close}>Cancel</button>
      ${data && html`<button class=${bad ? "bad" : "main"} disabled=${!ready} onClick=${start}>${action.busy ? "Working …" : `${verb} ${number(n)}`}</button>`}</div>
  <//>`;
}

/** A button with that dialog. A viewer does not see it. */
export function StartJob({ label, bad = false, ...counted }) {
  const [open, setOpen] = useState(false);
  if (!mayChange()) return null;
  return html`<button class=${bad ? "bad" : ""} onClick=${() => setOpen(true)}>${label}</button>
    ${open && html`<${Counted} ...${counted} bad=${bad} close=${() => setOpen(false)} />`}`;
}
