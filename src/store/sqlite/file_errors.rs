//! Why a database file cannot be opened, copied or checked.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::files::output::OutputError;
use crate::store::{Error, Hole, explain};

/// Why a file cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the lock.
    #[error("{0} is in use by another process; two cannot write one directory")]
    InUse(PathBuf),
    /// The file has several hard links. Under another name it would have another log and another lock.
    #[error(
        "{0} has another name as well (a hard link), by which a second process could write it unseen: remove that \
         name, found by `find -samefile`, or copy the file and use the copy"
    )]
    SecondName(PathBuf),
    /// There is a log, or the marker of a service that lost the database, without its database.
    #[error(
        "{0} is missing or empty, and {1} says that it was in use: put it back, or run `rollcall restore \
         --replace BACKUP`, which keeps the log aside; to begin an empty directory, move {1} away"
    )]
    LogAlone(PathBuf, PathBuf),
    /// All data was in the log, which is missing.
    #[error(
        "{path} is empty, but its feeds had {changes} changes: its log is missing or was emptied. Put the log back, or run \
         `rollcall restore --replace BACKUP`; to begin an empty directory, move {path} away"
    )]
    LogGone {
        /// The database.
        path: PathBuf,
        /// Changes that the feeds had, by the epoch marker.
        changes: u64,
    },
    /// The file was put in place of the database that the log belongs to.
    #[error(
        "{0} was put in the place of another database, whose log {1} is: put that back, or run `rollcall \
         restore --replace BACKUP`, which keeps both aside; to use the file as it is, move {1} away"
    )]
    LogOfAnother(PathBuf, PathBuf),
    /// Its folder does not exist.
    #[error("{0}: there is no folder for it (store.url): make it, or correct store.url")]
    NoFolder(PathBuf),
    /// The folder is not writable.
    #[error("{0}: this user cannot write there ({1}): correct the rights of the folder, or store.url")]
    NotWritable(PathBuf, io::Error),
    /// The schema is newer than this program.
    #[error(
        "{path} has schema {found}, this program knows up to {known}: run the newer program; nothing was changed"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema that this program knows.
        known: i64,
    },
    /// The schema is older than this program's, and a command does not migrate it.
    #[error(
        "{path} has schema {found}, and this command reads schema {known}: start the service once, which keeps the \
         file as it is beside itself and brings it up to date, or use the program that wrote it; nothing was changed"
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The schema that this program reads.
        known: i64,
    },
    /// The file does not exist.
    #[error("{0}: there is no such database (store.url of the settings)")]
    Missing(PathBuf),
    /// The database is not rollcall's.
    #[error("{0} is not a rollcall database; it was left untouched")]
    Foreign(PathBuf),
    /// The SQLite library has the WAL-reset bug.
    #[error("SQLite {0} can corrupt a database (WAL reset); 3.51.3 or newer is needed")]
    Library(&'static str),
    /// The copy before a migration failed.
    #[error("schema migration aborted: cannot back up the database first: {0}")]
    Upgrade(Box<CopyError>),
    /// The file or its folder cannot be used.
    #[error("{0}: {why}", why = explain(.1))]
    Io(PathBuf, io::Error),
    /// SQLite cannot use the file.
    #[error("{0}: {1}")]
    Store(PathBuf, Error),
}

impl OpenError {
    pub(crate) fn io(path: &Path) -> impl Fn(io::Error) -> Self {
        move |error| match error.kind() {
            ErrorKind::PermissionDenied => Self::NotWritable(path.to_owned(), error),
            _ => Self::Io(path.to_owned(), error),
        }
    }

    pub(crate) fn store(path: &Path) -> impl Fn(Error) -> Self {
        move |error| Self::Store(path.to_owned(), error)
    }

    pub(crate) fn sql(path: &Path) -> impl Fn(rusqlite::Error) -> Self {
        move |error| Self::Store(path.to_owned(), error.into())
    }
}

