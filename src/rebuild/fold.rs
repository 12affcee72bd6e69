//! The journal, learned once more from its first entry on.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::domain::{Event, Key};
use crate::ingest::refold::{adopt, relearn};
use crate::ingest::upkeep::read_again;
use crate::store::sqlite::{OpenError, Options, Sqlite, SqliteReader};
use crate::store::{Entry, Error, Result, Seq, Store as _, Txn as _};

/// Records of the base learned in one transaction.
const PAGE: usize = 1024;

/// Entries that are to be folded may be let go meanwhile.
pub(super) const TRIMMED: &str = "the journal was trimmed while it was folded; begin again";

/// The event of a journal entry, read from its body by the parser of today; nothing if it cannot be read
/// any more.
pub fn event(entry: &Entry, body: &[u8]) -> Option<Event> {
    read_again(entry.source, body, entry.place)
}

/// A directory that learns from the journal of another. It keeps no journal of its own; how far it is
/// stands where another directory keeps its clock.
pub struct Fold {
    store: Sqlite,
    path: PathBuf,
    last: Seq,
    unreadable: u64,
}

impl Fold {
    /// Opens the fold of a live database in a folder. It goes on from where it was.
    pub fn open(folder: &Path, live: &mut SqliteReader) -> std::result::Result<Self, OpenError> {
        let path = folder.join("directory.db");
        let (quarantine_rows, quarantine_bytes) = (0, 0);
        let (wal_checkpoint, wal_limit) = (64 << 20, 1 << 30);
        let mut store = Sqlite::open(&Options {
            path: path.clone(),
            wal_checkpoint,
            wal_limit,
            quarantine_rows,
            quarantine_bytes,
        })?;
        let failed = |error| OpenError::Store { path: path.clone(), error };
        let last = store.begin().map(|txn| txn.clock()).map_err(failed)? as Seq;
        let mut fold = Self { store, path: path.clone(), last, unreadable: 0 };
        if fold.last == 0 {
            fold.begin(live).map_err(failed)?;
        }
        Ok(fold)
    }

    /// Where folding starts: with what the entries came to that were trimmed, before the first one after them.
    fn begin(&mut self, live: &mut SqliteReader) -> Result<()> {
        let moment = live.moment()?;
        let mut after: Option<Key> = None;
        loop {
            let page = moment.base(after.as_ref(), PAGE)?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            adopt(&mut self.store, page)?;
            self.store.rest()?;
        }
        self.last = moment.horizon()?.folded;
        Ok(())
    }

    /// The database file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The number of the last entry learned.
    pub fn last(&self) -> Seq {
        self.last
    }

    /// How many entries said nothing, because their event cannot be read any more.
    pub fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// Learns the next entries, in one transaction.
    pub fn learn(&mut self, entries: &[(Entry, Bytes)]) -> Result<()> {
        let Some((last, _)) = entries.last() else { return Ok(()) };
        let mut events = Vec::with_capacity(entries.len());
        for (entry, body) in entries {
            if body.is_empty() {
                return Err(Error::Unavailable(TRIMMED.to_owned()));
            }
            let event = event(entry, body);
            self.unreadable += u64::from(event.is_none());
            events.push((entry, event));
        }
        relearn(&mut self.store, &events, last.seq)?;
        self.last = last.seq;
        self.store.rest()
    }
}
