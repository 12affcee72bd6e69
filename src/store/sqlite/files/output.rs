//! Decides whether a path may be written. Every command and thread that writes a file asks here.

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::process::{Flock, FlockType, fcntl_getlk};

use super::header::{MAGIC, find_log, has_backup_checksum, is_ours, read_head};
use super::inode::Inode;
use super::names::{PARTIAL, UNFINISHED, folder, is_unfinished_name, with_suffix};
use crate::store::explain;

/// Suffixes of the files that belong to a database.
const BESIDE: [&str; 8] =
    ["-wal", "-shm", "-journal", "-key", ".lock", ".verify", ".rebuild", ".rebuild.lock"];

/// The kind of file to be written. It may replace only a file of the same kind.
#[derive(Clone, Copy, Debug)]
pub enum OutputKind {
    /// A backup of a database.
    Backup,
    /// A database. The one it replaces stays under another name.
    Database,
    /// A file that its first bytes identify.
    Text {
        /// Its name in messages.
        name: &'static str,
        /// Whether these are its first bytes.
        is: fn(&[u8]) -> bool,
    },
}

impl OutputKind {
    fn name(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Database => "database of rollcall",
            Self::Text { name, .. } => name,
        }
    }
}

/// Why a path is not written. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The path is a database, or belongs to one.
    #[error("{0} belongs to the database {1}; nothing was written")]
    Belongs(PathBuf, PathBuf),
    /// The path has the name of an unfinished file.
    #[error("{0} {UNFINISHED}; nothing was written")]
    Unfinished(PathBuf),
    /// A log beside the path would be taken for the new file's own.
    #[error("{1} belongs to another database; nothing was written to {0}")]
    Log(PathBuf, PathBuf),
    /// Another process has it open.
    #[error("{0} is open in another process; nothing was written")]
    InUse(PathBuf),
    /// The `.partial` file is in use, or is not rollcall's.
    #[error("{0} is in the way: another process writes it, or it is another file; nothing was written")]
    Taken(PathBuf),
    /// The path holds a file of another kind.
    #[error("{path} exists and is no {kind}: choose another path, or remove it first")]
    Other {
        /// The path.
        path: PathBuf,
        /// The kind to be written.
        kind: &'static str,
    },
    /// The path cannot be read, or is no file.
    #[error("{0}: {why}", why = explain(.1))]
    Io(PathBuf, io::Error),
}

impl OutputError {
    fn io(path: &Path) -> impl Fn(io::Error) -> Self {
        move |error| Self::Io(path.to_owned(), error)
    }
}

/// A path that may be written.
#[derive(Clone, Debug)]
pub struct Output {
    /// Canonical: no part of it is a link.
    pub(crate) path: PathBuf,
    pub(crate) kind: OutputKind,
    database: Option<PathBuf>,
}

impl Output {
    /// Checks that `path` may be written. `database` is the database of the settings.
    ///
    /// # Errors
    /// It is a database that any process has open, under any name, or belongs to one; it has the name of an
    /// unfinished file; a file of another kind is there; or it is no file.
    pub fn check(path: &Path, kind: OutputKind, database: Option<&Path>) -> Result<Self, OutputError> {
        let real = resolve_path(path).map_err(OutputError::io(path))?;
        if is_unfinished_name(&real) {
            return Err(OutputError::Unfinished(real));
        }
        let database = database.and_then(|database| resolve_path(database).ok());
        if let Some(database) = owner_of_folders(&real, database.as_deref()) {
            return Err(OutputError::Belongs(real, database));
        }
        let output = Self { path: real, kind, database };
        output.check_again()?;
        Ok(output)
    }

