//! The settings: one row for each key, which `config.toml` explains.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tracing::level_filters::LevelFilter;

use super::console::ConsoleSettings;
use super::origin::SettingsOrigin;
use super::read::{COUNT, FLAG, MANY, SIZE, SettingsReader, TEXT};
use super::secret::Secret;
use super::values::{
    LogFormat, StoreUrl, address, age, any_text, bytes, duration_or_never, entries, flag, header_text, host,
    key_id, log_format, log_level, long_secret, origin, store_url,
};

/// Declares a section of the settings as a table; `config.toml` says what each key means, and `rules` what must hold
/// between keys. A row is the key, its type, the form in which [`SettingsReader`] reads it, and when a change takes
/// effect:
/// - `live`: with a reload.
/// - `restart`: with a restart, and a reload that finds a change names the key.
/// - `restart_section`: the same, and names the section.
macro_rules! settings_section {
    (@restart live $section:literal $key:ident) => { None };
    (@restart restart $section:literal $key:ident) => { Some(concat!($section, ".", stringify!($key))) };
    (@restart restart_section $section:literal $key:ident) => { Some($section) };
    (
        $(#[$about:meta])*
        pub struct $name:ident, $section:literal;
        $($key:ident: $kind:ty = $form:ident($($bound:expr),*), $when:ident;)*
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            $(
                #[doc = concat!("`", $section, ".", stringify!($key), "`")]
                pub $key: $kind,
            )*
        }

        impl $name {
            fn read(reader: &mut SettingsReader) -> Self {
                Self {
                    $($key: reader.$form(concat!($section, ".", stringify!($key)), $($bound),*),)*
                }
            }

            /// Every key, and what a reload names for a change that takes effect with a restart only.
            const KEYS: &'static [(&'static str, Option<&'static str>)] = &[
                $((concat!($section, ".", stringify!($key)), settings_section!(@restart $when $section $key)),)*
            ];

            /// The keys that differ in `new`.
            pub(super) fn changed(&self, new: &Self) -> Vec<&'static str> {
                let differ = [$(self.$key != new.$key),*];
                let keys = Self::KEYS.iter().zip(differ);
                keys.filter(|(_, differs)| *differs).map(|((key, _), _)| *key).collect()
            }
        }
    };
}

/// Valid settings. `config.toml` explains each key.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Their sources.
    pub origin: SettingsOrigin,
    /// Keys for JWTs of scope `account`, valid for every app; their ids differ from those of all apps' keys.
    pub account_keys: Vec<SigningKey>,
    /// The two listeners, and bounds of a connection.
    pub server: ServerSettings,
    /// Bounds of a request.
    pub limits: LimitSettings,
    /// Bounds of writes.
    pub ingest: IngestSettings,
    /// Bounds of reads.
    pub reads: ReadSettings,
    /// The database.
    pub store: StoreSettings,
    /// The retention of data.
    pub retention: RetentionSettings,
    /// The change feed.
    pub feed: FeedSettings,
    /// Scheduled backups.
    pub backup: BackupSettings,
    /// Who may use the admin listener.
    pub console: ConsoleSettings,
    /// The log.
    pub log: LogSettings,
    /// The Smooch apps, at least one; ids, key ids, webhook secrets and app tokens are unique over all apps.
    pub apps: Vec<AppSettings>,
}

impl Settings {
    /// The values of every key; problems are collected by the reader.
    pub(super) fn from_reader(reader: &mut SettingsReader) -> Self {
        let ingest = IngestSettings::read(reader);
        let apps = reader.items("apps");
        Self {
            origin: reader.origin().clone(),
            account_keys: SigningKey::read_list(reader, "account_keys"),
            server: ServerSettings::read(reader),
            limits: LimitSettings::read(reader),
            reads: ReadSettings::read(reader),
            store: StoreSettings::read(reader),
            retention: RetentionSettings::read(reader),
            feed: FeedSettings::read(reader),
            backup: BackupSettings::read(reader),
            console: ConsoleSettings::read(reader),
            log: LogSettings::read(reader),
            apps: apps.iter().map(|app| AppSettings::read(reader, app, &ingest)).collect(),
            ingest,
        }
    }
}

