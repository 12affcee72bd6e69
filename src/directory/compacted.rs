//! Compacted records.

use std::collections::BTreeSet;

use crate::domain::{AppId, Record, RecordKey, SmoochId};
use crate::store::rows::Rows;
use crate::store::{CompactionPoint, Result};

/// The table, as errors name it.
const TABLE: &str = "base";

/// A page of records, in key order.
pub fn read_compacted_page(
    rows: &dyn Rows,
    after: Option<&RecordKey>,
    limit: usize,
) -> Result<Vec<(RecordKey, Record)>> {
    let page = rows.compacted_after(after, limit)?.into_iter();
    page.map(|(key, stored)| Ok((key, stored.decode(TABLE)?))).collect()
}

/// The records of these app users, and the compaction point.
pub fn read_compacted_of(
    rows: &dyn Rows,
    app: &AppId,
    ids: &BTreeSet<SmoochId>,
) -> Result<(CompactionPoint, Vec<(RecordKey, Record)>)> {
    let keys: Vec<RecordKey> = ids.iter().map(|id| (app.clone(), id.clone())).collect();
    let stored = rows.compacted(&keys)?;
    let found = keys.into_iter().zip(stored).filter_map(|(key, stored)| Some((key, stored?)));
    let records = found.map(|(key, stored)| Ok((key, stored.decode(TABLE)?)));
    Ok((rows.compaction_point()?, records.collect::<Result<_>>()?))
}
