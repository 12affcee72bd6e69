//! Journal numbers that rightly have no entry: those removed by retention, from the first one on, and those
//! removed by erasures. Any other number without an entry is a hole (see [`super::check::journal_holes`]).

use rusqlite::{Connection, OptionalExtension, params};

use super::Result;
use crate::store::Seq;

/// Records that an erasure removes an entry.
pub(super) fn add_gap(conn: &Connection, seq: Seq) -> Result<()> {
    let sql = "INSERT OR IGNORE INTO gaps (first, last) VALUES (?1, ?1)";
    conn.prepare_cached(sql)?.execute([seq as i64])?;
    Ok(())
}

/// Records that retention removes every entry up to this one.
pub(super) fn trim_gaps(conn: &Connection, up_to: Seq) -> Result<()> {
    let sql = "DELETE FROM gaps WHERE last <= ?1";
    conn.prepare_cached(sql)?.execute([up_to as i64])?;
    let sql = "INSERT INTO gaps (first, last) VALUES (1, ?1) ON CONFLICT (first) DO UPDATE SET last = ?1";
    conn.prepare_cached(sql)?.execute([up_to as i64])?;
    Ok(())
}

/// Whether a number rightly has no entry.
pub(super) fn is_gap(conn: &Connection, seq: Seq) -> Result<bool> {
    Ok(gap_end(conn, seq)?.is_some())
}

/// The sub-ranges of `first..=last` that are no gaps.
pub(super) fn missing_ranges(conn: &Connection, first: Seq, last: Seq) -> Result<Vec<(Seq, Seq)>> {
    let (mut at, mut found) = (first, Vec::new());
    while at <= last {
        if let Some(end) = gap_end(conn, at)? {
            at = end + 1;
            continue;
        }
        let sql = "SELECT min(first) FROM gaps WHERE first > ?1";
        let mut select = conn.prepare_cached(sql)?;
        let next: Option<i64> = select.query_row(params![at as i64], |row| row.get(0))?;
        let until = next.map_or(last, |next| last.min(next as Seq - 1));
        found.push((at, until));
        at = until + 1;
    }
    Ok(found)
}

/// The end of the gap that contains a number.
fn gap_end(conn: &Connection, seq: Seq) -> Result<Option<Seq>> {
    let sql = "SELECT last FROM gaps WHERE first <= ?1 ORDER BY first DESC LIMIT 1";
    let mut select = conn.prepare_cached(sql)?;
    let last: Option<i64> = select.query_row([seq as i64], |row| row.get(0)).optional()?;
    Ok(last.map(|last| last as Seq).filter(|last| *last >= seq))
}

/// The end of the gap that follows this number; the number itself if there is none.
pub(super) fn end_of_gaps(conn: &Connection, seq: Seq) -> Result<Seq> {
    let mut at = seq;
    while let Some(end) = gap_end(conn, at + 1)? {
        at = end;
    }
    Ok(at)
}
