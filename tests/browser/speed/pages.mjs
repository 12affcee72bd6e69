// What somebody at the pages waits for.
import assert from 'node:assert/strict';
import { settled } from '../browser.mjs';
import { EVENTS_OF_ONE, oneOf } from './directory.mjs';
import { median, pause } from './figures.mjs';

const TIMES = 5;
const ROWS = 'main tbody[data-rows] tr:not(.ghost) a.row';
const RECENT = '#/users?sort=-lastSeen';
/** No user has this property. */
const NOBODY = '#/users?property.favouriteTree=birch';

/** In the page: notes when something is on the screen, in ms after the start of the navigation. */
function noteWhenShown(selector) {
  const look = () => {
    if (globalThis.shownAt || !document.querySelector(selector)) return;
    globalThis.shownAt = true;
    requestAnimationFrame(() => setTimeout(() => { globalThis.shownAt = performance.now(); }));
  };
  new MutationObserver(look).observe(document, { childList: true, subtree: true });
}

/** Opens an address in a browser that has a session and nothing else of the console; ms until `selector` is shown. */
async function firstVisit(browser, storageState, hash, selector, latency = 0) {
  const context = await browser.profile({ storageState });
  await context.addInitScript(noteWhenShown, selector);
  const page = await context.newPage();
  if (latency) {
    const devtools = await context.newCDPSession(page);
    await devtools.send('Network.enable');
    await devtools.send('Network.emulateNetworkConditions', { offline: false, latency, downloadThroughput: -1, uploadThroughput: -1 });
  }
  // A new window of Chromium loads pages of its own first.
  await pause(2000);
  await page.goto(`${browser.home.console}${hash}`);
  await page.waitForFunction(() => typeof globalThis.shownAt === 'number');
  const shown = await page.evaluate(() => globalThis.shownAt);
  await context.close();
  return shown;
}

async function visits(...of) {
  const times = [];
  for (let n = 0; n < TIMES; n += 1) times.push(await firstVisit(...of));
  return times;
}

/** Goes through a list page after page; ms from each click until other rows are shown. */
async function nextPages(browser, storageState) {
  const context = await browser.profile({ storageState });
  const page = await context.newPage();
  await page.goto(`${browser.home.console}${RECENT}`);
  const times = [];
  for (let n = 0; n < TIMES; n += 1) {
    await settled(page);
    times.push(await page.evaluate(async (rows) => {
      const first = () => document.querySelector(rows)?.href;
      const [before, began] = [first(), performance.now()];
      [...document.querySelectorAll('main .under a.button')].find((link) => link.textContent === 'Next').click();
      while (!first() || first() === before) await new Promise(requestAnimationFrame);
      await new Promise((shown) => { setTimeout(shown); });
      return performance.now() - began;
    }, ROWS));
  }
  await context.close();
  return times;
}

/**
 * In the page: looks for nobody, and notes the time of the beginning, of each progress shown, of each look at the list and of
 * the end; presses Stop after so many progresses.
 */
function lookForNobody({ hash, stopAfter }) {
  return new Promise((done) => {
    const notes = { asked: [], progress: [], began: performance.now() };
    const send = globalThis.fetch;
    globalThis.fetch = (url, ...more) => {
      if (String(url).includes('/appusers?')) notes.asked.push(performance.now());
      return send(url, ...more);
    };
    let last;
    const observer = new MutationObserver(() => {
      const text = document.querySelector('main .under [role=status]')?.textContent ?? '';
      const stop = [...document.querySelectorAll('main .under button')].find((button) => button.textContent === 'Stop');
      if (stop && text.startsWith('Looked at') && text !== last) {
        last = text;
        notes.progress.push(performance.now());
        if (notes.progress.length === stopAfter) {
          // Between two answers, as somebody would press it.
          setTimeout(() => {
            notes.pressed = performance.now();
            stop.click();
          }, 20);
        }
      } else if (!stop && last && !notes.ended) {
        notes.ended = performance.now();
        notes.said = document.querySelector('main').innerText;
        observer.disconnect();
        setTimeout(() => {
          globalThis.fetch = send;
          done(notes);
        }, 1500);
      }
    });
    observer.observe(document.querySelector('main'), { childList: true, subtree: true, characterData: true });
    location.hash = hash;
  });
}

