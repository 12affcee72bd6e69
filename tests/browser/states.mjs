// Every page when its calls fail, and for a session without personal data: each is accessible, and shows what it may.
import assert from 'node:assert/strict';
import { settled, story, visit } from './browser.mjs';
import { ANN, BOB, Home, MAX } from './program.mjs';
import { DAN, fill, look, screens } from './screens.mjs';

const CALLS = /\/(v1|stats|journal|quarantine|health|backups|settings|audit|jobs|segments)(\/|\?|$)/;

/** Every page when its calls fail: it says why, and offers to try again. */
async function failed(home, page) {
  await page.route(CALLS, (route) => route.fulfill({ status: 502, headers: { 'x-request-id': 'request-7' }, contentType: 'application/json', body: '{"error":{"code":"internal","description":"It went wrong"}}' }));
  const list = ['#/', '#/users', `#/users/${BOB}`, `#/merge?surviving=${BOB}&discarded=${DAN}`, '#/events', '#/events/1', '#/live', '#/quarantine', '#/quarantine/1', '#/users?segment=any', '#/jobs', '#/jobs?job=1', '#/health', '#/backups', '#/settings', '#/audit'];
  await page.goto('about:blank');
  await page.goto(`${home.console}#/nowhere`);
  await settled(page);
  await look(page, list, 'failed', async (screen) => {
    // Live tells it in its own words.
    if (screen === '#/live') return page.getByText('Not connected').waitFor();
    await page.getByText('It went wrong').first().waitFor();
    if (!screen.startsWith('#/merge')) await page.getByText('request-7').first().waitFor();
    return undefined;
  });
  await page.unroute(CALLS);
  // A tab of a user whose profile is there, and whose tab fails.
  for (const tab of ['timeline', 'as-of&asOf=1', 'group']) {
    await visit(page, '#/nowhere');
    const only = tab === 'timeline' ? /\/history/ : tab === 'group' ? /include=/ : /asOf=/;
    await page.route(only, (route) => route.fulfill({ status: 502, headers: { 'x-request-id': 'request-7' }, contentType: 'application/json', body: '{"error":{"code":"internal","description":"It went wrong"}}' }));
    await look(page, [`#/users/${BOB}?tab=${tab}`], 'failed', () => page.getByText('It went wrong').first().waitFor());
    await page.unroute(only);
  }
}

/** A session without personal data: no field, no button and no value that it may not have. */
async function masked(page, list) {
  const secrets = ['bob@example.com', 'family', 'Bobby', 'Brown', 'Green', 'client-bob', 'cat@example.com', 'Eve 1'];
  const buttons = ['Edit', 'Erase', 'Remove', 'Redrive', 'Drop', 'Reload', 'Make a backup', 'Show the body', 'Save the body', 'Save the whole file', 'Save as NDJSON', 'Replay …', 'Cancel the job', 'Delete'];
  await look(page, list, 'masked', async (screen) => {
    const shown = await page.innerText('body');
    for (const secret of secrets) assert.ok(!shown.includes(secret), `${screen} shows ${secret}`);
    const there = await page.getByRole('button').allInnerTexts();
    for (const button of buttons) assert.ok(!there.includes(button), `${screen} has ${button}`);
  });
  await visit(page, '#/users');
  assert.equal(await page.getByPlaceholder(/Words of a name/).count(), 0);
  await page.getByRole('button', { name: 'Filter' }).click();
  assert.ok(!(await page.locator('form.adding select').first().innerText()).includes('e-mail'));
}

await story(() => new Home(), async (home, browser) => {
  const filled = await fill(home);
  await failed(home, await browser.signedIn(await browser.profile(), ANN));
  await masked(await browser.signedIn(await browser.profile(), MAX), screens(filled));
});
