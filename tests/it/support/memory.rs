//! A store in memory, for tests: ordered maps, copied at each commit. It is strict: what a database would let pass, such as
//! a number that does not follow the last one, panics.

mod rows;
mod tables;
mod upkeep;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rollcall::domain::list::Sort;
use rollcall::domain::{AppId, RecordKey, SmoochId};
use rollcall::format::list_columns::Columns;
use rollcall::store::reader::StoreReader;
use rollcall::store::readers::StopSignal;
use rollcall::store::rows::{
    Move, PackedBodies, RebuiltRow, RowContent, RowKey, Rows, StoredChange, StoredUser,
};
use rollcall::store::sqlite::DERIVED;
use rollcall::store::tables::AnswerSecret;
use rollcall::store::{
    Committed, Entry, Error, IdentifierRow, JournalState, Maintained, Result, RowCells, Scrubbed, Seq, Store,
    Transaction, UserWrite, Write,
};

use self::tables::{Conflict, Tables};

/// The last state that was committed, and whether a store has it open.
pub struct Memory {
    state: Mutex<Arc<State>>,
    is_open: AtomicBool,
    is_writing: AtomicBool,
}

/// The rows, with the last number that was given of each kind.
#[derive(Clone, Default)]
struct State {
    users: BTreeMap<RecordKey, (i64, StoredUser)>,
    last_row: i64,
    /// App, name of the kind, value, app user.
    identifiers: BTreeSet<(AppId, String, String, SmoochId)>,
    moves: Vec<(Sort, AppId, Move)>,
    entries: BTreeMap<Seq, Entry>,
    last_entry: Seq,
    /// The first number of each range, and the last one.
    deleted: BTreeMap<Seq, Seq>,
    bodies: BTreeMap<Seq, PackedBodies>,
    compaction_point: (Seq, i64),
    changes: BTreeMap<(AppId, u64), StoredChange>,
    feeds: BTreeMap<AppId, u64>,
    tables: Tables,
    clock: i64,
    rules: i64,
    commits: i64,
}

impl Default for Memory {
    fn default() -> Self {
        let mut state = State::default();
        let secret = AnswerSecret { key: [7; 32] };
        state.tables.write(&RowCells::of([&secret]).unwrap(), Conflict::Panics);
        Self {
            state: Mutex::new(Arc::new(state)),
            is_open: AtomicBool::default(),
            is_writing: AtomicBool::default(),
        }
    }
}

impl Memory {
    /// Opens the store. Another one must have ended.
    pub fn open(self: &Arc<Self>) -> MemoryStore {
        assert!(!self.is_open.swap(true, Ordering::SeqCst), "two stores are open");
        MemoryStore(self.clone())
    }

    /// Opens a reader.
    pub fn reader(self: &Arc<Self>) -> MemoryReader {
        MemoryReader { memory: self.clone(), rows: Snapshot::default() }
    }

    fn state(&self) -> Arc<State> {
        self.state.lock().unwrap().clone()
    }
}

/// A store; see [`Memory`].
pub struct MemoryStore(Arc<Memory>);

impl Drop for MemoryStore {
    fn drop(&mut self) {
        self.0.is_open.store(false, Ordering::SeqCst);
    }
}

impl Store for MemoryStore {
    fn begin(&mut self) -> Result<Box<dyn Transaction + '_>> {
        assert!(!self.0.is_writing.swap(true, Ordering::SeqCst), "two transactions are open");
        let state = self.0.state();
        let journal = JournalState {
            next_entry: state.last_entry + 1,
            clock: state.clock,
            compacted: state.compaction_point,
        };
        let rows = Snapshot { state: RefCell::new(Some(state)), stop: None };
        Ok(Box::new(MemoryTransaction { memory: &self.0, rows, journal }))
    }

    fn after_commit(&mut self) -> Result<()> {
        Ok(())
    }

    fn maintenance_step(&mut self) -> Result<Maintained> {
        Ok(Maintained::Nothing)
    }

    fn scrub_step(&mut self, _after: u32) -> Result<Scrubbed> {
        Ok(Scrubbed { next: None, wrote: false })
    }

    fn empty_log(&mut self) -> Result<bool> {
        Ok(true)
    }

    fn remake_table(&mut self, name: &str) -> Result<()> {
        let is_known = DERIVED.iter().any(|table| table.name == name);
        is_known.then_some(()).ok_or_else(|| Error::Unavailable(format!("no table {name}")))
    }

    fn report_error(&mut self, _error: &Error) {}

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }

    fn abandon(self: Box<Self>) {}
}

