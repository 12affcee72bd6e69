//! The records of the last batches: an app user who writes is likely to write again soon.

use hashbrown::HashMap;

use crate::domain::{Field, Record, RecordKey, WorkingSet};

/// Records in each of the two generations.
const GENERATION: usize = 2048;
/// About the bytes that they may take: a few kilobytes each is usual, a megabyte is possible.
const GENERATION_BYTES: usize = 8 << 20;
/// About the bytes of anything of a record beside its texts: keys, stamps, the nodes of a tree.
const OVERHEAD: usize = 128;

/// A record as it was last committed.
#[derive(Debug)]
struct CachedRecord {
    row: i64,
    record: Record,
    /// The memory that it takes, roughly, in bytes.
    bytes: usize,
}

/// The rows of the last batches. Only the worker writes, so they are what the file holds.
#[derive(Default)]
pub struct Cache {
    young: HashMap<RecordKey, CachedRecord>,
    young_bytes: usize,
    old: HashMap<RecordKey, CachedRecord>,
    /// The rows of the batch that is under way, taken from here or from the file.
    rows: HashMap<RecordKey, i64>,
}

impl Cache {
    /// Forgets the rows of the batch before: it was kept, or has failed.
    pub fn begin(&mut self) {
        self.rows.clear();
    }

    /// Takes a record out, if it is here. Should the batch fail, it is read from the file again.
    pub fn take(&mut self, key: &RecordKey) -> Option<Record> {
        let young = self.young.remove(key);
        self.young_bytes -= young.as_ref().map_or(0, |row| row.bytes);
        let row = young.or_else(|| self.old.remove(key))?;
        self.note(key, row.row);
        Some(row.record)
    }

    /// Notes where a record of the batch under way is kept.
    pub fn note(&mut self, key: &RecordKey, row: i64) {
        self.rows.insert(key.clone(), row);
    }

    /// Where a record of the batch under way is kept.
    pub fn row(&self, key: &RecordKey) -> Option<i64> {
        self.rows.get(key).copied()
    }

    /// Keeps the records of a batch that is committed.
    pub fn keep(&mut self, committed: WorkingSet) {
        for (key, record) in committed.into_records() {
            if let Some(row) = self.rows.remove(&key) {
                let bytes = about_bytes(&record);
                if self.young.len() >= GENERATION || self.young_bytes + bytes > GENERATION_BYTES {
                    self.old = std::mem::take(&mut self.young);
                    self.young_bytes = 0;
                }
                if bytes <= GENERATION_BYTES {
                    self.young_bytes += bytes;
                    self.young.insert(key, CachedRecord { row, record, bytes });
                }
            }
        }
    }
}

/// About the memory a record takes. Nothing that somebody else can make long is left out.
fn about_bytes(record: &Record) -> usize {
    let field = |field: &Field| match field {
        Field::Other(name) | Field::OtherV2(name) | Field::OtherProfile(name) | Field::Property(name) => {
            name.len()
        }
        _ => 0,
    };
    // What has no bounds of its own is counted; a new member is named here, or this does not compile.
    let Record {
        smooch,
        overrides,
        devices,
        claims,
        into,
        from,
        recent: _,
        head: _,
        started: _,
        secured: _,
        minted: _,
        removed: _,
        erased: _,
        first_seen: _,
        last_seen: _,
    } = record;
    let (said, ours) = (&smooch.fields, overrides);
    let texts = said.iter().map(|(key, said)| field(key) + said.value.as_deref().map_or(0, str::len));
    let ours = ours.iter().map(|(key, set)| {
        let both = [&set.value.value, &set.value.basis].into_iter().flatten();
        field(key) + both.map(|text| text.len()).sum::<usize>()
    });
    let clients = smooch.clients.iter().map(|(id, said)| id.as_str().len() + said.bytes());
    let devices = devices.iter().map(|(id, set)| id.as_str().len() + set.value.rest.len());
    let claims = claims.keys().map(|id| id.as_str().len());
    let edges = into.keys().chain(from).map(|id| id.as_str().len());
    let parts = texts.chain(ours).chain(clients).chain(devices).chain(claims).chain(edges);
    parts.map(|text| text + OVERHEAD).sum::<usize>() + 8 * OVERHEAD
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::{Client, Register, Stamp};

    /// A batch with a record that has a property of this size, as the worker keeps it.
    fn keep(cache: &mut Cache, n: usize, size: usize) -> RecordKey {
        let key: RecordKey = ("app".into(), format!("{n}").as_str().into());
        let stamp = Arc::new(Stamp { time: 0, event: "".into(), digest: [0; 16] });
        let said = Register { stamp, value: Some("x".repeat(size).into()) };
        let mut record = Record::default();
        record.smooch.fields.insert(Field::Property("p".into()), said);
        let mut batch = WorkingSet::new(1);
        batch.insert_loaded(key.clone(), record);
        cache.begin();
        cache.note(&key, 1);
        cache.keep(batch);
        key
    }

    fn bytes(cache: &Cache) -> usize {
        cache.young.values().chain(cache.old.values()).map(|row| about_bytes(&row.record)).sum()
    }

    #[test]
    fn it_keeps_the_last_records_within_its_bounds_of_number_and_of_bytes() {
        for (size, records) in [(100, 3 * GENERATION), (1 << 20, 60), (GENERATION_BYTES, 3), (100, 10)] {
            let mut cache = Cache::default();
            for n in 0..records {
                let key = keep(&mut cache, n, size);
                assert!(bytes(&cache) <= 2 * GENERATION_BYTES, "{size}: {}", bytes(&cache));
                assert!(cache.young.len() + cache.old.len() <= 2 * GENERATION, "{size}");
                assert_eq!(cache.take(&key).is_some(), size < GENERATION_BYTES, "the last one is there");
                keep(&mut cache, n, size);
            }
        }
    }

    #[test]
    fn every_long_value_counts() {
        let long = || "x".repeat(1000);
        let mut record = Record::default();
        let none = about_bytes(&record);
        record.from.insert(long().as_str().into());
        let stamp = Arc::new(Stamp { time: 0, event: "".into(), digest: [0; 16] });
        record
            .smooch
            .fields
            .insert(Field::Other(long().into()), Register { stamp: stamp.clone(), value: None });
        let value = Client { active: true, rest: long().as_str().into() };
        record.devices.insert("d".into(), Register { stamp, value });
        assert!(about_bytes(&record) > none + 3000);
    }
}
