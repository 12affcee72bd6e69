//! Replays a journal into a directory of its own.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use crate::directory::compacted::read_compacted_page;
use crate::directory::{DirectoryReader, DirectoryWriter, QuarantineLimits};
use crate::domain::{Event, RecordKey};
use crate::ingest::maintenance::reparse_event;
use crate::ingest::reapply::{load_compacted, reapply_events};
use crate::store::rows::Rows;
use crate::store::sqlite::{OpenError, Sqlite, StoreOptions};
use crate::store::tables::Horizon;
use crate::store::{self, Entry, Error, ReadRow as _, Result, Seq};

/// Compacted records loaded in one transaction.
const PAGE: usize = 1024;

/// The file beside the replay that lists the app users whose journal has holes.
const LACKING: &str = "lacking.json";

/// The event of a journal entry, parsed from its body by this version.
///
/// # Errors
/// [`Error::Hole`] if the body is not that of the entry, or cannot be parsed any more.
pub fn event(entry: &Entry, body: &[u8]) -> Result<Event> {
    store::event(entry, body, reparse_event)
}

/// A directory without a journal, built from the journal of another. Its clock is the number of the last entry.
pub struct JournalReplay {
    writer: DirectoryWriter,
    path: PathBuf,
    last: Seq,
}

impl JournalReplay {
    /// Opens the replay of a live database in a folder. An existing one continues where it ended.
    pub fn open(folder: &Path, live: &DirectoryReader) -> std::result::Result<Self, OpenError> {
        let path = folder.join("directory.db");
        let (wal_checkpoint, wal_limit) = (64 << 20, 1 << 30);
        let store = Sqlite::open(&StoreOptions { path: path.clone(), wal_checkpoint, wal_limit })?;
        let failed = |error| OpenError::Store(path.clone(), error);
        let no_quarantine = QuarantineLimits { bodies: 0, bytes: 0 };
        let mut writer = DirectoryWriter::open(Box::new(store), no_quarantine).map_err(failed)?;
        let last = writer.begin().map(|txn| txn.clock()).map_err(failed)? as Seq;
        let mut replay = Self { writer, path: path.clone(), last };
        live.snapshot().and_then(|moment| replay.take_base(&*moment)).map_err(failed)?;
        Ok(replay)
    }

    /// Loads the compacted records, if entries were compacted that are not applied yet. The records include all that was
    /// applied before.
    pub(super) fn take_base(&mut self, moment: &dyn Rows) -> Result<()> {
        let compacted = Horizon::only(moment)?.seq;
        if compacted <= self.last && self.last > 0 {
            return Ok(());
        }
        let mut after: Option<RecordKey> = None;
        loop {
            let page = read_compacted_page(moment, after.as_ref(), PAGE)?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            load_compacted(&mut self.writer, page)?;
            self.writer.after_commit()?;
        }
        self.last = self.last.max(compacted);
        Ok(())
    }

    /// Its database file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The number of the last applied entry.
    pub fn last(&self) -> Seq {
        self.last
    }

    /// Applies the next entries in one transaction, each with its event if that is readable.
    pub fn apply(&mut self, mut entries: Vec<(Entry, Option<Event>)>) -> Result<()> {
        let Some((last, _)) = entries.last() else { return Ok(()) };
        let last = last.seq;
        let events: Vec<_> = entries.iter_mut().map(|(entry, event)| (&*entry, event.take())).collect();
        reapply_events(&mut self.writer, &events, last)?;
        self.last = last;
        self.writer.after_commit()
    }

    /// The app users whose journal has holes, if stored.
    pub(super) fn lacking(&self) -> std::result::Result<Option<BTreeSet<RecordKey>>, OpenError> {
        let path = self.path.with_file_name(LACKING);
        let read = || -> io::Result<Option<BTreeSet<RecordKey>>> {
            match std::fs::read(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                read => Ok(Some(serde_json::from_slice(&read?)?)),
            }
        };
        read().map_err(|error| OpenError::Io(path.clone(), error))
    }

    /// Stores the app users whose journal has holes, for a later [`Self::open`].
    pub(super) fn note_lacking(&self, lacking: &BTreeSet<RecordKey>) -> Result<()> {
        let text = serde_json::to_vec(lacking).map_err(|error| Error::Unavailable(error.to_string()))?;
        let written = std::fs::write(self.path.with_file_name(LACKING), text);
        written.map_err(|error| Error::Unavailable(error.to_string()))
    }
}
