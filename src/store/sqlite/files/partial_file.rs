//! Output files, written under another name and put in place as a whole.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rustix::fs::{CWD, OFlags, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::names::{PARTIAL, folder, with_suffix};
use super::open::{leads_to, lock_database};
use super::output::{Output, OutputError, OutputKind};
use crate::store::sqlite::file_errors::CopyError;

/// A file that is being written beside its final path, readable by its owner only. Dropping it removes it unless
/// it was put in place.
pub struct PartialFile {
    pub(crate) path: PathBuf,
    output: Output,
    /// Holds the lock that keeps other processes from writing it.
    file: Arc<File>,
    placed: bool,
}

impl PartialFile {
    /// Creates the file under its name plus `.partial`. It may overwrite only a leftover of the same kind.
    ///
    /// # Errors
    /// Another process writes the file, another file has that name, or the folder is not writable.
    pub fn new(output: Output) -> Result<Self, CopyError> {
        Self::begin(output, PARTIAL)
    }

    /// Creates the file under its name plus `suffix`.
    pub(crate) fn begin(output: Output, suffix: &str) -> Result<Self, CopyError> {
        let path = with_suffix(&output.path, suffix);
        let file = Self::open(&output, &path)?;
        let part = Self { path, output, file: Arc::new(file), placed: false };
        part.empty()?;
        Ok(part)
    }

    fn open(output: &Output, path: &Path) -> Result<File, CopyError> {
        let io = CopyError::io(path);
        let taken = || CopyError::from(OutputError::Taken(path.to_owned()));
        if !output.may_overwrite(path).map_err(&io)? {
            return Err(taken());
        }
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).mode(0o600);
        options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
        let file = options.open(path).map_err(&io)?;
        match file.try_lock() {
            // Otherwise the previous owner has put it in place since.
            Ok(()) if leads_to(path, &file).map_err(&io)? => Ok(file),
            Ok(()) | Err(TryLockError::WouldBlock) => Err(taken()),
            Err(TryLockError::Error(error)) => Err(io(error)),
        }
    }

    /// The handle to write through.
    pub fn file(&self) -> Arc<File> {
        self.file.clone()
    }

    pub(crate) fn empty(&self) -> Result<(), CopyError> {
        self.file.set_len(0).map_err(CopyError::io(&self.path))
    }

    /// Syncs what was written so far, on a thread of its own.
    pub(crate) fn flush(&self) -> JoinHandle<io::Result<()>> {
        let file = self.file.clone();
        thread::spawn(move || file.sync_data())
    }

    pub(crate) fn sync(&self) -> Result<(), CopyError> {
        self.file.sync_all().map_err(CopyError::io(&self.path))
    }

    /// Syncs the file and moves it to its final path in one step, over a file that may still be replaced.
    ///
    /// # Errors
    /// The file there may not be replaced, or the disk fails.
    pub fn place(self) -> Result<(), CopyError> {
        self.sync()?;
        // Keeps services from opening the file that is about to be replaced.
        let beside = with_suffix(&self.output.path, ".lock");
        let is_new = !beside.exists();
        let lock = match self.output.kind {
            OutputKind::Backup if self.output.exists()? => Some(lock_database(&self.output.path)?),
            _ => None,
        };
        let checked = self.output.check_again().map_err(CopyError::from);
        let placed = checked.and_then(|()| self.rename(RenameFlags::empty()));
        if lock.is_some() && is_new {
            _ = std::fs::remove_file(beside);
        }
        placed
    }

    /// As [`Self::place`], but never replaces a file.
    ///
    /// # Errors
    /// There is a file by now, or the disk fails.
    pub fn place_new(self) -> Result<(), CopyError> {
        self.sync()?;
        self.output.check_again()?;
        self.rename(RenameFlags::NOREPLACE)
    }

    fn rename(mut self, flags: RenameFlags) -> Result<(), CopyError> {
        let to = self.output.path.clone();
        let renamed = match renameat_with(CWD, &self.path, CWD, &to, flags) {
            // The file system does not support the flag.
            Err(Errno::INVAL | Errno::NOSYS) if flags.contains(RenameFlags::NOREPLACE) => {
                std::fs::hard_link(&self.path, &to).and_then(|()| std::fs::remove_file(&self.path))
            }
            renamed => renamed.map_err(io::Error::from),
        };
        match renamed {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(CopyError::Exists(to)),
            renamed => renamed.map_err(CopyError::io(&to))?,
        }
        self.placed = true;
        sync_folder(&to)
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        if !self.placed {
            _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Syncs the folder of `path`, so that renames, links and removals in it survive a power cut.
pub(crate) fn sync_folder(path: &Path) -> Result<(), CopyError> {
    let folder = folder(path);
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(CopyError::io(folder))
}

/// Bytes that are free on the disk of a folder, for this user.
///
/// # Errors
/// The system's error.
pub fn free_bytes(folder: &Path) -> std::io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Bytes of a database and its log. No copy is larger.
pub(crate) fn database_size(path: &Path) -> Result<u64, CopyError> {
    let log = with_suffix(path, "-wal").metadata().map_or(0, |log| log.len());
    Ok(path.metadata().map_err(CopyError::io(path))?.len() + log)
}

/// Fails if the disk has fewer bytes free.
pub(crate) fn ensure_free_space(bytes: u64, path: &Path) -> Result<(), CopyError> {
    let free = free_bytes(folder(path)).map_err(CopyError::io(folder(path)))?;
    if free < bytes {
        return Err(CopyError::NoRoom { path: path.to_owned(), needed: bytes, free });
    }
    Ok(())
}
