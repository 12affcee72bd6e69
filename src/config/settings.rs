//! The settings, as the program goes by them.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tracing::level_filters::LevelFilter;

use super::choices::{LogFormat, StoreUrl};
use super::origin::SettingsOrigin;

/// Settings that keep every rule of `config.toml`, which also says what each key means.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which sources they came from.
    pub origin: SettingsOrigin,
    /// What JWTs of scope `account`, good for every app, may be signed with; no id is an app's key's too.
    pub account_keys: Vec<SigningKey>,
    /// The two listeners and what a connection may cost.
    pub server: ServerSettings,
    /// What a request may carry.
    pub limits: LimitSettings,
    /// The way from a request to the disk.
    pub ingest: IngestSettings,
    /// The way from a question to its answer.
    pub reads: ReadSettings,
    /// The database.
    pub store: StoreSettings,
    /// How much of it is kept.
    pub retention: RetentionSettings,
    /// Followers of the directory.
    pub feed: FeedSettings,
    /// Backups by the clock.
    pub backup: BackupSettings,
    /// The log.
    pub log: LogSettings,
    /// The Smooch apps, at least one; ids, key ids, webhook secrets and app tokens are unique over all.
    pub apps: Vec<AppSettings>,
}

/// `[server]`
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// Webhooks and REST; differs from `admin_listen` unless the port is 0.
    pub listen: SocketAddr,
    /// Console, metrics and health.
    pub admin_listen: SocketAddr,
    /// Names by which the admin listener may be called besides its own, in lower case and without a port.
    pub admin_hosts: Vec<String>,
    /// For the head of a request; above zero, as is every duration here.
    pub header_timeout: Duration,
    /// For the body of a request.
    pub body_timeout: Duration,
    /// For a connection without a request.
    pub idle_timeout: Duration,
    /// Bytes of a request's head; 8 KiB to 1 MiB, because hyper takes no less.
    pub header_bytes: usize,
    /// Connections at once.
    pub max_connections: usize,
    /// Connections at once from one address; 0 is no bound.
    pub connections_per_address: usize,
    /// Origins as browsers send them, or `*`; none turns it off.
    pub cors_origins: Vec<String>,
    /// For the end when the service is told to stop; four fifths of it for requests under way.
    pub drain_within: Duration,
}

/// `[limits]`
#[derive(Clone, Debug)]
pub struct LimitSettings {
    /// Bytes of a webhook's body.
    pub webhook_body: usize,
    /// Bytes of any other request's body.
    pub rest_body: usize,
    /// Bytes of the bodies being received; at least twice the largest, because half is kept for known senders.
    pub bodies_in_flight: usize,
    /// Levels of nested JSON; 1 to 512.
    pub json_depth: usize,
    /// Events in one webhook.
    pub webhook_events: usize,
    /// Journal entries that are read to tell what was known when.
    pub history_events: usize,
    /// REST requests of one credential a second; 0 is no bound.
    pub requests_per_second: u32,
    /// REST requests of one credential at once; 0 is as many as `requests_per_second`.
    pub request_burst: u32,
}

/// `[ingest]`
#[derive(Clone, Debug)]
pub struct IngestSettings {
    /// Jobs that may wait.
    pub queue_jobs: usize,
    /// Bytes of body that may wait; a largest body always fits.
    pub queue_bytes: usize,
    /// Jobs in one transaction; at most `queue_jobs`.
    pub batch_jobs: usize,
    /// From the queue to the receipt, and from the question to the answer of a look-up or of the feed.
    pub answer_within: Duration,
    /// Between the time stamp of a signed delivery and our clock.
    pub signature_tolerance: Duration,
    /// From our clock to the date of an event.
    pub future_tolerance: Duration,
    /// Without a webhook, after which an app is called silent; `None` is never.
    pub silent_after: Option<Duration>,
    /// Bodies in quarantine.
    pub quarantine_rows: usize,
    /// Bytes in quarantine.
    pub quarantine_bytes: u64,
    /// `_id`s of one merged user.
    pub group_members: usize,
}

/// `[reads]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadSettings {
    /// Threads that look up one app user.
    pub look_up_readers: usize,
    /// Threads for everything that reads many rows.
    pub long_readers: usize,
    /// Long reads that may wait for one of these.
    pub long_waiting: usize,
    /// From the question to the answer of a long read.
    pub long_within: Duration,
}

/// `[store]`
#[derive(Clone, Debug)]
pub struct StoreSettings {
    /// Where the database is.
    pub url: StoreUrl,
    /// Bytes of write-ahead log from which a checkpoint starts.
    pub wal_checkpoint: u64,
    /// Bytes of write-ahead log at most; at least `wal_checkpoint`.
    pub wal_limit: u64,
}

/// `[retention]`; nothing is no bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionSettings {
    /// Age of journal entries.
    pub history_age: Option<Duration>,
    /// Journal entries.
    pub history_entries: Option<u64>,
    /// Age of the bodies of journal entries.
    pub bodies_age: Option<Duration>,
    /// Bytes that these bodies take in the file.
    pub bodies_bytes: Option<u64>,
    /// Age of changes in the feed.
    pub feed_age: Option<Duration>,
    /// Changes in the feed of each app.
    pub feed_changes: Option<u64>,
    /// Age of bodies in quarantine.
    pub quarantine_age: Option<Duration>,
}

/// `[feed]`
#[derive(Clone, Debug)]
pub struct FeedSettings {
    /// Between two comments on a stream without an event.
    pub heartbeat: Duration,
    /// The longest life of a stream.
    pub stream_life: Duration,
}

/// `[backup]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupSettings {
    /// Where the service keeps backups; none turns them off.
    pub folder: Option<PathBuf>,
    /// From one to the next.
    pub every: Duration,
    /// How many are kept; at least one.
    pub keep: usize,
}

/// `[log]`
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// How a line looks.
    pub format: LogFormat,
    /// How much is logged, unless `RUST_LOG` says otherwise.
    pub level: LevelFilter,
}

/// `[[apps]]`: one Smooch app and its credentials.
#[derive(Clone, Debug)]
pub struct AppSettings {
    /// The `_id` of the app; not empty.
    pub id: String,
    /// For people; the id unless set.
    pub name: String,
    /// What clients send as `app-token`; never empty.
    pub app_token: Option<Secret>,
    /// What its webhooks may carry; at least one, none of them empty.
    pub webhook_secrets: Vec<Secret>,
    /// What its JWTs may be signed with.
    pub keys: Vec<SigningKey>,
    /// Without a webhook of it, after which it is called silent; that of all apps unless set.
    pub silent_after: Option<Duration>,
    /// `hasIcon` of init.
    pub has_icon: bool,
    /// `apnEnabled` of init.
    pub apn_enabled: bool,
    /// `gcmProject` of init; never empty.
    pub gcm_project: Option<String>,
}

/// A key that signs JWTs.
#[derive(Clone, Debug)]
pub struct SigningKey {
    /// The `kid`; 1 to 128 bytes without control characters.
    pub id: String,
    /// At least 16 bytes.
    pub secret: Secret,
}

/// A value that is never shown: its `Debug` is `***`, and it has no `Display`, no `==` (comparing is
/// for constant-time code) and no serialisation.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value that must not be shown.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself. Whoever calls this sees to it that it goes nowhere.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
