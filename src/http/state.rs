//! The state shared by all handlers.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use super::answers::{raw, to_json};
use super::auth::Apps;
use super::body::{BodyLimits, Budget};
use super::control::ServiceControl;
use super::examinations::Examinations;
use super::feed::throttle::Throttle;
use super::host::Hosts;
use super::known_backups::KnownBackups;
use super::metric_counts::MetricCounts;
use super::rate_limits::RateLimits;
use super::reads;
use super::signature::Secrets;
use crate::clock::now_ms;
use crate::config::{AppSettings, Settings, StoreUrl};
use crate::directory::DirectoryReader;
use crate::domain::AppId;
use crate::ingest::app_activity::AppActivity;
use crate::ingest::audit_log::AuditLog;
use crate::ingest::commit_notifier::CommitNotifier;
use crate::ingest::queue::{Queue, SubmitError};
use crate::metrics::Metrics;
use crate::operators::{Admission, Key, KeyFileError, Operator, read_or_make_key};
use crate::store::AuditEntry;
use crate::store::readers::{ReadClass, Readers};
use crate::store::sqlite::{DamagedTables, Presence};

/// Between two checks of the sessions.
const SESSIONS_CHECKED: Duration = Duration::from_millis(500);

/// The state as axum hands it to a handler.
pub(super) type State = axum::extract::State<Arc<HttpState>>;

/// The operator of a request to the admin listener, as axum hands it to a handler.
pub(super) type ByOperator = axum::Extension<Arc<Operator>>;

/// The state shared by all handlers.
pub struct HttpState {
    pub(super) settings: Settings,
    pub(super) apps: Apps,
    pub(super) secrets: Secrets,
    pub(super) queue: Queue,
    /// Adds to the audit log what changes nothing in the directory.
    pub audit: AuditLog,
    pub(super) readers: Readers<DirectoryReader>,
    pub(super) commits: CommitNotifier,
    pub(super) feed_throttle: Arc<Throttle>,
    /// The last webhook of each app.
    pub app_activity: Arc<AppActivity>,
    pub(super) metric_counts: MetricCounts,
    pub(super) presence: Presence,
    pub(super) damaged_tables: DamagedTables,
    pub(super) files: DatabaseFiles,
    pub(super) metrics: Arc<Metrics>,
    pub(super) bodies: Budget,
    pub(super) rates: RateLimits,
    pub(super) hosts: Hosts,
    pub(super) admission: Admission,
    /// The app member of init's answer for each app, as JSON.
    pub(super) inits: HashMap<AppId, Box<RawValue>>,
    pub(super) control: Option<ServiceControl>,
    pub(super) examinations: Examinations,
    pub(super) backups: KnownBackups,
    /// Told when the job of an operator begins.
    pub(super) job_begun: Arc<Notify>,
    /// True once the service stops.
    pub draining: watch::Sender<bool>,
}

#[derive(Clone)]
pub(super) struct DatabaseFiles {
    pub(super) database: PathBuf,
    pub(super) wal: PathBuf,
    /// The folder for the files of exports.
    pub(super) exports: PathBuf,
    /// The size limit of the write-ahead log, in bytes. A reload does not change it.
    pub(super) wal_limit: u64,
}

impl DatabaseFiles {
    fn new(settings: &Settings) -> Self {
        let StoreUrl::Sqlite(path) = &settings.store.url;
        // The target of a symbolic link, because the log is beside that.
        let database = path.canonicalize().unwrap_or_else(|_| path.clone());
        let [wal, exports] = ["-wal", "-exports"].map(|ending| {
            let mut beside = database.clone().into_os_string();
            beside.push(ending);
            PathBuf::from(beside)
        });
        Self { database, wal, exports, wal_limit: settings.store.wal_limit }
    }
}

