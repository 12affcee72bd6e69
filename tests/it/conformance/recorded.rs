//! Stores whose calls are recorded, and the list of all operations. A method or a write that is new fails to compile here.

use std::cell::RefCell;
use std::collections::BTreeSet;

use rollcall::domain::list::Sort;
use rollcall::domain::{AppId, RecordKey, SmoochId};
use rollcall::store::cell::Cell;
use rollcall::store::readers::StopSignal;
use rollcall::store::readers::StoreReader;
use rollcall::store::rows::*;
use rollcall::store::select::{Scan, TableRows};
use rollcall::store::table::{Projection, Table};
use rollcall::store::tables::{self, ListRow};
use rollcall::store::{
    Committed, Error, FeedEpoch, JournalState, Maintained, Result, Scrubbed, Store, Transaction, Write,
};

thread_local! {
    /// The operations that this thread has called.
    static CALLED: RefCell<BTreeSet<String>> = RefCell::default();
}

fn note(operation: &str) {
    CALLED.with_borrow_mut(|called| {
        if !called.contains(operation) {
            called.insert(operation.to_owned());
        }
    });
}

/// The operations that this thread has not called, and the tables that it has not read or written.
pub fn uncalled() -> Vec<String> {
    let operations =
        [STORE, TRANSACTION, READER, ROWS, READS, WRITES].concat().into_iter().map(str::to_owned);
    let read = tables::ALL.iter().map(|table| format!("read {}", table.name));
    let written = tables::ALL.iter().filter(|table| !NOT_WRITTEN.contains(&table.name));
    let all = operations.chain(read).chain(written.map(|table| format!("write {}", table.name)));
    CALLED.with_borrow(|called| all.filter(|operation| !called.contains(operation)).collect())
}

/// A store, a transaction or a reader.
pub struct Recorded<T>(pub T);

pub trait HasRows {
    fn inner(&self) -> &dyn Rows;
}

impl HasRows for Box<dyn Transaction + '_> {
    fn inner(&self) -> &dyn Rows {
        self.rows()
    }
}

impl HasRows for Box<dyn StoreReader> {
    fn inner(&self) -> &dyn Rows {
        (**self).rows()
    }
}

macro_rules! recorded {
    ($list:ident: $trait:ident for $type:ty { $(fn $name:ident($($arg:tt)*) $(-> $answer:ty)? $body:block)* }) => {
        const $list: &[&str] = &[$(concat!(stringify!($trait), "::", stringify!($name))),*];
        impl $trait for $type {
            $(fn $name($($arg)*) $(-> $answer)? {
                note(concat!(stringify!($trait), "::", stringify!($name)));
                $body
            })*
        }
    };
}

recorded! { STORE: Store for Recorded<Box<dyn Store>> {
    fn begin(&mut self) -> Result<Box<dyn Transaction + '_>> { Ok(Box::new(Recorded(self.0.begin()?))) }
    fn after_commit(&mut self) -> Result<()> { self.0.after_commit() }
    fn maintenance_step(&mut self) -> Result<Maintained> { self.0.maintenance_step() }
    fn scrub_step(&mut self, after: u32) -> Result<Scrubbed> { self.0.scrub_step(after) }
    fn empty_log(&mut self) -> Result<bool> { self.0.empty_log() }
    fn remake_table(&mut self, name: &str) -> Result<()> { self.0.remake_table(name) }
    fn report_error(&mut self, error: &Error) { self.0.report_error(error); }
    fn finish(&mut self) -> Result<()> { self.0.finish() }
    fn abandon(self: Box<Self>) { self.0.abandon(); }
}}

recorded! { TRANSACTION: Transaction for Recorded<Box<dyn Transaction + '_>> {
    fn rows(&self) -> &dyn Rows { self }
    fn journal_state(&self) -> JournalState { self.0.journal_state() }
    fn last_change(&self, app: &AppId) -> u64 { self.0.last_change(app) }
    fn commit(self: Box<Self>, writes: &[Write<'_>]) -> Result<Committed> {
        for write in writes {
            note(name_of(write));
            note_written(write);
        }
        self.0.commit(writes)
    }
}}

