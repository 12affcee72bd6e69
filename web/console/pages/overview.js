// Overview: the apps, what is not well, the last events; and before the first one, the steps to it.
import * as api from "../api.js";
import { Empty, Loaded, useCall } from "../parts/load.js";
import { Badge, Head, Table } from "../parts/page.js";
import { Copy, signs, Signs } from "../parts/text.js";
import { Ago, number } from "../parts/time.js";
import { useStream } from "../stream.js";
import { href, useTitle } from "../state.js";
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
        act();
      },
      Math.max(0, 2000 - (Date.now() - (now.last ?? 0))),
    );
    now.last = Date.now();
  };
}

const section = (title, link, children) => html`<section><div class="heading"><h2>${title}</h2>${link}</div>${children}</section>`;

function Apps({ apps }) {
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

export function Overview({ apps, app, chosen, shown }) {
  useTitle("Overview");
  const calls = {
    apps: api.apps(),
    health: api.health(),
    quarantine: api.quarantine({ app: chosen, limit: 1 }),
    entries: api.entries({ app: chosen, limit: 8 }),
    backups: api.backups(),
  };
  const every = { every: 30_000 };
  const all = useCall(() => calls.apps, [], every);
  const health = useCall(() => calls.health, [], every);
  // The first event is looked for often, also where a proxy holds the stream back.
  const [waits, setWaits] = useState(false);
  const often = { every: waits ? 3_000 : 30_000 };
  const held = useCall(() => calls.quarantine, [chosen], often);
  const last = useCall(() => calls.entries, [chosen], often);
  const backups = useCall(() => calls.backups, [], { every: 60_000 });
  const fresh = useThrottled(() => [all, held, last].forEach((call) => void call.again(true)));
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
    <div class="columns">
      ${section(
        "Health",
        html`<a href=${href(["health"], { app: shown })}>All checks</a>`,
        html`<${Loaded} of=${health} what="Health" lines=${3}>${() =>
          ill.length ? html`<${Checks} of=${ill} />` : html`<p class="soft"><span class="dot good"></span> Everything is fine.</p>`}<//>`,
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
