// Text of strangers in every place that has any: shown as text, nothing of it run, nothing of it hidden.
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { checkPage, picture, settled, story, visit } from './browser.mjs';
import { ANN, APP, BOB, Home, SECRET } from './program.mjs';
import { KINDS, STRINGS } from './strings.mjs';

const idOf = (n) => (n + 16).toString(16).padStart(24, 'e');
/** What answers have as it came: in place of NUL and of half a pair they have U+FFFD. */
const PLAIN = STRINGS.filter((text) => !/\u0000|\p{Surrogate}/u.test(text));

/** Posts a body with headers as they are: no client of the standard library would send these. */
function postRaw(home, headers, body) {
  const [host, port] = home.listen.split(':');
  return new Promise((done, fail) => {
    const sent = request({ host, port, path: '/webhooks', method: 'POST', headers: { 'x-api-key': SECRET, 'content-type': 'application/json', ...headers } }, (answer) => answer.resume().on('end', () => done(answer.statusCode)));
    sent.on('error', fail).end(body);
  });
}

async function fill(home) {
  // One with all of them as keys and values, and one for each of them in every field.
  await home.user({ _id: BOB, givenName: 'Bob', properties: Object.fromEntries(STRINGS.map((text) => [text, text])) });
  for (const [n, text] of STRINGS.entries()) {
    await home.user({ _id: idOf(n), givenName: text, surname: `no ${n}`, email: text, displayName: text, unheardOf: text, properties: { text },
      clients: [{ id: `client ${n}`, platform: text, displayName: text, active: true, info: { userAgent: text }, raw: { [text]: text } }] }, n);
  }
  // As triggers, and in what cannot be used: its headers and its body.
  for (const text of STRINGS.slice(0, 6)) {
    await home.webhook({ trigger: text, app: { _id: APP }, appUser: { _id: BOB }, text });
    assert.equal(await postRaw(home, { 'x-hostile': text.replace(/[\u0000\u007f]/g, ''), 'user-agent': '<img src=x onerror=globalThis.broken=1>' }, `{"trigger":${text}`), 200);
  }
  const signs = Uint8Array.from([...new TextEncoder().encode('{"trigger": "<b>\u202e", "n": 1444348338.70400, "n": 12345678901234567890, "bad": "'), 0xff, 0xc3, 0x22, 0x7d]);
  await home.webhook(signs);
  await home.call('POST', `v1/apps/${APP}/appusers/${BOB}/events`, { body: { name: STRINGS[0] } });
}

/** Every text that the page isolates, with the signs in it that are shown by name. */
const shown = (page) => page.evaluate(() => {
  const text = (node) => [...node.childNodes].map((child) => (child.nodeType === 3 ? child.data : child.classList?.contains('sign') && child.textContent.startsWith('U+') ? String.fromCodePoint(parseInt(child.textContent.slice(2), 16)) : text(child))).join('');
  return [...document.querySelectorAll('bdi, pre')].map(text);
});

/** Nothing that a reader cannot see is left in the text of the page, and nothing of the text is an element. */
async function isText(page, where) {
  const found = await page.evaluate(() => {
    const all = document.body.textContent;
    const ours = [...document.querySelectorAll('main svg')].filter((one) => !one.closest('.icon, .bars, figure, svg.bars') && !one.classList.contains('icon')).length;
    return {
      hidden: [...all.matchAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u061c\u115f\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0]|[\u{e0000}-\u{e007f}]|(?<=[a-z])[\ufe00-\ufe0f]/gu)].map(([sign]) => sign.codePointAt(0).toString(16)),
      elements: document.querySelectorAll('main script, main img, main iframe, main style, main link, main base, main meta, main object, main embed').length + ours,
      elsewhere: [...document.querySelectorAll('[href], [src], [action]')].map((one) => one.getAttribute('href') ?? one.getAttribute('src') ?? one.getAttribute('action')).filter((to) => !/^(#|\.|VERSION|[0-9a-f]{16}\/|http:\/\/127\.0\.0\.1)/.test(to)),
      handlers: document.querySelectorAll('[onclick], [onload], [onerror], [onmouseover], [style*="url"]').length,
      folded: [...document.querySelectorAll('bdi')].filter((one) => getComputedStyle(one).whiteSpaceCollapse !== 'preserve').length,
      broken: globalThis.broken,
    };
  });
  assert.deepEqual(found, { hidden: [], elements: 0, elsewhere: [], handlers: 0, folded: 0, broken: undefined }, where);
}

