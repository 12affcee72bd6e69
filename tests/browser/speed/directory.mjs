// A directory of many app users, made over the wire.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Home, SECRET } from '../program.mjs';
import { idOf, webhook, webhookOfMany } from './people.mjs';

/** Events in a body: within the limits of the shipped settings in number and bytes. */
const EVENTS = 700;
const SENDERS = 4;
/** The user with so many events comes after all others. */
export const EVENTS_OF_ONE = 1000;
export const oneOf = (users) => idOf(users + 16);

/** A folder that stays, if it is named. */
class Kept extends Home {
  constructor(folder) {
    super();
    rmSync(this.folder, { recursive: true });
    mkdirSync(folder, { recursive: true });
    this.folder = folder;
    this.configure('');
  }

  async stop() {
    this.child?.kill('SIGTERM');
    await this.ended;
  }
}

export const homeIn = (folder) => (folder ? new Kept(folder) : new Home());

async function post(home, body) {
  const headers = { 'x-api-key': SECRET, 'content-type': 'application/json' };
  for (;;) {
    const answer = await fetch(`http://${home.listen}/webhooks`, { method: 'POST', headers, body });
    await answer.text();
    if (answer.status === 503) continue;
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('x-rollcall-quarantined'), null);
    return;
  }
}

/** Hands `parts` to several senders, each part when one has time. */
async function inTurn(parts, send) {
  const sender = async () => {
    for (const part of parts) await send(part);
  };
  await Promise.all(Array.from({ length: SENDERS }, sender));
}

function* upTo(end, step) {
  for (let n = 0; n < end; n += step) yield n;
}

/** Fills the directory of a program that runs, if it was empty. */
export async function fill(home, users) {
  const began = Date.now();
  await inTurn(upTo(users, EVENTS), async (from) => {
    await post(home, webhookOfMany(from, Math.min(users, from + EVENTS), began));
    if (from % (EVENTS * 200) === 0 && from > 0) console.error(`${from} users after ${Math.round((Date.now() - began) / 1000)} s`);
  });
  await inTurn(upTo(EVENTS_OF_ONE, 1), (n) => post(home, webhook(users + 16, began - (EVENTS_OF_ONE - n) * 60_000, n)));
}

export const isFilled = (home) => existsSync(join(home.folder, 'rollcall.db'));
