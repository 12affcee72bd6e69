// Bodies as they came. JSON is cut into tokens and never parsed into values: repeated keys, 20 digits, escapes and
// `1444348338.70400` stay what they were.
import { html, useMemo, useState } from "../vendor/preact.js";
import { BYTE, Copy, signs } from "./text.js";
import { count, size } from "./time.js";

/** The length of the UTF-8 sequence at a place, 0 where there is none. */
function sequence(bytes, at) {
  const first = bytes[at];
  if (first < 0x80) return 1;
  const length = first >= 0xc2 && first <= 0xdf ? 2 : first >= 0xe0 && first <= 0xef ? 3 : first >= 0xf0 && first <= 0xf4 ? 4 : 0;
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  for (let n = 1; n < length; n += 1) {
    const byte = bytes[at + n];
    if (!(byte >= (n === 1 ? low : 0x80) && byte <= (n === 1 ? high : 0xbf))) return 0;
  }
  return length;
}

/** UTF-8 as text. An invalid byte becomes the half surrogate U+DC00 + byte, which no valid text has. */
export function decode(bytes) {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  try {
    return decoder.decode(bytes);
  } catch {
    // Piece by piece, below.
  }
  let [text, start, at] = ["", 0, 0];
  while (at < bytes.length) {
    const length = sequence(bytes, at);
    if (length === 0) {
      text += decoder.decode(bytes.subarray(start, at)) + String.fromCharCode(BYTE + bytes[at]);
      start = at + 1;
    }
    at += length || 1;
  }
  return text + decoder.decode(bytes.subarray(start));
}

const TOKEN = /[ \t\n\r]+|"(?:\\[\s\S]|[^"\\])*"?|[{}[\],:]|[^ \t\n\r{}[\],:"]+/gy;
const LITERAL = /^(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|"(?:\\[\s\S]|[^"\\])*")$/;

/** The tree of a JSON text: `{open, members: [[key, node]]}` or `{leaf}`; keys and leaves as they were written. Undefined if it is none. */
export function treeOf(text) {
  const root = { open: "", members: [] };
  const stack = [root];
  let [key, state] = [undefined, "value"];
  for (const [token] of text.matchAll(TOKEN)) {
    if (/^[ \t\n\r]/.test(token)) continue;
    const parent = stack.at(-1);
    const opens = token === "{" || token === "[";
    if (state === "colon" || state === "comma") {
      const closes = token === (parent.open === "{" ? "}" : "]") && parent.open;
      if (state === "colon" ? token !== ":" : token !== "," && !closes) return undefined;
      if (state === "comma" && closes) stack.pop();
      else if (state === "comma") state = parent.open === "{" ? "key" : "value";
      else state = "value";
      if (state === "value" && parent === root && token === ",") return undefined;
      continue;
    }
    const empty = parent.members.length === 0 && ((token === "}" && state === "key") || (token === "]" && state === "value" && parent.open === "["));
    if (empty) {
      stack.pop();
      state = "comma";
    } else if (state === "key") {
      if (!token.startsWith('"') || !LITERAL.test(token)) return undefined;
      [key, state] = [token, "colon"];
    } else if (opens) {
      const node = { open: token, members: [] };
      parent.members.push([key, node]);
      stack.push(node);
      [key, state] = [undefined, token === "{" ? "key" : "value"];
    } else {
      if (!LITERAL.test(token)) return undefined;
      parent.members.push([key, { leaf: token }]);
      [key, state] = [undefined, "comma"];
    }
  }
  return stack.length === 1 && root.members.length === 1 && state === "comma" ? root.members[0][1] : undefined;
}

const kindOf = (token, key) => (key ? "key" : token.startsWith('"') ? "text" : "word");
const COLOURED = 200_000;

/** The parts of a text around the matches of a word: `[text, isMatch]`. */
function matches(text, word) {
  if (!word) return [[text, false]];
  const [parts, low, sought] = [[], text.toLowerCase(), word.toLowerCase()];
  if (low.length !== text.length) return [[text, false]];
  let end = 0;
  for (let at = low.indexOf(sought); at >= 0; at = low.indexOf(sought, at + sought.length)) {
    parts.push([text.slice(end, at), false], [text.slice(at, at + sought.length), true]);
    end = at + sought.length;
  }
  parts.push([text.slice(end), false]);
  return parts;
}

const marked = (text, word, options) => matches(text, word).map(([part, is]) => (is ? html`<mark>${signs(part, options)}</mark>` : signs(part, options)));

