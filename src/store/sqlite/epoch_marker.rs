//! The epoch of the feeds' numbers, and the marker by which a replaced database is recognised.
//!
//! The epoch is in the database, so a copy of the file has it too. The lock file beside the database holds a
//! marker: the epoch, and how many changes the feeds had. A database with fewer changes or another epoch, or one
//! without a marker, comes from elsewhere. It may give the same numbers a second time, so it gets a new epoch. The
//! marker is ahead of its own database only if a process was killed between the two writes.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension};

use super::{Error, Result};
use crate::store::sqlite::backup_checksum;
use crate::store::{Epoch, FeedEpoch};

/// The first bytes of a marker.
const HEAD: &str = "rollcall feed epoch ";
/// What separates the epoch from the count.
const MIDDLE: &str = ", changes told ";
/// Digits of the count: a new count overwrites all of the old one.
const DIGITS: usize = 20;
/// The marker of a database that is about to be replaced.
const REPLACED: &[u8] = b"rollcall feed epoch void: the database was replaced\n";

/// The marker in the lock file of an open database.
pub(super) struct EpochMarker(Arc<ChangeCount>);

/// The count in a marker. A read that returns a change's number writes the count first. A commit does not: that
/// would cost a lone webhook 2 % more processor time.
#[derive(Debug)]
pub(crate) struct ChangeCount {
    file: File,
    /// The offset of the count in the file.
    at: u64,
    /// Changes in the feeds of all apps, including a commit in progress.
    changes: AtomicU64,
    written: Mutex<u64>,
}

impl ChangeCount {
    /// Writes the count if it has changed. A failed write only means that fewer replaced files are recognised,
    /// never that one is taken for replaced by mistake.
    pub(super) fn write(&self) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let changes = self.changes.load(Ordering::Acquire);
        if changes == *written {
            return;
        }
        match self.file.write_all_at(format!("{changes:0DIGITS$}").as_bytes(), self.at) {
            Ok(()) => *written = changes,
            Err(error) => tracing::debug!(%error, "cannot write the epoch marker: {error}"),
        }
    }
}

/// The content of a lock file.
#[derive(Debug, PartialEq)]
enum MarkerText {
    /// No marker: no program that writes markers has opened the database.
    Nothing,
    Marker(Epoch, u64),
    /// The database was replaced, or the marker is damaged.
    Void,
}

impl EpochMarker {
    /// Reads the marker, gives the database a new epoch if it has none or comes from elsewhere, and writes the
    /// marker. Removes the checksum of a backup.
    pub(super) fn open(conn: &Connection, lock: &File, path: &Path) -> Result<Self> {
        let is_backup = backup_checksum::remove_checksum(conn)?;
        let file = lock.try_clone().map_err(unavailable)?;
        let found = read_mark(&file).map_err(unavailable)?;
        let changes: i64 = conn.query_row("SELECT coalesce(sum(seq), 0) FROM feeds", [], |row| row.get(0))?;
        let changes = changes as u64;
        let is = find_epoch(conn)?;
        let is_same = match (is, &found) {
            (Some(is), MarkerText::Marker(epoch, marked)) => {
                is.epoch == *epoch && changes >= *marked && !is_backup
            }
            _ => false,
        };
        let epoch = match is.filter(|_| is_same) {
            Some(is) => is.epoch,
            None => {
                void_marker(&file).map_err(unavailable)?;
                if is.is_none() && found != MarkerText::Nothing {
                    tracing::warn!("the epoch of the feed is missing; creating a new one");
                }
                let is_first = is.is_none() && found == MarkerText::Nothing && !is_backup;
                let epoch = set_new_epoch(conn, is_first)?;
                tracing::info!(%epoch, path = %path.display(), "the change feed has a new epoch");
                epoch
            }
        };
        let head = format!("{HEAD}{epoch}{MIDDLE}");
        let text = format!("{head}{changes:0DIGITS$}\n");
        file.write_all_at(text.as_bytes(), 0)
            .and_then(|()| file.set_len(text.len() as u64))
            .map_err(unavailable)?;
        let (at, changes, written) = (head.len() as u64, AtomicU64::new(changes), Mutex::new(changes));
        Ok(Self(Arc::new(ChangeCount { file, at, changes, written })))
    }