    /// Repeats the check right before the file is replaced.
    pub(crate) fn check_again(&self) -> Result<(), OutputError> {
        let (path, kind) = (&self.path, self.kind);
        let found = metadata_of_path(path).map_err(OutputError::io(path))?;
        let is_own = matches!(kind, OutputKind::Database) && self.database.as_ref() == Some(path);
        if !is_own && let Some(database) = owning_database(path, found.as_ref(), self.database.as_deref()) {
            return Err(OutputError::Belongs(path.clone(), database));
        }
        if matches!(kind, OutputKind::Backup)
            && let Some(log) = find_log(path)
        {
            return Err(OutputError::Log(path.clone(), log));
        }
        let Some(found) = found else { return Ok(()) };
        is_file(&found).map_err(OutputError::io(path))?;
        if is_in_use(path).map_err(OutputError::io(path))? {
            return Err(OutputError::InUse(path.clone()));
        }
        // An export without users is empty. A backup never is, and the one it replaces is lost.
        let may_be_empty = !matches!(kind, OutputKind::Backup);
        let is_blank = found.len() == 0 && may_be_empty;
        // The database of the settings may be damaged; it stays in any case.
        if !is_own
            && !is_blank
            && !(begins_as_kind(path, kind).map_err(OutputError::io(path))?
                && (may_be_empty || has_backup_checksum(path)))
        {
            return Err(OutputError::Other { path: path.clone(), kind: kind.name() });
        }
        Ok(())
    }

    /// Whether a leftover may be overwritten: it is empty, of the same kind, or a copy that has no first page yet.
    pub(crate) fn may_overwrite(&self, leftover: &Path) -> io::Result<bool> {
        if !may_remove(leftover, self.database.as_deref())? {
            return Ok(false);
        }
        let Some(found) = metadata_of_path(leftover)? else { return Ok(true) };
        Ok(found.len() == 0 || begins_with_zeros(leftover)? || begins_as_kind(leftover, self.kind)?)
    }

    pub(crate) fn exists(&self) -> Result<bool, OutputError> {
        metadata_of_path(&self.path).map(|found| found.is_some()).map_err(OutputError::io(&self.path))
    }
}

/// Creates a folder and its parents, unless the name belongs to a database.
///
/// # Errors
/// The name belongs to a database, or a folder cannot be created. Parents may have been created by then.
pub fn make_folder(path: &Path, database: Option<&Path>) -> Result<(), OutputError> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent().filter(|above| !above.as_os_str().is_empty()) {
        make_folder(above, database)?;
    }
    check_folder(path, database)?;
    std::fs::create_dir(path).map_err(OutputError::io(path))
}

/// Checks that `path` is or may become a folder.
///
/// # Errors
/// It would belong to a database, or a file is there.
pub fn check_folder(path: &Path, database: Option<&Path>) -> Result<(), OutputError> {
    let real = resolve_path(path).map_err(OutputError::io(path))?;
    let database = database.and_then(|database| resolve_path(database).ok());
    let found = metadata_of_path(&real).map_err(OutputError::io(path))?;
    let of_part = || {
        let of = real.as_os_str().as_bytes().strip_suffix(PARTIAL.as_bytes()).map(as_path)?;
        owning_database(of, None, database.as_deref()).or_else(|| database_at(of))
    };
    let owned = owning_database(&real, found.as_ref(), database.as_deref()).or_else(of_part);
    if let Some(database) = owned.or_else(|| owner_of_folders(&real, database.as_deref())) {
        return Err(OutputError::Belongs(real, database));
    }
    if found.is_some_and(|found| !found.is_dir()) {
        let why = "is no folder: name a folder, or a path that does not exist";
        return Err(OutputError::io(path)(io::Error::other(why)));
    }
    Ok(())
}

/// The database, of any program, at this path.
fn database_at(path: &Path) -> Option<PathBuf> {
    let head = open_itself(path).and_then(read_head);
    head.is_ok_and(|head| head.starts_with(MAGIC)).then(|| path.to_owned())
}

/// Whether a leftover may be removed: no process has it open, and it belongs to no database.
///
/// # Errors
/// It cannot be read.
pub fn may_remove(path: &Path, database: Option<&Path>) -> io::Result<bool> {
    let database = database.and_then(|database| resolve_path(database).ok());
    let Some(found) = metadata_of_path(path)? else { return Ok(true) };
    // A file with several links is something else as well.
    let alone = found.is_file() && found.nlink() == 1;
    Ok(alone && owning_database(path, Some(&found), database.as_deref()).is_none() && !is_in_use(path)?)
}

