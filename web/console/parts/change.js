// Buttons that send something: a change, with a dialog before it; and what has a file saved. The browser follows an address
// that the service makes for a file, so nothing of it is held by the page.
import * as api from "../api.js";
import { mayChange, ROOT } from "../request.js";
import { html, useState } from "../vendor/preact.js";
import { Curl } from "./curl.js";
import { Dialog } from "./dialog.js";
import { Refused, useAction } from "./load.js";
import { Signs } from "./text.js";

/**
 * A button for a change, with a dialog before it. `typed` is the text that must be typed first, for what cannot be undone;
 * `call` makes the call, `done` gets its answer; `dismiss` is the label of the button that does nothing. A viewer does not see
 * the button.
 */
export function Change({ label, title, verb = label, bad = false, typed, typedWhat, call, calls, done, children, main = false, dismiss = "Cancel" }) {
  const [open, setOpen] = useState(false);
  const [text, setText] = useState("");
  const action = useAction(async (data) => {
    setOpen(false);
    await done?.(data);
  });
  if (!mayChange()) return null;
  const close = () => {
    setOpen(false);
    setText("");
    action.reset();
  };
  const ready = typed === undefined || text.trim() === typed;
  return html`<button class=${bad ? "bad" : main ? "main" : ""} onClick=${() => setOpen(true)}>${label}</button>
    ${
      open &&
      html`<${Dialog} title=${title} onClose=${close}>
      ${children}
      ${
        typed !== undefined &&
        html`<label class="field fields">
        <span>Type <code><${Signs} text=${typed} /></code>${typedWhat && `, ${typedWhat}`}</span>
        <input value=${text} autocomplete="off" spellcheck="false" onInput=${(event) => setText(event.currentTarget.value)} />
      </label>`
      }
      <${Refused} failure=${action.failure} />
      <div class="actions">
        <${Curl} calls=${calls ?? [call()]} />
        <button data-focus onClick=${close}>${dismiss}</button>
        <button class=${bad ? "bad" : "main"} disabled=${!ready || action.busy} onClick=${() => action.run(call())}>${action.busy ? "Working …" : verb}</button>
      </div>
    <//>`
    }`;
}

/** Has the browser save what an address answers. Whatever that is, it does not take the place of the page. */
function follow(address) {
  const link = document.createElement("a");
  link.href = new URL(address, ROOT).href;
  link.download = "";
  link.click();
}

/** A button that saves the answer of a call as a file. The audit log notes it as it notes the call. */
export function Download({ call, children }) {
  const action = useAction(({ address }) => follow(address));
  // Not disabled meanwhile, so that it keeps the focus.
  return html`<button type="button" aria-disabled=${String(Boolean(action.busy))} onClick=${() => action.busy || action.run(api.download(call))}>${children}</button>
    ${
      action.failure &&
      html`<${Dialog} title="Not saved" onClose=${action.reset}>
      <${Refused} failure=${action.failure} /><div class="actions"><button data-focus onClick=${action.reset}>Close</button></div><//>`
    }`;
}