/** Text as received. `place` is the index of a sign to mark. */
function Raw({ text, word, place }) {
  const options = { lines: true, bytes: true };
  if (place !== undefined) {
    return html`<pre class="json" tabindex="0" aria-label="The body as received">${signs(text.slice(0, place), options)}
<mark class="place" title="The place of the trouble">${place < text.length ? signs(text.slice(place, place + 1), { bytes: true }) : "the end"}</mark>${signs(text.slice(place + 1), options)}</pre>`;
  }
  if (word || text.length > COLOURED) return html`<pre class="json" tabindex="0" aria-label="The body as received">${marked(text, word, options)}</pre>`;
  const tokens = text.match(TOKEN) ?? [];
  return html`<pre class="json" tabindex="0" aria-label="The body as received">${tokens.map((token, n) =>
    /^[\s{}[\],:]/.test(token)
      ? signs(token, options)
      : html`<span class=${kindOf(token, tokens[n + 1] === ":" || (/^\s/.test(tokens[n + 1]) && tokens[n + 2] === ":"))}>${signs(token, options)}</span>`,
  )}</pre>`;
}

/** The nodes of a tree that have a match in them. */
function nodesWith(tree, word) {
  const found = new Set();
  const has = (text) => text?.toLowerCase().includes(word.toLowerCase());
  const stack = [[tree, []]];
  while (stack.length && word) {
    const [node, above] = stack.pop();
    if (has(node.leaf)) above.forEach((one) => void found.add(one));
    for (const [key, member] of node.members ?? []) {
      if (has(key)) [...above, node].forEach((one) => void found.add(one));
      stack.push([member, [...above.slice(-64), node]]);
    }
  }
  return found;
}

const STEP = 200;

function Branch({ name, node, word, found, spot, level }) {
  const [chosen, choose] = useState();
  const [shown, setShown] = useState(STEP);
  const label = name !== undefined && html`<span class="key">${marked(name, word, { bytes: true })}</span>: `;
  if (node.leaf !== undefined) {
    return html`<div class="leaf">${label}<span class=${kindOf(node.leaf)}>${marked(node.leaf, word, { bytes: true })}</span></div>`;
  }
  const close = node.open === "{" ? "}" : "]";
  if (node.members.length === 0) return html`<div class="leaf">${label}${node.open}${close}</div>`;
  const open = found.has(node) || (chosen ?? level < 3);
  return html`<details open=${open} onToggle=${(event) => event.currentTarget.open !== open && choose(event.currentTarget.open)}>
    <summary>${label}${node === spot ? html`<mark class="place" title="The place of the trouble">${node.open}</mark>` : node.open} <span class="soft">${count(node.members.length, node.open === "{" ? "member" : "element")}</span> ${!open && close}</summary>
    ${
      open &&
      html`<div class="children">${node.members
        .slice(0, shown)
        .map(([key, member]) => html`<${Branch} name=${key} node=${member} word=${word} found=${found} spot=${spot} level=${level + 1} />`)}
      ${node.members.length > shown && html`<button onClick=${() => setShown(shown + STEP * 5)}>${count(node.members.length - shown, "more", "more")}</button>`}
    </div>${close}`
    }
  </details>`;
}

function Tree({ tree, word, spot }) {
  const found = useMemo(() => nodesWith(tree, word), [tree, word]);
  return html`<div class="tree json"><${Branch} node=${tree} word=${word} found=${found} spot=${spot} level=${0} /></div>`;
}

/**
 * A body: as received, or as a tree if it is JSON, with a search in it. `place` is what to mark: the offset of a `byte`, or the
 * number of one of its `events`.
 */
export function Body({ bytes, place }) {
  const [view, setView] = useState(place?.byte === undefined ? "tree" : "raw");
  const [word, setWord] = useState("");
  const text = useMemo(() => decode(bytes), [bytes]);
  const tree = useMemo(() => treeOf(text), [text]);
  const index = place?.byte === undefined ? undefined : decode(bytes.subarray(0, place.byte)).length;
  const spot = place?.event === undefined ? undefined : tree?.members?.find(([key]) => key === '"events"')?.[1].members?.[place.event]?.[1];
  if (bytes.length === 0) return html`<p class="soft">The body is empty.</p>`;
  const found = word ? text.toLowerCase().split(word.toLowerCase()).length - 1 : undefined;
  const shown = tree ? view : "raw";
  const pick = (name, says) => html`<button aria-pressed=${String(shown === name)} onClick=${() => setView(name)}>${says}</button>`;
  return html`
    <div class="tools">
      ${tree && html`<span class="segmented" role="group" aria-label="How the body is shown">${pick("tree", "Tree")}${pick("raw", "As received")}</span>`}
      <input type="search" placeholder="Find in the body" aria-label="Find in the body" value=${word} onInput=${(event) => setWord(event.currentTarget.value)} />
      <span class="small soft" role="status">${found !== undefined && count(found, "match", "matches")}</span>
      <span class="small soft">${size(bytes.length)}${!tree && ", not JSON"}</span>
      <${Copy} text=${text} what="Copy the body">Copy<//>
    </div>
    ${shown === "tree" ? html`<${Tree} tree=${tree} word=${word} spot=${spot} />` : html`<${Raw} text=${text} word=${word} place=${word ? undefined : index} />`}`;
}
