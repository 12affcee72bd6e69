//! The files of a database: their names, the lock that keeps other processes out, and the mark for the next start.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::files::folder;
use super::leftovers::{UNFINISHED, is_name_of_one, remove_second_names};
use super::output::{HEADER, has_log};
use super::{CopyError, trouble};
use crate::store::{self, Error, explain};

/// Why a file cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("{0} is in use by another process; two cannot write one directory")]
    InUse(PathBuf),
    /// The file has another name beside this one. By that name it would have another log and another lock.
    #[error(
        "{0} has another name as well (a hard link), by which a second process could write it unseen: remove that \
         name, found by `find -samefile`, or copy the file and use the copy"
    )]
    SecondName(PathBuf),
    /// There is a log, but not the database that it belongs to.
    #[error(
        "{path} is missing or empty, and {beside} says that it was in use: put it back, or run `rollcall restore \
         --replace BACKUP`, which keeps the log aside; to begin an empty directory, move {beside} away"
    )]
    LogAlone {
        /// The database.
        path: PathBuf,
        /// The log, or the mark of a service that lost the database.
        beside: PathBuf,
    },
    /// What was stored in it was in its log, which is gone.
    #[error(
        "{path} is empty, but its feeds had {told} changes: its log is missing or was emptied. Put the log back, or run \
         `rollcall restore --replace BACKUP`; to begin an empty directory, move {path} away"
    )]
    LogGone {
        /// The database.
        path: PathBuf,
        /// How many changes its feeds had.
        told: u64,
    },
    /// Another file was put in the place of the database that a log belongs to.
    #[error(
        "{path} was put in the place of another database, whose log {beside} is: put that back, or run `rollcall \
         restore --replace BACKUP`, which keeps both aside; to use the file as it is, move {beside} away"
    )]
    LogOfAnother {
        /// The file.
        path: PathBuf,
        /// The log.
        beside: PathBuf,
    },
    /// There is no folder for it.
    #[error("{0}: there is no folder for it (store.url): make it, or correct store.url")]
    NoFolder(PathBuf),
    /// Its folder takes no file of this user.
    #[error("{path}: this user cannot write there ({error}): correct the rights of the folder, or store.url")]
    NotWritable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A newer program wrote it.
    #[error(
        "{path} has schema {found}, this program knows up to {known}: run the newer program; nothing was changed"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema known here.
        known: i64,
    },
    /// An older program wrote it, and a command cannot read it before the service has brought it up to date.
    #[error(
        "{path} has schema {found}, and this command reads schema {known}: start the service once, which keeps the \
         file as it is beside itself and brings it up to date, or use the program that wrote it; nothing was changed"
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The schema that is read here.
        known: i64,
    },
    /// There is no such file.
    #[error("{0}: there is no such database (store.url of the settings)")]
    Missing(PathBuf),
    /// It is a database of something else.
    #[error("{0} is not a rollcall database; it was left untouched")]
    Foreign(PathBuf),
    /// The SQLite library has the WAL-reset bug.
    #[error("SQLite {0} can corrupt a database (WAL reset); 3.51.3 or newer is needed")]
    Library(&'static str),
    /// It cannot be kept as it is before its schema changes.
    #[error("the schema is not brought up to date, because the database cannot be kept as it was: {0}")]
    Upgrade(Box<CopyError>),
    /// The file or its folder cannot be used.
    #[error("{path}: {}", explain(error))]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// SQLite cannot use it.
    #[error("{path}: {error}")]
    Store {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        error: Error,
    },
}

impl OpenError {
    pub(super) fn io(path: &Path) -> impl Fn(io::Error) -> Self {
        move |error| match error.kind() {
            ErrorKind::PermissionDenied => Self::NotWritable { path: path.to_owned(), error },
            _ => Self::Io { path: path.to_owned(), error },
        }
    }
}

/// The one name of a file that may have several, through links to it or to a folder: what lies
/// beside it must be the same for everybody. The file is made if it is not there.
pub(super) fn one_name(path: &Path) -> io::Result<PathBuf> {
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
pub(super) fn refuse_name_of_unfinished(path: &Path) -> Result<(), OpenError> {
    if is_name_of_one(path) { Err(OpenError::io(path)(io::Error::other(UNFINISHED))) } else { Ok(()) }
}

/// Fails if the database goes by a second name, unless an interrupted restore gave it that: what SQLite keeps beside it
/// is found by one name only (howtocorrupt.html, section 2.4).
pub(super) fn refuse_second_name(path: &Path) -> Result<(), OpenError> {
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
pub(super) fn lock(path: &Path) -> Result<File, OpenError> {
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
pub(super) fn leads_to(path: &Path, file: &File) -> io::Result<bool> {
    let open = file.metadata()?;
    match path.metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        found => found.map(|found| (found.dev(), found.ino()) == (open.dev(), open.ino())),
    }
}

pub(super) fn verify_after_trouble(conn: &Connection, path: &Path) -> store::Result<()> {
    let mark = mark(path);
    if !mark.exists() {
        return Ok(());
    }
    tracing::warn!(path = %path.display(), "a sync failed in the last run, or a file of the database was lost; checking the database");
    let verdict: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(trouble)?;
    if verdict != "ok" {
        return Err(Error::Damaged(verdict));
    }
    std::fs::remove_file(&mark).map_err(|error| Error::Unavailable(error.to_string()))
}

pub(super) fn mark(path: &Path) -> PathBuf {
    with_suffix(path, ".verify")
}

/// Leaves word for the next start that the database must be checked.
pub(super) fn set_mark(path: &Path) -> io::Result<()> {
    // Whatever has this name is left as it is: that it is there is enough.
    OpenOptions::new().create(true).append(true).open(mark(path)).map(drop)
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
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
    if target.is_ok() && holds_something(&beside) {
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
    let log = logs.into_iter().find(|log| holds_something(log));
    match log.or_else(|| Some(mark(path)).filter(|mark| mark.exists())) {
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
    if !path.is_file() || !holds_something(&beside) {
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

/// Bytes of a write-ahead log before its first frame.
const LOG_HEADER: u64 = 32;
/// What a rollback journal begins with.
const JOURNAL: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

/// Whether a log beside a database, by the end of its name `-wal` or `-journal`, holds anything of it. What
/// cannot be read is taken to hold something.
pub(super) fn holds_something(log: &Path) -> bool {
    let Ok(found) = log.symlink_metadata() else { return false };
    if !log.as_os_str().as_encoded_bytes().ends_with(b"-journal") {
        return found.len() > LOG_HEADER;
    }
    let mut head = [0; 20];
    match File::open(log).and_then(|mut log| log.read_exact(&mut head)) {
        // Of a database that had no page yet there is nothing to bring back.
        Ok(()) => head[..8] == JOURNAL && head[16..] != [0; 4],
        Err(error) => error.kind() != ErrorKind::UnexpectedEof,
    }
}
