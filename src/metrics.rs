//! What can be counted. Labels never carry anything about a user.

mod levels;
mod process;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use levels::Gauges;
pub use levels::{AppLevel, Levels, ReadLevel};
use process::Process;

/// Where a time in s falls: from a commit of a fast disk to the 20 s that Smooch waits at the longest.
const SECONDS: [f64; 16] =
    [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0];

/// For how long, in s, a batch that was not stored makes the service not ready.
const TROUBLE_COUNTS: i64 = 10;

/// Log lines of this process that could not be written.
pub static LOG_LINES_LOST: LazyLock<Counter> = LazyLock::new(Counter::default);

/// Labels of a webhook request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct WebhookLabels {
    /// What became of it.
    pub outcome: WebhookOutcome,
}

/// What became of a webhook request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "the names are the label's values")]
pub enum WebhookOutcome {
    /// Something in it was new.
    stored,
    /// All of it was stored before.
    repeated,
    /// It was dropped, because it names an erased app user. Anything else in it was stored before.
    erased,
    /// It is in quarantine, whole or in part.
    quarantined,
    /// No or a wrong secret.
    unauthorized,
    /// Too large, too slow or compressed; or sent to another address than the target.
    refused,
    /// Not stored; the sender should try again.
    unavailable,
}

impl WebhookOutcome {
    const ALL: [Self; 7] = [
        Self::stored,
        Self::repeated,
        Self::erased,
        Self::quarantined,
        Self::unauthorized,
        Self::refused,
        Self::unavailable,
    ];
}

/// A label that tells why.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReasonLabel {
    /// One of a few fixed words.
    pub reason: &'static str,
}

/// A label that tells what was done with an event.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OutcomeLabel {
    /// `learned`, `kept`, `repeated`, `quarantined` or `erased`; of a backup `made` or
    /// `failed`; of a reload `applied` or `refused`.
    pub outcome: &'static str,
}

/// Labels of a request to the REST interface.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RouteLabels {
    /// The route, never the path.
    pub route: String,
    /// The status of the answer.
    pub status: u16,
}

/// All metrics of a process.
pub struct Metrics {
    registry: Registry,
    received: Family<WebhookLabels, Counter>,
    rejected: Family<ReasonLabel, Counter>,
    /// Webhook requests in seconds, from the last byte of the body to the answer.
    pub receive_seconds: Histogram,
    asked: Family<RouteLabels, Counter>,
    turned_away: Family<ReasonLabel, Counter>,
    /// Jobs in a batch.
    pub batch_jobs: Histogram,
    /// Commits in seconds.
    pub commit_seconds: Histogram,
    /// Steps in seconds in which something was let go between two batches.
    pub upkeep_seconds: Histogram,
    /// Open connections to the public listener.
    pub connections: Gauge,
    /// Followers of the change feed: streams, and polls that wait.
    pub feed_readers: Gauge,
    /// Pages read for lists that are streamed.
    pub export_pages: Counter,
    /// Keys given more than once in an object of a body.
    pub repeated_keys: Counter,
    events: Family<OutcomeLabel, Counter>,
    /// App users seen for the first time.
    pub created: Counter,
    /// App users that became part of another.
    pub merged: Counter,
    /// App users that Smooch deleted.
    pub removed: Counter,
    /// `_id`s that were erased.
    pub erased: Counter,
    /// Events whose id another event had, with another content.
    pub id_conflicts: Counter,
    /// `userId`s that another `_id` carries too.
    pub identity_conflicts: Counter,
    /// Bodies given up to bound the quarantine.
    pub quarantine_dropped: Counter,
    backups: Family<OutcomeLabel, Counter>,
    reloads: Family<OutcomeLabel, Counter>,
    backup_last_success: Gauge,
    /// Journal entries that are yet to be learned again by newer rules; 1 while what they came to is compared.
    pub to_relearn: Gauge,
    levels: Gauges,
    process: Process,
    /// When a batch was last not stored, in s since 1970; 0 once one was again.
    failed: AtomicI64,
    /// When a refusal was last logged, by its reason, in s since 1970.
    refusals_logged: Mutex<BTreeMap<&'static str, i64>>,
}

