//! The operations that the directory hides, called directly.

use rollcall::directory::journal;
use rollcall::domain::list::Sort;
use rollcall::domain::{Change, ChangeKind};
use rollcall::format::list_columns::{Columns, IDENTIFIED, NONE};
use rollcall::store::rows::{FeedRange, ListOrder, Rows};
use rollcall::store::select::{Comparison, Condition};
use rollcall::store::tables::*;
use rollcall::store::{CompactionPoint, ReadRow as _, RowCells, UserWrite, Write};

use super::*;

pub fn columns(last_seen: i64, words: Option<&str>) -> Columns {
    let words = words.map(str::to_owned);
    Columns { listed: true, last_seen, signed_up: 100 - last_seen, flags: IDENTIFIED, words }
}

pub fn commit(store: &mut dyn Store, writes: &[Write<'_>]) -> Vec<i64> {
    store.begin().unwrap().commit(writes).unwrap().rows
}

/// Ann, Bob and Cat, last seen at 1, 2 and 3. Returns the numbers of their rows.
pub fn three_users(store: &mut dyn Store) -> Vec<i64> {
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

pub fn read<T>(bench: &Bench, read: impl Fn(&dyn Rows) -> T) -> T {
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
    assert_eq!(reader.rows().count_listed(None).unwrap(), 0);
    three_users(&mut *store);
    assert_eq!(reader.rows().count_listed(None).unwrap(), 0);
    reader.end();
    assert!(reader.begin().unwrap());
    assert_eq!(reader.rows().count_listed(None).unwrap(), 3);
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
    let users_after = |all: &dyn Rows| {
        let users = UserRecord::select().after(&key(APP, "ann")).limit(1).read(all).unwrap().into_iter();
        users.map(|user| ((user.app, user.id), user.record)).collect::<Vec<_>>()
    };
    read(bench, |all| {
        let stored = all.records(&[key(APP, "bob"), key(APP, "none")]).unwrap();
        assert_eq!(stored[0].as_ref().map(|stored| (stored.row, &*stored.bytes)), Some((rows[1], &[2][..])));
        assert_eq!(stored[1], None);
        let in_row = UserRecord::select().is("rowid", &rows[2]).first(all).unwrap();
        assert_eq!(in_row.map(|user| user.record), Some(vec![3]));
        assert_eq!(users_after(all), [(key(APP, "bob"), vec![2])]);
        let keys = UserKey::select().is("app", app).above("id", "ann").read(all).unwrap();
        let keys: Vec<_> = keys.iter().map(|user| (user.id.as_str(), user.is_listed)).collect();
        assert_eq!(keys, [("bob", true), ("cat", true)]);
        assert_eq!(
            all.rows_with_words(&["abcdefword".to_owned()], &["abcdefw2".to_owned()], 9).unwrap(),
            [rows[1]]
        );
        assert_eq!(all.rows_in_range(app, Sort::LastSeen, 2, 3, 9).unwrap(), [rows[1]]);
        assert_eq!(all.rows_in_range(app, Sort::SignedUp, 99, 100, 9).unwrap(), [rows[0]]);
        assert_eq!(all.count_listed(Some(app)).unwrap(), 3);
        assert_eq!(all.count_listed(Some(&"other".into())).unwrap(), 0);
        let listed = |row: i64| ListRow::select().is("rowid", &row).first(all).unwrap();
        let found = listed(rows[0]).map(|row| (row.id.to_string(), row.key(Sort::SignedUp)));
        assert_eq!((found, listed(999)), (Some(("ann".to_owned(), 99)), None));
        for (sort, descending, ids) in [
            (Sort::Id, false, ["ann", "bob", "cat"]),
            (Sort::LastSeen, true, ["cat", "bob", "ann"]),
            (Sort::SignedUp, false, ["cat", "bob", "ann"]),
        ] {
            let order = ListOrder { sort, descending };
            let walk = |behind| -> Vec<String> {
                let found = all.walk_order(app, order, behind, 9).unwrap();
                found.into_iter().map(|(_, row)| row.id.to_string()).collect()
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
        let moves = Move::select().read(all).unwrap();
        let [found] = &moves[..] else { panic!("{moves:?}") };
        assert_eq!((found.row, found.before, found.now), (rows[0], 1, Some(9)));
        assert_eq!((&found.app, &*found.id.to_string(), found.sort), (app, "ann", Sort::LastSeen));
        let last = Move::select().descending().first(all).unwrap();
        assert_eq!(last.as_ref(), Some(found));
        let order = ListOrder { sort: Sort::LastSeen, descending: true };
        let latest = all.walk_order(app, order, Some((i64::MAX, "")), 1).unwrap();
        assert_eq!(latest.iter().map(|(time, _)| *time).collect::<Vec<_>>(), [9]);
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
        &[Write::Add(RowCells::of(&put)), Write::Delete(RowCells::of(&[user_id(ann), user_id(ann)]))],
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

pub fn entry(seq: Seq) -> Entry {
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

pub fn inserted(entries: &[Entry]) -> Write<'_> {
    Write::Insert(RowCells::of(entries))
}

pub fn the_journal_is_written_and_read(bench: &Bench) {
    let mut store = bench.store();
    let (entries, app) = ([1, 2, 3, 4, 5].map(entry), &AppId::from(APP));
    let bodies =
        |first, bytes: &[u8]| Write::put(&PackedBodies { first, dictionary: 1, bytes: bytes.to_vec() });
    commit(&mut *store, &[inserted(&entries), bodies(1, b"one"), bodies(3, b"three"), bodies(3, b"3")]);
    read(bench, |all| {
        assert_eq!(Entry::get(all, &[4_u64, 9]).unwrap(), [Some(entries[3].clone()), None]);
        assert_eq!(Entry::select().after(&3_u64).limit(1).read(all).unwrap(), [entries[3].clone()]);
        let damaged = DamagedEntry::find(all, &4_u64).unwrap();
        assert_eq!(damaged, Some(DamagedEntry(entries[3].clone())));
        let users = UsersOfEntry::get(all, &[2_u64, 9]).unwrap();
        let users: Vec<_> =
            users.into_iter().map(|entry| entry.map(|entry| (entry.app, entry.users))).collect();
        assert_eq!(users, [Some((app.clone(), vec![("ann".into(), Some(1))])), None]);
        let first = |seq| journal::first_of_batch(all, seq).unwrap();
        assert_eq!((first(2), first(5)), (Some(1), Some(3)));
        let packed = PackedBodies::get(all, &[3_u64, 2]).unwrap();
        assert_eq!(packed[0].as_ref().map(|packed| &*packed.bytes), Some(&b"3"[..]));
        assert_eq!(packed[1], None);
        let sizes = BodySize::select().read(all).unwrap();
        assert_eq!(sizes, [BodySize { first: 1, bytes: 3 }, BodySize { first: 3, bytes: 1 }]);
        assert_eq!(journal::entries_of_batch(all, 1).unwrap(), entries[..2]);
        assert_eq!(journal::entries_of_batch(all, 3).unwrap(), entries[2..]);
        let oldest = EntryTime::select().up_to("seq", &3_u64).limit(2).read(all).unwrap();
        assert_eq!(
            oldest.iter().map(|entry| (entry.seq, entry.received)).collect::<Vec<_>>(),
            [(1, 10), (2, 20)]
        );
        let newest = EntrySource::select().descending().limit(2).read(all).unwrap();
        assert_eq!(newest.iter().map(|entry| entry.received).collect::<Vec<_>>(), [50, 40]);
        assert!(newest.iter().all(|entry| entry.app == *app && entry.source == Source::Webhook));
        assert_eq!(all.count(&JOURNAL, None).unwrap(), (5, 0));
    });
    a_part_of_the_journal_is_changed_and_deleted(bench, store);
}

fn a_part_of_the_journal_is_changed_and_deleted(bench: &Bench, mut store: Box<dyn Store>) {
    let app = &AppId::from(APP);
    let ann = &SmoochId::from("ann");
    let compacted = |record| Write::put(&CompactedWrite { app, id: ann, record });
    let reduced = Entry { source: Source::Reduced, users: Vec::new(), body: 7, place: 1, ..entry(5) };
    let reduce = |seq| {
        let Entry { source, body, place, .. } = reduced;
        Write::update(&ReducedEntry { seq, source, users: Vec::new(), body, place })
    };
    let gap = |first, last| Gap { first, last };
    let two = Condition::new("seq", Comparison::UpTo, &2_u64);
    let writes = [
        reduce(5),
        reduce(77),
        Write::add(&gap(4, 4)),
        Write::add(&gap(4, 9)),
        Write::delete(&JOURNAL, &[4_u64]),
        Write::update(&Horizon { seq: 2, received: 20 }),
        compacted(b"compacted"),
        compacted(b"again"),
        Write::put(&gap(1, 2)),
        Write::DeleteWhere(&JOURNAL, vec![two]),
        Write::delete(&BODIES, &[1_u64, 99]),
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
    assert_eq!(Entry::select().read(all).unwrap(), [entry(3), reduced]);
    assert_eq!(Gap::select().read(all).unwrap(), [gap(1, 2), gap(4, 4)]);
    let point = CompactionPoint::read(all).unwrap();
    assert_eq!((point.folded, point.received, point.oldest), (2, 20, 3));
    let compacted = CompactedRecord::get(all, &[key(APP, "ann"), key(APP, "bob")]).unwrap();
    assert_eq!(compacted[0].as_ref().map(|stored| &*stored.record), Some(&b"again"[..]));
    assert_eq!((compacted.len(), &compacted[1]), (2, &None));
    drop(txn);
    commit(&mut *store, &[Write::add(&gap(5, 5)), Write::delete(&JOURNAL, &[5_u64])]);
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
        NewChange { app: app.into(), entry: 1, stored: StoredChange { seq, time, change } }
    };
    let changes = [change(APP, 1, 10), change("other", 1, 11), change(APP, 2, 12), change(APP, 3, 13)];
    let feeds = [(APP, 3), ("other", 1)].map(|(app, last)| Feed { app: app.into(), last });
    let (changes, put) = (RowCells::of(&changes), RowCells::of(&feeds));
    commit(&mut *store, &[inserted(&[entry(1)]), Write::Insert(changes), Write::Put(put)]);
    let (app, none) = (AppId::from(APP), AppId::from("none"));
    let txn = store.begin().unwrap();
    assert_eq!((txn.last_change(&app), txn.last_change(&none)), (3, 0));
    assert_eq!(Feed::select().read(txn.rows()).unwrap(), feeds);
    txn.commit(&[
        Write::update(&ChangeFields { app: app.clone(), seq: 3, fields: Vec::new() }),
        Write::DeleteWhere(
            &CHANGES,
            vec![
                Condition::new("app", Comparison::Is, &app),
                Condition::new("seq", Comparison::UpTo, &1_u64),
            ],
        ),
    ])
    .unwrap();
    read(bench, |all| {
        let oldest = ChangeTime::select().is("app", &app).first(all).unwrap();
        assert_eq!(oldest.map(|change| (change.seq, change.time)), Some((2, 12)));
        let found = StoredChange::select().is("app", &app).above("seq", &2_u64).read(all).unwrap();
        assert_eq!(
            found.iter().map(|stored| (stored.seq, stored.change.fields.len())).collect::<Vec<_>>(),
            [(3, 0)]
        );
        let last = |app| ChangeTime::select().is("app", app).descending().first(all).unwrap();
        assert_eq!((last(&app).map(|change| change.time), last(&none)), (Some(13), None));
        let ranges = [&app, &none].map(|app| FeedRange::read(all, app).unwrap());
        assert_eq!(ranges.map(|range| (range.oldest, range.last)), [(2, 3), (1, 0)]);
        assert_eq!(all.feed_epoch().unwrap(), all.feed_epoch().unwrap());
    });
}
