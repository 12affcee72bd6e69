// Redrive and drop of all bodies that fit: first they are counted, and the count is what is then asked for.
import * as api from "../api.js";
import { Curl } from "../parts/curl.js";
import { Dialog } from "../parts/dialog.js";
import { endOf, Failed, Refused, useCall } from "../parts/load.js";
import { Signs } from "../parts/text.js";
import { count, number, Time } from "../parts/time.js";
import { mayChange, send } from "../request.js";
import { html, useState } from "../vendor/preact.js";

/** What became of bodies, one or many. */
export function Result({ of: told }) {
  if (!told) return null;
  const { data, drop } = told;
  if (drop)
    return html`<div class="notice good" role="status"><p><strong>Dropped${data.done !== undefined ? ` ${count(data.done, "body", "bodies")}` : ""}.</strong></p></div>`;
  const stay = data.left ?? (data.unusable ? [data] : []);
  const stays = data.stay ?? stay.length;
  const events = ["learned", "kept", "repeated"].filter((name) => data[name] > 0).map((name) => `${number(data[name])} ${name}`);
  return html`<div class="notice ${stays ? "warn" : "good"}" role="status">
    <p><strong>${stays ? `${count(stays, "body stays", "bodies stay")}: a part of each cannot be used.` : "All could be used."}</strong> ${events.length > 0 && `Events: ${events.join(", ")}.`}
      ${data.remaining > 0 && ` ${count(data.remaining, "body was", "bodies were")} not tried.`}</p>
    ${stay.length > 0 && html`<ul class="small">${stay.slice(0, 20).map((one) => html`<li>${String(one.seq)}: <${Signs} text=${one.reason} />${one.detail && html`, <${Signs} text=${one.detail} />`}</li>`)}</ul>`}
  </div>`;
}

/** The dialog, once they are counted. A job does it, which goes on if the page is left. */
function Confirm({ dry, filter, drop, make, close, done }) {
  const [typed, setTyped] = useState("");
  const [state, setState] = useState(/** @type {{job?: import("../calls").Schema<"Job">, failure?: any}} */ (undefined));
  const n = Number(dry.count);
  const run = async () => {
    try {
      setState({});
      const { data } = await send(make({ filter, expect: n }));
      const job = await endOf(data, (now) => setState({ job: now }));
      const { failures } = job.failed > 0 ? (await send(api.jobFailures(job.id))).data : { failures: [] };
      done({
        ...job.counts,
        done: job.done,
        left: failures.map(({ about, reason }) => ({ seq: about, reason })),
        stay: job.failed,
        remaining: Math.max(0, job.of - job.done - job.failed),
      });
    } catch (failure) {
      if (failure.status === undefined) throw failure;
      setState({ failure });
    }
  };
  const busy = state && !state.failure;
  const one = drop ? "Drop" : "Redrive";
  return html`<${Dialog} title=${drop ? `Drop ${count(n, "body", "bodies")}?` : `Try ${count(n, "body", "bodies")} again?`} onClose=${busy ? () => {} : close}>
    <p>${drop ? "They are deleted and cannot be tried again." : "Each is parsed again with the present settings. Those that can be used leave the quarantine; the others stay."}</p>
    ${dry.sample.length > 0 && html`<ul class="small">${dry.sample.map((body) => html`<li>${String(body.seq)} <span class="soft"><${Signs} text=${body.reason} />, <${Time} of=${body.received} /></span></li>`)}</ul>`}
    ${n > dry.sample.length && html`<p class="soft small">and ${number(n - dry.sample.length)} more</p>`}
    ${
      drop &&
      html`<label class="field fields"><span>Type <code>${String(n)}</code>, how many</span>
      <input value=${typed} autocomplete="off" inputmode="numeric" onInput=${(event) => setTyped(event.currentTarget.value)} /></label>`
    }
    <${Refused} failure=${state?.failure} />
    ${busy && state.job && html`<p role="status">${number(state.job.done + state.job.failed)} of ${number(state.job.of)} tried</p>`}
    <div class="actions"><${Curl} calls=${[make({ filter, expect: n })]} />
      ${
        busy
          ? html`<button disabled=${!state.job} onClick=${() => send(api.cancelJob(state.job.id))}>Stop</button>`
          : html`<button data-focus onClick=${close}>Cancel</button>`
      }
      <button class=${drop ? "bad" : "main"} disabled=${busy || (drop && typed.trim() !== String(n))} onClick=${run}>${busy ? "Working …" : `${one} ${number(n)}`}</button></div>
  <//>`;
}

/** A button that redrives, or drops, all that fit a filter. */
export function Many({ filter, drop = false, make, done }) {
  const [open, setOpen] = useState(false);
  const dry = useCall(() => (open ? make({ filter, dryRun: true }) : null), [open]);
  if (!mayChange()) return null;
  const close = () => setOpen(false);
  return html`<button class=${drop ? "bad" : ""} disabled=${open} onClick=${() => setOpen(true)}>${drop ? "Drop all …" : "Redrive all …"}</button>
    ${open && dry.failure && html`<${Dialog} title="They could not be counted" onClose=${close}><${Failed} of=${dry} what="The count" /><div class="actions"><button data-focus onClick=${close}>Close</button></div><//>`}
    ${
      open &&
      dry.data &&
      html`<${Confirm} dry=${dry.data} filter=${filter} drop=${drop} make=${make} close=${close} done=${(sums) => {
        close();
        done(sums);
      }} />`
    }`;
}
