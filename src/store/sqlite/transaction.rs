//! The transaction of a SQLite store.

use std::collections::HashMap;
use std::time::Instant;

use super::clearing::Done;
use super::listing::Listing;
use super::write_transaction::WriteTransaction;
use super::{State, checkpoint, table_rows};
use crate::domain::AppId;
use crate::store::cell::Cell;
use crate::store::rows::Rows;
use crate::store::tables::{CHANGES, CLOCK, Clock, FEEDS, Feed, HORIZON, Horizon, JOURNAL, Rules, UPKEEP};
use crate::store::{
    Committed, Error, JournalState, ReadRow as _, Result, RowCells, Seq, Transaction, UserWrite, Write,
};

/// See [`Transaction`]. What the store remembers between transactions changes only with the commit.
pub(super) struct SqliteTransaction<'a> {
    txn: WriteTransaction<'a>,
    state: &'a mut State,
}

/// What the store remembers after the commit.
struct Applied {
    journal: JournalState,
    feeds: HashMap<AppId, u64>,
    changes: u64,
    rules: i64,
    cleared: Option<Done>,
    rows: Vec<i64>,
}

impl Applied {
    /// Notes new rows.
    fn note_inserted(&mut self, rows: &RowCells<'_>) {
        let name = rows.table.name;
        if name == JOURNAL.name {
            if let Some([Cell::Integer(last), ..]) = rows.rows().next_back() {
                self.journal.next_entry = *last as Seq + 1;
            }
        } else if name == CHANGES.name {
            self.changes += rows.rows().len() as u64;
        }
    }

    /// Notes changed rows.
    fn note_changed(&mut self, rows: &RowCells<'_>) -> Result<()> {
        let name = rows.table.name;
        for row in rows.rows() {
            if name == FEEDS.name {
                let Feed { app, last } = Feed::read(row)?;
                self.feeds.insert(app, last);
            } else if name == CLOCK.name {
                self.journal.clock = Clock::read(row)?.time;
            } else if name == HORIZON.name {
                let Horizon { seq, received } = Horizon::read(row)?;
                self.journal.compacted = (seq, received);
            } else if name == UPKEEP.name {
                self.rules = Rules::read(row)?.rules;
            }
        }
        Ok(())
    }
}

impl<'a> SqliteTransaction<'a> {
    pub(super) fn new(txn: WriteTransaction<'a>, state: &'a mut State) -> Self {
        Self { txn, state }
    }

    fn apply(&self, writes: &[Write<'_>]) -> Result<Applied> {
        let (journal, rules) = (self.state.known.journal, self.state.known.rules);
        let (feeds, rows) = (HashMap::new(), Vec::new());
        let mut applied = Applied { journal, feeds, changes: 0, rules, cleared: None, rows };
        writes.iter().try_for_each(|write| self.apply_write(write, &mut applied))?;
        Ok(applied)
    }

    fn apply_write(&self, write: &Write<'_>, applied: &mut Applied) -> Result<()> {
        let conn = &*self.txn;
        match write {
            Write::Insert(rows) => {
                table_rows::insert(conn, rows)?;
                applied.note_inserted(rows);
            }
            Write::Put(rows) => {
                table_rows::put(conn, rows)?;
                applied.note_changed(rows)?;
            }
            Write::Add(rows) => table_rows::add(conn, rows)?,
            Write::Update(rows) => {
                table_rows::update(conn, rows)?;
                applied.note_changed(rows)?;
            }
            Write::Delete(rows) => table_rows::delete(conn, rows)?,
            Write::DeleteWhere(table, conditions) => table_rows::delete_where(conn, table, conditions)?,
            Write::PutUsers(users) => self.put_users(users, applied)?,
            Write::ReplaceUsers(users) => {
                let mut listing = Listing::new(conn, self.state.known.remaking);
                users.iter().try_for_each(|(key, user)| listing.replace(key, *user))?;
                listing.finish()?;
            }
        }
        Ok(())
    }

    fn put_users(&self, users: &[UserWrite<'_>], applied: &mut Applied) -> Result<()> {
        let mut listing = Listing::new(&self.txn, self.state.known.remaking);
        for user in users {
            match user.row {
                Some(row) => listing.change(user, row)?,
                None => applied.rows.push(listing.add(user)?),
            }
        }
        let last = applied.rows.last().copied().unwrap_or(0);
        applied.cleared = Some(self.state.clearing.step(&self.txn, listing.finish()?, last)?);
        Ok(())
    }
}

impl Transaction for SqliteTransaction<'_> {
    fn rows(&self) -> &dyn Rows {
        &*self.txn
    }

    fn journal_state(&self) -> &JournalState {
        &self.state.known.journal
    }

    fn last_change(&self, app: &AppId) -> u64 {
        self.state.known.feeds.get(app).copied().unwrap_or(0)
    }

    fn commit(self: Box<Self>, writes: &[Write<'_>]) -> Result<Committed> {
        let applied = self.apply(writes)?;
        let Self { txn, state } = *self;
        let Applied { journal, feeds, changes, rules, cleared, rows } = applied;
        state.mark.add(changes);
        let began = Instant::now();
        if let Err(error) = txn.commit() {
            state.mark.take_back(changes);
            return Err(Error::from(error));
        }
        // Before anything is acknowledged.
        state.presence.check_committed(checkpoint::pages())?;
        let sync_time = began.elapsed();
        (state.checked, state.known.journal, state.known.rules) = (true, journal, rules);
        state.known.feeds.extend(feeds);
        if let Some(done) = cleared {
            state.known.cleared = done.noted;
            state.clearing.committed(done);
        }
        Ok(Committed { rows, sync_time })
    }
}
