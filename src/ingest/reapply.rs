//! What the worker did with the events of the journal, done once more: without journalling them.

use super::load_plan::add_event;
use crate::clock::now_ms;
use crate::domain::{Event, Record, RecordKey, WorkingSet};
use crate::store::archive::Verdicts;
use crate::store::{Batch, Entry, Error, Keys, Result, Seq, Store, Txn};

/// Lets another store learn journal entries as the worker's did, in one transaction, and keeps `last` as its
/// clock.
pub fn reapply_events(store: &mut impl Store, events: &[(&Entry, Option<Event>)], last: Seq) -> Result<()> {
    let mut keys = Keys::default();
    for (entry, event) in events {
        keys.users.extend(entry.users.iter().map(|(id, _)| (entry.app.clone(), id.clone())));
        event.iter().for_each(|event| add_event(&entry.app, event, &mut keys));
    }
    let mut txn = store.begin()?;
    // What was within the bounds of its day stays.
    let mut directory = txn.load(&keys, usize::MAX)?;
    for (entry, event) in events {
        let learned = entry.learn_again(&mut directory, event.as_ref());
        learned.map_err(|error| Error::Unfit(error.to_string()))?;
    }
    let directory = save(txn, directory, last as i64)?;
    store.remember(directory);
    Ok(())
}

/// Lets a store go on from records of a base, and from what they claim. What it has learned before of the same app users
/// must be in them.
pub fn load_compacted(store: &mut impl Store, records: Vec<(RecordKey, Record)>) -> Result<()> {
    let mut keys = Keys::default();
    for (key, record) in &records {
        keys.users.push(key.clone());
        keys.claims.extend(record.claims.keys().map(|client| (key.clone(), client.clone())));
        keys.users.extend(record.into.keys().chain(&record.from).map(|id| (key.0.clone(), id.clone())));
    }
    let mut txn = store.begin()?;
    let mut directory = txn.load(&keys, usize::MAX)?;
    records.into_iter().for_each(|(key, record)| directory.adopt_record(key, record));
    let directory = save(txn, directory, 0)?;
    store.remember(directory);
    Ok(())
}

/// Commits what a directory has learned, and nothing else; gives it back.
fn save(mut txn: impl Txn, directory: WorkingSet, clock: i64) -> Result<WorkingSet> {
    let batch = Batch {
        directory,
        entries: Vec::new(),
        bodies: Vec::new(),
        quarantined: Vec::new(),
        verdicts: Verdicts::default(),
        erasures: Vec::new(),
        answers: Vec::new(),
        clock,
        now: now_ms(),
    };
    txn.save(&batch)?;
    txn.commit()?;
    Ok(batch.directory)
}
