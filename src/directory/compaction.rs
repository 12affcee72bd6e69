//! Compaction: applies the oldest entries of the journal to the compacted records, so that their bodies can be deleted.
//! The directory is the compacted records plus every later entry.

use std::collections::BTreeSet;

use super::body_bytes::BodyBytes;
use super::compacted::read_compacted;
use super::examination::Examination;
use super::load::Loader;
use crate::domain::{Record, RecordKey, WorkingSet};
use crate::format::record::encode;
use crate::store::rows::Rows;
use crate::store::tables::{BODIES, BodySize, CompactedWrite, EntryTime, Horizon, Tombstone};
use crate::store::{Entry, Error, ReadEvent, ReadRow as _, Result, Seq, Write};

/// The most entries of one step, and about the bytes of their bodies: a step takes no longer than a small commit or two.
const STEP: usize = 8;
const STEP_BYTES: usize = 32 << 10;
const BATCHES: usize = 64;
const PAGE: usize = 1024;

/// Compacts the oldest entries that `may_go` accepts, and deletes the bodies that nothing needs any more. Returns the
/// writes; none if there was no such entry. A step is small, however large the batches were.
pub(super) fn compact_entries(
    rows: &dyn Rows,
    compacted: Seq,
    body_bytes: &mut BodyBytes,
    read: ReadEvent,
    may_go: impl Fn(&Entry) -> bool,
) -> Result<Vec<Write<'static>>> {
    let mut examination = Examination::after(compacted);
    let entries = examination.page(rows, (STEP, STEP_BYTES), read, may_go)?;
    let Some((last, _)) = entries.last() else { return Ok(Vec::new()) };
    let (compacted, received) = (last.seq, last.received);
    let users = entries
        .iter()
        .flat_map(|(entry, _)| entry.users.iter().map(|(id, _)| (entry.app.clone(), id.clone())));
    let mut directory = load(rows, &users.collect())?;
    for (entry, event) in &entries {
        // No group can be too large: it has no bound here.
        _ = entry.learn_again(&mut directory, event.as_ref());
    }
    let mut writes = Vec::new();
    for (key, entry) in directory.entries().filter(|(_, entry)| entry.before.is_some()) {
        writes.push(put_compacted(key, &entry.now)?);
    }
    take_over(rows, examination.lacking(), &mut writes)?;
    if !examination.holes().is_empty() {
        take_over_the_erased(rows, &mut writes)?;
    }
    writes.push(Write::update(&Horizon { seq: compacted, received }));
    delete_bodies(rows, compacted, body_bytes, &mut writes)?;
    Ok(writes)
}

pub(super) fn put_compacted(key: &RecordKey, record: &Record) -> Result<Write<'static>> {
    let bytes = encode(record).map_err(|error| Error::Unavailable(error.to_string()))?;
    Ok(Write::put(&CompactedWrite { app: &key.0, id: &key.1, record: &bytes }))
}

/// Of app users whose journal has holes, the compacted records take what the directory has: it holds what was lost. Later
/// entries that are in it as well change nothing when they are applied once more.
fn take_over(rows: &dyn Rows, lacking: &BTreeSet<RecordKey>, writes: &mut Vec<Write<'static>>) -> Result<()> {
    let mut loader = Loader::new(rows);
    for (app, id) in lacking {
        match loader.group(app, id) {
            // An unreadable record has nothing to take.
            Err(Error::Unreadable { .. }) => {}
            loaded => loaded?,
        }
    }
    for (key, entry) in loader.directory.entries() {
        writes.push(put_compacted(key, &entry.now)?);
    }
    Ok(())
}

/// A missing entry may have erased an app user, or merged erased ones: no link leads to these.
fn take_over_the_erased(rows: &dyn Rows, writes: &mut Vec<Write<'static>>) -> Result<()> {
    let mut after = None;
    loop {
        let page = Tombstone::select().after_last(after.as_ref()).limit(PAGE).read(rows)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some((last.app.clone(), last.id.clone()));
        for Tombstone { app, id, .. } in page {
            take_over(rows, &BTreeSet::from([(app, id)]), writes)?;
        }
    }
}

/// Deletes the bodies of batches whose entries are all compacted.
fn delete_bodies(
    rows: &dyn Rows,
    compacted: Seq,
    body_bytes: &mut BodyBytes,
    writes: &mut Vec<Write<'static>>,
) -> Result<()> {
    let sizes = BodySize::select().limit(BATCHES + 1).read(rows)?;
    let next_entry = EntryTime::select().after(&compacted).first(rows)?.map(|entry| entry.seq);
    for (n, BodySize { first, bytes }) in sizes.iter().enumerate().take(BATCHES) {
        let end = sizes.get(n + 1).map_or(Seq::MAX, |next| next.first);
        if *first > compacted || next_entry.is_some_and(|next| next < end) {
            break;
        }
        writes.push(Write::delete(&BODIES, &[*first]));
        body_bytes.resize(*first, *bytes, 0);
    }
    Ok(())
}

/// The compacted records of these app users and of all that merges connect with them by now: all that could be reached
/// when the entries were applied first.
fn load(rows: &dyn Rows, keys: &BTreeSet<RecordKey>) -> Result<WorkingSet> {
    let mut loader = Loader::new(rows);
    loader.groups(keys.iter().cloned().collect())?;
    let mut directory = WorkingSet::whole(usize::MAX);
    let keys: Vec<RecordKey> = loader.directory.entries().map(|(key, _)| key.clone()).collect();
    for (key, record) in keys.iter().zip(read_compacted(rows, &keys)?) {
        if let Some(record) = record {
            directory.insert_whole(key.clone(), record);
        }
    }
    Ok(directory)
}
