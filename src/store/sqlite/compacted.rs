//! Compacted records, in the table `base`: the state after the entries whose bodies are dropped.

use rusqlite::{Connection, params};

use super::derived::Tell;
use super::{Error, Result};
use crate::domain::{Record, RecordKey};
use crate::format::record::encode;
use crate::store::rows::{CompactedRows as _, JournalRows as _};

/// The table, as errors name it.
const TABLE: &str = "base";

pub(crate) fn read_record(conn: &Connection, key: &RecordKey) -> Result<Option<Record>> {
    let stored = conn.compacted(std::slice::from_ref(key))?.pop().flatten();
    stored.map(|stored| stored.decode(TABLE)).transpose()
}

/// Reads all records. Fails if one is unreadable, or if there are none though the journal was trimmed.
pub(crate) fn check_all(conn: &Connection, tell: Tell<'_>) -> Result<()> {
    let mut after = None;
    loop {
        let page =
            read_page(conn, after.as_ref(), 1000).map_err(|error| Error::Damaged(error.to_string()))?;
        tell(page.len() as u64)?;
        let Some((last, _)) = page.into_iter().next_back() else { break };
        after = Some(last);
    }
    let folded = conn.compaction_point()?.folded;
    if after.is_none() && folded > 0 {
        let what = format!("the table base is empty, though the journal was trimmed up to entry {folded}");
        return Err(Error::Damaged(what));
    }
    Ok(())
}

pub(crate) fn save_record(conn: &Connection, (app, id): &RecordKey, record: &Record) -> Result<()> {
    let record = encode(record).map_err(|error| Error::Unavailable(error.to_string()))?;
    let sql = "INSERT INTO base (app, id, record) VALUES (?1, ?2, ?3)
                   ON CONFLICT (app, id) DO UPDATE SET record = excluded.record";
    let mut upsert = conn.prepare_cached(sql)?;
    upsert.execute(params![app.as_str(), id.as_str(), record])?;
    Ok(())
}

/// A page of records, in key order.
pub(crate) fn read_page(
    conn: &Connection,
    after: Option<&RecordKey>,
    limit: usize,
) -> Result<Vec<(RecordKey, Record)>> {
    let page = conn.compacted_after(after, limit)?.into_iter();
    page.map(|(key, stored)| Ok((key, stored.decode(TABLE)?))).collect()
}
