//! Checks that a database is whole, and computes a checksum over its app users.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};
use sha2::{Digest as _, Sha256};

use crate::store::ReadRow as _;
use crate::store::rows::{ContentCounts, Rows};
use crate::store::sqlite::backup_checksum::{Checked, FORMAT, ShowUser, read_checksum};
use crate::store::sqlite::derived::Tell;
use crate::store::sqlite::file_errors::{CopyError, DerivedFault};
use crate::store::sqlite::schema::newest_schema;
use crate::store::sqlite::snapshot_conn::{FileTask, SnapshotConn, TaskStage};
use crate::store::sqlite::{Error, derived};
use crate::store::tables::{Horizon, UserKey};

const FAULTS: usize = 5;
const REPORT_INTERVAL: Duration = Duration::from_millis(200);
const PAGE: usize = 1000;

/// Calls `read` with one snapshot after another, also while a service writes the database. `read` returns the number of
/// rows read, or `None` to end. Not called for an older schema.
///
/// # Errors
/// The database cannot be read, or the WAL limit was reached.
pub fn read_in_snapshots(
    path: &Path,
    task: &mut FileTask<'_>,
    mut read: impl FnMut(&dyn Rows) -> Result<Option<u64>, Error>,
) -> Result<(), CopyError> {
    let file = SnapshotConn::open(path, task)?;
    let mut done = 0;
    while file.schema == newest_schema() {
        let moment = file.begin_snapshot()?;
        let rows = read(&*moment).map_err(|error| file.error_of(task, error))?;
        let Some(rows) = rows else { break };
        done += rows;
        (task.progress)(TaskStage::Comparing, done, 0);
        file.check_limits(task)?;
    }
    Ok(())
}

/// Compares every derived table of a database with its source, also while a service writes the database. Empty for
/// an older schema, whose migration remakes them.
///
/// # Errors
/// The database cannot be read, or the WAL limit was reached.
pub fn derived_faults(path: &Path, task: &mut FileTask<'_>) -> Result<Vec<DerivedFault>, CopyError> {
    let file = SnapshotConn::open(path, task)?;
    if file.schema != newest_schema() {
        return Ok(Vec::new());
    }
    let moment = file.begin_snapshot()?;
    let mut done = 0;
    let found = derived::find_faults(&moment, &mut |rows| {
        done += rows;
        (task.progress)(TaskStage::Comparing, done, 0);
        file.check_limits(task).map_err(|_| Error::Interrupted)
    });
    let found = found.map_err(|error| file.error_of(task, error))?;
    let whole = check_compacted(&moment, &mut |_| file.check_limits(task).map_err(|_| Error::Interrupted));
    match whole {
        // Already among the faults found.
        Err(Error::Derived { .. }) => {}
        whole => whole.map_err(|error| file.error_of(task, error))?,
    }
    Ok(found)
}

/// Reads all compacted records. Fails if one is unreadable, or if there are none though the journal was compacted.
fn check_compacted(conn: &Connection, tell: Tell<'_>) -> Result<(), Error> {
    let rows = derived::last_compacted_head(conn, tell).map_err(|error| match error {
        Error::Interrupted => error,
        error => Error::Damaged(error.to_string()),
    })?;
    let compacted = Horizon::only(conn)?.seq;
    if rows.is_none() && compacted > 0 {
        let what = format!("the table base is empty, though the journal was trimmed up to entry {compacted}");
        return Err(Error::Damaged(what));
    }
    Ok(())
}

