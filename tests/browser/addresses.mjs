// What a screen shows is in its address: reload, Back, a new tab and another person's browser show the same, behind any prefix
// of a path, and for each of several apps.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { settled, story, visit } from './browser.mjs';
import { ANN, APP, BOB, Home, VERA } from './program.mjs';
import { fill, screens, seen } from './screens.mjs';

const OTHER = 'another-app';
const APPS = `
[[apps]]
id = "${APP}"
name = "First"
webhook_secrets = ["demo-webhook-secret"]

[[apps]]
id = "${OTHER}"
name = "Second"
webhook_secrets = ["the-secret-of-another-app"]
`;

/** Every screen: reloaded, in another browser, and with Back. */
async function roundTrips(home, browser, list) {
  const page = await browser.signedIn(await browser.profile(), ANN);
  const tab = await browser.signedIn(await browser.profile(), ANN);
  const known = [];
  for (const screen of list) {
    const here = await seen(page, screen);
    await page.reload();
    assert.deepEqual(await seen(page), here, `${screen} reloaded`);
    assert.ok(page.url().endsWith(screen), `${page.url()} is ${screen}`);
    await tab.goto('about:blank');
    await tab.goto(`${home.console}${screen}`);
    assert.deepEqual(await seen(tab), here, `${screen} in another browser`);
    known.push([screen, here]);
  }
  assert.ok(new Set(known.map(([, { title }]) => title)).size > 10, 'titles say what is shown');
  for (const [screen, here] of known.slice(0, -1).reverse()) {
    await page.goBack();
    await settled(page);
    assert.ok(page.url().endsWith(screen), `${page.url()} is ${screen}, with Back`);
    assert.deepEqual((await seen(page)).title, here.title, `${screen} with Back`);
  }
  await tab.context().close();
  return page;
}

