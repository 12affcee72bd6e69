// smooch-core 8.11.4: v1.1, with merge and delete.
import assert from 'node:assert/strict';
import Smooch from 'smooch-core-8';
import { ID, keyId, nothingNull, refused, report, secret, url } from './world.mjs';

const client = (auth) => new Smooch({ ...auth, serviceUrl: url }).appUsers;
const users = client({ keyId, secret, scope: 'app' });
const DORA = 'dora@example.com';
const results = {};

const properties = { plan: 'gold', visits: 3 };
const signedUpAt = new Date('2019-05-01T12:00:00Z');
const made = await users.create({ appUser: { userId: DORA, email: DORA, signedUpAt, properties } });
const { appUser: dora } = nothingNull(made);
assert.match(dora._id, ID);
assert.equal(dora.signedUpAt, '2019-05-01T12:00:00.000Z');
assert.deepEqual([dora.userId, dora.email, dora.properties], [DORA, DORA, properties]);
assert.deepEqual([dora.conversationStarted, dora.clients], [false, []]);
results.duplicate = await refused(users.create({ appUser: { userId: DORA } }), 409, 'conflict');

assert.deepEqual(await users.get(dora._id), { appUser: dora });
assert.deepEqual(await users.get(DORA), { appUser: dora });
results.unknown = await refused(users.get('nobody@example.com'), 404, 'not_found');
assert.deepEqual(await users.getChannels(DORA), { channels: [] });
await refused(users.getChannels('nobody@example.com'), 404, 'not_found');

const { appUser: updated } = await users.update(DORA, { givenName: 'Dora', properties: { visits: null } });
assert.deepEqual(updated, { ...dora, givenName: 'Dora', properties: { plan: 'gold' } });
results.wrong = await refused(users.update(DORA, { signedUpAt: 'yesterday' }), 400, 'bad_request');
assert.match(results.wrong.description, /signedUpAt/);

// Two become one: the survivor's values win, the other fills the gaps, both names find it.
const second = { userId: 'dora-2', surname: 'Ray', givenName: 'D.', properties: { shoe: 38 } };
const { appUser: other } = await users.create({ appUser: second });
const both = { surviving: { _id: dora._id }, discarded: { _id: other._id } };
assert.deepEqual(await users.mergeUsers(both), {});
const { appUser: merged } = nothingNull(await users.get(other._id));
assert.deepEqual([merged._id, merged.userId, merged.givenName], [dora._id, DORA, 'Dora']);
assert.deepEqual([merged.surname, merged.properties], ['Ray', { plan: 'gold', shoe: 38 }]);
const nobody = { surviving: { _id: dora._id }, discarded: { _id: '0123456789abcdef01234567' } };
results.mergeUnknown = await refused(users.mergeUsers(nobody), 404, 'not_found');
results.mergeNothing = await refused(users.mergeUsers({ surviving: { _id: dora._id } }), 400, 'bad_request');

const { appUser: scrubbed } = await users.deleteProfile(other._id);
assert.deepEqual([scrubbed._id, scrubbed.userId, scrubbed.properties], [dora._id, DORA, {}]);
assert.ok(!('email' in scrubbed));

assert.deepEqual(await users.delete(DORA), {});
results.deleted = await refused(users.get(dora._id), 404, 'not_found');
await refused(users.get(other._id), 404, 'not_found');
await refused(users.delete(DORA), 404, 'not_found');

// A name that is free again makes somebody new.
const { appUser: again } = await users.create({ appUser: { userId: DORA } });
assert.notEqual(again._id, dora._id);

report('smooch-core 8.11.4', results);
