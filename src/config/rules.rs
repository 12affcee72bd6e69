//! Rules over several keys.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::net::SocketAddr;

use super::console::OperatorSettings;
use super::read::SettingsReader;
use super::secret::Secret;
use super::settings::{Settings, SigningKey};

/// The credentials of the shipped demo and of the examples in the shipped file, which are public.
const DEMO: [&str; 5] = [
    "demo-app-token",
    "demo-webhook-secret",
    "demo-key-secret-change-me",
    "example-operator-secret",
    "example-proxy-secret",
];

pub(super) fn check(settings: &Settings, reader: &mut SettingsReader) {
    check_sizes(settings, reader);
    check_listeners(settings, reader);
    check_apps(settings, reader);
    check_console(settings, reader);
    check_demo(settings, reader);
}

fn check_sizes(settings: &Settings, reader: &mut SettingsReader) {
    let Settings { server, limits, ingest, store, .. } = settings;
    reader.rule(
        &["server.header_bytes"],
        (8 << 10..=1 << 20).contains(&server.header_bytes),
        "must be from 8KiB to 1MiB",
    );
    reader.rule(
        &["ingest.batch_jobs", "ingest.queue_jobs"],
        ingest.batch_jobs <= ingest.queue_jobs,
        "ingest.batch_jobs must not be more than ingest.queue_jobs",
    );
    for (key, body) in [("limits.webhook_body", limits.webhook_body), ("limits.rest_body", limits.rest_body)]
    {
        reader.rule(
            &["ingest.queue_bytes", key],
            ingest.queue_bytes >= body,
            &format!("ingest.queue_bytes must not be less than {key}, or the largest body never fits"),
        );
        reader.rule(
            &["limits.bodies_in_flight", key],
            limits.bodies_in_flight / 2 >= body,
            &format!("limits.bodies_in_flight must be at least twice {key}, or the largest body never fits"),
        );
    }
    reader.rule(
        &["store.wal_limit", "store.wal_checkpoint"],
        store.wal_limit >= store.wal_checkpoint,
        "store.wal_limit must not be less than store.wal_checkpoint",
    );
}

fn check_listeners(settings: &Settings, reader: &mut SettingsReader) {
    let (public, admin) = (settings.server.listen, settings.server.admin_listen);
    reader.rule(
        &["server.listen", "server.admin_listen"],
        public != admin || public.port() == 0,
        "server.listen and server.admin_listen must be different",
    );
}

fn check_apps(Settings { apps, account_keys, .. }: &Settings, reader: &mut SettingsReader) {
    reader.rule(&["apps"], !apps.is_empty(), "there must be at least one app");
    for (number, app) in apps.iter().enumerate() {
        let key = format!("apps.{number}.webhook_secrets");
        reader.rule(&[&key], !app.webhook_secrets.is_empty(), "there must be at least one webhook secret");
    }
    let numbered = || apps.iter().enumerate();
    // App ids in paths are case-insensitive.
    let app_ids = numbered().map(|(n, app)| (format!("apps.{n}.id"), app.id.to_ascii_lowercase()));
    unique_so(reader, app_ids, ", in any case");
    check_unique(
        reader,
        numbered()
            .filter_map(|(n, app)| Some((format!("apps.{n}.app_token"), app.app_token.as_ref()?.expose()))),
    );
    let ids = |list: String, keys: &'_ [SigningKey]| -> Vec<(String, String)> {
        keys.iter().enumerate().map(|(k, key)| (format!("{list}.{k}.id"), key.id.clone())).collect()
    };
    let mut key_ids: Vec<_> =
        numbered().flat_map(|(n, app)| ids(format!("apps.{n}.keys"), &app.keys)).collect();
    key_ids.extend(ids("account_keys".to_owned(), account_keys));
    check_unique(reader, key_ids.iter().map(|(key, id)| (key.clone(), id.as_str())));
    // One app may list a secret twice, as templates do outside a rotation; the secret still identifies the app.
    check_unique(
        reader,
        numbered().flat_map(|(n, app)| {
            let mut own = HashSet::new();
            let secrets = app.webhook_secrets.iter().enumerate();
            secrets
                .map(move |(s, secret)| (format!("apps.{n}.webhook_secrets.{s}"), secret.expose()))
                .filter(move |(_, secret)| own.insert(*secret))
        }),
    );
}

/// Refuses a value under a second key. Missing and wrong values are reported elsewhere.
fn check_unique<'a>(reader: &mut SettingsReader, values: impl Iterator<Item = (String, &'a str)>) {
    unique_so(reader, values, "");
}

/// The same; `so` names the way values are compared.
fn unique_so<V: AsRef<str> + Hash + Eq>(
    reader: &mut SettingsReader,
    values: impl Iterator<Item = (String, V)>,
    so: &str,
) {
    let mut first = HashMap::new();
    for (key, value) in values.filter(|(_, value)| !value.as_ref().is_empty()) {
        if let Some(other) = first.get(&value) {
            reader.problem(&key, format!("must not be the same as {other}{so}"));
        } else {
            first.insert(value, key);
        }
    }
}

impl Settings {
    /// True if a secret of the shipped demo is in use.
    pub fn has_demo_secrets(&self) -> bool {
        !self.demo_secrets().is_empty()
    }

