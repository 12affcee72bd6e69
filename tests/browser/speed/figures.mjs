// Figures of processes, and the sheet of goals that they are held to.
import { readdirSync, readFileSync } from 'node:fs';

export const pause = (ms) => new Promise((over) => { setTimeout(over, ms); });

export function median(figures) {
  const sorted = [...figures].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** The fields of a process in /proc after its name, or none. */
function statOf(pid) {
  try {
    const [, name, rest] = /\((.*)\) (.*)/s.exec(readFileSync(`/proc/${pid}/stat`, 'latin1'));
    return { name, fields: rest.split(' ') };
  } catch {
    return { fields: [] };
  }
}

/** Processor time of a process, in seconds. */
export const processorTime = (pid) => (Number(statOf(pid).fields[11] ?? 0) + Number(statOf(pid).fields[12] ?? 0)) / 100;

/** Resident memory of a process, in MB. */
export const memory = (pid) => (Number(/VmRSS:\s*(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))[1]) * 1024) / 1e6;

/** Processor time of the browser that this process started, in seconds. */
export function browserTime() {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map((pid) => ({ pid, ...statOf(pid) }));
  const ours = new Set([String(process.pid)]);
  // A parent may stand behind its child in the list.
  for (let before = 0; before < ours.size; ) {
    before = ours.size;
    for (const { pid, fields } of all) if (ours.has(fields[1])) ours.add(pid);
  }
  return all.filter(({ pid, name }) => ours.has(pid) && name?.startsWith('chrom')).reduce((sum, { pid }) => sum + processorTime(pid), 0);
}

/** Goals, each with its figure and whether it holds. */
export class Sheet {
  rows = [];

  #add(what, goal, figure, holds, unit) {
    const row = [what, goal, Math.abs(figure) < 10 ? figure.toFixed(3) : figure.toFixed(0), holds ? 'yes' : 'NO', unit];
    this.rows.push(row);
    console.error(`${what}: ${row[2]} ${unit}`);
  }

  atMost(what, goal, figure, unit) {
    this.#add(what, `<= ${goal}`, figure, figure <= goal, unit);
  }

  atLeast(what, goal, figure, unit) {
    this.#add(what, `>= ${goal}`, figure, figure >= goal, unit);
  }

  /** A ratio that is one, or almost. */
  within(what, share, figure, unit) {
    this.#add(what, `1 +- ${share}`, figure, Math.abs(figure - 1) <= share, unit);
  }

  print() {
    const wide = Math.max(...this.rows.map(([what]) => what.length));
    console.log(`${''.padEnd(wide)}  ${'goal'.padEnd(10)}${'figure'.padStart(8)}  holds`);
    for (const [what, goal, figure, holds, unit] of this.rows) console.log(`${what.padEnd(wide)}  ${goal.padEnd(10)}${figure.padStart(8)}  ${holds.padEnd(5)}  ${unit}`);
  }
}
