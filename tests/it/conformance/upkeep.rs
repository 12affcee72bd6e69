//! Retention, compaction, erasure, repair, and the reads of operators.

use std::time::Instant;

use rollcall::directory::audit::AuditFilter;
use rollcall::directory::batch::{Answered, Erasure};
use rollcall::directory::compacted::read_compacted_page;
use rollcall::directory::examination::Examination;
use rollcall::domain::command::{CommandOutcome, Refusal};
use rollcall::domain::{ChangeKind, View, entry_body};
use rollcall::ingest::maintenance::READING;
use rollcall::ingest::reapply::load_compacted;
use rollcall::store::readers::{LaneReader as _, StopSignal};
use rollcall::store::rows::{RebuiltRow, RebuiltTable, RowFilter, RowKey};
use rollcall::store::tables::{AnswerText, BodySize, CompactedRecord, StoredChange, StoredIdentifier};
use rollcall::store::{Actor, AuditAction, AuditEntry, Error, How, ReadRow as _, Retention};

use super::*;
use crate::support::{by_user_id, journal};

/// Stores events with bodies from which they are read again.
fn told(store: &mut DirectoryWriter, app: &str, events: &[Event]) {
    let mut txn = store.begin().unwrap();
    let mut batch = batch(&mut txn, app, events);
    readable(&mut batch, events);
    txn.commit(&batch).unwrap();
}

fn readable(batch: &mut Batch, events: &[Event]) {
    batch.entries.iter_mut().for_each(|entry| (entry.source, entry.place) = (Source::Api, 0));
    batch.bodies = events.iter().map(|event| Bytes::from(entry_body(event, None).unwrap())).collect();
}

/// Takes maintenance steps until there is nothing to do.
fn maintain(store: &mut DirectoryWriter, retention: Retention, now: i64) {
    while store.maintenance_step(&retention, now, &READING).unwrap() {}
}

fn views(reader: &DirectoryReader, app: &str) -> Vec<View> {
    reader.list_users(&app.into(), None, 100).unwrap()
}

/// Events at the times 1 to 9, each in a batch of its own.
fn nine(store: &mut DirectoryWriter) {
    for time in 1..10_i64 {
        told(store, APP, &[event(time, vec![named(&format!("u{}", time % 4), &format!("name {time}"))])]);
    }
}

fn put_aside(store: &mut DirectoryWriter, bodies: Vec<Quarantined>, answers: Vec<Answered>) {
    let mut txn = store.begin().unwrap();
    let batch = Batch { quarantined: bodies, answers, ..batch(&mut txn, APP, &[]) };
    txn.commit(&batch).unwrap();
}

fn answered(key: &str, time: i64, answer: Vec<u8>) -> Answered {
    Answered { app: APP.into(), key: key.to_owned(), fingerprint: [1; 32], time, answer }
}