/// The canonical path of a file, whether it exists or not.
pub(crate) fn resolve_path(path: &Path) -> io::Result<PathBuf> {
    if path.as_os_str().as_bytes().starts_with(b"sqlite://") {
        return Err(io::Error::other("is a URL: write the path alone"));
    }
    match path.canonicalize() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            if path.metadata().is_ok() {
                // Such as /dev/stdout.
                return Err(io::Error::other("leads to a pipe, not to a file: name a file"));
            }
            if metadata_of_path(path)?.is_some() {
                return Err(io::Error::other("is a link that leads nowhere"));
            }
            let parent = folder(path).canonicalize()?;
            let name = path.file_name().ok_or_else(|| io::Error::other("names no file"))?;
            Ok(parent.join(name))
        }
        found => found,
    }
}

/// The metadata of the path itself, without following a link.
fn metadata_of_path(path: &Path) -> io::Result<Option<Metadata>> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}

fn is_file(found: &Metadata) -> io::Result<()> {
    let kind = found.file_type();
    if kind.is_dir() {
        return Err(io::Error::other("is a folder: name a file in it"));
    }
    if kind.is_block_device() || kind.is_char_device() {
        return Err(io::Error::other("is a device, not a file"));
    }
    if !kind.is_file() {
        return Err(io::Error::other("is no file"));
    }
    Ok(())
}

/// The database that a path is, or belongs to: the one of the settings by name or by inode, any other by the
/// suffixes of the files beside it.
fn owning_database(path: &Path, found: Option<&Metadata>, database: Option<&Path>) -> Option<PathBuf> {
    let same = |other: &Path| {
        let is_found =
            |other: Inode| found.is_some_and(|found| Inode::from(found).identity == other.identity);
        path == other || Inode::at_itself(other).is_ok_and(is_found)
    };
    if let Some(database) = database {
        let beside = BESIDE.iter().map(|suffix| with_suffix(database, suffix));
        if [database.to_owned()].into_iter().chain(beside).any(|one| same(&one)) {
            return Some(database.to_owned());
        }
    }
    let name = path.file_name()?.as_bytes();
    let bases = BESIDE.iter().filter_map(|suffix| name.strip_suffix(suffix.as_bytes()));
    bases.filter(|base| !base.is_empty()).find_map(|base| database_at(&path.with_file_name(as_path(base))))
}

/// The database that a folder of a path belongs to, such as that of a rebuild, which is deleted as a whole.
fn owner_of_folders(path: &Path, database: Option<&Path>) -> Option<PathBuf> {
    path.ancestors().skip(1).find_map(|folder| owning_database(folder, None, database))
}

fn as_path(bytes: &[u8]) -> &Path {
    Path::new(std::ffi::OsStr::from_bytes(bytes))
}

/// Whether another process has the file open as a database, or writes it as a partial file. Not for a database
/// that this process has open: closing a handle on one releases SQLite's locks.
fn is_in_use(path: &Path) -> io::Result<bool> {
    let file = open_itself(path)?;
    let taken = fcntl_getlk(&file, &Flock::from(FlockType::WriteLock))?;
    let part = matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
    Ok(part || taken.is_some())
}

/// Opens a file for reading, without following a link and without waiting.
fn open_itself(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

/// Whether a copy of a database was given up before its first page, which comes last.
fn begins_with_zeros(path: &Path) -> io::Result<bool> {
    let head = read_head(open_itself(path)?)?;
    Ok(head.len() >= MAGIC.len() && head[..MAGIC.len()].iter().all(|byte| *byte == 0))
}

fn begins_as_kind(path: &Path, kind: OutputKind) -> io::Result<bool> {
    let head = read_head(open_itself(path)?)?;
    Ok(match kind {
        OutputKind::Text { is, .. } => is(&head),
        OutputKind::Database | OutputKind::Backup => is_ours(&head),
    })
}
