//! Compares the live directory with its journal, replayed into a fresh directory.
//!
//! The replay is an ordinary database beside the live one, so memory does not depend on the number of app users. The
//! live database is read page by page, each page in its own snapshot. A row that differs may only have changed since, so
//! it is read again in one short snapshot up to which the journal was replayed.

pub mod background;
pub mod history_entry;
pub mod history_replay;
mod journal_replay;
mod person_file;
pub mod sources;

use std::collections::{BTreeSet, VecDeque};
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::directory::examination::{Examination, PAGE_BYTES};
use crate::directory::rebuilt::{is_readable, reaches, rows_agree};
use crate::directory::{DirectoryReader, open_reader};
use crate::domain::RecordKey;
use crate::ingest::maintenance::reparse_event;
use crate::store::rows::{RebuiltRow, RebuiltTable, RowKey, Rows};
use crate::store::sqlite::{Hole, OpenError, REBUILD, REBUILD_LOCK};
use crate::store::{Error, Result, Seq};
pub use journal_replay::{JournalReplay, event};
pub use person_file::{FileLimits, person_file};

/// Entries replayed in one transaction.
const BATCH: usize = 4096;
/// So few entries that they may be replayed while a snapshot of the live database is open.
const FEW: usize = 256;
/// Maximum number of rounds before `FEW` is given up.
const ROUNDS: usize = 20;
const PAGE: usize = 512;
/// Maximum number of differing rows that are read again together.
const SUSPECTS: usize = 4096;

/// The folder of a database's replay. It is beside the database file itself, not beside a link to it.
pub fn rebuild_folder(database: &Path) -> PathBuf {
    let mut name = database.canonicalize().unwrap_or_else(|_| database.to_owned()).into_os_string();
    name.push(REBUILD);
    name.into()
}

/// The locked folder of a replay. Empty at first, removed when dropped.
pub struct RebuildFolder {
    folder: PathBuf,
    _lock: File,
}

impl RebuildFolder {
    /// Its path.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Locks the folder of a database, and empties it of what an interrupted rebuild left.
    pub fn take(database: &Path) -> std::result::Result<Self, OpenError> {
        let folder = rebuild_folder(database);
        let mut beside = folder.clone().into_os_string();
        beside.push(REBUILD_LOCK);
        let io = |error| OpenError::Io(folder.clone(), error);
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&beside).map_err(io)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(folder)),
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        if folder.exists() {
            std::fs::remove_dir_all(&folder).map_err(io)?;
        }
        std::fs::create_dir(&folder).map_err(io)?;
        Ok(Self { folder, _lock: lock })
    }
}

impl Drop for RebuildFolder {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The live directory and the replay of its journal. Records of app users whose journal has holes do not count as
/// differing: they may contain what the journal has lost.
pub struct Comparison {
    live: DirectoryReader,
    replay: JournalReplay,
    replayed: DirectoryReader,
    journal: Examination,
    /// The app users whose journal has holes, once all of it is examined.
    lacking: Option<BTreeSet<RecordKey>>,
    /// Those of them that differ.
    kept: BTreeSet<RecordKey>,
    stop: Arc<AtomicBool>,
}

impl Comparison {
    /// Opens both. An existing replay continues where it ended.
    pub fn open(database: &Path) -> std::result::Result<Self, OpenError> {
        let live = open_reader(database)?;
        let replay = JournalReplay::open(&rebuild_folder(database), &live)?;
        let lacking = replay.lacking()?;
        let journal =
            lacking.as_ref().map_or_else(Examination::default, |_| Examination::after(replay.last()));
        let (replayed, kept, stop) = (open_reader(replay.path())?, BTreeSet::new(), Arc::default());
        Ok(Self { live, replay, replayed, journal, lacking, kept, stop })
    }

    /// The same, but setting `stop` ends it with [`Error::Interrupted`].
    pub fn stopped_by(self, stop: Arc<AtomicBool>) -> Self {
        Self { stop, ..self }
    }

