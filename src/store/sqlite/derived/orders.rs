//! What lists are read from: indexes, the rows of `seen`, and the moves that cursors follow.

use rusqlite::{Connection, OptionalExtension, params};

use super::kind::{Pieces, Remaking, Tell, derived_error, probed_rows};
use super::schema::{is_there, recreate};
use crate::store::sqlite::Result;
use crate::store::sqlite::connection::query_one;

/// Every index that is not a table's key.
pub(super) const INDEXES: [&str; 2] = ["signed_up", "receipts_open"];

/// Rows and sums of an index, by the index and by its table.
const COUNTS: [(&str, &str, &str); 2] = [
    (
        "SELECT count(*), total(rowid), total(signed_up) FROM app_users INDEXED BY signed_up WHERE listed",
        "SELECT count(*), total(rowid), total(signed_up) FROM app_users NOT INDEXED WHERE listed",
        "signed_up",
    ),
    (
        "SELECT count(*), total(seq), 0.0 FROM receipts INDEXED BY receipts_open WHERE done IS NULL",
        "SELECT count(*), total(seq), 0.0 FROM receipts NOT INDEXED WHERE done IS NULL",
        "receipts_open",
    ),
];

pub(super) fn check_indexes(conn: &Connection, tell: Tell<'_>) -> Result<Option<String>> {
    if !has_indexes(conn)? {
        return Ok(Some("an index is missing".to_owned()));
    }
    for (by_index, by_table, name) in COUNTS {
        let count = |sql| {
            conn.query_row(sql, [], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, f64>(1)?, row.get::<_, f64>(2)?))
            })
        };
        let (is, should) = (count(by_index)?, count(by_table)?);
        tell(should.0.unsigned_abs())?;
        if is != should {
            return Ok(Some(format!("{name} has {} rows, and its table {}", is.0, should.0)));
        }
    }
    Ok(None)
}

pub(super) fn has_indexes(conn: &Connection) -> Result<bool> {
    INDEXES.into_iter().try_fold(true, |all, name| Ok(all && is_there(conn, name)?))
}

pub(super) fn make_indexes(conn: &Connection) -> Result<()> {
    INDEXES.into_iter().try_for_each(|name| recreate(conn, name, &[]))
}

pub(super) const SEEN: Pieces = Pieces { column: "sortable", empty: empty_seen, piece: fill_seen };

const PIECE: i64 = 500;

fn empty_seen(conn: &Connection) -> Result<()> {
    recreate(conn, "seen", &[])
}

fn fill_seen(conn: &Connection, from: i64) -> Result<Option<i64>> {
    let sql = "SELECT max(rowid) FROM (SELECT rowid FROM app_users WHERE rowid > ?1 ORDER BY rowid LIMIT ?2)";
    let Some(to) = query_one::<Option<i64>>(conn, sql, [from, PIECE])? else { return Ok(None) };
    let sql = "INSERT OR REPLACE INTO seen (app, last_seen, id, user)
                   SELECT app, last_seen, id, rowid FROM app_users WHERE rowid > ?1 AND rowid <= ?2 AND listed";
    conn.execute(sql, [from, to]).map_err(derived_error("seen"))?;
    Ok(Some(to))
}

pub(super) fn check_seen(conn: &Connection, tell: Tell<'_>) -> Result<Option<String>> {
    let number = |sql: &str| query_one::<i64>(conn, sql, []);
    let missing = number(
        "SELECT count(*) FROM app_users AS a WHERE listed AND NOT EXISTS (SELECT 1 FROM seen AS s
             WHERE s.app = a.app AND s.last_seen = a.last_seen AND s.id = a.id AND s.user = a.rowid)",
    )?;
    tell(1)?;
    if missing > 0 {
        return Ok(Some(format!("{missing} app users have no row, or a wrong one")));
    }
    let strange = number(
        "SELECT count(*) FROM seen AS s WHERE NOT EXISTS (SELECT 1 FROM app_users AS a
             WHERE a.rowid = s.user AND a.app = s.app AND a.id = s.id)",
    )?;
    tell(1)?;
    Ok((strange > 0).then(|| format!("{strange} rows lead to another app user")))
}

