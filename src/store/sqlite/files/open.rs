//! The files of a database: their names, the lock that keeps other processes out, and the mark for the next start.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::header::{HEADER, has_log, log_has_content};
use super::leftovers::remove_second_names;
use super::names::{UNFINISHED, folder, is_unfinished_name, verify_marker_path, with_suffix};
use crate::store::sqlite::file_errors::OpenError;
use crate::store::{self, Error};

/// The one name of a file that may have several, through links to it or to a folder: what lies
/// beside it must be the same for everybody. The file is made if it is not there.
pub(crate) fn canonical_database_path(path: &Path) -> io::Result<PathBuf> {
    match path.canonicalize() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            // Its owner's alone: what SQLite puts beside it gets the same rights.
            OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
            path.canonicalize()
        }
        found => found,
    }
}

/// Fails if the database is called as unfinished files are: it would be deleted as one of them.
pub(crate) fn refuse_name_of_unfinished(path: &Path) -> Result<(), OpenError> {
    if is_unfinished_name(path) { Err(OpenError::io(path)(io::Error::other(UNFINISHED))) } else { Ok(()) }
}

/// Fails if the database goes by a second name, unless an interrupted restore gave it that: what SQLite keeps beside it
/// is found by one name only (howtocorrupt.html, section 2.4).
pub(crate) fn refuse_second_name(path: &Path) -> Result<(), OpenError> {
    // A folder, which is refused later, has several links by itself.
    let is_alone =
        || path.metadata().map(|file| !file.is_file() || file.nlink() == 1).map_err(OpenError::io(path));
    if is_alone()? {
        return Ok(());
    }
    remove_second_names(path).map_err(OpenError::io(path))?;
    if is_alone()? { Ok(()) } else { Err(OpenError::SecondName(path.to_owned())) }
}

/// Held until the process ends. A file beside the database, because closing any handle on the
/// database itself would drop SQLite's own locks on it.
pub(crate) fn lock_database(path: &Path) -> Result<File, OpenError> {
    let beside = with_suffix(path, ".lock");
    let io = OpenError::io(&beside);
    loop {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&beside)
            .map_err(&io)?;
        match file.try_lock() {
            // Whoever had it may have removed it since it was opened.
            Ok(()) if leads_to(&beside, &file).map_err(&io)? => return Ok(file),
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
    }
}

/// Whether a path still leads to an open file.
pub(crate) fn leads_to(path: &Path, file: &File) -> io::Result<bool> {
    let open = file.metadata()?;
    match path.metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        found => found.map(|found| (found.dev(), found.ino()) == (open.dev(), open.ino())),
    }
}

pub(crate) fn check_after_failed_sync(conn: &Connection, path: &Path) -> store::Result<()> {
    let mark = verify_marker_path(path);
    if !mark.exists() {
        return Ok(());
    }
    tracing::warn!(path = %path.display(), "a sync failed in the last run, or a file of the database was lost; checking the database");
    let verdict: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Err(Error::Damaged(verdict));
    }
    std::fs::remove_file(&mark).map_err(|error| Error::Unavailable(error.to_string()))
}

/// Leaves word for the next start that the database must be checked.
pub(crate) fn set_verify_marker(path: &Path) -> io::Result<()> {
    // Whatever has this name is left as it is: that it is there is enough.
    OpenOptions::new().create(true).append(true).open(verify_marker_path(path)).map(drop)
}

/// Refuses a database that is missing or empty while a log of it holds something: SQLite would drop that. Also
/// one that a service lost while it was open, or that has no folder; and a link beside which there is a log, since it was
/// put in the place of the database of that log.
///
/// # Errors
/// So it is.
pub fn check_log(path: &Path) -> Result<(), OpenError> {
    // What lies beside it lies where a link leads.
    let target = path.read_link().map(|to| folder(path).join(to));
    let beside = with_suffix(path, "-wal");
    if target.is_ok() && log_has_content(&beside) {
        return Err(OpenError::LogOfAnother { path: path.to_owned(), beside });
    }
    let path = target.as_deref().unwrap_or(path);
    if path.metadata().is_ok_and(|file| file.len() > 0) {
        return Ok(());
    }
    if !folder(path).is_dir() {
        return Err(OpenError::NoFolder(path.to_owned()));
    }
    let logs = ["-wal", "-journal"].map(|suffix| with_suffix(path, suffix));
    let log = logs.into_iter().find(|log| log_has_content(log));
    match log.or_else(|| Some(verify_marker_path(path)).filter(|mark| mark.exists())) {
        Some(beside) => Err(OpenError::LogAlone { path: path.to_owned(), beside }),
        None => Ok(()),
    }
}

/// Refuses a file that is no database of a service, such as a backup, beside a log that holds something: it was copied
/// over the database to which that log belongs, and SQLite would read the two as one. Not for a database that this
/// process has open: closing a handle on one gives up SQLite's locks.
///
/// # Errors
/// So it is.
pub fn check_replaced(path: &Path) -> Result<(), OpenError> {
    let Ok(path) = path.canonicalize() else { return Ok(()) };
    let beside = with_suffix(&path, "-wal");
    if !path.is_file() || !log_has_content(&beside) {
        return Ok(());
    }
    let mut head = Vec::new();
    let read = File::open(&path).and_then(|file| file.take(HEADER).read_to_end(&mut head));
    // Of one that is empty `check_log` says more.
    match read.is_ok_and(|bytes| bytes > 0) && !has_log(&head) {
        true => Err(OpenError::LogOfAnother { path, beside }),
        false => Ok(()),
    }
}
