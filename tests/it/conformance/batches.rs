//! Transactions, the loading of records, and what a batch writes.

use super::*;
use crate::support::{by_user_id, journal};

pub fn uncommitted_writes_vanish(mut store: DirectoryWriter, reader: DirectoryReader) {
    let events = [event(1, vec![named("ann", "a"), bound("ann", "phone")])];
    let mut txn = store.begin().unwrap();
    batch(&mut txn, APP, &events);
    assert_eq!(reader.find_by_id(&APP.into(), &"ann".into()).unwrap(), None, "not before the commit");
    drop(txn);
    assert_eq!(ids(&load(&mut store, &keys(APP, &events))), BTreeSet::new());
    assert_eq!(store.begin().unwrap().next_entry(), 1);
    assert_eq!(reader.find_by_id(&APP.into(), &"ann".into()).unwrap(), None);
    assert_eq!(by_user_id(&reader, &APP.into(), "a"), None);
    assert_eq!(journal(&reader, 0, 10), []);
    assert_eq!(reader.count_contents().unwrap(), ContentCounts::default());
    self::store(&mut store, APP, &events);
    assert!(by_user_id(&reader, &APP.into(), "a").is_some(), "committed ones stay");
}

pub fn a_commit_is_seen_by_the_next_transaction(mut store: DirectoryWriter, reader: DirectoryReader) {
    let events = [event(1, vec![named("ann", "a")])];
    let mut txn = store.begin().unwrap();
    let batch = batch(&mut txn, APP, &events);
    txn.commit(&batch).unwrap();
    let mut txn = store.begin().unwrap();
    let seen = txn.load(&keys(APP, &events), 100).unwrap();
    let (written, saved) = (batch.directory.record(&key(APP, "ann")), seen.record(&key(APP, "ann")));
    assert!(saved.is_some() && saved == written);
    assert_eq!(txn.read_links(&key(APP, "ann"), 1, 0, 9).unwrap()[0].digest, events[0].stamp.digest);
    assert_eq!(
        reader.find_by_id(&APP.into(), &"ann".into()).unwrap(),
        batch.directory.view(&APP.into(), &"ann".into())
    );
}

pub fn numbers_rise_and_survive_reopening(open: &dyn Fn() -> (DirectoryWriter, DirectoryReader)) {
    let mut known: Vec<(Entry, Bytes)> = Vec::new();
    for round in 0..3_i64 {
        let (mut store, reader) = open();
        assert_eq!(journal(&reader, 0, 100), known, "round {round}");
        for n in 0..2_i64 {
            let mut txn = store.begin().unwrap();
            assert_eq!(txn.next_entry(), known.len() as Seq + 1, "round {round}");
            let first = round * 10 + n * 3 + 1;
            let events: Vec<Event> =
                (first..first + 3).map(|time| event(time, vec![seen("ann"), seen("bob")])).collect();
            let batch = batch(&mut txn, APP, &events);
            txn.commit(&batch).unwrap();
            known.extend(batch.entries.into_iter().zip(batch.bodies));
        }
        assert_eq!(journal(&reader, 0, 100), known, "round {round}");
        assert_eq!(journal(&reader, 2, 3), known[2..5], "a page out of the middle of a batch");
        assert_eq!(reader.count_contents().unwrap().events, known.len() as u64);
    }
    assert!(known.is_sorted_by(|(one, _), (next, _)| one.seq < next.seq));
}

pub fn a_load_brings_everybody_whom_merges_connect(mut store: DirectoryWriter, _: DirectoryReader) {
    let events = [event(1, vec![merged("b", "a")]), event(2, vec![merged("c", "b"), seen("d")])];
    self::store(&mut store, APP, &events);
    for id in ["a", "b", "c"] {
        let found = load(&mut store, &Keys { users: vec![key(APP, id)], ..Keys::default() });
        assert_eq!(ids(&found), ["a", "b", "c"].into(), "from {id}");
        assert!(found.entries().all(|(_, entry)| entry.before.is_none()), "nothing is touched yet");
    }
    let found = load(&mut store, &Keys { users: vec![key(APP, "d"), key(APP, "nobody")], ..Keys::default() });
    assert_eq!(ids(&found), ["d"].into());
}

