// Saving files: each is what its call answers, and the page stays as it is.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { settled, story, visit } from './browser.mjs';
import { ANN, APP, BOB, Home, MAX, VERA } from './program.mjs';

/** Presses a button that saves a file; gives its name and its text. */
async function save(page, button) {
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: button }).click()]);
  assert.equal(await file.failure(), null, button);
  return { name: file.suggestedFilename(), text: readFileSync(await file.path(), 'utf8') };
}

/** Each file of the console, by somebody who may only look. */
async function all(home, browser) {
  const page = await browser.signedIn(await browser.profile({ acceptDownloads: true }), VERA);
  const direct = (path, accept = '*/*') => home.text(path, { accept });
  await visit(page, '#/users?q=bob&sort=-lastSeen');
  const list = `v1/apps/${APP}/appusers?q=bob&sort=-lastSeen`;
  const table = await save(page, 'Save as CSV');
  assert.deepEqual(table, { name: `appusers-${APP}.csv`, text: await direct(list, 'text/csv') });
  assert.equal(table.text.trim().split('\r\n').length, 2, 'the filter holds');
  assert.deepEqual(await save(page, 'Save as NDJSON'), { name: `appusers-${APP}.ndjson`, text: await direct(list, 'application/x-ndjson') });
  await visit(page, `#/users/${BOB}`);
  const person = await save(page, 'Save the whole file');
  assert.equal(person.name, `appuser-${BOB}.json`);
  assert.equal(JSON.parse(person.text).history.length, 1);
  await visit(page, '#/events/1');
  assert.deepEqual(await save(page, 'Save the body'), { name: 'journal-1.json', text: await direct('journal/1/body') });
  await visit(page, '#/quarantine/1');
  assert.deepEqual(await save(page, 'Save the body'), { name: 'quarantine-1.json', text: '<script>alert(1)</script>' });
  await visit(page, '#/audit?action=showBody');
  const audit = await save(page, 'Save as CSV');
  assert.equal(audit.name, 'audit.csv');
  assert.match(audit.text, /vera,viewer,console,.*showBody.*vera,viewer,console,.*showBody/s);
  assert.match(page.url(), /#\/audit\?action=showBody$/);
}

/** What is refused is said on the page, and so is what the address was too late for. */
async function refused(home, browser) {
  const page = await browser.signedIn(await browser.profile(), ANN);
  await visit(page, '#/users');
  await page.route('**/downloads', (route) => route.fulfill({ status: 503, headers: { 'retry-after': '1' }, contentType: 'application/json', body: '{"error":{"code":"draining","description":"The service stops"}}' }));
  await page.getByRole('button', { name: 'Save as CSV' }).click();
  await page.getByRole('dialog').getByText('The service stops').waitFor();
  await page.getByRole('button', { name: 'Close' }).click();
  await page.waitForFunction(() => document.activeElement.textContent === 'Save as CSV');
  await page.unroute('**/downloads');
  // An address that is not good any more leaves the page where it is.
  await page.route('**/downloads', (route) => route.fulfill({ contentType: 'application/json', body: '{"address":"downloads/used","expires":"2026-01-01T00:00:00.000Z"}' }));
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Save as CSV' }).click()]);
  assert.ok(await file.failure(), 'nothing is saved');
  await settled(page);
  await page.getByRole('heading', { name: 'Users' }).waitFor();
}

/** Whoever sees no people saves none. */
async function masked(browser) {
  const page = await browser.signedIn(await browser.profile(), MAX);
  for (const screen of ['#/users', `#/users/${BOB}`, '#/events/1', '#/quarantine/1']) {
    await visit(page, screen);
    assert.equal(await page.getByRole('button', { name: /^Save/ }).count(), 0, screen);
  }
  await visit(page, '#/audit');
  assert.equal((await save(page, 'Save as CSV')).name, 'audit.csv');
}

await story(() => new Home(), async (home, browser) => {
  await home.user({ _id: BOB, givenName: 'Bob', email: 'bob@example.com' });
  await home.user({ _id: 'a'.repeat(24), givenName: 'Ann' }, 1);
  await home.webhook('<script>alert(1)</script>');
  await all(home, browser);
  await refused(home, browser);
  await masked(browser);
});
