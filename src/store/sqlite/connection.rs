//! How a connection to a database is opened and set up.

use std::path::PathBuf;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

/// Versions before this one can corrupt a WAL that two connections checkpoint at once.
pub(super) const OLDEST_SQLITE: i32 = 3_051_003;

/// How long the worker waits for a lock that somebody else has on the file.
pub(super) const WORKER_WAITS: Duration = Duration::from_secs(3);

/// How a file is opened and kept.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The database file; made if it is not there.
    pub path: PathBuf,
    /// Size of the WAL, in bytes, from which a checkpoint starts.
    pub wal_checkpoint: u64,
    /// Size of the WAL, in bytes, beyond which the worker waits for a checkpoint.
    pub wal_limit: u64,
    /// The most bodies in quarantine.
    pub quarantine_rows: u64,
    /// The most bytes of bodies in quarantine.
    pub quarantine_bytes: u64,
}

/// Only a store that trusts itself checkpoints, and it does so before it closes.
pub(super) fn keep_log_on_close(conn: &Connection) -> rusqlite::Result<()> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map(drop)
}

/// Settings of every connection.
pub(super) fn configure(conn: &Connection) -> rusqlite::Result<()> {
    conn.set_prepared_statement_cache_capacity(64);
    keep_log_on_close(conn)?;
    conn.execute_batch(
        "PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;
         PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384;",
    )
}
