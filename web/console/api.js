// The calls of the console, one function each. A function makes the call; request.js sends it.
import { addressOf } from "./request.js";

const get = (path, query, more) => ({ method: "GET", path, query, ...more });
const write = (method, path, body, more) => ({ method, path, body, ...more });
const part = encodeURIComponent;
const ofApp = (app, rest = "") => `v1/apps/${part(app)}/appusers${rest}`;
const ofUser = (app, id, rest = "") => ofApp(app, `/${part(id)}${rest}`);

export const apps = () => get("apps");
export const health = () => get("health");
export const stats = (query) => get("stats", query);
export const backups = () => get("backups");
export const makeBackup = () => write("POST", "backups", {});
export const verifyBackup = (name) => write("POST", `backups/${part(name)}/verify`, {});
export const settings = () => get("settings");
export const reload = () => write("POST", "reload", {});
export const audit = (query) => get("audit", query);

/** An address for a file: that of another call. */
export const download = (call) => write("POST", "downloads", { of: `/${addressOf(call)}`, accept: call.accept === "*/*" ? undefined : call.accept });

export const listUsers = (app, query) => get(ofApp(app), query);
export const user = (app, id, query) => get(ofUser(app, id), query);
export const tombstone = (app, id) => get(`v1/apps/${part(app)}/tombstones/${part(id)}`);
export const person = (app, id) => get(`v1/apps/${part(app)}/persons/${part(id)}`, {}, { accept: "*/*" });
export const history = (app, id, query) => get(ofUser(app, id, "/history"), query);
export const updateUser = (app, id, body, etag) => write("PUT", ofUser(app, id), body, { headers: { "if-match": etag } });
export const removeUser = (app, id) => ({ method: "DELETE", path: ofUser(app, id) });
export const eraseUser = (app, id) => ({ method: "DELETE", path: ofUser(app, id), query: { erase: true } });
export const merge = (app, surviving, discarded) => write("POST", ofApp(app, "/merge"), { surviving: { _id: surviving }, discarded: { _id: discarded } });
export const unmerge = (app, surviving, discarded) => write("POST", ofUser(app, surviving, "/unmerge"), { discarded: { _id: discarded } });

export const entries = (query) => get("journal", query);
export const entry = (seq) => get(`journal/${part(seq)}`);
export const entryBody = (seq) => get(`journal/${part(seq)}/body`, {}, { accept: "*/*", bytes: true });
export const tail = (query, last) =>
  get("journal/tail", query, { accept: "text/event-stream", headers: last === undefined ? {} : { "last-event-id": String(last) } });

export const quarantine = (query) => get("quarantine", query);
export const quarantined = (seq) => get(`quarantine/${part(seq)}`);
export const quarantinedBody = (seq) => get(`quarantine/${part(seq)}/body`, {}, { accept: "*/*", bytes: true });
export const redrive = (seq) => write("POST", `quarantine/${part(seq)}/redrive`, {});
export const drop = (seq) => ({ method: "DELETE", path: `quarantine/${part(seq)}` });
export const redriveAll = (body) => write("POST", "quarantine/redrive", body);
export const dropAll = (body) => write("POST", "quarantine/drop", body);