/// The rows of one moment, as long as there is one.
#[derive(Default)]
struct Snapshot {
    state: RefCell<Option<Arc<State>>>,
    stop: Option<StopSignal>,
}

impl Snapshot {
    fn state(&self) -> Result<Arc<State>> {
        let state =
            self.state.borrow().clone().expect("a read is between the begin and the end of a snapshot");
        if self.stop.as_ref().is_some_and(StopSignal::is_raised) {
            Err(Error::Interrupted)
        } else {
            Ok(state)
        }
    }
}

struct MemoryTransaction<'a> {
    memory: &'a Memory,
    rows: Snapshot,
    journal: JournalState,
}

impl Drop for MemoryTransaction<'_> {
    fn drop(&mut self) {
        self.memory.is_writing.store(false, Ordering::SeqCst);
    }
}

impl Transaction for MemoryTransaction<'_> {
    fn rows(&self) -> &dyn Rows {
        &self.rows
    }

    fn journal_state(&self) -> &JournalState {
        &self.journal
    }

    fn last_change(&self, app: &AppId) -> u64 {
        self.memory.state().feeds.get(app).copied().unwrap_or(0)
    }

    fn commit(self: Box<Self>, writes: &[Write<'_>]) -> Result<Committed> {
        let mut state = (*self.memory.state()).clone();
        let mut committed = Committed::default();
        writes.iter().try_for_each(|write| state.apply(write, &mut committed.rows))?;
        state.commits += 1;
        *self.memory.state.lock().unwrap() = Arc::new(state);
        Ok(committed)
    }
}

/// A reader; see [`Memory`].
pub struct MemoryReader {
    memory: Arc<Memory>,
    rows: Snapshot,
}

impl StoreReader for MemoryReader {
    fn rows(&self) -> &dyn Rows {
        &self.rows
    }

    fn begin(&self) -> Result<bool> {
        let mut open = self.rows.state.borrow_mut();
        let opens = open.is_none();
        open.get_or_insert_with(|| self.memory.state());
        Ok(opens)
    }

    fn end(&self) {
        self.rows.state.take().expect("a snapshot is open");
    }

    fn obey(&mut self, stop: StopSignal) {
        self.rows.stop = Some(stop);
    }

    fn is_intact(&self, _table: &str) -> bool {
        true
    }

    fn note_error(&self, _error: &Error) {}
}

impl State {
    fn apply(&mut self, write: &Write<'_>, rows: &mut Vec<i64>) -> Result<()> {
        match write {
            Write::Insert(rows) => self.tables.write(rows, Conflict::Panics),
            Write::Put(rows) => self.tables.write(rows, Conflict::Replaces),
            Write::Add(rows) => self.tables.write(rows, Conflict::IsLeftOut),
            Write::Update(rows) => self.tables.update(rows),
            Write::Delete(rows) => self.tables.delete(rows),
            Write::PutUsers(users) => users.iter().for_each(|user| rows.extend(self.put_user(user))),
            Write::PutIdentifiers(found) => found.iter().for_each(|row| {
                assert!(self.users.contains_key(&(row.app.clone(), row.id.clone())), "no app user: {row:?}");
                self.identifiers.insert(identifier(row));
            }),
            Write::DeleteIdentifiers(found) => found.iter().for_each(|row| {
                self.identifiers.remove(&identifier(row));
            }),
            Write::ReplaceRows(rows) => rows.iter().try_for_each(|row| self.replace_row(row))?,
            Write::AppendEntries(entries) => entries.iter().for_each(|entry| {
                assert!(entry.seq > self.last_entry, "entry {} follows {}", entry.seq, self.last_entry);
                self.last_entry = entry.seq;
                self.entries.insert(entry.seq, entry.clone());
            }),
            Write::ReplaceEntry(new) => {
                if let Some(entry) = self.entries.get_mut(&new.seq) {
                    let Entry { source, users, body, place, .. } = new.clone();
                    *entry = Entry { source, users, body, place, ..entry.clone() };
                }
            }
            Write::DeleteEntry(seq) => {
                self.deleted.entry(*seq).or_insert(*seq);
                self.entries.remove(seq);
            }
            Write::DeleteEntriesUpTo(seq) => {
                self.deleted.retain(|_, last| *last > *seq);
                self.deleted.insert(1, *seq);
                self.entries.retain(|number, _| number > seq);
            }
            Write::PutBodies(packed) => _ = self.bodies.insert(packed.first, packed.clone()),
            Write::DeleteBodies(first) => _ = self.bodies.remove(first),
            Write::AppendChanges(entry, changes) => self.append_changes(*entry, changes),
            Write::SetChangeFields(app, seq, fields) => {
                let change = self.changes.get_mut(&(app.clone(), *seq));
                change.into_iter().for_each(|stored| stored.change.fields.clone_from(fields));
            }
            Write::DeleteChangesUpTo(app, seq) => self.changes.retain(|(of, n), _| of != app || n > seq),
            Write::SetCompactionPoint(seq, received) => {
                assert!((self.compaction_point.0..=self.last_entry).contains(seq), "compacted up to {seq}");
                self.compaction_point = (*seq, *received);
            }
            Write::SetClock(clock) => {
                assert!(*clock >= self.clock, "the clock runs back");
                self.clock = *clock;
            }
            Write::SetRules(rules) => self.rules = *rules,
        }
        Ok(())
    }