    fn check_stopped(&self) -> Result<()> {
        if self.stop.load(Ordering::Acquire) { Err(Error::Interrupted) } else { Ok(()) }
    }

    /// The number of the last replayed entry.
    pub fn seq(&self) -> Seq {
        self.replay.last()
    }

    /// The holes of the journal, as far as it is examined.
    pub fn holes(&self) -> Vec<Hole> {
        self.journal.holes()
    }

    /// The app users that keep their records, although these differ from the replay, because their journal has holes.
    pub fn kept(&self) -> &BTreeSet<RecordKey> {
        &self.kept
    }

    /// The work left: journal entries to replay, and rows of the live directory to compare.
    pub fn size(&mut self) -> Result<(u64, u64)> {
        let entries = self.live.last_entry_seq()?.saturating_sub(self.replay.last());
        let moment = self.live.snapshot()?;
        let rows = RebuiltTable::ALL.iter().map(|table| table.count(&*moment)).sum::<Result<u64>>()?;
        Ok((entries, rows))
    }

    /// Replays and examines new entries of the journal, until few are left. The first time examines all of it. Calls
    /// `progress` with the number of entries of each step.
    pub fn catch_up(&mut self, progress: &mut dyn FnMut(u64)) -> Result<()> {
        let mut rounds = 0;
        loop {
            self.check_stopped()?;
            let moment = self.live.snapshot()?;
            let page = apply_page(&*moment, &mut self.journal, &mut self.replay)?;
            progress(page as u64);
            rounds += usize::from(page < BATCH);
            if page < FEW || rounds > ROUNDS {
                break;
            }
        }
        if self.lacking.is_none() {
            self.examine()?;
        }
        Ok(())
    }

    /// Examines the rest of the journal, and whether the entries exist that the records refer to.
    fn examine(&mut self) -> Result<()> {
        let moment = self.live.snapshot()?;
        while apply_page(&*moment, &mut self.journal, &mut self.replay)? > 0 {}
        self.journal.end(&*moment)?;
        drop(moment);
        while self.journal.records(&*self.live.snapshot()?, PAGE, reparse_event)? > 0 {
            self.check_stopped()?;
        }
        let lacking = self.journal.lacking().clone();
        self.replay.note_lacking(&lacking)?;
        self.lacking = Some(lacking);
        Ok(())
    }

