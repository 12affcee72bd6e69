// App users by number, and webhooks about them of 1 KB, as Smooch sends them. All of a user follows from its number; each
// event has a message, a time and a client's time of its own.
export const APP = '5698edbf2a43bd081be982f1';

const GIVEN = ['Ulrik', 'Yara', 'Niko', 'Zeno', 'Greta', 'Zofia', 'Amadou', 'Mei', 'Priya', 'Tomás', 'Ingrid', 'Kwame', 'Leila', 'Hiro', 'Oksana', 'Bram'];
const SURNAMES = ['Delacroix', 'Quiroga', 'Kessler', 'Brandvold', 'Lindqvist', 'Okafor', 'Tanaka', 'Moreau', 'Sørensen', 'Patel', 'Novák', 'Achterberg', 'Hakimi', 'Castellanos'];
const PLANS = ['starter', 'studio', 'business', 'enterprise'];
const TEXT = 'The order arrived with a cracked lid and I would like to know which size I should take if it is between the two, thank you very much. ';
const FIRST = 0x5c1b0000;

const hex = (n, digits) => n.toString(16).padStart(digits, '0');
const isoOf = (ms) => new Date(ms).toISOString();
const signedUp = (n) => (FIRST + Math.floor(n / 16)) * 1000;
const run = hex(Date.now(), 12);
let messages = 0;

/** An id of a message that no other one has. */
const messageId = () => {
  messages += 1;
  return `${run}${hex(messages, 12)}`;
};

/** The `_id` of the user with this number. */
export const idOf = (n) => `${hex(FIRST + Math.floor(n / 16), 8)}9f1b7c${hex(n, 10)}`;

const client = (n, seen) => `{"id":"${hex(n, 16)}0a1b2c3d4e5f6789","platform":"web","active":true,"primary":true,"status":"active","lastSeen":"${isoOf(seen)}",
  "linkedAt":"${isoOf(signedUp(n) + 216)}","integrationId":"5bdf88000078f97b2ab00da0","info":{"currentUrl":"https://shop.example.com/orders/${n}","browserLanguage":"en-GB",
  "userAgent":"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0","referrer":"","currentTitle":"Your order"}}`;

const names = (n) => [GIVEN[n % GIVEN.length], SURNAMES[Math.floor(n / 16) % SURNAMES.length]];
const profile = (n) => `"givenName":"${names(n)[0]}","surname":"${names(n)[1]}","email":"${names(n)[1].toLowerCase()}.${n}@example.org"`;
const properties = (n, visits) => `{"plan":"${PLANS[n % 4]}","city":"${SURNAMES[n % 7]}ville","orders":${n % 90},"newsletter":${n % 3 === 0},"visits":${visits}}`;

/** The body of a v1 webhook about user `n` at a time in ms. `visits`: a property that differs from event to event. */
export function webhook(n, now, visits = 0) {
  return `{"trigger":"message:appUser","app":{"_id":"${APP}"},"messages":[{"_id":"${messageId()}","type":"text","text":"${TEXT}","role":"appUser","authorId":"${idOf(n)}",
    "name":"${names(n).join(' ')}","received":${(now / 1000).toFixed(3)},"source":{"type":"web"}}],"appUser":{"_id":"${idOf(n)}",${n % 2 ? '' : `"userId":"cust-${n}",`}"conversationStarted":true,
    ${profile(n)},"signedUpAt":"${isoOf(signedUp(n))}","properties":${properties(n, visits)},"clients":[${client(n, now)}]}}`;
}

/** An element of `events` in a v2 webhook about user `n`. */
function event(n, seen) {
  return `{"id":"${messageId()}","type":"conversation:message","createdAt":"${isoOf(seen)}","payload":{"message":{"id":"${messageId()}","author":{"type":"user","user":{"id":"${idOf(n)}",
    ${n % 2 ? '' : `"externalId":"cust-${n}",`}"profile":{${profile(n)}},"signedUpAt":"${isoOf(signedUp(n))}","metadata":${properties(n, 0)}}},"content":{"type":"text","text":"${TEXT}"},
    "source":{"type":"web","client":${client(n, seen)}}}}}`;
}

/** The body of a v2 webhook about the users from one number to before another, seen at any time of the last month. */
export function webhookOfMany(from, to, now) {
  const events = [];
  for (let n = from; n < to; n += 1) events.push(event(n, now - ((n * 2_654_435_761) % 2_592_000_000)));
  return `{"app":{"id":"${APP}"},"webhook":{"id":"5f839c801ff3","version":"v2"},"events":[${events.join(',')}]}`;
}