/// Reads every page and every app user of a database, also while a service writes it, and compares a backup with
/// its checksum. Does not check derived tables: see [`derived_faults`].
///
/// # Errors
/// The file is damaged, not rollcall's or unreadable, or the WAL limit was reached.
pub fn check(path: &Path, show: ShowUser, task: &mut FileTask<'_>) -> Result<Checked, CopyError> {
    let damaged = |what: String| CopyError::Damaged(path.to_owned(), what);
    let stored = read_checksum(path, task)?;
    let file = SnapshotConn::open(path, task)?;
    let moment = file.begin_snapshot()?;
    let schema = file.schema;
    let known = newest_schema();
    let faults = page_faults_with_progress(&file, &moment, task)
        .map_err(|error| file.error_of(task, Error::from(error)))?;
    if !faults.is_empty() {
        return Err(damaged(faults.join("; ")));
    }
    let bytes = path.metadata().map_err(CopyError::io(path))?.len();
    let seq = file.query_number("SELECT coalesce(max(seq), 0) FROM journal")? as u64;
    let mut checked =
        Checked { seq, counts: ContentCounts::default(), checksum: None, schema, bytes, taken: None };
    if schema == known {
        derived::check_source_tables(&moment).map_err(|error| file.error_of(task, error))?;
        checked.counts = ContentCounts::read(&*moment).map_err(|error| file.error_of(task, error))?;
        checked.checksum = Some(checksum_users(&file, &moment, (checked.counts.users, show), task)?);
    }
    let Some(stored) = stored else { return Ok(checked) };
    checked.taken = Some(stored.taken);
    if let Some(checksum) = &checked.checksum
        && (stored.format, stored.schema) == (FORMAT, schema)
        && stored.checksum != *checksum
    {
        let shown = &stored.checksum;
        return Err(damaged(format!("its checksum is {checksum}, and was {shown} when it was made")));
    }
    if !stored.is_whole {
        return Err(damaged("its bytes are not those that were written".to_owned()));
    }
    Ok(checked)
}

/// As [`page_faults`], reporting progress meanwhile.
fn page_faults_with_progress(
    file: &SnapshotConn,
    moment: &Connection,
    task: &mut FileTask<'_>,
) -> rusqlite::Result<Vec<String>> {
    let (progress, steps, ended) = (&mut task.progress, file.steps.clone(), AtomicBool::new(false));
    thread::scope(|scope| {
        let reporter = scope.spawn(|| {
            while !ended.load(Ordering::Acquire) {
                progress(TaskStage::Checking, steps.load(Ordering::Relaxed), 0);
                thread::park_timeout(REPORT_INTERVAL);
            }
        });
        let faults = page_faults(moment);
        ended.store(true, Ordering::Release);
        reporter.thread().unpark();
        faults
    })
}

/// Faults of all pages, except those of derived tables.
fn page_faults(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    let check = |of: &str| -> rusqlite::Result<Vec<String>> {
        let mut check = conn.prepare(&format!("PRAGMA integrity_check({of})"))?;
        let lines = check.query_map([], |row| row.get::<_, String>(0))?;
        lines.collect()
    };
    let lines = match check(&FAULTS.to_string()) {
        // A damaged FTS5 index may end the check; then each other table is checked alone.
        Err(rusqlite::Error::SqliteFailure(failure, _)) if failure.code == ErrorCode::Unknown => {
            let sql =
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'";
            let mut select = conn.prepare(sql)?;
            let names = select.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
            let each = names.iter().map(|name| check(&format!("'{}'", name.replace('\'', "''"))));
            each.collect::<rusqlite::Result<Vec<_>>>()?.concat()
        }
        lines => lines?,
    };
    let lines = lines.into_iter().filter(|line| line != "ok" && !derived::is_about_derived(line));
    Ok(lines.take(FAULTS).collect())
}

fn checksum_users(
    file: &SnapshotConn,
    moment: &Connection,
    (users, show): (u64, ShowUser),
    task: &mut FileTask<'_>,
) -> Result<String, CopyError> {
    let (mut hash, mut done, mut last) = (Sha256::new(), 0, None);
    loop {
        let users_left = UserKey::select().is("listed", &true).after_last(last.as_ref()).limit(PAGE);
        let page = users_left.read(moment).map_err(|error| file.error_of(task, error))?;
        for UserKey { app, id, .. } in &page {
            let view = show(moment, app, id).map_err(|error| file.error_of(task, error))?;
            // Sorted maps of text: writing cannot fail, and equal views give equal bytes.
            let bytes = view.map(|view| postcard::to_stdvec(&(app.as_str(), view)).unwrap_or_default());
            let bytes = bytes.unwrap_or_default();
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        }
        done += page.len();
        (task.progress)(TaskStage::Summing, done as u64, users);
        file.check_limits(task)?;
        let Some(end) = page.into_iter().next_back() else { break };
        last = Some((end.app, end.id));
    }
    let hex = hash.finalize().iter().fold(String::new(), |mut hex, byte| {
        _ = write!(hex, "{byte:02x}");
        hex
    });
    Ok(hex)
}