/** By hand: each filter, order, page, tab and row changes the address, and Back takes it back. */
async function byHand(page) {
  const trail = [];
  const step = async (act, address) => {
    trail.push([page.url(), (await seen(page)).text]);
    await act();
    await page.waitForURL(address);
    await settled(page);
  };
  await visit(page, '#/users?limit=25');
  await step(() => page.getByRole('link', { name: 'Next' }).click(), /after=/);
  await step(() => page.getByRole('link', { name: 'Previous' }).click(), (url) => !url.hash.includes('after='));
  await step(() => page.getByRole('link', { name: /Client seen/ }).click(), /sort=-lastSeen/);
  await step(async () => {
    await page.getByRole('button', { name: 'Filter' }).click();
    await page.locator('form.adding select').nth(0).selectOption('identified');
    await page.locator('form.adding select').nth(1).selectOption('true');
    await page.getByRole('button', { name: 'Apply' }).click();
  }, /identified=true/);
  assert.equal(await page.locator('main tbody tr').count(), 1);
  await step(() => page.locator('main tbody a.row').first().click(), new RegExp(`#/users/${BOB}`));
  await step(() => page.getByRole('link', { name: 'Timeline' }).click(), /tab=timeline/);
  await step(() => page.locator('.tools select').selectOption('message:appUser'), /trigger=message/);
  await step(() => page.locator('.entry a').first().click(), /#\/events\/\d+/);
  for (const [url, text] of trail.reverse()) {
    await page.goBack();
    await page.waitForURL(url);
    assert.equal((await seen(page)).text, text, url);
  }
}

/** A proxy that serves the console under a path of its own, as nginx does with `location /ops/rollcall/`. */
async function proxyBefore(home) {
  const prefix = '/ops/rollcall';
  const strays = [];
  const server = createServer((asked, answer) => {
    if (!asked.url.startsWith(`${prefix}/`)) {
      strays.push(asked.url);
      answer.writeHead(404).end();
      return;
    }
    const [host, port] = home.admin_listen.split(':');
    const passed = request({ host, port, method: asked.method, path: asked.url.slice(prefix.length), headers: asked.headers }, (got) => {
      answer.writeHead(got.statusCode, got.headers);
      got.pipe(answer);
    });
    passed.on('error', () => answer.destroy());
    answer.on('close', () => passed.destroy());
    asked.pipe(passed);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { strays, url: `http://127.0.0.1:${server.address().port}${prefix}/`, close: () => { server.closeAllConnections(); server.close(); } };
}

/** Behind a prefix: signing in, lists, a stream, a change, a file, and signing out. */
async function behindPrefix(home, browser) {
  const proxy = await proxyBefore(home);
  const page = await (await browser.profile()).newPage();
  await page.goto(proxy.url);
  assert.equal(page.url(), `${proxy.url}console/`, 'the root leads to the console');
  await page.getByLabel('Name').fill(ANN[0]);
  await page.getByLabel('Secret').fill(ANN[1]);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.locator('.shell').waitFor();
  await visit(page, '#/users?q=bob');
  await page.locator('main tbody a.row').first().click();
  await page.getByRole('heading', { name: /Bob/ }).waitFor();
  await page.reload();
  await page.getByRole('heading', { name: /Bob/ }).waitFor();
  await page.getByRole('button', { name: 'Copy as curl' }).click();
  assert.ok((await page.getByLabel('Commands').innerText()).includes(`'${proxy.url}v1/apps/`), 'the commands go the same way');
  await page.getByRole('button', { name: 'Close' }).click();
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Save the whole file' }).click()]);
  assert.equal(file.suggestedFilename(), `appuser-${BOB}.json`);
  assert.equal(await file.failure(), null);
  await visit(page, '#/live');
  await page.getByText('Following').waitFor();
  await home.user({ _id: BOB, givenName: 'Bob' }, 90);
  await page.locator('main tbody a.row').first().waitFor();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: /Sign in/ }).waitFor();
  assert.deepEqual(proxy.strays, [], 'nothing is asked outside of the prefix');
  await page.context().close();
  proxy.close();
}

/** Two apps: each has its users and its events, and the address has the app. */
async function twoApps(home, browser) {
  const eve = { trigger: 'message:appUser', app: { _id: OTHER }, messages: [{ _id: 'm-eve', type: 'text', text: 'Hi', role: 'appUser', authorId: 'eve', received: 1444348338.704, source: { type: 'web' } }], appUser: { _id: 'eve', givenName: 'Eve of the second', clients: [], properties: {} } };
  const sent = await fetch(`http://${home.listen}/webhooks`, { method: 'POST', headers: { 'x-api-key': 'the-secret-of-another-app', 'content-type': 'application/json' }, body: JSON.stringify(eve) });
  assert.equal(sent.status, 200);
  const page = await browser.signedIn(await browser.profile(), VERA);
  const choice = page.locator('.bar select');
  assert.equal(await choice.inputValue(), APP);
  await page.getByRole('link', { name: /^Users/ }).click();
  await page.getByRole('link', { name: /Bob/ }).waitFor();
  await choice.selectOption('Second');
  await page.getByRole('link', { name: 'Eve of the second' }).waitFor();
  assert.equal(await page.locator('main tbody tr').count(), 1);
  assert.match(page.url(), new RegExp(`#/users\\?app=${OTHER}$`));
  assert.match(await page.title(), /Second/);
  await page.getByRole('link', { name: 'Eve of the second' }).click();
  await page.getByRole('heading', { name: 'Eve of the second' }).waitFor();
  assert.match(page.url(), new RegExp(`#/users/eve\\?app=${OTHER}$`));
  await page.getByRole('link', { name: 'Timeline' }).click();
  await page.locator('.entry a').first().click();
  await page.getByRole('heading', { name: /^Event/ }).waitFor();
  await page.goBack();
  await page.goBack();
  const tab = await page.context().newPage();
  await tab.goto(page.url());
  await tab.getByRole('heading', { name: 'Eve of the second' }).waitFor();
  assert.equal(await tab.locator('.bar select').inputValue(), OTHER);
  for (const place of ['events', 'quarantine', 'audit', 'live']) {
    await visit(tab, `#/${place}?app=${OTHER}`);
    assert.equal(await tab.getByText('Bob').count(), 0, place);
    assert.equal(await tab.locator('.bar select').inputValue(), OTHER, place);
    assert.match(await tab.getByRole('link', { name: /^Users/ }).first().getAttribute('href'), new RegExp(`app=${OTHER}`), `${place} keeps the app`);
  }
  await visit(tab, '#/users?app=unknown');
  await tab.getByText('that you may see').waitFor();
  await page.context().close();
}

await story(() => new Home(APPS), async (home, browser) => {
  const filled = await fill(home);
  const page = await roundTrips(home, browser, screens(filled));
  await byHand(page);
  await behindPrefix(home, browser);
  await twoApps(home, browser);
});
