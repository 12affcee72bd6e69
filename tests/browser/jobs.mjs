// Segments, what is done with all of a list, replays, and the jobs that do it: from the dialog to the end.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { checkPage, picture, settled, story, visit } from './browser.mjs';
import { ANN, APP, BOB, Home, MAX, VERA } from './program.mjs';

const MIA = ['mia', 'the secret of mia, who sees no people'];
const SETTINGS = `
[ingest]
batch_jobs = 2

[[console.operators]]
name = "mia"
role = "operator"
secrets = ["${MIA[1]}"]
personal_data = false
`;
const NAME = '<img src=x onerror=globalThis.broken=1> \u202eVIP';
const idOf = (n, letter = 'a') => letter.repeat(18) + n.toString(16).padStart(6, '0');

async function inParts(numbers, send) {
  for (let at = 0; at < numbers.length; at += 50) await Promise.all(numbers.slice(at, at + 50).map(send));
}

/** Chooses what is done with all of the list. */
async function choose(page, action) {
  await page.locator('summary', { hasText: 'All of these' }).click();
  await page.getByRole('button', { name: action }).click();
}

/** Types the number that the dialog asks for, and starts the job. */
async function start(page, title, verb, n) {
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('heading', { name: title }).waitFor();
  await page.waitForFunction(() => document.activeElement.textContent === 'Cancel');
  const button = dialog.getByRole('button', { name: `${verb} ${n.toLocaleString('en')}` });
  if (await dialog.getByLabel(/^Type/).count()) {
    assert.ok(await button.isDisabled(), 'it waits for the number');
    await dialog.getByLabel(/^Type/).fill(String(n));
  }
  await button.click();
}

/** Waits for the end of the job that was started on the page. */
const ended = (page, words) => page.locator('.notice p[role="status"]').filter({ hasText: words }).waitFor();

