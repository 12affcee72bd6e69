// Draws /openapi.json. Text only ever becomes text: nothing of the document is read as HTML.
"use strict";

const METHODS = ["get", "post", "put", "patch", "delete"];
let spec;

/** An element with attributes and children, however deep their lists; strings are text. */
function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(key, "");
    else if (value !== undefined && value !== false) element.setAttribute(key, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== false));
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

/** JSON text, indented and coloured, with every number and string as it is written there. */
function jsonView(text) {
  const out = el("pre", { tabindex: "0" });
  const tokens = text.match(/"(?:\\.|[^"\\])*"|[{}[\],:]|[^\s{}[\],:"]+/g) ?? [];
  let depth = 0;
  const newLine = () => `\n${"  ".repeat(depth)}`;
  tokens.forEach((token, n) => {
    const empty = "}]".includes(tokens[n + 1]);
    if (token === "{" || token === "[") {
      depth += 1;
      out.append(token, empty ? "" : newLine());
    } else if (token === "}" || token === "]") {
      depth -= 1;
      out.append("{[".includes(tokens[n - 1]) ? token : newLine() + token);
    } else if (token === ",") out.append(token, newLine());
    else if (token === ":") out.append(": ");
    else out.append(el("span", { class: tokens[n + 1] === ":" ? "key" : token.startsWith('"') ? "text" : "word" }, token));
  });
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

/** The members of a schema; `must` is the word for those that are always there. */
function schemaView(given, must, depth = 0) {
  const schema = resolve(given) ?? {};
  const either = schema.anyOf ?? schema.oneOf;
  if (either && either.some((one) => resolve(one).properties)) {
    return el("div", {}, either.map((one) => el("div", {}, el("p", { class: "type" }, resolve(one).title ?? refName(one) ?? ""), schemaView(one, must, depth))));
  }
  if (schema.type === "array" && schema.items) return schemaView(schema.items, must, depth);
  const { members, required } = membersOf(schema);
  if (!Object.keys(members).length) return depth ? undefined : el("p", { class: "type" }, typeOf(given));
  return el("ul", { class: "schema" }, Object.entries(members).map(([name, member]) => {
    const inner = resolve(member);
    const deeper = schemaView(member, must, depth + 1);
    return el("li", {}, el("code", {}, name), " ", el("span", { class: "type" }, typeOf(member)), " ",
      required.has(name) && el("span", { class: "must" }, must),
      inner.description && el("p", {}, " – ", prose(inner.description)),
      deeper && (depth < 1 ? deeper : el("details", { class: "more" }, el("summary", {}, "its members"), deeper)));
  }));
}

function examplesView(content) {
  return Object.values(content?.examples ?? {}).map(resolve).map((example, n) =>
    el("details", { class: "more", open: n === 0 }, el("summary", {}, `Example: ${example.summary}`), jsonView(JSON.stringify(example.value))));
}

function bodyView(body, must) {
  return Object.entries(body.content ?? {}).map(([kind, content]) => el("div", {},
    kind !== "application/json" && el("p", { class: "type" }, kind), schemaView(content.schema, must), examplesView(content)));
}

function parametersView(parameters) {
  return el("dl", { class: "parameters" }, parameters.map((parameter) => [
    el("dt", {}, el("code", {}, parameter.name), " ", el("span", { class: "type" }, `in the ${parameter.in}`),
      parameter.required && el("span", { class: "must" }, " required")),
    el("dd", {}, paragraphs(parameter.description), el("span", { class: "type" }, typeOf(parameter.schema)))]));
}

function answersView(call) {
  return Object.entries(call.responses).map(([status, given]) => {
    const answer = resolve(given);
    const headers = Object.entries(answer.headers ?? {});
    const good = status < 400;
    return el("details", { class: "more", open: good && status < 300 },
      el("summary", {}, el("span", { class: good ? "status" : "status bad" }, status), " ", prose(answer.description)),
      headers.length > 0 && el("p", {}, "Headers: ", headers.map(([name, header]) => [el("code", {}, name), " ", prose(resolve(header).description), " "])),
      bodyView(answer, "always"));
  });
}

/** The headers of the first credential that a call accepts and that is filled in. */
function credentialHeaders(call) {
  const given = document.getElementById("credentials").elements;
  const name = call.security.map((one) => Object.keys(one)[0]).find((one) => given[one]?.value.trim());
  if (!name) return {};
  const value = given[name].value.trim();
  const { type, scheme, name: header } = spec.components.securitySchemes[name];
  if (type === "apiKey") return { [header]: value };
  return { authorization: scheme === "basic" ? `Basic ${btoa(String.fromCharCode(...new TextEncoder().encode(value)))}` : `Bearer ${value}` };
}

/** The text of an answer, no more of it than a page can show. */
async function readText(answer, limit = 1 << 18) {
  const decoder = new TextDecoder();
  const reader = answer.body?.getReader();
  let text = "";
  for (let part; reader && !(part = await reader.read()).done;) {
    text += decoder.decode(part.value, { stream: true });
    if (text.length > limit) {
      await reader.cancel();
      return `${text.slice(0, limit)}\n… (the rest was not read)`;
    }
  }
  return text + decoder.decode();
}

function textView(text) {
  try {
    JSON.parse(text);
    return jsonView(text);
  } catch {
    return el("pre", { tabindex: "0" }, text);
  }
}

/** The address and the headers that the inputs of parameters make. */
function requestOf(address, inputs) {
  const query = new URLSearchParams();
  const headers = { accept: "application/json" };
  for (const [parameter, { value }] of inputs) {
    if (parameter.in === "path") address = address.replace(`{${parameter.name}}`, encodeURIComponent(value));
    else if (value && parameter.in === "header") headers[parameter.name] = value;
    else if (value && parameter.name.endsWith(".KEY")) query.append(`property.${value.split("=")[0]}`, value.split("=").slice(1).join("="));
    else if (value) query.append(parameter.name, value);
  }
  return { target: query.size ? `${address}?${query}` : address, headers };
}

