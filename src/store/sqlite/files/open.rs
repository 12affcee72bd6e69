//! Checks before a database is opened, its lock, and the marker that asks the next start to verify it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::header::{find_log, has_log, log_has_content, read_head};
use super::inode::Inode;
use super::leftovers::remove_second_names;
use super::names::{UNFINISHED, folder, is_unfinished_name, verify_marker_path, with_suffix};
use crate::store::sqlite::file_errors::OpenError;
use crate::store::{self, Error};

/// The canonical path of a database, so that its log and lock are the same through every link. Creates an empty
/// file if there is none.
pub(crate) fn canonical_database_path(path: &Path) -> io::Result<PathBuf> {
    match path.canonicalize() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            // For the owner only: SQLite gives the files beside it the same rights.
            OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
            path.canonicalize()
        }
        found => found,
    }
}

/// Refuses a database with the name of an unfinished file, which would be deleted as one.
pub(crate) fn refuse_name_of_unfinished(path: &Path) -> Result<(), OpenError> {
    if is_unfinished_name(path) { Err(OpenError::io(path)(io::Error::other(UNFINISHED))) } else { Ok(()) }
}

/// Refuses a database with several hard links, except those of an interrupted restore: SQLite finds its log by one
/// name only (howtocorrupt.html, section 2.4).
pub(crate) fn refuse_second_name(path: &Path) -> Result<(), OpenError> {
    // A folder always has several links. It is refused later.
    let is_alone =
        || path.metadata().map(|file| !file.is_file() || file.nlink() == 1).map_err(OpenError::io(path));
    if is_alone()? {
        return Ok(());
    }
    remove_second_names(path).map_err(OpenError::io(path))?;
    if is_alone()? { Ok(()) } else { Err(OpenError::SecondName(path.to_owned())) }
}

/// Locks a database until the file is dropped. The lock is a file beside the database, because closing any handle
/// on the database would release SQLite's own locks.
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
            // The previous owner may have removed the file since it was opened.
            Ok(()) if leads_to(&beside, &file).map_err(&io)? => return Ok(file),
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
    }
}

/// Whether a path still leads to an open file.
pub(crate) fn leads_to(path: &Path, file: &File) -> io::Result<bool> {
    match Inode::at(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        found => Ok(found?.identity == Inode::of(file)?.identity),
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

/// Creates the marker that makes the next start check the database.
pub(crate) fn set_verify_marker(path: &Path) -> io::Result<()> {
    // An existing file of this name is left as it is: its presence is enough.
    OpenOptions::new().create(true).append(true).open(verify_marker_path(path)).map(drop)
}

/// Refuses a database that is missing or empty beside a log with content, which SQLite would drop; one that a
/// service lost while it was open; one without a folder; and a link beside a log, because the link replaced the
/// database of that log.
///
/// # Errors
/// [`OpenError::LogOfAnother`], [`OpenError::NoFolder`] or [`OpenError::LogAlone`].
pub fn check_log(path: &Path) -> Result<(), OpenError> {
    // For a link, the log lies beside its target.
    let target = path.read_link().map(|to| folder(path).join(to));
    let beside = with_suffix(path, "-wal");
    if target.is_ok() && log_has_content(&beside) {
        return Err(OpenError::LogOfAnother(path.to_owned(), beside));
    }
    let path = target.as_deref().unwrap_or(path);
    if path.metadata().is_ok_and(|file| file.len() > 0) {
        return Ok(());
    }
    if !folder(path).is_dir() {
        return Err(OpenError::NoFolder(path.to_owned()));
    }
    match find_log(path).or_else(|| Some(verify_marker_path(path)).filter(|mark| mark.exists())) {
        Some(beside) => Err(OpenError::LogAlone(path.to_owned(), beside)),
        None => Ok(()),
    }
}

/// Refuses a file that is not in WAL mode, such as a backup, beside a log with content: it was copied over the
/// database of that log, and SQLite would read the two as one. Not for a database that this process has open:
/// closing a handle on one releases SQLite's locks.
///
/// # Errors
/// [`OpenError::LogOfAnother`].
pub fn check_replaced(path: &Path) -> Result<(), OpenError> {
    let Ok(path) = path.canonicalize() else { return Ok(()) };
    let beside = with_suffix(&path, "-wal");
    if !path.is_file() || !log_has_content(&beside) {
        return Ok(());
    }
    // `check_log` refuses an empty file.
    match File::open(&path).and_then(read_head).is_ok_and(|head| !head.is_empty() && !has_log(&head)) {
        true => Err(OpenError::LogOfAnother(path, beside)),
        false => Ok(()),
    }
}
