//! The transaction of a SQLite store.

use std::collections::HashMap;
use std::time::Instant;

use super::clearing::Done;
use super::derived::require_row;
use super::listing::Listing;
use super::write_transaction::WriteTransaction;
use super::{
    State, checkpoint, compacted_rows, feed_rows, identifier_rows, journal_rows, rebuilt_rows, table_rows,
};
use crate::domain::AppId;
use crate::store::rows::Rows;
use crate::store::{Committed, Error, JournalState, Result, Transaction, UserWrite, Write};

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

impl<'a> SqliteTransaction<'a> {
    pub(super) fn new(txn: WriteTransaction<'a>, state: &'a mut State) -> Self {
        Self { txn, state }
    }

    fn apply(&self, writes: &[Write<'_>]) -> Result<Applied> {
        let (journal, rules) = (self.state.journal, self.state.rules);
        let (feeds, rows) = (HashMap::new(), Vec::new());
        let mut applied = Applied { journal, feeds, changes: 0, rules, cleared: None, rows };
        writes.iter().try_for_each(|write| self.apply_write(write, &mut applied))?;
        Ok(applied)
    }

    fn apply_write(&self, write: &Write<'_>, applied: &mut Applied) -> Result<()> {
        let conn = &*self.txn;
        let journal = &mut applied.journal;
        match write {
            Write::Insert(rows) => table_rows::insert(conn, rows)?,
            Write::Put(rows) => table_rows::put(conn, rows)?,
            Write::Add(rows) => table_rows::add(conn, rows)?,
            Write::Update(rows) => table_rows::update(conn, rows)?,
            Write::Delete(rows) => table_rows::delete(conn, rows)?,
            Write::PutUsers(users) => self.put_users(users, applied)?,
            Write::PutIdentifiers(rows) => identifier_rows::put(conn, rows)?,
            Write::DeleteIdentifiers(rows) => identifier_rows::delete(conn, rows)?,
            Write::ReplaceRows(rows) => rebuilt_rows::replace_rows(conn, self.state.remaking, rows)?,
            Write::AppendEntries(entries) => {
                journal_rows::append_entries(conn, entries)?;
                journal.next_entry = entries.last().map_or(journal.next_entry, |last| last.seq + 1);
            }
            Write::ReplaceEntry(entry) => journal_rows::replace_entry(conn, entry)?,
            Write::DeleteEntry(seq) => journal_rows::delete_entry(conn, *seq)?,
            Write::DeleteEntriesUpTo(seq) => journal_rows::delete_entries_up_to(conn, *seq)?,
            Write::PutBodies(packed) => journal_rows::put_bodies(conn, packed)?,
            Write::DeleteBodies(first) => journal_rows::delete_bodies(conn, *first)?,
            Write::AppendChanges(entry, changes) => {
                feed_rows::append_changes(conn, *entry, changes)?;
                applied.changes += changes.len() as u64;
                applied.feeds.extend(changes.iter().map(|(app, stored)| (app.clone(), stored.seq)));
                feed_rows::put_last_numbers(conn, &applied.feeds)?;
            }
            Write::SetChangeFields(app, seq, fields) => feed_rows::set_fields(conn, app, *seq, fields)?,
            Write::DeleteChangesUpTo(app, seq) => feed_rows::delete_up_to(conn, app, *seq)?,
            Write::SetCompactionPoint(seq, received) => {
                compacted_rows::set_point(conn, *seq, *received)?;
                journal.compacted = (*seq, *received);
            }
            Write::SetClock(clock) => {
                let mut update = conn.prepare_cached("UPDATE clock SET time = ?1")?;
                require_row(update.execute([*clock])?)?;
                journal.clock = *clock;
            }
            Write::SetRules(rules) => {
                require_row(conn.execute("UPDATE upkeep SET rules = ?1", [*rules])?)?;
                applied.rules = *rules;
            }
        }
        Ok(())
    }

    fn put_users(&self, users: &[UserWrite<'_>], applied: &mut Applied) -> Result<()> {
        let mut listing = Listing::new(&self.txn, self.state.remaking);
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
        &self.state.journal
    }

    fn last_change(&self, app: &AppId) -> u64 {
        self.state.feeds.get(app).copied().unwrap_or(0)
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
        (state.checked, state.journal, state.rules) = (true, journal, rules);
        state.feeds.extend(feeds);
        if let Some(done) = cleared {
            state.clearing.committed(done);
        }
        Ok(Committed { rows, sync_time })
    }
}
