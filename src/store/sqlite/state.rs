//! What the worker's side of a database remembers between transactions.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::time::Instant;

use rusqlite::Connection;

use super::answer_key::AnswerKey;
use super::clearing::Clearing;
use super::derived::{DamagedTables, KnownCounters, RemakeProgress, Remaking};
use super::epoch_marker::EpochMarker;
use super::files::presence::Presence;
use super::forget::Tombstones;
use super::kept::Kept;
use super::{Result, StoreOptions};
use crate::directory::cache::Cache;
use crate::domain::AppId;
use crate::format::bodies::Packer;
use crate::store::Seq;

/// What is remembered, so that it need not be asked for.
pub(super) struct State {
    pub(super) next_seq: Seq,
    pub(super) clock: i64,
    /// The last change of each app.
    pub(super) feeds: HashMap<AppId, u64>,
    /// By which version of its rules the directory was learned.
    pub(super) rules: i64,
    pub(super) mark: EpochMarker,
    pub(super) kept: Kept,
    pub(super) quarantine_bounds: (u64, u64),
    pub(super) packer: Packer,
    pub(super) cache: Cache,
    pub(super) clearing: Clearing,
    pub(super) presence: Presence,
    /// The last thing done was a commit, which looks at the files as often as is needed.
    pub(super) checked: bool,
    pub(super) tombstones: Tombstones,
    /// What hides the keys of kept answers.
    pub(super) answer_key: AnswerKey,
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
            next_seq: next_seq(conn)?,
            clock: number(conn, "SELECT time FROM clock")?,
            feeds: feeds(conn)?,
            rules: number(conn, "SELECT rules FROM upkeep")?,
            kept: Kept::read(conn)?,
            quarantine_bounds: (options.quarantine_rows, options.quarantine_bytes),
            packer: Packer::new()?,
            cache: Cache::default(),
            clearing: Clearing::read(conn)?,
            // By now every file of the database is open.
            presence: Presence::of(named, &options.path, mark.count()),
            mark,
            checked: false,
            tombstones: Tombstones::read(conn)?,
            answer_key: AnswerKey::read(conn)?,
            remaking: Remaking::read(conn)?,
            remaking_told: RemakeProgress::default(),
            damaged_tables: DamagedTables::default(),
            looked: Instant::now(),
        })
    }

    /// A derived table was made anew: what is remembered of the file is what it has now. What was given before stays
    /// given.
    pub(super) fn read_again(&mut self, conn: &Connection) -> Result<()> {
        self.next_seq = self.next_seq.max(next_seq(conn)?);
        self.clock = self.clock.max(number(conn, "SELECT time FROM clock")?);
        self.feeds = feeds(conn)?;
        self.rules = number(conn, "SELECT rules FROM upkeep")?;
        self.kept = Kept::read(conn)?;
        self.cache = Cache::default();
        self.clearing = Clearing::read(conn)?;
        self.tombstones = Tombstones::read(conn)?;
        self.answer_key = AnswerKey::read(conn)?;
        self.remaking = Remaking::read(conn)?;
        Ok(())
    }

    /// What the file must have of it.
    pub(super) fn known(&self) -> KnownCounters<'_> {
        KnownCounters {
            feeds: &self.feeds,
            epoch: self.mark.epoch(),
            clock: self.clock,
            answer_key: self.answer_key.bytes(),
            cleared: self.clearing.noted(),
            remaking: self.remaking,
            rules: self.rules,
            last_user: self.clearing.last_user(),
            horizon: (self.kept.folded, self.kept.received, self.kept.clean),
        }
    }
}

fn number(conn: &Connection, sql: &str) -> Result<i64> {
    Ok(conn.query_row(sql, [], |row| row.get(0))?)
}

/// The number of the next journal entry: behind all that anything in the file speaks of. The newest entries may have
/// been let go, or be lost.
fn next_seq(conn: &Connection) -> Result<Seq> {
    let sql = "SELECT max((SELECT coalesce(max(seq), 0) FROM journal), seq,
                          (SELECT coalesce(max(first_seq), 0) FROM bodies),
                          (SELECT coalesce(max((SELECT journal FROM changes AS c WHERE c.app = f.app
                               ORDER BY c.seq DESC LIMIT 1)), 0) FROM feeds AS f)) + 1 FROM horizon";
    number(conn, sql).map(|seq| seq as Seq)
}

/// The last change of each app.
fn feeds(conn: &Connection) -> Result<HashMap<AppId, u64>> {
    let mut select = conn.prepare("SELECT app, seq FROM feeds")?;
    let rows = select
        .query_map([], |row| Ok((AppId::from(row.get_ref(0)?.as_str()?), row.get::<_, i64>(1)? as u64)));
    Ok(rows?.collect::<rusqlite::Result<_>>()?)
}