pub fn a_load_brings_the_holder_of_a_client_with_its_group(
    mut store: DirectoryWriter,
    reader: DirectoryReader,
) {
    self::store(&mut store, APP, &[event(1, vec![bound("a", "phone")]), event(2, vec![merged("b", "a")])]);
    let phone = ClientId::from("phone");
    let claim = |id: &str| Keys {
        users: vec![key(APP, id)],
        claims: vec![(key(APP, id), phone.clone())],
        ..Keys::default()
    };
    let found = load(&mut store, &claim("x"));
    assert!(found.has_pointer(&APP.into(), &phone));
    assert_eq!(ids(&found), ["a", "b"].into());

    self::store(&mut store, APP, &[event(3, vec![bound("x", "phone")])]);
    let active = |reader: &mut dyn FnMut(&str) -> Option<rollcall::domain::View>, id: &str| {
        reader(id).unwrap().clients[&phone].active
    };
    let mut look = |id: &str| reader.find_by_id(&APP.into(), &id.into()).unwrap();
    assert!(active(&mut look, "x") && !active(&mut look, "a"), "the newest claim holds it");
    self::store(&mut store, APP, &[event(2, vec![bound("y", "phone")])]);
    assert!(active(&mut look, "x") && !active(&mut look, "y"), "an older one does not");
}

pub fn a_load_brings_who_may_hold_a_client_next(mut store: DirectoryWriter, reader: DirectoryReader) {
    let claims = [
        event(1, vec![bound("a", "tv")]),
        event(2, vec![bound("b", "tv")]),
        event(3, vec![bound("c", "tv")]),
    ];
    for claim in claims {
        self::store(&mut store, APP, &[claim]);
    }
    let ends = Keys { users: vec![key(APP, "c")], ends: vec![key(APP, "c")], ..Keys::default() };
    assert_eq!(ids(&load(&mut store, &ends)), ["a", "b", "c"].into());
    for (gone, next) in [("c", "b"), ("b", "a")] {
        self::store(&mut store, APP, &[event(9, vec![removed(gone)])]);
        let view = reader.find_by_id(&APP.into(), &next.into()).unwrap().unwrap();
        assert!(view.clients[&ClientId::from("tv")].active, "{next} after {gone}");
        assert_eq!(reader.find_by_id(&APP.into(), &gone.into()).unwrap(), None);
    }
}

pub fn a_list_shows_roots_in_the_order_of_their_ids(mut store: DirectoryWriter, reader: DirectoryReader) {
    self::store(&mut store, APP, &[event(1, ["d", "b", "e", "a", "c", "B"].map(seen).into())]);
    self::store(&mut store, APP, &[event(2, vec![merged("d", "c")]), event(3, vec![removed("b")])]);
    self::store(&mut store, APP, &[event(4, vec![seen(SmoochId::APP)])]);
    let list = |after: Option<&str>, limit| -> Vec<String> {
        let views = reader.list_users(&APP.into(), after, limit).unwrap();
        views.into_iter().map(|view| view.id.to_string()).collect()
    };
    assert_eq!(list(None, 10), ["B", "a", "d", "e"]);
    assert_eq!(list(None, 2), ["B", "a"]);
    assert_eq!(list(Some("a"), 2), ["d", "e"]);
    assert_eq!(list(Some("c"), 1), ["d"], "after an app user that is not listed");
    assert_eq!(list(Some("e"), 5), [""; 0]);
    assert_eq!(reader.count_contents().unwrap().users, 4);
}

pub fn a_user_id_resolves_to_who_said_it_last(mut store: DirectoryWriter, reader: DirectoryReader) {
    let who = |user_id: &str| by_user_id(&reader, &APP.into(), user_id).map(|view| view.id.to_string());
    self::store(&mut store, APP, &[event(5, vec![named("a", "kim")])]);
    self::store(&mut store, APP, &[event(3, vec![named("b", "kim")])]);
    assert_eq!(who("kim").as_deref(), Some("a"), "an older word does not count");
    self::store(&mut store, APP, &[event(7, vec![named("b", "kim")])]);
    assert_eq!(who("kim").as_deref(), Some("b"));
    self::store(&mut store, APP, &[event(8, vec![named("b", "lee")])]);
    assert_eq!((who("kim").as_deref(), who("lee").as_deref()), (Some("a"), Some("b")));
    self::store(&mut store, APP, &[event(9, vec![removed("a")])]);
    assert_eq!((who("kim"), who("KIM"), who("")), (None, None, None));
}

