// Every page: its address, its accessibility in each state, and the text of strangers in it.
import assert from 'node:assert/strict';
import { checkPage, picture, settled, story, visit } from './browser.mjs';
import { ANN, APP, BOB, Home, MAX } from './program.mjs';

/** Strings that have broken pages, after the public lists of such strings. */
const HOSTILE = [
  '<script>globalThis.broken = 1</script>', '"><img src=x onerror="globalThis.broken=1">', "javascript:globalThis.broken=1//'",
  '</title><svg onload=globalThis.broken=1>', '${globalThis.broken=1}', '{{constructor.constructor("globalThis.broken=1")()}}',
  '\u202egnp.exe\u202c', 'a\u0000b\u0007c', 'Z\u0351\u0327\u0349a\u0329\u0333l\u0324g\u0332o', '\u200bnothing\u200d\ufeff', '__proto__', 'constructor',
  'A'.repeat(300), '田中さんにあげて下さい', '👩‍👩‍👧‍👦 🏳️‍🌈', 'مُنَاقَشَةُ سُبُلِ', '%00%0d%0aSet-Cookie: x=1', "'; DROP TABLE users; --", '../../../etc/passwd', '#/users?q=%',
];

async function fill(home) {
  await home.user({ _id: BOB, userId: 'bob@example.com', givenName: 'Bob', properties: { plan: 'family', orders: 12 } });
  for (const [n, text] of HOSTILE.entries()) {
    const _id = (n + 16).toString(16).padStart(24, 'e');
    await home.user({ _id, givenName: text, surname: `no ${n}`, email: text, properties: { [text]: text }, clients: [{ id: `c ${text}`, platform: text, displayName: text, active: true }] }, n);
  }
  await home.webhook(new Uint8Array([...new TextEncoder().encode('{"trigger": "<b>\u202e", "n": 1444348338.70400, "n": 12345678901234567890, "bad": "'), 0xff, 0xc3, 0x22, 0x7d]));
  await home.webhook('{"trigger":');
  await home.call('POST', `v1/apps/${APP}/appusers/merge`, { body: { surviving: { _id: BOB }, discarded: { _id: (16).toString(16).padStart(24, 'e') } } });
}

const held = async (home) => (await home.call('GET', 'quarantine?limit=10')).bodies[0].seq;

/** Every screen. */
const screens = (seq) => [
  '#/', '#/users', '#/users?identified=true&sort=-signedUpAt', `#/users/${BOB}`, `#/users/${BOB}?tab=timeline`, `#/users/${BOB}?tab=clients`,
  `#/users/${BOB}?tab=group`, `#/users/${BOB}?tab=as-of&asOf=1`, `#/merge?surviving=${BOB}&discarded=${(17).toString(16).padStart(24, 'e')}`,
  '#/events', '#/events?trigger=message%3AappUser&order=asc', '#/events/2', '#/live', '#/quarantine', `#/quarantine/${seq}`,
  '#/health', '#/backups', '#/settings', '#/settings?find=limits', '#/audit',
];
const EMPTY = ['#/users?q=nobodyatall', '#/users/nobody', '#/events?user=nobody', '#/events/999999', '#/quarantine/999999', '#/audit?who=nobody', '#/merge', '#/settings?find=nosuchkey', '#/nowhere', '#/users?colour=red', `#/users/${BOB}?tab=nowhere`, '#/live?user=nobody'];

const name = (screen) => screen.replace(/[^a-z0-9]+/gi, '-');

/** axe, both schemes, wide and narrow. */
async function look(page, list, state) {
  for (const screen of list) {
    await visit(page, screen);
    for (const [colorScheme, width] of [['light', 1280], ['dark', 320]]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 900 });
      await checkPage(page, `${state} ${screen} ${colorScheme} ${width}`);
      await picture(page, `${state}-${name(screen)}-${colorScheme}-${width}`);
    }
  }
  await page.setViewportSize({ width: 1280, height: 900 });
}