    /// The next rows that differ, as they should be. `None` at the end. Calls `progress` with the number of live rows of
    /// each step.
    pub fn next(
        &mut self,
        pass: &mut ComparisonCursor,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Option<Vec<RebuiltRow>>> {
        let mut suspects = Vec::new();
        while pass.table < RebuiltTable::ALL.len() && suspects.len() < SUSPECTS {
            let (was, is) = (pass.live.peek(&self.live)?, pass.replayed.peek(&self.replayed)?);
            let Some(key) = was.into_iter().chain(is).map(|row| &row.key).min().cloned() else {
                *pass = ComparisonCursor::of(pass.table + 1);
                continue;
            };
            let (was, is) = (pass.live.take(&key), pass.replayed.take(&key));
            progress(u64::from(was.is_some()));
            self.check_stopped()?;
            if !was.zip(is).is_some_and(|(was, is)| rows_agree(&was, &is)) {
                suspects.push(key);
            }
        }
        let ended = suspects.is_empty();
        let differing = self.recheck(&suspects)?;
        Ok((!ended).then_some(differing))
    }

    /// Those of the rows that still differ in one snapshot, up to which the journal is replayed.
    pub fn recheck(&mut self, suspects: &[RowKey]) -> Result<Vec<RebuiltRow>> {
        if suspects.is_empty() {
            return Ok(Vec::new());
        }
        self.catch_up(&mut |_| ())?;
        let moment = self.live.snapshot()?;
        while apply_page(&*moment, &mut self.journal, &mut self.replay)? > 0 {}
        let replayed = self.replayed.snapshot()?;
        let lacking = self.journal.lacking().iter().chain(self.lacking.iter().flatten()).cloned().collect();
        let mut differing = Vec::new();
        for keys in suspects.chunks(PAGE) {
            for (was, is) in RebuiltRow::read(&*moment, keys)?.iter().zip(RebuiltRow::read(&*replayed, keys)?)
            {
                if rows_agree(was, &is) {
                    continue;
                }
                if is_kept([&*moment, &*replayed], was, &is, &lacking)? {
                    self.kept.insert(was.key.user());
                } else {
                    differing.push(is);
                }
            }
        }
        Ok(differing)
    }
}

/// Examines the next entries of the journal, applies those that are new, and returns how many were read. Entries that
/// were compacted meanwhile are applied as compacted records.
fn apply_page(moment: &dyn Rows, journal: &mut Examination, replay: &mut JournalReplay) -> Result<usize> {
    replay.take_base(moment)?;
    let mut page = journal.page(moment, (BATCH, PAGE_BYTES), reparse_event, |_| true)?;
    let read = page.len();
    let replayed = page.partition_point(|(entry, _)| entry.seq <= replay.last());
    replay.apply(page.split_off(replayed))?;
    Ok(read)
}

/// Whether a differing row is kept: the journal of the app user, or of one connected with it, has holes, and the record
/// is readable.
fn is_kept(
    [live, replayed]: [&dyn Rows; 2],
    was: &RebuiltRow,
    is: &RebuiltRow,
    lacking: &BTreeSet<RecordKey>,
) -> Result<bool> {
    if lacking.is_empty() {
        return Ok(false);
    }
    let key = was.key.user();
    let (app, id) = &key;
    let (ids, clients) = (std::slice::from_ref(id), was.key.client());
    let is_touched = lacking.contains(&key)
        || reaches(live, app, ids, clients.as_slice(), lacking)?
        || reaches(replayed, app, ids, clients.as_slice(), lacking)?;
    if !is_touched {
        return Ok(false);
    }
    let has_readable_record = RebuiltRow::read(live, &[RowKey::User(key)])?.iter().all(is_readable);
    Ok(has_readable_record || (was.content.is_some() && is.content.is_none()))
}

/// Those of the rows with these keys that still differ. For the worker, while nothing else writes.
pub fn find_differing_rows(database: &Path, keys: &[RowKey]) -> Result<Vec<RebuiltRow>> {
    let opened = Comparison::open(database).map_err(|error| Error::Unavailable(error.to_string()));
    opened?.recheck(keys)
}

/// The position of a comparison.
pub struct ComparisonCursor {
    table: usize,
    live: RowCursor,
    replayed: RowCursor,
}

impl ComparisonCursor {
    /// At the beginning.
    pub fn begin() -> Self {
        Self::of(0)
    }

    fn of(table: usize) -> Self {
        let of = RebuiltTable::ALL.get(table).copied();
        Self { table, live: RowCursor::new(of), replayed: RowCursor::new(of) }
    }
}

/// Reads the rows of a table page by page.
struct RowCursor {
    table: Option<RebuiltTable>,
    page: VecDeque<RebuiltRow>,
    /// The key of the last row read.
    after: Option<RowKey>,
}

impl RowCursor {
    /// Before the first row of a table; of none, there are no rows.
    fn new(table: Option<RebuiltTable>) -> Self {
        Self { table, page: VecDeque::new(), after: None }
    }

    fn peek(&mut self, reader: &DirectoryReader) -> Result<Option<&RebuiltRow>> {
        if let Some(table) = self.table.filter(|_| self.page.is_empty()) {
            self.page = table.read_after(&*reader.snapshot()?, self.after.as_ref(), PAGE)?.into();
            if self.page.len() < PAGE {
                self.table = None;
            }
            self.after = self.page.back().map(|row| row.key.clone());
        }
        Ok(self.page.front())
    }

    /// The next row, if it has this key.
    fn take(&mut self, key: &RowKey) -> Option<RebuiltRow> {
        let has_it = self.page.front().is_some_and(|row| row.key == *key);
        has_it.then(|| self.page.pop_front()).flatten()
    }
}
