// Reads /docs as its readers do: in Chromium, with a mouse and without, wide, narrow and enlarged, light and dark.
// ROLLCALL_SCREENSHOTS names a folder for pictures of what it saw.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { app, keyId, report, secret, url, webhookSecret } from '../clients/world.mjs';

const { PATH, ROLLCALL_SCREENSHOTS: pictures } = process.env;
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const executablePath = PATH.split(':').map((folder) => join(folder, 'chromium')).find((path) => existsSync(path));

const spec = await (await fetch(`${url}/openapi.json`)).json();
const resolve = (value) => (value?.$ref ? resolve(value.$ref.slice(2).split('/').reduce((at, part) => at[part.replaceAll('~1', '/')], spec)) : value);
const calls = Object.values(spec.paths).flatMap((item) =>
  ['get', 'post', 'put', 'patch', 'delete'].map((method) => item[method]).filter((call) => call && !call['x-same-as']));

const profile = mkdtempSync(join(tmpdir(), 'rollcall-chromium-'));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath, headless: true, viewport: { width: 1280, height: 900 },
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
const complaints = [];
const page = browser.pages()[0] ?? (await browser.newPage());
page.setDefaultTimeout(60_000);
page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
page.on('pageerror', (error) => complaints.push(String(error)));
page.on('request', (request) => request.url().startsWith('data:') || request.url().startsWith(`${url}/`) || complaints.push(`asks ${request.url()}`));
await page.addInitScript(() => addEventListener('securitypolicyviolation', (event) => console.error(`policy: ${event.violatedDirective}`)));

/** The page, drawn, as if it were opened for the first time. */
async function visit(hash = '') {
  await page.goto('about:blank');
  await page.goto(`${url}/docs${hash}`);
  await page.waitForSelector('details.call');
}

const focused = (script) => page.evaluate(`(() => { const it = document.activeElement; return ${script}; })()`);

async function picture(name, options = {}) {
  if (pictures) await page.screenshot({ path: join(pictures, `${name}.png`), ...options });
}

/** Opens every call with the keyboard. */
async function openAll() {
  for (const { operationId } of calls) {
    await page.focus(`[id="${operationId}"] > summary`);
    await page.keyboard.press('Enter');
    await page.waitForSelector(`[id="${operationId}"][open] .inside`);
  }
}

/** Everything is drawn as what it is: no object as text, no member or example of a body left out. */
async function checkText() {
  const text = await page.innerText('body');
  assert.doesNotMatch(text, /\[object |\bundefined\b|\bNaN\b/);
  for (const call of calls) {
    const shown = await page.textContent(`[id="${call.operationId}"]`);
    for (const content of Object.values(resolve(call.requestBody)?.content ?? {})) {
      const names = Object.keys(resolve(content.schema)?.properties ?? {});
      names.forEach((name) => assert.ok(shown.includes(name), `${call.operationId} does not show ${name}`));
      const examples = Object.values(content.examples ?? {}).map(resolve);
      examples.forEach(({ summary }) => assert.ok(shown.includes(`Example: ${summary}`), `${call.operationId}: ${summary}`));
    }
  }
}

/** Nothing scrolls sideways, and nothing is cut off at the side. */
async function checkWidth(name) {
  const wide = await page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    const beyond = [...document.querySelectorAll('body *')].filter((element) =>
      !element.closest('pre') && element.checkVisibility() && element.getBoundingClientRect().right > width + 1);
    return { by: document.documentElement.scrollWidth - width, beyond: beyond.slice(0, 5).map((element) => element.outerHTML.slice(0, 120)) };
  });
  assert.deepEqual(wide, { by: 0, beyond: [] }, name);
}

async function checkAxe(name) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  const said = violations.map(({ id, nodes }) => `${id}: ${nodes.length} times, first ${nodes[0].html.slice(0, 200)} ${nodes[0].failureSummary}`);
  assert.deepEqual(said, [], name);
}

/** Fills in the form of a call, sends it, and gives the status and the text that are shown. */
async function tryCall(operationId, fields = {}, body) {
  const form = page.locator(`[id="${operationId}"] form.try`);
  for (const [name, value] of Object.entries(fields)) {
    await form.locator('label').filter({ has: page.locator(`code:text-is("${name}")`) }).locator('input').fill(value);
  }
  if (body !== undefined) await form.locator('textarea').fill(body);
  const answered = page.waitForResponse((answer) => new URL(answer.url()).pathname !== '/openapi.json');
  await form.locator('button').click();
  await answered;
  const status = await form.locator('.status, .must').textContent();
  return { status, text: await form.locator('.output > pre').textContent() };
}