/** An address alone gives the same screen: in a new tab, after a reload, and with Back. */
async function addresses(page, list) {
  const text = async () => (await page.innerText('main')).replace(/\d+ (seconds?|minutes?) ago|now|request [0-9a-f-]+/g, '…');
  const seen = new Map();
  for (const screen of list) {
    await visit(page, screen);
    seen.set(screen, { text: await text(), title: await page.title() });
  }
  const titles = new Set([...seen.values()].map(({ title }) => title));
  assert.ok(titles.size > 10 && ![...titles].includes('rollcall'), [...titles].join('\n'));
  const before = list.slice(-6, -1).reverse().filter((screen) => !screen.includes('live'));
  for (const screen of before) {
    await page.goBack();
    await settled(page);
    assert.equal(await page.title(), seen.get(screen).title, screen);
    await page.reload();
    await settled(page);
    // Health tells of this moment.
    if (screen !== '#/health') assert.equal(await text(), seen.get(screen).text, screen);
  }
}

async function hostile(page) {
  await visit(page, '#/users?limit=200');
  const text = await page.innerText('main');
  for (const one of HOSTILE.filter((one) => /^[\x20-\x7e]{1,100}$/.test(one))) assert.ok(text.includes(one), one);
  for (const hidden of ['U+202E', 'U+0007', 'U+200B', 'U+FEFF']) assert.ok(text.includes(hidden), hidden);
  assert.ok(text.includes('👩‍👩‍👧‍👦'), 'a joiner within a picture stays');
  for (const [n] of HOSTILE.entries()) {
    for (const tab of ['', '?tab=clients']) await visit(page, `#/users/${(n + 16).toString(16).padStart(24, 'e')}${tab}`);
  }
  assert.equal(await page.evaluate(() => globalThis.broken), undefined, 'nothing of it was run');
}

/** Bodies as they came. */
async function bodies(home, page) {
  const { bodies: list } = await home.call('GET', 'quarantine?limit=10');
  for (const { seq } of list) {
    await visit(page, `#/quarantine/${seq}`);
    await page.getByRole('button', { name: /Show the body/ }).click();
    const raw = page.getByLabel('The body as received');
    await raw.or(page.getByRole('button', { name: 'As received' })).first().waitFor();
    if (await page.getByRole('button', { name: 'As received' }).count()) await page.getByRole('button', { name: 'As received' }).click();
    const text = await raw.innerText();
    if (!text.includes('"n"')) continue;
    assert.match(text, /1444348338\.70400/);
    assert.match(text, /12345678901234567890/);
    assert.ok(text.includes('U+202E') && text.includes('\\xff') && text.includes('\\xc3'), text);
    await checkPage(page, 'a hostile body');
    return;
  }
  assert.fail('the body was not there');
}

/** The tokenizer: what is JSON has a tree with its keys and leaves as they were written, and nothing else has one. */
async function tokens(page) {
  const good = ['{}', '[]', ' [1, 2.50, -0e+5, "a\\"b\\u00e9", true, null] ', '{"a":1,"a":{"b":[]},"":""}', '"x"', '12345678901234567890', `${'['.repeat(5000)}${']'.repeat(5000)}`];
  const bad = ['', ' ', '{', '[', '[1,]', '{"a"}', '{"a":}', '{a:1}', "['a']", '[1 2]', '01', '1.', '.5', '+1', 'NaN', 'tru', '"a', '"a\\', '[1}', '{"a":1]', '1 2', '[]]', ']', ',', '{"a":1,}', '[,1]', '\u0000', 'null,', '[\u00a01]'];
  const wrong = await page.evaluate(async ([yes, no]) => {
    const folder = document.querySelector('script[type="module"]').src.replace('app.js', '');
    const { treeOf, decode } = await import(`${folder}parts/json.js`);
    const flat = (node) => (node.leaf !== undefined ? node.leaf : `${node.open}${node.members.map(([key, one]) => (key === undefined ? '' : `${key}:`) + flat(one)).join(',')}${node.open === '{' ? '}' : ']'}`);
    const found = [];
    for (const text of yes) {
      const tree = treeOf(text);
      // No white space outside of strings: there is none within these.
      if (!tree || (text.length < 1000 && flat(tree) !== text.trim().replaceAll(', ', ','))) found.push(text.slice(0, 50));
    }
    for (const text of no) if (treeOf(text)) found.push(text);
    const bytes = Uint8Array.from([0x61, 0xc3, 0xa9, 0xff, 0xe2, 0x82, 0x62, 0xed, 0xa0, 0x80, 0xf0, 0x9f, 0x98, 0x80]);
    const text = decode(bytes);
    if (text !== 'a\u00e9\udcff\udce2\udc82b\udced\udca0\udc80\ud83d\ude00') found.push(escape(text));
    return found;
  }, [good, bad]);
  assert.deepEqual(wrong, []);
}

