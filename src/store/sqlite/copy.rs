//! A copy of one moment of a database, made while it is being written.
//!
//! Holding a moment keeps the log of the database from starting anew. So whoever holds one watches the log,
//! and lets go before the worker would have to wait for it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags, Transaction};

use super::derived::Fault;
use super::files::Part;
use super::holes::Hole;
use super::migrate::{known, schema_of};
use super::open::check_log;
use super::output::Refusal;
use super::{Error, OpenError, common, trouble};
use crate::store::{Counts, explain};

/// Pages copied between two looks at the log: few enough for a slow disk.
const STEP: i32 = 16;
/// Steps between two syncs, so that the last one has little left and nobody else's sync waits for it: 4 MiB.
const STEPS_A_SYNC: u32 = 64;
/// Instructions of SQLite, or pages of an integrity check, between two looks at the log.
const LOOK_EVERY: i32 = 10_000;
/// How often a moment is held before the whole is given up.
const ATTEMPTS: u32 = 3;
/// How long the worker may take to let the log start anew, once it is let go.
const LOG_RESTARTS_WITHIN: Duration = Duration::from_secs(5);

/// Why a file could not be copied, checked or put in place.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// Something is there already.
    #[error("{0} is there already")]
    Exists(PathBuf),
    /// A copy would be put where it is made from.
    #[error("the backup and where it is to be put are the same file, {0}")]
    Same(PathBuf),
    /// The path must not be written.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Somebody else has the file, or it is none of ours.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The system refuses.
    #[error("{path}: {}", explain(error))]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// SQLite cannot use the file.
    #[error("{path}: {error}")]
    Store {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        error: Error,
    },
    /// The disk would be full before the end.
    #[error("{path}: {needed} bytes are needed, and the disk has {free}")]
    NoRoom {
        /// What was to be written.
        path: PathBuf,
        /// How large it would be.
        needed: u64,
        /// What is left.
        free: u64,
    },
    /// The file is damaged, or is not what it was.
    #[error("{path} is damaged: {what}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// In which way.
        what: String,
    },
    /// Every page is whole, but what is made of records, or of the journal, is not what these say.
    #[error("{path}: {}; `rollcall rebuild` makes it anew, while the service goes on", listed(faults))]
    Derived {
        /// The file.
        path: PathBuf,
        /// Each table that is damaged, and how.
        faults: Vec<Fault>,
    },
    /// Every page is whole, but the journal has lost something. Derived tables may be damaged as well.
    #[error(
        "{path}: {}; what came of that is still in the directory, and `rollcall rebuild` keeps it; only a backup made \
         before brings it back into the journal{}",
        named(holes),
        also(faults)
    )]
    Journal {
        /// The file.
        path: PathBuf,
        /// What is missing.
        holes: Vec<Hole>,
        /// Each derived table that is damaged, and how.
        faults: Vec<Fault>,
    },
    /// More is being written than the log can hold meanwhile.
    #[error(
        "{0} is written faster than it can be read within store.wal_limit: raise that, choose a quieter hour, \
         or check a backup instead of the database"
    )]
    Crowded(PathBuf),
    /// It was told to stop.
    #[error("stopped before the end")]
    Stopped,
}

/// Holes that are named in one message.
const NAMED: usize = 20;

/// Some of these, and how many more there are.
pub fn named(holes: &[Hole]) -> String {
    let mut all: Vec<String> = holes.iter().take(NAMED).map(ToString::to_string).collect();
    if holes.len() > NAMED {
        all.push(format!("{} more like these", holes.len() - NAMED));
    }
    all.join("; ")
}

fn also(faults: &[Fault]) -> String {
    if faults.is_empty() {
        return String::new();
    }
    format!("; {}; `rollcall rebuild` makes it anew, while the service goes on", listed(faults))
}

fn listed(faults: &[Fault]) -> String {
    let all: Vec<String> =
        faults.iter().map(|Fault { name, what }| format!("{name} is damaged: {what}")).collect();
    all.join("; ")
}

impl CopyError {
    pub(super) fn io(path: &Path) -> impl Fn(std::io::Error) -> Self {
        move |error| Self::Io { path: path.to_owned(), error }
    }

    pub(super) fn store(path: &Path) -> impl Fn(Error) -> Self {
        move |error| match error {
            Error::Damaged(what) => Self::Damaged { path: path.to_owned(), what },
            error @ Error::Unreadable { table: "app_users", .. } => {
                let faults = vec![Fault { name: "records", what: error.to_string() }];
                Self::Derived { path: path.to_owned(), faults }
            }
            error @ Error::Unreadable { .. } => {
                Self::Damaged { path: path.to_owned(), what: error.to_string() }
            }
            Error::Derived { name, why } => {
                Self::Derived { path: path.to_owned(), faults: vec![Fault { name, what: why }] }
            }
            error => Self::Store { path: path.to_owned(), error },
        }
    }

