// sunshine-conversations-client 14.1.0: v2, by HTTP Basic with the key.
import assert from 'node:assert/strict';
import Sunshine from 'sunshine-conversations-client';
import { ID, ISO, app, appToken, keyId, nothingNull, report, secret, url } from './world.mjs';

const { ApiClient, UsersApi, ClientsApi, DevicesApi, UserCreateBody, UserUpdateBody } = Sunshine;
ApiClient.instance.basePath = url;
Object.assign(ApiClient.instance.authentications.basicAuth, { username: keyId, password: secret });
const users = new UsersApi();
const EVE = 'eve/with @ slash';
const results = {};

/** An answer without the members that the client's classes add as undefined. */
async function answer(call) {
  const given = await call.catch(({ status, body, error }) => {
    throw new Error(`${status ?? error}: ${JSON.stringify(body)}`);
  });
  return nothingNull(JSON.parse(JSON.stringify(given)));
}

/** What the client reports of a refused call. */
async function refused(call, status, code) {
  const error = await call.then(() => assert.fail(`not refused with ${status} ${code}`), (error) => error);
  assert.equal(error.status, status, JSON.stringify(error.body));
  const [{ code: word, title }, ...more] = error.body.errors;
  assert.deepEqual([word, more], [code, []]);
  assert.ok(title, 'a refusal says why');
  return { status, code, title };
}

const body = new UserCreateBody(EVE);
body.signedUpAt = '2020-05-21T15:53:30.197Z';
body.profile = { givenName: 'Eve', email: 'eve@example.com', avatarUrl: 'https://example.com/e.png', locale: 'de' };
body.metadata = { plan: 'gold', visits: 3, vip: true };
const { user: eve } = await answer(users.createUser(app, body));
assert.match(eve.id, ID);
assert.deepEqual([eve.externalId, eve.signedUpAt], [EVE, body.signedUpAt]);
assert.deepEqual([eve.profile, eve.metadata], [body.profile, body.metadata]);
results.duplicate = await refused(users.createUser(app, body), 409, 'conflict');
results.unnamed = await refused(users.createUser(app, { profile: {} }), 400, 'bad_request');

assert.deepEqual(await answer(users.getUser(app, eve.id)), { user: eve });
assert.deepEqual(await answer(users.getUser(app, EVE)), { user: eve });
results.unknown = await refused(users.getUser(app, 'nobody'), 404, 'user_not_found');
results.otherApp = await refused(users.getUser('0123456789abcdef01234567', EVE), 404, 'app_not_found');

const change = new UserUpdateBody();
change.profile = { surname: 'Fox', avatarUrl: null };
change.metadata = { visits: 4, vip: null };
const { user: changed } = await answer(users.updateUser(app, EVE, change));
assert.deepEqual(changed.profile, { givenName: 'Eve', surname: 'Fox', email: 'eve@example.com', locale: 'de' });
assert.deepEqual(changed.metadata, { plan: 'gold', visits: 4 });
const wrong = { profile: { email: '' } };
results.wrong = await refused(users.updateUser(app, EVE, wrong), 400, 'bad_request');
assert.match(results.wrong.title, /profile\.email/);

// A device that started through v1 is a device in v2, and a client.
const device = { id: 'eves-phone', platform: 'android', appVersion: '2.0', info: { os: 'Android' } };
const started = await fetch(`${url}/v1/init`, {
  method: 'POST',
  headers: { 'app-token': appToken, 'content-type': 'application/json' },
  body: JSON.stringify({ device, userId: EVE }),
});
assert.equal(started.status, 200);
const { devices } = await answer(new DevicesApi().listDevices(app, EVE));
assert.match(devices[0].lastSeen, ISO);
const { id, platform, ...told } = device;
const expected = { id, guid: id, clientId: id, type: platform, status: 'active', ...told };
assert.deepEqual(devices, [{ ...expected, lastSeen: devices[0].lastSeen }]);
const one = await answer(new DevicesApi().getDevice(app, eve.id, id));
assert.deepEqual(one, { device: devices[0] });
results.unknownDevice = await refused(new DevicesApi().getDevice(app, EVE, 'none'), 404, 'device_not_found');
const { clients, meta } = await answer(new ClientsApi().listClients(app, EVE));
// The device is a client as well, under the id that the device names.
const [client] = clients;
assert.equal(client.id, devices[0].clientId);
assert.deepEqual([clients.length, client.type, client.status, meta.hasMore], [1, 'sdk', 'active', false]);
const page = await answer(new ClientsApi().listClients(app, EVE, { page: { size: 1 } }));
assert.deepEqual(page.clients, clients);

const { user: scrubbed } = await answer(users.deleteUserPersonalInformation(app, EVE));
assert.deepEqual([scrubbed.externalId, scrubbed.metadata], [EVE, {}]);
assert.ok(!('email' in scrubbed.profile));

// For an empty object the client hands over the text of it.
assert.equal(await answer(users.deleteUser(app, EVE)), '{}');
results.deleted = await refused(users.getUser(app, eve.id), 404, 'user_not_found');

report('sunshine-conversations-client 14.1.0', results);
