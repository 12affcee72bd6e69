// Jobs: the long tasks of operators. One runs at a time; the open one is shown with its progress and with what failed.
import * as api from "../api.js";
import { CancelJob, JobFile, JobProgress, KINDS, partsOf, resultOf, State, useJob } from "../parts/job.js";
import { Empty, Failed, Ghost, Loaded, useCall } from "../parts/load.js";
import { Head, Pairs, Table } from "../parts/page.js";
import { Pager, useSize } from "../parts/pager.js";
import { Id, Signs, Value } from "../parts/text.js";
import { count, Time, TimeHead } from "../parts/time.js";
import { seesPeople } from "../request.js";
import { href, useTitle, withParams } from "../state.js";
import { html, useEffect, useRef, useState } from "../vendor/preact.js";

const saysOf = ({ kind }) => KINDS[kind]?.[0] ?? kind;

/** The range of bodies or entries in what a job was started with: numbers, and times of receipt in ms since 1970. */
const spanOf = ({ from, to, since, until }) =>
  [
    from > 0 && html`from number ${String(from)} `,
    to !== undefined && html`to number ${String(to)} `,
    since !== undefined && html`received since <${Time} of=${since} /> `,
    until !== undefined && html`received until <${Time} of=${until} /> `,
  ].filter(Boolean);

/** What a job was started with. */
function StartedWith({ job, app }) {
  if (job.erased) return html`<span class="soft">It named an app user who was erased, and is deleted.</span>`;
  if (!job.with) return html`<span class="soft">Not shown to a session without personal data.</span>`;
  const given = Object.entries(Object.values(job.with)[0] ?? {}).filter(([name, value]) => name !== "span" || spanOf(value).length > 0);
  if (given.length === 0) return html`<span class="soft">Nothing that narrows it.</span>`;
  return given.map(([name, value]) => {
    if (name === "span") return html`<div>${spanOf(value)}</div>`;
    const shown =
      name === "filter"
        ? html`<a href=${href(["users"], new URLSearchParams([...new URLSearchParams(value), ...(app ? [["app", app]] : [])]))}>${value === "" ? "all app users" : html`<${Signs} text=${value} />`}</a>`
        : name === "segment"
          ? html`<a class="mono" href=${href(["users"], { segment: value, app })}><${Signs} text=${value} /></a>`
          : html`<${Value} of=${value} />`;
    return html`<div><span class="soft">${name}</span> ${shown}</div>`;
  });
}

/** The parts that failed, a page of them. */
function Failures({ job, app, after, ended }) {
  const call = api.jobFailures(job.id, { limit: 50, after });
  const list = useCall(() => call, [job.id, after, job.failed, ended]);
  const isUser = KINDS[job.kind]?.[1] === "user";
  const place = { body: "quarantine", event: "events" }[KINDS[job.kind]?.[1]];
  const columns = [
    {
      name: "about",
      head: isUser ? "App user" : "Number",
      cell: ({ about }) =>
        isUser
          ? html`<${Id} of=${about} href=${href(["users", about], { app })} />`
          : place
            ? html`<a class="mono" href=${href([place, about], { app })}><${Signs} text=${about} /></a>`
            : html`<${Signs} text=${about} />`,
    },
    { name: "reason", head: "Reason", cell: ({ reason }) => html`<code><${Signs} text=${reason} /></code>` },
  ];
  return html`<h3 class="under">What failed</h3><${Loaded} of=${list} what="The failures" lines=${3}>${({ failures, hasMore, after: next }) => html`
    <${Table} label="What failed" columns=${columns} rows=${failures} keyOf=${({ about }) => about} linked=${false} />
    ${(after || hasMore) && html`<nav class="under" aria-label="Pages of what failed">${after && html`<a class="button" href=${withParams({ failed: null })}>First page</a>`}${hasMore && html`<a class="button" href=${withParams({ failed: next })}>Next page</a>`}</nav>`}`}<//>`;
}

/** What is known of the open job. */
function About({ job, app, failed, changed }) {
  const gone = job.kind === "export" && job.state === "done" && !job.fileUntil;
  const result = resultOf(job);
  return html`<${Pairs} of=${[
    ["State", html`<span role="status"><${State} of=${job} /></span>`],
    ["Progress", html`<${JobProgress} of=${job} />`],
    ["App", job.app && html`<${Id} of=${job.app} />`],
    ["By", job.by && html`<${Signs} text=${job.by} />`],
    ["Started", html`<${Time} of=${job.started} />`],
    ["Ended", job.ended && html`<${Time} of=${job.ended} />`],
    ["Started with", html`<${StartedWith} job=${job} app=${app} />`],
    ["Result", result ? html`<${Signs} text=${result} />` : undefined],
    ["File", job.fileUntil ? (seesPeople() ? html`<${JobFile} of=${job} />` : "Not shown to a session without personal data.") : gone && "It is deleted."],
  ]} />
  <div class="actions"><${CancelJob} of=${job} done=${changed} /></div>
  ${job.failed > 0 && html`<${Failures} job=${job} app=${app} after=${failed} ended=${job.ended} />`}`;
}

