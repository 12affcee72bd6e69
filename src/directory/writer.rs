//! The writing side of a directory: its store, and what is remembered between transactions.

use super::audit::audit_of_repair;
use super::cache::Cache;
use super::rebuilt::{plan_repair, replace_writes};
use super::retention::RetentionStep;
use super::save::NewChanges;
use super::tallies::NewCounts;
use super::transaction::{DirectoryTransaction, QuarantineLimits, WriterState};
use crate::domain::WorkingSet;
use crate::store::rows::RebuiltRow;
use crate::store::tables::Rules;
use crate::store::{
    Actor, AuditEntry, BodyReader, Error, Maintained, Result, Retention, RowCells, Store, Write,
};

/// The single writer of a directory.
pub struct DirectoryWriter {
    store: Box<dyn Store>,
    state: WriterState,
}

impl DirectoryWriter {
    /// A writer of a store.
    pub fn open(mut store: Box<dyn Store>, quarantine: QuarantineLimits) -> Result<Self> {
        let state = WriterState::read(&*store.begin()?, quarantine)?;
        Ok(Self { store, state })
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// The database cannot be written, or a file of it was lost.
    pub fn begin(&mut self) -> Result<DirectoryTransaction<'_>> {
        let Self { store, state } = self;
        let txn = store.begin()?;
        state.cache.begin();
        Ok(DirectoryTransaction { txn, state })
    }

    /// Keeps the records of a batch that was committed, so that the next batch need not load them again.
    pub fn cache_records(&mut self, committed: WorkingSet) {
        self.state.cache.keep(committed);
    }

    /// Replaces rows of the directory, and adds to the feed what that changes, and to the audit log who did it, if
    /// somebody did; `now` in ms since 1970.
    pub fn replace_rows(&mut self, rows: &[RebuiltRow], by: Option<&Actor>, now: i64) -> Result<()> {
        // The cache holds the records as they were before.
        self.state.cache = Cache::default();
        let txn = self.store.begin()?;
        let changes = plan_repair(txn.rows(), rows)?;
        let last_entry = txn.journal_state().next_entry.saturating_sub(1);
        let changes = NewChanges::number(&*txn, now, last_entry, changes);
        let mut writes = replace_writes(rows)?;
        changes.append_to(&mut writes)?;
        let audited = by.map(|by| audit_of_repair(rows, by, now));
        writes.extend(audited.as_ref().map(|entry| Write::Insert(RowCells::of([entry]))));
        txn.commit(&writes).map(drop)
    }

    /// Adds an entry to the audit log.
    pub fn add_audited(&mut self, entry: &AuditEntry) -> Result<()> {
        self.store.begin()?.commit(&[Write::Insert(RowCells::of([entry]))]).map(drop)
    }

    /// Stores by which version of its rules the directory was built; see [`crate::domain::RULES_VERSION`].
    pub fn set_rules(&mut self, rules: i64) -> Result<()> {
        self.store.begin()?.commit(&[Write::update(&Rules { rules })]).map(drop)
    }

    /// Work of the store between two transactions.
    pub fn after_commit(&mut self) -> Result<()> {
        self.store.after_commit()
    }

    /// Takes one small step: of the store's maintenance, of an erasure, or of retention. Returns whether there may be
    /// more to do at once; `now` in ms since 1970.
    pub fn maintenance_step(
        &mut self,
        retention: &Retention,
        now: i64,
        reading: &BodyReader,
    ) -> Result<bool> {
        match self.try_maintenance_step(retention, now, reading) {
            Err(error @ Error::Derived { .. }) => {
                // The next step remakes it. That step is not taken at once, in case it does not help.
                if let Error::Derived { name, why } = &error {
                    tracing::error!(table = name, why, "{name} is damaged: {why}");
                }
                self.store.report_error(&error);
                Ok(false)
            }
            more => more.inspect_err(|error| self.store.report_error(error)),
        }
    }

    fn try_maintenance_step(
        &mut self,
        retention: &Retention,
        now: i64,
        reading: &BodyReader,
    ) -> Result<bool> {
        match self.store.maintenance_step()? {
            Maintained::Nothing => {}
            Maintained::Step => return Ok(true),
            Maintained::Remade => {
                self.read_again()?;
                return Ok(true);
            }
        }
        let Self { store, state } = self;
        if state.erasure.step(&mut **store, &mut state.bodies, now, reading)? {
            return Ok(true);
        }
        let txn = store.begin()?;
        let journal = txn.journal_state();
        let step = RetentionStep { rows: txn.rows(), journal, retention, now, read: reading.event };
        let mut bodies = state.bodies;
        let (mut writes, more) = step.plan(&mut bodies)?;
        let tallies = state.tallies.plan(txn.rows(), NewCounts::default())?;
        writes.extend(tallies.to_write());
        if !writes.is_empty() {
            txn.commit(&writes)?;
        }
        state.bodies = bodies;
        state.tallies.note_committed(tallies);
        Ok(more)
    }

    /// Remakes a table that is derived from others; see [`Store::remake_table`].
    pub fn remake_table(&mut self, name: &str) -> Result<()> {
        self.store.remake_table(name)?;
        self.read_again()
    }

    /// Reads again what is remembered of the file.
    fn read_again(&mut self) -> Result<()> {
        // Whatever fails here, no row number of before is used again.
        self.state.cache = Cache::default();
        self.state = WriterState::read(&*self.store.begin()?, self.state.quarantine)?;
        Ok(())
    }

    /// Reports an error of a transaction; see [`Store::report_error`].
    pub fn report_error(&mut self, error: &Error) {
        self.store.report_error(error);
    }

    /// Ends orderly; see [`Store::finish`].
    pub fn finish(&mut self) -> Result<()> {
        self.store.finish()
    }

    /// Ends without another write; see [`Store::abandon`].
    pub fn abandon(self) {
        self.store.abandon();
    }
}