/** A segment: kept under a name, shown by its address, renamed, replaced, deleted, and not understood. */
async function segments(home, page) {
  await visit(page, '#/users?platform=web&sort=-signedUpAt');
  await page.locator('summary', { hasText: 'Segments' }).click();
  await page.getByText('None is kept yet').waitFor();
  await page.getByRole('button', { name: 'Save as a segment' }).click();
  await page.getByRole('textbox', { name: 'Name' }).fill(NAME);
  await checkPage(page, 'saving a segment');
  await page.getByRole('dialog').getByRole('button', { name: 'Save', exact: true }).click();
  await page.waitForURL(/#\/users\?segment=[0-9a-f]{24}$/);
  const address = page.url();
  await settled(page);
  for (let times = 0; times < 2; times += 1) {
    await page.locator('.notice strong').filter({ hasText: '<img src=x onerror=globalThis.broken=1> U+202EVIP' }).waitFor();
    await page.locator('.chip').filter({ hasText: 'platform: web' }).waitFor();
    assert.equal(await page.locator('main tbody tr').count(), 4);
    assert.ok((await page.title()).includes('<img src=x'), await page.title());
    assert.equal(await page.evaluate(() => globalThis.broken), undefined);
    await page.reload();
    await settled(page);
  }
  for (const width of [1280, 320]) {
    await page.setViewportSize({ width, height: 900 });
    await page.locator('summary', { hasText: 'Segments' }).click();
    await checkPage(page, `a segment ${width}`);
    await picture(page, `segment-${width}`);
    await page.locator('summary', { hasText: 'Segments' }).click();
    await page.locator('summary', { hasText: 'All of these' }).click();
    await checkPage(page, `the menu of all ${width}`);
    await picture(page, `bulk-${width}`);
    await page.locator('summary', { hasText: 'All of these' }).click();
  }
  await page.setViewportSize({ width: 1280, height: 900 });
  // A chip that is dropped leaves the segment, and what is left can take its place.
  await page.getByRole('button', { name: 'Filter', exact: true }).click();
  await page.locator('form.adding select').nth(0).selectOption('identified');
  await page.locator('form.adding select').nth(1).selectOption('true');
  await page.getByRole('button', { name: 'Apply' }).click();
  await page.waitForURL(/platform=web.*identified=true/);
  await page.locator('summary', { hasText: 'Segments' }).click();
  await page.getByRole('button', { name: 'Save as a segment' }).click();
  await page.getByRole('dialog').getByRole('combobox').selectOption({ index: 1 });
  assert.equal(await page.getByRole('textbox', { name: 'Name' }).inputValue(), NAME);
  await page.getByRole('textbox', { name: 'Name' }).fill('Identified on the web');
  await page.getByRole('dialog').getByRole('button', { name: 'Save', exact: true }).click();
  await page.waitForURL(address);
  await page.locator('.notice strong').filter({ hasText: 'Identified on the web' }).waitFor();
  await page.locator('.chip').filter({ hasText: 'identified' }).waitFor();
  await page.locator('summary', { hasText: 'Segments' }).click();
  await page.getByRole('button', { name: 'Rename' }).click();
  await page.getByRole('textbox', { name: 'Name' }).fill('Web');
  await page.getByRole('dialog').getByRole('button', { name: 'Save', exact: true }).click();
  await page.locator('.notice strong').filter({ hasText: /^Web$/ }).waitFor();
  await page.getByRole('button', { name: 'Delete' }).click();
  await page.waitForFunction(() => document.activeElement.textContent === 'Cancel');
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await page.waitForURL(/#\/users$/);
  await page.goto(address);
  await page.getByText('There is no such segment').waitFor();
  await checkPage(page, 'no such segment');
}

/** A segment whose filter is not understood any more, as after an upgrade. */
async function outdated(home, page) {
  const { id } = await home.call('POST', 'segments', { body: { app: APP, name: 'Of old', query: 'platform=web' } });
  const all = /\/segments\?/;
  await page.route(all, async (route) => {
    const response = await route.fetch();
    const { segments: [segment] } = await response.json();
    await route.fulfill({ response, json: { segments: [{ ...segment, query: 'colour=red&platform=web', problem: 'colour is no parameter of this call' }] } });
  });
  await visit(page, `#/users?segment=${id}`);
  await page.getByText('colour is no parameter of this call').waitFor();
  await page.locator('.chip').filter({ hasText: 'platform: web' }).waitFor();
  assert.equal(await page.locator('summary', { hasText: 'All of these' }).count(), 0);
  await checkPage(page, 'a segment that is not understood');
  await page.getByRole('link', { name: 'Go on with its filter alone' }).click();
  await page.waitForURL(/#\/users\?platform=web$/);
  await settled(page);
  await page.unrouteAll({ behavior: 'ignoreErrors' });
  await home.call('DELETE', `segments/${id}`);
}

/** A property for a segment: the number has changed meanwhile, progress to the end, and what failed. */
async function property(home, page) {
  const { id } = await home.call('POST', 'segments', { body: { app: APP, name: NAME, query: 'platform=web' } });
  await visit(page, `#/users?segment=${id}`);
  await choose(page, 'Set a property');
  await page.getByLabel('Key').fill('tier');
  await page.getByLabel('Value').fill('"gold"');
  await page.getByRole('button', { name: 'Count them' }).click();
  await page.getByRole('heading', { name: 'Set tier of 4 users?' }).waitFor();
  await checkPage(page, 'the dry run of a property');
  await picture(page, 'dry-run');
  await home.user({ _id: idOf(9, 'b'), clients: [{ id: 'late', platform: 'web', active: true }] }, 7);
  await page.getByLabel(/^Type/).fill('4');
  await page.getByRole('button', { name: 'Set 4' }).click();
  await page.getByText('By now there are 5, not 4.').waitFor();
  await page.getByRole('heading', { name: 'Set tier of 5 users?' }).waitFor();
  assert.equal(await page.getByLabel(/^Type/).inputValue(), '');
  await page.getByLabel(/^Type/).fill('5');
  await page.getByRole('button', { name: 'Set 5' }).click();
  await ended(page, 'Set a property: done.');
  await page.getByText('4 of 5 users, 1 failed').waitFor();
  await page.getByRole('link', { name: 'What failed' }).click();
  await page.getByRole('cell', { name: 'too_many_properties' }).waitFor();
  await settled(page);
  await page.getByRole('link', { name: 'platform=web' }).waitFor();
  await checkPage(page, 'a job with failures');
  await picture(page, 'job-failures');
  await page.getByRole('table', { name: 'What failed' }).getByRole('link', { name: idOf(3, 'b') }).click();
  await page.getByText('The heavy one').first().waitFor();
  const { appUser } = await home.call('GET', `v1/apps/${APP}/appusers/${idOf(0, 'b')}`);
  assert.equal(appUser.properties.tier, 'gold');
}

/** Failures of more than a page. */
async function manyFailures(page, many) {
  await visit(page, '#/users?platform=viber');
  await choose(page, 'Set a property');
  await page.getByLabel('Key').fill('tier');
  await page.getByLabel('Value').fill('gold');
  await page.getByRole('button', { name: 'Count them' }).click();
  await page.getByText(`and ${many - 20} more`).waitFor();
  await start(page, `Set tier of ${many} users?`, 'Set', many);
  await page.getByText(`0 of ${many} users, ${many} failed`).waitFor();
  await page.getByRole('link', { name: 'What failed' }).click();
  const rows = page.getByRole('table', { name: 'What failed' }).locator('tbody tr');
  await rows.nth(49).waitFor();
  assert.equal(await rows.count(), 50);
  await page.getByRole('link', { name: 'Next page' }).click();
  await page.waitForURL(/failed=/);
  await page.reload();
  await rows.nth(50).waitFor({ state: 'detached' });
  await settled(page);
  assert.equal(await rows.count(), many - 50);
  await page.getByRole('link', { name: 'First page' }).click();
  await rows.nth(49).waitFor();
}

/** Waits until the progress that a page shows has changed twice. */
async function goesOn(page) {
  for (let times = 0; times < 2; times += 1) {
    const before = await page.locator('.job span').first().innerText();
    await page.waitForFunction((text) => document.querySelector('.job span')?.textContent !== text, before);
  }
}

/** While a job runs no live region of a page that shows it says a word, and a hidden tab asks for nothing. */
async function isQuiet(tab, page) {
  await tab.evaluate(() => {
    globalThis.said = [];
    const note = (changes) => globalThis.said.push(...changes.map(({ target }) => target.textContent).filter(Boolean));
    const live = new MutationObserver(note);
    for (const region of document.querySelectorAll('[role="status"], [role="alert"], [aria-live]')) live.observe(region, { childList: true, characterData: true, subtree: true });
  });
  await goesOn(tab);
  assert.deepEqual(await tab.evaluate(() => globalThis.said), []);
  const asked = [];
  const note = (request) => asked.push(request.url());
  const hide = (hidden) => tab.evaluate((value) => { Object.defineProperty(document, 'hidden', { configurable: true, get: () => value }); }, hidden);
  await hide(true);
  tab.on('request', note);
  await goesOn(page);
  assert.deepEqual(asked, [], 'a hidden tab asks for nothing');
  tab.off('request', note);
  await hide(false);
}

/** A job that takes long: seen on Jobs and Overview, refuses another one, and is cancelled. */
async function cancelling(home, page, many) {
  await visit(page, '#/users?platform=telegram');
  await choose(page, 'Clear a property');
  await page.getByLabel('Key').fill('plan');
  await page.getByRole('button', { name: 'Count them' }).click();
  await start(page, `Clear plan of ${many.toLocaleString('en')} users?`, 'Clear', many);
  await page.getByRole('progressbar').waitFor();
  await page.getByRole('button', { name: 'Cancel the job' }).click();
  await page.waitForFunction(() => document.activeElement.textContent === 'Let it run');
  // Another one is refused while this one runs.
  const tab = await page.context().newPage();
  await tab.goto(`${home.console}#/events/1`);
  await tab.getByRole('button', { name: 'Replay' }).click();
  await tab.getByRole('button', { name: 'Replay 1', exact: true }).click();
  await tab.getByRole('link', { name: /^Show job \d+$/ }).click();
  await tab.getByRole('heading', { name: /^Job \d+: Clear a property$/ }).waitFor();
  await tab.waitForFunction(() => document.activeElement.textContent.startsWith('Job '));
  await tab.getByText(/ a second, about .* left/).waitFor();
  await checkPage(tab, 'a job that runs');
  await picture(tab, 'job-running');
  await isQuiet(tab, page);
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel the job' }).click();
  await ended(page, 'Clear a property: cancelled.');
  await tab.locator('span[role="status"]', { hasText: 'cancelled' }).waitFor();
  const [job] = (await home.call('GET', 'jobs?limit=1')).jobs;
  assert.equal(job.state, 'cancelled');
  assert.ok(job.done > 0 && job.done < many, JSON.stringify(job));
  await visit(tab, '#/');
  await tab.getByRole('link', { name: /^Clear a property,/ }).click();
  assert.match(tab.url(), new RegExp(`#/jobs\\?job=${job.id}$`));
  await tab.close();
}

/** An export: its file, and how long it is kept. */
async function exporting(home, page) {
  await visit(page, '#/users?platform=web');
  await choose(page, 'Export as a job');
  await page.getByLabel('Form of the file').selectOption('csv');
  await page.getByRole('button', { name: 'Count them' }).click();
  await start(page, 'Export 5 users?', 'Export', 5);
  await ended(page, 'Export: done.');
  await page.getByRole('link', { name: /^Job \d+$/ }).click();
  await page.getByText('kept until').waitFor();
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Save the file' }).click()]);
  assert.equal(await file.failure(), null);
  assert.equal(readFileSync(await file.path(), 'utf8').trim().split('\r\n').length, 6);
  await checkPage(page, 'an export');
}

/** Replay of one event, and of all that fit: dry, then really. */
async function replaying(page) {
  await visit(page, '#/events/1');
  await page.getByRole('button', { name: 'Replay' }).click();
  await page.getByRole('dialog').getByText('Nothing changes for events that are in the journal').waitFor();
  await checkPage(page, 'the dry run of a replay');
  await start(page, 'Replay 1 event?', 'Replay', 1);
  await ended(page, 'Events: 1 repeated.');
  await visit(page, `#/events?user=${idOf(0, 'b')}&source=webhook`);
  await page.getByRole('button', { name: 'Replay all' }).click();
  await start(page, 'Replay 1 event?', 'Replay', 1);
  await ended(page, 'Events: 1 repeated.');
  await visit(page, '#/events?source=api');
  assert.equal(await page.getByRole('button', { name: /^Replay/ }).count(), 0, 'calls are not replayed');
}

/** Remove and erase by bulk. */
async function erasing(home, page) {
  await visit(page, '#/users?q=Removable');
  await choose(page, 'Remove');
  await start(page, 'Remove 2 users?', 'Remove', 2);
  await ended(page, 'Remove: done.');
  await page.getByText('Nobody fits').waitFor();
  await visit(page, '#/users?email=gone@example.com');
  await choose(page, 'Erase');
  await start(page, 'Erase 2 users?', 'Erase', 2);
  await ended(page, 'Erase: done.');
  await page.getByText('Nobody fits').waitFor();
  for (const n of [0, 1]) assert.equal((await home.call('GET', `v1/apps/${APP}/tombstones/${idOf(n, 'e')}`)).state, 'erased');
  // The filter of the job named them.
  await page.getByRole('link', { name: /^Job \d+$/ }).click();
  await page.getByText('It named an app user who was erased').waitFor();
  await checkPage(page, 'a job that named an erased one');
}

/** Who may: a viewer starts nothing, and whoever sees no people starts what needs no values. */
async function roles(home, browser) {
  const { segments: [{ id }] } = await home.call('GET', `segments?app=${APP}`);
  const { id: other } = await home.call('POST', 'segments', { body: { app: APP, name: 'By a name', query: 'q=Bob' } });
  for (const operator of [VERA, MAX]) {
    const page = await browser.signedIn(await browser.profile(), operator);
    for (const screen of [`#/users?segment=${id}`, '#/events', '#/events/1', '#/jobs', '#/jobs?job=1']) {
      await visit(page, screen);
      const there = (await page.locator('main button:visible, main summary').allInnerTexts()).join('\n');
      assert.doesNotMatch(there, /All of these|Replay|Cancel|Delete/, `${operator[0]} ${screen}`);
    }
    await page.context().close();
  }
  const page = await browser.signedIn(await browser.profile(), MIA);
  await visit(page, `#/users?segment=${other}`);
  await page.getByText('This session may not see the segment').waitFor();
  await checkPage(page, 'a masked segment');
  await page.locator('summary', { hasText: 'Segments' }).click();
  await page.getByText('one that this session may not see').waitFor();
  await visit(page, `#/users?segment=${id}`);
  await page.locator('summary', { hasText: 'All of these' }).click();
  assert.deepEqual(await page.locator('details[open] button').allInnerTexts(), ['Remove …', 'Erase …']);
  await page.getByRole('button', { name: 'Remove …' }).click();
  await page.getByRole('heading', { name: 'Remove 5 users?' }).waitFor();
  await page.getByRole('dialog').getByRole('button', { name: 'Copy as curl' }).click();
  assert.match(await page.getByLabel('Commands').innerText(), /"kind":"remove","segment":"[0-9a-f]{24}","expect":5/);
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await visit(page, '#/jobs?job=1');
  await page.getByText('Not shown to a session without personal data').waitFor();
}

await story(() => new Home(SETTINGS), async (home, browser) => {
  const many = 600;
  await home.user({ _id: BOB, givenName: 'Bob' });
  for (const n of [0, 1, 2, 3]) {
    const heavy = n === 3 ? { givenName: 'The heavy one', properties: { notes: 'x'.repeat(4090) } } : {};
    await home.user({ _id: idOf(n, 'b'), givenName: `Wes ${n}`, clients: [{ id: `web-${n}`, platform: 'web', active: true }], ...heavy }, n);
  }
  for (const [letter, name] of [['d', 'Removable'], ['e', 'Erasable']]) for (const n of [0, 1]) await home.user({ _id: idOf(n, letter), givenName: name, email: `${letter === 'e' ? 'gone' : 'kept'}@example.com` }, n);
  await inParts([...Array(many).keys()], (n) => home.user({ _id: idOf(n), properties: { plan: 'family' }, clients: [{ id: `t-${n}`, platform: 'telegram', active: true }] }, n));
  await inParts([...Array(55).keys()], (n) => home.user({ _id: idOf(n, 'f'), properties: { notes: 'x'.repeat(4090) }, clients: [{ id: `v-${n}`, platform: 'viber', active: true }] }, n));
  const page = await browser.signedIn(await browser.profile({ acceptDownloads: true }), ANN);
  await page.keyboard.press('g');
  await page.keyboard.press('j');
  await page.getByText('No jobs').waitFor();
  await checkPage(page, 'no jobs');
  await segments(home, page);
  await outdated(home, page);
  await property(home, page);
  await manyFailures(page, 55);
  await cancelling(home, page, many);
  await exporting(home, page);
  await replaying(page);
  await erasing(home, page);
  await roles(home, browser);
});
