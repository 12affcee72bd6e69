//! What the worker's side of a database remembers between transactions.

use std::fs::File;
use std::path::Path;
use std::time::Instant;

use rusqlite::Connection;

use super::clearing::Clearing;
use super::derived::{DamagedTables, KnownCounters, RemakeProgress};
use super::epoch_marker::EpochMarker;
use super::files::presence::Presence;
use super::{Result, StoreOptions};

/// What is remembered, so that it need not be asked for.
pub(super) struct State {
    pub(super) known: KnownCounters,
    pub(super) mark: EpochMarker,
    pub(super) clearing: Clearing,
    pub(super) presence: Presence,
    /// The last thing done was a commit, which looks at the files as often as is needed.
    pub(super) checked: bool,
    pub(super) remaking_told: RemakeProgress,
    /// What readers found to be damaged.
    pub(super) damaged_tables: DamagedTables,
    /// When the derived tables were looked at last.
    pub(super) looked: Instant,
}

impl State {
    pub(super) fn read(conn: &Connection, options: &StoreOptions, named: &Path, lock: &File) -> Result<Self> {
        let mark = EpochMarker::open(conn, lock, &options.path)?;
        Ok(Self {
            known: KnownCounters::read(conn)?,
            clearing: Clearing::read(conn)?,
            // By now every file of the database is open.
            presence: Presence::of(named, &options.path, mark.count()),
            mark,
            checked: false,
            remaking_told: RemakeProgress::default(),
            damaged_tables: DamagedTables::default(),
            looked: Instant::now(),
        })
    }

    /// A derived table was made anew: what is remembered of the file is what it has now. What was given before stays
    /// given.
    pub(super) fn read_again(&mut self, conn: &Connection) -> Result<()> {
        let before = std::mem::replace(&mut self.known, KnownCounters::read(conn)?).journal;
        let journal = &mut self.known.journal;
        journal.next_entry = journal.next_entry.max(before.next_entry);
        journal.clock = journal.clock.max(before.clock);
        self.clearing = Clearing::read(conn)?;
        Ok(())
    }
}