/** The open job. The focus goes to its heading when it is opened. */
function Open({ id, apps, failed, changed }) {
  const call = useJob(id, undefined, changed);
  const heading = useRef();
  useEffect(() => heading.current.focus(), []);
  const { data: job, failure } = call;
  const close = html`<a href=${withParams({ job: null, failed: null })}>Close</a>`;
  const unknown = !job && [400, 404].includes(failure?.status);
  return html`<section aria-label="The job"><div class="heading"><h2 tabindex="-1" ref=${heading}>Job <${Signs} text=${id} />${job && `: ${saysOf(job)}`}</h2>${close}</div>
    ${failure && !unknown && html`<${Failed} of=${call} what="The job" />`}
    ${unknown && html`<${Empty} title="There is no such job">None that you may see has this number. The last 1,000 are kept.<//>`}
    ${!job && !failure && html`<${Ghost} lines=${5} />`}
    ${
      job &&
      html`<${About} job=${job} app=${apps.length > 1 ? job.app : undefined} failed=${failed} changed=${() => {
        call.again(true);
        changed();
      }} />`
    }
  </section>`;
}

export function Jobs({ apps, params, address }) {
  const id = params.get("job") ?? undefined;
  useTitle(id && `Job ${id}`, "Jobs");
  const [size, setSize] = useSize(params);
  const call = api.jobs({ limit: size, after: params.get("after") });
  const [runs, setRuns] = useState(false);
  const list = useCall(() => call, [JSON.stringify(call)], { every: runs ? 2_000 : 15_000 });
  const jobs = list.data?.jobs;
  const running = jobs?.some(({ state }) => state === "running") ?? false;
  useEffect(() => setRuns(running), [running]);
  /** @type {import("../calls").Column<import("../calls").Schema<"Job">>[]} */
  const columns = [
    {
      name: "id",
      head: "Number",
      cell: (job) =>
        html`<a class="row mono" href=${withParams({ job: job.id, failed: null })} aria-current=${String(job.id) === id ? "true" : undefined}>${String(job.id)}</a>`,
    },
    { name: "kind", head: "Job", cell: saysOf },
    apps.length > 1 && {
      name: "app",
      head: "App",
      cell: (job) => job.app && html`<${Signs} text=${apps.find(({ id }) => id === job.app)?.name || job.app} />`,
    },
    { name: "by", head: "By", cell: (job) => job.by && html`<${Signs} text=${job.by} />` },
    { name: "state", head: "State", cell: (job) => html`<${State} of=${job} />` },
    { name: "parts", head: "Done", cell: partsOf },
    { name: "started", head: html`<${TimeHead}>Started<//>`, kind: "time", cell: (job) => html`<${Time} of=${job.started} />` },
    { name: "ended", head: html`<${TimeHead}>Ended<//>`, kind: "time", cell: (job) => html`<${Time} of=${job.ended} />` },
  ].filter(Boolean);
  return html`<${Head} title="Jobs" sub="Long tasks of operators, one at a time" calls=${[call, id && api.job(id), id && api.jobFailures(id, {})]} />
    ${id && html`<${Open} key=${id} id=${id} apps=${apps} failed=${params.get("failed") ?? undefined} changed=${() => list.again(true)} />`}
    <section>
    ${list.failure && list.failure.status !== 400 && html`<${Failed} of=${list} what="The list" />`}
    ${list.failure?.status === 400 && html`<div class="notice warn"><p><${Signs} text=${list.failure.message} /> <a href=${withParams({ after: null })}>Start at the beginning</a></p></div>`}
    ${
      jobs?.length === 0
        ? html`<${Empty} title="No jobs">A job is started where its matter is: for app users in <a href=${href(["users"])}>Users</a>, for bodies in <a href=${href(["quarantine"])}>Quarantine</a>, for events in <a href=${href(["events"])}>Events</a>, or in <a href=${href(["backups"])}>Backups</a>.<//>`
        : html`<${Table} label="Jobs" columns=${columns} rows=${jobs} keyOf=${(job) => job.id} busy=${list.loading} />`
    }
    <div class="under"><span>${jobs?.length > 0 && `${count(jobs.length, "job")} on this page`}</span>
      <${Pager} params=${params} address=${address} size=${size} setSize=${setSize} next=${list.data?.hasMore ? list.data.after : undefined} /></div>
    </section>`;
}