    pub(super) fn sql(path: &Path) -> impl Fn(rusqlite::Error) -> Self {
        move |error| Self::store(path)(trouble(error))
    }
}

/// What is going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Pages are copied.
    Copying,
    /// Every page is looked at; how many steps are left is not known.
    Checking,
    /// Every app user is read.
    Summing,
    /// What is made of records is compared with them; how much that is is not known.
    Comparing,
}

/// Long work: whoever waits is told how far it is, and may stop it.
pub struct Work<'w> {
    /// Told of the stage, how much of it is done, and of how much (0 if that is not known).
    pub told: &'w mut (dyn FnMut(Stage, u64, u64) + Send),
    /// Set to stop it.
    pub stop: Arc<AtomicBool>,
    /// Bytes of log at which the worker waits, by the settings.
    pub wal_limit: u64,
}

impl Work<'_> {
    pub(super) fn go_on(&self) -> Result<(), CopyError> {
        if self.stop.load(Ordering::Relaxed) { Err(CopyError::Stopped) } else { Ok(()) }
    }
}

/// A database on a connection that writes nothing, with a watch on its log.
pub(super) struct Watched {
    pub(super) conn: Connection,
    pub(super) path: PathBuf,
    /// Its schema, which this program knows.
    pub(super) schema: i64,
    room: Arc<Mutex<Room>>,
    /// Steps of SQLite so far.
    pub(super) steps: Arc<AtomicU64>,
}

impl Watched {
    /// Opens a file that must be there.
    pub(super) fn open(path: &Path, work: &Work<'_>) -> Result<Self, CopyError> {
        check_log(path)?;
        if !path.try_exists().map_err(CopyError::io(path))? {
            let why = "there is no such file";
            return Err(CopyError::io(path)(std::io::Error::new(ErrorKind::NotFound, why)));
        }
        if path.is_dir() {
            let why = "this is a folder, and a file is needed";
            return Err(CopyError::io(path)(std::io::Error::new(ErrorKind::IsADirectory, why)));
        }
        let mut conn = reading(path)?;
        let schema = match schema_of(&conn, path) {
            Ok(0) => return Err(OpenError::Foreign(path.to_owned()).into()),
            Err(OpenError::Store { error, .. }) => return Err(CopyError::store(path)(error)),
            schema => schema?,
        };
        let room = Arc::new(Mutex::new(Room::open(path, work.wal_limit)?));
        let (watched, stop, steps) = (room.clone(), work.stop.clone(), Arc::<AtomicU64>::default());
        let counted = steps.clone();
        let enough = move || {
            counted.fetch_add(LOOK_EVERY as u64, Ordering::Relaxed);
            stop.load(Ordering::Relaxed) || lock(&watched).is_short()
        };
        conn.progress_handler(LOOK_EVERY, Some(enough)).map_err(CopyError::sql(path))?;
        Ok(Self { conn, path: path.to_owned(), schema, room, steps })
    }

    /// One moment, chosen now.
    pub(super) fn hold(&self) -> Result<Transaction<'_>, CopyError> {
        lock(&self.room).release();
        let moment = self.conn.unchecked_transaction().map_err(CopyError::sql(&self.path))?;
        self.number("SELECT count(*) FROM sqlite_schema")?;
        lock(&self.room).hold();
        Ok(moment)
    }

    /// Whether to go on holding the moment that is held.
    pub(super) fn go_on(&self, work: &Work<'_>) -> Result<(), CopyError> {
        work.go_on()?;
        if lock(&self.room).is_short() { Err(CopyError::Crowded(self.path.clone())) } else { Ok(()) }
    }

    /// A number that a query finds.
    pub(super) fn number(&self, sql: &str) -> Result<i64, CopyError> {
        self.conn.query_row(sql, [], |row| row.get(0)).map_err(CopyError::sql(&self.path))
    }

    /// Why a query failed: perhaps it was given up.
    pub(super) fn failed(&self, work: &Work<'_>, error: Error) -> CopyError {
        self.go_on(work).err().unwrap_or_else(|| CopyError::store(&self.path)(error))
    }

    /// Waits until the worker has let the log start anew, which it does soon once nobody holds it.
    fn wait_for_room(&self, work: &Work<'_>) -> Result<(), CopyError> {
        let until = Instant::now() + LOG_RESTARTS_WITHIN;
        while lock(&self.room).is_long() && Instant::now() < until {
            work.go_on()?;
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

fn lock(room: &Mutex<Room>) -> MutexGuard<'_, Room> {
    room.lock().unwrap_or_else(PoisonError::into_inner)
}

fn reading(path: &Path) -> Result<Connection, CopyError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).map_err(CopyError::sql(path))?;
    common(&conn).map_err(CopyError::sql(path))?;
    conn.pragma_update(None, "query_only", true).map_err(CopyError::sql(path))?;
    Ok(conn)
}

