//! The counts of events and changes over time.

use rollcall::directory::tallies::{CountedBy, HOUR, MINUTE, NewCounts};
use rollcall::directory::{DirectoryReader, DirectoryWriter};
use rollcall::ingest::maintenance::READING;
use rollcall::store::tables::StoredTally;
use rollcall::store::{Retention, Write};

use super::{APP, Bench, batch, event, removed, seen, store};

/// The counts by name of each minute or hour, from the start on.
fn counts(reader: &DirectoryReader, step: i64, by: CountedBy) -> Vec<(i64, Vec<(String, u64)>)> {
    let tallies = reader.read_tallies(step, 0, i64::MAX).unwrap();
    let tally = |(start, _, tally): (i64, _, rollcall::directory::tallies::Tally)| {
        (start, tally.counts(by).clone().into_iter().collect())
    };
    tallies.into_iter().map(tally).collect()
}

fn named(counts: &[(&str, u64)]) -> Vec<(String, u64)> {
    counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

pub fn tallies_add_up_over_batches_and_openings(open: &dyn Fn() -> (DirectoryWriter, DirectoryReader)) {
    for time in [1, MINUTE - 1, MINUTE, HOUR] {
        let (mut writer, _) = open();
        store(&mut writer, APP, &[event(time, vec![seen("ann")]), event(time, vec![seen("bob")])]);
    }
    let (mut writer, reader) = open();
    store(&mut writer, APP, &[event(HOUR + 1, vec![removed("bob")])]);
    let one = |count| named(&[("kept", count), ("learned", count)]);
    let last = named(&[("kept", 1), ("learned", 2)]);
    let minutes = vec![(0, one(2)), (MINUTE, one(1)), (HOUR, last.clone())];
    assert_eq!(counts(&reader, MINUTE, CountedBy::Outcome), minutes);
    assert_eq!(counts(&reader, HOUR, CountedBy::Outcome), [(0, one(3)), (HOUR, last)]);
    assert_eq!(counts(&reader, HOUR, CountedBy::Trigger)[1], (HOUR, named(&[("test", 3)])));
    // The batches are of the time 0.
    let changes = named(&[("created", 2), ("removed", 1)]);
    assert_eq!(counts(&reader, HOUR, CountedBy::Change)[0], (0, changes));
    assert_eq!(reader.oldest_tally(MINUTE).unwrap(), Some(0));
}

pub fn counts_of_batches_without_writes_are_stored_later(
    mut store: DirectoryWriter,
    reader: DirectoryReader,
) {
    let mut repeated = NewCounts::default();
    repeated.add(&APP.into(), 5, CountedBy::Outcome, "repeated", 3);
    for _ in 0..2 {
        store.begin().unwrap().end_without_writes(&repeated);
    }
    assert_eq!(reader.oldest_tally(MINUTE).unwrap(), None);
    let mut txn = store.begin().unwrap();
    let next = batch(&mut txn, APP, &[event(5, vec![seen("ann")])]);
    txn.commit(&next).unwrap();
    let all = named(&[("learned", 1), ("repeated", 6)]);
    assert_eq!(counts(&reader, MINUTE, CountedBy::Outcome), [(0, all.clone())]);
    store.begin().unwrap().end_without_writes(&repeated);
    store.maintenance_step(&Retention::default(), 10, &READING).unwrap();
    let more = named(&[("learned", 1), ("repeated", 9)]);
    assert_eq!(counts(&reader, MINUTE, CountedBy::Outcome), [(0, more)]);
}

pub fn old_tallies_are_deleted(mut store: DirectoryWriter, reader: DirectoryReader) {
    let mut all = NewCounts::default();
    for hour in 0..3 {
        all.add(&APP.into(), hour * HOUR, CountedBy::Outcome, "learned", 1);
    }
    store.begin().unwrap().end_without_writes(&all);
    let mut maintain = |now| while store.maintenance_step(&Retention::default(), now, &READING).unwrap() {};
    maintain(0);
    let starts = |step| counts(&reader, step, CountedBy::Outcome).iter().map(|(start, _)| *start).collect();
    maintain(50 * HOUR);
    let [minutes, hours]: [Vec<i64>; 2] = [starts(MINUTE), starts(HOUR)];
    assert_eq!((minutes, hours), (vec![2 * HOUR], vec![0, HOUR, 2 * HOUR]));
    maintain(401 * 24 * HOUR);
    let [minutes, hours]: [Vec<i64>; 2] = [starts(MINUTE), starts(HOUR)];
    assert_eq!((minutes, hours), (vec![], vec![]));
}

pub fn a_damaged_tally_begins_again(bench: &Bench) {
    let damaged = StoredTally { step: MINUTE, start: 0, app: APP.into(), counts: vec![0xff] };
    let mut rows = bench.store();
    rows.begin().unwrap().commit(&[Write::put(&damaged)]).unwrap();
    rows.finish().unwrap();
    drop(rows);
    let (mut writer, reader) = bench.open();
    store(&mut writer, APP, &[event(1, vec![seen("ann")])]);
    assert_eq!(counts(&reader, MINUTE, CountedBy::Outcome), [(0, named(&[("learned", 1)]))]);
}
