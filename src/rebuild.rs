//! The journal is the truth: folded into a fresh directory, it is compared with the live one.
//!
//! The fold is an ordinary database beside the live one, so memory does not depend on how many app users
//! there are. The live one is read a page at a time, each page as of its own moment; what differs may only
//! have moved on, so it is looked at again in one short moment up to which the journal was folded.

pub mod background;
pub mod history_replay;
mod journal_replay;
pub mod sources;

use std::collections::{BTreeSet, VecDeque};
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::domain::RecordKey;
use crate::ingest::maintenance::reparse_event;
use crate::store::archive::{Archive as _, Row};
use crate::store::sqlite::{
    Examination, Hole, OpenError, REBUILD, REBUILD_LOCK, ReadSnapshot, SqliteReader, TABLES,
};
use crate::store::{Error, Result, Seq};
pub use journal_replay::{JournalReplay, event};

/// Entries folded in one transaction.
const BATCH: usize = 4096;
/// So few entries that they are folded while a moment of the live database is held.
const FEW: usize = 256;
/// Rounds of catching up before that is done however many there are.
const ROUNDS: usize = 20;
/// Rows compared at a time.
const PAGE: usize = 512;
/// Differences that are looked at again together.
const SUSPECTS: usize = 4096;

/// Where the fold of a database is kept while it is needed: in a folder beside it, whatever name it goes by.
pub fn rebuild_folder(database: &Path) -> PathBuf {
    let mut name = database.canonicalize().unwrap_or_else(|_| database.to_owned()).into_os_string();
    name.push(REBUILD);
    name.into()
}

/// A folder for a fresh fold. Empty at first, gone when dropped.
pub struct RebuildFolder {
    folder: PathBuf,
    _lock: File,
}

