// The console: its routes, and the frame around every page.
import * as api from "./api.js";
import { Keys, PLACES } from "./keys.js";
import { Audit } from "./pages/audit.js";
import { Backups } from "./pages/backups.js";
import { Event } from "./pages/event.js";
import { Events } from "./pages/events.js";
import { Health } from "./pages/health.js";
import { Jobs } from "./pages/jobs.js";
import { Live } from "./pages/live.js";
import { Merge } from "./pages/merge.js";
import { Overview } from "./pages/overview.js";
import { Held, Quarantine } from "./pages/quarantine.js";
import { Settings } from "./pages/settings.js";
import { SignIn } from "./pages/signin.js";
import { User } from "./pages/user.js";
import { FILTERS as USER_FILTERS, Users } from "./pages/users.js";
import { Empty, Failed, useCall } from "./parts/load.js";
import { Head } from "./parts/page.js";
import { Icon, plain, Signs } from "./parts/text.js";
import { Ago, number, ZoneSwitch } from "./parts/time.js";
import { findSession, lost, seesPeople, sendOrTake, session, signOut } from "./request.js";
import { go, href, kept, useAddress, useTitle } from "./state.js";
import { Component, html, render, useEffect, useState } from "./vendor/preact.js";

const LIST = ["after", "limit", "sort"];
const RANGE = ["since", "until"];

/** Path, page, its place in the bar, and the parameters that its address may have beside `app`. */
const ROUTES = [
  ["", Overview, "o", ["span"]],
  ["users", Users, "u", [...LIST, "segment", ...USER_FILTERS.map(({ name }) => name)]],
  ["users/*", User, "u", ["tab", "after", "asOf", "trigger"]],
  ["merge", Merge, "m", ["surviving", "discarded"]],
  ["events", Events, "e", [...RANGE, "after", "limit", "order", "user", "trigger", "source", "outcome"]],
  ["events/*", Event, "e", []],
  ["live", Live, "l", ["user", "trigger"]],
  ["quarantine", Quarantine, "q", [...RANGE, "after", "limit", "reason"]],
  ["quarantine/*", Held, "q", []],
  ["jobs", Jobs, "j", ["after", "limit", "job", "failed"]],
  ["health", Health, "h", []],
  ["backups", Backups, "b", []],
  ["settings", Settings, "s", ["find"]],
  ["audit", Audit, "a", [...RANGE, "after", "limit", "who", "action", "user"]],
];

const theme = kept("theme", "system");
const THEMES = ["system", "light", "dark"];

/** The route of an address, or undefined. */
function routeOf(path) {
  const words = path?.map(() => "*") ?? [];
  if (path && path.length > 0) words[0] = path[0];
  return path && ROUTES.find(([pattern]) => pattern === words.join("/"));
}

function Nav({ now, app, apps, ill }) {
  const held = apps?.reduce((sum, one) => sum + (one.quarantined ?? 0), 0);
  const icons = {
    o: "overview",
    u: "users",
    m: "merge",
    e: "events",
    l: "live",
    q: "quarantine",
    j: "jobs",
    h: "health",
    b: "backups",
    s: "settings",
    a: "audit",
  };
  return html`<nav aria-label="Pages"><ul>${Object.entries(PLACES).map(
    ([key, [says, path]]) => html`<li>
    <a href=${href(path, { app })} aria-current=${key === now ? "page" : undefined} title=${`${says}: g ${key}`}>
      <${Icon} name=${icons[key]} />${says}
      ${key === "q" && held > 0 && html`<span class="count">${number(held)}<span class="visually-hidden"> bodies</span></span>`}
      ${key === "h" && ill && html`<span class="dot ${ill}"></span><span class="visually-hidden">needs attention</span>`}
    </a></li>`,
  )}</ul></nav>`;
}

/** Goes to an event by its number, to an app user by its `_id`, else to a search. */
function Jump({ app }) {
  const [text, setText] = useState("");
  const people = seesPeople();
  const jump = (event) => {
    event.preventDefault();
    const what = text.trim();
    if (!what) return;
    setText("");
    event.currentTarget.querySelector("input").blur();
    if (/^\d{1,11}$/.test(what)) go(href(["events", what], { app }));
    else if (/^[0-9a-f]{24}$/i.test(what) || !people) go(href(["users", what], { app }));
    else go(href(["users"], { q: what, app }));
  };
  const says = people ? "Go to an _id, a number, or find a name" : "Go to an _id or a number";
  return html`<form role="search" onSubmit=${jump}><input type="search" data-search aria-label=${says} placeholder=${says} value=${text}
    onInput=${(event) => setText(event.currentTarget.value)} /></form>`;
}

/** What concerns every page: above it. */
function Band({ health }) {
  const since = lost.use();
  if (since)
    return html`<div class="band bad" role="status"><p><strong>No connection to the service</strong> since <${Ago} time=${since} />. What is shown may be out of date; it is tried again.</p></div>`;
  if (health.failure?.status === 503)
    return html`<div class="band warn" role="status"><p><strong>The service is not ready.</strong> <${Signs} text=${health.failure.message} /></p></div>`;
  const checks = health.data?.checks ?? [];
  const wrong = checks.find(({ state }) => state === "wrong");
  if (health.data?.ready === false)
    return html`<div class="band bad" role="status"><p><strong>Webhooks are not being stored.</strong> <${Signs} text=${wrong?.said ?? "See Health."} /></p></div>`;
  const demo = checks.find(({ check, state, said }) => check === "settings" && state === "warning" && said.includes("demo"));
  if (demo)
    return html`<div class="band warn" role="status"><p><strong>Demo secrets are in use.</strong> They are public; set your own <code>[[apps]]</code> before Smooch can reach this service.</p></div>`;
  return null;
}

