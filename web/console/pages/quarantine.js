// Quarantine: bodies that carried a valid secret and could not be used; by reason, one, or all that fit.
import * as api from "../api.js";
import { Change } from "../parts/change.js";
import { Filters } from "../parts/filters.js";
import { Followed, StartJob } from "../parts/job.js";
import { Empty, Failed, Ghost, useCall } from "../parts/load.js";
import { Head, Pairs, Table } from "../parts/page.js";
import { Pager, Progress, useSearch, useSize } from "../parts/pager.js";
import { Signs, signs } from "../parts/text.js";
import { count, number, size as bytes, Time, TimeHead } from "../parts/time.js";
import { mayChange } from "../request.js";
import { href, useTitle, withParams } from "../state.js";
import { html, useState } from "../vendor/preact.js";
import { AskedBody } from "./event.js";

const FILTERS = [
  { name: "since", says: "received since", type: "time" },
  { name: "until", says: "received until", type: "time" },
];

/** What helps against a reason. */
const HELP = {
  too_deep: "Nested deeper than limits.json_depth: raise it, reload, and redrive.",
  name_too_long: "A name has over 1,024 bytes; such an event cannot be used. Drop it.",
  ahead_of_time: "Dated over 24 hours ahead: redrive once that time has come, or set the sender's clock.",
  not_json: "Not JSON: look at it. A newer rollcall may read it; else drop it.",
  no_app_user: "It names no app user where one is needed: look at it. A newer rollcall may read it; else drop it.",
  wrong_shape: "Of another shape than Smooch's events: look at it. A newer rollcall may read it; else drop it.",
};
const help = (reason) => HELP[reason] ?? "Look at a body. A newer rollcall may be able to use it: redrive after the upgrade, else drop it.";

/** What became of one body. */
function Result({ of: told }) {
  if (!told) return null;
  const { data, drop } = told;
  const says = drop ? "Dropped." : data.unusable ? "The body stays: a part of it cannot be used." : "All could be used.";
  const events = ["learned", "kept", "repeated"].filter((name) => data[name] > 0).map((name) => `${number(data[name])} ${name}`);
  return html`<div class="notice ${data.unusable ? "warn" : "good"}" role="status"><p><strong>${says}</strong> ${events.length > 0 && `Events: ${events.join(", ")}.`}
    ${data.reason && html`${String(data.seq)}: <${Signs} text=${data.reason} />${data.detail && html`, <${Signs} text=${data.detail} />`}`}</p></div>`;
}

/** The button that redrives, or drops, all bodies that fit a filter. */
function All({ filter, drop = false, started }) {
  const make = (how) => (drop ? api.dropAll : api.redriveAll)({ filter, ...how });
  const line = (body) => html`${String(body.seq)} <span class="soft"><${Signs} text=${body.reason} />, <${Time} of=${body.received} /></span>`;
  return drop
    ? html`<${StartJob} kind="drop" label="Drop all …" bad typed title=${(parts) => `Drop ${parts}?`} verb="Drop" make=${make} line=${line} started=${started}>
      <p>They are deleted and cannot be tried again.</p><//>`
    : html`<${StartJob} kind="redrive" label="Redrive all …" title=${(parts) => `Try ${parts} again?`} verb="Redrive" make=${make} line=${line} started=${started}>
      <p>Each is parsed again with the present settings. Those that can be used leave the quarantine; the others stay.</p><//>`;
}

