#!/usr/bin/env node
// Keeps a copy of an app's users in a JSON file by following rollcall's change feed. Node 18 or newer, no packages.
//
//   ROLLCALL_URL=http://127.0.0.1:8787 ROLLCALL_KEY_ID=app_demo \
//   ROLLCALL_KEY_SECRET=demo-key-secret-change-me  node examples/follow.mjs copy.json
//
// The file holds the copy and the cursor, and is replaced as a whole. Killed at any time, the program continues where
// the file says. It writes all users for each page that has changes: for more than some ten thousand users keep them
// in a database, as follow.py does. docs/api.md has the rules of the feed.

import { open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const { ROLLCALL_URL, ROLLCALL_KEY_ID, ROLLCALL_KEY_SECRET } = process.env;
const [file] = process.argv.slice(2);
if (!file || !ROLLCALL_URL || !ROLLCALL_KEY_ID || !ROLLCALL_KEY_SECRET) {
  console.error('usage: ROLLCALL_URL=… ROLLCALL_KEY_ID=… ROLLCALL_KEY_SECRET=… follow.mjs FILE');
  process.exit(2);
}
const key = Buffer.from(`${ROLLCALL_KEY_ID}:${ROLLCALL_KEY_SECRET}`).toString('base64');
const headers = { authorization: `Basic ${key}` };
/** Seconds for which rollcall holds an answer back until there is a change. */
const WAIT = 60;

/** The cursor belongs to another epoch, or to changes that are no longer kept: take the snapshot again. */
class Gone extends Error {}

/** One page of the feed. Repeats the request until the answer is 200, or 410. */
async function get(query) {
  const url = `${ROLLCALL_URL.replace(/\/+$/, '')}/v1/changes?${new URLSearchParams(query)}`;
  for (;;) {
    let pause = 1;
    let reason;
    try {
      const answer = await fetch(url, { headers, signal: AbortSignal.timeout((WAIT + 30) * 1000) });
      if (answer.status === 200) return await answer.json();
      if (answer.status === 410) throw new Gone();
      reason = `${answer.status} ${await answer.text()}`;
      if ([400, 401, 403, 404].includes(answer.status)) {
        console.error(`${url}: ${reason}`);
        process.exit(1);
      }
      pause = Number(answer.headers.get('retry-after') ?? pause);
    } catch (error) {
      if (error instanceof Gone) throw error;
      reason = error.cause ?? error;
    }
    console.error(`${reason}; next request in ${pause} s`);
    await sleep(pause * 1000);
  }
}

/** What the file holds: the users by `_id`, and where the feed goes on. */
async function load() {
  try {
    const { cursor, users } = JSON.parse(await readFile(file, 'utf8'));
    return { cursor, users: new Map(Object.entries(users)) };
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Replaces the file. After a power cut it is the one before or the one after. */
async function store({ cursor, users }) {
  const partial = await open(`${file}.partial`, 'w');
  await partial.writeFile(JSON.stringify({ cursor, users: Object.fromEntries(users) }));
  await partial.sync();
  await partial.close();
  await rename(`${file}.partial`, file);
  const folder = await open(dirname(file));
  await folder.sync();
  await folder.close();
}

async function takeSnapshot() {
  const users = new Map();
  let page = await get({ snapshot: true });
  for (;;) {
    for (const user of page.appUsers) users.set(user._id, user);
    if (!page.hasMore) break;
    page = await get({ snapshot: true, after: page.after });
  }
  console.error(`snapshot taken, cursor ${page.next}`);
  return { cursor: page.next, users };
}

function apply(users, changes) {
  for (const { kind, _id, appUser } of changes) {
    if (['merged', 'removed', 'erased'].includes(kind)) users.delete(_id);
    else if (appUser) users.set(_id, appUser);
    // Else a later change says what became of the _id.
  }
}

let copy = await load();
for (;;) {
  try {
    if (copy === undefined) {
      copy = await takeSnapshot();
    } else {
      const page = await get({ since: copy.cursor, wait: WAIT });
      if (page.next === copy.cursor) continue;
      apply(copy.users, page.changes);
      copy.cursor = page.next;
    }
    await store(copy);
  } catch (error) {
    if (!(error instanceof Gone)) throw error;
    console.error('410: the snapshot is taken again');
    copy = undefined;
  }
}
