//! The settings: flags before the environment, before the user's file, before the shipped
//! `config.toml`. Every problem is found in one reading, and none of them quotes a value, so that no
//! secret can end up in a log.

mod layers;
mod origin;
mod places;
mod problems;
mod read;
mod reload;
mod rules;
mod values;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tracing::level_filters::LevelFilter;

pub use origin::Origin;
pub use problems::{Place, Problem, Problems};
pub use values::duration;

/// The shipped defaults, which are their own documentation and a working demo.
const SHIPPED: &str = include_str!("../config.toml");
/// What the file of settings is called when nobody names one.
const DEFAULT_FILE: &str = "config.toml";
/// What the name of every environment variable of ours begins with.
const ENVIRONMENT: &str = "ROLLCALL__";

/// Settings that keep every rule of `config.toml`, which also says what each key means.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which sources they came from.
    pub origin: Origin,
    /// What JWTs of scope `account`, good for every app, may be signed with; no id is an app's key's too.
    pub account_keys: Vec<Key>,
    /// The two listeners and what a connection may cost.
    pub server: Server,
    /// What a request may carry.
    pub limits: Limits,
    /// The way from a request to the disk.
    pub ingest: Ingest,
    /// The way from a question to its answer.
    pub reads: Reads,
    /// The database.
    pub store: Store,
    /// How much of it is kept.
    pub retention: Retention,
    /// Followers of the directory.
    pub feed: Feed,
    /// Backups by the clock.
    pub backup: Backup,
    /// The log.
    pub log: Log,
    /// The Smooch apps, at least one; ids, key ids, webhook secrets and app tokens are unique over all.
    pub apps: Vec<App>,
}

/// `[server]`
#[derive(Clone, Debug)]
pub struct Server {
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
pub struct Limits {
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
pub struct Ingest {
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
pub struct Reads {
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
pub struct Store {
    /// Where the database is.
    pub url: StoreUrl,
    /// Bytes of write-ahead log from which a checkpoint starts.
    pub wal_checkpoint: u64,
    /// Bytes of write-ahead log at most; at least `wal_checkpoint`.
    pub wal_limit: u64,
}

/// `[retention]`; nothing is no bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
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

/// Which database, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreUrl {
    /// An SQLite file; a relative path counts from the working directory.
    Sqlite(PathBuf),
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
        }
    }
}

/// `[feed]`
#[derive(Clone, Debug)]
pub struct Feed {
    /// Between two comments on a stream without an event.
    pub heartbeat: Duration,
    /// The longest life of a stream.
    pub stream_life: Duration,
}

/// `[backup]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// Where the service keeps backups; none turns them off.
    pub folder: Option<PathBuf>,
    /// From one to the next.
    pub every: Duration,
    /// How many are kept; at least one.
    pub keep: usize,
}

/// `[log]`
#[derive(Clone, Debug)]
pub struct Log {
    /// How a line looks.
    pub format: LogFormat,
    /// How much is logged, unless `RUST_LOG` says otherwise.
    pub level: LevelFilter,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// `[[apps]]`: one Smooch app and its credentials.
#[derive(Clone, Debug)]
pub struct App {
    /// The `_id` of the app; not empty.
    pub id: String,
    /// For people; the id unless set.
    pub name: String,
    /// What clients send as `app-token`; never empty.
    pub app_token: Option<Secret>,
    /// What its webhooks may carry; at least one, none of them empty.
    pub webhook_secrets: Vec<Secret>,
    /// What its JWTs may be signed with.
    pub keys: Vec<Key>,
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
pub struct Key {
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

impl Settings {
    /// Reads the settings of this process: `overrides` (dotted key and value, from flags), the
    /// environment, and the file at `path`. Without a path, `config.toml` in the working directory is
    /// read if there is one.
    ///
    /// # Errors
    /// Every problem at once; a file that was named and cannot be read is one.
    pub fn load(path: Option<&Path>, overrides: &[(String, String)]) -> Result<Self, Problems> {
        Self::read(path, overrides, |file| std::fs::read_to_string(file))
    }

    /// As [`Settings::load`], for a running service: a file that is being written is read once it is complete.
    ///
    /// # Errors
    /// As [`Settings::load`]; or the file is still being written after two seconds.
    pub fn load_again(path: Option<&Path>, overrides: &[(String, String)]) -> Result<Self, Problems> {
        Self::read(path, overrides, origin::read_complete)
    }

    fn read(
        path: Option<&Path>,
        overrides: &[(String, String)],
        read: impl Fn(&Path) -> std::io::Result<String>,
    ) -> Result<Self, Problems> {
        let file = path.unwrap_or(Path::new(DEFAULT_FILE));
        let name = file.display().to_string();
        let (text, exists) = match read(file) {
            Ok(text) => (text, true),
            Err(error) if path.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
                (String::new(), false)
            }
            Err(error) => return Err(Problem::of_file(&name, format!("cannot be read: {error}")).into()),
        };
        // A file that was emptied must not turn a service into the demo.
        if path.is_some() && layers::without_mark(&text).trim().is_empty() && file.is_file() {
            let text = "is empty: write settings into it, or name no file to run the demo";
            return Err(Problem::of_file(&name, text).into());
        }
        let mut settings = Self::parse(&text, &name, &environment()?, overrides)?;
        settings.origin.exists = exists;
        Ok(settings)
    }

    /// What [`Settings::load`] makes of these sources. Reads nothing but `text` and the files that
    /// `…_FILE` variables name; `env` may hold variables that are none of ours.
    ///
    /// # Errors
    /// Every problem at once. A `text` that is not TOML is judged no further than its syntax.
    pub fn parse(
        text: &str,
        file_name: &str,
        env: &BTreeMap<String, String>,
        overrides: &[(String, String)],
    ) -> Result<Self, Problems> {
        let layers = layers::Layers::of(text, file_name, env, overrides)?;
        let mut reader = read::Reader::new(layers);
        let settings = reader.settings();
        rules::check(&settings, &mut reader);
        reader.finish().map(|()| settings)
    }
}

/// Our variables in the environment of this process.
fn environment() -> Result<BTreeMap<String, String>, Problem> {
    let ours = |name: &std::ffi::OsString| name.as_encoded_bytes().starts_with(ENVIRONMENT.as_bytes());
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        let name = name.to_string_lossy().into_owned();
        match value.into_string() {
            Ok(value) => Ok((name, value)),
            Err(_) => Err(Problem::of_variable(&name, "is not UTF-8")),
        }
    };
    std::env::vars_os().filter(|(name, _)| ours(name)).map(text).collect()
}
