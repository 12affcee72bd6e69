// Editing a profile: what is sent is shown, and a change by somebody else in between is never overwritten unseen.
import * as api from "../api.js";
import { Curl } from "../parts/curl.js";
import { Dialog } from "../parts/dialog.js";
import { Refused, useAction } from "../parts/load.js";
import { Table } from "../parts/page.js";
import { jsonText, Signs, signs, Value } from "../parts/text.js";
import { Numeral, parseJson, send } from "../request.js";
import { html, useState } from "../vendor/preact.js";

const FIELDS = [
  ["givenName", "Given name"],
  ["surname", "Surname"],
  ["email", "E-mail"],
  ["signedUpAt", "Signed up at"],
];

/** The name of an app user; empty for one without. */
export const nameOf = (user) => [user.givenName, user.surname].filter((part) => typeof part === "string" && part !== "").join(" ");

/** A property as it is typed: JSON where it is not text. */
const written = (value) => (typeof value === "string" ? (/^(?:-?\d|true$|false$|null$|")/.test(value) ? JSON.stringify(value) : value) : jsonText(value));

/** The value of a property as it was typed: a number, true, false or quoted text as JSON, else the text itself. */
export function readProperty(text) {
  try {
    const value = parseJson(text);
    return value instanceof Numeral || ["number", "boolean", "string"].includes(typeof value) ? value : text;
  } catch {
    return text;
  }
}

/** @type {(user: any) => {fields: Record<string, string>, properties: {key: string, text: string, was?: any, dropped?: boolean}[]}} */
const start = (user) => ({
  fields: Object.fromEntries(
    FIELDS.map(([name]) => [name, user[name] === undefined ? "" : typeof user[name] === "string" ? user[name] : jsonText(user[name])]),
  ),
  properties: Object.entries(user.properties ?? {}).map(([key, value]) => ({ key, text: written(value), was: value })),
});

/**
 * The body of the PUT: only what differs from `user`; null clears.
 * @returns {import("../calls").Body<"PUT", "/v1/apps/{app}/appusers/{id}">}
 */
function bodyOf(form, user) {
  const body = {};
  for (const [name] of FIELDS) {
    const before = start(user).fields[name];
    if (form.fields[name] !== before) body[name] = form.fields[name] === "" ? null : form.fields[name];
  }
  /** @type {Record<string, any>} */
  const properties = {};
  for (const { key, text, was, dropped } of form.properties) {
    if (key === "") continue;
    if (dropped) properties[key] = null;
    else if (was === undefined ? text !== "" : written(was) !== text) properties[key] = readProperty(text);
  }
  if (Object.keys(properties).length) body.properties = properties;
  return body;
}

/** Theirs and yours, side by side, of every member that either has changed. */
function Conflict({ before, theirs, body }) {
  const yours = { ...body, ...Object.fromEntries(Object.entries(body.properties ?? {}).map(([key, value]) => [`properties.${key}`, value])) };
  const value = (user, path) => (path.startsWith("properties.") ? user.properties?.[path.slice(11)] : user[path]);
  const keys = [...new Set([...Object.keys(before.properties ?? {}), ...Object.keys(theirs.properties ?? {})])].map((key) => `properties.${key}`);
  const all = [...new Set([...FIELDS.map(([name]) => name), ...keys, ...Object.keys(yours).filter((name) => name !== "properties")])];
  const rows = all.filter((path) => path in yours || jsonText(value(before, path)) !== jsonText(value(theirs, path)));
  const columns = [
    { name: "field", head: "Field", cell: (path) => html`<code><${Signs} text=${path} /></code>` },
    { name: "before", head: "When you began", cell: (path) => html`<${Value} of=${value(before, path)} />` },
    { name: "theirs", head: "Now", cell: (path) => html`<${Value} of=${value(theirs, path)} />` },
    { name: "yours", head: "Yours", cell: (path) => (path in yours ? html`<${Value} of=${yours[path]} />` : html`<span class="soft">as it is now</span>`) },
  ];
  return html`<${Table} label="Both versions" columns=${columns} rows=${rows} keyOf=${(path) => path} linked=${false} />`;
}

export function Edit({ app, user, etag, close, saved }) {
  const [form, setForm] = useState(() => start(user));
  const [theirs, setTheirs] = useState();
  const action = useAction(saved);
  const body = bodyOf(form, user);
  const call = api.updateUser(app, user._id, body, theirs?.etag ?? etag);
  const setField = (name, text) => setForm({ ...form, fields: { ...form.fields, [name]: text } });
  const setProperty = (n, change) => setForm({ ...form, properties: form.properties.map((one, at) => (at === n ? { ...one, ...change } : one)) });
  const save = async (event) => {
    event?.preventDefault();
    const answer = await action.run(call);
    if (answer) return;
    try {
      setTheirs(await send(api.user(app, user._id)));
    } catch (failure) {
      if (failure.status === undefined) throw failure;
    }
  };
  const conflict = action.failure?.status === 412 && theirs;
  const nothing = Object.keys(body).length === 0;
  return html`<${Dialog} title=${conflict ? "Somebody else changed it meanwhile" : "Edit the profile"} wide onClose=${close}>
    <form onSubmit=${save}>
    ${
      conflict
        ? html`<p>Nothing of yours is stored yet. Save writes your values over what is there now.</p><${Conflict} before=${user} theirs=${theirs.data.appUser} body=${body} />`
        : html`<p class="soft">A value set here holds until Smooch reports a new one. Leave a field empty to clear it.</p>
        <div class="columns"><div class="fields">${FIELDS.map(
          ([name, says]) => html`<label class="field"><span>${says}</span>
          <input value=${form.fields[name]} autocomplete="off" onInput=${(event) => setField(name, event.currentTarget.value)} /></label>`,
        )}</div>
        <div class="fields"><h3>Properties</h3>${form.properties.map(
          (one, n) => html`<div class="property">
          <label><span class="visually-hidden">Key</span><input value=${one.key} readonly=${one.was !== undefined} onInput=${(event) => setProperty(n, { key: event.currentTarget.value })} /></label>
          <label><span class="visually-hidden">Value of <${Signs} text=${one.key} /></span><input value=${one.text} disabled=${one.dropped} onInput=${(event) => setProperty(n, { text: event.currentTarget.value })} /></label>
          <button type="button" onClick=${() => setProperty(n, { dropped: !one.dropped })}>${one.dropped ? "Keep" : "Remove"}</button></div>`,
        )}
          <button type="button" onClick=${() => setForm({ ...form, properties: [...form.properties, { key: "", text: "" }] })}>Add a property</button>
          <p class="soft small">Numbers, true and false are written plainly; text that looks like one stands in quotes.</p></div></div>`
    }
    <h3>What is sent</h3>
    <pre tabindex="0" aria-label="The body of the request">${nothing ? "nothing changed" : signs(jsonText(body))}</pre>
    ${!conflict && html`<${Refused} failure=${action.failure} />`}
    <div class="actions"><${Curl} calls=${[call]} />
      <button type="button" data-focus=${Boolean(conflict)} onClick=${close}>Cancel</button>
      <button class="main" disabled=${nothing || action.busy}>${action.busy ? "Saving …" : conflict ? "Save mine over it" : "Save"}</button></div>
    </form><//>`;
}
