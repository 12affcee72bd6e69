// Draws /openapi.json. Text only ever becomes text: nothing of the document is read as HTML.
"use strict";

const METHODS = ["get", "post", "put", "patch", "delete"];
let spec;

/** An element with attributes and children; strings are text. */
function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(key, "");
    else if (value !== undefined && value !== false) element.setAttribute(key, value);
  }
  element.append(...children.flat().filter((child) => child !== undefined && child !== null && child !== false));
  return element;
}

/** Text in which `code` stands between back-ticks. */
function prose(text = "") {
  return text.split("`").map((part, n) => (n % 2 ? el("code", {}, part) : part));
}

function paragraphs(text = "") {
  return text.split("\n\n").filter(Boolean).map((part) => el("p", {}, prose(part)));
}

/** What a `$ref` stands for, its own members over it. */
function resolve(value) {
  if (!value || !value.$ref) return value;
  const parts = value.$ref.slice(2).split("/").map((part) => decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~"));
  const found = parts.reduce((at, part) => at[part], spec);
  const { $ref, ...own } = value;
  return { ...resolve(found), ...own };
}

const refName = (value) => value?.$ref?.split("/schemas/")[1]?.split("/")[0];

function path(text) {
  return text.split(/(\{[^}]+\})/).map((part) => (part.startsWith("{") ? el("i", {}, part) : part));
}

/** JSON with colours. */
function jsonText(value) {
  const out = el("pre", { tabindex: "0" });
  const text = JSON.stringify(value, null, 2) ?? "";
  const token = /("(?:\\.|[^"\\])*")(\s*:)?|\b(?:true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
  let at = 0;
  for (const match of text.matchAll(token)) {
    out.append(text.slice(at, match.index));
    const kind = match[2] !== undefined ? "key" : match[1] !== undefined ? "text" : "word";
    out.append(el("span", { class: kind }, match[1] ?? match[0]), match[2] ?? "");
    at = match.index + match[0].length;
  }
  out.append(text.slice(at));
  return out;
}

function typeOf(given) {
  const schema = resolve(given) ?? {};
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((word) => JSON.stringify(word)).join(" | ");
  const either = schema.anyOf ?? schema.oneOf;
  if (either) return either.map((one) => resolve(one).title ?? refName(one) ?? typeOf(one)).join(" or ");
  let type = [schema.type ?? "anything"].flat().join(" | ");
  if (schema.items) type = `list of ${refName(schema.items) ?? typeOf(schema.items)}`;
  if (schema.format) type += ` (${schema.format})`;
  const bounds = [];
  if (schema.minimum !== undefined && schema.maximum !== undefined && schema.maximum < 1e15) bounds.push(`${schema.minimum} to ${schema.maximum}`);
  else if (schema.minimum !== undefined) bounds.push(`from ${schema.minimum}`);
  if (schema.maxLength) bounds.push(`up to ${schema.maxLength} characters`);
  if (schema.default !== undefined) bounds.push(`${schema.default} if not given`);
  return bounds.length ? `${type}, ${bounds.join(", ")}` : type;
}

/** The members of a schema, those of what it is made of among them. */
function membersOf(schema) {
  const all = { members: {}, required: new Set(schema.required ?? []) };
  for (const part of (schema.allOf ?? []).map(resolve)) {
    const inner = membersOf(part);
    Object.assign(all.members, inner.members);
    inner.required.forEach((name) => all.required.add(name));
  }
  Object.assign(all.members, schema.properties);
  return all;
}

function schemaView(given, depth = 0) {
  const schema = resolve(given) ?? {};
  const either = schema.anyOf ?? schema.oneOf;
  if (either && either.some((one) => resolve(one).properties)) {
    return el("div", {}, either.map((one) => el("div", {}, el("p", { class: "type" }, resolve(one).title ?? refName(one) ?? ""), schemaView(one, depth))));
  }
  if (schema.type === "array" && schema.items) return schemaView(schema.items, depth);
  const { members, required } = membersOf(schema);
  if (!Object.keys(members).length) return depth ? undefined : el("p", { class: "type" }, typeOf(given));
  return el("ul", { class: "schema" }, Object.entries(members).map(([name, member]) => {
    const inner = resolve(member);
    const deeper = schemaView(member, depth + 1);
    return el("li", {}, el("code", {}, name), " ", el("span", { class: "type" }, typeOf(member)), " ",
      required.has(name) && el("span", { class: "must" }, "always "),
      inner.description && el("p", {}, prose(inner.description)),
      deeper && (depth < 1 ? deeper : el("details", { class: "more" }, el("summary", {}, "its members"), deeper)));
  }));
}

