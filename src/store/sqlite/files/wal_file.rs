//! Checks that the WAL matches its index. SQLite trusts the index in shared memory, and so writes on
//! behind the end of a WAL that was cut off.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::inode::Inode;

/// Bytes of the index's first header (SQLite, walformat.html, section 2.1: the WAL-index header).
const INDEX_HEAD: usize = 48;
/// Bytes of the WAL's header, and of each frame's.
const HEAD: u64 = 32;
const FRAME_HEAD: u64 = 24;

/// The WAL of an open database, and its index.
#[derive(Debug)]
pub(crate) struct WalFile {
    /// Never closed while the database is open: that would release SQLite's own locks.
    index: Arc<File>,
    path: PathBuf,
    file: OnceLock<File>,
    /// The state after the last two commits, as far as known.
    known: Mutex<WalState>,
}

#[derive(Clone, Copy, Debug, Default)]
struct WalState {
    /// Bytes of a page; 0 until the index was read.
    page: u64,
    /// The salt of the WAL's header and of each of its frames.
    salt: [u8; 8],
    /// Frames after the last commit.
    frames: u64,
    /// Frames after the commit before; 0 if the WAL has restarted since.
    before: u64,
}

impl WalState {
    /// Whether the file is long enough and has the last frame of the commit before. If the WAL was cut off during
    /// a commit, that commit makes it long enough again, but leaves a hole in place of that frame.
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

/// The part of the index that describes the WAL.
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

    /// Records the frames that a commit has left in the WAL.
    pub(crate) fn committed(&self, frames: u64) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.before = if known.frames < frames { known.frames } else { 0 };
        known.frames = frames;
    }

    fn known(&self) -> WalState {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the WAL holds the known state, or is whole by its index.
    pub(crate) fn is_not_cut_off(&self) -> bool {
        let known = self.known();
        let has = |file: &File| known.is_in(file, Inode::of(file)?.len);
        let is_known = known.page > 0 && self.file.get().is_some_and(|file| has(file).unwrap_or(false));
        is_known || self.is_whole(None)
    }

    /// Whether the WAL is as long as its index requires and has its salt. A checkpoint that empties it changes
    /// the index first. An unreadable WAL counts as whole. `len` is its length in bytes, if known.
    pub(crate) fn is_whole(&self, len: Option<u64>) -> bool {
        let Some(header) = self.read_index().filter(|header| header.frames > 0) else { return true };
        if self.matches(&header, len) != Some(false) {
            return true;
        }
        // If the index has changed, the WAL was emptied or restarted meanwhile.
        self.read_index().is_none_or(|again| again != header)
    }

    fn read_index(&self) -> Option<WalIndexHeader> {
        let mut head = [0; INDEX_HEAD];
        self.index.read_exact_at(&mut head, 0).ok()?;
        let page = u16::from_ne_bytes(head[14..16].try_into().ok()?);
        let frames = u32::from_ne_bytes(head[16..20].try_into().ok()?);
        // 1 stands for 65,536, which does not fit in two bytes.
        let page = if page == 1 { 1 << 16 } else { u64::from(page) };
        Some(WalIndexHeader { frames: frames.into(), page, salt: head[32..40].try_into().ok()? })
    }

    fn matches(&self, header: &WalIndexHeader, len: Option<u64>) -> Option<bool> {
        let file = match self.file.get() {
            Some(file) => file,
            None => {
                let opened = File::open(&self.path).ok()?;
                self.file.get_or_init(|| opened)
            }
        };
        let len = len.map_or_else(|| Inode::of(file).map(|inode| inode.len), Ok).ok()?;
        let is_same = |known: &WalState| known.salt == header.salt && known.page == header.page;
        let known = Some(self.known()).filter(is_same).unwrap_or_default();
        let is =
            WalState { page: header.page, salt: header.salt, frames: header.frames, before: known.before };
        if !is.is_in(file, len).ok()? {
            return Some(false);
        }
        let mut salt = [0; 8];
        file.read_exact_at(&mut salt, 16).ok()?;
        if salt != header.salt {
            return Some(false);
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_same(&known) {
            // The WAL has restarted: none of its earlier frames is left.
            *known = WalState { before: 0, ..is };
        }
        Some(true)
    }
}

/// The length of a WAL with this many frames, at least.
fn least(frames: u64, page: u64) -> u64 {
    HEAD + frames * (FRAME_HEAD + page)
}
