//! Levels that are looked up when the metrics are read.

/// The present levels.
#[derive(Clone, Debug, Default)]
pub struct Levels {
    /// Deliveries that wait for the worker.
    pub queue_jobs: usize,
    /// Bytes of their bodies.
    pub queue_bytes: usize,
    /// Deliveries that may wait at most.
    pub queue_capacity: usize,
    /// Bytes of bodies that are being received.
    pub bodies_bytes: usize,
    /// Bytes of the database.
    pub database_bytes: u64,
    /// Bytes of its write-ahead log.
    pub wal_bytes: u64,
    /// Bytes that the write-ahead log may have.
    pub wal_limit: u64,
    /// App users that a list shows; `None` until they were counted.
    pub users: Option<u64>,
    /// Bodies in quarantine, and their bytes; `None` until they were counted.
    pub quarantined: Option<(u64, u64)>,
    /// Every app of the settings.
    pub apps: Vec<AppLevel>,
    /// Every class of reads.
    pub reads: Vec<ReadLevel>,
    /// By derived table: rows that are missing while it is rebuilt.
    pub remaking: Vec<(&'static str, u64)>,
}

/// The readers of a class.
#[derive(Clone, Debug)]
pub struct ReadLevel {
    /// The class.
    pub class: &'static str,
    /// Reads in progress.
    pub running: u64,
    /// Reads that wait for a thread.
    pub waiting: u64,
    /// By outcome: reads that ended since the start.
    pub ended: [(&'static str, u64); 4],
}

/// An app.
#[derive(Clone, Debug)]
pub struct AppLevel {
    /// Its `_id`.
    pub app: String,
    /// The time when its last webhook was stored, in ms since 1970.
    pub last_event: Option<i64>,
    /// No webhook has arrived for longer than `silent_after`.
    pub silent: bool,
    /// The oldest change in the feed, and the newest.
    pub feed: Option<(u64, u64)>,
}
