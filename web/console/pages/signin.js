// Signing in: by a link of `rollcall console`, or with a name and a secret of the settings.
import { Icon, Signs } from "../parts/text.js";
import { signIn } from "../request.js";
import { go, useTitle } from "../state.js";
import { html, useEffect, useRef, useState } from "../vendor/preact.js";

/** Why it failed, in a sentence for whoever signs in. */
function Why({ failure, code }) {
  const [left, setLeft] = useState(failure.retryAfter ?? 0);
  useEffect(() => {
    setLeft(failure.retryAfter ?? 0);
    const timer = setInterval(() => setLeft((n) => Math.max(0, n - 1)), 1000);
    return () => clearInterval(timer);
  }, [failure]);
  if (failure.status === 429) return html`<p class="why" role="alert">Too many attempts. ${left ? `Try again in ${left} s.` : "Try again now."}</p>`;
  if (failure.status === 401 && code) {
    return html`<p class="why" role="alert">The link was used, or is older than a minute. Run <code>rollcall console</code> again for another one.</p>`;
  }
  if (failure.status === 401) return html`<p class="why" role="alert">The name or the secret is wrong.</p>`;
  return html`<p class="why" role="alert"><${Signs} text=${failure.message} /></p>`;
}

export function SignIn({ code }) {
  useTitle("Sign in");
  const [failure, setFailure] = useState();
  const [busy, setBusy] = useState(code !== undefined);
  const [name, setName] = useState("");
  const [secret, setSecret] = useState("");
  const used = useRef();
  const enter = async (proof) => {
    setBusy(true);
    try {
      await signIn(proof);
      if (code !== undefined) go("#/", { replace: true });
    } catch (error) {
      if (error.status === undefined) throw error;
      setFailure(error);
      setSecret("");
    }
    setBusy(false);
  };
  useEffect(() => {
    if (code === undefined || used.current === code) return;
    used.current = code;
    enter({ code });
  }, [code]);
  const submit = (event) => {
    event.preventDefault();
    enter({ name: name.trim(), secret });
  };
  const field = (says, type, value, set, autocomplete) => html`<label class="field"><span>${says}</span>
    <input type=${type} required value=${value} autocomplete=${autocomplete} onInput=${(event) => set(event.currentTarget.value)} /></label>`;
  return html`<div class="signin"><main>
    <h1><${Icon} name="rollcall" /> Sign in to rollcall</h1>
    ${
      busy && code !== undefined
        ? html`<p class="soft" role="status">Signing in with the link …</p>`
        : html`<p class="soft">As an operator of the settings.</p>
        <form onSubmit=${submit}>
          ${field("Name", "text", name, setName, "username")}
          ${field("Secret", "password", secret, setSecret, "current-password")}
          ${failure && html`<${Why} failure=${failure} code=${code !== undefined} />`}
          <button class="main" disabled=${busy}>Sign in</button>
        </form>
        <p class="small soft">Without one: run <code>rollcall console</code> on the server. It prints a link that signs in once, for a minute.</p>`
    }
  </main></div>`;
}
