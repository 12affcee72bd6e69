// What people would write instead of rollcall: the user by its _id, the raw event beside it, one
// transaction a request, answered once it is on disk. `node server.mjs PORT DATABASE`
import { readFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import Fastify from 'fastify';

const [port, path] = process.argv.slice(2);
const db = new Database(path);
db.exec(readFileSync(new URL('schema.sql', import.meta.url), 'utf8'));
db.pragma('synchronous = FULL');

const upsert = db.prepare('INSERT INTO users (id, user) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET user = excluded.user');
const insert = db.prepare('INSERT INTO events (received, body) VALUES (?, ?)');
const store = db.transaction((user, raw) => {
  upsert.run(user._id, JSON.stringify(user));
  insert.run(Date.now(), raw);
});

const app = Fastify({ bodyLimit: 1 << 20 });
app.removeContentTypeParser('application/json');
app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, raw, done) => done(null, raw));
app.get('/webhooks', async () => ({}));
app.post('/webhooks', async (request, reply) => {
  if (request.headers['x-api-key'] !== 'demo-webhook-secret') return reply.code(401).send({});
  store(JSON.parse(request.body).appUser, request.body);
  return {};
});
await app.listen({ host: '127.0.0.1', port: Number(port) });
