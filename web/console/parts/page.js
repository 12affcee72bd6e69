// The frame of a page: its heading, actions and tabs; and the table.
import { withParams } from "../state.js";
import { Component, html, useEffect, useRef } from "../vendor/preact.js";
import { Curl } from "./curl.js";
import { number } from "./time.js";

/** The heading of a page. The focus goes to it when the page changes. */
export function Head({ title, sub, actions, calls = [] }) {
  const heading = useRef();
  useEffect(() => {
    const { activeElement } = document;
    if (!activeElement || activeElement === document.body || !activeElement.closest("dialog, main")) heading.current.focus({ preventScroll: true });
    scrollTo(0, 0);
  }, []);
  return html`<header class="head">
    <div class="title"><h1 tabindex="-1" ref=${heading}>${title}</h1>${sub && html`<p>${sub}</p>`}</div>
    <div class="actions">${actions}<${Curl} calls=${calls} /></div>
  </header>`;
}

/**
 * A button that shows a menu. Its content is told with `ask`, which makes the handler of a button that opens a dialog: the menu
 * is closed, and the focus is on its button when the dialog takes it.
 */
export function Menu({ says, children }) {
  const ask = (open) => (event) => {
    const menu = event.currentTarget.closest("details");
    menu.open = false;
    menu.querySelector("summary").focus();
    open();
  };
  return html`<details class="menu-of"><summary class="button">${says}</summary><div class="adding">${children(ask)}</div></details>`;
}

/** Tabs of a page, in its address as `tab`; the first one is meant where the address names none. */
export function Tabs({ tabs, now, label }) {
  return html`<nav class="tabs" aria-label=${label}>${tabs.map(
    ([name, says], n) => html`<a href=${withParams({ tab: n === 0 ? null : name, after: null })} aria-current=${name === now ? "page" : undefined}>${says}</a>`,
  )}</nav>`;
}

/** A row of a table. One that is `still` is drawn anew only if it is another row, or has other columns. */
class Row extends Component {
  shouldComponentUpdate({ row, columns, still }) {
    return !still || row !== this.props.row || columns.length !== this.props.columns.length;
  }

  render({ row, columns, linked }) {
    return html`<tr class=${linked ? "linked" : undefined}>${columns.map((column) => html`<td class=${column.kind}>${column.cell(row)}</td>`)}</tr>`;
  }
}

/**
 * A table. A column is `{name, head, cell, kind, sort}`: `kind` is the class of its cells, `sort` the order that its head leads
 * to. `busy` while other rows are awaited; without any rows yet there are grey ones. `fixed`: tables one below the other have
 * the same columns. `still`: a row never changes.
 */
export function Table({ label, columns, rows, keyOf, linked = true, busy = false, sort, fixed = false, still = false, ghosts = 10 }) {
  return html`<div class="progress ${busy ? "on" : ""}"></div>
    <div class="scroll" tabindex="0" role="region" aria-label=${label}><table class=${fixed ? "fixed" : undefined} aria-busy=${String(busy)}>
      <caption class="visually-hidden">${label}</caption>
      <thead><tr>${columns.map((column) => html`<${HeadCell} column=${column} sort=${sort} />`)}</tr></thead>
      <tbody data-rows>${
        rows
          ? rows.map((row) => html`<${Row} key=${keyOf(row)} row=${row} columns=${columns} linked=${linked} still=${still} />`)
          : Array.from({ length: ghosts }, () => html`<tr class="ghost" aria-hidden="true">${columns.map(() => html`<td>.</td>`)}</tr>`)
      }
      </tbody>
    </table></div>`;
}

function HeadCell({ column, sort }) {
  if (!column.sort) return html`<th scope="col" class=${column.kind}>${column.head}</th>`;
  const [up, down] = [column.sort, `-${column.sort}`];
  const order = sort === up ? "ascending" : sort === down ? "descending" : undefined;
  const next = sort === down ? up : down;
  return html`<th scope="col" class=${column.kind} aria-sort=${order}>
    <a href=${withParams({ sort: next, after: null })} title=${`Sort ${next === up ? "up" : "down"}`}>${column.head}${order && html` <span aria-hidden="true">${order === "ascending" ? "↑" : "↓"}</span>`}</a></th>`;
}

/** Sizes of a page. */
export const SIZES = [25, 50, 100, 200];

/** A state beside a text that says the same. */
export const Badge = ({ kind = "", children }) => html`<span class=${`badge ${kind}`}>${children}</span>`;

/** A number with a caption under a heading. */
export const Pairs = ({ of: pairs }) =>
  html`<dl class="pairs">${pairs
    .filter(([, value]) => value !== undefined && value !== null && value !== false)
    .map(([name, value]) => html`<dt>${name}</dt><dd>${typeof value === "number" ? number(value) : value}</dd>`)}</dl>`;
