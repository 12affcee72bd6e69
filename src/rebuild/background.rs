//! After an upgrade: what the journal still has is learned again by the rules of this program.
//!
//! It is the fold that `rollcall rebuild` makes, beside the live directory and on a thread that gives way to the rest of
//! the process. What the rules say otherwise now the worker replaces between two batches, and tells the feed. Killed, the
//! next start begins again. What the journal no longer has stays as it came to be: the fold begins with the base.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::{Comparison, ComparisonCursor, RebuildFolder, find_differing_rows};
use crate::domain::RULES_VERSION;
use crate::ingest::queue::{Queue, SubmitError};
use crate::metrics::Metrics;
use crate::store::archive::{Archive as _, Row};
use crate::store::readers::give_way;
use crate::store::sqlite::{DamagedTables, OpenError, SqliteReader, describe_holes};
use crate::store::{Error, Reader as _};

/// Rows replaced in one transaction.
const AT_ONCE: usize = 512;
/// How long is waited before what could not be done is tried again.
const RETRY: Duration = Duration::from_secs(30);
/// The same for the worker, which has no room now.
const SOON: Duration = Duration::from_millis(500);
/// How often it says how far it is.
const WORD: Duration = Duration::from_secs(5);

/// The thread. Dropping it stops what it is at, and waits for that.
pub struct BackgroundRebuild {
    told: Option<Sender<()>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl BackgroundRebuild {
    /// Starts it. Where the directory was learned by the rules of this program, it waits until that is in doubt. To be
    /// called within a runtime.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn start(
        database: &Path,
        queue: Queue,
        damaged_tables: DamagedTables,
        metrics: Arc<Metrics>,
    ) -> io::Result<Self> {
        let (told, stopped) = channel();
        let stop = Arc::<AtomicBool>::default();
        let (database, runtime) = (database.to_owned(), Handle::current());
        let task = RebuildTask { database, queue, damaged_tables, metrics, runtime, stopped };
        let stopped = stop.clone();
        let run = move || {
            give_way();
            task.run(&stopped);
        };
        let thread = thread::Builder::new().name("relearning".to_owned()).spawn(run)?;
        Ok(Self { told: Some(told), stop, thread: Some(thread) })
    }
}

impl Drop for BackgroundRebuild {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.told = None;
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}

