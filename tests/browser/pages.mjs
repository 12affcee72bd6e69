// Every page: its accessibility with and without anything on it, its keys, and how it reads bodies.
import assert from 'node:assert/strict';
import { settled, story, visit } from './browser.mjs';
import { ANN, Home } from './program.mjs';
import { EMPTY, fill, look, screens } from './screens.mjs';

/** The tokenizer: what is JSON has a tree with its keys and leaves as they were written, and nothing else has one. */
async function tokens(page) {
  const good = ['{}', '[]', ' [1, 2.50, -0e+5, "a\\"b\\u00e9", true, null] ', '{"a":1,"a":{"b":[]},"":""}', '"x"', '12345678901234567890', `${'['.repeat(5000)}${']'.repeat(5000)}`];
  const bad = ['', ' ', '{', '[', '[1,]', '{"a"}', '{"a":}', '{a:1}', "['a']", '[1 2]', '01', '1.', '.5', '+1', 'NaN', 'tru', '"a', '"a\\', '[1}', '{"a":1]', '1 2', '[]]', ']', ',', '{"a":1,}', '[,1]', '\u0000', 'null,', '[\u00a01]'];
  const wrong = await page.evaluate(async ([yes, no]) => {
    const folder = document.querySelector('script[src$="app.js"]').src.replace('app.js', '');
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

await story(() => new Home(), async (home, browser) => {
  const filled = await fill(home);
  const page = await browser.signedIn(await browser.profile(), ANN);
  await tokens(page);
  await keyboard(page);
  await look(page, screens(filled), 'loaded');
  await look(page, EMPTY, 'empty');
});