impl HttpState {
    /// Prepares the credentials of the settings, so that no request has to.
    pub fn new(
        settings: &Settings,
        queue: Queue,
        readers: Readers<DirectoryReader>,
        commits: CommitNotifier,
        (presence, damaged_tables): (Presence, DamagedTables),
        admission: Admission,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            settings: settings.clone(),
            apps: Apps::new(&settings.apps, &settings.account_keys),
            secrets: Secrets::new(&settings.apps),
            audit: AuditLog::new(queue.clone()),
            queue,
            readers,
            commits,
            feed_throttle: Arc::default(),
            app_activity: Arc::new(AppActivity::new(silence_limits(settings))),
            metric_counts: MetricCounts::new(settings.apps.iter().map(|app| app.id.as_str().into())),
            presence,
            damaged_tables,
            files: DatabaseFiles::new(settings),
            metrics,
            bodies: Budget::new(settings.limits.bodies_in_flight),
            rates: RateLimits::new(&settings.limits),
            hosts: Hosts::new(settings),
            admission,
            inits: inits(settings),
            control: None,
            examinations: Examinations::default(),
            backups: KnownBackups::default(),
            job_begun: Arc::default(),
            draining: watch::Sender::new(false),
        }
    }

    /// The same with the means to read its settings again.
    pub fn controlled_by(self, control: ServiceControl) -> Self {
        Self { control: Some(control), ..self }
    }

    /// The limits of a body of at most this many bytes.
    pub(super) fn body_limits(&self, bytes: usize) -> BodyLimits {
        BodyLimits { bytes, time: self.settings.server.body_timeout }
    }

    /// Restores the time of each app's last webhook before this start.
    pub async fn restore_app_activity(&self) {
        let apps: Vec<AppId> = self.app_activity.statuses().into_iter().map(|told| told.app).collect();
        let find = move |reader: &mut DirectoryReader| reader.find_last_webhooks(&apps);
        match reads::LAST_WEBHOOKS.run_beside(&self.readers, find).await {
            Ok(heard) => heard.iter().for_each(|(app, at)| self.app_activity.record_webhook(app, *at)),
            Err(error) => {
                tracing::warn!("it is not known when the apps were last heard: {}", error.description);
            }
        }
    }

    /// Reads the key file of the database, or makes it if it is missing.
    ///
    /// # Errors
    /// It cannot be read or made, or other users can read it.
    pub fn read_key(&self) -> Result<Key, KeyFileError> {
        read_or_make_key(&self.files.database)
    }

    /// Ends sessions that are over, and stores what has changed of the others.
    pub async fn watch_sessions(&self) {
        loop {
            sleep(SESSIONS_CHECKED).await;
            self.admission.sweep(now_ms());
            if let Err(refusal) = self.store_sessions(Vec::new()).await {
                tracing::warn!("the sessions could not be stored, and are tried again: {refusal}");
            }
        }
    }

    /// Stores what has changed of the sessions, with the entries of the audit log that tell it.
    pub(super) async fn store_sessions(&self, told: Vec<AuditEntry>) -> Result<(), SubmitError> {
        let changes = self.admission.unwritten();
        if changes.is_empty() && told.is_empty() {
            return Ok(());
        }
        let stored = self.queue.store_sessions(changes.clone(), told).await;
        stored.inspect_err(|_| self.admission.put_back(changes))
    }

    /// The same with the credentials and limits of other settings, and with the key that the key file has now. Active requests
    /// finish with the old ones; both share the queue, the readers and the memory budget.
    pub fn with(&self, settings: &Settings, key: Key) -> Self {
        Self {
            settings: settings.clone(),
            apps: Apps::new(&settings.apps, &settings.account_keys),
            secrets: Secrets::new(&settings.apps),
            queue: self.queue.clone(),
            audit: self.audit.clone(),
            readers: self.readers.clone(),
            commits: self.commits.clone(),
            feed_throttle: self.feed_throttle.clone(),
            app_activity: Arc::new(self.app_activity.with_settings(silence_limits(settings))),
            metric_counts: self.metric_counts.of(settings.apps.iter().map(|app| app.id.as_str().into())),
            presence: self.presence.clone(),
            damaged_tables: self.damaged_tables.clone(),
            files: self.files.clone(),
            metrics: self.metrics.clone(),
            bodies: self.bodies.resized(settings.limits.bodies_in_flight),
            rates: self.rates.with_settings(&self.settings.limits, &settings.limits),
            hosts: self.hosts.with_settings(settings),
            admission: self.admission.with(&settings.console, key, now_ms()),
            inits: inits(settings),
            control: self.control.clone(),
            examinations: self.examinations.clone(),
            backups: self.backups.clone(),
            job_begun: self.job_begun.clone(),
            draining: self.draining.clone(),
        }
    }

    /// The same for the calls of operators: whatever they read, they read with the thread of operators.
    pub(super) fn for_operators(&self) -> Self {
        let readers = self.readers.only(ReadClass::Console);
        Self {
            readers,
            app_activity: self.app_activity.clone(),
            ..self.with(&self.settings, self.admission.key())
        }
    }
}

fn silence_limits(settings: &Settings) -> impl Iterator<Item = (AppId, Option<Duration>)> {
    settings.apps.iter().map(|app| (app.id.as_str().into(), app.silent_after))
}

fn inits(settings: &Settings) -> HashMap<AppId, Box<RawValue>> {
    settings.apps.iter().map(|app| (app.id.as_str().into(), init_app(app))).collect()
}

/// The app in the answer to init: the members that Smooch's clients read.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InitApp<'a> {
    #[serde(rename = "_id")]
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_token: Option<&'a str>,
    name: &'a str,
    has_icon: bool,
    apn_enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    gcm_project: Option<&'a str>,
    settings: Box<RawValue>,
    integrations: [(); 0],
}

fn init_app(app: &AppSettings) -> Box<RawValue> {
    let app = InitApp {
        id: &app.id,
        app_token: app.app_token.as_ref().map(|token| token.expose()),
        name: &app.name,
        has_icon: app.has_icon,
        apn_enabled: app.apn_enabled,
        gcm_project: app.gcm_project.as_deref(),
        settings: raw(r#"{"web":{"channels":{}}}"#),
        integrations: [],
    };
    raw(to_json(&app))
}