function examplesView(content) {
  return Object.values(content?.examples ?? {}).map(resolve).map((example, n) =>
    el("details", { class: "more", open: n === 0 }, el("summary", {}, `Example: ${example.summary}`), jsonText(example.value)));
}

function bodyView(body) {
  return Object.entries(body.content ?? {}).map(([kind, content]) => el("div", {},
    kind !== "application/json" && el("p", { class: "type" }, kind), schemaView(content.schema), examplesView(content)));
}

function parametersView(parameters) {
  return el("table", {}, parameters.map((parameter) => el("tr", {},
    el("td", {}, el("code", {}, parameter.name), " ", parameter.required && el("span", { class: "must" }, "required")),
    el("td", { class: "type" }, parameter.in),
    el("td", {}, paragraphs(parameter.description), el("span", { class: "type" }, typeOf(parameter.schema))))));
}

function answersView(call) {
  return Object.entries(call.responses).map(([status, given]) => {
    const answer = resolve(given);
    const headers = Object.entries(answer.headers ?? {});
    const good = status < 400;
    return el("details", { class: "more", open: good && status < 300 },
      el("summary", {}, el("span", { class: good ? "status" : "status bad" }, status), " ", prose(answer.description)),
      headers.length > 0 && el("p", {}, "Headers: ", headers.map(([name, header]) => [el("code", {}, name), " ", ...prose(resolve(header).description), " "]).flat()),
      bodyView(answer));
  });
}

function credentialHeader() {
  const form = document.getElementById("credential");
  const value = form.elements.value.value.trim();
  switch (value ? form.elements.kind.value : "none") {
    case "basic": return { authorization: `Basic ${btoa(String.fromCharCode(...new TextEncoder().encode(value)))}` };
    case "bearer": return { authorization: `Bearer ${value}` };
    case "token": return { "app-token": value };
    default: return {};
  }
}

/** A form that sends a GET to this listener. */
function tryView(address, parameters) {
  const inputs = parameters.map((parameter) => [parameter, el("input", { value: parameter.in === "path" ? parameter.example : undefined, autocomplete: "off" })]);
  const output = el("div", { "aria-live": "polite" });
  const form = el("form", { class: "try" },
    inputs.map(([parameter, input]) => el("label", {}, el("code", {}, parameter.name), input)), el("button", {}, "Send GET"), output);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    let target = address;
    const query = new URLSearchParams();
    const headers = { accept: "application/json", ...credentialHeader() };
    for (const [parameter, input] of inputs) {
      if (parameter.in === "path") target = target.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
      else if (input.value && parameter.in === "query") query.set(parameter.name, input.value);
      else if (input.value) headers[parameter.name] = input.value;
    }
    if (query.size) target += `?${query}`;
    try {
      const answer = await fetch(target, { headers, cache: "no-store", credentials: "omit" });
      const text = await answer.text();
      let shown = el("pre", { tabindex: "0" }, text);
      try { shown = jsonText(JSON.parse(text)); } catch { /* it is not JSON, and is shown as it came */ }
      output.replaceChildren(el("p", {}, el("span", { class: answer.ok ? "status" : "status bad" }, String(answer.status)), " ", el("code", {}, `GET ${target}`)), shown);
    } catch (error) {
      output.replaceChildren(el("p", { class: "must" }, `Not answered: ${error.message}`));
    }
  });
  return form;
}

function credentialsOf(call) {
  const each = call.security.map((one) => Object.entries(one).map(([name, scopes]) => (scopes.length ? `${name} (${scopes.join(", ")})` : name)).join(" and "));
  return each.length ? each.join(", or ") : "none";
}

