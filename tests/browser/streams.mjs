// Sessions, streams and tabs, while the program is killed and started again.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { settled, story, visit } from './browser.mjs';
import { ANN, BOB, Home, VERA } from './program.mjs';

/** The numbers in the table of Live, oldest first. */
const numbers = (page) => page.locator('main tbody a.row').evaluateAll((rows) => rows.map((row) => Number(row.textContent)).reverse());

async function waitForNumber(page, seq) {
  await page.locator('main tbody a.row', { hasText: new RegExp(`^${seq}$`) }).waitFor();
}

/** Live goes on over a kill and a start without a number missing; a hidden tab follows nothing and misses nothing. */
async function following(home, context, page) {
  await visit(page, '#/live');
  await page.getByText('Following').waitFor();
  let n = 0;
  const send = async (count) => {
    for (let left = count; left > 0; left -= 1) {
      n += 1;
      await home.user({ _id: BOB, givenName: `Bob ${n}` }, n);
    }
  };
  await send(5);
  await waitForNumber(page, 5);
  await home.kill();
  await page.getByText('Not connected').waitFor();
  await home.start();
  await send(5);
  await waitForNumber(page, 10);
  assert.deepEqual(await numbers(page), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  // Paused, what is new is counted; followed again, nothing is missing.
  await page.keyboard.press('p');
  await send(3);
  await page.getByRole('button', { name: 'Follow, 3 new' }).waitFor();
  await page.keyboard.press('p');
  await waitForNumber(page, 13);
  assert.equal((await numbers(page)).length, 13);
  // Hidden, the tab follows nothing; shown again, nothing is missing.
  const hide = (hidden) => page.evaluate((value) => {
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => value });
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden);
  const closed = page.waitForEvent('requestfailed', (request) => request.url().includes('/journal/tail'));
  await hide(true);
  await closed;
  await send(4);
  await hide(false);
  await waitForNumber(page, 17);
  assert.deepEqual(await numbers(page), Array.from({ length: 17 }, (_, at) => at + 1));
  return n;
}

/** Eight tabs: each shows what it should, and one stream is open. */
async function manyTabs(home, browser, context, n) {
  let streams = 0;
  context.on('request', (request) => { if (request.url().includes('/journal/tail')) streams += 1; });
  const tabs = [];
  for (let count = 0; count < 8; count += 1) {
    const tab = await context.newPage();
    await tab.goto(`${home.console}#/live`);
    tabs.push(tab);
  }
  for (const tab of tabs) await tab.getByText(/Following|Nothing yet/).first().waitFor();
  await home.user({ _id: BOB, givenName: 'Bob again' }, n + 1);
  for (const tab of tabs) await waitForNumber(tab, n + 1);
  assert.ok(streams <= 1, `${streams} streams were opened`);
  // The one that reads it is closed: another one goes on.
  await tabs[0].close();
  await context.pages()[0].close();
  await home.user({ _id: BOB, givenName: 'Bob once more' }, n + 2);
  for (const tab of tabs.slice(1)) await waitForNumber(tab, n + 2);
  return tabs.at(-1);
}

/** A session that ends mid-way leads back to the same place; signing out ends all tabs. */
async function sessionEnds(home, browser, page) {
  await visit(page, `#/users/${BOB}?tab=timeline`);
  const other = await page.context().newPage();
  await other.goto(`${home.console}#/events`);
  await settled(other);
  await other.getByRole('button', { name: 'Sign out' }).click();
  await other.getByRole('heading', { name: /Sign in/ }).waitFor();
  await page.getByRole('heading', { name: /Sign in/ }).waitFor();
  await page.getByLabel('Name').fill(ANN[0]);
  await page.getByLabel('Secret').fill('a wrong secret, long enough');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('The name or the secret is wrong').waitFor();
  await page.getByLabel('Secret').fill(ANN[1]);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: /Bob/ }).waitFor();
  assert.match(page.url(), /tab=timeline$/);
  await other.getByRole('heading', { name: 'Events' }).waitFor();
  // Taken away on the server: the next call finds out.
  await page.context().clearCookies();
  await visit(page, '#/health');
  await page.getByRole('heading', { name: /Sign in/ }).waitFor();
}

