//! The operations that the directory hides, called directly.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rollcall::domain::list::Sort;
use rollcall::domain::{Change, ChangeKind};
use rollcall::format::list_columns::{Columns, IDENTIFIED, NONE};
use rollcall::store::rows::{IdentifierKind, ListOrder, PackedBodies, Rows, StoredChange};
use rollcall::store::tables::*;
use rollcall::store::{ErasureCounts, IdentifierRow, ReadRow as _, RowCells, UserWrite, Write};

use super::*;

fn columns(last_seen: i64, words: Option<&str>) -> Columns {
    let words = words.map(str::to_owned);
    Columns { listed: true, last_seen, signed_up: 100 - last_seen, flags: IDENTIFIED, words }
}

fn commit(store: &mut dyn Store, writes: &[Write<'_>]) -> Vec<i64> {
    store.begin().unwrap().commit(writes).unwrap().rows
}

/// Ann, Bob and Cat, last seen at 1, 2 and 3. Returns the numbers of their rows.
fn three_users(store: &mut dyn Store) -> Vec<i64> {
    let keys = ["ann", "bob", "cat"].map(|id| key(APP, id));
    let users = keys.iter().zip(1..).map(|(key, n)| {
        let words = format!("abcdefword abcdefw{n}");
        UserWrite {
            key,
            row: None,
            record: vec![n as u8],
            columns: columns(n, Some(&words)),
            last_seen_before: NONE,
        }
    });
    commit(store, &[Write::PutUsers(users.collect())])
}

fn read<T>(bench: &Bench, read: impl Fn(&dyn Rows) -> T) -> T {
    let reader = bench.store_reader();
    assert!(reader.begin().unwrap() && !reader.begin().unwrap(), "one snapshot at a time");
    let found = read(reader.rows());
    reader.end();
    found
}

pub fn a_snapshot_is_of_one_moment(bench: &Bench) {
    let mut store = bench.store();
    let reader = bench.store_reader();
    assert!(reader.begin().unwrap() && reader.is_intact("search"));
    assert_eq!(reader.rows().count_listed().unwrap(), 0);
    three_users(&mut *store);
    assert_eq!(reader.rows().count_listed().unwrap(), 0);
    reader.end();
    assert!(reader.begin().unwrap());
    assert_eq!(reader.rows().count_listed().unwrap(), 3);
    reader.end();
    assert!(store.empty_log().unwrap());
    store.after_commit().unwrap();
    let mut at = Some(0);
    while let Some(after) = at {
        at = store.scrub_step(after).unwrap().next;
    }
}

pub fn users_are_read_by_key_by_order_and_by_range(bench: &Bench) {
    let mut store = bench.store();
    let rows = three_users(&mut *store);
    assert!(rows.is_sorted_by(|one, next| one < next));
    let app = &AppId::from(APP);
    read(bench, |all| {
        let stored = all.records(&[key(APP, "bob"), key(APP, "none")]).unwrap();
        assert_eq!(stored[0].as_ref().map(|stored| (stored.row, &*stored.bytes)), Some((rows[1], &[2][..])));
        assert_eq!(stored[1], None);
        assert_eq!(all.record_in_row(rows[2]).unwrap(), Some(vec![3]));
        assert_eq!(all.records_after(Some(&key(APP, "ann")), 1).unwrap(), [(key(APP, "bob"), vec![2])]);
        assert_eq!(all.ids_after(app, "ann", 9).unwrap(), [("bob".into(), true), ("cat".into(), true)]);
        assert_eq!(
            all.rows_with_words(&["abcdefword".to_owned()], &["abcdefw2".to_owned()], 9).unwrap(),
            [rows[1]]
        );
        assert_eq!(all.rows_in_range(app, Sort::LastSeen, 2, 3, 9).unwrap(), [rows[1]]);
        assert_eq!(all.rows_in_range(app, Sort::SignedUp, 99, 100, 9).unwrap(), [rows[0]]);
        assert_eq!(all.latest_seen(app).unwrap(), Some(3));
        assert_eq!(all.count_listed_of(app).unwrap(), 3);
        let listed = all.list_rows(&[rows[0], 999], Sort::SignedUp).unwrap();
        assert_eq!(listed[0].as_ref().map(|row| (row.id.as_str(), row.at)), Some(("ann", 99)));
        assert_eq!(listed[1], None);
        for (sort, descending, ids) in [
            (Sort::Id, false, ["ann", "bob", "cat"]),
            (Sort::LastSeen, true, ["cat", "bob", "ann"]),
            (Sort::SignedUp, false, ["cat", "bob", "ann"]),
        ] {
            let order = ListOrder { sort, descending };
            let walk = |behind| -> Vec<String> {
                let found = all.walk_order(app, order, behind, 9).unwrap();
                found.into_iter().map(|row| row.id.to_string()).collect()
            };
            let start = match (sort, descending) {
                (Sort::Id, _) => None,
                (_, true) => Some((i64::MAX, "")),
                _ => Some((i64::MIN, "")),
            };
            assert_eq!(walk(start), ids);
            let key = if sort == Sort::SignedUp { 98 } else { 2 };
            assert_eq!(walk(Some((key, "bob"))), ids[2..]);
        }
    });
    drop(store);
    let mut store = bench.store();
    let (ann, moved) = (key(APP, "ann"), Columns { signed_up: 99, ..columns(9, None) });
    let write =
        UserWrite { key: &ann, row: Some(rows[0]), record: vec![9], columns: moved, last_seen_before: 1 };
    assert_eq!(commit(&mut *store, &[Write::PutUsers(vec![write])]), [0; 0]);
    read(bench, |all| {
        let moves = all.moves_after(app, Sort::LastSeen, 0, 9).unwrap();
        let [found] = &moves.found[..] else { panic!("{moves:?}") };
        assert_eq!((found.row, found.before, found.now), (rows[0], 1, Some(9)));
        assert_eq!(all.move_range().unwrap(), (Some(found.n), moves.last));
        assert_eq!(all.latest_seen(app).unwrap(), Some(9));
        assert_eq!(all.rows_with_words(&["abcdefword".to_owned()], &[], 9).unwrap(), rows, "the words stay");
    });
}

pub fn identifiers_lead_to_their_holders(bench: &Bench) {
    let mut store = bench.store();
    three_users(&mut *store);
    let (app, ann, bob) = (&AppId::from(APP), &SmoochId::from("ann"), &SmoochId::from("bob"));
    let row = |kind, value, id| IdentifierRow { app, kind, value, id };
    let user_id = |id| row(IdentifierKind::UserId, "\"kim\"", id);
    let put = vec![user_id(ann), user_id(bob), user_id(bob), row(IdentifierKind::Client, "tv", ann)];
    commit(
        &mut *store,
        &[Write::PutIdentifiers(put), Write::DeleteIdentifiers(vec![user_id(ann), user_id(ann)])],
    );
    read(bench, |all| {
        let asked = [
            (app, IdentifierKind::UserId, "\"kim\""),
            (app, IdentifierKind::Claim, "tv"),
            (app, IdentifierKind::Client, "tv"),
        ];
        assert_eq!(all.holders(&asked).unwrap(), [vec![bob.clone()], vec![], vec![ann.clone()]]);
        assert_eq!(all.find(app, ann, "\"kim\"").unwrap(), [(ann.clone(), vec![1])]);
        assert_eq!(all.find(app, &"kim".into(), "\"kim\"").unwrap(), [(bob.clone(), vec![2])]);
    });
}

fn entry(seq: Seq) -> Entry {
    Entry {
        seq,
        app: APP.into(),
        source: Source::Webhook,
        received: seq as i64 * 10,
        event_time: None,
        trigger: "test".into(),
        outcome: Outcome::Learned,
        digest: [seq as u8; 16],
        users: vec![("ann".into(), seq.checked_sub(1).filter(|seq| *seq > 0))],
        body: 0,
        place: 0,
    }
}

pub fn the_journal_is_written_and_read(bench: &Bench) {
    let mut store = bench.store();
    let (entries, app) = ([1, 2, 3, 4, 5].map(entry), &AppId::from(APP));
    let bodies =
        |first, bytes: &[u8]| Write::PutBodies(PackedBodies { first, dictionary: 1, bytes: bytes.to_vec() });
    commit(
        &mut *store,
        &[Write::AppendEntries(&entries), bodies(1, b"one"), bodies(3, b"three"), bodies(3, b"3")],
    );
    read(bench, |all| {
        assert_eq!(all.entries(&[4, 9]).unwrap(), [Some(entries[3].clone()), None]);
        assert_eq!(all.entries_after(3, 1).unwrap(), [entries[3].clone()]);
        assert_eq!(all.damaged_entries(&[4, 9]).unwrap(), [Some(entries[3].clone()), None]);
        assert_eq!(all.users_of_entries(app, &[2, 9]).unwrap(), [Some(vec![("ann".into(), Some(1))]), None]);
        assert_eq!(all.users_of_entries(&"other".into(), &[2]).unwrap(), [None]);
        assert_eq!((all.first_of_batch(2).unwrap(), all.first_of_batch(5).unwrap()), (Some(1), Some(3)));
        assert_eq!(all.packed_bodies(3).unwrap().map(|packed| packed.bytes), Some(b"3".to_vec()));
        assert_eq!(all.packed_bodies(2).unwrap(), None);
        assert_eq!(all.body_sizes(0, 9).unwrap(), [(1, 3), (3, 1)]);
        assert_eq!(all.batch_entries(1).unwrap(), entries[..2]);
        assert_eq!(all.batch_entries(3).unwrap(), entries[2..]);
        assert_eq!(all.oldest_entries(3, 2).unwrap(), [(1, 10), (2, 20)]);
        assert_eq!(all.last_webhooks(2).unwrap(), [(app.clone(), 50)]);
        assert_eq!((all.count_entries().unwrap(), all.last_known_entry().unwrap()), (5, 3));
    });
    let ann = &SmoochId::from("ann");
    let compacted = |record| Write::put(&CompactedWrite { app, id: ann, record }).unwrap();
    let reduced = Entry { source: Source::Reduced, users: Vec::new(), body: 7, place: 1, ..entry(5) };
    let writes = [
        Write::ReplaceEntry(reduced.clone()),
        Write::ReplaceEntry(entry(77)),
        Write::DeleteEntry(4),
        Write::SetCompactionPoint(2, 20),
        compacted(b"compacted"),
        compacted(b"again"),
        Write::DeleteEntriesUpTo(2),
        Write::DeleteBodies(1),
        Write::DeleteBodies(99),
    ];
    commit(&mut *store, &writes);
    drop(store);
    let mut store = bench.store();
    let txn = store.begin().unwrap();
    assert_eq!(
        (txn.journal_state().next_entry, txn.journal_state().compacted),
        (6, (2, 20)),
        "after a start"
    );
    let all = txn.rows();
    assert_eq!(all.entries_after(0, 9).unwrap(), [entry(3), reduced]);
    assert_eq!(all.deleted_ranges(1, 9).unwrap(), [(1, 2), (4, 4)]);
    assert_eq!(all.deleted_ranges(2, 3).unwrap(), [(1, 2)]);
    assert_eq!(all.deleted_ranges(3, 3).unwrap(), []);
    let point = all.compaction_point().unwrap();
    assert_eq!((point.folded, point.received, point.oldest), (2, 20, 3));
    let compacted = CompactedRecord::get(all, &[key(APP, "ann"), key(APP, "bob")]).unwrap();
    assert_eq!(compacted[0].as_ref().map(|stored| &*stored.record), Some(&b"again"[..]));
    assert_eq!((compacted.len(), &compacted[1]), (2, &None));
    drop(txn);
    commit(&mut *store, &[Write::DeleteEntry(5)]);
    drop(store);
    let mut store = bench.store();
    let next = store.begin().unwrap().journal_state().next_entry;
    assert_eq!(next, 6, "the number of a deleted entry is not given again");
}

pub fn the_feed_is_written_and_read(bench: &Bench) {
    let mut store = bench.store();
    let change = |app: &str, seq, time| {
        let change =
            Change { user: "ann".into(), kind: ChangeKind::Updated, fields: vec!["email".to_owned()] };
        (AppId::from(app), StoredChange { seq, time, change })
    };
    let changes = vec![change(APP, 1, 10), change("other", 1, 11), change(APP, 2, 12), change(APP, 3, 13)];
    commit(&mut *store, &[Write::AppendEntries(&[entry(1)]), Write::AppendChanges(1, changes)]);
    let (app, none) = (AppId::from(APP), AppId::from("none"));
    let txn = store.begin().unwrap();
    assert_eq!((txn.last_change(&app), txn.last_change(&none)), (3, 0));
    let feeds: BTreeSet<_> = txn.rows().feeds().unwrap().into_iter().collect();
    assert_eq!(feeds, [(app.clone(), 3), ("other".into(), 1)].into());
    txn.commit(&[
        Write::SetChangeFields(app.clone(), 3, Vec::new()),
        Write::DeleteChangesUpTo(app.clone(), 1),
    ])
    .unwrap();
    read(bench, |all| {
        assert_eq!(all.oldest_changes(&app, 1).unwrap(), [(2, 12)]);
        let found = all.changes_after(&app, 2, 9).unwrap();
        assert_eq!(
            found.iter().map(|stored| (stored.seq, stored.change.fields.len())).collect::<Vec<_>>(),
            [(3, 0)]
        );
        assert_eq!(all.last_change_times(&[app.clone(), none.clone()]).unwrap(), [Some(13), None]);
        let ranges = all.feed_ranges(&[app.clone(), none.clone()]).unwrap();
        assert_eq!(
            ranges.iter().map(|range| (range.oldest, range.last)).collect::<Vec<_>>(),
            [(2, 3), (1, 0)]
        );
        assert_eq!(all.feed_epoch().unwrap(), all.feed_epoch().unwrap());
    });
}

pub fn answers_and_quarantined_bodies_are_written_and_read(bench: &Bench) {
    let mut store = bench.store();
    let answer = |key: &str, time| StoredAnswer {
        app: APP.into(),
        key: key.to_owned(),
        fingerprint: [1; 32],
        time,
        answer: key.as_bytes().to_vec(),
    };
    let (body, app) = (quarantined(10), &AppId::from(APP));
    let answers = ["one", "two", "three"].map(|key| answer(key, 5));
    commit(&mut *store, &[Write::Put(RowCells::of(&answers).unwrap())]);
    commit(&mut *store, &[Write::Insert(RowCells::of([&body, &body, &body]).unwrap())]);
    let answers = read(bench, |all| AnswerTime::select().read(all).unwrap());
    let [one, two, three] = [0, 1, 2].map(|n| answers[n].row);
    let writes = [
        Write::update(&AnswerText { row: two, answer: b"2".to_vec() }).unwrap(),
        Write::delete(&ANSWERS, &[one, 99]).unwrap(),
        Write::update(&QuarantineReason { seq: 1, reason: "reason", detail: "detail" }).unwrap(),
        Write::update(&QuarantineReason { seq: 99, reason: "none", detail: "none" }).unwrap(),
        Write::update(&QuarantinedBody { seq: 2, body: b"less".to_vec() }).unwrap(),
        Write::delete(&QUARANTINE, &[3_u64, 3, 99]).unwrap(),
        Write::SetClock(77),
    ];
    commit(&mut *store, &writes);
    commit(&mut *store, &[Write::put(&answer("three", 6)).unwrap()]);
    let txn = store.begin().unwrap();
    assert_eq!(txn.journal_state().clock, 77);
    let all = txn.rows();
    assert_eq!(all.count(&QUARANTINE, Some("body")).unwrap(), (2, 14));
    assert_eq!(all.count(&QUARANTINE, None).unwrap(), (2, 0));
    let stored = |app: &AppId, key: &str| {
        StoredAnswer::select().is("app", app).is("key", key).first(all).unwrap().map(|stored| stored.answer)
    };
    assert_eq!(stored(app, "two"), Some(b"2".to_vec()));
    assert_eq!((stored(app, "one"), stored(&"other".into(), "two")), (None, None));
    let later = AnswerText::select().is("app", app).after(&two).read(all).unwrap();
    assert_eq!((later.len(), later[0].row >= three), (1, true), "a repeated answer comes last");
    let times = AnswerTime::select().read(all).unwrap();
    assert_eq!(times.iter().map(|answer| answer.time).collect::<Vec<_>>(), [5, 6]);
    assert_eq!(AnswerSecret::only(all).unwrap(), AnswerSecret::only(all).unwrap());
    let sizes = QuarantinedSize::get(all, &[1_u64, 2, 3]).unwrap();
    assert_eq!(
        sizes.iter().map(|body| body.map(|body| body.bytes)).collect::<Vec<_>>(),
        [Some(10), Some(4), None]
    );
    let after = QuarantinedSize::select().after(&1_u64).read(all).unwrap();
    assert_eq!(after.iter().map(|body| body.seq).collect::<Vec<_>>(), [2]);
    let found = <(Seq, Quarantined)>::select().is("app", app).read(all).unwrap();
    assert_eq!(
        (found[0].1.reason.as_str(), found[0].1.detail.as_str(), found.len()),
        ("reason", "detail", 2)
    );
    assert_eq!(Quarantined::select().is("app", &AppId::from("other")).read(all).unwrap(), []);
    txn.commit(&[Write::Insert(RowCells::of([&body]).unwrap())]).unwrap();
    let fourth = read(bench, |all| Quarantined::find(all, &4_u64).unwrap());
    assert!(fourth.is_some(), "a number is not given again");
}

pub fn erasures_are_written_and_read(bench: &Bench) {
    let mut store = bench.store();
    commit(&mut *store, &[Write::AppendEntries(&[1, 2, 3].map(entry))]);
    let receipt = |seq, stage: &str| StoredReceipt {
        seq,
        app: APP.into(),
        time: 1,
        done: None,
        counts: serde_json::to_string(&ErasureCounts::default()).unwrap(),
        work: Some(format!("{{\"stage\":{stage}}}")),
    };
    let tombstone = |id: &str, receipt| Tombstone { app: APP.into(), id: id.into(), receipt };
    let tombstones = [tombstone("ann", 1), tombstone("ann", 2), tombstone("bob", 1)];
    let receipts = [receipt(1, "\"Sweep\""), receipt(2, "{\"Bodies\":0}"), receipt(3, "{\"Journal\":[]}")];
    let (tombstones, receipts) = (RowCells::of(&tombstones).unwrap(), RowCells::of(&receipts).unwrap());
    commit(&mut *store, &[Write::Add(tombstones), Write::Put(receipts)]);
    let app = AppId::from(APP);
    let open = |all: &dyn Rows| {
        let open = StoredReceipt::select().is("done", &None::<i64>).is("app", &app).read(all).unwrap();
        open.iter().map(|receipt| receipt.seq).collect::<Vec<_>>()
    };
    read(bench, |all| {
        assert_eq!(open(all), [1, 2, 3]);
        assert_eq!(StoredReceipt::find(all, &2_u64).unwrap(), Some(receipt(2, "{\"Bodies\":0}")));
        let found = Tombstone::get(all, &[key(APP, "ann"), key(APP, "cat")]).unwrap();
        assert_eq!(found, [Some(tombstone("ann", 1)), None], "the first receipt stays");
        let after = Tombstone::select().after(&key(APP, "ann")).read(all).unwrap();
        assert_eq!(after, [tombstone("bob", 1)]);
        let of_receipt = Tombstone::select().is("app", &app).is("receipt", &1_u64).read(all).unwrap();
        assert_eq!(of_receipt, [tombstone("ann", 1), tombstone("bob", 1)]);
    });
    let done = StoredReceipt { done: Some(9), work: None, ..receipt(3, "") };
    commit(&mut *store, &[Write::put(&done).unwrap(), Write::SetRules(4)]);
    assert_eq!(read(bench, open), [1, 2]);
    assert_eq!(read(bench, |all| StoredReceipt::find(all, &3_u64).unwrap()), Some(done));
    assert_eq!(read(bench, |all| all.rules_version().unwrap()), 4);
}

#[test]
fn the_store_in_memory_panics_on_misuse() {
    let (ann, app) = (key(APP, "ann"), AppId::from(APP));
    let user = |row, columns| {
        Write::PutUsers(vec![UserWrite { key: &ann, row, record: vec![1], columns, last_seen_before: 1 }])
    };
    let change = Change { user: "ann".into(), kind: ChangeKind::Updated, fields: Vec::new() };
    let identifier =
        IdentifierRow { app: &app, kind: IdentifierKind::Client, value: "tv", id: &"none".into() };
    let misuses = [
        user(None, columns(1, Some("word"))),
        user(Some(2), columns(1, Some("word"))),
        user(Some(1), Columns { signed_up: 5, ..columns(9, None) }),
        Write::PutIdentifiers(vec![identifier]),
        Write::AppendEntries(&[entry(0)]),
        Write::AppendChanges(0, vec![(app.clone(), StoredChange { seq: 2, time: 1, change })]),
        Write::SetClock(-1),
    ];
    for misuse in misuses {
        let bench = Bench::memory();
        let mut store = bench.store();
        three_users(&mut *store);
        let written = catch_unwind(AssertUnwindSafe(|| commit(&mut *store, std::slice::from_ref(&misuse))));
        assert!(written.is_err(), "{misuse:?}");
    }
    let bench = Bench::memory();
    let reader = bench.store_reader();
    assert!(catch_unwind(AssertUnwindSafe(|| reader.rows().apps())).is_err(), "no snapshot is open");
}
