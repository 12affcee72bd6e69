//! Rebuilds the directory in the background, after an upgrade that reads events by newer rules, and after damage.
//!
//! A thread of low priority replays the journal beside the live directory, as `rollcall rebuild` does. The worker
//! replaces the rows that differ between two batches, and the feed reports the changes. After a kill, the next start
//! begins again. The replay begins with the compacted records, so compacted entries keep their effect.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::{Comparison, ComparisonCursor, RebuildFolder, find_differing_rows};
use crate::directory::{DirectoryReader, open_reader};
use crate::domain::RULES_VERSION;
use crate::ingest::queue::{Queue, SubmitError};
use crate::metrics::Metrics;
use crate::store::Error;
use crate::store::readers::give_way;
use crate::store::rows::{RebuiltRow, RowKey};
use crate::store::sqlite::{DamagedTables, OpenError, describe_holes};

/// Rows replaced in one transaction.
const ROWS_PER_JOB: usize = 512;
/// Pause before a failed rebuild is tried again.
const RETRY: Duration = Duration::from_secs(30);
/// Pause before a full queue is tried again.
const QUEUE_RETRY: Duration = Duration::from_millis(500);
/// Interval of the log lines about progress.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(5);

/// The thread. Dropping this stops it and waits for its end.
pub struct BackgroundRebuild {
    told: Option<Sender<()>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl BackgroundRebuild {
    /// Starts it, within a runtime. If the directory was built by the present rules, the thread waits until damage is
    /// found.
    ///
    /// # Errors
    /// The thread cannot be started.
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

/// Why a rebuild did not end.
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
            let done = self.rebuild_if_needed(is_damaged, stop);
            self.metrics.to_relearn.set(0);
            if let Err(error) = done {
                if is_damaged {
                    self.damaged_tables.ask_to_relearn();
                }
                let is_over =
                    stop.load(Ordering::Acquire) || matches!(error, Unfinished::Submit(SubmitError::Closed));
                if is_over || !self.wait_to_retry(RETRY, &error) {
                    return;
                }
            } else if !self.wait_for_damage() {
                return;
            }
        }
    }

    /// Waits until damage asks for a rebuild; false if the service ends.
    fn wait_for_damage(&self) -> bool {
        while !self.damaged_tables.is_to_relearn() {
            if self.stopped.recv_timeout(QUEUE_RETRY) != Err(RecvTimeoutError::Timeout) {
                return false;
            }
        }
        self.damaged_tables.ask_to_relearn();
        true
    }

    /// Checks the records that were unreadable: those that are readable now are no longer damaged.
    fn recheck_unreadable(&self, reader: &mut DirectoryReader) -> Result<(), Error> {
        for row in self.damaged_tables.unreadable_rows() {
            if reader.is_readable(row)? {
                self.damaged_tables.is_readable(row);
            } else {
                tracing::error!(
                    row,
                    "the record in row {row} of app_users is unreadable, and cannot be rebuilt from the journal: restore a \
                     backup"
                );
            }
        }
        Ok(())
    }

    /// Waits before the next attempt; false if the service ends.
    fn wait_to_retry(&self, time: Duration, error: &Unfinished) -> bool {
        let seconds = time.as_secs();
        tracing::warn!(%error, "the rebuild failed, will retry in {seconds} s: {error}");
        matches!(self.stopped.recv_timeout(time), Err(RecvTimeoutError::Timeout))
    }

    /// Rebuilds the directory, if it was built by older rules or is damaged.
    fn rebuild_if_needed(&self, is_damaged: bool, stop: &Arc<AtomicBool>) -> Result<(), Unfinished> {
        let reader = open_reader(&self.database)?;
        let found = reader.rules_version()?;
        if found >= RULES_VERSION && !is_damaged {
            return Ok(());
        }
        let entries = reader.last_entry_seq()?.saturating_sub(reader.compaction_point()?.folded);
        drop(reader);
        // Older rules built the same compacted records; only damaged records may be in them alone.
        if entries > 0 || found == 0 {
            let began = Instant::now();
            let why = match (is_damaged, found) {
                (true, _) => "records differ from the journal",
                (false, 0) => "records are of unknown rules, or missing",
                (false, _) => "this version reads events by newer rules",
            };
            tracing::info!(entries, "{why}: rebuilding from {entries} journal entries in the background");
            let (users, rows) = self.rebuild(entries, stop)?;
            let seconds = began.elapsed().as_secs_f64();
            tracing::info!(
                entries,
                users,
                rows,
                seconds,
                "rebuilt from the journal in {seconds:.1} s: {users} app users changed, {rows} rows"
            );
        }
        self.runtime.block_on(self.queue.set_rules(RULES_VERSION))?;
        self.recheck_unreadable(&mut open_reader(&self.database)?)?;
        Ok(())
    }

    /// Replays the journal, and has the worker replace the rows that differ. Returns the numbers of app users and rows.
    fn rebuild(&self, entries: u64, stop: &Arc<AtomicBool>) -> Result<(u64, u64), Unfinished> {
        let _scratch = RebuildFolder::take(&self.database)?;
        let open = || Comparison::open(&self.database).map(|opened| opened.stopped_by(stop.clone()));
        // Log lines of the fresh database would be taken for those of the live one.
        let quiet = tracing::subscriber::NoSubscriber::new();
        let mut comparison = tracing::subscriber::with_default(quiet, open)?;
        let (mut done, mut told) = (0, Instant::now());
        self.metrics.to_relearn.set(entries as i64);
        comparison.catch_up(&mut |steps| {
            done += steps;
            self.metrics.to_relearn.set((entries.saturating_sub(done)).max(1) as i64);
            if told.elapsed() > PROGRESS_INTERVAL {
                told = Instant::now();
                tracing::info!(done, of = entries, "rebuilding: {done} of {entries} journal entries");
            }
        })?;
        let holes = comparison.holes();
        if !holes.is_empty() {
            let holes = describe_holes(&holes);
            tracing::error!(
                holes,
                "the journal is damaged; app users whose journal has holes keep their records: {holes}"
            );
        }
        let (mut pass, mut users, mut rows) = (ComparisonCursor::begin(), 0, 0);
        while let Some(found) = comparison.next(&mut pass, &mut |_| ())? {
            if found.is_empty() {
                continue;
            }
            let is_app_user = |row: &&RebuiltRow| matches!(&row.key, RowKey::User((_, id)) if !id.is_app());
            users += found.iter().filter(is_app_user).count() as u64;
            // The worker opens the same replay.
            drop(comparison);
            for few in found.chunks(ROWS_PER_JOB) {
                rows += self.replace(few)? as u64;
            }
            comparison = open()?;
        }
        Ok((users, rows))
    }

    /// Has the worker replace rows, as soon as its queue has room.
    fn replace(&self, rows: &[RebuiltRow]) -> Result<usize, SubmitError> {
        let keys: Vec<_> = rows.iter().map(|row| row.key.clone()).collect();
        loop {
            let (database, keys) = (self.database.clone(), keys.clone());
            let replacing =
                self.queue.submit_repair(Box::new(move || find_differing_rows(&database, &keys)), None);
            match self.runtime.block_on(replacing) {
                Err(SubmitError::QueueFull | SubmitError::Timeout) => {
                    if self.stopped.recv_timeout(QUEUE_RETRY) != Err(RecvTimeoutError::Timeout) {
                        return Err(SubmitError::Closed);
                    }
                }
                replaced => return replaced,
            }
        }
    }
}