pub(super) fn probe_seen(conn: &Connection) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM app_users AS a WHERE rowid = ?1 AND (NOT listed OR EXISTS (
                   SELECT 1 FROM seen AS s WHERE s.app = a.app AND s.last_seen = a.last_seen AND s.id = a.id
                       AND s.user = a.rowid)))";
    let mut there = conn.prepare(sql)?;
    for rowid in probed_rows(conn)? {
        if !there.query_row([rowid], |row| row.get(0))? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Numbers without gaps, also up to those cleared; each row leads to the right app user.
const MOVES: [(&str, &str); 3] = [
    ("SELECT count(*) = 0 OR count(*) = max(n) - min(n) + 1 FROM moves", "some are missing between others"),
    (
        "SELECT coalesce((SELECT max(n) FROM moves), 0) >= cleared AND
             coalesce((SELECT min(n) FROM moves), cleared + 1) <= cleared + 1 FROM upkeep",
        "some that are needed are missing",
    ),
    (
        "SELECT NOT EXISTS (SELECT 1 FROM moves AS m JOIN app_users AS a ON a.rowid = m.user
             WHERE m.id <> '' AND (a.app, a.id) <> (m.app, m.id))",
        "some lead to another app user",
    ),
];

pub(super) fn check_moves(conn: &Connection, tell: Tell<'_>) -> Result<Option<String>> {
    for (rule, wrong) in MOVES {
        if !query_one::<bool>(conn, rule, [])? {
            return Ok(Some(wrong.to_owned()));
        }
        tell(1)?;
    }
    // Every outdated row of `seen` must be in a move that is not cleared yet.
    let sql = "SELECT (SELECT count(*) FROM seen) - (SELECT count(*) FROM app_users WHERE listed)
                   <= (SELECT count(*) FROM moves WHERE n > (SELECT cleared FROM upkeep) AND sort = 'lastSeen')";
    if Remaking::read(conn)?.seen.is_none() && !query_one::<bool>(conn, sql, [])? {
        return Ok(Some("some that are needed to clear outdated rows of seen are missing".to_owned()));
    }
    Ok(None)
}

pub(super) fn probe_moves(conn: &Connection) -> Result<bool> {
    let sql = "SELECT m.id = '' OR NOT EXISTS (SELECT 1 FROM app_users AS a
                   WHERE a.rowid = m.user AND (a.app, a.id) <> (m.app, m.id))
                   FROM moves AS m ORDER BY n DESC LIMIT 1";
    let last: Option<bool> = conn.query_row(sql, [], |row| row.get(0)).optional()?;
    Ok(last.unwrap_or(true) && query_one(conn, MOVES[1].0, [])?)
}

/// More moves than a database ever holds.
const BEYOND: i64 = 10_000_000;

/// Leaves one placeholder with a number beyond every one that was given, so that existing
/// cursors expire. Pending deletions from `seen` are dropped with the moves.
pub(super) fn make_moves(conn: &Connection) -> Result<()> {
    let last: Option<i64> = query_one(conn, "SELECT max(n) FROM moves", []).unwrap_or_default();
    recreate(conn, "moves", &[])?;
    let cleared: i64 = query_one(conn, "SELECT cleared FROM upkeep", [])?;
    let next = last.unwrap_or(0).max(cleared).saturating_add(BEYOND);
    let sql =
        "INSERT INTO moves (n, sort, app, id, user, before, now) VALUES (?1, 'lastSeen', '', '', 0, 0, NULL)";
    conn.execute(sql, params![next])?;
    conn.execute("UPDATE upkeep SET cleared = ?1, sortable = -1", [next])?;
    Ok(())
}