/// What a reload names for a change of the key that takes effect with a restart only; `None` if it takes effect at once.
pub(super) fn named_for_restart(key: &str) -> Option<&'static str> {
    let sections = [
        ServerSettings::KEYS,
        LimitSettings::KEYS,
        IngestSettings::KEYS,
        ReadSettings::KEYS,
        StoreSettings::KEYS,
        RetentionSettings::KEYS,
        FeedSettings::KEYS,
        BackupSettings::KEYS,
        LogSettings::KEYS,
    ];
    sections.into_iter().flatten().find(|(known, _)| *known == key).and_then(|(_, restart)| *restart)
}

settings_section! {
    /// `[server]`
    pub struct ServerSettings, "server";
    listen: SocketAddr = fixed(TEXT, address), restart;
    admin_listen: SocketAddr = fixed(TEXT, address), restart;
    admin_hosts: Vec<String> = texts(host), live;
    header_timeout: Duration = duration(), live;
    body_timeout: Duration = duration(), live;
    idle_timeout: Duration = duration(), live;
    header_bytes: usize = size(), live;
    max_connections: usize = count(1..=MANY), restart;
    connections_per_address: usize = count(0..=MANY), live;
    cors_origins: Vec<String> = texts(origin), live;
    drain_within: Duration = duration(), live;
}

settings_section! {
    /// `[limits]`
    pub struct LimitSettings, "limits";
    webhook_body: usize = size(), live;
    rest_body: usize = size(), live;
    bodies_in_flight: usize = size(), live;
    json_depth: usize = count(1..=512), live;
    webhook_events: usize = count(1..=MANY), live;
    history_events: usize = count(1..=MANY), live;
    requests_per_second: u32 = number(), live;
    request_burst: u32 = number(), live;
}

settings_section! {
    /// `[ingest]`
    pub struct IngestSettings, "ingest";
    queue_jobs: usize = count(1..=MANY), restart;
    queue_bytes: usize = size(), restart;
    batch_jobs: usize = count(1..=MANY), restart;
    answer_within: Duration = duration(), restart;
    signature_tolerance: Duration = duration(), live;
    future_tolerance: Duration = duration(), live;
    silent_after: Option<Duration> = fixed(TEXT, duration_or_never), live;
    quarantine_rows: usize = count(1..=1000 * MANY), restart;
    quarantine_bytes: u64 = fixed(SIZE, bytes), restart;
    group_members: usize = count(2..=MANY), restart;
}

settings_section! {
    /// `[reads]`
    pub struct ReadSettings, "reads";
    look_up_readers: usize = count(1..=256), restart_section;
    long_readers: usize = count(1..=256), restart_section;
    long_waiting: usize = count(0..=MANY), restart_section;
    long_within: Duration = duration(), restart_section;
}

settings_section! {
    /// `[store]`
    pub struct StoreSettings, "store";
    url: StoreUrl = fixed(TEXT, store_url), restart;
    wal_checkpoint: u64 = fixed(SIZE, bytes), restart;
    wal_limit: u64 = fixed(SIZE, bytes), restart;
}

settings_section! {
    /// `[retention]`; `None` is no bound.
    pub struct RetentionSettings, "retention";
    history_age: Option<Duration> = unless_zero(TEXT, age), restart_section;
    history_entries: Option<u64> = unless_zero(COUNT, entries), restart_section;
    bodies_age: Option<Duration> = unless_zero(TEXT, age), restart_section;
    bodies_bytes: Option<u64> = unless_zero(SIZE, bytes), restart_section;
    feed_age: Option<Duration> = unless_zero(TEXT, age), restart_section;
    feed_changes: Option<u64> = unless_zero(COUNT, entries), restart_section;
    quarantine_age: Option<Duration> = unless_zero(TEXT, age), restart_section;
    audit_age: Option<Duration> = unless_zero(TEXT, age), restart_section;
}

settings_section! {
    /// `[feed]`
    pub struct FeedSettings, "feed";
    heartbeat: Duration = duration(), live;
    stream_life: Duration = duration(), live;
}

