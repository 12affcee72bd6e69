//! The numbers of changes and of journal entries.
//!
//! The numbers of an app's changes have no gaps: retention removes the oldest, up to a number or all, and
//! an erasure rewrites changes without removing any. So a missing number after an existing one, or after the last
//! one, is a loss that followers would not notice.
//!
//! The gaps of the journal are numbers that rightly have no entry. If the table is lost, every number without an entry
//! counts as one.

use rusqlite::{Connection, OptionalExtension, params};

use super::kind::Tell;
use crate::store::ReadRow as _;
use crate::store::sqlite::Result;
use crate::store::sqlite::connection::query_one;
use crate::store::tables::{ChangeTime, Feed};

const PAGE: usize = 10_000;
const PROBED: usize = 32;

/// The missing numbers are no values of any row.
pub(super) fn check_feeds(conn: &Connection, tell: Tell<'_>) -> Result<Option<String>> {
    for Feed { app, last } in Feed::select().read(conn)? {
        let mut to = 0;
        loop {
            let page = ChangeTime::select().is("app", &app).above("seq", &to).limit(PAGE).read(conn)?;
            for ChangeTime { seq, .. } in &page {
                // Those before the first one were removed.
                if to > 0 && *seq > to + 1 {
                    return Ok(Some(lacks(to + 1, seq - 1)));
                }
                to = *seq;
            }
            if page.is_empty() {
                break;
            }
            tell(page.len() as u64)?;
        }
        if to > 0 && to < last {
            return Ok(Some(lacks(to + 1, last)));
        }
    }
    Ok(None)
}

fn lacks(from: u64, to: u64) -> String {
    let which = if from == to { format!("change {from} is") } else { format!("changes {from} to {to} are") };
    format!("{which} missing, and followers would not notice")
}

pub(super) fn probe_feeds(conn: &Connection) -> Result<bool> {
    for Feed { app, last } in Feed::select().read(conn)? {
        let newest = ChangeTime::select().is("app", &app).descending().limit(PROBED).read(conn)?;
        let has_gap = newest.windows(2).any(|pair| pair[0].seq != pair[1].seq + 1);
        if has_gap || newest.first().is_some_and(|change| change.seq < last) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Removes all changes before the last gap, as retention would: followers that have not
/// read beyond the gap start again, the others continue.
pub(super) fn make_feeds(conn: &Connection) -> Result<()> {
    let sql = "SELECT seq FROM changes AS c WHERE app = ?1
                   AND NOT EXISTS (SELECT 1 FROM changes AS b WHERE b.app = c.app AND b.seq = c.seq - 1)
                   ORDER BY seq DESC LIMIT 1";
    for Feed { app, last } in Feed::select().read(conn)? {
        let first: Option<i64> = conn.query_row(sql, [app.as_str()], |row| row.get(0)).optional()?;
        let newest = ChangeTime::select().is("app", &app).descending().first(conn)?;
        let is_to_the_end = newest.is_some_and(|newest| newest.seq >= last);
        let before = first.filter(|_| is_to_the_end).unwrap_or(i64::MAX);
        conn.execute("DELETE FROM changes WHERE app = ?1 AND seq < ?2", params![app.as_str(), before])?;
    }
    Ok(())
}

/// Every erasure or retention that removed entries has left a row.
const IS_FILLED: &str = "
    SELECT EXISTS (SELECT 1 FROM gaps)
        OR NOT EXISTS (SELECT 1 FROM receipts WHERE CASE WHEN json_valid(counts)
                           THEN counts ->> '$.journal_entries' > 0 END)
       AND NOT EXISTS (SELECT 1 FROM horizon WHERE seq > 0 AND seq >= (SELECT min(seq) FROM journal) - 1
                           AND (SELECT min(seq) FROM journal) > 1)";

pub(super) fn check_gaps(conn: &Connection, tell: Tell<'_>) -> Result<Option<String>> {
    tell(1)?;
    Ok((!has_gaps(conn)?).then(|| "it lacks what retention or erasures removed".to_owned()))
}

pub(super) fn has_gaps(conn: &Connection) -> Result<bool> {
    Ok(query_one(conn, IS_FILLED, [])?)
}

pub(super) fn make_gaps(conn: &Connection) -> Result<()> {
    conn.execute_batch(
        "DELETE FROM gaps;
         INSERT INTO gaps (first, last)
             SELECT before + 1, seq - 1 FROM (SELECT seq, lag(seq, 1, 0) OVER (ORDER BY seq) AS before FROM journal)
                 WHERE seq > before + 1;
         INSERT OR IGNORE INTO gaps (first, last)
             SELECT 1, seq FROM horizon WHERE seq > 0 AND NOT EXISTS (SELECT 1 FROM journal);",
    )?;
    Ok(())
}
