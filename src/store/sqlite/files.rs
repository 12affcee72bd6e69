//! Files that are whole or not there.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::copy::CopyError;
use super::{OpenError, with_suffix};

/// A file that is being written beside the one it will be, for its owner's eyes only. Removed when dropped,
/// unless it was put in place.
pub(super) struct Part {
    pub(super) path: PathBuf,
    /// Held, so that nobody else writes it; and to sync it.
    file: Arc<File>,
    placed: bool,
}

impl Part {
    /// Begins `path` with `suffix`; what somebody left of one is overwritten.
    pub(super) fn begin(path: &Path, suffix: &str) -> Result<Self, CopyError> {
        let path = with_suffix(path, suffix);
        let mut options = OpenOptions::new();
        let file = options.create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = file.map_err(CopyError::io(&path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(path).into()),
            Err(TryLockError::Error(error)) => return Err(CopyError::io(&path)(error)),
        }
        let part = Self { path, file: Arc::new(file), placed: false };
        part.empty()?;
        Ok(part)
    }

    pub(super) fn empty(&self) -> Result<(), CopyError> {
        self.file.set_len(0).map_err(CopyError::io(&self.path))
    }

    /// Gives what was written so far to the disk, on a thread of its own.
    pub(super) fn flush(&self) -> JoinHandle<io::Result<()>> {
        let file = self.file.clone();
        thread::spawn(move || file.sync_data())
    }

    pub(super) fn sync(&self) -> Result<(), CopyError> {
        self.file.sync_all().map_err(CopyError::io(&self.path))
    }

    /// Puts the whole, synced file where it belongs, at once and for good.
    pub(super) fn place(mut self, at: &Path) -> Result<(), CopyError> {
        self.sync()?;
        std::fs::rename(&self.path, at).map_err(CopyError::io(at))?;
        self.placed = true;
        sync_folder(at)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.placed {
            _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Makes what was renamed, linked or removed beside `path` last.
pub(super) fn sync_folder(path: &Path) -> Result<(), CopyError> {
    let folder = folder(path);
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(CopyError::io(folder))
}

/// The folder of a file.
pub(super) fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Bytes that are left on the disk of a folder for whoever asks.
///
/// # Errors
/// What the system says.
pub fn free_bytes(folder: &Path) -> std::io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Bytes of a database and its log: no copy of it is larger.
pub(super) fn size(path: &Path) -> Result<u64, CopyError> {
    let log = with_suffix(path, "-wal").metadata().map_or(0, |log| log.len());
    Ok(path.metadata().map_err(CopyError::io(path))?.len() + log)
}

/// Refuses to begin what the disk has no room for.
pub(super) fn need(bytes: u64, path: &Path) -> Result<(), CopyError> {
    let free = free_bytes(folder(path)).map_err(CopyError::io(folder(path)))?;
    if free < bytes {
        return Err(CopyError::NoRoom { path: path.to_owned(), needed: bytes, free });
    }
    Ok(())
}