/** By keyboard alone: to a user and through its dialog. */
async function keyboard(page) {
  await visit(page, '#/');
  await page.locator('body').press('Tab');
  const focused = () => page.evaluate(() => document.activeElement.textContent);
  const focus = (text) => page.waitForFunction((wanted) => document.activeElement.textContent === wanted, text);
  await page.keyboard.press('g');
  await page.keyboard.press('u');
  await page.getByRole('heading', { name: 'Users' }).waitFor();
  await settled(page);
  await focus('Users');
  await page.keyboard.press('/');
  await page.keyboard.type('bob');
  await page.keyboard.press('Enter');
  await page.locator('tbody tr').nth(1).waitFor({ state: 'detached' });
  await settled(page);
  await page.keyboard.press('Escape');
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: /Bob/ }).waitFor();
  await settled(page);
  for (let tabs = 0; (await focused()) !== 'Remove'; tabs += 1) {
    assert.ok(tabs < 30, 'Remove is reached by Tab');
    await page.keyboard.press('Tab');
  }
  await page.keyboard.press('Enter');
  await focus('Cancel');
  await page.keyboard.press('Escape');
  await focus('Remove');
  await page.keyboard.press('?');
  await page.getByLabel('Single keys do something').uncheck();
  await page.keyboard.press('Escape');
  await page.keyboard.press('g');
  await page.keyboard.press('u');
  assert.match(page.url(), /#\/users\/./, 'single keys are off');
  await page.evaluate(() => localStorage.removeItem('rollcall /console/ keys'));
}

/** A session without personal data: no field, no button and no value that it may not have. */
async function masked(home, browser, list) {
  const page = await browser.signedIn(await browser.profile(), MAX);
  for (const screen of list) {
    await visit(page, screen);
    const shown = await page.innerText('body');
    for (const secret of ['bob@example.com', 'family', 'no 3', 'no 0', 'client-']) assert.ok(!shown.includes(secret), `${screen} shows ${secret}`);
    for (const button of ['Edit', 'Erase', 'Remove', 'Redrive', 'Drop', 'Reload', 'Make a backup', 'Show the body']) {
      assert.equal(await page.getByRole('button', { name: button }).count(), 0, `${screen} has ${button}`);
    }
  }
  await visit(page, '#/users');
  assert.equal(await page.getByPlaceholder(/Words of a name/).count(), 0);
  await page.getByRole('button', { name: 'Filter' }).click();
  assert.ok(!(await page.locator('form.adding select').first().innerText()).includes('e-mail'));
  await look(page, ['#/', '#/users', `#/users/${BOB}`, `#/users/${BOB}?tab=timeline`, `#/users/${BOB}?tab=clients`, '#/events/2'], 'masked');
}

/** Every list and every page when its call fails. */
async function failed(page) {
  await page.route(/\/(v1|journal|quarantine|health|backups|settings|audit)(\/|\?|$)/, (route) => route.fulfill({ status: 502, headers: { 'x-request-id': 'request-7' }, contentType: 'application/json', body: '{"error":{"code":"internal","description":"It went wrong"}}' }));
  for (const screen of ['#/', '#/users?q=b', `#/users/${BOB}?tab=profile`, '#/events?order=asc', '#/events/1', '#/quarantine?reason=x', '#/quarantine/1', '#/health', '#/backups', '#/settings', '#/audit?who=x']) {
    await page.goto('about:blank');
    await page.goto(screen.startsWith('#') ? `${page.context().at}${screen}` : screen);
    await page.getByText('It went wrong').first().waitFor();
    await page.getByText('request-7').first().waitFor();
    await checkPage(page, `failed ${screen}`);
  }
  await page.unroute(/\/(v1|journal|quarantine|health|backups|settings|audit)(\/|\?|$)/);
}

await story(() => new Home(), async (home, browser) => {
  await fill(home);
  const context = await browser.profile();
  context.at = home.console;
  const page = await browser.signedIn(context, ANN);
  const list = screens(await held(home));
  await addresses(page, list);
  await hostile(page);
  await bodies(home, page);
  await tokens(page);
  await keyboard(page);
  await look(page, list, 'loaded');
  await look(page, EMPTY, 'empty');
  await failed(page);
  await masked(home, browser, list);
});
