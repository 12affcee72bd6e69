//! Checks compacted records.

use rusqlite::Connection;

use super::derived::Tell;
use super::{Error, Result};
use crate::domain::RecordKey;
use crate::store::tables::{CompactedRecord, Horizon};
use crate::store::{ReadRow as _, Seq};

/// Records that are read at once.
const PAGE: usize = 1000;

/// Reads all records. Fails if one is unreadable, or if there are none though the journal was compacted.
pub(super) fn check_all(conn: &Connection, tell: Tell<'_>) -> Result<()> {
    let rows = each_head(conn, tell).map_err(|error| match error {
        Error::Interrupted => error,
        error => Error::Damaged(error.to_string()),
    })?;
    let compacted = Horizon::only(conn)?.seq;
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