/// Why it did not come to its end.
#[derive(Debug, thiserror::Error)]
enum Unfinished {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Store(#[from] Error),
    #[error(transparent)]
    Submit(#[from] SubmitError),
}

struct RebuildTask {
    database: PathBuf,
    queue: Queue,
    damaged_tables: DamagedTables,
    metrics: Arc<Metrics>,
    runtime: Handle,
    stopped: Receiver<()>,
}

impl RebuildTask {
    fn run(&self, stop: &Arc<AtomicBool>) {
        loop {
            let is_damaged = self.damaged_tables.is_to_relearn();
            let done = self.bring_up(is_damaged, stop);
            self.metrics.to_relearn.set(0);
            if let Err(error) = done {
                if is_damaged {
                    self.damaged_tables.ask_to_relearn();
                }
                let is_over =
                    stop.load(Ordering::Acquire) || matches!(error, Unfinished::Submit(SubmitError::Closed));
                if is_over || !self.waits(RETRY, &error) {
                    return;
                }
            } else if !self.is_asked_again() {
                return;
            }
        }
    }

    /// Waits until the journal is to be learned again; not so where the service ends.
    fn is_asked_again(&self) -> bool {
        while !self.damaged_tables.is_to_relearn() {
            if self.stopped.recv_timeout(SOON) != Err(RecvTimeoutError::Timeout) {
                return false;
            }
        }
        self.damaged_tables.ask_to_relearn();
        true
    }

    /// Of records that could not be read, those that can be now are in doubt no more.
    fn look_again(&self, reader: &mut SqliteReader) -> Result<(), Error> {
        for row in self.damaged_tables.unreadable_rows() {
            if reader.is_readable(row)? {
                self.damaged_tables.is_readable(row);
            } else {
                tracing::error!(
                    row,
                    "the record in row {row} of app_users cannot be read, nor learned again from the journal: restore a \
                     backup"
                );
            }
        }
        Ok(())
    }

    /// Waits; whether to go on afterwards.
    fn waits(&self, time: Duration, error: &Unfinished) -> bool {
        let seconds = time.as_secs();
        tracing::warn!(%error, "the journal is not learned again yet; it is tried again in {seconds} s: {error}");
        matches!(self.stopped.recv_timeout(time), Err(RecvTimeoutError::Timeout))
    }

    /// Brings the directory to the rules of this program, if it is not there.
    fn bring_up(&self, is_damaged: bool, stop: &Arc<AtomicBool>) -> Result<(), Unfinished> {
        let mut reader = SqliteReader::open(&self.database)?;
        let found = reader.rules()?;
        if found >= RULES_VERSION && !is_damaged {
            return Ok(());
        }
        let entries = reader.last()?.saturating_sub(reader.horizon()?.folded);
        drop(reader);
        // Of older rules nothing of the base is another; records that are damaged may be in it alone.
        if entries > 0 || found == 0 {
            let began = Instant::now();
            let why = match is_damaged {
                true => "records are not what the journal says",
                false => "this program reads events by newer rules",
            };
            tracing::info!(
                entries,
                "{why}: {entries} entries of the journal are learned again, beside everything else"
            );
            let (users, rows) = self.learn_again(entries, stop)?;
            let seconds = began.elapsed().as_secs_f64();
            tracing::info!(
                entries,
                users,
                rows,
                seconds,
                "the journal was learned again in {seconds:.1} s: {users} app users are known otherwise now, {rows} rows"
            );
        }
        self.runtime.block_on(self.queue.set_rules(RULES_VERSION))?;
        self.look_again(&mut SqliteReader::open(&self.database)?)?;
        Ok(())
    }

    /// Folds the journal, compares, and has the worker replace what differs: how many app users, and rows.
    fn learn_again(&self, entries: u64, stop: &Arc<AtomicBool>) -> Result<(u64, u64), Unfinished> {
        let _scratch = RebuildFolder::take(&self.database)?;
        let open = || Comparison::open(&self.database).map(|opened| opened.stopped_by(stop.clone()));
        // A fresh database says much of itself that is about no database of the operator's.
        let quiet = tracing::subscriber::NoSubscriber::new();
        let mut comparison = tracing::subscriber::with_default(quiet, open)?;
        let (mut done, mut told) = (0, Instant::now());
        self.metrics.to_relearn.set(entries as i64);
        comparison.catch_up(&mut |steps| {
            done += steps;
            self.metrics.to_relearn.set((entries.saturating_sub(done)).max(1) as i64);
            if told.elapsed() > WORD {
                told = Instant::now();
                tracing::info!(done, of = entries, "learning the journal again: {done} of {entries} entries");
            }
        })?;
        let holes = comparison.holes();
        if !holes.is_empty() {
            let holes = describe_holes(&holes);
            tracing::error!(
                holes,
                "the journal is damaged; app users of whom it has lost something stay as they are: {holes}"
            );
        }
        let (mut pass, mut users, mut rows) = (ComparisonCursor::begin(), 0, 0);
        while let Some(found) = comparison.next(&mut pass, &mut |_| ())? {
            if found.is_empty() {
                continue;
            }
            let is_app_user = |row: &&Row| row.table == 0 && row.user().is_some_and(|(_, id)| !id.is_app());
            users += found.iter().filter(is_app_user).count() as u64;
            // The worker goes on with the fold.
            drop(comparison);
            for few in found.chunks(AT_ONCE) {
                rows += self.replace(few)? as u64;
            }
            comparison = open()?;
        }
        Ok((users, rows))
    }

    /// Has the worker replace rows, as soon as it has room.
    fn replace(&self, rows: &[Row]) -> Result<usize, SubmitError> {
        let keys: Vec<_> = rows.iter().map(|row| (row.table, row.key.clone())).collect();
        loop {
            let (database, keys) = (self.database.clone(), keys.clone());
            let replacing = self.queue.submit_repair(Box::new(move || find_differing_rows(&database, &keys)));
            match self.runtime.block_on(replacing) {
                Err(SubmitError::QueueFull | SubmitError::Timeout) => {
                    if self.stopped.recv_timeout(SOON) != Err(RecvTimeoutError::Timeout) {
                        return Err(SubmitError::Closed);
                    }
                }
                replaced => return replaced,
            }
        }
    }
}
