//! Long tasks on a file, and the read-only connection that holds one snapshot for them and watches the WAL meanwhile.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, Transaction};

use super::connection::{CACHE_KIB, connect_reader};
use super::file_errors::{CopyError, OpenError};
use super::files::open::check_log;
use super::schema::read_schema_version;
use crate::store::Error;

/// Instructions of SQLite, or pages of an integrity check, between two looks at the WAL.
const LOOK_EVERY: i32 = 10_000;
/// How long the worker may take to restart the WAL once the snapshot has ended.
const LOG_RESTARTS_WITHIN: Duration = Duration::from_secs(5);

/// What a task is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskStage {
    /// Copying pages.
    Copying,
    /// Checking pages; the total is unknown.
    Checking,
    /// Reading every app user.
    Summing,
    /// Comparing derived tables with their source; the total is unknown.
    Comparing,
}

/// A long task, which reports its progress and can be stopped.
pub struct FileTask<'t> {
    /// Called with the stage, how much of it is done, and of how much (0 if unknown).
    pub progress: &'t mut (dyn FnMut(TaskStage, u64, u64) + Send),
    /// Set to stop it.
    pub stop: Arc<AtomicBool>,
    /// `store.wal_limit`: bytes of WAL at which the worker waits.
    pub wal_limit: u64,
}

impl FileTask<'_> {
    pub(crate) fn check_stopped(&self) -> Result<(), CopyError> {
        if self.stop.load(Ordering::Relaxed) { Err(CopyError::Stopped) } else { Ok(()) }
    }
}

/// A read-only connection with a watch on the WAL.
pub(crate) struct SnapshotConn {
    pub(crate) conn: Connection,
    pub(crate) path: PathBuf,
    pub(crate) schema: i64,
    budget: Arc<Mutex<WalBudget>>,
    /// Instructions that SQLite has run so far.
    pub(crate) steps: Arc<AtomicU64>,
}

impl SnapshotConn {
    pub(crate) fn open(path: &Path, task: &FileTask<'_>) -> Result<Self, CopyError> {
        check_log(path)?;
        if !path.try_exists().map_err(CopyError::io(path))? {
            let why = "there is no such file";
            return Err(CopyError::io(path)(std::io::Error::new(ErrorKind::NotFound, why)));
        }
        if path.is_dir() {
            let why = "this is a folder, and a file is needed";
            return Err(CopyError::io(path)(std::io::Error::new(ErrorKind::IsADirectory, why)));
        }
        let mut conn = connect_reader(path, CACHE_KIB).map_err(CopyError::sql(path))?;
        let schema = match read_schema_version(&conn, path) {
            Ok(0) => return Err(OpenError::Foreign(path.to_owned()).into()),
            Err(OpenError::Store(_, error)) => return Err(CopyError::store(path)(error)),
            schema => schema?,
        };
        let budget = Arc::new(Mutex::new(WalBudget::open(path, task.wal_limit)?));
        let (watched, stop, steps) = (budget.clone(), task.stop.clone(), Arc::<AtomicU64>::default());
        let counted = steps.clone();
        let enough = move || {
            counted.fetch_add(LOOK_EVERY as u64, Ordering::Relaxed);
            stop.load(Ordering::Relaxed) || lock_budget(&watched).is_exceeded()
        };
        conn.progress_handler(LOOK_EVERY, Some(enough)).map_err(CopyError::sql(path))?;
        Ok(Self { conn, path: path.to_owned(), schema, budget, steps })
    }

    /// Begins a snapshot of the database as it is now.
    pub(crate) fn begin_snapshot(&self) -> Result<Transaction<'_>, CopyError> {
        lock_budget(&self.budget).clear_threshold();
        let moment = self.conn.unchecked_transaction().map_err(CopyError::sql(&self.path))?;
        self.query_number("SELECT count(*) FROM sqlite_schema")?;
        lock_budget(&self.budget).set_threshold();
        Ok(moment)
    }

    /// Fails if the task was stopped, or the WAL has grown too long.
    pub(crate) fn check_limits(&self, task: &FileTask<'_>) -> Result<(), CopyError> {
        task.check_stopped()?;
        if lock_budget(&self.budget).is_exceeded() {
            Err(CopyError::WalLimitReached(self.path.clone()))
        } else {
            Ok(())
        }
    }

    pub(crate) fn query_number(&self, sql: &str) -> Result<i64, CopyError> {
        self.conn.query_row(sql, [], |row| row.get(0)).map_err(CopyError::sql(&self.path))
    }

    /// The error of a query, or why the query was interrupted.
    pub(crate) fn error_of(&self, task: &FileTask<'_>, error: Error) -> CopyError {
        self.check_limits(task).err().unwrap_or_else(|| CopyError::store(&self.path)(error))
    }

    /// Waits until the worker has restarted the WAL, which it does soon after the snapshot ends.
    pub(crate) fn wait_for_wal_restart(&self, task: &FileTask<'_>) -> Result<(), CopyError> {
        let until = Instant::now() + LOG_RESTARTS_WITHIN;
        while lock_budget(&self.budget).is_mostly_used() && Instant::now() < until {
            task.check_stopped()?;
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

fn lock_budget(budget: &Mutex<WalBudget>) -> MutexGuard<'_, WalBudget> {
    budget.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long the WAL may grow while a snapshot is held.
struct WalBudget {
    conn: Connection,
    /// Pages of WAL at which the worker waits.
    limit: i64,
    /// Pages of WAL at which the snapshot must end.
    threshold: i64,
    /// Stays set until the next snapshot, so that every caller gets the same answer.
    was_exceeded: bool,
}

impl WalBudget {
    fn open(path: &Path, wal_limit: u64) -> Result<Self, CopyError> {
        let conn = connect_reader(path, CACHE_KIB).map_err(CopyError::sql(path))?;
        let page: i64 =
            conn.query_row("PRAGMA page_size", [], |row| row.get(0)).map_err(CopyError::sql(path))?;
        let limit = i64::try_from(wal_limit).unwrap_or(i64::MAX) / page.max(1);
        Ok(Self { conn, limit, threshold: i64::MAX, was_exceeded: false })
    }

    /// Pages in the WAL since its last restart. Only looks; runs no checkpoint.
    fn used_pages(&self) -> i64 {
        self.conn.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| row.get(1)).unwrap_or(0)
    }

    /// At half the limit the worker restarts the WAL if no snapshot is held, which takes it a moment. If the WAL
    /// is longer already because nothing is written, the snapshot may be held until something is.
    fn set_threshold(&mut self) {
        let used = self.used_pages();
        self.threshold = (self.limit / 2 + self.limit / 8).max(used + (self.limit - used).max(0) / 8);
    }

    fn clear_threshold(&mut self) {
        (self.threshold, self.was_exceeded) = (i64::MAX, false);
    }

    fn is_exceeded(&mut self) -> bool {
        self.was_exceeded = self.was_exceeded || self.used_pages() > self.threshold;
        self.was_exceeded
    }

    fn is_mostly_used(&self) -> bool {
        self.used_pages() > self.limit / 4
    }
}
