//! The transaction of a SQLite store, and what the store remembers between transactions.

use std::collections::HashMap;
use std::fs::File;
use std::ops::Deref;
use std::path::Path;
use std::time::Instant;

use rusqlite::Connection;

use super::clearing::{Clearing, Done};
use super::derived::{DamagedTables, KnownCounters, RemakeProgress};
use super::epoch_marker::EpochMarker;
use super::files::presence::Presence;
use super::listing::Listing;
use super::{StoreOptions, checkpoint, table_rows};
use crate::domain::AppId;
use crate::store::cell::Cell;
use crate::store::rows::Rows;
use crate::store::tables::{CHANGES, CLOCK, Clock, FEEDS, Feed, HORIZON, Horizon, JOURNAL, Rules, UPKEEP};
use crate::store::{
    Committed, Error, JournalState, ReadRow as _, Result, RowCells, Seq, Transaction, UserWrite, Write,
};

/// What the worker's side of a database remembers between transactions, so that it need not be asked for.
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

/// A write transaction, rolled back when it is dropped. Its two statements are cached: `rusqlite::Transaction`
/// would parse them anew for every batch.
pub(super) struct WriteTransaction<'c>(&'c Connection);

impl<'c> WriteTransaction<'c> {
    /// Begins it, once no other connection writes.
    pub(super) fn begin(conn: &'c mut Connection) -> rusqlite::Result<Self> {
        conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(Self(conn))
    }

    /// Commits it. The data is on disk when this returns.
    pub(super) fn commit(self) -> rusqlite::Result<()> {
        self.0.prepare_cached("COMMIT")?.execute([]).map(drop)
    }
}

impl Deref for WriteTransaction<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.0
    }
}

impl Drop for WriteTransaction<'_> {
    fn drop(&mut self) {
        if !self.0.is_autocommit()
            && let Err(error) = self.0.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "cannot roll back a batch: {error}");
        }
    }
}

/// See [`Transaction`]. What the store remembers between transactions changes only with the commit.
pub(super) struct SqliteTransaction<'a> {
    pub(super) txn: WriteTransaction<'a>,
    pub(super) state: &'a mut State,
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

impl SqliteTransaction<'_> {
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

    fn journal_state(&self) -> JournalState {
        self.state.known.journal
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
