//! Compacted records, in the table `base`: the state after the entries whose bodies are dropped.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};

use super::derived::Tell;
use super::{Error, Result};
use crate::domain::{AppId, Record, RecordKey, SmoochId};
use crate::format::record::{decode, encode};
use crate::store::CompactionPoint;
use crate::store::rows::JournalRows as _;

pub(crate) fn read_record(conn: &Connection, (app, id): &RecordKey) -> Result<Option<Record>> {
    let sql = "SELECT record, rowid FROM base WHERE app = ?1 AND id = ?2";
    let mut select = conn.prepare_cached(sql)?;
    let found = select
        .query_row(params![app.as_str(), id.as_str()], |row| {
            decode_row(row.get_ref(0)?.as_blob()?, row.get(1)?)
        })
        .optional()?;
    found.transpose()
}

/// Decodes the record in a row.
fn decode_row(bytes: &[u8], row: i64) -> rusqlite::Result<Result<Record>> {
    Ok(decode(bytes).map_err(|error| Error::Unreadable { table: "base", row, why: error.to_string() }))
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

/// The records of these app users, and the compaction point.
pub(crate) fn records_of(
    conn: &Connection,
    app: &AppId,
    ids: &BTreeSet<SmoochId>,
) -> Result<(CompactionPoint, Vec<(RecordKey, Record)>)> {
    let keys = ids.iter().map(|id| (app.clone(), id.clone()));
    let found = keys.map(|key| Ok(read_record(conn, &key)?.map(|record| (key, record))));
    Ok((conn.compaction_point()?, found.filter_map(Result::transpose).collect::<Result<_>>()?))
}

/// A page of records, in key order.
pub(crate) fn read_page(
    conn: &Connection,
    after: Option<&RecordKey>,
    limit: usize,
) -> Result<Vec<(RecordKey, Record)>> {
    let sql = "SELECT app, id, record, rowid FROM base WHERE (app, id) > (?1, ?2) ORDER BY app, id LIMIT ?3";
    let mut select = conn.prepare_cached(sql)?;
    let (app, id) = after.map_or(("", ""), |(app, id)| (app.as_str(), id.as_str()));
    let mut rows = select.query(params![app, id, limit as i64])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let key = (AppId::from(row.get_ref(0)?.as_str()?), SmoochId::from(row.get_ref(1)?.as_str()?));
        let record = decode_row(row.get_ref(2)?.as_blob()?, row.get(3)?)?;
        found.push((key, record?));
    }
    Ok(found)
}
