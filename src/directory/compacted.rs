//! Compacted records: the state after the entries whose bodies are deleted.

use std::collections::BTreeSet;

use crate::domain::{AppId, Record, RecordKey, SmoochId};
use crate::store::rows::Rows;
use crate::store::{CompactionPoint, Result};

/// The table, as errors name it.
const TABLE: &str = "base";

/// The compacted records of these app users, in the order of the keys.
///
/// # Errors
/// The database cannot be read, or a record in it.
pub fn read_compacted(rows: &dyn Rows, keys: &[RecordKey]) -> Result<Vec<Option<Record>>> {
    let stored = rows.compacted(keys)?.into_iter();
    stored.map(|stored| stored.map(|stored| stored.decode(TABLE)).transpose()).collect()
}

/// The compacted records of these app users, and the compaction point.
///
/// # Errors
/// As of [`read_compacted`].
pub fn read_compacted_of(
    rows: &dyn Rows,
    app: &AppId,
    ids: &BTreeSet<SmoochId>,
) -> Result<(CompactionPoint, Vec<(RecordKey, Record)>)> {
    let keys: Vec<RecordKey> = ids.iter().map(|id| (app.clone(), id.clone())).collect();
    let records = read_compacted(rows, &keys)?;
    let found = keys.into_iter().zip(records).filter_map(|(key, record)| Some((key, record?)));
    Ok((rows.compaction_point()?, found.collect()))
}

/// At most `limit` compacted records after a key, in the order of the keys.
///
/// # Errors
/// As of [`read_compacted`].
pub fn read_compacted_page(
    rows: &dyn Rows,
    after: Option<&RecordKey>,
    limit: usize,
) -> Result<Vec<(RecordKey, Record)>> {
    let page = rows.compacted_after(after, limit)?.into_iter();
    page.map(|(key, stored)| Ok((key, stored.decode(TABLE)?))).collect()
}