const credential = (name, value) => page.fill(`#credentials [name="${name}"]`, value);

try {
  // Without a mouse: past the list of calls in two keys.
  await visit();
  await page.keyboard.press('Tab');
  assert.equal(await focused('it.className'), 'skip');
  assert.ok(await focused('it.getBoundingClientRect().top >= 0'), 'the link is seen while it has the focus');
  await picture('skip-link');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  assert.ok(await focused("it.closest('main') !== null"), 'the next stop is in the content');

  await openAll();
  assert.equal(await page.locator('details.call[open]').count(), calls.length);
  await checkText();
  assert.deepEqual(complaints, []);
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    // 640 is 1280 at 200 %, 320 is 1280 at 400 %.
    for (const width of [1280, 640, 320]) {
      const name = `${colorScheme}-${width}`;
      await page.setViewportSize({ width, height: 900 });
      await checkWidth(name);
      await checkAxe(name);
      await picture(name, { fullPage: true });
    }
  }
  await page.setViewportSize({ width: 1280, height: 900 });

  // An address that names a call opens it; a search leaves what fits.
  await visit('#createAppUser');
  assert.deepEqual(await page.locator('details.call[open]').evaluateAll((open) => open.map(({ id }) => id)), ['createAppUser']);
  await page.fill('#search', 'merge');
  const left = await page.locator('nav li:visible').count();
  assert.ok(left > 0 && left < calls.length && left === (await page.locator('details.call:visible').count()));
  assert.equal(await page.textContent('#found'), `${left} calls`);
  await page.fill('#search', '');
  assert.equal(await page.locator('details.call:visible').count(), calls.length);

  // What is tried is sent, and what is answered is shown.
  await visit();
  await openAll();
  assert.equal((await tryCall('getAppUser', { id: 'bob@example.com' })).status, '401');
  await credential('basic', `${keyId}:wrong`);
  assert.equal((await tryCall('getAppUser', { id: 'bob@example.com' })).status, '401');
  await credential('basic', `${keyId}:${secret}`);
  const missing = await tryCall('getAppUser', { id: 'bob@example.com' });
  assert.equal(missing.status, '404');
  assert.match(missing.text, /"description": "/);
  const created = await tryCall('createAppUser', {}, '{"userId":"bob@example.com","givenName":"Bób","properties":{"big":12345678901234567890,"n":1.0}}');
  assert.equal(created.status, '201', created.text);
  const found = await tryCall('getAppUser', { id: 'bob@example.com' });
  assert.equal(found.status, '200');
  assert.match(found.text, /"givenName": "Bób"/);
  assert.match(found.text, /"big": 12345678901234567890,\n +"n": 1\.0\n/);
  await picture('tried', { fullPage: true });
  assert.equal((await tryCall('createAppUser', {}, '{"userId":')).status, '400');
  const listed = await tryCall('listAppUsers', { 'property.KEY': 'n=1.0', identified: 'true' });
  assert.match(listed.text, /"userId": "bob@example.com"/);
  await credential('webhookSecret', webhookSecret);
  const webhook = await tryCall('receiveWebhook', {}, JSON.stringify({
    trigger: 'message:appUser', app: { _id: app }, appUser: { _id: 'c7f6e6d6c3a637261bd9656f', userId: 'ann' }, messages: [],
  }));
  assert.deepEqual(webhook, { status: '200', text: '{}' });
  assert.equal((await tryCall('getUser', { app, id: 'ann' })).status, '200');
  assert.equal((await tryCall('readDocs')).status, '200', 'what is not JSON is shown as it came');
  // A call that deletes is sent only when it is confirmed.
  const remove = page.locator('[id="deleteAppUser"] form.try');
  await remove.locator('label').filter({ has: page.locator('code:text-is("id")') }).locator('input').fill('ann');
  page.once('dialog', (dialog) => dialog.dismiss());
  await remove.locator('button').click();
  assert.equal((await tryCall('getAppUser', { id: 'ann' })).status, '200');
  page.once('dialog', (dialog) => dialog.accept());
  assert.equal((await tryCall('deleteAppUser', { id: 'ann' })).status, '200');
  assert.equal((await tryCall('getAppUser', { id: 'ann' })).status, '404');
  // Chromium itself complains of each answer that is an error; nothing else does.
  assert.deepEqual(complaints.filter((complaint) => !/Failed to load resource: the server responded with a status of 40[014]/.test(complaint)), []);
  report('docs page', { calls: calls.length });
} finally {
  await browser.close();
  rmSync(profile, { recursive: true, force: true });
}
