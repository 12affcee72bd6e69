//! Backups: a whole, checked copy, put in place at once; and the way back.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::check::{Checked, check};
use super::copy::{CopyError, Work, copy};
use super::files::{Part, need, size, sync_folder};
use super::leftovers::{BEFORE, REPLACED, RESTORING};
use super::open::{check_log, holds_something};
use super::output::{Kind, Output, Refusal, resolve};
use super::{OpenError, epoch, lock, mark, one_name, seal, set_mark, with_suffix};
use crate::clock::now_ms;

/// Writes a backup of the database at `source`, which may be written meanwhile, to `to`. What is there
/// afterwards is whole and checked, or as it was.
///
/// # Errors
/// `to` is there already and is not to be overwritten; there is no room; either file is damaged or cannot be
/// used; `to` must not be written; too much is being written meanwhile; or it was stopped.
pub fn backup(source: &Path, to: &Path, overwrite: bool, work: &mut Work<'_>) -> Result<Checked, CopyError> {
    check_log(source)?;
    let output =
        Output::check(to, Kind::Backup, Some(source)).and_then(|output| Ok((output.exists()?, output)));
    let output = match output {
        Ok((true, _)) | Err(Refusal::Other { .. }) if !overwrite => {
            return Err(CopyError::Exists(to.to_owned()));
        }
        output => output?.1,
    };
    need(size(source)?, &output.path)?;
    let part = Part::new(output)?;
    let counts = copy(source, &part, work)?;
    let mut checked = check(&part.path, work)?;
    if checked.checksum.is_some() && checked.counts != counts {
        let what = format!("it has {:?} instead of {counts:?}", checked.counts);
        return Err(CopyError::Damaged { path: part.path.clone(), what });
    }
    let taken = now_ms();
    seal::set(&part.path, &checked, taken, work)?;
    checked.bytes = part.path.metadata().map_err(CopyError::io(&part.path))?.len();
    checked.taken = Some(taken);
    if overwrite {
        part.place()?;
    } else {
        part.place_new()?;
    }
    Ok(checked)
}

/// A database that was put in place of another, or of none.
#[derive(Debug)]
pub struct Restored {
    /// What is in it.
    pub checked: Checked,
    /// Where it is.
    pub path: PathBuf,
    /// Where the one it replaced is now.
    pub aside: Option<PathBuf>,
}

/// Puts a copy of a backup where a service will find it, checked before and after. At any moment there is the
/// old database or the new one. `database` is the one of the settings.
///
/// # Errors
/// A service has the database; there is one and it is not to be replaced; `backup` is `to` itself; or as for
/// [`backup`].
pub fn restore(
    backup: &Path,
    to: &Path,
    database: &Path,
    replace: bool,
    work: &mut Work<'_>,
) -> Result<Restored, CopyError> {
    let to = resolve(to).map_err(CopyError::io(to))?;
    if backup.canonicalize().is_ok_and(|backup| backup == to) {
        return Err(CopyError::Same(to));
    }
    let output = match Output::check(&to, Kind::Database, Some(database)) {
        Err(Refusal::Other { .. }) if !replace => return Err(CopyError::Exists(to)),
        Err(Refusal::InUse(path)) => return Err(OpenError::InUse(path).into()),
        output => output?,
    };
    let lock = lock(&to)?;
    let old = output.exists()? || LOGS.iter().any(|log| holds_something(&with_suffix(&to, log)));
    if old && !replace {
        return Err(CopyError::Exists(to));
    }
    let before = check(backup, work)?;
    need(size(backup)?, &to)?;
    let part = Part::begin(output, RESTORING)?;
    copy(backup, &part, work)?;
    Connection::open(&part.path).and_then(|conn| seal::remove(&conn)).map_err(CopyError::sql(&part.path))?;
    let after = check(&part.path, work)?;
    if (before.seq, &before.checksum) != (after.seq, &after.checksum) {
        let what = "its copy shows something else than it does".to_owned();
        return Err(CopyError::Damaged { path: part.path.clone(), what });
    }
    part.sync()?;
    // Numbers of the change feed are about to be given a second time.
    epoch::make_void(&lock).map_err(CopyError::io(&to))?;
    let aside = if old { Some(put_aside(&to)?) } else { None };
    for suffix in ["-wal", "-shm", "-journal"] {
        remove(&with_suffix(&to, suffix))?;
    }
    part.place()?;
    // Whatever was wrong with the one before is not with this one.
    remove(&mark(&to))?;
    Ok(Restored { checked: after, path: to, aside })
}

