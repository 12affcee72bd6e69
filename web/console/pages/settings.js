// Settings: each key, its value, and where it is from; secrets as a number only.
import * as api from "../api.js";
import { Change } from "../parts/change.js";
import { Empty, Failed, useCall } from "../parts/load.js";
import { Badge, Head, Table } from "../parts/page.js";
import { jsonText, Signs, Value } from "../parts/text.js";
import { go, useTitle, withParams } from "../state.js";
import { html, useState } from "../vendor/preact.js";

const LAYERS = { default: "default", file: "file", environment: "environment", commandLine: "command line" };

/** Where a value is from: a file with its line, a variable, the command line, or the default. */
function From({ of: from }) {
  const at = from.file ? `${from.file}${from.line !== undefined ? `:${from.line}` : ""}` : from.variable;
  return html`${LAYERS[from.layer]}${at && html` <code class="long"><${Signs} text=${at} /></code>`}`;
}

const secretText = (set) => (set === 0 ? "none set" : `${set} set`);

export function Settings({ params }) {
  useTitle("Settings");
  const list = useCall(() => api.settings(), []);
  const [told, setTold] = useState();
  const word = (params.get("find") ?? "").toLowerCase();
  const all = list.data?.settings;
  const rows = all?.filter(({ key, means }) => key.toLowerCase().includes(word) || (means ?? "").toLowerCase().includes(word));
  const sections = [...new Set((rows ?? []).map(({ key }) => key.split(".")[0]))];
  /** @type {import("../calls").Column<import("../calls").Schema<"SettingsReport">["settings"][number]>[]} */
  const columns = [
    {
      name: "key",
      head: "Key",
      cell: (one) => html`<code>${one.key}</code>${one.means && html`<div class="soft small"><${Signs} text=${one.means} /></div>`}`,
    },
    {
      name: "value",
      head: "Value",
      cell: (one) => (one.secret ? html`<span class="soft">${secretText(one.secret.set)}</span>` : html`<${Value} of=${one.value} />`),
    },
    {
      name: "default",
      head: "Default",
      cell: (one) =>
        one.default !== undefined && jsonText(one.default) !== jsonText(one.value) && html`<span class="soft"><${Value} of=${one.default} /></span>`,
    },
    { name: "from", head: "From", cell: (one) => html`<span class="small"><${From} of=${one.from} /></span>` },
    { name: "restart", head: "Change", cell: (one) => (one.restart ? html`<${Badge}>restart<//>` : html`<${Badge}>reload<//>`) },
  ];
  return html`<${Head} title="Settings" sub="As files and environment have them; a reload puts them in force" calls=${[api.settings()]}
      actions=${
        list.data &&
        html`<${Change} label="Reload" title="Read the settings again?" call=${() => api.reload()} done=${(data) => {
          setTold(data);
          list.again();
        }}>
        <p>Files and environment are read again, as after SIGHUP. With a problem in them nothing changes.</p><//>`
      } />
    ${
      told &&
      html`<div class="notice good" role="status"><p><strong>Read again.</strong> ${told.changed.length ? html`Changed: ${told.changed.map((key) => html`<code><${Signs} text=${String(key)} /></code> `)}` : "Nothing had changed."}
      ${told.needRestart.length > 0 && html` Only after a restart: ${told.needRestart.map((key) => html`<code><${Signs} text=${String(key)} /></code> `)}`}</p></div>`
    }
    ${
      list.data?.problems.length > 0 &&
      html`<div class="notice bad"><p><strong>A reload would be refused.</strong></p><ul>${list.data.problems.map(
        ({ key, from, text }) =>
          html`<li>${key && html`<code><${Signs} text=${key} /></code> `}<${Signs} text=${text} /> <span class="small soft"><${From} of=${from} /></span></li>`,
      )}</ul></div>`
    }
    ${list.failure && html`<${Failed} of=${list} what="The settings" />`}
    <div class="filters"><label class="words"><span class="visually-hidden">Find a setting</span><input type="search" data-search placeholder="Find a setting" value=${params.get("find") ?? ""}
      onInput=${(event) => go(withParams({ find: event.currentTarget.value }), { replace: true })} /></label></div>
    ${rows?.length === 0 && html`<${Empty} title="No such setting">No key and no explanation has this word.<//>`}
    ${sections.map(
      (section) => html`<section key=${section}><h2><code>[${section}]</code></h2>
      <${Table} label=${section} columns=${columns} fixed rows=${rows.filter(({ key }) => key.split(".")[0] === section)} keyOf=${({ key }) => key} linked=${false} /></section>`,
    )}
    ${!rows && !list.failure && html`<${Table} label="Settings" columns=${columns} busy />`}`;
}
