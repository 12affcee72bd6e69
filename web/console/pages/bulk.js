// What is done with all app users of a filter or a segment: each is a job, and a dry run comes first.
import * as api from "../api.js";
import { Dialog } from "../parts/dialog.js";
import { Counted } from "../parts/job.js";
import { Menu } from "../parts/page.js";
import { Signs, Value } from "../parts/text.js";
import { mayChange, seesPeople } from "../request.js";
import { html, useState } from "../vendor/preact.js";
import { nameOf, readProperty } from "./edit.js";

/** The most app users that one job erases. */
const MOST_ERASED = 10_000;

const bdi = (text) => html`<${Signs} text=${text} />`;

/** What can be done: `fields` are asked for first, `personal` needs personal data, `typed` the number. */
const ACTIONS = {
  export: {
    label: "Export as a job …",
    verb: "Export",
    personal: true,
    fields: ["format"],
    title: (parts) => `Export ${parts}?`,
    says: "They are written to a file, which is kept for a day. This goes on without this page, and after a restart.",
  },
  setProperty: {
    label: "Set a property …",
    verb: "Set",
    personal: true,
    typed: true,
    fields: ["property", "value"],
    title: (parts, { property }) => html`Set ${bdi(property)} of ${parts}?`,
    says: "Whatever each has there is replaced.",
  },
  clearProperty: {
    label: "Clear a property …",
    verb: "Clear",
    personal: true,
    typed: true,
    fields: ["property"],
    title: (parts, { property }) => html`Clear ${bdi(property)} of ${parts}?`,
    says: "Whatever each has there is taken away.",
  },
  remove: {
    label: "Remove …",
    verb: "Remove",
    typed: true,
    bad: true,
    title: (parts) => `Remove ${parts}?`,
    says: "The directory forgets the profiles, and later events about them have no effect. Their history stays in the journal. This cannot be undone.",
  },
  erase: {
    label: "Erase …",
    verb: "Erase",
    typed: true,
    bad: true,
    most: MOST_ERASED,
    title: (parts) => `Erase ${parts}?`,
    says: "Everything stored about these people is deleted: profiles, history, bodies, quarantine. Earlier backups and exports still have it. This cannot be undone.",
  },
};

/** What a job is to be done with. */
function Fields({ action, close, done }) {
  const [given, setGiven] = useState({ format: "ndjson", property: "", value: "" });
  const set = (name) => (event) => setGiven({ ...given, [name]: event.currentTarget.value });
  const has = (name) => action.fields.includes(name);
  const submit = (event) => {
    event.preventDefault();
    const { format, property, value } = given;
    if (has("format")) done({ format });
    else if (property !== "" && (!has("value") || value !== "")) done(has("value") ? { property, value: readProperty(value) } : { property });
  };
  return html`<${Dialog} title=${action.label.replace(" …", "")} onClose=${close}><form onSubmit=${submit}>
    <div class="fields">
      ${has("format") && html`<label class="field"><span>Form of the file</span><select data-focus value=${given.format} onChange=${set("format")}><option value="ndjson">NDJSON</option><option value="csv">CSV</option></select></label>`}
      ${has("property") && html`<label class="field"><span>Key</span><input data-focus value=${given.property} autocomplete="off" onInput=${set("property")} /></label>`}
      ${has("value") && html`<label class="field"><span>Value</span><input value=${given.value} autocomplete="off" onInput=${set("value")} /></label><p class="soft small">Numbers, true and false are written plainly; text that looks like one stands in quotes.</p>`}
    </div>
    <div class="actions"><button type="button" onClick=${close}>Cancel</button><button class="main">Count them</button></div>
  </form><//>`;
}

const line = (user) => html`<span class="mono">${bdi(user._id)}</span> ${nameOf(user) && html`<span class="soft">${bdi(nameOf(user))}</span>`}`;

/** The menu of what can be done with all of `of`: `{app, filter}` or `{segment}`. A viewer does not see it. */
export function Bulk({ of, started }) {
  const [kind, setKind] = useState();
  const [given, setGiven] = useState();
  if (!mayChange()) return null;
  const close = () => {
    setKind();
    setGiven();
  };
  const action = ACTIONS[kind];
  const make = (how) => api.startJob({ kind, ...of, ...given, ...how });
  return html`<${Menu} says="All of these">${(ask) =>
    Object.entries(ACTIONS)
      .filter(([, { personal }]) => seesPeople() || !personal)
      .map(([name, { label, bad }]) => html`<button class=${bad ? "bad" : ""} onClick=${ask(() => setKind(name))}>${label}</button>`)}<//>
    ${action?.fields && !given && html`<${Fields} action=${action} close=${close} done=${setGiven} />`}
    ${
      action &&
      (given || !action.fields) &&
      html`<${Counted} kind=${kind} title=${(parts) => action.title(parts, given ?? {})} verb=${action.verb} make=${make} line=${line} typed=${action.typed}
        bad=${action.bad} most=${action.most} started=${started} close=${close}><p>${action.says}</p>
        ${given?.value !== undefined && html`<p><code>${bdi(given.property)}</code> becomes <strong><${Value} of=${given.value} /></strong></p>`}<//>`
    }`;
}