/** A search for nobody: the longest time without progress, until it is stopped; then how long Stop takes. */
async function search(browser, storageState, sheet) {
  const context = await browser.profile({ storageState });
  const page = await context.newPage();
  await page.goto(browser.home.console);
  await settled(page);
  const whole = await page.evaluate(lookForNobody, { hash: NOBODY });
  const marks = [whole.began, ...whole.progress, whole.ended];
  const gaps = marks.slice(1).map((time, n) => time - marks[n]);
  sheet.atMost('a filter that nobody fits shows its progress', 500, Math.max(...gaps), `ms; ${whole.asked.length} looks, ${((whole.ended - whole.began) / 1000).toFixed(1)} s in all`);
  const times = [];
  for (let n = 0; n < TIMES; n += 1) {
    await page.evaluate(() => { location.hash = '#/health'; });
    await settled(page);
    const stopped = await page.evaluate(lookForNobody, { hash: NOBODY, stopAfter: 2 + n });
    if (stopped.pressed === undefined) break;
    assert.match(stopped.said, /Stopped after looking at/);
    assert.ok(!stopped.asked.some((time) => time > stopped.pressed), 'nothing is asked after Stop');
    times.push(stopped.ended - stopped.pressed);
  }
  sheet.atMost('Stop ends it, and nothing is asked after it', 200, times.length ? Math.max(...times) : NaN, `ms, the longest of ${times.length}`);
  await context.close();
}

/** Live beside the full rate of ingest: how busy its main thread is, and whether its heap grows. */
export async function live(browser, storageState, load, minutes, sheet) {
  const context = await browser.profile({ storageState });
  const page = await context.newPage();
  await page.goto(`${browser.home.console}#/live`);
  await page.locator('.shell').waitFor();
  const devtools = await context.newCDPSession(page);
  await devtools.send('Performance.enable');
  const metrics = async () => Object.fromEntries((await devtools.send('Performance.getMetrics')).metrics.map(({ name, value }) => [name, value]));
  const warmUp = 15;
  const windows = Math.max(2, Math.round(minutes * 6));
  const rate = load({ kind: 'webhooks', connections: 64, warmUp, seconds: windows * 10 + 5 });
  await pause(warmUp * 1000);
  const [busy, heap] = [[], []];
  for (let n = 0; n < windows; n += 1) {
    const [before, began] = [await metrics(), performance.now()];
    await pause(10_000);
    const after = await metrics();
    busy.push((after.TaskDuration - before.TaskDuration) / ((performance.now() - began) / 1000));
    await devtools.send('HeapProfiler.collectGarbage');
    heap.push((await metrics()).JSHeapUsedSize);
  }
  const { rate: stored } = await rate;
  assert.ok((await page.locator(ROWS).count()) > 400, 'Live shows rows');
  await context.close();
  const minute = Math.min(6, Math.floor(windows / 2));
  const mean = (some) => some.reduce((sum, one) => sum + one, 0) / some.length;
  const [first, last] = [mean(heap.slice(0, minute)), mean(heap.slice(-minute))];
  sheet.atMost('Live: the main thread is busy', 0.25, mean(busy), `of the time, at most ${Math.max(...busy).toFixed(2)} for 10 s; ${Math.round(stored)} events/s for ${windows * 10} s`);
  sheet.within('Live: the heap at the end is that of the beginning', 0.1, last / first, `of ${(first / 1e6).toFixed(1)} MB, after garbage collection`);
}

/** Visits, pages, a timeline and a search. */
export async function pages(browser, storageState, users, sheet) {
  // The first one loads what the system has to load once.
  await firstVisit(browser, storageState, RECENT, ROWS);
  const said = (times) => `ms, at most ${Math.max(...times).toFixed(0)}`;
  const one = `#/users/${oneOf(users)}?tab=timeline`;
  for (const [what, goal, hash, selector, latency] of [
    ['the first visit to a deep link shows its rows', 500, RECENT, ROWS, 0],
    ['the same with a round trip of 30 ms', 1200, RECENT, ROWS, 30],
    [`the first visit to a user with ${EVENTS_OF_ONE} events`, 500, one, 'main ol.entries li.entry', 0],
  ]) {
    const times = await visits(browser, storageState, hash, selector, latency);
    sheet.atMost(what, goal, median(times), said(times));
  }
  const times = await nextPages(browser, storageState);
  sheet.atMost('the next page', 200, median(times), said(times));
  await search(browser, storageState, sheet);
}