function hasAll(texts, wanted, where) {
  const known = new Set(texts);
  assert.deepEqual(wanted.filter((text) => !known.has(text)), [], where);
}

/** The user who has all of them, on each tab, in the dialogs, and in the events. */
async function profile(home, page) {
  await visit(page, `#/users/${BOB}`);
  hasAll(await shown(page), [...PLAIN.map((text) => `properties.${text}`), ...PLAIN], 'profile');
  await isText(page, 'profile');
  for (const width of [1280, 320]) {
    await page.setViewportSize({ width, height: 900 });
    await checkPage(page, `hostile profile ${width}`, { foreign: true });
    await picture(page, `hostile-profile-${width}`);
  }
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.getByRole('button', { name: 'Edit' }).click();
  await page.getByLabel('Given name').waitFor();
  await isText(page, 'edit');
  await page.keyboard.press('Escape');
  for (const place of [`#/users/${BOB}?tab=timeline`, `#/users/${BOB}?tab=as-of&asOf=1`, '#/events/1']) {
    await visit(page, place);
    hasAll(await shown(page), PLAIN.map((text) => `properties.${text}`), place);
    await isText(page, place);
  }
  await page.getByRole('button', { name: /Show the body/ }).click();
  await page.getByRole('button', { name: 'As received' }).waitFor();
  await isText(page, 'tree of the body');
  await page.getByRole('button', { name: 'As received' }).click();
  await isText(page, 'body as received');
}

/** Lists, and a few of those who have one in each field. */
async function lists(home, page) {
  await visit(page, '#/users?limit=200');
  // A name that is white space alone is none.
  hasAll(await shown(page), PLAIN.filter((text) => text.trim()), 'users');
  await isText(page, 'users');
  await checkPage(page, 'hostile users', { foreign: true });
  const rows = await page.locator('main tbody a.row').evaluateAll((links) => links.filter((link) => link.getBoundingClientRect().width < 4).length);
  assert.equal(rows, 0, 'every row can be seen and hit');
  for (let n = 0; n < STRINGS.length; n += 9) {
    for (const tab of ['', '?tab=clients', '?tab=timeline']) {
      await visit(page, `#/users/${idOf(n)}${tab}`);
      await isText(page, `${STRINGS[n]} ${tab}`);
    }
    assert.ok((await page.title()).length > 0);
  }
  for (const place of ['#/', '#/settings', '#/users?app=another', '#/events', '#/live', '#/audit', `#/merge?surviving=${BOB}&discarded=${idOf(0)}`]) {
    await visit(page, place);
    await isText(page, place);
  }
  await visit(page, '#/events?trigger=' + encodeURIComponent(STRINGS[0]));
  hasAll(await shown(page), [STRINGS[0]], 'a trigger');
}