impl RebuildFolder {
    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Takes the folder beside this database; what an interrupted rebuild left there goes.
    pub fn take(database: &Path) -> std::result::Result<Self, OpenError> {
        let folder = rebuild_folder(database);
        let mut beside = folder.clone().into_os_string();
        beside.push(REBUILD_LOCK);
        let io = |error| OpenError::Io { path: folder.clone(), error };
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

/// The live directory and the fold of its journal, side by side. Of whom the journal has lost something, what the live
/// directory has is no difference: it may hold what was lost.
pub struct Comparison {
    live: SqliteReader,
    fold: JournalReplay,
    folded: SqliteReader,
    journal: Examination,
    /// The app users of whom the journal has lost something, once all of it was examined.
    lacking: Option<BTreeSet<RecordKey>>,
    /// Those of them who would differ.
    kept: BTreeSet<RecordKey>,
    stop: Arc<AtomicBool>,
}

impl Comparison {
    /// Opens both. The fold goes on from where it was.
    pub fn open(database: &Path) -> std::result::Result<Self, OpenError> {
        let mut live = SqliteReader::open(database)?;
        let fold = JournalReplay::open(&rebuild_folder(database), &mut live)?;
        let lacking = fold.lacking()?;
        let journal = lacking.as_ref().map_or_else(Examination::default, |_| Examination::after(fold.last()));
        let (folded, kept, stop) = (SqliteReader::open(fold.path())?, BTreeSet::new(), Arc::default());
        Ok(Self { live, fold, folded, journal, lacking, kept, stop })
    }

    /// The same, ended by this: then it fails with [`Error::Interrupted`].
    pub fn stopped_by(self, stop: Arc<AtomicBool>) -> Self {
        Self { stop, ..self }
    }

    fn go_on(&self) -> Result<()> {
        if self.stop.load(Ordering::Acquire) { Err(Error::Interrupted) } else { Ok(()) }
    }

    /// The number of the last entry that is folded.
    pub fn seq(&self) -> Seq {
        self.fold.last()
    }

    /// What the journal has lost, as far as this examined it.
    pub fn holes(&self) -> Vec<Hole> {
        self.journal.holes()
    }

    /// The app users who stay as they are although the journal says otherwise by now, because it has lost something of
    /// them.
    pub fn kept(&self) -> &BTreeSet<RecordKey> {
        &self.kept
    }

    /// How much there is to fold, and to compare: journal entries, and rows of the live directory.
    pub fn size(&mut self) -> Result<(u64, u64)> {
        let entries = self.live.last()?.saturating_sub(self.fold.last());
        let rows = (0..TABLES.len()).map(|table| self.live.count_rows(table)).sum::<Result<u64>>()?;
        Ok((entries, rows))
    }

    /// Folds what the journal has gained, but for what comes meanwhile, and examines it: the first time all of it.
    /// Tells `progress` how many entries each step took.
    pub fn catch_up(&mut self, progress: &mut dyn FnMut(u64)) -> Result<()> {
        let mut rounds = 0;
        loop {
            self.go_on()?;
            let moment = self.live.read_snapshot()?;
            let page = apply_page(&moment, &mut self.journal, &mut self.fold)?;
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

    /// Examines the rest: up to the last entry, and whether the records lead to entries that are there.
    fn examine(&mut self) -> Result<()> {
        let moment = self.live.read_snapshot()?;
        while apply_page(&moment, &mut self.journal, &mut self.fold)? > 0 {}
        moment.examine_end(&mut self.journal)?;
        drop(moment);
        while self.live.read_snapshot()?.examine_records(&mut self.journal, PAGE, reparse_event)? > 0 {
            self.go_on()?;
        }
        let lacking = self.journal.lacking().clone();
        self.fold.note_lacking(&lacking)?;
        self.lacking = Some(lacking);
        Ok(())
    }

    /// Compares on, until there is something to tell: the rows that the journal says otherwise, each as the
    /// journal says it. Nothing at the end. Tells `progress` how many rows of the live directory each step
    /// compared.
    pub fn next(
        &mut self,
        pass: &mut ComparisonCursor,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Option<Vec<Row>>> {
        let mut suspects = Vec::new();
        while pass.table < TABLES.len() && suspects.len() < SUSPECTS {
            let (was, is) = (pass.live.peek(&mut self.live)?, pass.folded.peek(&mut self.folded)?);
            let Some(key) = was.into_iter().chain(is).map(|row| &row.key).min().cloned() else {
                *pass = ComparisonCursor::of(pass.table + 1);
                continue;
            };
            let (was, is) = (pass.live.take(&key), pass.folded.take(&key));
            progress(u64::from(was.is_some()));
            self.go_on()?;
            if !was.zip(is).is_some_and(|(was, is)| was.says_the_same_as(&is)) {
                suspects.push((pass.table, key));
            }
        }
        let ended = suspects.is_empty();
        let differing = self.recheck(suspects)?;
        Ok((!ended).then_some(differing))
    }

    /// Of rows that differed, each perhaps at another moment, those that differ still when the journal is
    /// folded up to the moment in which they are looked at.
    pub fn recheck(&mut self, suspects: Vec<(usize, Vec<String>)>) -> Result<Vec<Row>> {
        if suspects.is_empty() {
            return Ok(Vec::new());
        }
        self.catch_up(&mut |_| ())?;
        let moment = self.live.read_snapshot()?;
        while apply_page(&moment, &mut self.journal, &mut self.fold)? > 0 {}
        let folded = self.folded.read_snapshot()?;
        let lacking = self.journal.lacking().iter().chain(self.lacking.iter().flatten()).cloned().collect();
        let mut differing = Vec::new();
        for (table, key) in suspects {
            let (was, is) = (moment.row(table, &key)?, folded.row(table, &key)?);
            if was.says_the_same_as(&is) {
                continue;
            }
            if is_kept([&moment, &folded], &was, &is, &lacking)? {
                self.kept.extend(was.user());
            } else {
                differing.push(is);
            }
        }
        Ok(differing)
    }
}

/// Examines the next entries of the journal, and folds those that are not folded yet: how many there were. Those that
/// were trimmed meanwhile are folded by what they came to.
fn apply_page(
    moment: &ReadSnapshot<'_>,
    journal: &mut Examination,
    fold: &mut JournalReplay,
) -> Result<usize> {
    fold.take_base(moment)?;
    let mut page = moment.examine(journal, BATCH, reparse_event)?;
    let read = page.len();
    let folded = page.partition_point(|(entry, _)| entry.seq <= fold.last());
    fold.apply(page.split_off(folded))?;
    Ok(read)
}

/// Whether a row of the live directory stays as it is although the fold says otherwise: the journal has lost something
/// of the app user, or of somebody it has to do with, and the record can be read.
fn is_kept(
    [live, folded]: [&ReadSnapshot<'_>; 2],
    was: &Row,
    is: &Row,
    lacking: &BTreeSet<RecordKey>,
) -> Result<bool> {
    let Some((app, id)) = was.user().filter(|_| !lacking.is_empty()) else { return Ok(false) };
    let (ids, clients) = (std::slice::from_ref(&id), was.clients());
    let is_touched = lacking.contains(&(app.clone(), id.clone()))
        || live.reaches(&app, ids, &clients, lacking)?
        || folded.reaches(&app, ids, &clients, lacking)?;
    if !is_touched {
        return Ok(false);
    }
    let record = live.row(0, &[app.to_string(), id.to_string()])?;
    Ok(record.is_readable() || (was.cells.is_some() && is.cells.is_none()))
}

/// The rows that still differ of those with these keys, once nothing more can come: for whoever writes the
/// live database.
pub fn find_differing_rows(database: &Path, keys: &[(usize, Vec<String>)]) -> Result<Vec<Row>> {
    let opened = Comparison::open(database).map_err(|error| Error::Unavailable(error.to_string()));
    opened?.recheck(keys.to_vec())
}

/// The app users whom rows are about.
pub fn users(rows: &[Row]) -> BTreeSet<RecordKey> {
    rows.iter().filter_map(Row::user).collect()
}

/// How far a comparison is.
pub struct ComparisonCursor {
    table: usize,
    live: RowCursor,
    folded: RowCursor,
}

impl ComparisonCursor {
    /// At the beginning.
    pub fn begin() -> Self {
        Self::of(0)
    }

    fn of(table: usize) -> Self {
        Self { table, live: RowCursor::new(table), folded: RowCursor::new(table) }
    }
}

/// The rows of a table, read page by page.
struct RowCursor {
    table: usize,
    page: VecDeque<Row>,
    /// The key of the last row read.
    after: Vec<String>,
    ended: bool,
}

impl RowCursor {
    fn new(table: usize) -> Self {
        Self { table, page: VecDeque::new(), after: Vec::new(), ended: false }
    }

    fn peek(&mut self, reader: &mut SqliteReader) -> Result<Option<&Row>> {
        if self.page.is_empty() && !self.ended {
            self.page = reader.rows(self.table, &self.after, PAGE)?.into();
            self.ended = self.page.len() < PAGE;
            if let Some(last) = self.page.back() {
                self.after.clone_from(&last.key);
            }
        }
        Ok(self.page.front())
    }

    /// The next row, if it has this key.
    fn take(&mut self, key: &[String]) -> Option<Row> {
        let has_it = self.page.front().is_some_and(|row| row.key == key);
        has_it.then(|| self.page.pop_front()).flatten()
    }
}