function callView({ address, method, call, item, also }) {
  const parameters = [...(item.parameters ?? []), ...(call.parameters ?? [])].map(resolve);
  const box = el("details", { class: "call", id: call.operationId },
    el("summary", {}, el("span", { class: `method ${method}` }, method.toUpperCase()), el("span", { class: "path" }, path(address)), el("span", { class: "what" }, call.summary)));
  // Drawn when it is opened: most are never looked at.
  box.addEventListener("toggle", () => {
    if (!box.open || box.children.length > 1) return;
    const elsewhere = item.servers?.[0];
    box.append(el("div", { class: "inside" },
      paragraphs(call.description),
      also.length > 0 && el("p", { class: "also" }, "The same at ", also.map((other, n) => [n ? ", " : "", el("code", {}, other)]).flat()),
      el("p", { class: "also" }, `Credential: ${credentialsOf(call)}`, elsewhere && `. ${elsewhere.description}: ${elsewhere.variables.admin.default}`),
      parameters.length > 0 && [el("h4", {}, "Parameters"), parametersView(parameters)],
      call.requestBody && [el("h4", {}, "Body"), bodyView(resolve(call.requestBody))],
      el("h4", {}, "Answers"), answersView(call),
      method === "get" && !elsewhere && [el("h4", {}, "Try it"), tryView(address, parameters)]));
  });
  return box;
}

/** The calls of a tag; one that is found under several bases stands there once. */
function callsOf(tag) {
  const all = Object.entries(spec.paths).flatMap(([address, item]) =>
    METHODS.filter((method) => item[method]?.tags.includes(tag)).map((method) => ({ address, method, call: item[method], item })));
  return all.filter(({ call }) => !call["x-same-as"]).map((one) => ({
    ...one, also: all.filter(({ call }) => call["x-same-as"] === one.call.operationId).map(({ address }) => address),
  }));
}

function draw() {
  document.title = `${spec.info.title} ${spec.info.version}`;
  document.querySelector("h1").append(spec.info.title, el("small", {}, spec.info.version));
  document.querySelector(".summary").append(spec.info.summary);
  document.querySelector(".about").append(...paragraphs(spec.info.description));
  document.querySelector(".schemes").append(...Object.entries(spec.components.securitySchemes).flatMap(([name, scheme]) =>
    [el("code", {}, name), el("p", {}, scheme.name && ["Header ", el("code", {}, scheme.name), ". "], prose(scheme.description))]));
  const contents = document.getElementById("contents");
  const calls = document.getElementById("calls");
  calls.replaceChildren();
  for (const tag of spec.tags) {
    const group = callsOf(tag.name);
    calls.append(el("section", {}, el("h2", {}, tag.name), el("p", { class: "lead" }, prose(tag.description)), group.map(callView)));
    contents.append(el("section", {}, el("h3", {}, tag.name), group.map(({ method, call, address }) =>
      el("a", { class: "item", href: `#${call.operationId}`, "data-text": `${call.summary} ${method} ${address}`.toLowerCase() },
        el("span", { class: `method ${method}` }, method.toUpperCase()), call.summary))));
  }
}

/** Opens the call that the address names. */
function follow() {
  const box = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (box?.matches("details.call")) {
    box.open = true;
    box.scrollIntoView();
  }
}

document.getElementById("search").addEventListener("input", ({ target }) => {
  const wanted = target.value.trim().toLowerCase();
  for (const item of document.querySelectorAll("nav .item")) {
    item.hidden = !item.dataset.text.includes(wanted);
    const call = document.getElementById(item.getAttribute("href").slice(1));
    if (call) call.hidden = item.hidden;
  }
  for (const section of document.querySelectorAll("#contents section, #calls section")) {
    section.hidden = !section.querySelector(".item:not([hidden]), details.call:not([hidden])");
  }
});
document.getElementById("credential").addEventListener("submit", (event) => event.preventDefault());
window.addEventListener("hashchange", follow);

fetch("/openapi.json")
  .then((answer) => answer.json())
  .then((document) => { spec = document; draw(); follow(); })
  .catch((error) => document.getElementById("calls").replaceChildren(el("p", { class: "must" }, `/openapi.json was not read: ${error.message}`)));