/** As names of segments, in their filters, and in what jobs are started with. */
async function segments(home, page) {
  const names = PLAIN.filter((text) => text.trim() && Buffer.byteLength(text) <= 200);
  for (const text of names) await home.call('POST', 'segments', { body: { app: APP, name: text, query: new URLSearchParams({ [`property.${text}`]: text }).toString() } });
  const { segments: all } = await home.call('GET', `segments?app=${APP}`);
  await visit(page, '#/users');
  await page.locator('summary', { hasText: 'Segments' }).click();
  hasAll(await shown(page), names, 'segments');
  await isText(page, 'segments');
  await checkPage(page, 'hostile segments', { foreign: true });
  for (const { id, name, query } of all.filter((_, n) => n % 9 === 0)) {
    await visit(page, `#/users?segment=${id}`);
    hasAll(await shown(page), [name], 'a segment');
    await isText(page, `the segment ${name}`);
    await page.locator('summary', { hasText: 'Segments' }).click();
    await page.getByRole('button', { name: 'Rename' }).click();
    await isText(page, `renaming ${name}`);
    await page.keyboard.press('Escape');
    const { count } = await home.call('POST', 'jobs', { body: { kind: 'clearProperty', property: name, segment: id, dryRun: true } });
    const job = await home.call('POST', 'jobs', { body: { kind: 'clearProperty', property: name, segment: id, expect: count } });
    while ((await home.call('GET', `jobs/${job.id}`)).state === 'running');
    await visit(page, `#/jobs?job=${job.id}`);
    hasAll(await shown(page), [query, name], 'a job');
    await isText(page, `a job for ${name}`);
  }
}

/** In the quarantine: reasons, details, headers, bodies. */
async function quarantine(home, page) {
  const { bodies } = await home.call('GET', 'quarantine?limit=200');
  await visit(page, '#/quarantine?limit=200');
  await isText(page, 'quarantine');
  assert.ok(bodies.length > 6, `${bodies.length} bodies`);
  const seen = [];
  for (const { seq } of bodies) {
    await visit(page, `#/quarantine/${seq}`);
    await page.getByRole('button', { name: /Show the body/ }).click();
    const raw = page.getByLabel('The body as received');
    const asReceived = page.getByRole('button', { name: 'As received' });
    await raw.or(asReceived).first().waitFor();
    if (await asReceived.count()) await asReceived.click();
    await isText(page, `body ${seq}`);
    seen.push(...(await shown(page)));
    const text = await raw.innerText();
    if (!text.includes('"n"')) continue;
    assert.match(text, /1444348338\.70400/);
    assert.match(text, /12345678901234567890/);
    assert.ok(text.includes('U+202E') && text.includes('\\xff') && text.includes('\\xc3'), text);
    await checkPage(page, 'a hostile body');
  }
  const all = seen.join('\n');
  for (const text of STRINGS.slice(0, 6)) assert.ok(all.includes(`{"trigger":${text}`), `the body with ${text}`);
  assert.ok(all.includes('user-agent: <img src=x onerror=globalThis.broken=1>'), 'headers');
}

/** In the address: as a page, an id, a filter, a tab. */
async function addresses(home, page) {
  for (const [n, text] of STRINGS.entries()) {
    if (n % 4 && !text.includes('%') && !text.startsWith('.')) continue;
    const part = encodeURIComponent(text.toWellFormed());
    for (const place of [`#/${part}`, `#/users/${part}`, `#/users?q=${part}`, `#/users/${BOB}?tab=${part}`].slice(0, text.length > 100 ? 1 : 4)) {
      await page.evaluate((to) => { location.hash = to; }, place);
    }
    await settled(page);
    await isText(page, `in the address: ${text}`);
  }
  // What cannot be decoded, and what no URL can name.
  for (const place of ['#/%E0%A4%A', '#/users/..', '#/users/%2e']) {
    await visit(page, place);
    await page.getByText('The address leads nowhere').waitFor();
  }
}

/** A second app whose name is one of them. */
const APPS = `
[[apps]]
id = "${APP}"
webhook_secrets = ["${SECRET}"]

[[apps]]
id = "another"
name = '${STRINGS[3]}'
webhook_secrets = ["the-secret-of-another-app"]
`;

await story(() => new Home(APPS), async (home, browser) => {
  assert.ok(STRINGS.length >= 60 && KINDS >= 6);
  await fill(home);
  const page = await browser.signedIn(await browser.profile(), ANN);
  page.on('dialog', (dialog) => browser.complaints.push(`a dialog: ${dialog.message()}`));
  page.on('popup', (popup) => browser.complaints.push(`a window: ${popup.url()}`));
  for (const part of [profile, lists, segments, quarantine, addresses]) await part(home, page);
});
