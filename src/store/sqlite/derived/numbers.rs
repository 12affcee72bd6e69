//! Counters and clocks: tables with one row, and the last numbers given. Each is at least what was given already.
//! A running service remembers them; otherwise they are derived from the journal and the feed.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::kind::{Remaking, Tell};
use super::schema::create_missing;
use crate::domain::{AppId, RecordKey};
use crate::store::sqlite::Result;
use crate::store::sqlite::connection::{execute, query_one};
use crate::store::sqlite::epoch_marker::find_epoch;
use crate::store::tables::{AnswerSecret, Clock, CompactedRecord, Feed, Horizon, Rules};
use crate::store::{FeedEpoch, JournalState, ReadRow as _, Seq};

const PAGE: usize = 1000;

pub(super) const TABLES: &[&str] = &["upkeep", "clock", "answer_key", "feeds", "epochs", "horizon"];

/// The rules that must hold, and the fault if one does not. Imports are excluded: their times come from the clock
/// of another directory.
const RULES: [(&str, &str); 7] = [
    ("SELECT count(*) = 1 FROM upkeep", "the state of maintenance is missing"),
    ("SELECT count(*) = 1 FROM clock", "the clock of the API is missing"),
    ("SELECT count(*) = 1 FROM answer_key", "the key that hides idempotency keys is missing"),
    ("SELECT count(*) = 1 FROM horizon", "the horizon of the journal is missing"),
    (
        "SELECT seq > 0 OR NOT EXISTS (SELECT 1 FROM base) FROM horizon",
        "the horizon is behind the compacted records",
    ),
    (
        "SELECT time >= coalesce((SELECT max(event_time) FROM
             (SELECT event_time, source, trigger FROM journal ORDER BY seq DESC LIMIT 1000)
             WHERE source = 'api' AND trigger <> 'api:import' AND event_time <= unixepoch('subsec') * 1000000), 0) FROM clock",
        "the clock of the API is behind its last event",
    ),
    (
        "WITH RECURSIVE apps (app) AS (SELECT min(app) FROM changes UNION ALL
             SELECT (SELECT min(c.app) FROM changes AS c WHERE c.app > apps.app) FROM apps WHERE app IS NOT NULL)
         SELECT NOT EXISTS (SELECT 1 FROM apps WHERE (SELECT max(seq) FROM changes AS c WHERE c.app = apps.app)
             > coalesce((SELECT seq FROM feeds WHERE feeds.app = apps.app), 0))",
        "the last number of a feed is behind its changes",
    ),
];

/// A database gets its epoch when it is opened.
const EPOCH: (&str, &str) = (
    "SELECT count(*) = 1 FROM epochs WHERE epoch BETWEEN 0 AND (1 << 48) - 1",
    "the epoch of the feed is missing",
);

pub(super) fn check(conn: &Connection, tell: Tell<'_>) -> Result<Option<String>> {
    tell(1)?;
    wrong(conn, &[&RULES[..], &[EPOCH]].concat())
}

pub(super) fn probe(conn: &Connection) -> Result<bool> {
    Ok(wrong(conn, &RULES)?.is_none())
}

fn wrong(conn: &Connection, rules: &[(&str, &str)]) -> Result<Option<String>> {
    for (rule, wrong) in rules {
        if !query_one::<bool>(conn, rule, [])? {
            return Ok(Some((*wrong).to_owned()));
        }
    }
    Ok(None)
}

/// Without a row in `upkeep` all other tables are remade. A lost epoch is replaced when
/// the database is opened: by a new one, unless the service remembers it.
pub(super) fn make(conn: &Connection) -> Result<()> {
    create_missing(conn, &["answers"])?;
    conn.execute_batch(
        "INSERT INTO upkeep (one, cleared, filled, identified, sortable, searchable)
             SELECT 1, 0, 0, -1, -1, -1 WHERE NOT EXISTS (SELECT 1 FROM upkeep);
         INSERT INTO clock (one, time)
             SELECT 1, coalesce(max(event_time), 0) FROM journal
                 WHERE source = 'api' AND trigger <> 'api:import' AND event_time <= unixepoch('subsec') * 1000000
             ON CONFLICT (one) DO UPDATE SET time = max(time, excluded.time);
         DELETE FROM answers WHERE NOT EXISTS (SELECT 1 FROM answer_key);
         INSERT OR IGNORE INTO answer_key (one, key) VALUES (1, randomblob(32));
         INSERT INTO feeds (app, seq) SELECT app, max(seq) FROM changes WHERE true GROUP BY app
             ON CONFLICT (app) DO UPDATE SET seq = max(seq, excluded.seq);",
    )?;
    if wrong(conn, &RULES[3..5])?.is_some() {
        make_horizon(conn)?;
    }
    Ok(())
}

/// The horizon is the last entry that a compacted record knows; bodies before it are dropped. Clears the `clean`
/// flag, so that the next start vacuums the file.
fn make_horizon(conn: &Connection) -> Result<()> {
    let last_of_records = last_compacted_head(conn, &mut |_| Ok(()))?;
    let mut last = last_of_records.unwrap_or(0);
    let number = |sql: &str, seq: Seq| {
        let found = conn.query_row(sql, [seq as i64], |row| row.get::<_, Option<i64>>(0)).optional();
        found.map(Option::flatten)
    };
    if last_of_records.is_some() {
        let sql =
            "SELECT coalesce((SELECT min(first_seq) - 1 FROM bodies), (SELECT max(seq) FROM journal), ?1)";
        last = last.max(number(sql, last)?.unwrap_or(0) as Seq);
    }
    let before = number("SELECT received FROM journal WHERE seq <= ?1 ORDER BY seq DESC LIMIT 1", last)?;
    // An unknown time is refused to requests about it.
    let sql = "SELECT received FROM journal WHERE seq > ?1 ORDER BY seq LIMIT 1";
    let received = if last == 0 { Some(0) } else { before.or(number(sql, last)?) };
    let sql = "INSERT OR REPLACE INTO horizon (one, seq, received, clean) VALUES (1, ?1, ?2, 0)";
    conn.execute(sql, params![last as i64, received.unwrap_or(0)])?;
    Ok(())
}

