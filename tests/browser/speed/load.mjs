// Load, in a thread of its own: requests over keep-alive connections, each waiting for its answer before the next. Asked by a
// message `{kind, address, users, connections, warmUp, seconds}`; answers how many requests were answered in `seconds`.
import { connect } from 'node:net';
import { parentPort } from 'node:worker_threads';
import { idOf, webhook } from './people.mjs';

/** The key of the demo app, and the secret of its webhooks. */
const BASIC = Buffer.from('app_demo:demo-key-secret-change-me').toString('base64');
const SECRET = 'demo-webhook-secret';

const any = (users) => Math.floor(Math.random() * users);

const MAKE = {
  webhooks({ address, users }) {
    const body = Buffer.from(webhook(any(users), Date.now(), any(1000)));
    return Buffer.concat([Buffer.from(`POST /webhooks HTTP/1.1\r\nhost: ${address}\r\nx-api-key: ${SECRET}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`), body]);
  },
  lookUps({ address, users }) {
    return `GET /v1/appusers/${idOf(any(users))} HTTP/1.1\r\nhost: ${address}\r\nauthorization: Basic ${BASIC}\r\n\r\n`;
  },
};

/** Sends requests until the time is over; calls `answered` with the status of each. */
function connection(plan, until, answered) {
  const [host, port] = plan.address.split(':');
  const socket = connect(Number(port), host).setNoDelay().setEncoding('latin1');
  let got = '';
  const ask = () => (Date.now() < until ? socket.write(MAKE[plan.kind](plan)) : socket.end());
  return new Promise((resolve, reject) => {
    socket.on('connect', ask).on('close', resolve).on('error', reject);
    socket.on('data', (text) => {
      got += text;
      const head = got.indexOf('\r\n\r\n');
      if (head < 0) return;
      const [, length] = /content-length: (\d+)/i.exec(got.slice(0, head + 2)) ?? [];
      if (length === undefined) reject(new Error(`an answer without a length: ${got.slice(0, 200)}`));
      if (got.length < head + 4 + Number(length)) return;
      const status = Number(got.slice(9, 12));
      if (status !== 200) reject(new Error(`an answer of ${got.slice(0, 400)}`));
      got = '';
      answered();
      ask();
    });
  });
}

parentPort.on('message', async (plan) => {
  const from = Date.now() + plan.warmUp * 1000;
  const until = from + plan.seconds * 1000;
  let answers = 0;
  const count = () => {
    const now = Date.now();
    if (now >= from && now < until) answers += 1;
  };
  try {
    setTimeout(() => parentPort.postMessage({ counting: true }), plan.warmUp * 1000);
    await Promise.all(Array.from({ length: plan.connections }, () => connection(plan, until, count)));
    parentPort.postMessage({ answers });
  } catch (error) {
    parentPort.postMessage({ error });
  }
});