/** Stop ends the search at once: what it waits for is not looked at, and nothing is asked after it. */
async function stopping(browser) {
  const page = await browser.signedIn(await browser.profile(), VERA, '#/health');
  const asked = [];
  await page.route('**/appusers?*', (route) => {
    asked.push(route.request());
    // The second answer never comes.
    if (asked.length === 1) route.fulfill({ contentType: 'application/json', body: '{"appUsers":[],"hasMore":true,"after":"there","looked":20000}' });
  });
  const gone = page.waitForEvent('requestfailed', (request) => request === asked[1]);
  await page.evaluate(() => { location.hash = '#/users?property.favouriteTree=birch'; });
  await page.getByText('Looked at 20,000').waitFor();
  await page.getByRole('button', { name: 'Stop' }).click();
  await page.getByText('Stopped after looking at 20,000 users').waitFor();
  await gone;
  await page.unroute('**/appusers?*');
  await visit(page, '#/health');
  assert.equal(asked.length, 2);
}

/** What fails leaves what was there, says why, and is tried again. */
async function failing(home, browser) {
  const page = await browser.signedIn(await browser.profile(), VERA, '#/events');
  await settled(page);
  const rows = await page.locator('main tbody tr').count();
  assert.ok(rows > 5);
  await page.route('**/journal?*', (route) => route.fulfill({ status: 503, headers: { 'retry-after': '2', 'x-request-id': 'request-1' }, contentType: 'application/json', body: '{"error":{"code":"busy","description":"Too many reads wait"}}' }));
  await page.getByRole('link', { name: 'Oldest first' }).click();
  await page.getByText('Too many reads wait').waitFor();
  await page.getByText('request-1').waitFor();
  await page.getByText(/tried again in \d s/).waitFor();
  assert.equal(await page.locator('main tbody tr').count(), rows, 'what was there stays');
  await page.unroute('**/journal?*');
  await page.getByText('Too many reads wait').waitFor({ state: 'detached' });
  await page.locator('main tbody a.row').first().getByText('1', { exact: true }).waitFor();
}

/** Pages of another port and of a name that leads here get nothing, and none frames the console. */
async function strangers(home, browser, page) {
  const server = createServer((_, answer) => answer.setHeader('content-type', 'text/html').end('<title>other</title>')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  // The cookie of the session is theirs too: it is sent to every port of the host.
  const context = await browser.chromium.newContext({ storageState: await page.context().storageState() });
  const other = await context.newPage();
  const otherPort = `http://127.0.0.1:${server.address().port}/`;
  await other.goto(otherPort);
  const send = ({ url, method, mode }) => fetch(url, { method, mode, credentials: 'include' }).then((answer) => answer.text(), () => '');
  for (const [method, call] of [['GET', 'apps'], ['POST', 'rebuild']]) {
    const url = `http://${home.admin_listen}/${call}`;
    const [answer] = await Promise.all([other.waitForResponse(url), other.evaluate(send, { url, method, mode: 'no-cors' })]);
    assert.equal(answer.status(), 403, `${method} ${call}`);
    assert.equal(await other.evaluate(send, { url, method, mode: 'cors' }), '', 'nothing is readable');
  }
  await other.evaluate((at) => new Promise((loaded) => {
    const frame = document.createElement('iframe');
    frame.onload = loaded;
    frame.src = at;
    document.body.append(frame);
  }), home.console);
  assert.equal(await other.frames().at(-1).locator('#console').count(), 0, 'the console is in no frame');
  // A name that leads here is another origin, whichever page or call is asked for.
  const rebound = `http://evil.test:${home.admin_listen.split(':')[1]}/`;
  for (const path of ['console/', 'apps', 'downloads/code']) assert.equal((await other.goto(rebound + path)).status(), 421, path);
  assert.equal(await other.evaluate((url) => fetch(url).then((answer) => answer.status), `${rebound}apps`), 421);
  await context.close();
  server.close();
}

await story(() => new Home(), async (home, browser) => {
  const context = await browser.profile();
  const page = await browser.signedIn(context, ANN);
  const n = await following(home, context, page);
  const left = await manyTabs(home, browser, context, n);
  await strangers(home, browser, left);
  await sessionEnds(home, browser, left);
  await failing(home, browser);
  await stopping(browser);
});
