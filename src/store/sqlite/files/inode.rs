//! Device, inode and length of a file.
//!
//! The times are not read: a file whose times were read gets new ones with the next write (Linux 6.13 and later),
//! and each batch's sync would then write these as well.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Inode {
    /// Device and inode.
    pub(crate) identity: (u64, u64),
    /// In bytes.
    pub(crate) len: u64,
}

impl Inode {
    /// Of the file that a path leads to.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        seen(rustix::fs::CWD, path, rustix::fs::AtFlags::empty())
            .unwrap_or_else(|| Ok((&path.metadata()?).into()))
    }

    /// Of the path itself, even if it is a link.
    pub(crate) fn at_itself(path: &Path) -> io::Result<Self> {
        seen(rustix::fs::CWD, path, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)
            .unwrap_or_else(|| Ok((&path.symlink_metadata()?).into()))
    }

    /// Of an open file.
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        seen(file, Path::new(""), rustix::fs::AtFlags::EMPTY_PATH)
            .unwrap_or_else(|| Ok((&file.metadata()?).into()))
    }
}

/// Whether two paths lead to one file.
pub fn are_one_file(one: &Path, other: &Path) -> bool {
    let identity = |path| Inode::at(path).ok().map(|inode| inode.identity);
    identity(one).is_some_and(|found| identity(other) == Some(found))
}

impl From<&Metadata> for Inode {
    fn from(file: &Metadata) -> Self {
        Self { identity: (file.dev(), file.ino()), len: file.len() }
    }
}

/// `None` where the system has no `statx`.
fn seen(
    folder: impl std::os::fd::AsFd,
    path: &Path,
    flags: rustix::fs::AtFlags,
) -> Option<io::Result<Inode>> {
    use rustix::fs::StatxFlags;
    match rustix::fs::statx(folder, path, flags, StatxFlags::INO | StatxFlags::SIZE) {
        Err(rustix::io::Errno::NOSYS) => None,
        Err(error) => Some(Err(error.into())),
        Ok(found) => {
            let device = rustix::fs::makedev(found.stx_dev_major, found.stx_dev_minor);
            Some(Ok(Inode { identity: (device, found.stx_ino), len: found.stx_size }))
        }
    }
}
