// Saving files: the browser follows an address that the service makes for it, so nothing of a file is held by the page.
import * as api from "../api.js";
import { ROOT } from "../request.js";
import { html } from "../vendor/preact.js";
import { Dialog } from "./dialog.js";
import { Refused, useAction } from "./load.js";

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