pub fn retention_of_each_class_deletes_the_oldest_alone(mut store: DirectoryWriter, reader: DirectoryReader) {
    nine(&mut store);
    let shown = views(&reader, APP);
    let bodies = (1..4).map(|received| Quarantined { received, ..quarantined(10) }).collect();
    put_aside(&mut store, bodies, vec![answered("old", 1, Vec::new()), answered("new", 1 << 40, Vec::new())]);
    let none = Retention::default();
    let stored_bodies = || {
        let entries = journal(&reader, 0, 100).into_iter();
        entries.map(|(entry, body)| (entry.seq, !body.is_empty())).collect::<Vec<_>>()
    };
    maintain(&mut store, none, 1);
    assert_eq!(stored_bodies().len(), 9);
    maintain(&mut store, Retention { bodies_age: Some(7), ..none }, 10);
    let point = reader.compaction_point().unwrap();
    assert_eq!((point.folded, point.received, point.oldest), (2, 2, 1));
    assert_eq!(stored_bodies()[..3], [(1, false), (2, false), (3, true)]);
    let bytes = BodySize::select().after(&3_u64).read(&*reader.snapshot().unwrap()).unwrap();
    let bytes = bytes.iter().map(|batch| batch.bytes).sum();
    maintain(&mut store, Retention { bodies_bytes: Some(bytes), ..none }, 10);
    assert!(reader.compaction_point().unwrap().folded > 2, "the bodies of one batch at least are too many");
    maintain(&mut store, Retention { history_age: Some(5), ..none }, 10);
    assert_eq!(stored_bodies().first().map(|(seq, _)| *seq), Some(5));
    maintain(&mut store, Retention { history_entries: Some(2), ..none }, 10);
    assert_eq!(stored_bodies().iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), [8, 9]);
    let feed = |reader: &DirectoryReader| reader.read_changes(&APP.into(), 0, 100);
    let all = feed(&reader).unwrap();
    assert_eq!((all.oldest, all.last, all.changes.len()), (1, 9, 9));
    maintain(&mut store, Retention { feed_changes: Some(4), ..none }, 10);
    let oldest = |reader: &DirectoryReader| reader.read_changes(&APP.into(), 5, 100).unwrap().oldest;
    assert_eq!(oldest(&reader), 6);
    maintain(&mut store, Retention { feed_age: Some(5), ..none }, 10);
    assert_eq!(reader.read_changes(&APP.into(), 9, 100).unwrap().oldest, 10);
    maintain(&mut store, Retention { quarantine_age: Some(8), ..none }, 10);
    assert_eq!(reader.count_contents().unwrap().quarantined, 2);
    let by = Actor::unnamed(How::Signal);
    for time in [1, 2, 3] {
        store.add_audited(&AuditEntry::of(time, &by, AuditAction::Reload)).unwrap();
    }
    maintain(&mut store, Retention { audit_age: Some(8), ..none }, 10);
    let left = reader.read_audit(&AuditFilter::default(), None, (9, 9)).unwrap().entries;
    assert_eq!(left.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), [3, 2]);
    maintain(&mut store, none, 1 << 40);
    let txn = store.begin().unwrap();
    let [old, new] = ["old", "new"].map(|key| txn.find_answer(&APP.into(), key).unwrap().is_some());
    assert!(!old && new);
    drop(txn);
    assert_eq!(views(&reader, APP), shown);
    compacted_records_and_later_entries_make_the_directory(&mut store, &reader);
}

fn compacted_records_and_later_entries_make_the_directory(
    store: &mut DirectoryWriter,
    reader: &DirectoryReader,
) {
    maintain(store, Retention { history_entries: Some(0), ..Retention::default() }, 10);
    let ids = ["u0", "u1", "u2", "u3"].map(SmoochId::from).into();
    let (point, compacted) = reader.read_compacted_of(&APP.into(), &ids).unwrap();
    assert_eq!((point.folded, point.oldest), (9, 10));
    let mut records = compacted.clone();
    // The batches of this suite do not note recent events.
    records.iter_mut().for_each(|(_, record)| record.recent = Default::default());
    assert_eq!(records, reader.read_records(&APP.into(), &ids).unwrap());
    let pages = [
        read_compacted_page(&*reader.snapshot().unwrap(), None, 3).unwrap(),
        read_compacted_page(&*reader.snapshot().unwrap(), Some(&compacted[2].0), 3).unwrap(),
    ];
    assert_eq!(pages.concat(), compacted);
    assert_eq!(reader.last_entry_seq().unwrap(), 9);
    told(store, APP, &[event(10, vec![seen("u9")])]);
    assert_eq!(reader.last_entry_seq().unwrap(), 10, "deleted numbers are not given again");
}

pub fn a_journal_with_deleted_entries_has_no_holes(mut store: DirectoryWriter, reader: DirectoryReader) {
    nine(&mut store);
    maintain(&mut store, Retention { history_entries: Some(4), ..Retention::default() }, 10);
    let rows = reader.snapshot().unwrap();
    let mut examination = Examination::default();
    while !examination.page(&*rows, (2, 1 << 20), READING.event, |_| true).unwrap().is_empty() {}
    examination.end(&*rows).unwrap();
    while examination.records(&*rows, 2, READING.event).unwrap() > 0 {}
    assert_eq!((examination.holes(), examination.last()), (Vec::new(), 9));
}

pub(super) fn erase(store: &mut DirectoryWriter, reader: &DirectoryReader, time: i64, id: &str) {
    let known = reader.read_records(&APP.into(), &[SmoochId::from(id)].into()).unwrap().pop().unwrap().1;
    let events = [event(time, vec![Fact::Erased { user: id.into() }])];
    let mut txn = store.begin().unwrap();
    let mut batch = batch(&mut txn, APP, &events);
    readable(&mut batch, &events);
    batch.erasures = vec![Erasure { seq: batch.entries[0].seq, key: key(APP, id), known }];
    batch.now = time;
    assert_eq!(txn.commit(&batch).unwrap().0.erased, 1);
}

