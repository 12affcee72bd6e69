// The calls of the console, one function each. A function makes the call; request.js sends it. Names, parameters, bodies and
// answers have the types of the document, so that a name that it does not have fails the check.

/** The address of a call, relative to the root: `v1/apps/…?limit=25`. */
export function addressOf({ path, query = {} }) {
  const pairs = new URLSearchParams();
  for (const [name, value] of query instanceof URLSearchParams ? query : Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") pairs.append(name, value);
  }
  const text = pairs.toString();
  return `${path}${text && `?${text}`}`;
}

/**
 * A call of the document, whose path has names in it.
 * @template {"GET" | "POST" | "PUT" | "DELETE"} M
 * @template {import("./calls").Routes<M>} R
 * @param {M} method
 * @param {R} route
 * @param {import("./calls").Names<M, R>} names
 * @param {{query?: import("./calls").Query<M, R>, body?: import("./calls").Body<M, R>} & import("./calls").More} [more]
 * @returns {import("./calls").Call<import("./calls").Answer<M, R>>}
 */
const call = (method, route, names, more) => ({
  method,
  path: route.slice(1).replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(names[name])),
  ...more,
});

/**
 * @template {import("./calls").Routes<"GET">} R
 * @param {R} route
 * @param {import("./calls").Names<"GET", R>} [names]
 * @param {import("./calls").Query<"GET", R>} [query]
 * @param {import("./calls").More} [more]
 */
const get = (route, names, query, more) => call("GET", route, names, { query, ...more });

/** @type {import("./calls").More} */
const FILE = { accept: "*/*", bytes: true };

export const apps = () => get("/apps");
export const health = () => get("/health");
/** @param {import("./calls").Query<"GET", "/stats">} query */
export const stats = (query) => get("/stats", {}, query);
export const backups = () => get("/backups");
export const makeBackup = () => call("POST", "/backups", {});
export const verifyBackup = (name) => call("POST", "/backups/{name}/verify", { name });
export const settings = () => get("/settings");
export const reload = () => call("POST", "/reload", {});
/** @param {import("./calls").Query<"GET", "/audit">} query */
export const audit = (query) => get("/audit", {}, query);

export const session = () => get("/session");
/** @param {import("./calls").Body<"POST", "/session">} body */
export const signIn = (body) => call("POST", "/session", {}, { body });
export const signOut = () => call("DELETE", "/session", {});

/** An address for a file: that of another call. */
export const download = (of) =>
  call("POST", "/downloads", {}, { body: { of: `/${addressOf(of)}`, accept: of.accept === FILE.accept ? undefined : of.accept } });

const USERS = "/v1/apps/{app}/appusers";
const USER = "/v1/apps/{app}/appusers/{id}";
/** @param {import("./calls").Query<"GET", typeof USERS>} query */
export const listUsers = (app, query) => get(USERS, { app }, query);
/** @param {import("./calls").Query<"GET", typeof USER>} [query] */
export const user = (app, id, query) => get(USER, { app, id }, query);
export const tombstone = (app, id) => get("/v1/apps/{app}/tombstones/{id}", { app, id });
export const person = (app, id) => get("/v1/apps/{app}/persons/{id}", { app, id }, {}, FILE);
/** @param {import("./calls").Query<"GET", "/v1/apps/{app}/appusers/{id}/history">} query */
export const history = (app, id, query) => get("/v1/apps/{app}/appusers/{id}/history", { app, id }, query);
/** @param {import("./calls").Body<"PUT", typeof USER>} body */
export const updateUser = (app, id, body, etag) => call("PUT", USER, { app, id }, { body, headers: { "if-match": etag } });
export const removeUser = (app, id) => call("DELETE", USER, { app, id });
export const eraseUser = (app, id) => call("DELETE", USER, { app, id }, { query: { erase: true } });
export const merge = (app, surviving, discarded) =>
  call("POST", "/v1/apps/{app}/appusers/merge", { app }, { body: { surviving: { _id: surviving }, discarded: { _id: discarded } } });
export const unmerge = (app, surviving, discarded) =>
  call("POST", "/v1/apps/{app}/appusers/{id}/unmerge", { app, id: surviving }, { body: { discarded: { _id: discarded } } });

/** @param {import("./calls").Query<"GET", "/journal">} query */
export const entries = (query) => get("/journal", {}, query);
export const entry = (seq) => get("/journal/{seq}", { seq });
export const entryBody = (seq) => get("/journal/{seq}/body", { seq }, {}, FILE);
/** @param {import("./calls").Query<"GET", "/journal/tail">} query */
export const tail = (query, last) =>
  get("/journal/tail", {}, query, { accept: "text/event-stream", headers: last === undefined ? {} : { "last-event-id": String(last) } });

/** @param {import("./calls").Query<"GET", "/quarantine">} query */
export const quarantine = (query) => get("/quarantine", {}, query);
export const quarantined = (seq) => get("/quarantine/{seq}", { seq });
export const quarantinedBody = (seq) => get("/quarantine/{seq}/body", { seq }, {}, FILE);
export const redrive = (seq) => call("POST", "/quarantine/{seq}/redrive", { seq }, { body: {} });
export const drop = (seq) => call("DELETE", "/quarantine/{seq}", { seq });
/** @param {import("./calls").Body<"POST", "/quarantine/redrive">} body */
export const redriveAll = (body) => call("POST", "/quarantine/redrive", {}, { body });
/** @param {import("./calls").Body<"POST", "/quarantine/drop">} body */
export const dropAll = (body) => call("POST", "/quarantine/drop", {}, { body });
/** @param {import("./calls").Body<"POST", "/journal/replay">} body */
export const replay = (body) => call("POST", "/journal/replay", {}, { body });

/** @param {import("./calls").Query<"GET", "/jobs">} query */
export const jobs = (query) => get("/jobs", {}, query);
export const job = (id) => get("/jobs/{id}", { id });
/** @param {import("./calls").Query<"GET", "/jobs/{id}/failures">} query */
export const jobFailures = (id, query) => get("/jobs/{id}/failures", { id }, query);
export const jobFile = (id) => get("/jobs/{id}/file", { id }, {}, FILE);
/** @param {import("./calls").Body<"POST", "/jobs">} body */
export const startJob = (body) => call("POST", "/jobs", {}, { body });
export const cancelJob = (id) => call("DELETE", "/jobs/{id}", { id });

/** @param {import("./calls").Query<"GET", "/segments">} query */
export const segments = (query) => get("/segments", {}, query);
/** @param {import("./calls").Body<"POST", "/segments">} body */
export const createSegment = (body) => call("POST", "/segments", {}, { body });
/** @param {import("./calls").Body<"PUT", "/segments/{id}">} body */
export const updateSegment = (id, body) => call("PUT", "/segments/{id}", { id }, { body });
export const deleteSegment = (id) => call("DELETE", "/segments/{id}", { id });
