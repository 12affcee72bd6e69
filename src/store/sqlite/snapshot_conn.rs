//! A connection that reads one snapshot and watches the WAL meanwhile.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, Transaction};

use super::connection::common;
use super::file_errors::{CopyError, OpenError};
use super::files::open::check_log;
use super::schema::schema_of;
use super::task::Work;
use crate::store::Error;

/// Instructions of SQLite, or pages of an integrity check, between two looks at the log.
const LOOK_EVERY: i32 = 10_000;
/// How long the worker may take to let the log start anew, once it is let go.
const LOG_RESTARTS_WITHIN: Duration = Duration::from_secs(5);

/// A database on a connection that writes nothing, with a watch on its log.
pub(crate) struct Watched {
    pub(crate) conn: Connection,
    pub(crate) path: PathBuf,
    /// Its schema, which this program knows.
    pub(crate) schema: i64,
    room: Arc<Mutex<Room>>,
    /// Steps of SQLite so far.
    pub(crate) steps: Arc<AtomicU64>,
}

impl Watched {
    /// Opens a file that must be there.
    pub(crate) fn open(path: &Path, work: &Work<'_>) -> Result<Self, CopyError> {
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
    pub(crate) fn hold(&self) -> Result<Transaction<'_>, CopyError> {
        lock(&self.room).release();
        let moment = self.conn.unchecked_transaction().map_err(CopyError::sql(&self.path))?;
        self.number("SELECT count(*) FROM sqlite_schema")?;
        lock(&self.room).hold();
        Ok(moment)
    }

    /// Whether to go on holding the moment that is held.
    pub(crate) fn go_on(&self, work: &Work<'_>) -> Result<(), CopyError> {
        work.go_on()?;
        if lock(&self.room).is_short() { Err(CopyError::Crowded(self.path.clone())) } else { Ok(()) }
    }

    /// A number that a query finds.
    pub(crate) fn number(&self, sql: &str) -> Result<i64, CopyError> {
        self.conn.query_row(sql, [], |row| row.get(0)).map_err(CopyError::sql(&self.path))
    }

    /// Why a query failed: perhaps it was given up.
    pub(crate) fn failed(&self, work: &Work<'_>, error: Error) -> CopyError {
        self.go_on(work).err().unwrap_or_else(|| CopyError::store(&self.path)(error))
    }

    /// Waits until the worker has let the log start anew, which it does soon once nobody holds it.
    pub(crate) fn wait_for_room(&self, work: &Work<'_>) -> Result<(), CopyError> {
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