function Theme() {
  const now = theme.use();
  useEffect(() => {
    if (now === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = now;
  }, [now]);
  const next = THEMES[(THEMES.indexOf(now) + 1) % THEMES.length];
  return html`<button class="plain" onClick=${() => theme.set(next)} title=${`Colours: ${now}. Next: ${next}.`}><${Icon} name="theme" /><span class="visually-hidden">Colours: ${now}; change to ${next}</span></button>`;
}

function Page({ route, address, apps }) {
  const { path, params } = address;
  const app = params.get("app") ?? apps[0]?.id;
  const shown = apps.length > 1 ? app : undefined;
  if (!route) return html`<${Lost}>There is no page <code><${Signs} text=${location.hash} /></code>.<//>`;
  const [pattern, Shown, , known] = route;
  const unknown = [...params.keys()].find(
    (name) => name !== "app" && !known.includes(name) && !(known.includes("property.KEY") && name.startsWith("property.")),
  );
  if (unknown !== undefined) return html`<${Lost}>This page knows no parameter <code><${Signs} text=${unknown} /></code>.<//>`;
  if (params.has("app") && !apps.some(({ id }) => id === app))
    return html`<${Lost}>There is no app <code><${Signs} text=${app} /></code> that you may see.<//>`;
  const id = pattern.endsWith("*") ? path[1] : undefined;
  const key = `${pattern} ${id} ${app}`;
  return html`<${Boundary} key=${key}><${Shown} id=${id} app=${app} chosen=${params.get("app") ?? undefined} shown=${shown} apps=${apps} params=${params} address=${address} /><//>`;
}

/** Shows that a page cannot be drawn, and leaves the bar usable. */
class Boundary extends Component {
  constructor(props) {
    super(props);
    this.state = { error: undefined };
  }

  componentDidCatch(error) {
    reportError(error);
    this.setState({ error });
  }

  render() {
    const { error } = this.state;
    return error
      ? html`<div class="notice bad" role="alert"><p><strong>This page cannot be drawn.</strong> <${Signs} text=${String(error)} /></p></div>`
      : this.props.children;
  }
}

function Lost({ children }) {
  useTitle("No such page");
  return html`<${Head} title="No such page" /><${Empty} title="The address leads nowhere">${children} <a href="#/">Go to Overview</a><//>`;
}

function Shell({ who }) {
  const address = useAddress();
  const [open, setOpen] = useState(false);
  const apps = useCall(api.apps, [], { every: 30_000, run: sendOrTake });
  const health = useCall(api.health, [], { every: 15_000 });
  useEffect(() => setOpen(false), [address]);
  const route = routeOf(address.path);
  const chosen = address.params.get("app");
  const states = (health.data?.checks ?? []).map(({ state }) => state);
  const ill = states.includes("wrong") || health.data?.ready === false ? "bad" : states.includes("warning") ? "warn" : undefined;
  const list = apps.data?.apps;
  return html`
    <a class="skip" href="#content" onClick=${(event) => {
      event.preventDefault();
      document.querySelector("main").focus();
    }}>Skip to the content</a>
    <div class="shell">
      <header class="bar ${open ? "open" : ""}" id="bar">
        <a class="name" href=${href([], { app: chosen })}><${Icon} name="rollcall" />rollcall</a>
        ${
          list?.length > 1 &&
          html`<label class="field"><span>App</span><select value=${chosen ?? list[0].id}
          onChange=${(event) => go(href((address.path ?? []).slice(0, 1), { app: event.currentTarget.value }))}>
          ${list.map(({ id, name }) => html`<option value=${id}>${plain(name || id)}</option>`)}</select></label>`
        }
        <${Nav} now=${route?.[2]} app=${chosen} apps=${list} ill=${ill} />
        <div class="foot">
          <p><strong><${Signs} text=${who.who} /></strong> <span class="soft">${who.role}${who.personalData === false ? ", without personal data" : ""}</span></p>
          <button onClick=${() => signOut().catch(() => findSession())}>Sign out</button>
        </div>
      </header>
      <div>
        <${Band} health=${health} />
        <section class="top" aria-label="Tools">
          <button class="menu" aria-expanded=${String(open)} aria-controls="bar" onClick=${() => setOpen(!open)}><${Icon} name="menu" />Menu</button>
          <${Jump} app=${chosen} />
          <div class="end"><${ZoneSwitch} /><${Theme} /><${Keys} /></div>
        </section>
        <main id="content" tabindex="-1">
          ${apps.failure && html`<${Failed} of=${apps} what="The list of apps" />`}
          ${list?.length > 0 && html`<${Page} route=${route} address=${address} apps=${list} />`}
          ${list?.length === 0 && html`<${Empty} title="No app to show">The settings give this operator no app that exists.<//>`}
        </main>
      </div>
    </div>`;
}

/** The page, the sign-in, or why neither can be shown yet. */
function Console() {
  const who = session.use();
  const { path } = useAddress();
  const code = path?.[0] === "login" ? path[1] : undefined;
  const found = useCall(() => (code === undefined && !session.get() ? api.session() : null), [code], { run: findSession });
  if (code !== undefined) return html`<${SignIn} code=${code} />`;
  if (who === null) return html`<${SignIn} />`;
  if (who) return html`<${Shell} key=${`${who.who} ${who.role} ${who.personalData}`} who=${who} />`;
  return found.failure ? html`<div class="signin"><main><h1>rollcall</h1><${Failed} of=${found} what="The session" /></main></div>` : null;
}

render(html`<${Console} />`, document.getElementById("console"));