/// Everything that is stored, as text.
fn dump(reader: &DirectoryReader) -> String {
    let rows = reader.snapshot().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut all = Vec::new();
    for table in RebuiltTable::ALL {
        for row in table.read_after(&*rows, None, 1000).unwrap() {
            all.push(format!("{:?}", row.key));
            if let Some(rollcall::store::rows::RowContent::User(user)) = row.content {
                all.extend([text(&user.record), user.columns.words.unwrap_or_default()]);
            }
        }
    }
    all.extend(CompactedRecord::select().read(&*rows).unwrap().iter().map(|stored| text(&stored.record)));
    all.extend(StoredChange::select().read(&*rows).unwrap().iter().map(|change| format!("{change:?}")));
    all.extend(AnswerText::select().read(&*rows).unwrap().iter().map(|stored| text(&stored.answer)));
    all.extend(Quarantined::select().read(&*rows).unwrap().iter().map(|body| format!("{body:?}")));
    all.extend(Entry::select().read(&*rows).unwrap().iter().map(|entry| format!("{entry:?}")));
    drop(rows);
    all.extend(journal(reader, 0, 1000).iter().map(|(_, body)| text(body)));
    all.join("\n")
}

pub fn an_erasure_leaves_nothing_of_the_person(mut store: DirectoryWriter, reader: DirectoryReader) {
    told(
        &mut store,
        APP,
        &[event(1, vec![named("5ec4e7ann", "secret name"), bound("5ec4e7ann", "secret phone")])],
    );
    told(
        &mut store,
        APP,
        &[event(2, vec![seen("5ec4e7ann"), seen("bob")]), event(3, vec![named("bob", "b")])],
    );
    maintain(&mut store, Retention { bodies_age: Some(1), ..Retention::default() }, 3);
    assert!(reader.compaction_point().unwrap().folded > 0);
    let view = reader.find_by_id(&APP.into(), &"5ec4e7ann".into()).unwrap();
    let answer: Result<CommandOutcome, Refusal> =
        Ok(CommandOutcome { user: view, other: None, created: false });
    let answer = postcard::to_stdvec(&answer).unwrap();
    let body = br#"{"events":[{"id":"1","payload":{"user":{"id":"5ec4e7ann"}}},{"id":"2","payload":{}}]}"#;
    let bodies = vec![Quarantined { body: body.to_vec().into(), ..quarantined(0) }, quarantined(10)];
    put_aside(&mut store, bodies, vec![answered("call", 1 << 40, answer)]);
    told(&mut store, APP, &[event(4, vec![merged("bob", "5ec4e7ann")]), event(5, vec![seen("cat")])]);
    let ids = [SmoochId::from("5ec4e7ann")].into();
    assert_eq!(reader.find_quarantined_of(&APP.into(), &ids).unwrap().len(), 1);
    erase(&mut store, &reader, 6, "5ec4e7ann");
    let begun = reader.find_receipt(&APP.into(), &"5ec4e7ann".into()).unwrap().unwrap();
    assert_eq!((begun.seq, begun.time, begun.done), (6, 6, None));
    maintain(&mut store, Retention::default(), 7);
    let receipt = reader.find_receipt(&APP.into(), &"5ec4e7ann".into()).unwrap().unwrap();
    assert_eq!((receipt.seq, receipt.done, receipt.ids), (6, Some(7), vec!["5ec4e7ann".into()]));
    let counts = receipt.counts;
    assert_eq!((counts.records, counts.answers, counts.quarantine), (1, 1, 1), "{counts:?}");
    assert!(counts.journal_entries > 0 && counts.base > 0 && counts.changes > 0, "{counts:?}");
    let left = dump(&reader);
    assert!(!left.contains("secret"), "{left}");
    assert_eq!(views(&reader, APP).iter().map(|view| view.id.as_str()).collect::<Vec<_>>(), ["bob", "cat"]);
    let txn = store.begin().unwrap();
    assert!(
        txn.means_erased(&APP.into(), &"5ec4e7ann".into()) && !txn.means_erased(&APP.into(), &"bob".into())
    );
    assert!(
        txn.names_erased(&APP.into(), b"\"5ec4e7ann\"") && !txn.names_erased(&"other".into(), b"5ec4e7ann")
    );
}

