//! Whether the write-ahead log holds what its index says. SQLite goes by the index in shared memory, and so writes on
//! after the end of a log that was cut off.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use super::inode::Inode;

/// Bytes of the first header of the index (SQLite, walformat.html, section 2.1: the WAL-index header).
const INDEX_HEAD: usize = 48;
/// Bytes of the header of the log, and of that of each frame.
const HEAD: u64 = 32;
const FRAME_HEAD: u64 = 24;

/// The log of an open database, and its index.
#[derive(Debug)]
pub(super) struct Log {
    /// Never closed while the database is open: that would give up SQLite's own locks on it.
    index: Arc<File>,
    path: PathBuf,
    file: OnceLock<File>,
    /// Bytes of a page, once the index was read.
    page: AtomicU64,
    /// Bytes that it must have, as far as is known.
    least: AtomicU64,
}

/// What the index says of the log: frames, bytes of a page, and the salt of its header.
#[derive(PartialEq)]
struct Said {
    frames: u64,
    page: u64,
    salt: [u8; 8],
}

impl Log {
    pub(super) fn of(index: Arc<File>, path: PathBuf) -> Self {
        Self { index, path, file: OnceLock::new(), page: AtomicU64::default(), least: AtomicU64::default() }
    }

    /// Notes that a commit has left so many frames in it.
    pub(super) fn committed(&self, frames: u64) {
        let page = self.page.load(Ordering::Relaxed);
        if page > 0 {
            self.least.store(least(frames, page), Ordering::Relaxed);
        }
    }

    /// Whether the log is as long as it must be, as far as is known; if not, whether it is whole.
    pub(super) fn is_not_cut_off(&self) -> bool {
        let len = self.file.get().and_then(|file| Inode::of(file).ok()).map(|inode| inode.len);
        len.is_some_and(|len| len >= self.least.load(Ordering::Relaxed)) || self.is_whole(len)
    }

    /// Whether the log is as long as it must be, and begins as it must. Whoever empties it by a checkpoint says so in
    /// the index first. What cannot be read says nothing. `len` is its length in bytes, if that is known.
    pub(super) fn is_whole(&self, len: Option<u64>) -> bool {
        let Some(said) = self.said().filter(|said| said.frames > 0) else { return true };
        if self.has(&said, len) != Some(false) {
            return true;
        }
        // Else it was emptied, or begun again, in between.
        self.said().is_none_or(|again| again != said)
    }

    fn said(&self) -> Option<Said> {
        let mut head = [0; INDEX_HEAD];
        self.index.read_exact_at(&mut head, 0).ok()?;
        let page = u16::from_ne_bytes(head[14..16].try_into().ok()?);
        let frames = u32::from_ne_bytes(head[16..20].try_into().ok()?);
        // 1 stands for 65,536, which is too large for its two bytes.
        let page = if page == 1 { 1 << 16 } else { u64::from(page) };
        Some(Said { frames: frames.into(), page, salt: head[32..40].try_into().ok()? })
    }

    fn has(&self, said: &Said, len: Option<u64>) -> Option<bool> {
        let file = match self.file.get() {
            Some(file) => file,
            None => {
                let opened = File::open(&self.path).ok()?;
                self.file.get_or_init(|| opened)
            }
        };
        let least = least(said.frames, said.page);
        if len.map_or_else(|| Inode::of(file).map(|inode| inode.len), Ok).ok()? < least {
            return Some(false);
        }
        let mut salt = [0; 8];
        file.read_exact_at(&mut salt, 16).ok()?;
        let is_whole = salt == said.salt;
        if is_whole {
            self.page.store(said.page, Ordering::Relaxed);
            self.least.store(least, Ordering::Relaxed);
        }
        Some(is_whole)
    }
}

/// The bytes of a log of so many frames, at the least.
fn least(frames: u64, page: u64) -> u64 {
    HEAD + frames * (FRAME_HEAD + page)
}
