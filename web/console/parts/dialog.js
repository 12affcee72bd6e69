// Dialogs. The focus is inside while one is open, and goes back afterwards.
import { html, useEffect, useId, useRef } from "../vendor/preact.js";

/** A dialog over the page, open as long as it is drawn. The focus starts on the element with `data-focus`. */
export function Dialog({ title, wide = false, onClose, children }) {
  const box = useRef();
  const name = useId();
  useEffect(() => {
    const from = /** @type {HTMLElement | null} */ (document.activeElement);
    box.current.showModal();
    box.current.querySelector("[data-focus]")?.focus();
    return () => from?.isConnected && from.focus();
  }, []);
  return html`<dialog ref=${box} class=${wide ? "wide" : ""} aria-labelledby=${name}
      onCancel=${(event) => {
        event.preventDefault();
        onClose();
      }}>
    <h2 id=${name}>${title}</h2>${children}
  </dialog>`;
}
