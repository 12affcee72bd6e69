// What open consoles cost the others: rates of webhooks and look-ups with five of them and without, in turn.
import { settled } from '../browser.mjs';
import { ANN, APP } from '../program.mjs';
import { browserTime, median, memory, pause, processorTime } from './figures.mjs';

const CONSOLES = ['#/live', '#/live', '#/live', '#/', '#/users?sort=-lastSeen'];
/** So often Overview asks again while events arrive, and somebody turns a page of Users. */
const EVERY = 2000;

/** Five browsers that each show the console, all on this machine. */
class Browsers {
  static async ready(browser, storageState) {
    const it = new Browsers();
    it.browser = browser;
    it.pages = [];
    for (const hash of CONSOLES) it.pages.push({ hash, page: await (await browser.profile({ storageState })).newPage() });
    return it;
  }

  async open() {
    await Promise.all(this.pages.map(async ({ hash, page }) => {
      await page.goto(`${this.browser.home.console}${hash}`);
      await page.locator('.shell').waitFor();
      if (!hash.startsWith('#/users')) return;
      await settled(page);
      await page.evaluate((every) => {
        setInterval(() => [...document.querySelectorAll('main .under a.button')].find((link) => link.textContent === 'Next')?.click(), every);
      }, EVERY);
    }));
  }

  close() {
    return Promise.all(this.pages.map(({ page }) => page.goto('about:blank')));
  }
}

/** The calls of five consoles without the browsers, as if these ran on other machines. */
class Calls {
  constructor(home) {
    this.home = home;
  }

  async get(path, read) {
    const headers = { authorization: `Basic ${Buffer.from(ANN.join(':')).toString('base64')}` };
    const answer = await fetch(`http://${this.home.admin_listen}/${path}`, { headers, signal: this.abort.signal });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return read(answer);
  }

  open() {
    this.abort = new AbortController();
    const { signal } = this.abort;
    const stream = () => this.get('journal/tail', async ({ body }) => {
      for await (const _ of body) if (signal.aborted) return;
    });
    const again = async (act) => {
      while (!signal.aborted) {
        await act();
        await pause(EVERY);
      }
    };
    const json = (path) => this.get(path, (answer) => answer.json());
    const overview = () => Promise.all(['apps', 'stats?step=minute', 'quarantine?limit=1', 'journal?limit=8'].map(json));
    let after = '';
    const users = async () => {
      const page = await json(`v1/apps/${APP}/appusers?sort=-lastSeen&limit=50${after}`);
      after = page.hasMore ? `&after=${encodeURIComponent(page.after)}` : '';
    };
    // Overview follows the journal as well.
    const all = [stream(), stream(), stream(), stream(), again(overview), again(users)];
    this.ended = Promise.all(all.map((one) => one.catch((error) => {
      if (!signal.aborted) throw error;
    })));
  }

  close() {
    this.abort.abort();
    return this.ended;
  }
}

/** The rate of one load, and what it took of the processors: of the service for a request, of the browser in a second. */
async function measure(home, load, plan) {
  let before;
  const counting = () => {
    before = [processorTime(home.child.pid), browserTime()];
  };
  const { answers, rate } = await load(plan, counting);
  const [service, browser] = [processorTime(home.child.pid) - before[0], browserTime() - before[1]];
  return { rate, cost: (service / answers) * 1e6, browser: browser / plan.seconds, memory: memory(home.child.pid) };
}

/** Measures in turn, the order turned round each time. */
async function inTurn(home, consoles, load, plan, rounds) {
  const measured = { with: [], without: [] };
  let now = 'without';
  for (let round = 0; round < rounds; round += 1) {
    for (const which of round % 2 ? ['without', 'with'] : ['with', 'without']) {
      if (which !== now) await (which === 'with' ? consoles.open() : consoles.close());
      now = which;
      await pause(500);
      measured[which].push(await measure(home, load, plan));
    }
  }
  if (now === 'with') await consoles.close();
  return measured;
}

/** The rates with and without in one line, and what each of the processes took. */
function said(measured) {
  const middle = (which, name) => median(measured[which].map((one) => one[name]));
  const ratios = measured.with.map((one, n) => (one.rate / measured.without[n].rate).toFixed(2)).join(' ');
  return `${Math.round(middle('with', 'rate'))} of ${Math.round(middle('without', 'rate'))} requests/s (${ratios}); the service ${middle('with', 'cost').toFixed(0)} us for a request, ${middle('without', 'cost').toFixed(0)} without; the browser ${middle('with', 'browser').toFixed(2)} processors`;
}

export async function rates(browser, storageState, load, { rounds, seconds }, sheet) {
  const { home } = browser;
  const of = (kind, connections, warmUp = 1.5) => ({ kind, connections, warmUp, seconds });
  // Until the caches of the service are as large as they get.
  await measure(home, load, of('webhooks', 64, 15));
  const before = memory(home.child.pid);
  const [browsers, calls] = [await Browsers.ready(browser, storageState), new Calls(home)];
  for (const [what, goal, consoles, kind, connections] of [
    ['ingest with five consoles keeps its rate', 0.95, browsers, 'webhooks', 64],
    ['ingest with the calls of five consoles alone', 0.95, calls, 'webhooks', 64],
    ['look-ups with five consoles keep their rate', 0.9, browsers, 'lookUps', 8],
    ['look-ups with the calls of five consoles alone', 0.9, calls, 'lookUps', 8],
  ]) {
    const measured = await inTurn(home, consoles, load, of(kind, connections), rounds);
    sheet.atLeast(what, goal, median(measured.with.map((one, n) => one.rate / measured.without[n].rate)), said(measured));
    if (consoles !== browsers || kind !== 'webhooks') continue;
    const most = (which) => Math.max(...measured[which].map((one) => one.memory)).toFixed(0);
    sheet.atMost('memory of the service with five consoles, less that without', 8, median(measured.with.map((one, n) => one.memory - measured.without[n].memory)),
      `MB; ${before.toFixed(0)} before the first one, at most ${most('with')} with them, ${most('without')} without`);
  }
}
