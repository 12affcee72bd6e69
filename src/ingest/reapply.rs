//! Applies events of a journal to another directory, as the worker applied them, without journalling them again.

use super::load_plan::add_event;
use crate::clock::now_ms;
use crate::directory::DirectoryTransaction;
use crate::directory::DirectoryWriter;
use crate::directory::batch::{Batch, Keys};
use crate::domain::{Event, Record, RecordKey, WorkingSet};
use crate::store::{Entry, Error, Result, Seq};

/// Applies journal entries to a directory in one transaction, and stores `last` as its clock.
pub fn reapply_events(
    writer: &mut DirectoryWriter,
    events: &[(&Entry, Option<Event>)],
    last: Seq,
) -> Result<()> {
    let mut keys = Keys::default();
    for (entry, event) in events {
        keys.users.extend(entry.users.iter().map(|(id, _)| (entry.app.clone(), id.clone())));
        event.iter().for_each(|event| add_event(&entry.app, event, &mut keys));
    }
    let mut txn = writer.begin()?;
    // No limit on group size: a merge that was accepted stays.
    let mut directory = txn.load(&keys, usize::MAX)?;
    for (entry, event) in events {
        let learned = entry.learn_again(&mut directory, event.as_ref());
        learned.map_err(|error| Error::Unfit(error.to_string()))?;
    }
    let directory = commit_working_set(txn, directory, last as i64)?;
    writer.cache_records(directory);
    Ok(())
}

/// Loads compacted records and their claims into a directory. They must include all that it has applied of the same
/// app users.
pub fn load_compacted(writer: &mut DirectoryWriter, records: Vec<(RecordKey, Record)>) -> Result<()> {
    let mut keys = Keys::default();
    for (key, record) in &records {
        keys.users.push(key.clone());
        keys.claims.extend(record.claims.keys().map(|client| (key.clone(), client.clone())));
        keys.users.extend(record.into.keys().chain(&record.from).map(|id| (key.0.clone(), id.clone())));
    }
    let mut txn = writer.begin()?;
    let mut directory = txn.load(&keys, usize::MAX)?;
    records.into_iter().for_each(|(key, record)| directory.adopt_record(key, record));
    let directory = commit_working_set(txn, directory, 0)?;
    writer.cache_records(directory);
    Ok(())
}

/// Commits a directory without journal entries, and returns it.
fn commit_working_set(
    txn: DirectoryTransaction<'_>,
    directory: WorkingSet,
    clock: i64,
) -> Result<WorkingSet> {
    let batch = Batch::of_directory(directory, clock, now_ms());
    txn.commit(&batch)?;
    Ok(batch.directory)
}