recorded! { READER: StoreReader for Recorded<Box<dyn StoreReader>> {
    fn rows(&self) -> &dyn Rows { self }
    fn begin(&self) -> Result<bool> { self.0.begin() }
    fn end(&self) { self.0.end(); }
    fn obey(&mut self, stop: StopSignal) { self.0.obey(stop); }
    fn is_intact(&self, table: &str) -> bool { self.0.is_intact(table) }
    fn note_error(&self, error: &Error) { self.0.note_error(error); }
}}

macro_rules! writes {
    ($($name:ident)*) => {
        const WRITES: &[&str] = &[$(concat!("Write::", stringify!($name))),*];

        fn name_of(write: &Write<'_>) -> &'static str {
            match write {
                $(Write::$name { .. } => concat!("Write::", stringify!($name)),)*
            }
        }
    };
}

writes! { Insert Put Add Update Delete DeleteWhere PutUsers ReplaceUsers }

macro_rules! rows {
    ($($trait:ident { $(fn $name:ident($($arg:ident: $type:ty),*) -> $answer:ty;)* })*) => {
        const ROWS: &[&str] = &[$($(concat!(stringify!($trait), "::", stringify!($name))),*),*];
        $(impl<T: HasRows> $trait for Recorded<T> {
            $(fn $name(&self, $($arg: $type),*) -> Result<$answer> {
                note(concat!(stringify!($trait), "::", stringify!($name)));
                self.0.inner().$name($($arg),*)
            })*
        })*
    };
}

rows! {
    RecordRows {
        fn records(keys: &[RecordKey]) -> Vec<Option<StoredRecord>>;
        fn find(app: &AppId, id: &SmoochId, user_id: &str) -> Vec<(SmoochId, Vec<u8>)>;
        fn holders(identifiers: &[Identifier<'_>]) -> Vec<Vec<SmoochId>>;
    }
    Rows {
        fn count_listed(app: Option<&AppId>) -> u64;
        fn walk_order(
            app: &AppId, order: ListOrder, behind: Option<(i64, &str)>, limit: usize
        ) -> Vec<(i64, ListRow)>;
        fn rows_with_words(words: &[String], beginnings: &[String], limit: usize) -> Vec<i64>;
        fn rows_in_range(app: &AppId, sort: Sort, since: i64, before: i64, limit: usize) -> Vec<i64>;
        fn feed_epoch() -> FeedEpoch;
        fn data_version() -> i64;
        fn remaking() -> Vec<RemakingProgress>;
    }
}

/// The reads of tables, and each table of which rows are read.
const READS: &[&str] = &["TableRows::get", "TableRows::scan", "TableRows::count"];

impl<T: HasRows> TableRows for Recorded<T> {
    fn get(
        &self,
        of: Projection,
        keys: &[Cell<'_>],
        found: &mut dyn FnMut(usize, &[Cell<'_>]) -> Result<()>,
    ) -> Result<()> {
        note("TableRows::get");
        self.0.inner().get(of, keys, &mut |n, row| {
            note(&format!("read {}", of.table.name));
            found(n, row)
        })
    }

    fn scan(&self, scan: &Scan<'_>, found: &mut dyn FnMut(&[Cell<'_>]) -> Result<()>) -> Result<()> {
        note("TableRows::scan");
        self.0.inner().scan(scan, &mut |row| {
            note(&format!("read {}", scan.of.table.name));
            found(row)
        })
    }

    fn count(&self, table: &'static Table, length: Option<&'static str>) -> Result<(u64, u64)> {
        note("TableRows::count");
        self.0.inner().count(table, length)
    }
}

/// The tables that a transaction does not write by themselves: the secret is made with the schema, and the others are
/// written with app users.
const NOT_WRITTEN: [&str; 3] = ["answer_key", "app_users", "moves"];

/// Notes which table rows are written to.
fn note_written(write: &Write<'_>) {
    let table = match write {
        Write::Insert(rows) | Write::Put(rows) | Write::Add(rows) | Write::Update(rows) => rows.table,
        Write::Delete(_) | Write::DeleteWhere(..) | Write::PutUsers(_) | Write::ReplaceUsers(_) => return,
    };
    note(&format!("write {}", table.name));
}