export function Quarantine({ chosen, shown, apps, params, address }) {
  useTitle("Quarantine");
  const [size, setSize] = useSize(params);
  const [told, setTold] = useState();
  const [job, setJob] = useState();
  const reason = params.get("reason") ?? undefined;
  const filter = Object.fromEntries(
    [
      ["app", chosen],
      ["reason", reason],
      ["since", params.get("since")],
      ["until", params.get("until")],
    ].filter(([, value]) => value),
  );
  const call = api.quarantine({ ...filter, limit: size, after: params.get("after") });
  const search = useSearch("bodies");
  const list = useCall(() => call, [JSON.stringify(call)], { every: 30_000, run: search.run });
  const reasons = list.data?.reasons ?? [];
  const bodies = list.data?.bodies;
  const total = reasons.reduce((sum, one) => sum + Number(one.count), 0);
  const redriven = (data) => {
    setTold({ data });
    list.again();
  };
  const bad = list.failure?.status === 400 ? list.failure.message : undefined;
  /** @type {import("../calls").Column<import("../calls").Schema<"QuarantinedBody">>[]} */
  const columns = [
    {
      name: "seq",
      head: "Number",
      cell: (body) => html`<a class="row mono" href=${href(["quarantine", String(body.seq)], { app: shown })}>${String(body.seq)}</a>`,
    },
    { name: "received", head: html`<${TimeHead}>Received<//>`, kind: "time", cell: (body) => html`<${Time} of=${body.received} />` },
    { name: "reason", head: "Reason", cell: (body) => html`<${Signs} text=${body.reason} />` },
    { name: "detail", head: "Detail", cell: (body) => body.detail && html`<${Signs} text=${body.detail} />` },
    apps.length > 1 && { name: "app", head: "App", cell: (body) => html`<${Signs} text=${apps.find(({ id }) => id === body.app)?.name || body.app} />` },
    { name: "bytes", head: "Size", kind: "n", cell: (body) => bytes(body.bytes) },
    mayChange() && {
      name: "actions",
      head: html`<span class="visually-hidden">Actions</span>`,
      cell: (body) => html`<span class="badges">
      <${Change} label="Redrive" title=${`Try body ${body.seq} again?`} verb="Redrive" call=${() => api.redrive(body.seq)} done=${redriven}><p>It is parsed again with the present settings.</p><//>
      </span>`,
    },
  ].filter(Boolean);
  const item = (name, n, says) =>
    html`<li><a href=${withParams({ reason: name, after: null })} aria-current=${name === reason ? "page" : undefined}>${says ?? html`<${Signs} text=${name} />`}<span class="count">${number(n)}</span></a></li>`;
  return html`
    <${Head} title="Quarantine" sub="Bodies with a valid secret that could not be used" calls=${[call]}
      actions=${
        bodies?.length > 0 &&
        html`<${All} key=${`r ${JSON.stringify(filter)}`} filter=${filter} started=${setJob} />
        <${All} key=${`d ${JSON.stringify(filter)}`} filter=${filter} drop started=${setJob} />`
      } />
    ${job && html`<${Followed} key=${job.id} id=${job.id} ended=${() => list.again()} />`}
    <${Result} of=${told} />
    ${list.failure && !bad && html`<${Failed} of=${list} what="The quarantine" />`}
    ${
      list.data && total === 0 && bodies.length === 0 && Object.keys(filter).every((name) => name === "app")
        ? html`<${Empty} title="Nothing here">Every webhook that was received could be used.<//>`
        : html`<div class="split">
        <aside aria-label="Reasons"><ul class="reasons">${item(undefined, total, "All reasons")}${reasons.map((one) => item(one.reason, one.count))}</ul>
          ${reason && html`<p class="soft small">${help(reason)}</p>`}</aside>
        <div><${Filters} all=${FILTERS} now=${Object.fromEntries(Object.entries(filter).filter(([name]) => name === "since" || name === "until"))} why=${bad} />
          ${
            bodies?.length === 0 && !search.searching
              ? html`<${Empty} title="No body fits">Choose another reason, or <a href=${href(["quarantine"], { app: chosen })}>show all</a>.<//>`
              : html`<${Table} label="Quarantined bodies" columns=${columns} rows=${bodies} keyOf=${(body) => body.seq} busy=${list.loading} />`
          }
          <div class="under">${search.searching ? html`<${Progress} of=${search} found=${bodies?.length ?? 0} />` : html`<span>${bodies?.length > 0 && `${count(bodies.length, "body", "bodies")} on this page`}</span>`}
            <${Pager} params=${params} address=${address} size=${size} setSize=${setSize} next=${list.data?.hasMore ? list.data.after : undefined} /></div></div>
      </div>`
    }`;
}

/** The place that a detail names: `… at byte 1012`, `events[3] has no type`. */
const placeIn = (detail = "") => {
  const [byte, event] = [/\bat byte (\d+)/.exec(detail), /\bevents\[(\d+)\]/.exec(detail)];
  return byte ? { byte: Number(byte[1]) } : event ? { event: Number(event[1]) } : undefined;
};

export function Held({ id, shown }) {
  const call = api.quarantined(id);
  const found = useCall(() => call, [id]);
  const [told, setTold] = useState();
  useTitle(`Body ${id}`, "Quarantine");
  const back = href(["quarantine"], { app: shown });
  const body = found.data;
  const gone = found.failure?.status === 404;
  return html`<${Head} title=${html`Body <${Signs} text=${id} />`} sub="In quarantine" calls=${[call, api.quarantinedBody(id)]}
      actions=${
        body &&
        !gone &&
        html`
        <${Change} label="Redrive" title="Try it again?" verb="Redrive" main call=${() => api.redrive(id)} done=${(data) => {
          setTold({ data });
          found.again();
        }}><p>It is parsed again with the present settings, and leaves the quarantine if all of it can be used.</p><//>
        <${Change} label="Drop" title="Drop this body?" bad typed=${String(id)} typedWhat="its number" call=${() => api.drop(id)} done=${(data) => {
          setTold({ data, drop: true });
          found.again();
        }}><p>It is deleted and cannot be tried again.</p><//>`
      } />
    <${Result} of=${told} />
    ${
      gone
        ? html`<${Empty} title="Not in quarantine">It was used, dropped, or is not kept any more. <a href=${back}>The quarantine</a><//>`
        : found.failure
          ? html`<${Failed} of=${found} what="The body" />`
          : !body
            ? html`<${Ghost} lines=${6} />`
            : html`
      <section><${Pairs} of=${[
        ["Reason", html`<strong><${Signs} text=${body.reason} /></strong> <span class="soft">${help(body.reason)}</span>`],
        ["Detail", body.detail && html`<${Signs} text=${body.detail} />`],
        ["Received", html`<${Time} of=${body.received} millis />`],
        ["App", html`<${Signs} text=${body.app} />`],
        ["Size", bytes(body.bytes)],
      ]} /></section>
      ${body.headers && html`<section><h2>Headers</h2><pre tabindex="0" aria-label="Headers">${signs(body.headers.join("\n"), { lines: true })}</pre></section>`}
      <section><h2>Body</h2><${AskedBody} call=${api.quarantinedBody(id)} place=${placeIn(body.detail)} bytes=${body.bytes} /></section>`
    }`;
}
