//! Why a database file cannot be opened, copied or checked.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::check::hole::Hole;
use super::derived::DerivedFault;
use super::files::output::OutputError;
use crate::store::{Error, explain};

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
    pub(crate) fn io(path: &Path) -> impl Fn(io::Error) -> Self {
        move |error| match error.kind() {
            ErrorKind::PermissionDenied => Self::NotWritable { path: path.to_owned(), error },
            _ => Self::Io { path: path.to_owned(), error },
        }
    }
}

/// Why a file could not be copied, checked or put in place.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// Something is there already.
    #[error("{0} is there already")]
    Exists(PathBuf),
    /// A copy would be put where it is made from.
    #[error("the backup and where it is to be put are the same file, {0}")]
    Same(PathBuf),
    /// The path must not be written.
    #[error(transparent)]
    Refused(#[from] OutputError),
    /// Somebody else has the file, or it is none of ours.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The system refuses.
    #[error("{path}: {}", explain(error))]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// SQLite cannot use the file.
    #[error("{path}: {error}")]
    Store {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        error: Error,
    },
    /// The disk would be full before the end.
    #[error("{path}: {needed} bytes are needed, and the disk has {free}")]
    NoRoom {
        /// What was to be written.
        path: PathBuf,
        /// How large it would be.
        needed: u64,
        /// What is left.
        free: u64,
    },
    /// The file is damaged, or is not what it was.
    #[error("{path} is damaged: {what}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// In which way.
        what: String,
    },
    /// Every page is whole, but what is made of records, or of the journal, is not what these say.
    #[error(
        "{path}: {}; `rollcall rebuild` makes it anew, while the service goes on",
        describe_faults(faults)
    )]
    Derived {
        /// The file.
        path: PathBuf,
        /// Each table that is damaged, and how.
        faults: Vec<DerivedFault>,
    },
    /// Every page is whole, but the journal has lost something. Derived tables may be damaged as well.
    #[error(
        "{path}: {}; what came of that is still in the directory, and `rollcall rebuild` keeps it; only a backup made \
         before brings it back into the journal{}",
        describe_holes(holes),
        describe_more_faults(faults)
    )]
    Journal {
        /// The file.
        path: PathBuf,
        /// What is missing.
        holes: Vec<Hole>,
        /// Each derived table that is damaged, and how.
        faults: Vec<DerivedFault>,
    },
    /// More is being written than the log can hold meanwhile.
    #[error(
        "{0} is written faster than it can be read within store.wal_limit: raise that, choose a quieter hour, \
         or check a backup instead of the database"
    )]
    WalLimitReached(PathBuf),
    /// It was told to stop.
    #[error("stopped before the end")]
    Stopped,
}

/// Holes that are named in one message.
const NAMED: usize = 20;

/// Some of these, and how many more there are.
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
    format!("; {}; `rollcall rebuild` makes it anew, while the service goes on", describe_faults(faults))
}

fn describe_faults(faults: &[DerivedFault]) -> String {
    let all: Vec<String> =
        faults.iter().map(|DerivedFault { name, what }| format!("{name} is damaged: {what}")).collect();
    all.join("; ")
}

impl CopyError {
    pub(crate) fn io(path: &Path) -> impl Fn(std::io::Error) -> Self {
        move |error| Self::Io { path: path.to_owned(), error }
    }

    pub(crate) fn store(path: &Path) -> impl Fn(Error) -> Self {
        move |error| match error {
            Error::Damaged(what) => Self::Damaged { path: path.to_owned(), what },
            error @ Error::Unreadable { table: "app_users", .. } => {
                let faults = vec![DerivedFault { name: "records", what: error.to_string() }];
                Self::Derived { path: path.to_owned(), faults }
            }
            error @ Error::Unreadable { .. } => {
                Self::Damaged { path: path.to_owned(), what: error.to_string() }
            }
            Error::Derived { name, why } => {
                Self::Derived { path: path.to_owned(), faults: vec![DerivedFault { name, what: why }] }
            }
            error => Self::Store { path: path.to_owned(), error },
        }
    }

    pub(crate) fn sql(path: &Path) -> impl Fn(rusqlite::Error) -> Self {
        move |error| Self::store(path)(Error::from(error))
    }
}
