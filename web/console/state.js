// What a screen shows stands in the address, after the `#`: `#/users?q=bob&sort=-lastSeen`. A fragment reaches no
// server, so no name gets into a proxy's log.
import { useEffect, useState } from "./vendor/preact.js";

/** A value that several parts of the page show. */
export function store(value) {
  const listeners = new Set();
  const it = {
    get: () => value,
    set(next) {
      if (Object.is(next, value)) return;
      value = next;
      for (const listener of [...listeners]) listener(value);
    },
    /** Calls `listener` at each change, until the returned function is called. */
    watch(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    /** The value; the component is drawn anew when it changes. */
    use() {
      const [seen, see] = useState(value);
      useEffect(() => {
        see(value);
        return it.watch(see);
      }, []);
      return seen;
    },
  };
  return it;
}

/** A value that this browser keeps; `fallback` without storage. The other tabs of the browser see a change. */
export function kept(name, fallback) {
  const key = `rollcall ${new URL("./", location.href).pathname} ${name}`;
  const read = () => {
    try {
      const text = localStorage.getItem(key);
      return text === null ? fallback : JSON.parse(text);
    } catch {
      return fallback;
    }
  };
  const it = store(read());
  addEventListener("storage", (event) => (event.key === key || event.key === null) && it.set(read()));
  return {
    ...it,
    set(value) {
      try {
        if (value === fallback) localStorage.removeItem(key);
        else localStorage.setItem(key, JSON.stringify(value));
      } catch {
        // Without storage the value lasts as long as the page.
      }
      it.set(value);
    },
  };
}

/** `{path, params}` of an address; `path` is undefined where it is not percent-encoded correctly, or has a word that no URL can. */
export function parse(hash) {
  const [path, ...query] = hash.replace(/^#?\/?/, "").split("?");
  const params = new URLSearchParams(query.join("?"));
  try {
    const words = path.split("/").filter(Boolean).map(decodeURIComponent);
    return { path: words.some((word) => word === "." || word === "..") ? undefined : words, params };
  } catch {
    return { path: undefined, params };
  }
}

const address = store(parse(location.hash));
const read = () => address.set({ ...parse(location.hash), state: history.state });
addEventListener("hashchange", read);
addEventListener("popstate", read);

/** The present address: `{path, params, state}`. */
export const useAddress = address.use;

/** The address of a screen: its path of plain names, and its parameters; empty ones are left out. */
export function href(path, params = {}) {
  const query = new URLSearchParams();
  const pairs = params instanceof URLSearchParams ? params : Object.entries(params);
  for (const [name, value] of pairs) {
    if (value !== undefined && value !== null && value !== "" && value !== false) query.append(name, value);
  }
  const text = query.toString();
  return `#/${path.map(encodeURIComponent).join("/")}${text && `?${text}`}`;
}

/** Goes to an address. `state` is kept with it for Back; `replace` leaves no way back to the present one. */
export function go(to, { replace = false, state = null } = {}) {
  history[replace ? "replaceState" : "pushState"](state, "", to);
  read();
}

/** The present address with other parameters; null drops one. */
export function withParams(changes) {
  const { path, params } = parse(location.hash);
  const query = new URLSearchParams(params);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === undefined || value === "") query.delete(name);
    else query.set(name, value);
  }
  return href(path ?? [], query);
}

/** The address of a job by its number, with the app of the present address. */
export const hrefOfJob = (id) => href(["jobs"], { job: id, app: parse(location.hash).params.get("app") });

/** The title of the window: what, and where. */
export function useTitle(...parts) {
  const title = [...parts.filter(Boolean), "rollcall"].join(" · ");
  useEffect(() => {
    document.title = title;
  }, [title]);
}