pub fn the_journal_of_an_app_user_is_walked_back_to_a_time(mut store: DirectoryWriter, _: DirectoryReader) {
    for time in 1..=20 {
        let id = if time % 2 == 0 { "even" } else { "odd" };
        self::store(&mut store, APP, &[event(time, vec![seen(id)])]);
    }
    let mut txn = store.begin().unwrap();
    let even = key(APP, "even");
    let head = txn.load(&Keys { users: vec![even.clone()], ..Keys::default() }, 100).unwrap();
    let head = head.record(&even).unwrap().head;
    assert_eq!(head, Some(20));
    let walk = |from, since, most| -> Vec<(i64, Option<Seq>)> {
        let links = txn.read_links(&even, from, since, most).unwrap();
        let known = |link: &Link| event(link.received, Vec::new()).stamp.digest == link.digest;
        assert!(links.iter().all(known));
        links.into_iter().map(|link| (link.received, link.previous)).collect()
    };
    let all = walk(20, 0, 99);
    assert_eq!(all.len(), 10, "from its last entry to its first, of no other app user");
    assert_eq!((all[0], all[8], all[9]), ((20, Some(18)), (4, Some(2)), (2, None)));
    assert_eq!(walk(20, 0, 3), all[..3], "no more than asked");
    assert_eq!(walk(14, 9, 99), all[3..6], "no further back than asked");
    assert_eq!(walk(20, 21, 99), []);
    assert_eq!(walk(22, 0, 99), [], "an entry that is not there");
}

pub fn what_a_batch_came_to_is_counted(mut store: DirectoryWriter, _: DirectoryReader) {
    let mut saved = |events: &[Event]| self::store(&mut store, APP, events);
    let none = Saved::default();
    assert_eq!(
        saved(&[event(1, vec![named("a", "kim"), seen("b"), seen("c")])]),
        Saved { created: 3, ..none }
    );
    assert_eq!(saved(&[event(1, vec![named("a", "kim")])]), none, "nothing new");
    assert_eq!(saved(&[event(2, vec![named("b", "kim")])]), Saved { identity_conflicts: 1, ..none });
    assert_eq!(saved(&[event(3, vec![merged("a", "c")])]), Saved { merged: 1, ..none });
    assert_eq!(
        saved(&[event(4, vec![removed("a")]), event(5, vec![seen("d")])]),
        Saved { created: 1, removed: 1, ..none }
    );
}

pub fn apps_are_walls(mut store: DirectoryWriter, reader: DirectoryReader) {
    self::store(
        &mut store,
        "one",
        &[event(1, vec![named("a", "kim"), bound("a", "phone"), merged("a", "z")])],
    );
    self::store(&mut store, "two", &[event(2, vec![named("b", "kim"), bound("b", "phone"), seen("z")])]);
    for (app, id, other, alone) in [("one", "a", "b", false), ("two", "b", "a", true)] {
        let app = AppId::from(app);
        assert_eq!(by_user_id(&reader, &app, "kim").unwrap().id, id.into());
        assert_eq!(reader.find_by_id(&app, &other.into()).unwrap(), None);
        let view = reader.find_by_id(&app, &id.into()).unwrap().unwrap();
        assert!(view.clients[&ClientId::from("phone")].active, "each app has a phone of its own");
        assert_eq!(reader.find_by_id(&app, &"z".into()).unwrap().unwrap().id == "z".into(), alone);
        assert_eq!(reader.list_users(&app, None, 9).unwrap().len(), 1 + usize::from(alone));
    }
    let found = load(&mut store, &Keys { users: vec![key("two", "a"), key("two", "z")], ..Keys::default() });
    assert_eq!(ids(&found), ["z"].into());
}

pub fn the_quarantine_keeps_the_newest_within_its_bounds(
    open: &dyn Fn() -> (DirectoryWriter, DirectoryReader),
) {
    let keep = |bodies: &[usize]| {
        let (mut store, reader) = open();
        let mut txn = store.begin().unwrap();
        let mut batch = batch(&mut txn, APP, &[]);
        batch.quarantined = bodies.iter().map(|bytes| quarantined(*bytes)).collect();
        let dropped = txn.commit(&batch).unwrap().0.quarantine_dropped;
        (dropped, reader.count_contents().unwrap().quarantined)
    };
    assert_eq!(keep(&[10, 10, 10]), (0, 3));
    assert_eq!(keep(&[10, 10, 10]), (1, LIMITS.bodies), "as many as allowed, over reopening");
    assert_eq!(keep(&[400, 400]), (2, LIMITS.bodies));
    assert_eq!(keep(&[400]), (4, 2), "as many bytes as allowed: the oldest go");
    assert_eq!(keep(&[2000]), (2, 1), "the last one stays, whatever its size");
    assert_eq!(keep(&[1]), (1, 1));
}
