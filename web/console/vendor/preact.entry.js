// What `npm run vendor` makes vendor/preact.js of.
import htm from "htm";
import { h } from "preact";

export { Component, createContext, Fragment, h, render } from "preact";
export { useCallback, useContext, useEffect, useId, useLayoutEffect, useMemo, useReducer, useRef, useState } from "preact/hooks";

/** Makes elements of a template: html`<p class="x">${text}</p>`. */
export const html = htm.bind(function make(...element) {
  // htm would keep an element without values for its next use, and Preact's element leads to the whole page it was once part of.
  this[0] = 3;
  return h(...element);
});
