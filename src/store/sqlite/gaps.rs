//! Numbers of the journal that rightly have no entry: those that retention let go, from the first one on, and those
//! of which an erasure left nothing. Any other number without an entry is a hole (see [`super::check::journal_holes`]).

use rusqlite::{Connection, OptionalExtension, params};

use super::Result;
use crate::store::Seq;

/// Notes that an erasure takes an entry out.
pub(super) fn add_gap(conn: &Connection, seq: Seq) -> Result<()> {
    let sql = "INSERT OR IGNORE INTO gaps (first, last) VALUES (?1, ?1)";
    conn.prepare_cached(sql)?.execute([seq as i64])?;
    Ok(())
}

/// Notes that retention lets every entry up to this one go.
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

/// The ranges of these numbers, both ends included, that are no gaps.
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

/// Where the gap ends that a number is in.
fn gap_end(conn: &Connection, seq: Seq) -> Result<Option<Seq>> {
    let sql = "SELECT last FROM gaps WHERE first <= ?1 ORDER BY first DESC LIMIT 1";
    let mut select = conn.prepare_cached(sql)?;
    let last: Option<i64> = select.query_row([seq as i64], |row| row.get(0)).optional()?;
    Ok(last.map(|last| last as Seq).filter(|last| *last >= seq))
}

/// The last number of the gap right behind this one, or this one itself.
pub(super) fn end_of_gaps(conn: &Connection, seq: Seq) -> Result<Seq> {
    let mut at = seq;
    while let Some(end) = gap_end(conn, at + 1)? {
        at = end;
    }
    Ok(at)
}
