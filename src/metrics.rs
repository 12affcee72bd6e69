//! Counters, histograms and gauges, as OpenMetrics. Labels never carry anything about a user.

mod process;
mod table;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

use prometheus_client::encoding::EncodeLabelValue;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::clock::now_seconds;
use process::Process;
use table::metrics_table;

/// Buckets of a time in s: from a commit of a fast disk to the 20 s that Smooch waits at the longest.
const SECONDS: [f64; 16] =
    [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0];

/// For how long, in s, a batch that was not stored makes the service not ready.
const TROUBLE_COUNTS: i64 = 10;

/// Log lines of this process that could not be written.
pub static LOG_LINES_LOST: LazyLock<Counter> = LazyLock::new(Counter::default);

type Label<V> = [(&'static str, V); 1];
/// One of a few fixed values.
type FixedLabel = Label<&'static str>;
type WebhookLabel = Label<WebhookOutcome>;
type AppLabel = Label<String>;
/// A request to the REST interface: the route, never the path, and the status of the answer.
type RouteLabels = (Label<String>, Label<u16>);
/// A class of reads, and how they ended.
type ReadLabels = (FixedLabel, FixedLabel);

/// A gauge that is absent until its level is known.
type OptionalGauge = Family<Vec<(String, String)>, Gauge>;

metrics_table! {
    /// All metrics of a process. Their names begin with `rollcall_`.
    pub struct Metrics {
        registry: Registry,
        process: Process,
        // The time of the last failed batch, in s since 1970; 0 after a successful one.
        failed: AtomicI64,
        // The time of the last logged refusal of each reason, in s since 1970.
        refusals_logged: Mutex<BTreeMap<&'static str, i64>>,
    }
    received: Family<WebhookLabel, Counter>, "webhook_requests", "Webhook requests by outcome";
    rejected: Family<FixedLabel, Counter>, "webhook_rejected", "Webhook requests not accepted, by reason";
    pub receive_seconds: Histogram = Histogram::new(SECONDS), "webhook_request_duration_seconds",
        "From the last byte of the body to the answer";
    answered: Family<RouteLabels, Counter>, "http_requests", "Requests to the REST interface";
    turned_away: Family<FixedLabel, Counter>, "http_turned_away",
        "Requests and connections refused before routing, by reason";
    operators_refused: Family<FixedLabel, Counter>, "admin_refused",
        "Requests to the admin listener that its door refused, by reason";
    events: Family<FixedLabel, Counter>, "events", "Events by outcome";
    pub batch_jobs: Histogram = Histogram::new(exponential_buckets(1.0, 2.0, 12)), "batch_jobs",
        "Deliveries committed together";
    pub commit_seconds: Histogram = Histogram::new(SECONDS), "store_commit_duration_seconds", "Commits";
    pub upkeep_seconds: Histogram = Histogram::new(SECONDS), "store_upkeep_duration_seconds",
        "Maintenance steps between two batches";
    pub connections: Gauge, "connections", "Open connections to the public listener";
    pub feed_readers: Gauge, "feed_readers", "Followers of the change feed: streams, and polls that wait";
    pub export_pages: Counter, "export_pages", "Pages read for lists that are streamed";
    pub repeated_keys: Counter, "repeated_keys", "Keys given more than once in one JSON object";
    pub created: Counter, "app_users_created", "App users seen for the first time";
    pub merged: Counter, "merges", "App users that became part of another";
    pub removed: Counter, "app_users_removed", "App users that Smooch deleted";
    pub erased: Counter, "ids_erased", "_ids that were erased";
    pub id_conflicts: Counter, "id_conflicts", "Events with the id of another event and another content";
    pub identity_conflicts: Counter, "identity_conflicts", "userIds that another _id carries too";
    pub quarantine_dropped: Counter, "quarantine_dropped", "Bodies dropped to bound the quarantine";
    backups: Family<FixedLabel, Counter>, "backups", "Backups by outcome, of the schedule and of operators";
    pub to_relearn: Gauge, "journal_entries_to_learn_again",
        "Journal entries still to be applied again by newer rules; 1 while the result is compared";
    backup_last_success: Gauge, "backup_last_success_timestamp_seconds",
        "When the newest backup in the folder of the settings was made, since 1970; 0 if there is none";
    reloads: Family<FixedLabel, Counter>, "reloads", "Reloads of the settings by outcome";
    log_lines_lost: Counter = LOG_LINES_LOST.clone(), "log_lines_lost", "Log lines that could not be written";
    pub queue_jobs: Gauge, "queue_depth", "Deliveries waiting for the worker";
    pub queue_bytes: Gauge, "queue_bytes", "Bytes of bodies waiting for the worker";
    pub queue_capacity: Gauge, "queue_capacity", "The most deliveries that may wait";
    pub bodies_bytes: Gauge, "bodies_bytes", "Bytes of bodies being received";
    pub database_bytes: Gauge, "store_size_bytes", "Bytes of the database";
    pub wal_bytes: Gauge, "wal_size_bytes", "Bytes of the write-ahead log";
    pub wal_limit: Gauge, "wal_limit_bytes", "The most bytes that the write-ahead log may have";
    users: OptionalGauge, "users", "App users that a list shows";
    quarantine_bodies: OptionalGauge, "quarantine_bodies", "Bodies in quarantine";
    quarantine_bytes: OptionalGauge, "quarantine_bytes", "Bytes of bodies in quarantine";
    last_event: Family<AppLabel, Gauge>, "last_event_timestamp_seconds",
        "When the last webhook of the app was stored, since 1970";
    silent: Family<AppLabel, Gauge>, "app_silent",
        "1 while no webhook has arrived for longer than silent_after";
    feed_oldest: Family<AppLabel, Gauge>, "feed_oldest_sequence", "The oldest stored change of the app";
    feed_last: Family<AppLabel, Gauge>, "feed_last_sequence", "The newest change of the app";
    remaking: Family<FixedLabel, Gauge>, "derived_rows_missing",
        "Rows missing in a derived table while it is rebuilt";
    reads_running: Family<FixedLabel, Gauge>, "reads_running", "Reads in progress, by class";
    reads_waiting: Family<FixedLabel, Gauge>, "reads_waiting", "Reads that wait for a thread, by class";
    reads: Family<ReadLabels, Counter>, "reads",
        "Reads by class and outcome: answered, refused, timed_out or hung_up";
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self::unregistered();
        metrics.start_at_zero();
        let mut registry = Registry::default();
        metrics.process.register(&mut registry);
        let own = registry.sub_registry_with_prefix("rollcall");
        metrics.register(own);
        own.register("build", "The running version", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        metrics.registry = registry;
        metrics
    }
}

impl Metrics {
    /// Creates the fixed label sets at zero, so that their first increment shows as one.
    fn start_at_zero(&self) {
        for outcome in WebhookOutcome::ALL {
            drop(self.received.get_or_create(&[("outcome", outcome)]));
        }
        for reason in ["wrong_path", "wrong_method", "wrong_app"] {
            drop(self.rejected.get_or_create(&[("reason", reason)]));
        }
        for reason in ["host", "page", "unauthorized", "forbidden", "too_many"] {
            drop(self.operators_refused.get_or_create(&[("reason", reason)]));
        }
        for outcome in ["learned", "kept", "repeated", "quarantined", "erased"] {
            drop(self.events.get_or_create(&[("outcome", outcome)]));
        }
        for outcome in ["applied", "refused"] {
            drop(self.reloads.get_or_create(&[("outcome", outcome)]));
        }
    }

    /// Counts a webhook that was accepted.
    pub fn accept(&self, outcome: WebhookOutcome) {
        self.received.get_or_create(&[("outcome", outcome)]).inc();
    }

    /// Counts a webhook that was not accepted.
    pub fn refuse(&self, outcome: WebhookOutcome, reason: &'static str) {
        self.received.get_or_create(&[("outcome", outcome)]).inc();
        self.rejected.get_or_create(&[("reason", reason)]).inc();
    }

    /// Counts a request to the REST interface.
    pub fn asked(&self, route: String, status: u16) {
        self.answered.get_or_create(&([("route", route)], [("status", status)])).inc();
    }

    /// Counts a request or a connection that was refused before routing.
    pub fn turn_away(&self, reason: &'static str) {
        self.turned_away.get_or_create(&[("reason", reason)]).inc();
    }

    /// Counts a request to the admin listener that was refused for its sender: `host`, `page`, `unauthorized`, `forbidden` or
    /// `too_many`.
    pub fn refuse_operator(&self, reason: &'static str) {
        self.operators_refused.get_or_create(&[("reason", reason)]).inc();
    }

    /// True if a refusal for this reason may be logged: once a second for each reason, so that a scanner can neither
    /// fill the log nor hide other lines.
    pub fn may_log_refusal(&self, reason: &'static str) -> bool {
        let now = now_seconds();
        let mut logged = self.refusals_logged.lock().unwrap_or_else(PoisonError::into_inner);
        logged.insert(reason, now) != Some(now)
    }

    /// Records that a batch was not stored.
    pub fn not_stored(&self) {
        self.failed.store(now_seconds(), Ordering::Release);
    }

    /// True if storing the last batch failed. Expires after a while, because only another attempt shows that storing
    /// works again.
    pub fn storing_fails(&self) -> bool {
        now_seconds() - self.failed.load(Ordering::Acquire) < TROUBLE_COUNTS
    }

    /// Records that a batch was stored.
    pub fn stored(&self) {
        self.failed.store(0, Ordering::Release);
    }

    /// Counts events by outcome: `learned`, `kept`, `repeated`, `quarantined` or `erased`.
    pub fn events(&self, outcome: &'static str, events: usize) {
        if events > 0 {
            self.events.get_or_create(&[("outcome", outcome)]).inc_by(events as u64);
        }
    }

    /// Counts a backup of the schedule or of an operator: `made` or `failed`.
    pub fn backup(&self, outcome: &'static str) {
        self.backups.get_or_create(&[("outcome", outcome)]).inc();
    }

    /// Counts a reload of the settings: `applied` or `refused`.
    pub fn reload(&self, outcome: &'static str) {
        self.reloads.get_or_create(&[("outcome", outcome)]).inc();
    }

    /// Records when the newest backup was made, in s since 1970.
    pub fn newest_backup(&self, at: i64) {
        self.backup_last_success.set(at);
    }

    /// Sets what was counted in the database: app users that a list shows, quarantined bodies, and their bytes.
    pub fn set_counts(&self, users: u64, quarantined: u64, quarantined_bytes: u64) {
        for (family, count) in [
            (&self.users, users),
            (&self.quarantine_bodies, quarantined),
            (&self.quarantine_bytes, quarantined_bytes),
        ] {
            family.get_or_create(&Vec::new()).set(count as i64);
        }
    }

    /// Sets the rows that are missing in a derived table while it is rebuilt.
    pub fn set_missing_rows(&self, table: &'static str, rows: u64) {
        self.remaking.get_or_create(&[("table", table)]).set(rows as i64);
    }

    /// Sets the reads of a class: in progress, waiting for a thread, and by outcome since the start.
    pub fn set_reads(
        &self,
        class: &'static str,
        running: u64,
        waiting: u64,
        ended: [(&'static str, u64); 4],
    ) {
        let label = [("class", class)];
        self.reads_running.get_or_create(&label).set(running as i64);
        self.reads_waiting.get_or_create(&label).set(waiting as i64);
        for (outcome, count) in ended {
            let ended = self.reads.get_or_create(&(label, [("outcome", outcome)]));
            ended.inner().store(count, Ordering::Relaxed);
        }
    }

    /// Sets the levels of an app: when its last webhook was stored, in ms since 1970; whether it is silent; its oldest
    /// and its newest stored change.
    pub fn set_app(&self, app: &str, last_event: Option<i64>, silent: bool, feed: Option<(u64, u64)>) {
        let label = [("app", app.to_owned())];
        if let Some(last) = last_event {
            self.last_event.get_or_create(&label).set(last.div_euclid(1000));
        }
        self.silent.get_or_create(&label).set(i64::from(silent));
        if let Some((oldest, last)) = feed {
            self.feed_oldest.get_or_create(&label).set(oldest as i64);
            self.feed_last.get_or_create(&label).set(last as i64);
        }
    }

    /// All metrics as OpenMetrics text.
    pub fn text(&self) -> String {
        self.process.refresh();
        let mut text = String::new();
        // Writing to a string does not fail.
        _ = encode(&mut text, &self.registry);
        text
    }
}

/// The result of a webhook request.
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
