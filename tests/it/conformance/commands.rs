//! What every store must do for the commands of our own API.

use super::{APP, Event, batch, bound, event, ids, key, load, named};
use rollcall::directory::DirectoryReader;
use rollcall::directory::DirectoryWriter;
use rollcall::directory::audit::AuditFilter;
use rollcall::directory::batch::{Answered, Batch, Keys, Reported, Verdicts};
use rollcall::domain::AppId;
use rollcall::store::{ANSWERS_KEPT, Actor, AuditAction, AuditEntry, How, Seq, Source};

use crate::support::journal;

/// Ann, Bob and Cat claim one television, Bob last.
pub fn three(store: &mut DirectoryWriter) {
    let claims: [Event; 3] = [
        event(1, vec![named("cat", "c"), bound("cat", "tv")]),
        event(2, vec![named("ann", "a"), bound("ann", "tv")]),
        event(3, vec![named("bob", "b"), bound("bob", "tv")]),
    ];
    claims.into_iter().for_each(|claim| _ = super::store(store, APP, &[claim]));
}

pub fn a_load_brings_whom_a_command_looks_for_and_who_holds_their_clients(
    mut store: DirectoryWriter,
    _: DirectoryReader,
) {
    three(&mut store);
    let (app, text) = (AppId::from(APP), "\"a\"".into());
    let by_id = Keys { named: vec![key(APP, "ann"), key(APP, "a")], ..Keys::default() };
    assert_eq!(ids(&load(&mut store, &by_id)), ["ann", "bob"].into());
    let by_user_id = Keys { user_ids: vec![(app.clone(), text)], ..Keys::default() };
    let found = load(&mut store, &by_user_id);
    assert_eq!(ids(&found), ["ann", "bob"].into());
    assert_eq!(found.by_name(&app, &"a".into()).map(|view| view.id), Some("ann".into()));
    let by_client = Keys { clients: vec![(app.clone(), "tv".into())], ..Keys::default() };
    let found = load(&mut store, &by_client);
    assert_eq!(found.holder(&app, &"tv".into()).map(|view| view.id), Some("bob".into()));
    for ends in [
        Keys { named: vec![key(APP, "bob")], ends_named: true, ..Keys::default() },
        Keys { user_ids: vec![(app.clone(), "\"b\"".into())], ends_named: true, ..Keys::default() },
        Keys { clients: by_client.clients, ends_named: true, ..Keys::default() },
    ] {
        assert_eq!(ids(&load(&mut store, &ends)), ["ann", "bob", "cat"].into(), "{ends:?}");
    }
}

