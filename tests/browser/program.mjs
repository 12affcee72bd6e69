// The program under test: started and killed by the scripts, in a folder of its own.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const binary = process.env.ROLLCALL_PROGRAM;

export const APP = '5698edbf2a43bd081be982f1';
export const SECRET = 'demo-webhook-secret';
export const BOB = 'c7f6e6d6c3a637261bd9656f';

/** Operators of the settings, each `[name, secret]`. */
export const ANN = ['ann', 'the secret of ann, an operator'];
export const VERA = ['vera', 'the secret of vera, a viewer'];
export const MAX = ['max', 'the secret of max, without data'];

const OPERATORS = `
[[console.operators]]
name = "ann"
role = "operator"
secrets = ["${ANN[1]}"]

[[console.operators]]
name = "vera"
role = "viewer"
secrets = ["${VERA[1]}"]

[[console.operators]]
name = "max"
role = "viewer"
secrets = ["${MAX[1]}"]
personal_data = false
`;

const proofOf = (operator) => ({ authorization: `Basic ${Buffer.from(operator.join(':')).toString('base64')}` });

/** A folder, and the program in it. */
export class Home {
  constructor(settings = '') {
    this.folder = mkdtempSync(join(tmpdir(), 'rollcall-browser-'));
    this.configure(settings);
    this.log = '';
  }

  configure(settings) {
    writeFileSync(join(this.folder, 'config.toml'), `${settings}\n${OPERATORS}`);
  }

  /** Starts the program, on the ports it had before, if any. */
  async start() {
    const at = (name) => `server.${name}=${this[name] ?? '127.0.0.1:0'}`;
    const env = { ...process.env, RUST_LOG: '', ROLLCALL_CONFIG: '' };
    delete env.RUST_LOG;
    delete env.ROLLCALL_CONFIG;
    this.child = spawn(binary, ['--set', at('listen'), '--set', at('admin_listen')], { cwd: this.folder, env, stdio: ['ignore', 'ignore', 'pipe'] });
    this.ended = new Promise((end) => this.child.once('exit', end));
    const lines = createInterface({ input: this.child.stderr });
    await new Promise((ready, fail) => {
      lines.on('line', (line) => {
        this.log += `${line}\n`;
        if (!line.includes('"ready on ')) return;
        const { listen, admin_listen } = JSON.parse(line);
        Object.assign(this, { listen, admin_listen });
        ready();
      });
      lines.on('close', () => fail(new Error(`the program ended:\n${this.log}`)));
    });
  }

  async kill() {
    this.child.kill('SIGKILL');
    await this.ended;
  }

  async stop() {
    this.child?.kill('SIGTERM');
    await this.ended;
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** The address of the console. */
  get console() {
    return `http://${this.admin_listen}/console/`;
  }

  /** Runs a command of the program in its folder. */
  command(...args) {
    const at = (name) => ['--set', `server.${name}=${this[name]}`];
    return execFileSync(binary, [...args, ...at('listen'), ...at('admin_listen')], { cwd: this.folder, encoding: 'utf8' });
  }

  /** Posts a webhook; gives how many of its parts went to quarantine. */
  async webhook(body) {
    const answer = await fetch(`http://${this.listen}/webhooks`, {
      method: 'POST', headers: { 'x-api-key': SECRET, 'content-type': 'application/json' },
      body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
    });
    assert.equal(answer.status, 200, await answer.text());
    return Number(answer.headers.get('x-rollcall-quarantined') ?? 0);
  }

  /** Posts a webhook of a v1 app user with these members, with a message at a time. */
  async user(appUser, n = 0) {
    return this.webhook({
      trigger: 'message:appUser', app: { _id: APP },
      messages: [{ _id: `${Date.now()}-${n}-${appUser._id}`, type: 'text', text: 'Hi', role: 'appUser', authorId: appUser._id, received: 1444348338.704 + n, source: { type: 'messenger' } }],
      appUser: { clients: [{ id: `client-${appUser._id}`, platform: 'messenger', active: true }], ...appUser },
    });
  }

  /** Sends a call of the admin listener, as an operator; gives its JSON. */
  async call(method, path, { body, as = ANN } = {}) {
    const answer = await fetch(`http://${this.admin_listen}/${path}`, {
      method, body: body === undefined ? undefined : JSON.stringify(body),
      headers: { ...proofOf(as), ...(method === 'GET' ? {} : { 'content-type': 'application/json' }) },
    });
    const data = await answer.json();
    assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${JSON.stringify(data)}`);
    return data;
  }

  /** The text that a GET of the admin listener answers. */
  async text(path, headers) {
    const answer = await fetch(`http://${this.admin_listen}/${path}`, { headers: { ...proofOf(ANN), ...headers } });
    assert.ok(answer.ok, `${path}: ${answer.status}`);
    return answer.text();
  }
}

/** The webhook of the README's first session. */
export function firstWebhook() {
  const readme = readFileSync(fileURLToPath(new URL('../../README.md', import.meta.url)), 'utf8');
  return /-d '(\{"trigger":"message:appUser"[^]*?\})'/.exec(readme)[1];
}
