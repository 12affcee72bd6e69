// Every screen of the console, by its address, over a small directory.
import { checkPage, picture, settled, visit } from './browser.mjs';
import { APP, BOB } from './program.mjs';

export const CAT = 'c'.repeat(24);
export const DAN = 'd'.repeat(24);

/** A few app users with an event of every kind that a page shows, two bodies in quarantine, a segment, and a job. */
export async function fill(home) {
  const bob = { _id: BOB, userId: 'bob@example.com', givenName: 'Bob', surname: 'Brown', email: 'bob@example.com', signedUpAt: '2024-03-01T10:00:00.000Z', properties: { plan: 'family', orders: 12 } };
  await home.user({ ...bob, clients: [{ id: 'client-bob', platform: 'whatsapp', displayName: 'Bobby', active: true, lastSeen: '2026-11-01T10:00:00.000Z', info: { userAgent: 'x' } }] });
  await home.user({ _id: CAT, givenName: 'Cat', email: 'cat@example.com' }, 1);
  await home.user({ _id: DAN, givenName: 'Dan', signedUpAt: '2024-01-01T10:00:00.000Z' }, 2);
  for (let n = 0; n < 27; n += 1) await home.user({ _id: n.toString(16).padStart(24, 'a'), givenName: `Eve ${n}`, signedUpAt: `2024-02-${String(n + 1).padStart(2, '0')}T10:00:00.000Z` }, 3 + n);
  await home.call('POST', `v1/apps/${APP}/appusers/merge`, { body: { surviving: { _id: BOB }, discarded: { _id: CAT } } });
  await home.call('PUT', `v1/apps/${APP}/appusers/${BOB}`, { body: { surname: 'Green' } });
  await home.webhook('{"trigger":');
  await home.webhook({ trigger: 'message:appUser', app: { _id: APP }, messages: [{ _id: 'late', type: 'text', text: 'x', role: 'appUser', received: 99_444_348_338 }], appUser: { _id: DAN, properties: {}, clients: [] } });
  const { id: segment } = await home.call('POST', 'segments', { body: { app: APP, name: 'On WhatsApp', query: 'platform=whatsapp&sort=-signedUpAt' } });
  const { id: job } = await home.call('POST', 'journal/replay', { body: { filter: { seqs: [1] }, expect: 1 } });
  while ((await home.call('GET', `jobs/${job}`)).state === 'running');
  return { seq: (await home.call('GET', 'quarantine?limit=10')).bodies[0].seq, segment, job };
}

/** Each screen with what it shows; `seq` is a body in quarantine. */
export const screens = ({ seq, segment, job }) => [
  '#/', '#/?span=day', '#/users', '#/users?identified=true&sort=-signedUpAt', '#/users?limit=25&sort=signedUpAt', `#/users/${BOB}`, `#/users/${BOB}?tab=timeline`,
  `#/users/${BOB}?tab=timeline&trigger=message%3AappUser`, `#/users/${BOB}?tab=clients`, `#/users/${BOB}?tab=group`, `#/users/${BOB}?tab=as-of&asOf=1`,
  `#/merge?surviving=${BOB}&discarded=${DAN}`, '#/events', '#/events?trigger=message%3AappUser&order=asc', '#/events/1', '#/live', '#/live?trigger=merge',
  '#/quarantine', '#/quarantine?reason=not_json', `#/quarantine/${seq}`, `#/users?segment=${segment}`, `#/users?segment=${segment}&sort=_id`, '#/jobs', `#/jobs?job=${job}`, '#/health', '#/backups', '#/settings', '#/settings?find=limits', '#/audit', '#/audit?action=merge',
];

/** Each page where there is nothing, and addresses that lead nowhere. */
export const EMPTY = [
  '#/users?q=nobodyatall', '#/users/nobody', `#/users/${BOB}?tab=nowhere`, `#/users/${DAN}?tab=group`, `#/users/${DAN}?tab=as-of`, '#/merge', '#/events?user=nobody', '#/events/999999', '#/live?user=nobody',
  '#/quarantine?since=2100-01-01', '#/quarantine/999999', '#/users?segment=nowhere', '#/jobs?job=999999', '#/jobs?job=none', '#/settings?find=nosuchkey', '#/audit?who=nobody', '#/nowhere', '#/users?colour=red', '#/users?app=unknown', '#/users?limit=0',
];

const CHANGING = /\d+ (?:seconds?|minutes?|hours?) ago|in \d+ (?:seconds?|minutes?|hours?)|\bnow\b|request [0-9a-f-]+|\d+ (?:stored|repeated|quarantined|erased) a second\n/g;

/** The text of a page without what tells of the moment. All of Health does, and the first figures of Overview. */
async function textOf(page) {
  if (/#\/(health|\?span=.*)?$/.test(page.url())) return '';
  return (await page.innerText('main')).replace(CHANGING, '');
}

/** What a screen shows, and its title; of the present one without `screen`. */
export async function seen(page, screen) {
  if (screen) await visit(page, screen);
  else await settled(page);
  return { text: await textOf(page), title: await page.title() };
}

const name = (screen) => screen.replace(/[^a-z0-9]+/gi, '-');

/** axe on each screen in both schemes, wide and narrow, once `check` has looked at it. */
export async function look(page, list, state, check = async (_screen) => {}) {
  for (const screen of list) {
    await visit(page, screen);
    await check(screen);
    for (const [colorScheme, width] of [['light', 1280], ['dark', 1280], ['dark', 320], ['light', 320]]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 900 });
      await checkPage(page, `${state} ${screen} ${colorScheme} ${width}`);
      await picture(page, `${state}-${name(screen)}-${colorScheme}-${width}`);
    }
    await page.setViewportSize({ width: 1280, height: 900 });
  }
}