/// What may hold the latest part of a database.
const LOGS: [&str; 2] = ["-wal", "-journal"];

/// Gives an old database a second name, with all that its log holds, so that the first can be taken from it
/// without a moment in which there is none. Of a database that is missing or empty there is only the log.
fn put_aside(old: &Path) -> Result<PathBuf, CopyError> {
    let aside = with_suffix(old, &format!("{REPLACED}{}", moment()));
    let logs = || LOGS.iter().map(|log| (with_suffix(old, log), with_suffix(&aside, log)));
    let has_pages = old.metadata().is_ok_and(|file| file.len() > 0);
    // What the log holds belongs into the file, unless that is too damaged to take it.
    if has_pages
        && logs().any(|(log, _)| holds_something(&log))
        && let Ok(conn) = Connection::open_with_flags(old, OpenFlags::SQLITE_OPEN_READ_WRITE)
    {
        _ = conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
    }
    if old.exists() {
        fs::hard_link(old, &aside).map_err(CopyError::io(&aside))?;
    }
    for (log, beside) in logs().filter(|(log, _)| holds_something(log)) {
        // Interrupted from here on, the next start checks the old file before it serves it without its log.
        set_mark(old).map_err(CopyError::io(&mark(old)))?;
        fs::hard_link(&log, &beside).map_err(CopyError::io(&beside))?;
    }
    sync_folder(old)?;
    Ok(aside)
}

/// A moment as part of a file's name: such names sort by time.
pub fn moment() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H-%M-%S%.3fZ").to_string()
}

fn remove(path: &Path) -> Result<(), CopyError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(CopyError::io(path)(error)),
        _ => Ok(()),
    }
}

/// Keeps the file as it is before a step of the schema, beside the database: `rollcall.db.before-0002`.
pub(super) fn keep_before(path: &Path, step: i64) -> Result<PathBuf, OpenError> {
    let kept = with_suffix(path, &format!("{BEFORE}{step:04}"));
    let mut told = |_, _, _| {};
    let mut work = Work { told: &mut told, stop: Default::default(), wal_limit: u64::MAX };
    let keep = |work: &mut Work<'_>| {
        // Twice: what is kept, and what the upgrade itself may write.
        need(size(path)?.saturating_mul(2), &kept)?;
        let anything = Kind::Text { name: "file", is: |_| true };
        let part = Part::new(Output::check(&kept, anything, Some(path))?)?;
        copy(path, &part, work)?;
        part.place()
    };
    keep(&mut work).map_err(|error| OpenError::Upgrade(Box::new(error)))?;
    one_name(&kept).map_err(|error| OpenError::Io { path: kept, error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_before_a_step_is_whole_its_log_included_and_is_kept_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rollcall.db");
        let conn = Connection::open(&path).unwrap();
        conn.execute_batch(
            "PRAGMA application_id = 0x726f6c6c; PRAGMA user_version = 1; PRAGMA journal_mode = WAL;
             CREATE TABLE t (a); INSERT INTO t VALUES (1)",
        )
        .unwrap();
        // What an interrupted upgrade has left is replaced: the file may have changed since.
        fs::write(folder.path().join("rollcall.db.before-0002"), "half of it").unwrap();
        let kept = keep_before(&path, 2).unwrap();
        assert_eq!(kept, folder.path().canonicalize().unwrap().join("rollcall.db.before-0002"));
        let found: i64 =
            Connection::open(&kept).unwrap().query_row("SELECT a FROM t", [], |row| row.get(0)).unwrap();
        assert_eq!(found, 1);
        assert!(!folder.path().join("rollcall.db.before-0002.partial").exists());
    }

    #[test]
    fn without_room_for_it_nothing_is_begun() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rollcall.db");
        assert!(matches!(need(u64::MAX, &path), Err(CopyError::NoRoom { needed: u64::MAX, .. })));
        assert!(need(1, &path).is_ok());
    }
}
