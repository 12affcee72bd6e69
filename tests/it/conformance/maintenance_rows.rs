//! The rows of answers, of the quarantine, of erasures and of the audit log.

use rollcall::store::rows::Rows;
use rollcall::store::tables::*;
use rollcall::store::{Actor, AuditAction, AuditEntry, ErasureCounts, How, ReadRow as _, RowCells, Write};

use super::*;

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
    commit(&mut *store, &[Write::Put(RowCells::of(&answers))]);
    commit(&mut *store, &[Write::Insert(RowCells::of([&body, &body, &body]))]);
    let answers = read(bench, |all| AnswerTime::select().read(all).unwrap());
    let [one, two, three] = [0, 1, 2].map(|n| answers[n].row);
    let writes = [
        Write::update(&AnswerText { row: two, answer: b"2".to_vec() }),
        Write::delete(&ANSWERS, &[one, 99]),
        Write::update(&QuarantineReason { seq: 1, reason: "reason", detail: "detail" }),
        Write::update(&QuarantineReason { seq: 99, reason: "none", detail: "none" }),
        Write::update(&QuarantinedBody { seq: 2, body: b"less".to_vec() }),
        Write::delete(&QUARANTINE, &[3_u64, 3, 99]),
        Write::update(&Clock { time: 77 }),
    ];
    commit(&mut *store, &writes);
    commit(&mut *store, &[Write::put(&answer("three", 6))]);
    let txn = store.begin().unwrap();
    assert_eq!(txn.journal_state().clock, 77);
    let all = txn.rows();
    assert_eq!(Clock::only(all).unwrap().time, 77);
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
    txn.commit(&[Write::Insert(RowCells::of([&body]))]).unwrap();
    let fourth = read(bench, |all| Quarantined::find(all, &4_u64).unwrap());
    assert!(fourth.is_some(), "a number is not given again");
}

pub fn sessions_are_written_and_read(bench: &Bench) {
    let mut store = bench.store();
    let session = |n: u8, secret, used| StoredSession {
        cookie: [n; 32],
        half: [n + 100; 32],
        name: "ann".to_owned(),
        role: "viewer".to_owned(),
        secret,
        began: 5,
        used,
        epoch: 1 << 47,
    };
    let (one, two) = (session(1, None, 5), session(2, Some([9; 32]), 6));
    commit(&mut *store, &[Write::Put(RowCells::of([&one, &two]))]);
    assert_eq!(read(bench, |all| StoredSession::select().read(all).unwrap()), [one, two.clone()]);
    let used = session(2, Some([9; 32]), 7);
    commit(&mut *store, &[Write::delete(&SESSIONS, &[[1_u8; 32], [3; 32]]), Write::put(&used)]);
    assert_eq!(read(bench, |all| StoredSession::select().read(all).unwrap()), [used]);
}

pub fn erasures_are_written_and_read(bench: &Bench) {
    let mut store = bench.store();
    commit(&mut *store, &[inserted(&[1, 2, 3].map(entry))]);
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
    let (tombstones, receipts) = (RowCells::of(&tombstones), RowCells::of(&receipts));
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
    commit(&mut *store, &[Write::put(&done), Write::update(&Rules { rules: 4 })]);
    assert_eq!(read(bench, open), [1, 2]);
    assert_eq!(read(bench, |all| StoredReceipt::find(all, &3_u64).unwrap()), Some(done));
    assert_eq!(read(bench, |all| Rules::only(all).unwrap().rules), 4);
}

pub fn the_audit_log_is_written_and_read(bench: &Bench) {
    let mut store = bench.store();
    let by = Actor {
        who: Some("ann".to_owned()),
        role: Some("operator".to_owned()),
        how: How::Console,
        request: Some("request".to_owned()),
    };
    let whole = AuditEntry {
        app: Some(APP.into()),
        ids: vec!["\"ann\"".into(), "bob".into()],
        entries: vec![7, 8],
        bodies: vec![9],
        count: Some(2),
        detail: Some("detail".to_owned()),
        ..AuditEntry::of(5, &by, AuditAction::Merge)
    };
    let bare = AuditEntry::of(6, &Actor::unnamed(How::Signal), AuditAction::Reload);
    commit(&mut *store, &[Write::Insert(RowCells::of([&whole, &bare, &bare]))]);
    let all = |bench: &Bench| read(bench, |all| <(Seq, AuditEntry)>::select().read(all).unwrap());
    assert_eq!(all(bench), [(1, whole.clone()), (2, bare.clone()), (3, bare.clone())]);
    let writes =
        [Write::update(&AuditRequest { seq: 1, request: None }), Write::delete(&AUDIT, &[2_u64, 3, 99])];
    commit(&mut *store, &writes);
    commit(&mut *store, &[Write::Insert(RowCells::of([&bare]))]);
    let reduced = AuditEntry { request: None, ..whole };
    assert_eq!(all(bench), [(1, reduced), (4, bare)], "a number is not given again");
    let times = read(bench, |all| AuditTime::select().descending().read(all).unwrap());
    assert_eq!(times.iter().map(|entry| (entry.seq, entry.time)).collect::<Vec<_>>(), [(4, 6), (1, 5)]);
    let users = read(bench, |all| AuditedUsers::select().after(&0_u64).limit(1).read(all).unwrap());
    assert_eq!((users[0].seq, users[0].ids.len(), &users[0].request), (1, 2, &None));
}
