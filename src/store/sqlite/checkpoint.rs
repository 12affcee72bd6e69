//! Runs checkpoints on a thread of its own. On the worker's thread they would make up the whole tail latency.
//!
//! The thread copies the WAL into the database while the worker appends to it, in ever shorter rounds. Once the
//! WAL has reached half its limit, the worker itself copies the small rest between two batches, so that the WAL
//! can restart; not sooner, because that costs the worker a sync of the database.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::hooks::Wal;

use super::connection::{StoreOptions, WORKER_WAITS, connect, query_one};
use super::{Error, Result};

const ROUNDS: usize = 5;
/// Few enough pages to copy between two batches unnoticed.
const FEW_PAGES: i64 = 512;

/// The usual maximum time of a read.
const READERS_TAKE: Duration = Duration::from_millis(20);

thread_local! {
    /// Pages in the WAL after the last commit of this thread's connection.
    static PAGES: Cell<u64> = const { Cell::new(0) };
}

/// Counts the pages of the WAL with every commit on this thread. Replaces SQLite's automatic checkpoints.
pub(super) fn watch(conn: &mut Connection) -> rusqlite::Result<()> {
    fn note(_: &mut Wal, pages: std::ffi::c_int) -> rusqlite::Result<()> {
        PAGES.set(u64::try_from(pages).unwrap_or(0));
        Ok(())
    }
    conn.wal_hook(Some(note))
}

/// Pages in the WAL after the last commit of this thread.
pub(super) fn pages() -> u64 {
    PAGES.get()
}

/// The checkpointing thread's handle for the worker.
pub(super) struct Checkpointer {
    /// Pages between two runs of the thread.
    every: u64,
    /// Pages in the WAL at which the thread runs next.
    next: Cell<u64>,
    limit: u64,
    /// The thread is running to empty the WAL.
    emptying: Cell<bool>,
    wake: async_channel::Sender<()>,
    shared: Arc<CheckpointState>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct CheckpointState {
    running: AtomicBool,
    /// The rest is small enough for the worker.
    nearly_done: AtomicBool,
    failure: Mutex<Option<Error>>,
}

impl Checkpointer {
    pub(super) fn start(options: &StoreOptions) -> Result<Self> {
        let conn = connect(&options.path)?;
        conn.execute_batch("PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = FULL")?;
        let page: i64 = query_one(&conn, "PRAGMA page_size", [])?;
        let page = u64::try_from(page).unwrap_or(4096).max(1);
        let (wake, woken) = async_channel::bounded(1);
        let shared = Arc::new(CheckpointState::default());
        let thread = {
            let shared = shared.clone();
            let run = move || {
                while woken.recv_blocking().is_ok() {
                    round_after_round(&conn, &shared);
                    shared.running.store(false, Ordering::Release);
                }
            };
            std::thread::Builder::new().name("checkpoint".to_owned()).spawn(run)
        };
        let thread = thread.map_err(|error| Error::Unavailable(error.to_string()))?;
        let (every, limit) = (options.wal_checkpoint / page, options.wal_limit / page);
        Ok(Self {
            every,
            next: Cell::new(every),
            limit,
            emptying: Cell::new(false),
            wake,
            shared,
            thread: Some(thread),
        })
    }

    /// Keeps the WAL within its limits. Call it between two transactions of the worker.
    pub(super) fn after_commit(&self, conn: &Connection) -> Result<()> {
        if let Ok(Some(failure)) = self.shared.failure.lock().map(|mut failure| failure.take()) {
            return Err(failure);
        }
        let pages = PAGES.get();
        if self.shared.nearly_done.swap(false, Ordering::AcqRel) && pages > self.limit / 2 {
            checkpoint(conn, "PASSIVE")?;
        } else if pages > self.limit {
            // The last resort against an endless WAL: wait for readers and copy all of it. Not beside Litestream:
            // it reads the WAL at its own pace, and no wait would end that.
            if finish(conn)? {
                tracing::warn!(pages, "the WAL reached its limit; writing waited for a checkpoint");
                PAGES.set(0);
            }
        } else if pages + self.every < self.next.get() {
            self.next.set(pages + self.every); // the WAL has started from the beginning
        } else if pages > self.next.get() && !self.shared.running.swap(true, Ordering::AcqRel) {
            self.next.set(pages + self.every);
            _ = self.wake.try_send(());
        }
        Ok(())
    }

    /// Empties the WAL, so that no overwritten page is left in it. Returns whether it is empty; if not, call it
    /// again. Most of the copying is done on the thread. Call it between two transactions.
    pub(super) fn empty(&self, conn: &Connection) -> Result<bool> {
        if self.shared.running.load(Ordering::Acquire) {
            return Ok(false);
        }
        if PAGES.get() > FEW_PAGES as u64 && !self.emptying.replace(true) {
            self.shared.running.store(true, Ordering::Release);
            _ = self.wake.try_send(());
            return Ok(false);
        }
        // Does not wait for long reads.
        conn.busy_timeout(READERS_TAKE)?;
        let busy: rusqlite::Result<i64> = query_one(conn, "PRAGMA wal_checkpoint(TRUNCATE)", []);
        conn.busy_timeout(WORKER_WAITS)?;
        let empty = busy? == 0;
        self.emptying.set(false);
        if empty {
            PAGES.set(0);
            self.next.set(self.every);
        }
        Ok(empty)
    }

    /// Waits for a running checkpoint, and ends the thread.
    pub(super) fn stop(&mut self) {
        self.wake.close();
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}

fn round_after_round(conn: &Connection, shared: &CheckpointState) {
    for _ in 0..ROUNDS {
        match checkpoint(conn, "PASSIVE") {
            Ok(left) if left > FEW_PAGES => {}
            Ok(_) => break,
            Err(error) => {
                tracing::error!(%error, "checkpoint failed: {error}");
                if let Ok(mut failure) = shared.failure.lock() {
                    *failure = Some(error);
                }
                return;
            }
        }
    }
    shared.nearly_done.store(true, Ordering::Release);
}

/// Copies the whole WAL and empties it, waiting for readers. Returns whether it is empty. Beside Litestream the
/// WAL is only copied: emptying it would break the replica, and Litestream would have to make a new one.
pub(super) fn finish(conn: &Connection) -> Result<bool> {
    let tables = "SELECT count(*) FROM sqlite_schema WHERE name = '_litestream_seq'";
    let alone = query_one::<i64>(conn, tables, [])? == 0;
    checkpoint(conn, if alone { "TRUNCATE" } else { "PASSIVE" })?;
    Ok(alone)
}

/// Runs a checkpoint. Returns the pages left in the WAL.
fn checkpoint(conn: &Connection, mode: &str) -> Result<i64> {
    let run = conn.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
        let (log, copied): (i64, i64) = (row.get(1)?, row.get(2)?);
        Ok(log - copied)
    });
    Ok(run?)
}
