//! What is looked up when the metrics are read.

use std::sync::atomic::Ordering;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// How high everything stands.
#[derive(Clone, Debug, Default)]
pub struct Levels {
    /// Deliveries waiting.
    pub queue_jobs: usize,
    /// Their bytes.
    pub queue_bytes: usize,
    /// The most that may wait.
    pub queue_capacity: usize,
    /// Bytes of bodies that are being received.
    pub bodies_bytes: usize,
    /// Bytes of the database.
    pub database_bytes: u64,
    /// Bytes of its write-ahead log.
    pub wal_bytes: u64,
    /// The most that the write-ahead log may have.
    pub wal_limit: u64,
    /// App users that a list shows; nothing as long as they were not counted.
    pub users: Option<u64>,
    /// Bodies in quarantine, and their bytes.
    pub quarantined: Option<(u64, u64)>,
    /// Every app of the settings.
    pub apps: Vec<AppLevel>,
    /// Every class of reads.
    pub reads: Vec<ReadLevel>,
    /// Rows that each derived table lacks while it is made anew.
    pub remaking: Vec<(&'static str, u64)>,
}

/// How the readers of a class stand.
#[derive(Clone, Debug)]
pub struct ReadLevel {
    /// Its name.
    pub class: &'static str,
    /// Reads that a thread is at.
    pub running: u64,
    /// Reads that wait for one.
    pub waiting: u64,
    /// How many ended in which way since the start.
    pub ended: [(&'static str, u64); 4],
}

/// A label that tells which class of reads.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReadClassLabel {
    class: &'static str,
}

/// Labels that tell which class of reads, and how they ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReadOutcomeLabels {
    class: &'static str,
    outcome: &'static str,
}

/// How an app stands.
#[derive(Clone, Debug)]
pub struct AppLevel {
    /// Its `_id`.
    pub app: String,
    /// When its last webhook was stored, in ms since 1970.
    pub last_event: Option<i64>,
    /// Nothing has come from it for too long.
    pub silent: bool,
    /// The oldest change that is kept, and the last one given.
    pub feed: Option<(u64, u64)>,
}

/// A label that tells which app.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AppLabel {
    app: String,
}

/// Labels of what has none: it is not there until it is known.
type OptionalGauge = Family<Vec<(String, String)>, Gauge>;
type ByApp = Family<AppLabel, Gauge>;

/// A label that tells which table.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TableLabel {
    table: &'static str,
}

#[derive(Default)]
pub(super) struct Gauges {
    queue_jobs: Gauge,
    queue_bytes: Gauge,
    queue_capacity: Gauge,
    bodies_bytes: Gauge,
    database_bytes: Gauge,
    wal_bytes: Gauge,
    wal_limit: Gauge,
    users: OptionalGauge,
    quarantine_bodies: OptionalGauge,
    quarantine_bytes: OptionalGauge,
    last_event: ByApp,
    silent: ByApp,
    feed_oldest: ByApp,
    feed_last: ByApp,
    reads_running: Family<ReadClassLabel, Gauge>,
    reads_waiting: Family<ReadClassLabel, Gauge>,
    reads: Family<ReadOutcomeLabels, Counter>,
    remaking: Family<TableLabel, Gauge>,
}

impl Gauges {
    pub(super) fn register(&self, r: &mut Registry) {
        r.register("queue_depth", "Deliveries waiting for the worker", self.queue_jobs.clone());
        r.register("queue_bytes", "Bytes of bodies waiting for the worker", self.queue_bytes.clone());
        r.register("queue_capacity", "The most deliveries that may wait", self.queue_capacity.clone());
        r.register("bodies_bytes", "Bytes of bodies being received", self.bodies_bytes.clone());
        r.register("store_size_bytes", "Bytes of the database", self.database_bytes.clone());
        r.register("wal_size_bytes", "Bytes of the write-ahead log", self.wal_bytes.clone());
        r.register("wal_limit_bytes", "The most that the write-ahead log may have", self.wal_limit.clone());
        r.register("users", "App users that a list shows", self.users.clone());
        r.register("quarantine_bodies", "Bodies in quarantine", self.quarantine_bodies.clone());
        r.register("quarantine_bytes", "Bytes of bodies in quarantine", self.quarantine_bytes.clone());
        r.register(
            "last_event_timestamp_seconds",
            "When the last webhook of the app was stored, since 1970",
            self.last_event.clone(),
        );
        r.register(
            "app_silent",
            "1 while no webhook has come for longer than silent_after",
            self.silent.clone(),
        );
        r.register(
            "feed_oldest_sequence",
            "The oldest change of the app that is kept",
            self.feed_oldest.clone(),
        );
        r.register("feed_last_sequence", "The last change of the app", self.feed_last.clone());
        r.register(
            "derived_rows_missing",
            "Rows that a derived table lacks while it is made anew",
            self.remaking.clone(),
        );
        r.register("reads_running", "Reads that a thread is at, by class", self.reads_running.clone());
        r.register("reads_waiting", "Reads that wait for a thread, by class", self.reads_waiting.clone());
        r.register(
            "reads",
            "Reads by class and by how they ended: answered, refused, timed_out or hung_up",
            self.reads.clone(),
        );
    }

    pub(super) fn set(&self, levels: &Levels) {
        for (gauge, level) in [
            (&self.queue_jobs, levels.queue_jobs as u64),
            (&self.queue_bytes, levels.queue_bytes as u64),
            (&self.queue_capacity, levels.queue_capacity as u64),
            (&self.bodies_bytes, levels.bodies_bytes as u64),
            (&self.database_bytes, levels.database_bytes),
            (&self.wal_bytes, levels.wal_bytes),
            (&self.wal_limit, levels.wal_limit),
        ] {
            gauge.set(level as i64);
        }
        for level in &levels.reads {
            let class = ReadClassLabel { class: level.class };
            self.reads_running.get_or_create(&class).set(level.running as i64);
            self.reads_waiting.get_or_create(&class).set(level.waiting as i64);
            for (outcome, count) in level.ended {
                let ended = self.reads.get_or_create(&ReadOutcomeLabels { class: level.class, outcome });
                ended.inner().store(count, Ordering::Relaxed);
            }
        }
        for (table, rows) in &levels.remaking {
            self.remaking.get_or_create(&TableLabel { table }).set(*rows as i64);
        }
        let known = |family: &OptionalGauge, level: Option<u64>| {
            if let Some(level) = level {
                family.get_or_create(&Vec::new()).set(level as i64);
            }
        };
        known(&self.users, levels.users);
        known(&self.quarantine_bodies, levels.quarantined.map(|(bodies, _)| bodies));
        known(&self.quarantine_bytes, levels.quarantined.map(|(_, bytes)| bytes));
        for level in &levels.apps {
            let of = AppLabel { app: level.app.clone() };
            if let Some(last) = level.last_event {
                self.last_event.get_or_create(&of).set(last.div_euclid(1000));
            }
            self.silent.get_or_create(&of).set(i64::from(level.silent));
            if let Some((oldest, last)) = level.feed {
                self.feed_oldest.get_or_create(&of).set(oldest as i64);
                self.feed_last.get_or_create(&of).set(last as i64);
            }
        }
    }
}
