//! Counters and clocks: tables with one row, and the last numbers given. Each is at least what was given already.
//! A running service remembers them; otherwise they are derived from the journal and the feed.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::kind::{Tell, query_bool};
use super::remaking::Remaking;
use super::schema::{is_there, recreate};
use crate::domain::AppId;
use crate::store::sqlite::{Result, compacted};
use crate::store::{FeedEpoch, Seq};

/// Their tables.
const TABLES: [&str; 6] = ["upkeep", "clock", "answer_key", "feeds", "epochs", "horizon"];

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

/// See [`super::Derived`].
pub(super) fn check(conn: &Connection, tell: Tell<'_>) -> Result<Option<String>> {
    tell(1)?;
    wrong(conn, &[&RULES[..], &[EPOCH]].concat())
}

/// See [`super::Derived`].
pub(super) fn probe(conn: &Connection) -> Result<bool> {
    Ok(wrong(conn, &RULES)?.is_none())
}

fn wrong(conn: &Connection, rules: &[(&str, &str)]) -> Result<Option<String>> {
    for name in TABLES {
        if !is_there(conn, name)? {
            return Ok(Some(format!("the table {name} is missing")));
        }
    }
    for (rule, wrong) in rules {
        if !query_bool(conn, rule)? {
            return Ok(Some((*wrong).to_owned()));
        }
    }
    Ok(None)
}

/// See [`super::Derived`]. Without a row in `upkeep` all other tables are remade. A lost epoch is replaced when
/// the database is opened: by a new one, unless the service remembers it.
pub(super) fn make(conn: &Connection) -> Result<()> {
    make_tables(conn)?;
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

fn make_tables(conn: &Connection) -> Result<()> {
    for name in TABLES.into_iter().chain(["answers"]) {
        if !is_there(conn, name)? {
            recreate(conn, "TABLE", name, &[])?;
        }
    }
    Ok(())
}

/// The horizon is the last entry that a compacted record knows; bodies before it are dropped. Clears the `clean`
/// flag, so that the next start vacuums the file.
fn make_horizon(conn: &Connection) -> Result<()> {
    let last_of_records = compacted::each_head(conn, &mut |_| Ok(()))?;
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

/// The counters that a running service remembers. Only the service writes them, so the file must match.
pub(crate) struct KnownCounters<'k> {
    /// The last change of each app.
    pub(crate) feeds: &'k HashMap<AppId, u64>,
    pub(crate) epoch: FeedEpoch,
    pub(crate) clock: i64,
    pub(crate) answer_key: &'k [u8; 32],
    /// See the columns of `upkeep`.
    pub(crate) cleared: i64,
    pub(crate) remaking: Remaking,
    pub(crate) rules: i64,
    /// A lower bound of the last row of `app_users`.
    pub(crate) last_user: i64,
    /// The last compacted entry, when it was received, and whether the file is clean.
    pub(crate) horizon: (Seq, i64, bool),
}

impl KnownCounters<'_> {
    /// Whether the file matches.
    pub(super) fn is_in(&self, conn: &Connection) -> Result<bool> {
        let sql = "SELECT coalesce((SELECT count(*) FROM feeds) = ?1 AND (SELECT sum(seq) FROM feeds) IS ?2
                       AND (SELECT (epoch, is_first) = (?3, ?4) FROM epochs)
                       AND (SELECT time FROM clock) = ?5 AND (SELECT key FROM answer_key) = ?6
                       AND (SELECT cleared = ?7 AND sortable IS ?8 AND searchable IS ?9 AND rules = ?10 FROM upkeep)
                       AND (SELECT (seq, received, clean) = (?11, ?12, ?13) FROM horizon), 0)";
        let sum = (!self.feeds.is_empty()).then(|| self.feeds.values().sum::<u64>() as i64);
        let (seq, received, clean) = self.horizon;
        let row = params![
            self.feeds.len() as i64,
            sum,
            self.epoch.epoch.number(),
            self.epoch.is_first,
            self.clock,
            &self.answer_key[..],
            self.cleared,
            self.remaking.seen,
            self.remaking.search,
            self.rules,
            seq as i64,
            received,
            clean,
        ];
        let mut select = conn.prepare_cached(sql)?;
        Ok(select.query_row(row, |row| row.get(0))?)
    }

    /// Writes the counters that the file has lost.
    pub(crate) fn put_back(&self, conn: &Connection) -> Result<()> {
        make_tables(conn)?;
        let run = |sql: &str, row: &[&dyn rusqlite::ToSql]| conn.execute(sql, row).map(drop);
        for (app, seq) in self.feeds {
            let sql = "INSERT INTO feeds (app, seq) VALUES (?1, ?2)
                           ON CONFLICT (app) DO UPDATE SET seq = max(seq, excluded.seq)";
            run(sql, &[&app.as_str(), &(*seq as i64)])?;
        }
        let sql = "INSERT OR REPLACE INTO epochs (one, epoch, is_first) VALUES (1, ?1, ?2)";
        run(sql, &[&self.epoch.epoch.number(), &self.epoch.is_first])?;
        run("INSERT OR REPLACE INTO clock (one, time) VALUES (1, ?1)", &[&self.clock])?;
        run("INSERT OR REPLACE INTO answer_key (one, key) VALUES (1, ?1)", &[&&self.answer_key[..]])?;
        let (seq, received, clean) = self.horizon;
        let sql = "INSERT OR REPLACE INTO horizon (one, seq, received, clean) VALUES (1, ?1, ?2, ?3)";
        run(sql, &[&(seq as i64), &received, &clean])?;
        let sql = "INSERT INTO upkeep (one, cleared, sortable, searchable, rules) VALUES (1, ?1, ?2, ?3, ?4)
                       ON CONFLICT (one) DO UPDATE SET cleared = excluded.cleared, sortable = excluded.sortable,
                           searchable = excluded.searchable, rules = excluded.rules";
        run(sql, &[&self.cleared, &self.remaking.seen, &self.remaking.search, &self.rules])?;
        Ok(())
    }
}
