//! A quick look at a database, for `rollcall doctor`.

use std::path::Path;

use crate::domain::AppId;
use crate::store::sqlite::connection::OLDEST_SQLITE;
use crate::store::sqlite::derived;
use crate::store::sqlite::file_errors::CopyError;
use crate::store::sqlite::files::names::verify_marker_path;
use crate::store::sqlite::schema::newest_schema;
use crate::store::sqlite::snapshot_conn::FileTask;
use crate::store::sqlite::snapshot_conn::SnapshotConn;
use crate::store::tables::{ChangeTime, Feed};
use crate::store::{Error, ReadRow as _};
use rusqlite::Connection;

/// Newest journal entries that are read for the last event of each app.
const RECENT: i64 = 1_000_000;
/// Newest journal entries that are read to compare our clock with Smooch's.
const LATEST: i64 = 1000;

/// State of a database. Times are in ms since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Its schema, and the newest one that this program knows.
    pub schema: (i64, i64),
    /// A sync failed: the next start checks the file.
    pub doubted: bool,
    /// Litestream replicates it.
    pub litestream: bool,
    /// When each app's last event was received, for apps with recent events.
    pub last: Vec<(AppId, i64)>,
    /// How much later than their receipt the latest events are dated by Smooch; usually negative.
    pub ahead: Option<i64>,
    /// The clock of our own API.
    pub clock: i64,
    /// Quarantined bodies, and when the newest was received.
    pub quarantined: (u64, i64),
    /// The last change of each app, and the oldest in the feed.
    pub feeds: Vec<(AppId, u64, u64)>,
    /// When the oldest incomplete erasure was requested.
    pub erasing: Option<i64>,
}

/// Reads the state of a database, also while a service writes it.
///
/// # Errors
/// The database is missing, damaged, newer than this program, not rollcall's, or unreadable.
pub fn health(path: &Path, task: &FileTask<'_>) -> Result<Health, CopyError> {
    let file = SnapshotConn::open(path, task)?;
    let sql = CopyError::sql(path);
    let (schema, known) = (file.schema, newest_schema());
    let litestream = "SELECT count(*) FROM sqlite_schema WHERE name = '_litestream_seq'";
    let last = format!(
        "SELECT app, max(received) FROM (SELECT app, received, source FROM journal ORDER BY seq DESC LIMIT {RECENT})
             WHERE source <> 'api' GROUP BY app"
    );
    let ahead = format!(
        "SELECT max(event_time / 1000 - received) FROM (SELECT event_time, received FROM journal
             WHERE source = 'webhook' ORDER BY seq DESC LIMIT {LATEST})"
    );
    let is_known = schema == known;
    if is_known {
        derived::check_source_tables(&file.conn).map_err(CopyError::store(path))?;
    }
    let mut select = file.conn.prepare(&last).map_err(&sql)?;
    let apps = select.query_map([], |row| Ok((AppId::from(row.get_ref(0)?.as_str()?), row.get(1)?)));
    Ok(Health {
        schema: (schema, known),
        doubted: verify_marker_path(path).exists(),
        litestream: file.query_number(litestream)? > 0,
        last: apps.map_err(&sql)?.collect::<rusqlite::Result<_>>().map_err(&sql)?,
        ahead: file.conn.query_row(&ahead, [], |row| row.get(0)).map_err(&sql)?,
        clock: unless_damaged(file.query_number("SELECT coalesce(max(time), 0) / 1000 FROM clock"))?,
        quarantined: (
            file.query_number("SELECT count(*) FROM quarantine")? as u64,
            file.query_number("SELECT coalesce(max(received), 0) FROM quarantine")?,
        ),
        feeds: if is_known {
            unless_damaged(feeds(&file.conn).map_err(CopyError::store(path)))?
        } else {
            Vec::new()
        },
        erasing: if is_known { unless_damaged(erasing(&file.conn).map_err(&sql))? } else { None },
    })
}

/// A damaged derived table is reported by [`crate::store::sqlite::derived_faults`], not here.
fn unless_damaged<T: Default>(found: Result<T, CopyError>) -> Result<T, CopyError> {
    match found {
        Err(CopyError::Derived { .. }) => Ok(T::default()),
        found => found,
    }
}

fn feeds(conn: &Connection) -> Result<Vec<(AppId, u64, u64)>, Error> {
    let range = |Feed { app, last }| {
        let oldest = ChangeTime::select().is("app", &app).first(conn)?;
        Ok((app, last, oldest.map_or(last + 1, |change| change.seq)))
    };
    Feed::select().read(conn)?.into_iter().map(range).collect()
}

fn erasing(conn: &Connection) -> rusqlite::Result<Option<i64>> {
    conn.query_row("SELECT min(time) FROM receipts WHERE done IS NULL", [], |row| row.get(0))
}

/// The version of the built-in SQLite, and whether it is new enough.
pub fn sqlite_version() -> (&'static str, bool) {
    (rusqlite::version(), rusqlite::version_number() >= OLDEST_SQLITE)
}