/// The room that is left in the log of a database.
struct Room {
    conn: Connection,
    /// Pages of log at which the worker waits.
    limit: i64,
    /// Pages of log at which the moment that is held is to be let go.
    enough: i64,
    /// That was so. It stays so until another moment is held: who is told second must not hear otherwise.
    was_short: bool,
}

impl Room {
    fn open(path: &Path, wal_limit: u64) -> Result<Self, CopyError> {
        let conn = reading(path)?;
        let page: i64 =
            conn.query_row("PRAGMA page_size", [], |row| row.get(0)).map_err(CopyError::sql(path))?;
        let limit = i64::try_from(wal_limit).unwrap_or(i64::MAX) / page.max(1);
        Ok(Self { conn, limit, enough: i64::MAX, was_short: false })
    }

    /// Pages in the log since it last started anew. A look, no checkpoint.
    fn used(&self) -> i64 {
        self.conn.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| row.get(1)).unwrap_or(0)
    }

    /// At half the limit the worker lets the log start anew, if nobody holds it; that takes it a moment. A log
    /// that is longer already, because nothing is written, may be held until something is.
    fn hold(&mut self) {
        let used = self.used();
        self.enough = (self.limit / 2 + self.limit / 8).max(used + (self.limit - used).max(0) / 8);
    }

    fn release(&mut self) {
        (self.enough, self.was_short) = (i64::MAX, false);
    }

    fn is_short(&mut self) -> bool {
        self.was_short = self.was_short || self.used() > self.enough;
        self.was_short
    }

    fn is_long(&self) -> bool {
        self.used() > self.limit / 4
    }
}

/// Copies one moment of a database into a part, and gives what the database had at that moment. It needs no
/// log of its own to be read.
pub(super) fn copy(source: &Path, part: &Part, work: &mut Work<'_>) -> Result<Counts, CopyError> {
    let from = Watched::open(source, work)?;
    let mut attempt = 1;
    loop {
        match copy_moment(&from, part, work) {
            Err(CopyError::Crowded(_)) if attempt < ATTEMPTS => {
                work.go_on()?;
                tracing::warn!(attempt, "the log has grown too long under a copy of it; it begins again");
                attempt += 1;
                from.wait_for_room(work)?;
            }
            ended => return ended,
        }
    }
}

fn copy_moment(from: &Watched, part: &Part, work: &mut Work<'_>) -> Result<Counts, CopyError> {
    let to_sql = CopyError::sql(&part.path);
    part.empty()?;
    let mut to =
        Connection::open_with_flags(&part.path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(&to_sql)?;
    // With a small cache nothing piles up to be written at the end, while the moment is still held.
    to.execute_batch(
        "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
         PRAGMA cache_size = 32;",
    )
    .map_err(&to_sql)?;
    let moment = from.hold()?;
    let copying = Backup::new(&moment, &mut to).map_err(&to_sql)?;
    let mut steps = 0;
    loop {
        let step = copying.step(STEP).map_err(&to_sql)?;
        let progress = copying.progress();
        let (left, of) = (progress.remaining.unsigned_abs(), progress.pagecount.unsigned_abs());
        (work.told)(Stage::Copying, u64::from(of.saturating_sub(left)), u64::from(of));
        match step {
            StepResult::Done => break,
            StepResult::More => {}
            // Of the source nobody can, inside a moment; the part is ours alone.
            _ => thread::sleep(Duration::from_millis(10)),
        }
        steps += 1;
        from.go_on(work)?;
        if steps % STEPS_A_SYNC == 0 {
            // It takes as long as the disk likes, and the log grows meanwhile.
            let flushing = part.flush();
            while !flushing.is_finished() {
                from.go_on(work)?;
                thread::sleep(Duration::from_millis(1));
            }
            flushing.join().map_err(|_| CopyError::Stopped)?.map_err(CopyError::io(&part.path))?;
        }
    }
    drop(copying);
    let counts = if from.schema == known() {
        super::reader::counts(&moment).map_err(|error| from.failed(work, error))?
    } else {
        Counts::default()
    };
    drop(moment);
    to.execute_batch("PRAGMA journal_mode = DELETE").map_err(&to_sql)?;
    drop(to);
    part.sync()?;
    Ok(counts)
}
