//! Opens the database: one writer, several readers.

use std::path::Path;
use std::time::Duration;

use super::{ServerError, io};
use crate::clock::now_ms;
use crate::config::{Settings, StoreUrl};
use crate::directory::{DirectoryReader, DirectoryWriter, QuarantineLimits, open_reader};
use crate::operators::{Admission, Key, read_or_make_key};
use crate::store::readers::{LaneBounds, Readers};
use crate::store::sqlite::{
    self, DamagedTables, OpenError, Presence, READER_CACHE, Sqlite, SqliteReader, StoreOptions,
};

/// Threads for the change feed: one large page does not block the others.
const FEED_READERS: usize = 2;

/// Look-ups, and reads of the feed, that may wait.
const WAITING: usize = 4096;

/// Reads of operators that may wait.
const CONSOLE_WAITING: usize = 256;

/// Pages that the reader of operators keeps, in KiB: they look at little, and rarely at the same twice.
const CONSOLE_CACHE: i64 = 4 << 10;

/// Time limit of a probe.
const PROBED_WITHIN: Duration = Duration::from_secs(2);

pub(super) struct Opened {
    pub(super) directory: DirectoryWriter,
    pub(super) readers: Readers<DirectoryReader>,
    pub(super) presence: Presence,
    pub(super) damaged_tables: DamagedTables,
    pub(super) admission: Admission,
}

/// Opens the database: one writer, several readers.
pub(super) fn open(settings: &Settings) -> Result<Opened, ServerError> {
    let StoreUrl::Sqlite(path) = &settings.store.url;
    let store = Sqlite::open(&StoreOptions {
        path: path.clone(),
        wal_checkpoint: settings.store.wal_checkpoint,
        wal_limit: settings.store.wal_limit,
    })?;
    if settings.origin.demo_app {
        no_other_apps(settings, &open_reader(path)?)?;
    }
    clear_leftovers(settings, path);
    let admission = admit(settings, read_or_make_key(path)?, &open_reader(path)?);
    let (presence, damaged_tables) = (store.presence(), store.damaged_tables());
    let bodies = settings.ingest.quarantine_rows as u64;
    let limits = QuarantineLimits { bodies, bytes: settings.ingest.quarantine_bytes };
    let directory = DirectoryWriter::open(Box::new(store), limits)?;
    let (reads, answer_within) = (&settings.reads, settings.ingest.answer_within);
    let reader = |cache: i64| {
        let reader = SqliteReader::open_with_cache(path, cache)?.doubting(damaged_tables.clone());
        Ok(DirectoryReader::new(reader))
    };
    let lane = |readers: usize, waiting: usize, within: Duration| {
        let readers: Result<Vec<_>, OpenError> = (0..readers).map(|_| reader(READER_CACHE)).collect();
        readers.map(|readers| (readers, LaneBounds { waiting, within }))
    };
    // One thread, however many operators look.
    let console = LaneBounds { waiting: CONSOLE_WAITING, within: reads.long_within };
    let readers = Readers::start([
        lane(1, WAITING, PROBED_WITHIN)?,
        lane(reads.look_up_readers, WAITING, answer_within)?,
        lane(FEED_READERS, WAITING, answer_within)?,
        lane(reads.long_readers, reads.long_waiting, reads.long_within)?,
        (vec![reader(CONSOLE_CACHE)?], console),
    ]);
    let readers = readers.map_err(io("reader threads"))?;
    Ok(Opened { directory, readers, presence, damaged_tables, admission })
}

/// Who may use the admin listener, with the sessions that are stored.
fn admit(settings: &Settings, key: Key, reader: &DirectoryReader) -> Admission {
    let stored = reader.read_sessions().unwrap_or_else(|error| {
        tracing::warn!(%error, "the stored sessions cannot be read, so operators sign in again: {error}");
        (Vec::new(), 0)
    });
    Admission::new(&settings.console, key, stored, now_ms())
}

/// Refuses the demo app on a database of other apps: their webhooks would be answered 401, which is final.
fn no_other_apps(settings: &Settings, reader: &DirectoryReader) -> Result<(), ServerError> {
    let stored: Vec<String> = reader.list_apps()?.iter().map(|app| app.as_str().to_owned()).collect();
    Ok(settings.check_apps(&stored)?)
}

/// Removes files that killed processes left of a rebuild, a backup, a restore or an export.
fn clear_leftovers(settings: &Settings, database: &Path) {
    let folders: Vec<_> = settings.backup.folder.iter().cloned().collect();
    let (left, removed) = sqlite::remove_leftovers(database, &folders);
    for path in removed {
        tracing::info!(path = %path.display(), "removed an unfinished file of a killed process");
    }
    for (path, error) in left.into_iter().filter_map(|left| Some((left.path, left.error?))) {
        tracing::warn!(path = %path.display(), error, "cannot remove an unfinished file, which holds personal data: {error}");
    }
}