/// Why a file could not be copied, checked or put in place.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The output exists.
    #[error("{0} already exists")]
    Exists(PathBuf),
    /// Source and output are the same file.
    #[error("the backup and its destination are the same file, {0}")]
    Same(PathBuf),
    /// The output must not be written.
    #[error(transparent)]
    Refused(#[from] OutputError),
    /// The database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The system's error.
    #[error("{0}: {why}", why = explain(.1))]
    Io(PathBuf, io::Error),
    /// SQLite cannot use the file.
    #[error("{0}: {1}")]
    Store(PathBuf, Error),
    /// The disk has too little room.
    #[error("{path}: {needed} bytes are needed, and the disk has {free}")]
    NoRoom {
        /// The output.
        path: PathBuf,
        /// Bytes needed.
        needed: u64,
        /// Bytes free.
        free: u64,
    },
    /// The file is damaged.
    #[error("{0} is damaged: {1}")]
    Damaged(PathBuf, String),
    /// Every page is whole, but a derived table does not match its source.
    #[error("{0}: {what}; `rollcall rebuild` remakes it while the service runs", what = describe_faults(.1))]
    Derived(PathBuf, Vec<DerivedFault>),
    /// Every page is whole, but the journal has holes. Derived tables may be damaged as well.
    #[error(
        "{path}: {}; what came of that is still in the directory, and `rollcall rebuild` keeps it; only a backup made \
         before brings it back into the journal{}",
        describe_holes(holes),
        describe_more_faults(faults)
    )]
    Journal {
        /// The file.
        path: PathBuf,
        /// The holes.
        holes: Vec<Hole>,
        /// The damaged derived tables.
        faults: Vec<DerivedFault>,
    },
    /// The WAL grew too long while a snapshot was held.
    #[error(
        "{0} is written faster than it can be read within store.wal_limit: raise that, choose a quieter hour, \
         or check a backup instead of the database"
    )]
    WalLimitReached(PathBuf),
    /// The task was stopped.
    #[error("stopped before the end")]
    Stopped,
}

/// A damaged derived table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DerivedFault {
    /// The table, by its [`super::Derived::name`].
    pub name: &'static str,
    /// The fault, without values of any row.
    pub what: String,
}

const NAMED: usize = 20;

/// The first holes, and how many more there are.
pub fn describe_holes(holes: &[Hole]) -> String {
    let mut all: Vec<String> = holes.iter().take(NAMED).map(ToString::to_string).collect();
    if holes.len() > NAMED {
        all.push(format!("{} more like these", holes.len() - NAMED));
    }
    all.join("; ")
}

fn describe_more_faults(faults: &[DerivedFault]) -> String {
    if faults.is_empty() {
        return String::new();
    }
    format!("; {}; `rollcall rebuild` remakes it while the service runs", describe_faults(faults))
}

fn describe_faults(faults: &[DerivedFault]) -> String {
    let all: Vec<String> =
        faults.iter().map(|DerivedFault { name, what }| format!("{name} is damaged: {what}")).collect();
    all.join("; ")
}

impl CopyError {
    pub(crate) fn io(path: &Path) -> impl Fn(std::io::Error) -> Self {
        move |error| Self::Io(path.to_owned(), error)
    }

    pub(crate) fn store(path: &Path) -> impl Fn(Error) -> Self {
        move |error| match error {
            Error::Damaged(what) => Self::Damaged(path.to_owned(), what),
            error @ Error::Unreadable { table: "app_users", .. } => {
                let faults = vec![DerivedFault { name: "records", what: error.to_string() }];
                Self::Derived(path.to_owned(), faults)
            }
            error @ Error::Unreadable { .. } => Self::Damaged(path.to_owned(), error.to_string()),
            Error::Derived { name, why } => {
                Self::Derived(path.to_owned(), vec![DerivedFault { name, what: why }])
            }
            error => Self::Store(path.to_owned(), error),
        }
    }

    pub(crate) fn sql(path: &Path) -> impl Fn(rusqlite::Error) -> Self {
        move |error| Self::store(path)(Error::from(error))
    }
}
