//! The settings: one row for each key, which `config.toml` explains.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tracing::level_filters::LevelFilter;

use super::choices::{LogFormat, StoreUrl};
use super::origin::SettingsOrigin;
use super::read::{COUNT, FLAG, MANY, SIZE, SettingsReader, TEXT};
use super::values::{
    address, age, any_text, bytes, duration_or_never, entries, flag, header_text, host, key_id, log_format,
    log_level, long_secret, origin, store_url,
};

/// Declares a section of the settings as a table. A row is the key, its type, the form in which
/// [`SettingsReader`] reads it, and when a change takes effect:
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
        $($(#[$doc:meta])* $key:ident: $kind:ty = $form:ident($($bound:expr),*), $when:ident;)*
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            $($(#[$doc])* pub $key: $kind,)*
        }

        impl $name {
            fn read(reader: &mut SettingsReader) -> Self {
                Self {
                    $($key: reader.$form(concat!($section, ".", stringify!($key)), $($bound),*),)*
                }
            }

            /// The keys that differ in `new` and take effect with a restart only.
            pub(super) fn need_restart(&self, new: &Self) -> Vec<&'static str> {
                let mut keys = Vec::new();
                $(if self.$key != new.$key {
                    let key: Option<&'static str> = settings_section!(@restart $when $section $key);
                    keys.extend(key.filter(|key| !keys.contains(key)));
                })*
                keys
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
            log: LogSettings::read(reader),
            apps: apps.iter().map(|app| AppSettings::read(reader, app, &ingest)).collect(),
            ingest,
        }
    }
}

settings_section! {
    /// `[server]`
    pub struct ServerSettings, "server";
    /// Webhooks and REST; differs from `admin_listen` unless the port is 0.
    listen: SocketAddr = fixed(TEXT, address), restart;
    /// Admin API, metrics and health.
    admin_listen: SocketAddr = fixed(TEXT, address), restart;
    /// Further host names of the admin listener, in lower case and without a port.
    admin_hosts: Vec<String> = texts(host), live;
    /// Time for the head of a request; above zero, as every duration here.
    header_timeout: Duration = duration(), live;
    /// Time for the body of a request.
    body_timeout: Duration = duration(), live;
    /// Time for a connection without a request.
    idle_timeout: Duration = duration(), live;
    /// Bytes of a request's head; 8 KiB (hyper's minimum) to 1 MiB.
    header_bytes: usize = size(), live;
    /// Connections at once.
    max_connections: usize = count(1..=MANY), restart;
    /// Connections at once from one address; 0 is no bound.
    connections_per_address: usize = count(0..=MANY), live;
    /// Origins as browsers send them, or `*`; none turns it off.
    cors_origins: Vec<String> = texts(origin), live;
    /// Time for a shutdown; requests in progress have four fifths of it.
    drain_within: Duration = duration(), live;
}

settings_section! {
    /// `[limits]`
    pub struct LimitSettings, "limits";
    /// Bytes of a webhook's body.
    webhook_body: usize = size(), live;
    /// Bytes of any other request's body.
    rest_body: usize = size(), live;
    /// Bytes of the bodies being received; at least twice the largest, because half is reserved for known senders.
    bodies_in_flight: usize = size(), live;
    /// Levels of nested JSON; 1 to 512.
    json_depth: usize = count(1..=512), live;
    /// Events in one webhook.
    webhook_events: usize = count(1..=MANY), live;
    /// Journal entries that are read for the history of one user.
    history_events: usize = count(1..=MANY), live;
    /// REST requests of one credential a second; 0 is no bound.
    requests_per_second: u32 = number(), live;
    /// REST requests of one credential at once; 0 is as many as `requests_per_second`.
    request_burst: u32 = number(), live;
}

settings_section! {
    /// `[ingest]`
    pub struct IngestSettings, "ingest";
    /// Jobs that may wait.
    queue_jobs: usize = count(1..=MANY), restart;
    /// Bytes of body that may wait; a largest body always fits.
    queue_bytes: usize = size(), restart;
    /// Jobs in one transaction; at most `queue_jobs`.
    batch_jobs: usize = count(1..=MANY), restart;
    /// Time limit of a write from queue to receipt, and of a look-up or feed page.
    answer_within: Duration = duration(), restart;
    /// Difference between the time stamp of a signed delivery and our clock.
    signature_tolerance: Duration = duration(), live;
    /// The limit for event times ahead of our clock.
    future_tolerance: Duration = duration(), live;
    /// Time without a webhook after which an app is silent; `None` is never.
    silent_after: Option<Duration> = fixed(TEXT, duration_or_never), live;
    /// Bodies in quarantine.
    quarantine_rows: usize = count(1..=1000 * MANY), restart;
    /// Bytes in quarantine.
    quarantine_bytes: u64 = fixed(SIZE, bytes), restart;
    /// `_id`s of one merged user.
    group_members: usize = count(2..=MANY), restart;
}

settings_section! {
    /// `[reads]`
    pub struct ReadSettings, "reads";
    /// Threads that look up one app user.
    look_up_readers: usize = count(1..=256), restart_section;
    /// Threads for reads of many rows.
    long_readers: usize = count(1..=256), restart_section;
    /// Long reads that may wait for one of these.
    long_waiting: usize = count(0..=MANY), restart_section;
    /// Time limit of a long read.
    long_within: Duration = duration(), restart_section;
}

settings_section! {
    /// `[store]`
    pub struct StoreSettings, "store";
    /// The location of the database.
    url: StoreUrl = fixed(TEXT, store_url), restart;
    /// Bytes of write-ahead log from which a checkpoint starts.
    wal_checkpoint: u64 = fixed(SIZE, bytes), restart;
    /// Bytes of write-ahead log at most; at least `wal_checkpoint`.
    wal_limit: u64 = fixed(SIZE, bytes), restart;
}

settings_section! {
    /// `[retention]`; `None` is no bound.
    pub struct RetentionSettings, "retention";
    /// Age of journal entries.
    history_age: Option<Duration> = unless_zero(TEXT, age), restart_section;
    /// Journal entries.
    history_entries: Option<u64> = unless_zero(COUNT, entries), restart_section;
    /// Age of the bodies of journal entries.
    bodies_age: Option<Duration> = unless_zero(TEXT, age), restart_section;
    /// Bytes that these bodies take in the file.
    bodies_bytes: Option<u64> = unless_zero(SIZE, bytes), restart_section;
    /// Age of changes in the feed.
    feed_age: Option<Duration> = unless_zero(TEXT, age), restart_section;
    /// Changes in the feed of each app.
    feed_changes: Option<u64> = unless_zero(COUNT, entries), restart_section;
    /// Age of bodies in quarantine.
    quarantine_age: Option<Duration> = unless_zero(TEXT, age), restart_section;
}

settings_section! {
    /// `[feed]`
    pub struct FeedSettings, "feed";
    /// Between two comments on a stream without an event.
    heartbeat: Duration = duration(), live;
    /// The longest life of a stream.
    stream_life: Duration = duration(), live;
}

settings_section! {
    /// `[backup]`
    pub struct BackupSettings, "backup";
    /// The folder of backups; `None` turns them off.
    folder: Option<PathBuf> = path(), live;
    /// Time between two backups.
    every: Duration = duration(), live;
    /// Backups that stay; at least one.
    keep: usize = count(1..=MANY), live;
}

settings_section! {
    /// `[log]`
    pub struct LogSettings, "log";
    /// The format of a line.
    format: LogFormat = fixed(TEXT, log_format), restart;
    /// The level, unless `RUST_LOG` is set.
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
    fn read_list(reader: &mut SettingsReader, list: &str) -> Vec<Self> {
        let items = reader.items(list);
        let key = |key: &String| Self {
            id: reader.required(&format!("{key}.id"), key_id),
            secret: Secret::new(reader.required(&format!("{key}.secret"), long_secret)),
        };
        items.iter().map(key).collect()
    }
}

/// A value that is never shown: its `Debug` is `***`. It has no `Display`, no serialisation and no `==`, which is for
/// constant-time code.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself; the caller must not leak it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
