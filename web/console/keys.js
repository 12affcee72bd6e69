// The keyboard: single keys, never inside a field and never with Ctrl, Alt or Meta; one switch turns them off.
import { Dialog } from "./parts/dialog.js";
import { go, href, kept, store } from "./state.js";
import { html, useEffect } from "./vendor/preact.js";

/** Whether single keys do something. */
export const singleKeys = kept("keys", true);

const helpOpen = store(false);

/** What `p` does on the present page. */
const pausing = store(null);

/** Gives `p` to a page as long as it is drawn. */
export function usePauseKey(toggle) {
  useEffect(() => {
    pausing.set(toggle);
    return () => pausing.get() === toggle && pausing.set(null);
  }, [toggle]);
}

/** Pages by the letter after `g`. */
export const PLACES = {
  o: ["Overview", []],
  u: ["Users", ["users"]],
  m: ["Merge", ["merge"]],
  e: ["Events", ["events"]],
  l: ["Live", ["live"]],
  q: ["Quarantine", ["quarantine"]],
  j: ["Jobs", ["jobs"]],
  h: ["Health", ["health"]],
  b: ["Backups", ["backups"]],
  s: ["Settings", ["settings"]],
  a: ["Audit", ["audit"]],
};

function moveInRows(step) {
  const rows = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("main [data-rows] a.row")]);
  if (!rows.length) return;
  const at = rows.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  const next = at < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + step));
  rows[next].focus();
}

/** When `g` was pressed, if the key before was `g`. */
let gPressed = null;

function pressed(event) {
  const { key, target } = event;
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || !singleKeys.get()) return;
  if (target.closest("input, textarea, select, [contenteditable]")) {
    if (key === "Escape") target.blur();
    return;
  }
  if (document.querySelector("dialog[open]")) return;
  const afterG = gPressed !== null && event.timeStamp - gPressed < 1500;
  gPressed = null;
  if (afterG && PLACES[key]) {
    const params = new URLSearchParams(location.hash.split("?")[1] ?? "");
    go(href(PLACES[key][1], { app: params.get("app") }));
  } else if (key === "g") gPressed = event.timeStamp;
  else if (key === "/") /** @type {HTMLElement | null} */ (document.querySelector("main [data-search]") ?? document.querySelector("[data-search]"))?.focus();
  else if (key === "?") helpOpen.set(true);
  else if (key === "j") moveInRows(1);
  else if (key === "k") moveInRows(-1);
  else if (key === "p" && pausing.get()) pausing.get()();
  else return;
  event.preventDefault();
}

/** The help, and the switch. */
export function Keys() {
  const [open, on] = [helpOpen.use(), singleKeys.use()];
  useEffect(() => {
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
  const line = (keys, says) => html`<tr><td>${keys.split(" ").map((key) => html`<kbd>${key}</kbd> `)}</td><td>${says}</td></tr>`;
  return html`<button class="plain" onClick=${() => helpOpen.set(true)}>Keys</button>
    ${
      open &&
      html`<${Dialog} title="Keys" onClose=${() => helpOpen.set(false)}>
      <label class="check"><input type="checkbox" checked=${on} onChange=${() => singleKeys.set(!on)} />Single keys do something</label>
      <table><tbody>
        ${line("/", "search")}${line("j k", "next and previous row")}${line("Enter", "open the row")}
        ${line("p", "pause or follow, in Live")}${line("Esc", "close, or leave a field")}${line("?", "this help")}
        ${Object.entries(PLACES).map(([key, [says]]) => line(`g ${key}`, says))}
      </tbody></table>
      <div class="actions"><button data-focus onClick=${() => helpOpen.set(false)}>Close</button></div>
    <//>`
    }`;
}
