// Overview: the apps, what is not well, the last events; and before the first one, the steps to it.
import * as api from "../api.js";
import { JobProgress, KINDS, State } from "../parts/job.js";
import { Empty, Loaded, useCall } from "../parts/load.js";
import { Badge, Head, Table } from "../parts/page.js";
import { Copy, signs, Signs } from "../parts/text.js";
import { Ago, count, number, Time, TimeHead } from "../parts/time.js";
import { useStream } from "../stream.js";
import { href, useTitle, withParams } from "../state.js";
import { html, useEffect, useRef, useState } from "../vendor/preact.js";
import { columnsOf } from "./events.js";
import { Checks } from "./health.js";

/** Calls `act` at most every two seconds, as often as it is asked to. */
function useThrottled(act) {
  const state = useRef(/** @type {{timer?: any, last?: number}} */ ({}));
  useEffect(() => () => clearTimeout(state.current.timer), []);
  return () => {
    const now = state.current;
    if (now.timer) return;
    now.timer = setTimeout(
      () => {
        now.timer = undefined;
        now.last = Date.now();
        act();
      },
      Math.max(0, 2000 - (Date.now() - (now.last ?? 0))),
    );
  };
}

const section = (title, link, children) => html`<section><div class="heading"><h2>${title}</h2>${link}</div>${children}</section>`;

function Apps({ apps }) {
  /** @type {import("../calls").Column<import("../calls").Schema<"Apps">["apps"][number]>[]} */
  const columns = [
    {
      name: "name",
      head: "App",
      cell: (app) => html`<a class="row" href=${href(["users"], { app: apps.length > 1 ? app.id : undefined })}><${Signs} text=${app.name || app.id} /></a>`,
    },
    { name: "users", head: "Users, about", kind: "n", cell: (app) => app.users !== undefined && number(app.users) },
    { name: "last", head: "Last webhook", cell: (app) => (app.lastEvent ? html`<${Ago} time=${app.lastEvent} />` : html`<span class="soft">none yet</span>`) },
    {
      name: "silent",
      head: "State",
      cell: (app) => (app.silent ? html`<${Badge} kind="warn">silent<//>` : app.lastEvent && html`<${Badge} kind="good">receives<//>`),
    },
    {
      name: "held",
      head: "Quarantine",
      kind: "n",
      cell: (app) =>
        app.quarantined !== undefined && html`<a href=${href(["quarantine"], { app: apps.length > 1 ? app.id : undefined })}>${number(app.quarantined)}</a>`,
    },
    { name: "feed", head: "Feed", kind: "n", cell: (app) => app.feed && `${number(app.feed.oldest ?? 0)} to ${number(app.feed.last ?? 0)}` },
  ];
  return html`<${Table} label="Apps" columns=${columns} rows=${apps} keyOf=${({ id }) => id} />`;
}

/** A webhook that a person could have caused, as the shell sends it. */
/** The spans that are drawn: the name in the address, the step, its length in ms, what the link says. */
const SPANS = [
  ["hour", "minute", 60_000, "Hour"],
  ["days", "hour", 3_600_000, "2 days"],
  ["month", "day", 86_400_000, "30 days"],
];
const OUTCOMES = ["learned", "kept", "repeated", "quarantined", "erased"];

/** The bar of one step, its outcomes one above the other. It leads to the events of its time. */
function Bar({ n, step, highest, shown }) {
  let top = 100;
  const parts = step.counts.map(([outcome, found]) => {
    const height = (found / highest) * 100;
    top -= height;
    return html`<rect class=${outcome} x=${n * 4 + 0.5} y=${top} width="3" height=${height} />`;
  });
  const says = `${step.since}: ${step.counts.map(([outcome, found]) => `${number(found)} ${outcome}`).join(", ")}`;
  return html`<a href=${href(["events"], { since: step.since, until: step.until, app: shown })} aria-label=${says}>
    <title>${says}</title><rect class="hit" x=${n * 4} y="0" width="4" height="100" />${parts}</a>`;
}

/** The steps of an answer, each with its times and with the outcomes that it has. */
function stepsOf({ from, series }, length) {
  const shown = OUTCOMES.map((outcome) => series.find(({ name }) => name === outcome)).filter(Boolean);
  const at = (n) => new Date(Date.parse(from) + n * length).toISOString();
  return (shown[0]?.values ?? []).map((_, n) => {
    const counts = shown.map(({ name, values }) => [name, values[n]]).filter(([, found]) => found > 0);
    return { since: at(n), until: at(n + 1), counts, total: counts.reduce((sum, [, found]) => sum + found, 0) };
  });
}

