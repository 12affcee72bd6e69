// What every script here needs: where rollcall is, and a word on what came back.
import assert from 'node:assert/strict';

const setting = (name) => process.env[name] ?? assert.fail(`${name} is not set`);

export const url = setting('ROLLCALL_URL');
export const app = setting('ROLLCALL_APP');
export const keyId = setting('ROLLCALL_KEY_ID');
export const secret = setting('ROLLCALL_KEY_SECRET');
export const appToken = setting('ROLLCALL_APP_TOKEN');
export const webhookSecret = setting('ROLLCALL_WEBHOOK_SECRET');

/** A moment as every answer has it. */
export const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** An `_id`: 24 lower-case hex digits. */
export const ID = /^[0-9a-f]{24}$/;

/** What a smooch-core client reports of a refused call: status, code, and a sentence. */
export async function refused(call, status, code) {
  const error = await call.then(() => assert.fail(`not refused with ${status} ${code}`), (error) => error);
  const told = { status: error.response?.status, code: error.code, description: error.description };
  assert.deepEqual([told.status, told.code], [status, code], error.message);
  assert.ok(told.description, 'a refusal says why');
  assert.equal(error.message, told.description);
  return told;
}

/** Nothing in an answer is null, at any depth: old clients cannot stand it. */
export function nothingNull(value, path = 'answer') {
  assert.notEqual(value, null, `${path} is null`);
  if (typeof value === 'object') {
    for (const [key, inner] of Object.entries(value)) nothingNull(inner, `${path}.${key}`);
  }
  return value;
}

/** One line of JSON: what the client reported where rollcall refused. */
export const report = (client, results) => console.log(JSON.stringify({ client, ...results }));
