// Backups: those in `backup.folder`, how old the last one is, and one more.
import * as api from "../api.js";
import { Change } from "../parts/change.js";
import { quoted } from "../parts/curl.js";
import { Followed } from "../parts/job.js";
import { Empty, Failed, useCall } from "../parts/load.js";
import { Badge, Head, Table } from "../parts/page.js";
import { Copy, Id, Signs } from "../parts/text.js";
import { Ago, size, Time, TimeHead } from "../parts/time.js";
import { useTitle } from "../state.js";
import { html, useState } from "../vendor/preact.js";

export function Backups() {
  useTitle("Backups");
  const list = useCall(() => api.backups(), [], { every: 15_000 });
  const [job, setJob] = useState();
  const backups = list.data?.backups;
  const newest = backups
    ?.filter(({ ignored }) => !ignored)
    .map(({ time }) => time)
    .filter(Boolean)
    .sort()
    .at(-1);
  /** @type {import("../calls").Column<import("../calls").Schema<"Backups">["backups"][number]>[]} */
  const columns = [
    { name: "name", head: "Name", cell: (backup) => html`<${Id} of=${backup.name} />` },
    { name: "time", head: html`<${TimeHead}>Made<//>`, kind: "time", cell: (backup) => html`<${Time} of=${backup.time} />` },
    { name: "bytes", head: "Size", kind: "n", cell: (backup) => backup.bytes !== undefined && size(backup.bytes) },
    {
      name: "verified",
      head: html`<${TimeHead}>Verified<//>`,
      kind: "time",
      cell: (backup) => (backup.ignored ? html`<${Badge} kind="warn"><${Signs} text=${backup.ignored} /><//>` : html`<${Time} of=${backup.verified} />`),
    },
    { name: "checksum", head: "Checksum", cell: (backup) => backup.checksum && html`<${Id} of=${backup.checksum} />` },
    {
      name: "actions",
      head: html`<span class="visually-hidden">Actions</span>`,
      cell: (
        backup,
      ) => html`<${Change} label="Verify" title=${html`Check <${Signs} text=${backup.name} />?`} call=${() => api.verifyBackup(backup.name)} done=${setJob}>
      <p>Every page of the file is read, and its contents are compared with each other. The service goes on meanwhile.</p><//>`,
    },
  ];
  const restore = (name) => `rollcall verify ${quoted(name)}\nrollcall restore --replace ${quoted(name)}`;
  return html`<${Head} title="Backups" calls=${[api.backups()]}
      sub=${list.data && html`${newest ? html`The last one was made <${Ago} time=${newest} />` : "None was made yet"}${list.data.next && html`; the next one is due <${Ago} time=${list.data.next} />`}`}
      actions=${
        list.data &&
        html`<${Change} label="Make a backup" title="Make a backup?" main call=${() => api.makeBackup()} done=${setJob}>
        <p>The whole database is copied to <code>backup.folder</code> and checked, while the service goes on.</p><//>`
      } />
    ${job && html`<${Followed} key=${job.id} id=${job.id} ended=${() => list.again()} />`}
    ${list.failure && html`<${Failed} of=${list} what="The list of backups" />`}
    ${
      backups?.length === 0
        ? html`<${Empty} title="No backups">Set <code>backup.folder</code> and <code>backup.every</code> for one at regular times, or make one here.<//>`
        : !list.failure &&
          html`<${Table} label="Backups" columns=${columns} rows=${backups} keyOf=${({ name }) => name} linked=${false} busy=${list.loading} />`
    }
    ${
      backups?.length > 0 &&
      html`<section><h2>To restore one</h2><p class="soft">This is done by commands, in <code>backup.folder</code> and with the service stopped.</p>
      <pre tabindex="0" aria-label="Commands">${restore(backups[0].name)}</pre><p><${Copy} text=${restore(backups[0].name)} what="Copy the commands">Copy<//></p></section>`
    }`;
}
