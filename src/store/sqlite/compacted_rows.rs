//! Writes compacted records, in the table `base`, and the compaction point, in `horizon`.

use rusqlite::{Connection, params};

use super::derived::{Tell, require_row};
use super::{Error, Result};
use crate::domain::RecordKey;
use crate::format::record::decode;
use crate::store::Seq;
use crate::store::rows::{CompactedRows as _, JournalRows as _};

/// Records that are read at once.
const PAGE: usize = 1000;

pub(super) fn put(conn: &Connection, (app, id): &RecordKey, record: &[u8]) -> Result<()> {
    let sql = "INSERT INTO base (app, id, record) VALUES (?1, ?2, ?3)
                   ON CONFLICT (app, id) DO UPDATE SET record = excluded.record";
    conn.prepare_cached(sql)?.execute(params![app.as_str(), id.as_str(), record])?;
    Ok(())
}

pub(super) fn set_point(conn: &Connection, seq: Seq, received: i64) -> Result<()> {
    let sql = "UPDATE horizon SET seq = ?1, received = ?2";
    require_row(conn.execute(sql, params![seq as i64, received])?)
}

/// Reads all records. Fails if one is unreadable, or if there are none though the journal was compacted.
pub(super) fn check_all(conn: &Connection, tell: Tell<'_>) -> Result<()> {
    let rows = each_head(conn, tell).map_err(|error| match error {
        Error::Interrupted => error,
        error => Error::Damaged(error.to_string()),
    })?;
    let compacted = conn.compaction_point()?.folded;
    if rows.is_none() && compacted > 0 {
        let what = format!("the table base is empty, though the journal was trimmed up to entry {compacted}");
        return Err(Error::Damaged(what));
    }
    Ok(())
}

/// The last entry that a compacted record knows, 0 if none does; `None` if there is no record.
pub(super) fn each_head(conn: &Connection, tell: Tell<'_>) -> Result<Option<Seq>> {
    let (mut after, mut last): (Option<RecordKey>, Option<Seq>) = (None, None);
    loop {
        let page = conn.compacted_after(after.as_ref(), PAGE)?;
        tell(page.len() as u64)?;
        let Some((key, _)) = page.last() else { return Ok(last) };
        after = Some(key.clone());
        for (_, stored) in &page {
            let record = decode(&stored.bytes).map_err(|error| Error::Unreadable {
                table: "base",
                row: stored.row,
                why: error.to_string(),
            })?;
            last = Some(last.unwrap_or(0).max(record.head.unwrap_or(0)));
        }
    }
}