function Bars({ steps, shown, says }) {
  const some = steps.filter(({ total }) => total > 0);
  if (some.length === 0) return html`<p class="soft">Nothing came in this time.</p>`;
  const highest = Math.max(...some.map(({ total }) => total));
  const totals = OUTCOMES.map((outcome) => [
    outcome,
    some.flatMap(({ counts }) => counts).reduce((sum, [name, found]) => sum + (name === outcome ? found : 0), 0),
  ]);
  const columns = [
    {
      name: "time",
      head: html`<${TimeHead}>From<//>`,
      kind: "time",
      cell: ({ since, until }) => html`<a class="row" href=${href(["events"], { since, until, app: shown })}><${Time} of=${since} /></a>`,
    },
    ...totals
      .filter(([, total]) => total > 0)
      .map(([outcome]) => ({ name: outcome, head: outcome, kind: "n", cell: ({ counts }) => number(counts.find(([name]) => name === outcome)?.[1] ?? 0) })),
  ];
  return html`<svg class="bars" viewBox=${`0 0 ${steps.length * 4} 100`} preserveAspectRatio="none" role="group" aria-label=${says}>
      ${steps.map((step, n) => step.total > 0 && html`<${Bar} key=${step.since} n=${n} step=${step} highest=${highest} shown=${shown} />`)}</svg>
    <p class="legend">${totals.filter(([, total]) => total > 0).map(([outcome, total]) => html`<span><span class="dot ${outcome}"></span>${number(total)} ${outcome}</span>`)}<span class="soft">highest ${count(highest, "event")}</span></p>
    <details><summary>The same as a table</summary><${Table} label=${says} columns=${columns} rows=${[...some].reverse()} keyOf=${({ since }) => since} /></details>`;
}

/** How many events came, by outcome. */
function Traffic({ params, call, span, shown }) {
  const [name, step, length] = span;
  const links = SPANS.map(
    ([one, , , says]) => html`<a href=${withParams({ span: one === "hour" ? null : one })} aria-current=${one === name ? "true" : undefined}>${says}</a>`,
  );
  const says = `Events of each ${step} by outcome`;
  return section(
    "Events",
    html`<span class="spans">${links}</span>`,
    html`<${Loaded} of=${call} what="The counts" lines=${4} key=${params.get("span")}>${(data) => html`<${Bars} steps=${stepsOf(data, length)} shown=${shown} says=${says} />`}<//>`,
  );
}

const firstWebhook = (url, app) => `curl -i ${url}/webhooks \\
     -H "X-API-Key: $ROLLCALL_WEBHOOK_SECRET" \\
     -H 'content-type: application/json' \\
     -d '{"trigger":"message:appUser","app":{"_id":"${app.replaceAll("'", "'\\''")}"},
          "messages":[{"_id":"55c8c1498590aa1900b9b9b1","type":"text","text":"Hi! Do you deliver?","role":"appUser",
                       "authorId":"c7f6e6d6c3a637261bd9656f","received":1444348338.704,"source":{"type":"messenger"}}],
          "appUser":{"_id":"c7f6e6d6c3a637261bd9656f","userId":"bob@example.com","givenName":"Bob",
                     "signedUpAt":"2015-10-06T03:38:02.346Z","properties":{"plan":"family"},
                     "clients":[{"id":"fb-1180","platform":"messenger","active":true}]}}'`;

/** Where the public listener can be reached from this browser, as far as the settings tell. */
function publicUrl(settings) {
  const listen = settings?.find(({ key }) => key === "server.listen")?.value ?? "127.0.0.1:8787";
  const [, host, port] = /^(.*):(\d+)$/.exec(String(listen)) ?? [];
  const url = new URL(location.origin);
  url.protocol = "http:";
  if (!["0.0.0.0", "[::]"].includes(host)) url.hostname = host;
  url.port = port;
  return url.origin;
}

function FirstSteps({ app, demo, settings }) {
  const url = publicUrl(settings);
  const key = demo ? "export ROLLCALL_WEBHOOK_SECRET=demo-webhook-secret" : "export ROLLCALL_WEBHOOK_SECRET=…   # one of webhook_secrets in the settings";
  const command = firstWebhook(url, app);
  const block = (text, label) => html`<pre tabindex="0" aria-label=${label}>${signs(text, { lines: true })}</pre>`;
  return html`<ol class="steps">
    <li><div><h2>Name the secret of the webhook</h2><p class="soft">${demo ? "The demo settings are in force; their secret is public." : "The settings have it; the console does not show secrets."}</p>${block(key, "The variable")}</div></li>
    <li><div><h2>Send a first webhook</h2><p class="soft">As Smooch does when a person first writes. The answer <code>200 {}</code> means it is on disk.</p>${block(command, "The first webhook")}
      <p><${Copy} text=${`${key}\n${command}`} what="Copy both commands">Copy both<//></p></div></li>
    <li><div><h2>Point Smooch here</h2><p class="soft">Set the target of Smooch's webhook to <code>/webhooks</code> of the address under which Smooch reaches this service, and its secret to one of <code>webhook_secrets</code>.</p></div></li>
  </ol>
  <p class="listening" role="status"><span class="dot warn"></span>Listening. This page changes with the first event.</p>`;
}

