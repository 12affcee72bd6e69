//! Options and settings of connections.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::FromSql;
use rusqlite::{Connection, OpenFlags, Params};

/// Older versions can corrupt a WAL that two connections checkpoint at once.
pub(super) const OLDEST_SQLITE: i32 = 3_051_003;

/// How long the worker waits for a lock of another process.
pub(super) const WORKER_WAITS: Duration = Duration::from_secs(3);

/// The cache of a connection, in KiB.
pub(super) const CACHE_KIB: i64 = 16 << 10;

/// Options of a store.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The database file. Created if it does not exist.
    pub path: PathBuf,
    /// Size of the WAL, in bytes, from which a checkpoint starts.
    pub wal_checkpoint: u64,
    /// Size of the WAL, in bytes, beyond which the worker waits for a checkpoint.
    pub wal_limit: u64,
}

/// Disables SQLite's checkpoint on close: the store checkpoints itself, and only if its files are in order.
pub(super) fn keep_log_on_close(conn: &Connection) -> rusqlite::Result<()> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map(drop)
}

pub(super) fn configure(conn: &Connection) -> rusqlite::Result<()> {
    conn.set_prepared_statement_cache_capacity(64);
    keep_log_on_close(conn)?;
    conn.execute_batch(
        "PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;
         PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY;",
    )?;
    conn.pragma_update(None, "cache_size", -CACHE_KIB)
}

pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    configure(&conn)?;
    Ok(conn)
}

/// Opens an existing database, to read it with a cache of so many KiB.
pub(super) fn connect_reader(path: &Path, cache: i64) -> rusqlite::Result<Connection> {
    let conn = connect(path)?;
    conn.pragma_update(None, "cache_size", -cache)?;
    conn.pragma_update(None, "query_only", true)?;
    Ok(conn)
}

pub(super) fn query_one<T: FromSql>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
) -> rusqlite::Result<T> {
    conn.prepare_cached(sql)?.query_row(params, |row| row.get(0))
}

/// Runs a statement. Returns the number of changed rows.
pub(super) fn execute(conn: &Connection, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
    conn.prepare_cached(sql)?.execute(params)
}
