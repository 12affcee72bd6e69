//! Journal numbers that rightly have no entry. If the table is lost, every number without an entry counts as one.

use rusqlite::Connection;

use super::kind::Tell;
use crate::store::sqlite::Result;
use crate::store::sqlite::connection::query_one;

/// Every erasure or retention that removed entries has left a row.
const IS_FILLED: &str = "
    SELECT EXISTS (SELECT 1 FROM gaps)
        OR NOT EXISTS (SELECT 1 FROM receipts WHERE CASE WHEN json_valid(counts)
                           THEN counts ->> '$.journal_entries' > 0 END)
       AND NOT EXISTS (SELECT 1 FROM horizon WHERE seq > 0 AND seq >= (SELECT min(seq) FROM journal) - 1
                           AND (SELECT min(seq) FROM journal) > 1)";

/// See [`super::Derived`].
pub(super) fn check(conn: &Connection, tell: Tell<'_>) -> Result<Option<String>> {
    tell(1)?;
    Ok((!probe(conn)?).then(|| "it lacks what retention or erasures removed".to_owned()))
}

/// See [`super::Derived`].
pub(super) fn probe(conn: &Connection) -> Result<bool> {
    Ok(query_one(conn, IS_FILLED, [])?)
}

/// See [`super::Derived`].
pub(super) fn make(conn: &Connection) -> Result<()> {
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
