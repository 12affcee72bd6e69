//! What the worker's side of a database remembers between transactions.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::time::Instant;

use rusqlite::Connection;

use super::clearing::Clearing;
use super::derived::{DamagedTables, KnownCounters, RemakeProgress, Remaking};
use super::epoch_marker::EpochMarker;
use super::files::presence::Presence;
use super::{Result, StoreOptions};
use crate::domain::AppId;
use crate::store::tables::{AnswerSecret, Clock, Feed, Horizon, Rules};
use crate::store::{JournalState, ReadRow as _, Seq};

/// What is remembered, so that it need not be asked for.
pub(super) struct State {
    pub(super) journal: JournalState,
    /// The last change of each app.
    pub(super) feeds: HashMap<AppId, u64>,
    /// By which version of its rules the directory was learned.
    pub(super) rules: i64,
    pub(super) mark: EpochMarker,
    /// No page of the file holds bytes of deleted rows.
    pub(super) clean: bool,
    pub(super) clearing: Clearing,
    pub(super) presence: Presence,
    /// The last thing done was a commit, which looks at the files as often as is needed.
    pub(super) checked: bool,
    /// The secret that hides the keys of stored answers.
    pub(super) answer_secret: [u8; 32],
    /// Derived tables that are being made anew.
    pub(super) remaking: Remaking,
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
            journal: journal_state(conn)?,
            feeds: feeds(conn)?,
            rules: Rules::only(conn)?.rules,
            clean: number(conn, "SELECT clean FROM horizon")? != 0,
            clearing: Clearing::read(conn)?,
            // By now every file of the database is open.
            presence: Presence::of(named, &options.path, mark.count()),
            mark,
            checked: false,
            answer_secret: AnswerSecret::only(conn)?.key,
            remaking: Remaking::read(conn)?,
            remaking_told: RemakeProgress::default(),
            damaged_tables: DamagedTables::default(),
            looked: Instant::now(),
        })
    }

    /// A derived table was made anew: what is remembered of the file is what it has now. What was given before stays
    /// given.
    pub(super) fn read_again(&mut self, conn: &Connection) -> Result<()> {
        let read = journal_state(conn)?;
        self.journal = JournalState {
            next_entry: self.journal.next_entry.max(read.next_entry),
            clock: self.journal.clock.max(read.clock),
            ..read
        };
        self.feeds = feeds(conn)?;
        self.rules = Rules::only(conn)?.rules;
        self.clean = number(conn, "SELECT clean FROM horizon")? != 0;
        self.clearing = Clearing::read(conn)?;
        self.answer_secret = AnswerSecret::only(conn)?.key;
        self.remaking = Remaking::read(conn)?;
        Ok(())
    }

    /// What the file must have of it.
    pub(super) fn known(&self) -> KnownCounters<'_> {
        KnownCounters {
            feeds: &self.feeds,
            epoch: self.mark.epoch(),
            clock: self.journal.clock,
            answer_key: &self.answer_secret,
            cleared: self.clearing.noted(),
            remaking: self.remaking,
            rules: self.rules,
            last_user: self.clearing.last_user(),
            horizon: (self.journal.compacted.0, self.journal.compacted.1, self.clean),
        }
    }
}

fn feeds(conn: &Connection) -> Result<HashMap<AppId, u64>> {
    Ok(Feed::select().read(conn)?.into_iter().map(|feed| (feed.app, feed.last)).collect())
}

fn number(conn: &Connection, sql: &str) -> Result<i64> {
    Ok(conn.query_row(sql, [], |row| row.get(0))?)
}

fn journal_state(conn: &Connection) -> Result<JournalState> {
    let compacted = Horizon::only(conn)?;
    Ok(JournalState {
        next_entry: next_entry(conn)?,
        clock: Clock::only(conn)?.time,
        compacted: (compacted.seq, compacted.received),
    })
}

/// The number of the next journal entry: higher than all that the file speaks of. The newest entries may have been
/// deleted, or be lost.
fn next_entry(conn: &Connection) -> Result<Seq> {
    let sql = "SELECT max((SELECT coalesce(max(seq), 0) FROM journal), seq,
                          (SELECT coalesce(max(first_seq), 0) FROM bodies),
                          (SELECT coalesce(max(seq), 0) FROM receipts),
                          coalesce((SELECT last FROM gaps ORDER BY first DESC LIMIT 1), 0),
                          (SELECT coalesce(max((SELECT journal FROM changes AS c WHERE c.app = f.app
                               ORDER BY c.seq DESC LIMIT 1)), 0) FROM feeds AS f)) + 1 FROM horizon";
    number(conn, sql).map(|seq| seq as Seq)
}
