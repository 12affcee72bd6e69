//! What the store in memory refuses, for tests that would misuse a store.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rollcall::domain::{Change, ChangeKind};
use rollcall::format::list_columns::Columns;
use rollcall::store::tables::*;
use rollcall::store::{ReadRow as _, RowCells, UserWrite, Write};

use super::*;

#[test]
fn the_store_in_memory_panics_on_misuse() {
    let (ann, app) = (key(APP, "ann"), AppId::from(APP));
    let user = |row, columns| {
        Write::PutUsers(vec![UserWrite { key: &ann, row, record: vec![1], columns, last_seen_before: 1 }])
    };
    let change = Change { user: "ann".into(), kind: ChangeKind::Updated, fields: Vec::new() };
    let stored = StoredChange { seq: 2, time: 1, change };
    let change = NewChange { app: app.clone(), entry: 0, stored };
    let identifier =
        IdentifierRow { app: &app, kind: IdentifierKind::Client, value: "tv", id: &"none".into() };
    let misuses = [
        user(None, columns(1, Some("word"))),
        user(Some(2), columns(1, Some("word"))),
        user(Some(1), Columns { signed_up: 5, ..columns(9, None) }),
        Write::add(&identifier),
        Write::Insert(RowCells::of([&entry(0)]).into_owned()),
        Write::Insert(RowCells::of([&change])),
        Write::update(&Clock { time: -1 }),
        Write::update(&Horizon { seq: 1, received: 1 }),
        Write::Insert(RowCells::of([&AnswerSecret { key: [1; 32] }])),
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
    assert!(
        catch_unwind(AssertUnwindSafe(|| UserKey::select().read(reader.rows()))).is_err(),
        "no snapshot is open"
    );
}
