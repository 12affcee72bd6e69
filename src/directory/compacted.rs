//! Compacted records: the state after the entries whose bodies are deleted.

use std::collections::BTreeSet;

use super::reader::DirectoryReader;
use crate::domain::{AppId, Record, RecordKey, SmoochId};
use crate::store::rows::Rows;
use crate::store::tables::CompactedRecord;
use crate::store::{CompactionPoint, ReadRow as _, Result};

/// The compacted records of these app users, in the order of the keys.
pub fn read_compacted(rows: &dyn Rows, keys: &[RecordKey]) -> Result<Vec<Option<Record>>> {
    let stored = CompactedRecord::get(rows, keys)?.into_iter();
    stored.map(|stored| stored.map(|stored| stored.decode()).transpose()).collect()
}

/// At most `limit` compacted records after a key, in the order of the keys. A caller that reads all of them compares the
/// compaction point before and after: if it moved, so did the records.
pub fn read_compacted_page(
    rows: &dyn Rows,
    after: Option<&RecordKey>,
    limit: usize,
) -> Result<Vec<(RecordKey, Record)>> {
    let page = CompactedRecord::select().after_last(after).limit(limit).read(rows)?.into_iter();
    page.map(|stored| {
        let record = stored.decode()?;
        Ok(((stored.app, stored.id), record))
    })
    .collect()
}

impl DirectoryReader {
    /// The compacted records of these app users, without those that have none, and the compaction point.
    pub fn read_compacted_of(
        &self,
        app: &AppId,
        ids: &BTreeSet<SmoochId>,
    ) -> Result<(CompactionPoint, Vec<(RecordKey, Record)>)> {
        let rows = self.snapshot()?;
        let keys: Vec<RecordKey> = ids.iter().map(|id| (app.clone(), id.clone())).collect();
        let records = read_compacted(&*rows, &keys)?;
        let found = keys.into_iter().zip(records).filter_map(|(key, record)| Some((key, record?)));
        Ok((CompactionPoint::read(&*rows)?, found.collect()))
    }
}