/** A form that sends a call to this listener. */
function tryView(address, method, call, parameters) {
  const verb = method.toUpperCase();
  const inputs = parameters.map((parameter) => [parameter, el("input", {
    value: parameter.in === "path" ? parameter.example : undefined, required: parameter.required, autocomplete: "off",
    placeholder: parameter.name.endsWith(".KEY") ? "KEY=value" : undefined,
  })]);
  const [kind, content] = Object.entries(resolve(call.requestBody)?.content ?? {})[0] ?? [];
  const example = resolve(Object.values(content?.examples ?? {})[0])?.value;
  const body = kind && el("textarea", { rows: "8", spellcheck: "false" }, example === undefined ? "" : JSON.stringify(example, null, 2));
  const status = el("p", { role: "status" });
  const output = el("div", { class: "output" });
  const form = el("form", { class: "try" },
    inputs.map(([parameter, input]) => el("label", {}, el("code", {}, parameter.name), input)),
    body && el("label", { class: "body" }, kind, body), el("button", {}, `Send ${verb}`), status, output);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { target, headers } = requestOf(address, inputs);
    if (method === "delete" && !confirm(`Send DELETE ${target}?`)) return;
    if (body) headers["content-type"] = kind;
    status.replaceChildren(`${verb} ${target} …`);
    output.replaceChildren();
    try {
      const answer = await fetch(target, {
        method: verb, headers: { ...headers, ...credentialHeaders(call) }, body: body?.value, cache: "no-store", credentials: "omit",
      });
      const text = await readText(answer);
      status.replaceChildren(el("span", { class: answer.ok ? "status" : "status bad" }, String(answer.status)), " ", el("code", {}, `${verb} ${target}`));
      output.replaceChildren(textView(text), el("details", { class: "more" }, el("summary", {}, "Headers"),
        el("pre", { tabindex: "0" }, [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n"))));
    } catch (error) {
      status.replaceChildren(el("span", { class: "must" }, `Not answered: ${error.message}`));
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
    el("summary", {}, el("h3", {}, el("span", { class: `method ${method}` }, method.toUpperCase()), " ",
      el("span", { class: "path" }, path(address)), " ", el("span", { class: "what" }, call.summary))));
  // Drawn when it is opened: most are never looked at.
  box.addEventListener("toggle", () => {
    if (!box.open || box.children.length > 1) return;
    const elsewhere = item.servers?.some((one) => one.url === "/") ? undefined : item.servers?.[0];
    box.append(el("div", { class: "inside" },
      paragraphs(call.description),
      also.length > 0 && el("p", { class: "also" }, "The same at ", also.map((other, n) => [n ? ", " : "", el("code", {}, other)])),
      el("p", { class: "also" }, `Credential: ${credentialsOf(call)}`, elsewhere && `. ${elsewhere.description}: ${elsewhere.variables.admin.default}`),
      parameters.length > 0 && [el("h4", {}, "Parameters"), parametersView(parameters)],
      call.requestBody && [el("h4", {}, "Body"), bodyView(resolve(call.requestBody), "required")],
      el("h4", {}, "Answers"), answersView(call),
      !elsewhere && [el("h4", {}, "Try it"), tryView(address, method, call, parameters)]));
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
  document.getElementById("credentials").append(...Object.entries(spec.components.securitySchemes).map(([name, scheme]) =>
    el("div", { class: "scheme" }, el("label", { for: `credential-${name}` }, el("code", {}, name)),
      el("p", {}, scheme.name && ["Header ", el("code", {}, scheme.name), ". "], prose(scheme.description)),
      el("input", { id: `credential-${name}`, name, type: "password", autocomplete: "off" }))));
  const contents = document.getElementById("contents");
  const calls = document.getElementById("calls");
  calls.replaceChildren();
  for (const tag of spec.tags) {
    const group = callsOf(tag.name);
    calls.append(el("section", {}, el("h2", {}, tag.name), el("p", { class: "lead" }, prose(tag.description)), group.map(callView)));
    const id = `group-${spec.tags.indexOf(tag)}`;
    contents.append(el("div", { class: "group" }, el("p", { id }, tag.name), el("ul", { "aria-labelledby": id }, group.map(({ method, call, address }) =>
      el("li", { "data-call": call.operationId, "data-text": `${call.summary} ${method} ${address}`.toLowerCase() },
        el("a", { href: `#${call.operationId}` }, el("span", { class: `method ${method}` }, method.toUpperCase()), " ", call.summary))))));
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
  let found = 0;
  for (const item of document.querySelectorAll("nav li")) {
    item.hidden = !item.dataset.text.includes(wanted);
    document.getElementById(item.dataset.call).hidden = item.hidden;
    found += !item.hidden;
  }
  for (const section of document.querySelectorAll("nav .group, #calls section")) {
    section.hidden = !section.querySelector("li[data-call]:not([hidden]), details.call:not([hidden])");
  }
  document.getElementById("found").textContent = wanted && `${found} calls`;
});
document.getElementById("credentials").addEventListener("submit", (event) => event.preventDefault());
window.addEventListener("hashchange", follow);

fetch("/openapi.json")
  .then((answer) => answer.json())
  .then((document) => { spec = document; draw(); follow(); })
  .catch((error) => document.getElementById("calls").replaceChildren(el("p", { class: "must" }, `/openapi.json was not read: ${error.message}`)));
