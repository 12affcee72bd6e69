//! The journal, learned once more from its first entry on.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::domain::Event;
use crate::ingest::refold::relearn;
use crate::store::sqlite::{OpenError, Options, Sqlite};
use crate::store::{Entry, Result, Seq, Source, Store as _, Txn as _};
use crate::wire::history;

/// The event of a journal entry, read from its body by the parser of today; nothing if it cannot be read
/// any more.
pub fn event(entry: &Entry, body: &[u8]) -> Option<Event> {
    match entry.source {
        Source::Webhook => history::event(body, entry.place),
        Source::Api => serde_json::from_slice(body).ok(),
    }
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
    /// Opens the fold in a folder. It goes on from where it was.
    pub fn open(folder: &Path) -> std::result::Result<Self, OpenError> {
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
        let clock = store.begin().map(|txn| txn.clock());
        let last = clock.map_err(|error| OpenError::Store { path: path.clone(), error })? as Seq;
        let mut fold = Self { store, path, last, unreadable: 0 };
        if fold.last == 0 {
            fold.last = fold.begin();
        }
        Ok(fold)
    }

    /// Where folding starts: with nothing, before the first entry.
    fn begin(&mut self) -> Seq {
        0
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
            let event = event(entry, body);
            self.unreadable += u64::from(event.is_none());
            events.push((entry, event));
        }
        relearn(&mut self.store, &events, last.seq)?;
        self.last = last.seq;
        self.store.rest()
    }
}