    /// The keys that hold a secret of the shipped demo.
    pub(super) fn demo_secrets(&self) -> Vec<String> {
        let list = |list: String, keys: &[SigningKey]| -> Vec<String> {
            let known = keys.iter().enumerate().filter(|(_, key)| is_demo(&key.secret));
            known.map(|(k, _)| format!("{list}.{k}.secret")).collect()
        };
        let mut found = list("account_keys".to_owned(), &self.account_keys);
        for (number, operator) in self.console.operators.iter().enumerate() {
            let secrets = operator.secrets.iter().enumerate().filter(|(_, secret)| is_demo(secret));
            found.extend(secrets.map(|(s, _)| format!("console.operators.{number}.secrets.{s}")));
        }
        if self.console.proxy.as_ref().is_some_and(|proxy| is_demo(&proxy.secret)) {
            found.push("console.proxy.secret".to_owned());
        }
        for (number, app) in self.apps.iter().enumerate() {
            if app.app_token.as_ref().is_some_and(is_demo) {
                found.push(format!("apps.{number}.app_token"));
            }
            let secrets = app.webhook_secrets.iter().enumerate().filter(|(_, secret)| is_demo(secret));
            found.extend(secrets.map(|(s, _)| format!("apps.{number}.webhook_secrets.{s}")));
            found.extend(list(format!("apps.{number}.keys"), &app.keys));
        }
        found
    }
}

fn is_demo(secret: &Secret) -> bool {
    DEMO.contains(&secret.expose())
}

fn check_demo(settings: &Settings, reader: &mut SettingsReader) {
    let listener = match (&settings.server.listen, &settings.server.admin_listen) {
        (public, _) if is_beyond_loopback(*public) => "server.listen",
        (_, admin) if is_beyond_loopback(*admin) => "server.admin_listen",
        _ => return,
    };
    for key in settings.demo_secrets() {
        let text = format!("is the demo's, which is public: change it, or set {listener} to 127.0.0.1");
        reader.problem(&key, text);
    }
}

pub(super) fn is_beyond_loopback(address: SocketAddr) -> bool {
    !address.ip().to_canonical().is_loopback()
}

/// The rules over several keys of `[console]`, and over it and the admin listener.
fn check_console(settings: &Settings, reader: &mut SettingsReader) {
    let (console, admin) = (&settings.console, settings.server.admin_listen);
    reader.rule(
        &["server.admin_listen"],
        console.names_operators() || !is_beyond_loopback(admin),
        BEYOND_LOOPBACK,
    );
    reader.rule(
        &["console.session_life", "console.session_idle"],
        console.session_idle <= console.session_life,
        "console.session_idle must not be more than console.session_life",
    );
    let mut names = HashMap::new();
    let mut secrets = HashMap::new();
    for (n, operator) in console.operators.iter().enumerate() {
        let key = |name: &str| format!("console.operators.{n}.{name}");
        reader.rule(&[&key("secrets")], !operator.secrets.is_empty(), "there must be at least one secret");
        if !operator.name.is_empty()
            && let Some(other) = names.insert(operator.name.as_str(), key("name"))
        {
            reader.problem(&key("name"), format!("must not be the same as {other}"));
        }
        for (s, secret) in operator.secrets.iter().enumerate() {
            let place = (n, key(&format!("secrets.{s}")));
            if secret.expose().is_empty() {
                continue;
            }
            // One operator may list a secret twice, as templates do outside a rotation.
            match secrets.get(secret.expose()) {
                Some((of, other)) if *of != n => {
                    reader.problem(&place.1, format!("must not be the same as {other}"));
                }
                Some(_) => {}
                None => _ = secrets.insert(secret.expose(), place),
            }
        }
        check_apps_of(settings, reader, operator, &key("apps"));
    }
    if let Some(proxy) = &console.proxy {
        let some = "there must be at least one";
        reader.rule(&["console.proxy.peers"], !proxy.peers.is_empty(), some);
        let headers = [&proxy.secret_header, &proxy.name_header, &proxy.groups_header];
        let names: HashSet<String> = headers.iter().map(|name| name.to_ascii_lowercase()).collect();
        let text = "secret_header, name_header and groups_header must be three different headers";
        reader.rule(&["console.proxy.secret_header"], names.len() == headers.len(), text);
        let groups = proxy.operator_groups.len() + proxy.viewer_groups.len();
        let text = "there must be at least one here or in console.proxy.viewer_groups";
        reader.rule(&["console.proxy.operator_groups"], groups > 0, text);
        if let Some((_, other)) = secrets.get(proxy.secret.expose()) {
            reader.problem("console.proxy.secret", format!("must not be the same as {other}"));
        }
    }
}

/// Why an admin listener without operators is refused beyond loopback.
pub(super) const BEYOND_LOOPBACK: &str = "is reached from other machines, and nobody could sign in: name operators in \
                                          [[console.operators]] or a proxy in [console.proxy], or set it to 127.0.0.1";

fn check_apps_of(settings: &Settings, reader: &mut SettingsReader, operator: &OperatorSettings, key: &str) {
    let Some(apps) = &operator.apps else { return };
    reader.rule(&[key], !apps.is_empty(), "there must be at least one app; leave it out for all");
    for (n, app) in apps.iter().enumerate().filter(|(_, app)| !app.is_empty()) {
        let is_known = settings.apps.iter().any(|known| known.id == *app);
        reader.rule(&[&format!("{key}.{n}")], is_known, "is the id of none of the apps");
    }
}
