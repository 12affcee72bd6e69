// From a link to the first event, and through the changes of a user.
import assert from 'node:assert/strict';
import { checkPage, picture, settled, story, visit } from './browser.mjs';
import { ANN, APP, BOB, firstWebhook, Home } from './program.mjs';

const link = (home) => {
  const said = home.command('console');
  const [address] = /http:\S+#\/login\/\S+/.exec(said);
  return address;
};

/** From `rollcall console` to the first event on a fresh directory, and to Bob by half his name. */
async function firstSession(home, browser) {
  const context = await browser.profile();
  const page = await context.newPage();
  const address = link(home);
  await page.goto(address);
  await page.getByRole('heading', { name: 'No event yet' }).waitFor();
  await settled(page);
  await checkPage(page, 'first steps');
  await picture(page, 'first-steps');
  assert.match(page.url(), /#\/$/, 'the code is not in the address any more');
  // The command that the page shows is the README's; it sends the first event.
  const shown = await page.getByLabel('The first webhook').innerText();
  const body = /-d '(\{[^]*\})'/.exec(shown)[1];
  assert.deepEqual(JSON.parse(body), JSON.parse(firstWebhook()));
  await home.webhook(body);
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
  // The bar of its minute leads to the event.
  for (const span of ['2 days', '30 days', 'Hour']) {
    await page.getByRole('link', { name: span, exact: true }).click();
    await page.locator('.legend').getByText('1 learned').waitFor();
  }
  await page.getByText('The same as a table').click();
  await page.getByRole('table', { name: 'Events of each minute by outcome' }).getByRole('cell', { name: '1', exact: true }).waitFor();
  await page.getByRole('link', { name: /: 1 learned$/ }).click();
  await page.getByRole('heading', { name: 'Events' }).waitFor();
  await page.getByRole('row', { name: /message:appUser/ }).waitFor();
  assert.match(page.url(), /since=.*until=/);
  // The link works once.
  const other = await (await browser.profile()).newPage();
  await other.goto(address);
  await other.getByText('The link was used').waitFor();
  // Half his name; which event set his e-mail.
  await home.user({ _id: BOB, givenName: 'Bob', surname: 'Brown', email: 'bob@example.com' }, 1);
  await page.keyboard.press('/');
  await page.keyboard.type('bo');
  await page.keyboard.press('Enter');
  await page.getByRole('link', { name: 'Bob Brown' }).click();
  const email = page.getByRole('row', { name: 'email bob@example.com' });
  await email.getByRole('link', { name: '2', exact: true }).click();
  await page.getByRole('heading', { name: 'Event 2' }).waitFor();
  await page.getByRole('row', { name: /email.*nothing.*bob@example.com/ }).waitFor();
  await page.getByRole('button', { name: /Show the body/ }).click();
  await page.getByText('"Brown"').waitFor();
  await page.getByRole('button', { name: 'As received' }).click();
  assert.match(await page.getByLabel('The body as received').innerText(), /"received":1444348339\.704/);
  await page.goBack();
  await page.getByRole('heading', { name: 'Bob Brown' }).waitFor();
  await context.close();
}

/** Merge, see the result, undo. */
async function merging(home, page) {
  const [one, other] = ['a'.repeat(24), 'b'.repeat(24)];
  await home.user({ _id: one, givenName: 'Ann' }, 10);
  await home.user({ _id: other, surname: 'Lee', email: 'lee@example.com' }, 11);
  await visit(page, `#/users/${one}`);
  await page.getByRole('link', { name: 'Merge …' }).click();
  await page.getByLabel(/^Discarded/).fill(other);
  await page.keyboard.press('Enter');
  await page.getByRole('row', { name: /email.*lee@example.com.*lee@example.com.*comes over/ }).waitFor();
  await page.getByRole('button', { name: 'Swap' }).click();
  await page.getByRole('row', { name: /givenName.*none.*Ann.*Ann.*comes over/ }).waitFor();
  await page.getByRole('button', { name: 'Swap' }).click();
  await page.getByRole('button', { name: 'Merge', exact: true }).click();
  const dialog = page.getByRole('dialog');
  await page.waitForFunction(() => document.activeElement.textContent === 'Cancel');
  await dialog.getByRole('button', { name: 'Merge' }).click();
  await page.getByText('The two are one app user').waitFor();
  await page.getByRole('link', { name: 'Show it' }).click();
  await page.getByRole('heading', { name: 'Ann Lee' }).waitFor();
  await page.getByText('1 merged into it').waitFor();
  // The old _id leads to who it is.
  await visit(page, `#/users/${other}`);
  await page.getByText('was merged into').waitFor();
  await page.getByRole('link', { name: 'Group' }).click();
  await page.getByRole('button', { name: 'Un-merge' }).click();
  await page.getByText('They are separate again').waitFor();
  await page.getByRole('dialog').getByRole('button', { name: 'Un-merge' }).click();
  await page.getByText('Nobody is merged into this app user').waitFor();
  await visit(page, `#/users/${one}`);
  assert.equal(await page.locator('h1').innerText(), 'Ann');
}

/** An edit, and one against a change by somebody else. */
async function editing(home, page) {
  await visit(page, `#/users/${BOB}`);
  await page.getByRole('button', { name: 'Edit' }).click();
  await page.getByLabel('Given name').fill('Robert');
  assert.equal(await page.getByLabel('The body of the request').innerText(), '{"givenName":"Robert"}');
  await home.call('PUT', `v1/apps/${APP}/appusers/${BOB}`, { body: { givenName: 'Rob', surname: 'Green' } });
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByText('Somebody else changed it meanwhile').waitFor();
  await page.getByRole('row', { name: 'givenName Bob Rob Robert' }).waitFor();
  await page.getByRole('row', { name: 'surname Brown Green as it is now' }).waitFor();
  await checkPage(page, 'both versions');
  await page.getByRole('button', { name: 'Save mine over it' }).click();
  await page.getByRole('heading', { name: 'Robert Green' }).waitFor();
  assert.equal(await page.getByRole('dialog').count(), 0);
  // What Smooch says stands beside it, also of what was cleared.
  await page.getByRole('row', { name: /^givenName Robert overridden Bob / }).waitFor();
  await home.call('PUT', `v1/apps/${APP}/appusers/${BOB}`, { body: { email: null } });
  await page.reload();
  await page.getByRole('row', { name: /^email none overridden bob@example.com/ }).waitFor();
  await checkPage(page, 'ours beside Smooch\'s');
}

/** A backup, made and verified. */
async function backups(page) {
  await visit(page, '#/backups');
  await page.getByRole('button', { name: 'Make a backup' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Make a backup' }).click();
  await page.getByText(/users?, \d+ events?, up to number \d+/).waitFor();
  await page.locator('main tbody').getByRole('button', { name: 'Verify' }).first().click();
  await page.getByRole('dialog').getByRole('button', { name: 'Verify' }).click();
  await page.getByText(/ is whole\./).waitFor();
  await checkPage(page, 'backups');
}

/** Redrive all of a reason after the limit was raised, and drop the rest with the number typed. */
async function quarantine(home, page) {
  const deep = `{"trigger":"message:appUser","app":{"_id":"${APP}"},"appUser":{"_id":"${'d'.repeat(24)}"},"messages":[],"x":${'['.repeat(20)}${']'.repeat(20)}}`;
  for (let n = 0; n < 3; n += 1) await home.webhook(deep.replace('"messages":[]', `"messages":[],"n":${n}`));
  await home.webhook('no JSON at all');
  await visit(page, '#/quarantine');
  await page.getByRole('link', { name: /too_deep/ }).first().click();
  await settled(page);
  assert.equal(await page.locator('main tbody tr').count(), 3);
  home.configure('[limits]\njson_depth = 64\n[backup]\nfolder = "backups"');
  await visit(page, '#/settings?find=json_depth');
  await page.getByRole('button', { name: 'Reload' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Reload' }).click();
  await page.getByText(/Changed:.*limits.json_depth/).waitFor();
  await page.goBack();
  await page.getByRole('button', { name: 'Redrive all …' }).click();
  await page.getByRole('heading', { name: 'Try 3 bodies again?' }).waitFor();
  await page.getByRole('button', { name: 'Redrive 3' }).click();
  await page.getByText('No body fits').waitFor();
  await visit(page, '#/quarantine');
  assert.equal(await page.locator('main tbody tr').count(), 1);
  await page.getByRole('button', { name: 'Drop all …' }).click();
  const drop = page.getByRole('button', { name: 'Drop 1' });
  assert.ok(await drop.isDisabled());
  await page.getByLabel(/^Type/).fill('1');
  await drop.click();
  await page.getByText('Every webhook that was received could be used').waitFor();
}

/** Remove, and what is left of it. */
async function removing(home, page) {
  const [cat, old] = ['f'.repeat(24), '9'.repeat(24)];
  await home.user({ _id: cat, givenName: 'Cat' }, 20);
  await home.user({ _id: old, givenName: 'Kitten' }, 21);
  await home.call('POST', `v1/apps/${APP}/appusers/merge`, { body: { surviving: { _id: cat }, discarded: { _id: old } } });
  await visit(page, `#/users/${cat}`);
  await page.getByRole('button', { name: 'Remove' }).click();
  await page.getByLabel(/^Type/).fill(cat);
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  for (const _id of [cat, old]) {
    await visit(page, `#/users/${_id}`);
    await page.getByText('This app user was removed').waitFor();
    await page.locator('.entry').filter({ hasText: 'message:appUser' }).first().waitFor();
    await checkPage(page, 'what is left of a removed one');
  }
  await visit(page, `#/users/${'8'.repeat(24)}`);
  await page.getByText('There is no such app user').waitFor();
}

/** Erase, and the tombstone. */
async function erasing(home, page) {
  await visit(page, `#/users/${BOB}`);
  await page.getByRole('button', { name: 'Erase' }).click();
  const erase = page.getByRole('dialog').getByRole('button', { name: 'Erase' });
  assert.ok(await erase.isDisabled());
  await page.getByLabel(/^Type/).fill(BOB);
  await erase.click();
  await page.getByText('The person is erased').waitFor();
  await checkPage(page, 'the receipt');
  await page.reload();
  await page.getByText('The person is erased').waitFor();
  await page.getByText('Journal number').waitFor();
  await checkPage(page, 'the tombstone');
  await visit(page, `#/audit?user=${BOB}`);
  await page.getByRole('row', { name: /ann.*erase/ }).waitFor();
}

await story(() => new Home('[limits]\njson_depth = 12\n[backup]\nfolder = "backups"'), async (home, browser) => {
  await firstSession(home, browser);
  const page = await browser.signedIn(await browser.profile(), ANN);
  await merging(home, page);
  await editing(home, page);
  await backups(page);
  await quarantine(home, page);
  await removing(home, page);
  await erasing(home, page);
});
