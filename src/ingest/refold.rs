//! What the worker did with the events of the journal, done once more: without journalling them.

use super::work::{event_keys, seconds};
use super::worker::now_ms;
use crate::domain::{Directory, Event, Key, Record};
use crate::store::archive::Verdicts;
use crate::store::{Batch, Entry, Error, Keys, Result, Seq, Store, Txn};

/// Lets another store learn journal entries as the worker's did, in one transaction, and keeps `last` as its
/// clock.
pub fn relearn(store: &mut impl Store, events: &[(&Entry, Option<Event>)], last: Seq) -> Result<()> {
    let mut keys = Keys::default();
    for (entry, event) in events {
        keys.users.extend(entry.users.iter().map(|(id, _)| (entry.app.clone(), id.clone())));
        event.iter().for_each(|event| event_keys(&entry.app, event, &mut keys));
    }
    let mut txn = store.begin()?;
    // What was within the bounds of its day stays.
    let mut directory = txn.load(&keys, usize::MAX)?;
    for (entry, event) in events {
        learn(&mut directory, entry, event.as_ref())?;
    }
    let (quarantined, erasures, answers, verdicts) =
        (Vec::new(), Vec::new(), Vec::new(), Verdicts::default());
    let (entries, bodies, clock) = (Vec::new(), Vec::new(), last as i64);
    let batch =
        Batch { directory, entries, bodies, quarantined, erasures, verdicts, answers, clock, now: now_ms() };
    txn.save(&batch)?;
    txn.commit()?;
    store.remember(batch.directory);
    Ok(())
}

/// Of an event that cannot be read any more, only that it was there.
fn learn(directory: &mut Directory, entry: &Entry, event: Option<&Event>) -> Result<()> {
    if let Some(event) = event {
        directory.learn(&entry.app, event).map_err(|error| Error::Unfit(error.to_string()))?;
    }
    for (n, (user, _)) in entry.users.iter().enumerate() {
        let record = directory.edit(&entry.app, user);
        record.head = Some(entry.seq);
        if let Some(event) = event.filter(|_| n == 0 && !record.erased) {
            record.recent.note(&event.stamp, seconds(entry.received));
        }
    }
    Ok(())
}

/// Lets a store that has learned nothing yet begin with records of a base, and with what they claim.
pub fn adopt(store: &mut impl Store, records: Vec<(Key, Record)>) -> Result<()> {
    let mut keys = Keys::default();
    for (key, record) in &records {
        keys.claims.extend(record.claims.keys().map(|client| (key.clone(), client.clone())));
        keys.users.extend(record.into.keys().chain(&record.from).map(|id| (key.0.clone(), id.clone())));
    }
    let mut txn = store.begin()?;
    let mut directory = txn.load(&keys, usize::MAX)?;
    records.into_iter().for_each(|(key, record)| directory.adopt(key, record));
    let (entries, bodies, quarantined, erasures, answers) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (verdicts, clock) = (Verdicts::default(), 0);
    let batch =
        Batch { directory, entries, bodies, quarantined, erasures, verdicts, answers, clock, now: now_ms() };
    txn.save(&batch)?;
    txn.commit()?;
    store.remember(batch.directory);
    Ok(())
}
