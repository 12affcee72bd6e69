// Text of other people: isolated, with control and direction characters visible; and what copies it.
import { html, useState } from "../vendor/preact.js";
import { Numeral } from "../request.js";

// Control, soft hyphen, zero width, direction, separators, tags, variations, half surrogates: all that a reader cannot see. A
// joiner between two pictures makes one of them, and stays, as does what gives a picture its colours.
const HIDDEN = new RegExp(
  "[\\u0000-\\u001f\\u007f-\\u009f\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u200b\\u200c\\u200e\\u200f" +
    "\\u2028-\\u202e\\u2060-\\u206f\\u3164\\ufeff\\uffa0\\ufff0-\\ufffb]|\\p{Surrogate}|[\\u{e0000}-\\u{e0fff}]|" +
    "(?<!\\p{Extended_Pictographic})[\\ufe00-\\ufe0f](?!\\u20e3)|" +
    "(?<!\\p{Extended_Pictographic}\\ufe0f?\\p{Emoji_Modifier}?)\\u200d|\\u200d(?!\\p{Extended_Pictographic})",
  "gu",
);

/** Text of plain ASCII, as most is: nothing to look for. */
const PRINTABLE = /^[ -~]*$/;

/** The half surrogate that stands for an invalid byte of a body; see json.js. */
export const BYTE = 0xdc00;

/** The name of a sign that cannot be seen: `U+202E`; of an invalid byte `\x9f`. */
function nameOf(sign, bytes) {
  const code = sign.codePointAt(0);
  if (bytes && code >= BYTE + 0x80 && code <= BYTE + 0xff) return `\\x${(code - BYTE).toString(16)}`;
  return `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}

/** Text as nodes, hidden signs by name. `lines`: line ends and tabs stay; `bytes`: it has invalid bytes. */
export function signs(text, { lines = false, bytes = false } = {}) {
  if (PRINTABLE.test(text)) return [text];
  const nodes = [];
  let end = 0;
  for (const { 0: sign, index } of text.matchAll(HIDDEN)) {
    if (lines && (sign === "\n" || sign === "\t")) continue;
    nodes.push(
      text.slice(end, index),
      html`<span class="sign" title=${bytes && sign >= "\udc80" ? "an invalid byte" : "a hidden sign"}>${nameOf(sign, bytes)}</span>`,
    );
    end = index + sign.length;
  }
  nodes.push(text.slice(end));
  return nodes;
}

/** Text where there can be no nodes, hidden signs by name. */
export const plain = (text) => String(text).replace(HIDDEN, (sign) => nameOf(sign, false));

/** Somebody's text on a page. */
export const Signs = ({ text }) => html`<bdi>${signs(String(text))}</bdi>`;

/** Any value of an app user: text as it is, everything else as JSON. */
export function Value({ of: value }) {
  if (value === undefined || value === null) return html`<span class="soft">none</span>`;
  if (value === "") return html`<span class="soft">empty text</span>`;
  if (typeof value === "string") return html`<${Signs} text=${value} />`;
  const text = value instanceof Numeral ? value.source : jsonText(value);
  return html`<code class="long"><${Signs} text=${text} /></code>`;
}

/** JSON of a value, every number as it was sent. */
export function jsonText(value) {
  if (value instanceof Numeral) return value.source;
  if (Array.isArray(value)) return `[${value.map(jsonText).join(",")}]`;
  if (value && typeof value === "object") {
    return `{${Object.entries(value)
      .map(([name, member]) => `${JSON.stringify(name)}:${jsonText(member)}`)
      .join(",")}}`;
  }
  return JSON.stringify(value) ?? "null";
}

async function toClipboard(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Without TLS on a name other than localhost there is no clipboard; the old way works from a click.
  const field = document.createElement("textarea");
  field.value = text;
  (document.querySelector("dialog[open]") ?? document.body).append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
  return undefined;
}

/** A button that copies. `children` is its text, an icon if there is none. */
export function Copy({ text, what = "Copy", children }) {
  const [done, setDone] = useState("");
  const copy = async (event) => {
    event.preventDefault();
    const button = event.currentTarget;
    try {
      await toClipboard(typeof text === "function" ? text() : text);
      setDone("Copied");
    } catch {
      setDone("The browser did not allow it");
    }
    button.focus();
    setTimeout(() => setDone(""), 1500);
  };
  return html`<button type="button" class=${children ? "" : "copy"} onClick=${copy} title=${what} aria-label=${children ? undefined : what}>
    <${Icon} name=${done === "Copied" ? "check" : "copy"} />${children}<span class="visually-hidden" role="status">${done}</span></button>`;
}

/** An id, to be copied. */
export const Id = ({ of: id, href, row = false }) => html`<span class="id">
  ${href ? html`<a class=${row ? "row mono" : "mono"} href=${href}><${Signs} text=${id} /></a>` : html`<span class="mono"><${Signs} text=${id} /></span>`}
  <${Copy} text=${id} what=${`Copy ${id}`} /></span>`;

const ICONS = new URL("../icons.svg", import.meta.url).href;

/** An icon of icons.svg, beside a text that says the same: no reader reads it. */
export const Icon = ({ name }) => html`<svg class="icon" aria-hidden="true"><use href=${`${ICONS}#${name}`} /></svg>`;
