//! Whether the write-ahead log holds what its index says. SQLite goes by the index in shared memory, and so writes on
//! after the end of a log that was cut off.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::inode::Inode;

/// Bytes of the first header of the index (SQLite, walformat.html, section 2.1: the WAL-index header).
const INDEX_HEAD: usize = 48;
/// Bytes of the header of the log, and of that of each frame.
const HEAD: u64 = 32;
const FRAME_HEAD: u64 = 24;

/// The log of an open database, and its index.
#[derive(Debug)]
pub(crate) struct WalFile {
    /// Never closed while the database is open: that would give up SQLite's own locks on it.
    index: Arc<File>,
    path: PathBuf,
    file: OnceLock<File>,
    /// What it had after the last two commits, as far as is known.
    known: Mutex<WalState>,
}

#[derive(Clone, Copy, Debug, Default)]
struct WalState {
    /// Bytes of a page; 0 until the index was read.
    page: u64,
    /// The salt of its header, and of each of its frames.
    salt: [u8; 8],
    /// Frames after the last commit.
    frames: u64,
    /// Frames after the one before, or none since the log has begun again.
    before: u64,
}

impl WalState {
    /// Whether a file has what must be there: all bytes, and the last frame that was there before the last commit. Where
    /// the log was cut off while that commit was written, it is long enough again, with a hole in the place of that frame.
    fn is_in(&self, file: &File, len: u64) -> io::Result<bool> {
        if len < least(self.frames, self.page) {
            return Ok(false);
        }
        let Some(last) = self.before.checked_sub(1) else { return Ok(true) };
        let mut salt = [0; 8];
        match file.read_exact_at(&mut salt, least(last, self.page) + 8) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            read => read.map(|()| salt == self.salt),
        }
    }
}

/// What the index says of the log: frames, bytes of a page, and the salt of its header.
#[derive(PartialEq)]
struct WalIndexHeader {
    frames: u64,
    page: u64,
    salt: [u8; 8],
}

impl WalFile {
    pub(crate) fn of(index: Arc<File>, path: PathBuf) -> Self {
        Self { index, path, file: OnceLock::new(), known: Mutex::default() }
    }

    /// Notes that a commit has left so many frames in it.
    pub(crate) fn committed(&self, frames: u64) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.before = if known.frames < frames { known.frames } else { 0 };
        known.frames = frames;
    }

    fn known(&self) -> WalState {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the log has what it must have, as far as is known; if not, whether it is whole.
    pub(crate) fn is_not_cut_off(&self) -> bool {
        let known = self.known();
        let has = |file: &File| known.is_in(file, Inode::of(file)?.len);
        let is_known = known.page > 0 && self.file.get().is_some_and(|file| has(file).unwrap_or(false));
        is_known || self.is_whole(None)
    }

    /// Whether the log is as long as it must be, and begins as it must. Whoever empties it by a checkpoint says so in
    /// the index first. What cannot be read says nothing. `len` is its length in bytes, if that is known.
    pub(crate) fn is_whole(&self, len: Option<u64>) -> bool {
        let Some(said) = self.said().filter(|said| said.frames > 0) else { return true };
        if self.has(&said, len) != Some(false) {
            return true;
        }
        // Else it was emptied, or begun again, in between.
        self.said().is_none_or(|again| again != said)
    }

    fn said(&self) -> Option<WalIndexHeader> {
        let mut head = [0; INDEX_HEAD];
        self.index.read_exact_at(&mut head, 0).ok()?;
        let page = u16::from_ne_bytes(head[14..16].try_into().ok()?);
        let frames = u32::from_ne_bytes(head[16..20].try_into().ok()?);
        // 1 stands for 65,536, which is too large for its two bytes.
        let page = if page == 1 { 1 << 16 } else { u64::from(page) };
        Some(WalIndexHeader { frames: frames.into(), page, salt: head[32..40].try_into().ok()? })
    }

    fn has(&self, said: &WalIndexHeader, len: Option<u64>) -> Option<bool> {
        let file = match self.file.get() {
            Some(file) => file,
            None => {
                let opened = File::open(&self.path).ok()?;
                self.file.get_or_init(|| opened)
            }
        };
        let len = len.map_or_else(|| Inode::of(file).map(|inode| inode.len), Ok).ok()?;
        let is_same = |known: &WalState| known.salt == said.salt && known.page == said.page;
        let known = Some(self.known()).filter(is_same).unwrap_or_default();
        let is = WalState { page: said.page, salt: said.salt, frames: said.frames, before: known.before };
        if !is.is_in(file, len).ok()? {
            return Some(false);
        }
        let mut salt = [0; 8];
        file.read_exact_at(&mut salt, 16).ok()?;
        if salt != said.salt {
            return Some(false);
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_same(&known) {
            // It has begun again since: no frame of before is in it.
            *known = WalState { before: 0, ..is };
        }
        Some(true)
    }
}

/// The bytes of a log of so many frames, at the least.
fn least(frames: u64, page: u64) -> u64 {
    HEAD + frames * (FRAME_HEAD + page)
}
