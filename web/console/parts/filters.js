// The filters of a list: words, and a chip for each condition; all of them are in the address.
import { go, withParams } from "../state.js";
import { html, useEffect, useState } from "../vendor/preact.js";
import { Icon, Signs } from "./text.js";

/** The value of a field, by the kind of the filter. */
function Input({ filter, value, set }) {
  const on = (event) => set(event.currentTarget.value);
  if (filter.options) {
    return html`<select value=${value} onChange=${on}><option value="">choose</option>${filter.options.map((one) => html`<option value=${one}>${filter.labels?.[one] ?? one}</option>`)}</select>`;
  }
  if (filter.type === "time") return html`<input value=${value} placeholder="2026-11-30 or …T08:00:00Z" size="26" onInput=${on} />`;
  return html`<input value=${value} autocomplete="off" onInput=${on} />`;
}

/** A filter that is being added or changed. */
function Editing({ all, edited, change, close }) {
  const [name, setName] = useState(edited.name ?? all[0].name);
  const [key, setKey] = useState(edited.key ?? "");
  const [value, setValue] = useState(edited.value ?? "");
  const filter = all.find((one) => one.name === name);
  const keyed = name.endsWith(".KEY");
  const done = (event) => {
    event.preventDefault();
    if (value === "" || (keyed && key === "")) return;
    const changes = edited.at ? { [edited.at]: null } : {};
    go(change({ ...changes, [keyed ? name.replace("KEY", key) : name]: value, after: null }));
    close();
  };
  return html`<form class="adding" onSubmit=${done}>
    <label class="field"><span>Filter</span><select value=${name} onChange=${(event) => {
      setName(event.currentTarget.value);
      setValue("");
    }}>
      ${all.map((one) => html`<option value=${one.name}>${one.says}</option>`)}</select></label>
    ${keyed && html`<label class="field"><span>Key</span><input value=${key} autocomplete="off" onInput=${(event) => setKey(event.currentTarget.value)} /></label>`}
    <label class="field"><span>Value</span><${Input} filter=${filter} value=${value} set=${setValue} /></label>
    <button class="main">Apply</button><button type="button" onClick=${close}>Cancel</button>
  </form>`;
}

/**
 * Shows filters and changes them. `all` has `{name, says, options?, type?}`; a name that ends in `.KEY` takes any key. `now` is
 * what is in force; `words` names the filter of the search field; `why` says what is wrong with one of them; `change` gives the
 * address with other ones.
 */
export function Filters({ all, now, words, placeholder, why, change = withParams }) {
  const [editing, setEditing] = useState();
  const [text, setText] = useState(words ? (now[words] ?? "") : "");
  useEffect(() => setText(words ? (now[words] ?? "") : ""), [words && now[words]]);
  const of = (name) => all.find((one) => one.name === name || (one.name.endsWith(".KEY") && name.startsWith(one.name.slice(0, -3))));
  const chips = Object.entries(now).filter(([name]) => name !== words && of(name));
  const faulty = why && chips.find(([name]) => why.includes(name))?.[0];
  const edit = (name, value) => {
    const filter = of(name);
    setEditing({ at: name, name: filter.name, key: filter.name.endsWith(".KEY") ? name.slice(filter.name.length - 3) : undefined, value });
  };
  const find = (event) => {
    event.preventDefault();
    go(change({ [words]: text.trim(), after: null }));
  };
  const others = all.filter(({ name }) => name !== words);
  return html`
    <div class="filters" role="search" aria-label="Filters">
      ${
        words &&
        html`<form class="words" onSubmit=${find}><input type="search" data-search aria-label=${placeholder} placeholder=${placeholder} value=${text}
        onInput=${(event) => {
          setText(event.currentTarget.value);
          if (event.currentTarget.value === "" && now[words]) go(change({ [words]: null, after: null }));
        }} /></form>`
      }
      ${chips.map(
        ([name, value]) => html`<span class="chip">
        <button class="value" aria-invalid=${name === faulty ? "true" : undefined} onClick=${() => edit(name, value)}><b>${of(name).says}${of(name).name.endsWith(".KEY") && html` <${Signs} text=${name.slice(of(name).name.length - 3)} />`}:</b> <${Signs} text=${of(name).labels?.[value] ?? value} /></button>
        <a class="drop button plain" href=${change({ [name]: null, after: null })} title="Drop this filter"><${Icon} name="close" /><span class="visually-hidden">Drop ${of(name).says}</span></a></span>`,
      )}
      ${others.length > 0 && html`<button aria-expanded=${String(Boolean(editing))} onClick=${() => setEditing(editing ? undefined : {})}><${Icon} name="plus" />Filter</button>`}
    </div>
    ${editing && html`<${Editing} key=${editing.at ?? ""} all=${others} edited=${editing} change=${change} close=${() => setEditing()} />`}
    ${why && html`<div class="notice bad" role="alert"><p><${Signs} text=${why} /></p></div>`}`;
}