pub fn two_erasures_are_worked_on_together(mut store: DirectoryWriter, reader: DirectoryReader) {
    told(&mut store, APP, &[event(1, vec![named("5ec4e7ann", "x"), named("5ec4e7bob", "y"), seen("cat")])]);
    for (time, id) in [(2, "5ec4e7ann"), (3, "5ec4e7bob")] {
        erase(&mut store, &reader, time, id);
    }
    maintain(&mut store, Retention::default(), 9);
    for (seq, id) in [(2, "5ec4e7ann"), (3, "5ec4e7bob")] {
        let receipt = reader.find_receipt(&APP.into(), &id.into()).unwrap().unwrap();
        assert_eq!((receipt.seq, receipt.done), (seq, Some(9)));
    }
    maintain(&mut store, Retention { history_entries: Some(0), ..Retention::default() }, 9);
    assert_eq!(views(&reader, APP).len(), 1);
}

pub fn a_repair_is_in_the_feed(mut store: DirectoryWriter, reader: DirectoryReader) {
    told(&mut store, APP, &[event(1, vec![named("ann", "a"), seen("bob")])]);
    let rows = |keys: &[RowKey]| RebuiltRow::read(&*reader.snapshot().unwrap(), keys).unwrap();
    let (kind, value) = ("userId".to_owned(), "\"a\"".to_owned());
    let keys = [
        RowKey::User(key(APP, "ann")),
        RowKey::Identifier(StoredIdentifier { app: APP.into(), kind, value, id: "ann".into() }),
    ];
    let whole = rows(&keys);
    assert!(whole.iter().all(|row| row.content.is_some()));
    let gone: Vec<RebuiltRow> =
        keys.iter().map(|key| RebuiltRow { key: key.clone(), content: None }).collect();
    let last = |reader: &DirectoryReader| {
        let page = reader.read_changes(&APP.into(), 0, 100).unwrap();
        page.changes
            .last()
            .map(|last| (last.seq, last.time, last.change.user.clone(), last.change.kind.clone()))
    };
    let count = |table: RebuiltTable| table.count(&*reader.snapshot().unwrap()).unwrap();
    assert_eq!((count(RebuiltTable::Users), count(RebuiltTable::Identifiers)), (2, 1));
    store.replace_rows(&gone, None, 50).unwrap();
    assert_eq!(rows(&keys), gone);
    assert_eq!(by_user_id(&reader, &APP.into(), "a"), None);
    assert_eq!(last(&reader), Some((3, 50, "ann".into(), ChangeKind::Removed)));
    store.replace_rows(&whole, None, 51).unwrap();
    assert_eq!(rows(&keys), whole);
    assert_eq!(last(&reader), Some((4, 51, "ann".into(), ChangeKind::Created)));
    assert_eq!(by_user_id(&reader, &APP.into(), "a").map(|view| view.id), Some("ann".into()));
    let pages = |table: RebuiltTable| {
        let (mut all, mut after): (Vec<RebuiltRow>, Option<RowKey>) = (Vec::new(), None);
        while let Some(row) = table.read_after(&*reader.snapshot().unwrap(), after.as_ref(), 1).unwrap().pop()
        {
            after = Some(row.key.clone());
            all.push(row);
        }
        all.into_iter().map(|row| row.key.user().1).collect::<Vec<_>>()
    };
    assert_eq!(pages(RebuiltTable::Users), ["ann".into(), "bob".into()]);
    assert_eq!(pages(RebuiltTable::Identifiers), ["ann".into()]);
}

pub fn records_are_exported_and_loaded_elsewhere(mut store: DirectoryWriter, reader: DirectoryReader) {
    told(
        &mut store,
        APP,
        &[event(1, vec![named("ann", "a"), bound("ann", "tv")]), event(2, vec![seen("bob")])],
    );
    told(
        &mut store,
        APP,
        &[event(3, vec![merged("cat", "bob")]), event(4, vec![seen("dan"), removed("dan")])],
    );
    let part = reader.export_part(&APP.into(), None, reader.last_entry_seq().unwrap()).unwrap();
    let ids = part.kept.iter().flat_map(|one| one.records.iter().map(|one| one.id.as_str()));
    assert_eq!(ids.collect::<Vec<_>>(), ["ann", "cat", "bob", "dan"]);
    assert_eq!(part.next, None);
    let users = reader.export_users(&APP.into(), &views(&reader, APP)).unwrap();
    assert_eq!(users.len(), 2);
    let all = ["ann", "bob", "cat", "dan"].map(SmoochId::from).into();
    let records = reader.read_records(&APP.into(), &all).unwrap();
    for other in [Bench::sqlite(), Bench::memory()] {
        let (mut store, other) = other.open();
        load_compacted(&mut store, records.clone()).unwrap();
        assert_eq!(other.read_records(&APP.into(), &all).unwrap(), records);
        assert_eq!(views(&other, APP), views(&reader, APP));
        assert_eq!(other.list_apps().unwrap(), [AppId::from(APP)]);
    }
}