export function Overview({ apps, app, chosen, shown, params }) {
  useTitle("Overview");
  const span = SPANS.find(([name]) => name === params.get("span")) ?? SPANS[0];
  const calls = {
    apps: api.apps(),
    stats: api.stats({ app: chosen, step: span[1] }),
    health: api.health(),
    quarantine: api.quarantine({ app: chosen, limit: 1 }),
    entries: api.entries({ app: chosen, limit: 8 }),
    backups: api.backups(),
    jobs: api.jobs({ limit: 1 }),
  };
  const every = { every: 30_000 };
  const all = useCall(() => calls.apps, [], every);
  // The database is examined soon after the start; until then its checks are missing.
  const [examined, setExamined] = useState(true);
  const health = useCall(() => calls.health, [], { every: examined ? 30_000 : 3_000 });
  useEffect(() => setExamined(!health.data || Boolean(health.data.examinedAt)), [health.data?.examinedAt, !health.data]);
  const stats = useCall(() => calls.stats, [chosen, span[1]], every);
  // The first event is looked for often, also where a proxy holds the stream back.
  const [waits, setWaits] = useState(false);
  const often = { every: waits ? 3_000 : 30_000 };
  const held = useCall(() => calls.quarantine, [chosen], often);
  const last = useCall(() => calls.entries, [chosen], often);
  const backups = useCall(() => calls.backups, [], { every: 60_000 });
  const [runs, setRuns] = useState(false);
  const jobs = useCall(() => calls.jobs, [], { every: runs ? 2_000 : 30_000 });
  const job = jobs.data?.jobs[0];
  useEffect(() => setRuns(job?.state === "running"), [job?.state]);
  const fresh = useThrottled(() => [all, held, last, stats].forEach((call) => void call.again(true)));
  useStream(chosen ? { app: chosen } : {}, (message) => (message.kind === "entry" || message.kind === "skipped") && fresh());
  const empty = last.data?.entries.length === 0 && held.data?.bodies.length === 0;
  useEffect(() => setWaits(empty), [empty]);
  const settings = useCall(() => (empty ? api.settings() : null), [empty]);
  const list = (all.data?.apps ?? apps).filter(({ id }) => !chosen || id === chosen);
  const ill = health.data?.checks.filter(({ state }) => state !== "fine");
  const demo = health.data?.checks.some(({ check, said, state }) => check === "settings" && state !== "fine" && said.includes("demo"));
  const newest = backups.data?.backups
    .map(({ time }) => time)
    .filter(Boolean)
    .sort()
    .at(-1);
  if (empty) {
    return html`<${Head} title="No event yet" sub="Three steps to the first one" calls=${Object.values(calls)} />
      <${FirstSteps} app=${app} demo=${demo} settings=${settings.data?.settings} />`;
  }
  return html`<${Head} title="Overview" calls=${Object.values(calls)} />
    ${section("Apps", null, html`<${Apps} apps=${list} />`)}
    <${Traffic} params=${params} call=${stats} span=${span} shown=${shown} />
    <div class="columns">
      ${section(
        "Health",
        html`<a href=${href(["health"], { app: shown })}>All checks</a>`,
        html`<${Loaded} of=${health} what="Health" lines=${3}>${() =>
          ill.length
            ? html`<${Checks} of=${ill} />`
            : html`<p class="soft"><span class="dot good"></span> ${examined ? "Everything is fine." : "Fine so far; the database is being examined."}</p>`}<//>`,
      )}
      <div>
        ${section(
          "Quarantine",
          html`<a href=${href(["quarantine"], { app: chosen })}>All bodies</a>`,
          html`<${Loaded} of=${held} what="The quarantine" lines=${3}>${({ reasons }) =>
            reasons?.length
              ? html`<ul class="reasons">${reasons.map(({ reason, count }) => html`<li><a href=${href(["quarantine"], { reason, app: chosen })}><${Signs} text=${reason} /><span class="count">${number(count)}</span></a></li>`)}</ul>`
              : html`<p class="soft">Nothing is in quarantine.</p>`}<//>`,
        )}
        ${section(
          "Last backup",
          html`<a href=${href(["backups"], { app: shown })}>All backups</a>`,
          html`<${Loaded} of=${backups} what="The list of backups" lines=${1}>${() =>
            newest ? html`<p><${Ago} time=${newest} /></p>` : html`<p class="soft">None was made yet.</p>`}<//>`,
        )}
        ${section(
          "Last job",
          html`<a href=${href(["jobs"], { app: shown })}>All jobs</a>`,
          html`<${Loaded} of=${jobs} what="The list of jobs" lines=${1}>${() =>
            job
              ? html`<p><a href=${href(["jobs"], { job: job.id, app: shown })}>${KINDS[job.kind]?.[0] ?? job.kind}, <${Ago} time=${job.started} /></a> <${State} of=${job} /></p><p class="soft"><${JobProgress} key=${job.id} of=${job} /></p>`
              : html`<p class="soft">None was started yet.</p>`}<//>`,
        )}
      </div>
    </div>
    ${section(
      "Last events",
      html`<a href=${href(["events"], { app: chosen })}>All events</a>`,
      html`<${Loaded} of=${last} what="The events" lines=${8}>${({ entries }) =>
        entries.length
          ? html`<${Table} label="Last events" columns=${columnsOf(shown, apps)} rows=${entries} keyOf=${({ seq }) => seq} />`
          : html`<${Empty} title="No event yet">Something is in quarantine, but no event could be used so far.<//>`}<//>`,
    )}`;
}