settings_section! {
    /// `[backup]`; a `folder` of `None` turns them off.
    pub struct BackupSettings, "backup";
    folder: Option<PathBuf> = path(), live;
    every: Duration = duration(), live;
    keep: usize = count(1..=MANY), live;
}

settings_section! {
    /// `[log]`
    pub struct LogSettings, "log";
    format: LogFormat = fixed(TEXT, log_format), restart;
    level: LevelFilter = fixed(TEXT, log_level), restart;
}

/// `[[apps]]`: one Smooch app and its credentials.
#[derive(Clone, Debug)]
pub struct AppSettings {
    /// The `_id` of the app; not empty.
    pub id: String,
    /// The display name; the id unless set.
    pub name: String,
    /// The `app-token` of clients; never empty.
    pub app_token: Option<Secret>,
    /// Secrets of its webhooks; at least one, none empty.
    pub webhook_secrets: Vec<Secret>,
    /// Keys of its JWTs.
    pub keys: Vec<SigningKey>,
    /// Time without a webhook after which it is silent; `ingest.silent_after` unless set.
    pub silent_after: Option<Duration>,
    /// `hasIcon` of init.
    pub has_icon: bool,
    /// `apnEnabled` of init.
    pub apn_enabled: bool,
    /// `gcmProject` of init; never empty.
    pub gcm_project: Option<String>,
}

impl AppSettings {
    /// Everything of it, to compare.
    pub(super) fn content(&self) -> impl PartialEq + '_ {
        let Self {
            id,
            name,
            app_token,
            webhook_secrets,
            keys,
            silent_after,
            has_icon,
            apn_enabled,
            gcm_project,
        } = self;
        let secrets: Vec<&str> = app_token.iter().chain(webhook_secrets).map(Secret::expose).collect();
        let keys: Vec<_> = keys.iter().map(SigningKey::content).collect();
        let flags = (has_icon, apn_enabled, gcm_project);
        (id, name, app_token.is_some(), secrets, keys, silent_after, flags)
    }

    fn read(reader: &mut SettingsReader, app: &str, ingest: &IngestSettings) -> Self {
        let key = |name: &str| format!("{app}.{name}");
        let id = reader.required(&key("id"), header_text);
        let name = reader.optional(&key("name"), TEXT, any_text).filter(|name| !name.is_empty());
        let silence = |text: &str| if text.is_empty() { Ok(None) } else { duration_or_never(text).map(Some) };
        let silent_after = reader.optional(&key("silent_after"), TEXT, silence).flatten();
        let secrets = reader.texts(&key("webhook_secrets"), header_text);
        Self {
            silent_after: silent_after.unwrap_or(ingest.silent_after),
            name: name.unwrap_or_else(|| id.clone()),
            id,
            app_token: reader.unless_empty(&key("app_token"), header_text).map(Secret::new),
            webhook_secrets: secrets.into_iter().map(Secret::new).collect(),
            keys: SigningKey::read_list(reader, &key("keys")),
            has_icon: reader.optional(&key("has_icon"), FLAG, flag).unwrap_or(false),
            apn_enabled: reader.optional(&key("apn_enabled"), FLAG, flag).unwrap_or(false),
            gcm_project: reader.unless_empty(&key("gcm_project"), any_text),
        }
    }
}

/// A key that signs JWTs.
#[derive(Clone, Debug)]
pub struct SigningKey {
    /// The `kid`; 1 to 128 bytes without control characters.
    pub id: String,
    /// At least 16 bytes.
    pub secret: Secret,
}

impl SigningKey {
    /// Everything of it, to compare.
    pub(super) fn content(&self) -> (&str, &str) {
        (&self.id, self.secret.expose())
    }

    fn read_list(reader: &mut SettingsReader, list: &str) -> Vec<Self> {
        let items = reader.items(list);
        let key = |key: &String| Self {
            id: reader.required(&format!("{key}.id"), key_id),
            secret: Secret::new(reader.required(&format!("{key}.secret"), long_secret)),
        };
        items.iter().map(key).collect()
    }
}
