//! A store in memory, for tests: ordered maps, copied at each commit. It is strict: what a database would let pass, such as
//! a number that does not follow the last one, panics.

mod tables;

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rollcall::domain::AppId;
use rollcall::domain::list::Sort;
use rollcall::format::list_columns::Columns;
use rollcall::store::cell::Cell;
use rollcall::store::readers::{StopSignal, StoreReader};
use rollcall::store::rows::{Rows, StoredUser};
use rollcall::store::sqlite::DERIVED;
use rollcall::store::tables::*;
use rollcall::store::{
    Committed, Entry, Error, JournalState, ReadRow as _, Result, RowCells, Seq, Store, Transaction,
    UserWrite, Write,
};

use self::tables::Tables;

/// The last state that was committed, and whether a store has it open.
pub struct Memory {
    state: Mutex<Arc<State>>,
    is_open: AtomicBool,
}

/// The rows, and what is counted beside them.
#[derive(Clone)]
struct State {
    tables: Tables,
    journal: JournalState,
    commits: i64,
}

impl Default for Memory {
    fn default() -> Self {
        let mut tables = Tables::default();
        tables.apply(&Write::put(&AnswerSecret { key: [7; 32] }));
        tables.apply(&Write::put(&Clock::default()));
        tables.apply(&Write::put(&Horizon::default()));
        tables.apply(&Write::put(&Rules::default()));
        let journal = JournalState { next_entry: 1, clock: 0, compacted: (0, 0) };
        let state = Mutex::new(Arc::new(State { tables, journal, commits: 0 }));
        Self { state, is_open: AtomicBool::default() }
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
        MemoryReader { memory: self.clone(), state: RefCell::default(), stop: None }
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
        let rows = self.0.reader();
        StoreReader::begin(&rows)?;
        Ok(Box::new(rows))
    }

    fn remake_table(&mut self, name: &str) -> Result<()> {
        let is_known = DERIVED.iter().any(|table| table.name == name);
        is_known.then_some(()).ok_or_else(|| Error::Unavailable(format!("no table {name}")))
    }

    fn abandon(self: Box<Self>) {}
}

impl Transaction for MemoryReader {
    fn rows(&self) -> &dyn Rows {
        self
    }

    fn journal_state(&self) -> JournalState {
        self.state().unwrap().journal
    }

    fn last_change(&self, app: &AppId) -> u64 {
        Feed::find(self, app).unwrap().map_or(0, |feed| feed.last)
    }

    fn commit(mut self: Box<Self>, writes: &[Write<'_>]) -> Result<Committed> {
        let mut committed = Committed::default();
        writes.iter().try_for_each(|write| self.apply(write, &mut committed.rows))?;
        self.state_mut().commits += 1;
        *self.memory.state.lock().unwrap() = self.state()?;
        Ok(committed)
    }
}

/// A reader; see [`Memory`]. It has the rows of one moment, as long as a snapshot is open.
pub struct MemoryReader {
    memory: Arc<Memory>,
    state: RefCell<Option<Arc<State>>>,
    stop: Option<StopSignal>,
}

impl StoreReader for MemoryReader {
    fn rows(&self) -> &dyn Rows {
        self
    }

    fn begin(&self) -> Result<bool> {
        let mut open = self.state.borrow_mut();
        let opens = open.is_none();
        open.get_or_insert_with(|| self.memory.state.lock().unwrap().clone());
        Ok(opens)
    }

    fn end(&self) {
        self.state.take().expect("a snapshot is open");
    }

    fn obey(&mut self, stop: StopSignal) {
        self.stop = Some(stop);
    }
}

impl MemoryReader {
    fn state(&self) -> Result<Arc<State>> {
        let state = self.state.borrow().clone();
        match &self.stop {
            Some(stop) if stop.is_raised() => Err(Error::Interrupted),
            _ => Ok(state.expect("a read is between the begin and the end of a snapshot")),
        }
    }

    fn state_mut(&mut self) -> &mut State {
        Arc::make_mut(self.state.get_mut().as_mut().expect("a transaction is open"))
    }