pub fn operators_see_the_journal_and_the_quarantine(mut store: DirectoryWriter, mut reader: DirectoryReader) {
    nine(&mut store);
    self::store(&mut store, "other", &[event(20, vec![seen("x")])]);
    put_aside(
        &mut store,
        (1..4).map(|received| Quarantined { received, ..quarantined(10) }).collect(),
        Vec::new(),
    );
    let filters = [
        (RowFilter::default(), (1..=10).collect::<Vec<Seq>>()),
        (RowFilter { app: Some("other".into()), ..RowFilter::default() }, vec![10]),
        (RowFilter { label: Some("none".to_owned()), ..RowFilter::default() }, vec![]),
        (RowFilter { from: 3, to: 5, newest_first: true, ..RowFilter::default() }, vec![5, 4, 3]),
        (RowFilter { since: Some(4), until: Some(6), ..RowFilter::default() }, vec![4, 5, 6]),
        (RowFilter { seqs: Some([2, 9, 99].into()), newest_first: true, ..RowFilter::default() }, vec![9, 2]),
    ];
    for (filter, expected) in filters {
        let found = reader.find_entries(&filter, 100).unwrap();
        assert_eq!(found.iter().map(|entry| entry.seq).collect::<Vec<_>>(), expected, "{filter:?}");
        let limited = reader.find_entries(&filter, 1).unwrap();
        assert_eq!(limited, found[..found.len().min(1)]);
    }
    let newest = RowFilter { newest_first: true, until: Some(2), ..RowFilter::default() };
    let found = reader.list_quarantined(&newest, 9).unwrap();
    assert_eq!(
        found.iter().map(|body| (body.seq, body.received, body.bytes)).collect::<Vec<_>>(),
        [(2, 2, 10), (1, 1, 10)]
    );
    assert_eq!(reader.find_quarantined(2).unwrap().map(|body| body.received), Some(2));
    assert_eq!(reader.find_quarantined(9).unwrap(), None);
    let census = reader.take_census(&[APP.into(), "none".into()]).unwrap();
    assert_eq!((census.users, census.quarantined, census.quarantined_bytes), (5, 3, 30));
    assert_eq!(
        census.apps.values().map(|app| (app.feed.oldest, app.feed.last)).collect::<Vec<_>>(),
        [(1, 9), (1, 0)]
    );
    let times = reader.find_last_webhooks(&[APP.into(), "other".into(), "none".into()]).unwrap();
    assert_eq!(times, [(AppId::from(APP), 0), (AppId::from("other"), 20)], "a webhook, else the last change");
    let ids = [SmoochId::from("u1")].into();
    assert_eq!(reader.find_entry_numbers(&APP.into(), &ids).unwrap(), [1, 5, 9].into());
    let before = reader.data_version().unwrap();
    store.set_rules(3).unwrap();
    assert_eq!(reader.rules_version().unwrap(), 3);
    assert_ne!(reader.data_version().unwrap(), before);
    assert_eq!(reader.read_remaking().unwrap(), []);
    assert!(reader.is_readable(1).unwrap() && reader.is_readable(999).unwrap());
    store.remake_table("identifiers").unwrap();
    assert!(store.remake_table("none").is_err());
    store.report_error(&Error::Busy);
    reader.note_error(&Error::Busy);
    assert_eq!(by_user_id(&reader, &APP.into(), "name 9").map(|view| view.id), Some("u1".into()));
    reader.obey(StopSignal::at(Instant::now()));
    assert!(matches!(reader.list_apps(), Err(Error::Interrupted)));
    store.finish().unwrap();
}

pub fn a_store_that_is_abandoned_keeps_what_was_committed(bench: &Bench) {
    let (mut store, _) = bench.open();
    nine(&mut store);
    store.abandon();
    let (_, reader) = bench.open();
    assert_eq!(reader.last_entry_seq().unwrap(), 9);
}
