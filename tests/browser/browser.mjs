// A browser in front of the console. Whatever it complains of fails the script: a policy report, an error in its console,
// an unhandled rejection, a request that the program does not describe.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const { PATH, ROLLCALL_SCREENSHOTS: pictures, ROLLCALL_CONSOLE_FOLDER: folder } = process.env;
const executablePath = PATH.split(':').map((folder) => join(folder, 'chromium')).find((path) => existsSync(path));

/** Chromium notes each answer that is an error, and each connection that breaks off; the scripts cause some. */
const EXPECTED = /Failed to load resource: (the server responded with a status of (400|401|403|404|409|410|412|429|502|503)|net::ERR_(CONNECTION|INCOMPLETE|EMPTY|ABORTED|FAILED|SOCKET|INTERNET|NETWORK))/;

/** The calls of the document: method, pattern of the path, names of the parameters. */
async function callsOf(home) {
  const spec = await (await fetch(`http://${home.listen}/openapi.json`)).json();
  const resolve = (value) => (value?.$ref ? resolve(value.$ref.slice(2).split('/').reduce((at, part) => at[part.replaceAll('~1', '/')], spec)) : value);
  return Object.entries(spec.paths).flatMap(([path, item]) => Object.entries(item).filter(([method]) => ['get', 'post', 'put', 'patch', 'delete'].includes(method)).map(([method, call]) => ({
    method: method.toUpperCase(),
    path: new RegExp(`^${path.replace(/[.+]/g, '\\$&').replace('{file}', '.+').replace(/\{[^}]+\}/g, '[^/]+')}$`),
    names: [...(item.parameters ?? []), ...(call.parameters ?? [])].map(resolve).filter((one) => one.in === 'query').map(({ name }) => name),
  })));
}

const TYPES = { js: 'text/javascript', css: 'text/css', svg: 'image/svg+xml' };

/** With ROLLCALL_CONSOLE_FOLDER the files of that folder are shown in place of the program's: changes without a build. */
async function serveFromFolder(route) {
  const answer = await route.fetch();
  const name = new URL(route.request().url()).pathname.replace(/^.*\/console\/[0-9a-f]{16}\//, '');
  await route.fulfill({ response: answer, status: 200, contentType: TYPES[name.split('.').at(-1)], body: readFileSync(join(folder, name)) });
}

export class Browser {
  static async open(home) {
    const it = new Browser();
    it.home = home;
    it.calls = await callsOf(home);
    it.complaints = [];
    it.chromium = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run', '--host-resolver-rules=MAP evil.test 127.0.0.1'] });
    return it;
  }

  /** A fresh profile: its tabs share a session. */
  async profile(options = {}) {
    const context = await this.chromium.newContext({ viewport: { width: 1280, height: 900 }, locale: 'en-GB', timezoneId: 'Europe/Berlin', reducedMotion: 'reduce', ...options });
    context.setDefaultTimeout(15_000);
    await context.addInitScript(() => {
      addEventListener('securitypolicyviolation', (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
      addEventListener('unhandledrejection', (event) => console.error(`unhandled: ${event.reason?.stack ?? event.reason}`));
      // How many calls are not answered yet, streams apart.
      const send = globalThis.fetch;
      globalThis.callsUnderWay = 0;
      globalThis.fetch = async (url, options) => {
        const counts = !String(url).includes('/tail') && !options?.signal?.aborted;
        if (counts) globalThis.callsUnderWay += 1;
        try {
          return await send(url, options);
        } finally {
          if (counts) setTimeout(() => { globalThis.callsUnderWay -= 1; }, 20);
        }
      };
    });
    context.on('page', (page) => this.watch(page));
    if (folder) await context.route(/\/console\/[0-9a-f]{16}\//, serveFromFolder);
    return context;
  }

  watch(page) {
    page.on('console', (message) => message.type() === 'error' && !EXPECTED.test(message.text()) && this.complaints.push(`${page.url()}: ${message.text()}`));
    page.on('pageerror', (error) => this.complaints.push(`${page.url()}: ${error.stack}`));
    page.on('request', (request) => {
      const url = new URL(request.url());
      if (url.protocol === 'blob:' || page.url() === 'about:blank') return;
      if (url.host !== this.home.admin_listen) {
        if (url.hostname === '127.0.0.1') return;
        this.complaints.push(`asks ${url.host}`);
        return;
      }
      const described = this.calls.some(({ method, path, names }) => method === request.method() && path.test(url.pathname) &&
        [...url.searchParams.keys()].every((name) => names.includes(name) || (names.includes('property.KEY') && name.startsWith('property.'))));
      if (!described) this.complaints.push(`not in the document: ${request.method()} ${url.pathname}${url.search}`);
    });
  }

  /** A tab that has signed in with a name and a secret. */
  async signedIn(context, [name, secret], hash = '') {
    const page = await context.newPage();
    await page.goto(`${this.home.console}${hash}`);
    await page.getByLabel('Name').fill(name);
    await page.getByLabel('Secret').fill(secret);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.locator('.shell').waitFor();
    return page;
  }

  noComplaints() {
    assert.deepEqual(this.complaints, []);
  }

  async close() {
    await this.chromium.close();
  }
}

/** Goes to a screen within the console, and waits until it has loaded. */
export async function visit(page, hash) {
  await page.evaluate((to) => { location.hash = to; }, hash);
  await settled(page);
}

/** Waits until nothing on the page is being loaded, for some frames in a row. */
export async function settled(page) {
  await page.evaluate(async () => {
    const frame = () => new Promise((next) => requestAnimationFrame(next));
    const still = () => globalThis.callsUnderWay === 0 && document.querySelector('h1') && !document.querySelector('main [aria-busy="true"]');
    for (let calm = 0, until = Date.now() + 15_000; calm < 4; calm = still() ? calm + 1 : 0) {
      if (Date.now() > until) throw new Error(`still loading: ${location.hash}`);
      await frame();
    }
  });
}

/** axe finds nothing, nothing scrolls sideways, and no value is written as a mistake. `foreign`: the page may show any text. */
export async function checkPage(page, name, { foreign = false } = {}) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(wide, 0, `${name} scrolls sideways`);
  if (!(await page.evaluate(() => Boolean(globalThis.axe)))) await page.evaluate(axe);
  const violations = await page.evaluate(async () => (await globalThis.axe.run(document, { resultTypes: ['violations'] })).violations
    .map(({ id, nodes }) => `${id}: ${nodes.length} times, first ${nodes[0].html.slice(0, 200)} ${nodes[0].failureSummary}`));
  assert.deepEqual(violations, [], name);
  if (foreign) return;
  const text = await page.innerText('body');
  assert.doesNotMatch(text, /\[object |\bundefined\b|\bNaN\b|Invalid Date/, name);
}

/** A picture for whoever looks at the pages; ROLLCALL_SCREENSHOTS names the folder. */
export async function picture(page, name, options = {}) {
  if (pictures) await page.screenshot({ path: join(pictures, `${name}.png`), ...options });
}

/** Runs a story with a home and a browser, and ends both. */
export async function story(make, tell) {
  const home = await make();
  let browser;
  try {
    await home.start();
    browser = await Browser.open(home);
    await tell(home, browser);
    browser.noComplaints();
  } catch (error) {
    if (browser?.complaints.length) console.error(browser.complaints.join('\n'));
    if (pictures && browser) {
      for (const [n, page] of browser.chromium.contexts().flatMap((context) => context.pages()).entries()) await page.screenshot({ path: join(pictures, `failed-${n}.png`) }).catch(() => {});
    }
    throw error;
  } finally {
    await browser?.close();
    await home.stop();
  }
}