pub fn a_load_brings_who_carries_a_user_id_that_is_new_to_another(
    mut store: DirectoryWriter,
    _: DirectoryReader,
) {
    three(&mut store);
    let mut found = |id: &str| {
        let reported = vec![Reported { key: key(APP, id), user_id: Some("\"a\"".into()), brand: None }];
        let found = load(&mut store, &Keys { users: vec![key(APP, id)], reported, ..Keys::default() });
        ids(&found).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!((found("new"), found("cat")), (vec!["ann".to_owned()], vec!["ann".into(), "cat".into()]));
}

pub fn an_answer_is_kept_for_a_day(open: &dyn Fn() -> (DirectoryWriter, DirectoryReader)) {
    let answer = |key: &str, time| Answered {
        app: APP.into(),
        key: key.to_owned(),
        fingerprint: [7; 32],
        time,
        answer: key.as_bytes().to_vec(),
    };
    let known = |key: &str| open().0.begin().unwrap().find_answer(&APP.into(), key).unwrap();
    let keep = |answers: Vec<Answered>, now| {
        let (mut store, _) = open();
        let mut txn = store.begin().unwrap();
        let mut batch = batch(&mut txn, APP, &[]);
        (batch.answers, batch.now) = (answers, now);
        txn.commit(&batch).unwrap();
    };
    keep(vec![answer("one", 1), answer("two", 2)], 2);
    assert_eq!(known("one"), Some(answer("one", 1)));
    assert_eq!(open().0.begin().unwrap().find_answer(&"other".into(), "one").unwrap(), None);
    keep(vec![answer("three", ANSWERS_KEPT)], ANSWERS_KEPT + 1);
    assert!(known("one").is_some() && known("two").is_some() && known("three").is_some());
    keep(vec![answer("two", ANSWERS_KEPT + 2), answer("four", ANSWERS_KEPT + 2)], ANSWERS_KEPT + 2);
    assert_eq!(known("one"), None);
    assert_eq!(known("two"), Some(answer("two", ANSWERS_KEPT + 2)), "asked anew after a day");
    assert!(known("three").is_some() && known("four").is_some());
}

pub fn the_clock_never_runs_back(open: &dyn Fn() -> (DirectoryWriter, DirectoryReader)) {
    for (set, clock) in [(0, 0), (500, 500), (20, 500), (501, 501)] {
        let (mut store, _) = open();
        let mut txn = store.begin().unwrap();
        let mut batch = batch(&mut txn, APP, &[]);
        batch.clock = set;
        txn.commit(&batch).unwrap();
        assert_eq!(store.begin().unwrap().clock(), clock);
        drop(store);
        assert_eq!(open().0.begin().unwrap().clock(), clock, "reopened");
    }
}

pub fn the_journal_says_who_told(mut store: DirectoryWriter, reader: DirectoryReader) {
    let mut txn = store.begin().unwrap();
    let mut batch = batch(&mut txn, APP, &[event(1, vec![named("ann", "a")]), event(2, Vec::new())]);
    batch.entries[1].source = Source::Api;
    txn.commit(&batch).unwrap();
    let sources: Vec<_> = journal(&reader, 0, 9).into_iter().map(|(entry, _)| entry.source).collect();
    assert_eq!(sources, [Source::Webhook, Source::Api]);
}

pub fn a_body_that_is_released_makes_room_in_quarantine(mut store: DirectoryWriter, reader: DirectoryReader) {
    let mut save = |new: usize, verdicts: Verdicts| {
        let mut txn = store.begin().unwrap();
        let quarantined = (0..new).map(|_| super::quarantined(10)).collect();
        let batch = Batch { quarantined, verdicts, ..batch(&mut txn, APP, &[]) };
        txn.commit(&batch).unwrap().0.quarantine_dropped
    };
    assert_eq!(save(5, Verdicts::default()), 0);
    let kept = vec![(3, "too_deep".to_owned(), "still".to_owned())];
    assert_eq!(save(0, Verdicts { released: vec![1, 2, 2, 99], kept }), 0);
    assert_eq!(reader.count_contents().unwrap().quarantined, 3);
    assert_eq!(save(2, Verdicts::default()), 0, "there is room for as many");
    assert_eq!(save(1, Verdicts { released: vec![4], ..Verdicts::default() }), 0);
    assert_eq!(save(1, Verdicts::default()), 1);
    assert_eq!(
        save(2, Verdicts { released: vec![5], ..Verdicts::default() }),
        1,
        "the oldest of those that stay"
    );
    assert_eq!(reader.count_contents().unwrap().quarantined, 5);
    let txn = store.begin().unwrap();
    let held: Vec<bool> = [2, 3, 5, 6, 7, 8].map(|seq| txn.quarantined_app(seq).unwrap().is_some()).into();
    assert_eq!(held, [false, false, false, false, true, true], "released, given up as the oldest, and there");
}

pub fn the_audit_log_is_written_with_its_change_and_read_in_pages(
    mut store: DirectoryWriter,
    reader: DirectoryReader,
) {
    let by = Actor::unnamed(How::Command);
    for n in 0..5_i64 {
        let id = if n % 2 == 0 { "ann" } else { "bob" };
        let mut txn = store.begin().unwrap();
        let mut batch = batch(&mut txn, APP, &[event(n + 1, vec![named(id, id)])]);
        let entry = AuditEntry::of(n, &by, AuditAction::Update);
        batch.audit = vec![AuditEntry { app: Some(APP.into()), ids: vec![id.into()], ..entry }];
        txn.commit(&batch).unwrap();
    }
    let mut txn = store.begin().unwrap();
    let mut uncommitted = batch(&mut txn, APP, &[]);
    assert!(uncommitted.is_empty());
    uncommitted.audit = vec![AuditEntry::of(9, &by, AuditAction::Reload)];
    assert!(!uncommitted.is_empty());
    drop(txn);
    let page = |filter: &AuditFilter, before: Option<Seq>, limit, looks| {
        let page = reader.read_audit(filter, before, (limit, looks)).unwrap();
        (page.entries.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), page.looked, page.next)
    };
    let all = AuditFilter::default();
    assert_eq!(page(&all, None, 3, 10), (vec![5, 4, 3], 3, Some(3)));
    assert_eq!(page(&all, Some(3), 3, 10), (vec![2, 1], 2, None));
    assert_eq!(page(&all, None, 5, 10), (vec![5, 4, 3, 2, 1], 5, None), "the end is known");
    let of_bob = AuditFilter { ids: Some(["bob".into()].into()), ..all.clone() };
    assert_eq!(page(&of_bob, None, 2, 3), (vec![4], 3, Some(3)), "no further than it may look");
    assert_eq!(page(&of_bob, Some(3), 2, 3), (vec![2], 2, None));
    for (filter, seqs) in [
        (AuditFilter { who: Some("ann".to_owned()), ..all.clone() }, vec![]),
        (AuditFilter { action: Some(AuditAction::Update), since: Some(3), ..all.clone() }, vec![5, 4]),
        (AuditFilter { until: Some(0), ..all.clone() }, vec![1]),
        (AuditFilter { from: 4, ..all.clone() }, vec![5, 4]),
        (AuditFilter { apps: Some(["other".into()].into()), ..all.clone() }, vec![]),
    ] {
        assert_eq!(page(&filter, None, 10, 100).0, seqs, "{filter:?}");
    }
}
