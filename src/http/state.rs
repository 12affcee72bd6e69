//! The state shared by all handlers.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::value::RawValue;
use tokio::sync::watch;

use super::auth::Apps;
use super::body::Budget;
use super::cors::AllowedOrigins;
use super::feed::state::FeedState;
use super::host::Hosts;
use super::init_app::init_app;
use super::metric_counts::MetricCounts;
use super::rate_limits::RateLimits;
use super::reads;
use super::signature::Secrets;
use crate::config::{Settings, StoreUrl};
use crate::directory::DirectoryReader;
use crate::domain::AppId;
use crate::ingest::app_activity::AppActivity;
use crate::ingest::commit_notifier::CommitNotifier;
use crate::ingest::queue::Queue;
use crate::metrics::Metrics;
use crate::store::readers::Readers;
use crate::store::sqlite::{DamagedTables, Presence};

/// The state as axum hands it to a handler.
pub(super) type State = axum::extract::State<Arc<HttpState>>;

/// The state shared by all handlers.
pub struct HttpState {
    pub(super) apps: Apps,
    pub(super) secrets: Secrets,
    pub(super) queue: Queue,
    pub(super) readers: Readers<DirectoryReader>,
    pub(super) commits: CommitNotifier,
    pub(super) feed: FeedState,
    /// The last webhook of each app.
    pub app_activity: AppActivity,
    pub(super) metric_counts: MetricCounts,
    pub(super) presence: Presence,
    pub(super) damaged_tables: DamagedTables,
    pub(super) files: DatabaseFiles,
    pub(super) metrics: Arc<Metrics>,
    pub(super) limits: RequestLimits,
    pub(super) bodies: Budget,
    pub(super) rates: RateLimits,
    pub(super) origins: AllowedOrigins,
    pub(super) hosts: Hosts,
    /// The app member of init's answer for each app, as JSON.
    pub(super) inits: HashMap<AppId, Box<RawValue>>,
    /// True once the service stops.
    pub draining: watch::Sender<bool>,
}

/// The files of the database.
#[derive(Clone)]
pub(super) struct DatabaseFiles {
    pub(super) database: PathBuf,
    pub(super) wal: PathBuf,
    /// The size limit of the write-ahead log, in bytes.
    pub(super) wal_limit: u64,
    /// The backup directory.
    pub(super) backups: Option<PathBuf>,
}

impl DatabaseFiles {
    fn new(settings: &Settings) -> Self {
        let StoreUrl::Sqlite(path) = &settings.store.url;
        // The target of a symbolic link, because the log is beside that.
        let database = path.canonicalize().unwrap_or_else(|_| path.clone());
        let mut wal = database.clone().into_os_string();
        wal.push("-wal");
        let (wal_limit, backups) = (settings.store.wal_limit, settings.backup.folder.clone());
        Self { database, wal: wal.into(), wal_limit, backups }
    }
}

/// The limits of a request.
pub(super) struct RequestLimits {
    pub(super) webhook_body: usize,
    pub(super) rest_body: usize,
    pub(super) body_timeout: Duration,
    pub(super) json_depth: usize,
    pub(super) webhook_events: usize,
    pub(super) history_events: usize,
    pub(super) signature_tolerance: Duration,
    pub(super) future_tolerance: Duration,
}

impl HttpState {
    /// Prepares the credentials of the settings, so that no request has to.
    pub fn new(
        settings: &Settings,
        queue: Queue,
        readers: Readers<DirectoryReader>,
        commits: CommitNotifier,
        presence: Presence,
        damaged_tables: DamagedTables,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            apps: Apps::new(&settings.apps, &settings.account_keys),
            secrets: Secrets::new(&settings.apps),
            queue,
            readers,
            commits,
            feed: FeedState::new(&settings.feed),
            app_activity: AppActivity::new(silence_limits(settings)),
            metric_counts: MetricCounts::new(settings.apps.iter().map(|app| app.id.as_str().into())),
            presence,
            damaged_tables,
            files: DatabaseFiles::new(settings),
            metrics,
            limits: RequestLimits::from(settings),
            bodies: Budget::new(settings.limits.bodies_in_flight),
            rates: RateLimits::new(settings.limits.requests_per_second, settings.limits.request_burst),
            origins: AllowedOrigins::new(&settings.server.cors_origins),
            hosts: Hosts::new(&settings.server),
            inits: inits(settings),
            draining: watch::Sender::new(false),
        }
    }

    /// Restores the time of each app's last webhook before this start.
    pub async fn restore_app_activity(&self) {
        let apps: Vec<AppId> = self.app_activity.statuses().into_iter().map(|told| told.app).collect();
        match reads::LAST_WEBHOOKS
            .run_beside(&self.readers, move |reader| reader.find_last_webhooks(&apps))
            .await
        {
            Ok(heard) => heard.iter().for_each(|(app, at)| self.app_activity.record_webhook(app, *at)),
            Err(error) => {
                let why = error.description();
                tracing::warn!("it is not known when the apps were last heard: {why}");
            }
        }
    }

    /// The same with the credentials and limits of other settings. Active requests finish with the old
    /// ones; both share the queue, the readers and the memory budget.
    pub fn with(&self, settings: &Settings) -> Self {
        let limits = &settings.limits;
        Self {
            apps: Apps::new(&settings.apps, &settings.account_keys),
            secrets: Secrets::new(&settings.apps),
            queue: self.queue.clone(),
            readers: self.readers.clone(),
            commits: self.commits.clone(),
            feed: self.feed.with_settings(&settings.feed),
            app_activity: self.app_activity.with_settings(silence_limits(settings)),
            metric_counts: self.metric_counts.of(settings.apps.iter().map(|app| app.id.as_str().into())),
            presence: self.presence.clone(),
            damaged_tables: self.damaged_tables.clone(),
            files: DatabaseFiles { backups: settings.backup.folder.clone(), ..self.files.clone() },
            metrics: self.metrics.clone(),
            limits: RequestLimits::from(settings),
            bodies: self.bodies.resized(limits.bodies_in_flight),
            rates: self.rates.with_limits(limits.requests_per_second, limits.request_burst),
            origins: AllowedOrigins::new(&settings.server.cors_origins),
            hosts: self.hosts.with_settings(&settings.server),
            inits: inits(settings),
            draining: self.draining.clone(),
        }
    }
}

impl From<&Settings> for RequestLimits {
    fn from(settings: &Settings) -> Self {
        Self {
            webhook_body: settings.limits.webhook_body,
            rest_body: settings.limits.rest_body,
            body_timeout: settings.server.body_timeout,
            json_depth: settings.limits.json_depth,
            webhook_events: settings.limits.webhook_events,
            history_events: settings.limits.history_events,
            signature_tolerance: settings.ingest.signature_tolerance,
            future_tolerance: settings.ingest.future_tolerance,
        }
    }
}

/// The silence limit of each app.
fn silence_limits(settings: &Settings) -> impl Iterator<Item = (AppId, Option<Duration>)> {
    settings.apps.iter().map(|app| (app.id.as_str().into(), app.silent_after))
}

fn inits(settings: &Settings) -> HashMap<AppId, Box<RawValue>> {
    settings.apps.iter().map(|app| (app.id.as_str().into(), init_app(app))).collect()
}