    /// Returns the number of a new row.
    fn put_user(&mut self, user: &UserWrite<'_>) -> Option<i64> {
        let UserWrite { key, row, record, columns, last_seen_before } = user;
        let stored = self.users.get(*key);
        assert_eq!(stored.map(|(row, _)| *row), *row, "the row of {key:?}");
        let before = stored.map(|(_, stored)| stored.columns.clone());
        let mut columns = columns.clone();
        if let (None, Some(before)) = (&columns.words, &before) {
            let now = (columns.listed, columns.signed_up, *last_seen_before);
            assert_eq!(
                now,
                (before.listed, before.signed_up, before.last_seen),
                "columns of {key:?} without words"
            );
            columns.words.clone_from(&before.words);
        }
        assert!(columns.words.is_some(), "{key:?} is new and has no words");
        let number = row.unwrap_or(self.last_row + 1);
        self.last_row = self.last_row.max(number);
        if let Some(before) = before.filter(|before| before.listed) {
            let keys = [(Sort::LastSeen, before.last_seen, columns.last_seen)];
            for (sort, before, now) in
                keys.into_iter().chain([(Sort::SignedUp, before.signed_up, columns.signed_up)])
            {
                self.note_move(sort, key, number, before, columns.listed.then_some(now));
            }
        }
        self.users.insert((*key).clone(), (number, StoredUser { record: record.clone(), columns }));
        row.is_none().then_some(number)
    }

    fn note_move(&mut self, sort: Sort, (app, id): &RecordKey, row: i64, before: i64, now: Option<i64>) {
        if now != Some(before) {
            let n = self.moves.len() as i64 + 1;
            self.moves.push((sort, app.clone(), Move { n, id: id.clone(), row, before, now }));
        }
    }

    fn replace_row(&mut self, RebuiltRow { key, content }: &RebuiltRow) -> Result<()> {
        match (key, content) {
            (_, Some(RowContent::Damaged)) => return Err(Error::Unavailable("a row is damaged".to_owned())),
            (RowKey::User(key), Some(RowContent::User(user))) => {
                let Columns { words, .. } = &user.columns;
                assert!(words.is_some(), "{key:?} has no words");
                let number = self.users.get(key).map_or(self.last_row + 1, |(row, _)| *row);
                self.last_row = self.last_row.max(number);
                self.users.insert(key.clone(), (number, user.clone()));
            }
            (RowKey::User(key), _) => _ = self.users.remove(key),
            (RowKey::Identifier { app, kind, value, id }, content) => {
                let row = (app.clone(), kind.clone(), value.clone(), id.clone());
                _ = if content.is_some() {
                    self.identifiers.insert(row)
                } else {
                    self.identifiers.remove(&row)
                };
            }
        }
        Ok(())
    }

    fn append_changes(&mut self, entry: Seq, changes: &[(AppId, StoredChange)]) {
        assert!(entry <= self.last_entry, "changes come from entry {entry}, which there is not");
        for (app, stored) in changes {
            let last = self.feeds.entry(app.clone()).or_default();
            assert_eq!(stored.seq, *last + 1, "numbers of a feed have no gaps");
            *last = stored.seq;
            self.changes.insert((app.clone(), stored.seq), stored.clone());
        }
    }
}

fn identifier(row: &IdentifierRow<'_>) -> (AppId, String, String, SmoochId) {
    (row.app.clone(), row.kind.as_str().to_owned(), row.value.to_owned(), row.id.clone())
}
