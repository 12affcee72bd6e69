//! Which file is there, and how long it is.
//!
//! Its times are not asked for: a file whose times somebody has seen gets new ones with the next write (Linux 6.13 and
//! later), and a sync then has to write these as well, with every batch.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// What is known of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inode {
    /// Device and inode: the same for as long as it is the same file.
    pub(crate) identity: (u64, u64),
    /// In bytes.
    pub(crate) len: u64,
}

impl Inode {
    /// Of the file that a path leads to.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        seen(rustix::fs::CWD, path, rustix::fs::AtFlags::empty())
            .unwrap_or_else(|| Ok(path.metadata()?.into()))
    }

    /// Of what is at a path itself, should that be a link.
    pub(crate) fn at_itself(path: &Path) -> io::Result<Self> {
        seen(rustix::fs::CWD, path, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)
            .unwrap_or_else(|| Ok(path.symlink_metadata()?.into()))
    }

    /// Of an open file.
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        seen(file, Path::new(""), rustix::fs::AtFlags::EMPTY_PATH)
            .unwrap_or_else(|| Ok(file.metadata()?.into()))
    }
}

/// Whether two paths lead to one file.
pub fn are_one_file(one: &Path, other: &Path) -> bool {
    let identity = |path| Inode::at(path).ok().map(|inode| inode.identity);
    identity(one).is_some_and(|found| identity(other) == Some(found))
}

impl From<Metadata> for Inode {
    fn from(file: Metadata) -> Self {
        Self { identity: (file.dev(), file.ino()), len: file.len() }
    }
}

/// Nothing where the system has no such call.
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
