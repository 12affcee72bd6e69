// smooch-core 4.3.0: the last client that has init, devices, events and the app token.
import assert from 'node:assert/strict';
import Smooch from 'smooch-core-4';
import { ID, ISO, appToken, keyId, nothingNull, refused, report, secret, url } from './world.mjs';

const client = (auth) => new Smooch(auth, { serviceUrl: `${url}/v1` }).appUsers;
const users = client({ keyId, secret, scope: 'app' });
const ANN = 'ann@example.com';
const results = {};

// Created before Smooch knows her.
const { appUser: ann } = nothingNull(
  await users.create(ANN, {
    givenName: 'Ann',
    signedUpAt: new Date('2015-10-06T03:38:02.346Z'),
    properties: { plan: 'gold', visits: 3, vip: true },
  }),
);
assert.match(ann._id, ID);
assert.deepEqual(
  { ...ann, _id: undefined },
  {
    _id: undefined,
    userId: ANN,
    givenName: 'Ann',
    signedUpAt: '2015-10-06T03:38:02.346Z',
    properties: { plan: 'gold', visits: 3, vip: true },
    conversationStarted: false,
    clients: [],
  },
);
results.duplicate = await refused(users.create(ANN), 409, 'conflict');

// Looked up by either name; the `@` comes as it is.
assert.deepEqual(await users.get(ann._id), { appUser: ann });
assert.deepEqual(await users.get(ANN), { appUser: ann });
results.unknown = await refused(users.get('nobody@example.com'), 404, 'not_found');

// Updates add, null clears, an empty one does nothing.
let { appUser } = await users.update(ANN, { surname: 'Lee', properties: { visits: 4, vip: null } });
assert.deepEqual(appUser, { ...ann, surname: 'Lee', properties: { plan: 'gold', visits: 4 } });
assert.deepEqual((await users.update(ann._id, {})).appUser, appUser);
({ appUser } = await users.update(ann._id, { surname: null, userId: 'other' }));
assert.deepEqual(appUser, { ...ann, properties: { plan: 'gold', visits: 4 } });
results.nested = await refused(users.update(ANN, { properties: { deep: { er: 1 } } }), 400, 'bad_request');
assert.match(results.nested.description, /properties\.deep/);
await refused(users.update('nobody@example.com', {}), 404, 'not_found');

// Her phone starts the app.
const device = { id: 'phone-1', platform: 'ios', appVersion: '1.0', pushNotificationToken: 'token-1' };
const init = nothingNull(await users.init({ device: { ...device, info: { os: 'iPhone OS' } }, userId: ANN }));
assert.equal(init.appUser._id, ann._id);
assert.deepEqual(init.appUser.properties, { plan: 'gold', visits: 4 });
const [phone, ...others] = init.appUser.clients;
assert.deepEqual(others, []);
assert.match(phone.lastSeen, ISO);
assert.deepEqual(phone, { ...device, active: true, lastSeen: phone.lastSeen, info: { os: 'iPhone OS' } });
assert.equal(init.app.appToken, appToken);
assert.equal(typeof init.app._id, 'string');
assert.equal(typeof init.app.name, 'string');
assert.equal(typeof init.app.hasIcon, 'boolean');
assert.equal(typeof init.app.apnEnabled, 'boolean');
assert.equal(typeof init.app.settings.web.channels, 'object');
assert.ok(Array.isArray(init.app.integrations));
results.noDevice = await refused(users.init({ device: 'phone-1', userId: ANN }), 400, 'bad_request');

const updated = await users.updateDevice(ANN, 'phone-1', { appVersion: '1.1', info: { osVersion: '9.2' } });
const info = { os: 'iPhone OS', osVersion: '9.2' };
assert.deepEqual(updated, { device: { ...phone, appVersion: '1.1', info } });
results.unknownDevice = await refused(users.updateDevice(ANN, 'phone-2', {}), 404, 'not_found');

const tracked = await users.trackEvent(ANN, 'checkout', { email: ANN });
assert.deepEqual(tracked, { conversationUpdated: false });
assert.deepEqual(await users.trackEvent(ANN, 'left'), { conversationUpdated: false });
assert.equal((await users.get(ANN)).appUser.email, ANN);

({ appUser } = nothingNull(await users.deleteProfile(ANN)));
assert.deepEqual(appUser.properties, {});
for (const gone of ['givenName', 'surname', 'email']) assert.ok(!(gone in appUser), gone);
assert.deepEqual([appUser._id, appUser.userId, appUser.signedUpAt], [ann._id, ANN, ann.signedUpAt]);
assert.ok(!('info' in appUser.clients[0]));
assert.equal(appUser.clients[0].pushNotificationToken, 'token-1');

// Whoever holds the app token: an anonymous visitor, who then gets a name.
const visitors = client({ appToken });
const browser = { id: 'browser-1', platform: 'web', info: { userAgent: 'test' } };
const anonymous = (await visitors.init({ device: browser, userId: '' })).appUser;
assert.match(anonymous._id, ID);
assert.ok(!('userId' in anonymous));
assert.equal((await visitors.init({ device: browser })).appUser._id, anonymous._id);
assert.deepEqual((await visitors.get(anonymous._id)).appUser.clients.map(({ id }) => id), ['browser-1']);
assert.equal((await visitors.update(anonymous._id, { givenName: 'Bob' })).appUser.givenName, 'Bob');
const named = (await visitors.init({ device: browser, userId: 'bob' })).appUser;
assert.deepEqual([named._id, named.userId, named.givenName], [anonymous._id, 'bob', 'Bob']);
results.token = await visitors.create('carl').then(assert.fail, (error) => error.message);

// A JWT of scope appUser speaks for one user, and from then on only a JWT does.
const own = client({ keyId, secret, scope: 'appUser', userId: ANN });
const mine = (await own.init({ device: { id: 'phone-3', platform: 'android' }, userId: ANN })).appUser;
assert.equal(mine._id, ann._id);
assert.equal((await own.get(ANN)).appUser._id, ann._id);
assert.equal((await own.update(ann._id, { surname: 'Lee' })).appUser.surname, 'Lee');
results.notMine = await refused(own.get('bob'), 403, 'forbidden');
results.secured = await refused(visitors.get(ANN), 401, 'unauthorized');
assert.equal((await users.get(ANN)).appUser._id, ann._id);
await refused(own.create('carl'), 403, 'forbidden');

const forged = client({ keyId, secret: 'not the secret of this key', scope: 'app' });
results.forged = await refused(forged.get(ANN), 401, 'invalid_auth');

report('smooch-core 4.3.0', results);
