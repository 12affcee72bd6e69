//! Journal numbers that rightly have no entry. If the table is lost, every number without an entry counts as one.

use rusqlite::Connection;

use super::kind::{Tell, query_bool};
use super::schema::{is_there, recreate};
use crate::store::sqlite::Result;

const NAME: &str = "gaps";

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
    if !is_there(conn, NAME)? {
        return Ok(Some("the table is missing".to_owned()));
    }
    Ok((!query_bool(conn, IS_FILLED)?).then(|| "it lacks what retention or erasures removed".to_owned()))
}

/// See [`super::Derived`].
pub(super) fn probe(conn: &Connection) -> Result<bool> {
    Ok(check(conn, &mut |_| Ok(()))?.is_none())
}

/// See [`super::Derived`].
pub(super) fn make(conn: &Connection) -> Result<()> {
    if !is_there(conn, NAME)? {
        recreate(conn, "TABLE", NAME, &[])?;
    }
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