    /// The count, for the thread that writes it.
    pub(super) fn count(&self) -> Arc<ChangeCount> {
        self.0.clone()
    }

    /// Counts changes before their commit, so that every change that a read finds is counted.
    pub(super) fn add(&self, changes: u64) {
        self.0.changes.fetch_add(changes, Ordering::AcqRel);
    }

    /// Subtracts changes that were not committed.
    pub(super) fn take_back(&self, changes: u64) {
        self.0.changes.fetch_sub(changes, Ordering::AcqRel);
    }
}

impl Drop for EpochMarker {
    fn drop(&mut self) {
        self.0.write();
    }
}

/// For a database with pages but no table: the changes that its feeds had by the marker. Not for a missing file,
/// which an operator removes to start an empty directory.
pub(super) fn changes_before_emptied(conn: &Connection, lock: &File) -> Result<Option<u64>> {
    let number = |sql| conn.query_row(sql, [], |row| row.get::<_, i64>(0));
    if number("PRAGMA page_count")? == 0 || number("SELECT count(*) FROM sqlite_schema")? > 0 {
        return Ok(None);
    }
    match read_mark(lock).map_err(unavailable)? {
        MarkerText::Marker(_, changes) if changes > 0 => Ok(Some(changes)),
        _ => Ok(None),
    }
}

/// Voids the marker of a database that is about to be replaced.
pub(super) fn void_marker(lock: &File) -> std::io::Result<()> {
    // Overwrites in place, so that it needs no room on a full disk.
    lock.write_all_at(REPLACED, 0)?;
    lock.set_len(REPLACED.len() as u64)?;
    lock.sync_all()
}

fn read_mark(file: &File) -> std::io::Result<MarkerText> {
    let mut bytes = [0; 256];
    let mut length = 0;
    loop {
        match file.read_at(&mut bytes[length..], length as u64)? {
            0 => break,
            read => length += read,
        }
    }
    let text = std::str::from_utf8(&bytes[..length]).unwrap_or("?");
    if text.is_empty() {
        return Ok(MarkerText::Nothing);
    }
    let mark =
        text.strip_prefix(HEAD).and_then(|rest| rest.split_once(MIDDLE)).and_then(|(epoch, changes)| {
            let changes = changes.strip_suffix('\n').filter(|changes| changes.len() == DIGITS)?;
            Some(MarkerText::Marker(epoch.parse().ok()?, changes.parse().ok()?))
        });
    Ok(mark.unwrap_or(MarkerText::Void))
}

/// The epoch in a database; `None` before it was first opened, or if it is unreadable.
pub(super) fn find_epoch(conn: &Connection) -> Result<Option<FeedEpoch>> {
    let mut select = conn.prepare_cached("SELECT epoch, is_first FROM epochs")?;
    let row = select.query_row([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)? != 0)));
    let row = row.optional()?;
    Ok(row.and_then(|(number, is_first)| Some(FeedEpoch { epoch: Epoch::of_number(number)?, is_first })))
}

pub(super) fn read_epoch(conn: &Connection) -> Result<FeedEpoch> {
    let lost = || Error::Derived { name: "counters", why: "the epoch of the feed is missing".to_owned() };
    find_epoch(conn)?.ok_or_else(lost)
}

fn set_new_epoch(conn: &Connection, is_first: bool) -> Result<Epoch> {
    let epoch = Epoch::random().map_err(|error| Error::Unavailable(error.to_string()))?;
    conn.execute(
        "INSERT INTO epochs (one, epoch, is_first) VALUES (1, ?1, ?2)
             ON CONFLICT (one) DO UPDATE SET epoch = excluded.epoch, is_first = excluded.is_first",
        (epoch.number(), is_first),
    )?;
    Ok(epoch)
}

fn unavailable(error: std::io::Error) -> Error {
    Error::Unavailable(format!("the lock file: {error}"))
}
