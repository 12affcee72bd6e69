// Buttons that change something, each with its dialog.
import { mayChange } from "../request.js";
import { html, useState } from "../vendor/preact.js";
import { Curl } from "./curl.js";
import { Dialog } from "./dialog.js";
import { Refused, useAction } from "./load.js";
import { Signs } from "./text.js";

/**
 * A button for a change, with a dialog before it. `typed` is the text that must be typed first, for what cannot be undone;
 * `call` makes the call, `done` gets its answer. A viewer does not see the button.
 */
export function Change({ label, title, verb = label, bad = false, typed, typedWhat, call, calls, done, children, main = false }) {
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
        <button data-focus onClick=${close}>Cancel</button>
        <button class=${bad ? "bad" : "main"} disabled=${!ready || action.busy} onClick=${() => action.run(call())}>${action.busy ? "Working …" : verb}</button>
      </div>
    <//>`
    }`;
}
