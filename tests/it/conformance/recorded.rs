//! Stores whose calls are recorded, and the list of all operations. A method or a write that is new fails to compile here.

use std::cell::RefCell;
use std::collections::BTreeSet;

use rollcall::domain::list::Sort;
use rollcall::domain::{AppId, RecordKey, SmoochId};
use rollcall::store::cell::Cell;
use rollcall::store::maintenance_rows::*;
use rollcall::store::reader::StoreReader;
use rollcall::store::readers::StopSignal;
use rollcall::store::rows::*;
use rollcall::store::select::{Scan, TableRows};
use rollcall::store::table::{Projection, Table};
use rollcall::store::{
    Committed, CompactionPoint, Entry, Error, FeedEpoch, JournalState, Maintained, Result, Scrubbed, Seq,
    Store, Transaction, Write,
};

thread_local! {
    /// The operations that this thread has called.
    static CALLED: RefCell<BTreeSet<&'static str>> = RefCell::default();
}

fn note(operation: &'static str) {
    CALLED.with_borrow_mut(|called| _ = called.insert(operation));
}

/// The operations that this thread has not called.
pub fn uncalled() -> Vec<&'static str> {
    let all = [STORE, TRANSACTION, READER, ROWS, WRITES].concat();
    CALLED.with_borrow(|called| all.into_iter().filter(|operation| !called.contains(operation)).collect())
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
    fn journal_state(&self) -> &JournalState { self.0.journal_state() }
    fn last_change(&self, app: &AppId) -> u64 { self.0.last_change(app) }
    fn commit(self: Box<Self>, writes: &[Write<'_>]) -> Result<Committed> {
        writes.iter().for_each(|write| note(name_of(write)));
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

writes! {
    PutUsers PutIdentifiers DeleteIdentifiers ReplaceRows AppendEntries ReplaceEntry DeleteEntry DeleteEntriesUpTo
    PutBodies DeleteBodies AppendChanges SetChangeFields DeleteChangesUpTo SetCompactionPoint SetClock SetRules
    Insert Put Add Update Delete
}

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
    TableRows {
        fn get(of: Projection, keys: &[Cell<'_>], found: &mut dyn FnMut(usize, &[Cell<'_>]) -> Result<()>) -> ();
        fn scan(scan: &Scan<'_>, found: &mut dyn FnMut(&[Cell<'_>]) -> Result<()>) -> ();
        fn count(table: &'static Table, length: Option<&'static str>) -> (u64, u64);
    }
    RecordRows {
        fn records(keys: &[RecordKey]) -> Vec<Option<StoredRecord>>;
        fn find(app: &AppId, id: &SmoochId, user_id: &str) -> Vec<(SmoochId, Vec<u8>)>;
        fn holders(identifiers: &[Identifier<'_>]) -> Vec<Vec<SmoochId>>;
    }
    UserRows {
        fn record_in_row(row: i64) -> Option<Vec<u8>>;
        fn ids_after(app: &AppId, after: &str, limit: usize) -> Vec<(SmoochId, bool)>;
        fn listed_ids_after(app: &AppId, after: &str, limit: usize) -> Vec<SmoochId>;
        fn apps() -> Vec<AppId>;
        fn count_listed() -> u64;
    }
    ListRows {
        fn list_indexes() -> ListIndexes;
        fn move_range() -> (Option<i64>, Option<i64>);
        fn latest_seen(app: &AppId) -> Option<i64>;
        fn walk_order(app: &AppId, order: ListOrder, behind: Option<(i64, &str)>, limit: usize) -> Vec<ListRow>;
        fn list_rows(rows: &[i64], sort: Sort) -> Vec<Option<ListRow>>;
        fn rows_with_words(words: &[String], beginnings: &[String], limit: usize) -> Vec<i64>;
        fn rows_in_range(app: &AppId, sort: Sort, since: i64, before: i64, limit: usize) -> Vec<i64>;
        fn moves_after(app: &AppId, sort: Sort, after: i64, limit: usize) -> Moves;
        fn count_listed_of(app: &AppId) -> u64;
    }
    JournalRows {
        fn entries(seqs: &[Seq]) -> Vec<Option<Entry>>;
        fn entries_after(after: Seq, limit: usize) -> Vec<Entry>;
        fn entries_matching(filter: &RowFilter, limit: usize) -> Vec<Entry>;
        fn users_of_entries(app: &AppId, seqs: &[Seq]) -> Vec<Option<EntryUsers>>;
        fn last_entry_seq() -> Seq;
        fn first_of_batch(seq: Seq) -> Option<Seq>;
        fn packed_bodies(first: Seq) -> Option<PackedBodies>;
        fn compaction_point() -> CompactionPoint;
        fn last_webhooks(limit: usize) -> Vec<(AppId, i64)>;
        fn count_entries() -> u64;
    }
    FeedRows {
        fn changes_after(app: &AppId, after: u64, limit: usize) -> Vec<StoredChange>;
        fn feed_ranges(apps: &[AppId]) -> Vec<FeedRange>;
        fn last_change_times(apps: &[AppId]) -> Vec<Option<i64>>;
        fn feed_epoch() -> FeedEpoch;
    }
    RetentionRows {
        fn oldest_entries(up_to: Seq, limit: usize) -> Vec<(Seq, i64)>;
        fn body_sizes(after: Seq, limit: usize) -> Vec<(Seq, u64)>;
        fn batch_entries(first: Seq) -> Vec<Entry>;
        fn feeds() -> Vec<(AppId, u64)>;
        fn oldest_changes(app: &AppId, limit: usize) -> Vec<(u64, i64)>;
    }
    ExaminationRows {
        fn damaged_entries(seqs: &[Seq]) -> Vec<Option<Entry>>;
        fn damaged_entries_after(after: Seq, limit: usize) -> Vec<Entry>;
        fn deleted_ranges(first: Seq, last: Seq) -> Vec<(Seq, Seq)>;
        fn last_known_entry() -> Seq;
        fn records_after(after: Option<&RecordKey>, limit: usize) -> Vec<(RecordKey, Vec<u8>)>;
    }
    StatusRows {
        fn rules_version() -> i64;
        fn data_version() -> i64;
        fn remaking() -> Vec<RemakingProgress>;
    }
    RebuiltRows {
        fn rebuilt_after(table: RebuiltTable, after: Option<&RowKey>, limit: usize) -> Vec<RebuiltRow>;
        fn rebuilt(keys: &[RowKey]) -> Vec<RebuiltRow>;
        fn count_rebuilt(table: RebuiltTable) -> u64;
    }
}
