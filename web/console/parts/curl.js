// Each screen and each action as the curl commands that do the same.
import { addressOf } from "../api.js";
import { ROOT } from "../request.js";
import { html, useState } from "../vendor/preact.js";
import { Dialog } from "./dialog.js";
import { Copy, jsonText, signs } from "./text.js";

/** A text as one word of a shell. */
export const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** The command of a call. The name and the secret are variables, so that a copied line has no secret. */
export function curlOf(call) {
  const url = new URL(addressOf(call), ROOT).href;
  const lines = [`curl -u "$ROLLCALL_NAME:$ROLLCALL_SECRET"${call.method === "GET" ? "" : ` -X ${call.method}`} ${quoted(url)}`];
  const headers = { ...(call.accept && call.accept !== "*/*" ? { accept: call.accept } : {}), ...call.headers };
  if (call.method !== "GET") headers["content-type"] = "application/json";
  for (const [name, value] of Object.entries(headers)) lines.push(`-H ${quoted(`${name}: ${value}`)}`);
  if (call.body !== undefined) lines.push(`-d ${quoted(jsonText(call.body))}`);
  return lines.join(" \\\n     ");
}

/** Shows the commands of calls, and copies them. */
export function Curl({ calls = [] }) {
  const [open, setOpen] = useState(false);
  const text = calls.filter(Boolean).map(curlOf).join("\n");
  if (!text) return null;
  return html`<button type="button" onClick=${() => setOpen(true)}>Copy as curl</button>
    ${
      open &&
      html`<${Dialog} title="The same with curl" wide onClose=${() => setOpen(false)}>
      <p class="soft small">Set <code>ROLLCALL_NAME</code> and <code>ROLLCALL_SECRET</code> to the name and a secret of an operator in the settings.</p>
      <pre tabindex="0" aria-label="Commands">${signs(text, { lines: true })}</pre>
      <div class="actions"><${Copy} text=${text} what="Copy the commands">Copy<//><button data-focus onClick=${() => setOpen(false)}>Close</button></div>
    <//>`
    }`;
}
