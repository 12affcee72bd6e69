//! The changes of each app. Their numbers have no gaps: retention removes the oldest, up to a number or all, and
//! an erasure rewrites changes without removing any. So a missing number after an existing one, or after the last
//! one, is a loss that followers would not notice.

use rusqlite::{Connection, OptionalExtension, params};

use super::kind::Tell;
use crate::store::sqlite::Result;

/// Changes per progress report.
const PAGE: i64 = 10_000;
/// Newest changes of each app that a probe reads.
const PROBED: i64 = 32;

/// See [`super::Derived`]. The missing numbers are no values of any row.
pub(super) fn check(conn: &Connection, tell: Tell<'_>) -> Result<Option<String>> {
    for (app, last) in feeds(conn)? {
        let Some(mut to) = bound(conn, "min", &app)?.map(|first| first.saturating_sub(1)) else { continue };
        loop {
            let (count, end) = count(conn, &app, to)?;
            let Some(end) = end else { break };
            if end.saturating_sub(to) != count {
                return Ok(Some(missing(conn, &app, to)?));
            }
            to = end;
            tell(count.unsigned_abs())?;
        }
        if to < last {
            return Ok(Some(lacks(to + 1, last)));
        }
    }
    Ok(None)
}

/// See [`super::Derived`].
pub(super) fn probe(conn: &Connection) -> Result<bool> {
    let sql = "SELECT count(*), max(seq) - min(seq) + 1, max(seq)
                   FROM (SELECT seq FROM changes WHERE app = ?1 ORDER BY seq DESC LIMIT ?2)";
    let mut select = conn.prepare_cached(sql)?;
    for (app, last) in feeds(conn)? {
        let row = select.query_row(params![app, PROBED], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        let (count, range, newest): (i64, Option<i64>, Option<i64>) = row?;
        if range.is_some_and(|range| range != count) || newest.is_some_and(|newest| newest < last) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// See [`super::Derived`]. Removes all changes before the last gap, as retention would: followers that have not
/// read beyond the gap start again, the others continue.
pub(super) fn make(conn: &Connection) -> Result<()> {
    let sql = "SELECT seq FROM changes AS c WHERE app = ?1
                   AND NOT EXISTS (SELECT 1 FROM changes AS b WHERE b.app = c.app AND b.seq = c.seq - 1)
                   ORDER BY seq DESC LIMIT 1";
    for (app, last) in feeds(conn)? {
        let first: Option<i64> = conn.query_row(sql, [&app], |row| row.get(0)).optional()?;
        let is_to_the_end = bound(conn, "max", &app)?.is_some_and(|newest| newest >= last);
        let before = first.filter(|_| is_to_the_end).unwrap_or(i64::MAX);
        conn.execute("DELETE FROM changes WHERE app = ?1 AND seq < ?2", params![app, before])?;
    }
    Ok(())
}

/// Each app with the last number of its feed.
fn feeds(conn: &Connection) -> Result<Vec<(String, i64)>> {
    let mut select = conn.prepare_cached("SELECT app, seq FROM feeds")?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The first or the last number of an app's changes.
fn bound(conn: &Connection, which: &str, app: &str) -> Result<Option<i64>> {
    let sql = format!("SELECT {which}(seq) FROM changes WHERE app = ?1");
    Ok(conn.query_row(&sql, [app], |row| row.get(0))?)
}

/// The number of changes after this one, up to a page, and the last of them.
fn count(conn: &Connection, app: &str, after: i64) -> Result<(i64, Option<i64>)> {
    let sql = "SELECT count(*), max(seq) FROM
                   (SELECT seq FROM changes WHERE app = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3)";
    let mut select = conn.prepare_cached(sql)?;
    Ok(select.query_row(params![app, after, PAGE], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// The first range of missing numbers after this one.
fn missing(conn: &Connection, app: &str, after: i64) -> Result<String> {
    let sql = "SELECT before + 1, seq - 1 FROM
                   (SELECT seq, lag(seq, 1, ?2) OVER (ORDER BY seq) AS before FROM
                       (SELECT seq FROM changes WHERE app = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3))
                   WHERE seq > before + 1 ORDER BY seq LIMIT 1";
    let row = conn.query_row(sql, params![app, after, PAGE], |row| Ok((row.get(0)?, row.get(1)?)));
    Ok(row.map(|(from, to)| lacks(from, to))?)
}

fn lacks(from: i64, to: i64) -> String {
    let which = if from == to { format!("change {from} is") } else { format!("changes {from} to {to} are") };
    format!("{which} missing, and followers would not notice")
}