impl Default for Metrics {
    fn default() -> Self {
        let seconds = || Histogram::new(SECONDS);
        let mut metrics = Self {
            registry: Registry::default(),
            received: Family::default(),
            rejected: Family::default(),
            receive_seconds: seconds(),
            asked: Family::default(),
            turned_away: Family::default(),
            batch_jobs: Histogram::new(exponential_buckets(1.0, 2.0, 12)),
            commit_seconds: seconds(),
            upkeep_seconds: seconds(),
            connections: Gauge::default(),
            feed_readers: Gauge::default(),
            export_pages: Counter::default(),
            repeated_keys: Counter::default(),
            events: Family::default(),
            created: Counter::default(),
            merged: Counter::default(),
            removed: Counter::default(),
            erased: Counter::default(),
            id_conflicts: Counter::default(),
            identity_conflicts: Counter::default(),
            quarantine_dropped: Counter::default(),
            backups: Family::default(),
            reloads: Family::default(),
            backup_last_success: Gauge::default(),
            to_relearn: Gauge::default(),
            levels: Gauges::default(),
            process: Process::default(),
            failed: AtomicI64::new(0),
            refusals_logged: Mutex::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        // Those that are always there are there from the start, so that their first step is seen as one.
        for outcome in WebhookOutcome::ALL {
            drop(self.received.get_or_create(&WebhookLabels { outcome }));
        }
        for reason in ["wrong_path", "wrong_method", "wrong_app"] {
            drop(self.rejected.get_or_create(&ReasonLabel { reason }));
        }
        for outcome in ["learned", "kept", "repeated", "quarantined", "erased"] {
            drop(self.events.get_or_create(&OutcomeLabel { outcome }));
        }
        for outcome in ["applied", "refused"] {
            drop(self.reloads.get_or_create(&OutcomeLabel { outcome }));
        }
        self.process.register(&mut self.registry);
        let r = self.registry.sub_registry_with_prefix("rollcall");
        r.register("webhook_requests", "Webhook requests by what became of them", self.received.clone());
        r.register("webhook_rejected", "Webhook requests not accepted, by reason", self.rejected.clone());
        r.register(
            "webhook_request_duration_seconds",
            "From the body to the answer",
            self.receive_seconds.clone(),
        );
        r.register("http_requests", "Requests to the REST interface", self.asked.clone());
        r.register(
            "http_turned_away",
            "Requests and connections refused before a route was looked for, by reason",
            self.turned_away.clone(),
        );
        r.register("events", "Events by what was done with them", self.events.clone());
        r.register("batch_jobs", "Deliveries committed together", self.batch_jobs.clone());
        r.register("store_commit_duration_seconds", "Commits", self.commit_seconds.clone());
        r.register("store_upkeep_duration_seconds", "Steps of upkeep", self.upkeep_seconds.clone());
        r.register("connections", "Open connections to the public listener", self.connections.clone());
        r.register("feed_readers", "Followers of the change feed", self.feed_readers.clone());
        r.register("export_pages", "Pages read for lists that are streamed", self.export_pages.clone());
        r.register(
            "repeated_keys",
            "Keys given more than once in one JSON object",
            self.repeated_keys.clone(),
        );
        r.register("app_users_created", "App users seen for the first time", self.created.clone());
        r.register("merges", "App users that became part of another", self.merged.clone());
        r.register("app_users_removed", "App users that Smooch deleted", self.removed.clone());
        r.register("ids_erased", "_ids that were erased", self.erased.clone());
        r.register("id_conflicts", "Events whose id another event had", self.id_conflicts.clone());
        r.register(
            "identity_conflicts",
            "userIds that another _id carries too",
            self.identity_conflicts.clone(),
        );
        r.register(
            "quarantine_dropped",
            "Bodies given up to bound the quarantine",
            self.quarantine_dropped.clone(),
        );
        r.register("backups", "Backups by the clock, by what became of them", self.backups.clone());
        r.register(
            "journal_entries_to_learn_again",
            "Journal entries that are yet to be learned again by newer rules",
            self.to_relearn.clone(),
        );
        r.register(
            "backup_last_success_timestamp_seconds",
            "When the newest backup in the folder of the settings was made, since 1970; 0 if there is none",
            self.backup_last_success.clone(),
        );
        r.register("reloads", "Reloads of the settings, by what became of them", self.reloads.clone());
        r.register("log_lines_lost", "Log lines that could not be written", LOG_LINES_LOST.clone());
        self.levels.register(r);
        r.register("build", "What is running", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
    }

    /// Counts a webhook that was accepted.
    pub fn accept(&self, outcome: WebhookOutcome) {
        self.received.get_or_create(&WebhookLabels { outcome }).inc();
    }

    /// Counts a webhook that was not accepted.
    pub fn refuse(&self, outcome: WebhookOutcome, reason: &'static str) {
        self.received.get_or_create(&WebhookLabels { outcome }).inc();
        self.rejected.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// Counts a request to the REST interface.
    pub fn asked(&self, route: String, status: u16) {
        self.asked.get_or_create(&RouteLabels { route, status }).inc();
    }

    /// Counts a request or a connection that was refused before a route was looked for.
    pub fn turn_away(&self, reason: &'static str) {
        self.turned_away.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// Whether a refusal for this reason may be logged: once a second for each reason, or strangers could fill
    /// the log, and a scanner hide what matters.
    pub fn may_log_refusal(&self, reason: &'static str) -> bool {
        let now = jiff::Timestamp::now().as_second();
        let mut logged = self.refusals_logged.lock().unwrap_or_else(PoisonError::into_inner);
        logged.insert(reason, now) != Some(now)
    }

    /// Notes that a batch was not stored.
    pub fn not_stored(&self) {
        self.failed.store(jiff::Timestamp::now().as_second(), Ordering::Release);
    }

    /// Whether the last batch was not stored. Forgotten after a while, since somebody must try again
    /// for us to learn that storing works.
    pub fn storing_fails(&self) -> bool {
        jiff::Timestamp::now().as_second() - self.failed.load(Ordering::Acquire) < TROUBLE_COUNTS
    }

    /// Notes that a batch was stored.
    pub fn stored(&self) {
        self.failed.store(0, Ordering::Release);
    }

    /// Counts events by what was done with them: `learned`, `kept`, `repeated`, `quarantined` or `erased`.
    pub fn events(&self, outcome: &'static str, events: usize) {
        if events > 0 {
            self.events.get_or_create(&OutcomeLabel { outcome }).inc_by(events as u64);
        }
    }

    /// Counts a backup by the clock: `made` or `failed`.
    pub fn backup(&self, outcome: &'static str) {
        self.backups.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Counts a reload of the settings: `applied` or `refused`.
    pub fn reload(&self, outcome: &'static str) {
        self.reloads.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Notes when the newest backup was made, in s since 1970.
    pub fn newest_backup(&self, at: i64) {
        self.backup_last_success.set(at);
    }

    /// Everything, as OpenMetrics text.
    pub fn text(&self, levels: &Levels) -> String {
        self.levels.set(levels);
        self.process.look();
        let mut text = String::new();
        // Writing to a string does not fail.
        _ = encode(&mut text, &self.registry);
        text
    }
}