/// The last entry that a compacted record knows, 0 if none does; `None` if there is no record.
pub(crate) fn last_compacted_head(conn: &Connection, tell: Tell<'_>) -> Result<Option<Seq>> {
    let (mut after, mut last): (Option<RecordKey>, Option<Seq>) = (None, None);
    loop {
        let page = CompactedRecord::select().after_last(after.as_ref()).limit(PAGE).read(conn)?;
        tell(page.len() as u64)?;
        let Some(end) = page.last() else { return Ok(last) };
        after = Some((end.app.clone(), end.id.clone()));
        for stored in &page {
            let head = stored.decode()?.head.unwrap_or(0);
            last = Some(last.unwrap_or(0).max(head));
        }
    }
}

/// The counters that a running service remembers. Only the service writes them, so the file must match.
#[derive(Clone, PartialEq)]
pub(crate) struct KnownCounters {
    pub(crate) journal: JournalState,
    pub(crate) feeds: HashMap<AppId, u64>,
    pub(crate) epoch: Option<FeedEpoch>,
    pub(crate) answer_key: [u8; 32],
    /// No page of the file holds bytes of deleted rows.
    pub(crate) is_clean: bool,
    /// The last move of which no outdated row of `seen` is left.
    pub(crate) cleared: i64,
    pub(crate) remaking: Remaking,
    /// The version of the rules by which the directory was built.
    pub(crate) rules: i64,
}

impl KnownCounters {
    pub(crate) fn read(conn: &Connection) -> Result<Self> {
        let horizon = Horizon::only(conn)?;
        Ok(Self {
            journal: JournalState {
                next_entry: query_one::<i64>(conn, NEXT_ENTRY, [])? as Seq,
                clock: Clock::only(conn)?.time,
                compacted: (horizon.seq, horizon.received),
            },
            feeds: Feed::select().read(conn)?.into_iter().map(|feed| (feed.app, feed.last)).collect(),
            epoch: find_epoch(conn)?,
            answer_key: AnswerSecret::only(conn)?.key,
            is_clean: query_one(conn, "SELECT clean FROM horizon", [])?,
            cleared: query_one(conn, "SELECT cleared FROM upkeep", [])?,
            remaking: Remaking::read(conn)?,
            rules: Rules::only(conn)?.rules,
        })
    }

    /// Whether the file matches.
    pub(super) fn is_in(&self, conn: &Connection) -> Result<bool> {
        let mut found = Self::read(conn)?;
        found.journal.next_entry = self.journal.next_entry;
        Ok(found == *self)
    }

    /// Writes the counters that the file has lost.
    pub(crate) fn put_back(&self, conn: &Connection) -> Result<()> {
        create_missing(conn, TABLES)?;
        for (app, seq) in &self.feeds {
            let sql = "INSERT INTO feeds (app, seq) VALUES (?1, ?2)
                           ON CONFLICT (app) DO UPDATE SET seq = max(seq, excluded.seq)";
            execute(conn, sql, params![app.as_str(), *seq as i64])?;
        }
        if let Some(FeedEpoch { epoch, is_first }) = self.epoch {
            let sql = "INSERT OR REPLACE INTO epochs (one, epoch, is_first) VALUES (1, ?1, ?2)";
            execute(conn, sql, params![epoch.number(), is_first])?;
        }
        let JournalState { clock, compacted: (seq, received), .. } = self.journal;
        execute(conn, "INSERT OR REPLACE INTO clock (one, time) VALUES (1, ?1)", [clock])?;
        execute(conn, "INSERT OR REPLACE INTO answer_key (one, key) VALUES (1, ?1)", [self.answer_key])?;
        let sql = "INSERT OR REPLACE INTO horizon (one, seq, received, clean) VALUES (1, ?1, ?2, ?3)";
        execute(conn, sql, params![seq as i64, received, self.is_clean])?;
        let sql = "INSERT INTO upkeep (one, cleared, sortable, searchable, rules) VALUES (1, ?1, ?2, ?3, ?4)
                       ON CONFLICT (one) DO UPDATE SET cleared = excluded.cleared, sortable = excluded.sortable,
                           searchable = excluded.searchable, rules = excluded.rules";
        execute(conn, sql, params![self.cleared, self.remaking.seen, self.remaking.search, self.rules])?;
        Ok(())
    }
}

/// The number of the next journal entry: higher than all that the file speaks of. The newest entries may have been
/// deleted, or be lost.
const NEXT_ENTRY: &str = "
    SELECT max((SELECT coalesce(max(seq), 0) FROM journal), seq,
               (SELECT coalesce(max(first_seq), 0) FROM bodies),
               (SELECT coalesce(max(seq), 0) FROM receipts),
               coalesce((SELECT last FROM gaps ORDER BY first DESC LIMIT 1), 0),
               (SELECT coalesce(max((SELECT journal FROM changes AS c WHERE c.app = f.app
                    ORDER BY c.seq DESC LIMIT 1)), 0) FROM feeds AS f)) + 1 FROM horizon";