    fn apply(&mut self, write: &Write<'_>, rows: &mut Vec<i64>) -> Result<()> {
        self.check(write)?;
        match write {
            Write::PutUsers(users) => {
                for user in users {
                    let row = self.put_user(user.clone())?;
                    rows.extend(user.row.is_none().then_some(row));
                }
            }
            Write::ReplaceUsers(users) => {
                for (key, user) in users {
                    let Some(StoredUser { record, columns }) = user else {
                        self.state_mut().tables.apply(&Write::Delete(RowCells::of_keys(&APP_USERS, [*key])));
                        continue;
                    };
                    let (record, columns) = (record.clone(), columns.clone());
                    self.set_user(&UserWrite { key, row: None, record, columns, last_seen_before: 0 })?;
                }
            }
            write => self.state_mut().tables.apply(write),
        }
        Ok(())
    }

    /// Panics if a row follows no rule of the seam.
    fn check(&mut self, write: &Write<'_>) -> Result<()> {
        let (Write::Insert(rows) | Write::Add(rows) | Write::Update(rows)) = write else { return Ok(()) };
        for (n, row) in rows.rows().enumerate() {
            let JournalState { next_entry, clock, compacted } = self.state()?.journal;
            match (write, rows.table.name) {
                (Write::Insert(_), "journal") => {
                    let Entry { seq, .. } = Entry::read(row)?;
                    assert!(seq >= next_entry, "entry {seq} comes before {next_entry}");
                    self.state_mut().journal.next_entry = seq + 1;
                }
                (Write::Insert(_), "changes") => {
                    let [Cell::Text(app), Cell::Integer(seq), Cell::Integer(entry), ..] = row else {
                        panic!()
                    };
                    assert!(
                        (*entry as Seq) < next_entry,
                        "changes come from entry {entry}, which there is not"
                    );
                    let known = Feed::find(self, &**app)?.map_or(0, |feed| feed.last as i64);
                    let before = rows.rows().take(n).filter(|before| before[0] == row[0]).count() as i64;
                    assert_eq!(*seq, known + before + 1, "numbers of a feed have no gaps");
                }
                (Write::Add(_), "identifiers") => {
                    let StoredIdentifier { app, id, .. } = StoredIdentifier::read(row)?;
                    assert!(UserKey::find(self, &(&app, &id))?.is_some(), "no app user: {row:?}");
                }
                (Write::Update(_), "clock") => {
                    let Clock { time } = Clock::read(row)?;
                    assert!(time >= clock, "the clock runs back");
                    self.state_mut().journal.clock = time;
                }
                (Write::Update(_), "horizon") => {
                    let Horizon { seq, received } = Horizon::read(row)?;
                    assert!((compacted.0..next_entry).contains(&seq), "compacted up to {seq}");
                    self.state_mut().journal.compacted = (seq, received);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Returns the number of the row.
    fn put_user(&mut self, mut user: UserWrite<'_>) -> Result<i64> {
        let (key, columns) = (user.key, &mut user.columns);
        let stored = ListRow::find(self, key)?;
        assert_eq!(stored.as_ref().map(|stored| stored.row), user.row, "the row of {key:?}");
        let before = stored.map(|stored| stored.columns);
        if let (None, Some(before)) = (&columns.words, &before) {
            let now = (columns.listed, columns.signed_up, user.last_seen_before);
            let stored = (before.listed, before.signed_up, before.last_seen);
            assert_eq!(now, stored, "columns of {key:?} without words");
            columns.words.clone_from(&before.words);
        }
        let Columns { listed, last_seen, signed_up, .. } = *columns;
        let row = self.set_user(&user)?;
        if let Some(before) = before.filter(|before| before.listed) {
            let seen = (Sort::LastSeen, before.last_seen, last_seen);
            for (sort, before, now) in [seen, (Sort::SignedUp, before.signed_up, signed_up)] {
                let now = listed.then_some(now);
                if now != Some(before) {
                    let n = Move::select().descending().first(self)?.map_or(1, |last| last.n + 1);
                    let (app, id) = key.clone();
                    let moved = Move { n, sort, app, id, row, before, now };
                    self.state_mut().tables.apply(&Write::Insert(RowCells::of([&moved])));
                }
            }
        }
        Ok(row)
    }

    fn set_user(&mut self, user: &UserWrite<'_>) -> Result<i64> {
        assert!(user.columns.words.is_some(), "{:?} is new and has no words", user.key);
        self.state_mut().tables.apply(&Write::put(user));
        Ok(ListRow::find(self, user.key)?.expect("the row was written").row)
    }
}
