// Measures how fast the console is beside a large directory, and what it costs the others: `just console-speed`. It is no test:
// figures depend on the machine. The service, the load and the browser share the processors of this one.
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { Browser } from './browser.mjs';
import { ANN } from './program.mjs';
import { fill, homeIn, isFilled } from './speed/directory.mjs';
import { Sheet } from './speed/figures.mjs';
import { live, pages } from './speed/pages.mjs';
import { rates } from './speed/rates.mjs';

const { values } = parseArgs({
  options: {
    /** Number of app users. */
    users: { type: 'string', default: '1000000' },
    /** How long Live is measured. */
    minutes: { type: 'string', default: '10' },
    /** How often rates with and without consoles are measured, and how long each. */
    rounds: { type: 'string', default: '6' },
    seconds: { type: 'string', default: '5' },
    /** Only these parts. */
    only: { type: 'string', default: 'pages,live,rates' },
    /** A folder that keeps the directory for another run; a directory that is there already is used as it is. */
    folder: { type: 'string' },
  },
});
const [users, minutes, rounds, seconds] = ['users', 'minutes', 'rounds', 'seconds'].map((name) => {
  const number = Number(values[name]);
  if (!(number > 0)) throw new Error(`--${name} is no positive number: ${values[name]}`);
  return number;
});

/** Sends load from a thread of its own; gives how many requests were answered, and how many a second. */
function load(plan, counting = () => {}) {
  const worker = new Worker(new URL('./speed/load.mjs', import.meta.url));
  return new Promise((resolve, reject) => {
    worker.on('error', reject);
    worker.on('message', ({ answers, error }) => {
      if (error) reject(error);
      else if (answers === undefined) counting();
      else resolve({ answers, rate: answers / plan.seconds });
    });
    worker.postMessage({ ...plan, users, address: home.listen });
  }).finally(() => worker.terminate());
}

/** What a browser keeps of a session. */
async function session(browser) {
  const context = await browser.profile();
  await browser.signedIn(context, ANN);
  const state = await context.storageState();
  await context.close();
  return state;
}

const home = homeIn(values.folder);
let browser;
try {
  const ready = isFilled(home);
  await home.start();
  if (!ready) await fill(home, users);
  browser = await Browser.open(home);
  const sheet = new Sheet();
  const state = await session(browser);
  const parts = {
    pages: () => pages(browser, state, users, sheet),
    live: () => live(browser, state, load, minutes, sheet),
    rates: () => rates(browser, state, load, { rounds, seconds }, sheet),
  };
  for (const part of values.only.split(',')) await parts[part]();
  browser.noComplaints();
  console.log(`${users} app users; the service, the load and the browser share the processors\n`);
  sheet.print();
} finally {
  await browser?.close();
  await home.stop();
}
