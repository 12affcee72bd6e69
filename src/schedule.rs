//! Scheduled backups, on a thread of their own.

mod folder;

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use folder::forget;
pub use folder::taken;
pub use folder::{BackupFolder, look};
use jiff::{SignedDuration, Timestamp};

use crate::config::{BackupSettings, Settings, StoreUrl};
use crate::directory::users::show_by_id;
use crate::directory::verify::verify;
use crate::ingest::maintenance::READING;
use crate::metrics::Metrics;
use crate::store::sqlite::{self, Checked, CopyError, FileTask, PARTIAL};

/// Time until the next attempt after a failure, at most.
const RETRY: Duration = Duration::from_secs(300);

/// Between two reads of the folder; they correct the metric after a change of the clock.
const LOOK: Duration = Duration::from_secs(300);

/// The thread of scheduled backups. Dropping it cancels a backup in progress and waits for the thread.
pub struct Schedule {
    told: Option<Sender<BackupSettings>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Schedule {
    /// Starts the thread. Without a folder in the settings it waits for a reload. Calls `made` after each backup, with
    /// whether it succeeded.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(
        settings: &Settings,
        metrics: Arc<Metrics>,
        made: impl Fn(bool) + Send + 'static,
    ) -> io::Result<Self> {
        let StoreUrl::Sqlite(database) = &settings.store.url;
        let (told, news) = channel();
        let stop = Arc::<AtomicBool>::default();
        let keeper = BackupThread {
            database: database.clone(),
            wal_limit: settings.store.wal_limit,
            settings: settings.backup.clone(),
            metrics,
            made: Box::new(made),
            stop: stop.clone(),
            doubted: Vec::new(),
        };
        let thread = thread::Builder::new().name("backup".to_owned()).spawn(move || keeper.run(&news))?;
        Ok(Self { told: Some(told), stop, thread: Some(thread) })
    }

    /// Applies new settings.
    pub fn reload(&self, settings: &Settings) {
        // The receiver lives as long as `self`.
        _ = self.told.as_ref().map(|told| told.send(settings.backup.clone()));
    }
}

impl Drop for Schedule {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.told = None;
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}

struct BackupThread {
    database: PathBuf,
    wal_limit: u64,
    settings: BackupSettings,
    metrics: Arc<Metrics>,
    made: Box<dyn Fn(bool) + Send>,
    stop: Arc<AtomicBool>,
    /// Ignored files that were logged.
    doubted: Vec<PathBuf>,
}

struct LastBackup {
    folder: PathBuf,
    begun: Instant,
}

impl BackupThread {
    fn run(mut self, news: &Receiver<BackupSettings>) {
        let (mut failed, mut last): (bool, Option<LastBackup>) = (false, None);
        loop {
            let Some(folder) = self.settings.folder.clone() else {
                match news.recv() {
                    Ok(settings) => self.settings = settings,
                    Err(_) => return,
                }
                continue;
            };
            let newest = self.look(&folder);
            let every = self.settings.every;
            let due = match &last {
                _ if failed => RETRY.min(every),
                // The monotonic clock does not jump.
                Some(last) if last.folder == folder => every.saturating_sub(last.begun.elapsed()),
                _ => due_in(newest, every),
            };
            match news.recv_timeout(due.min(LOOK)) {
                Ok(settings) => (self.settings, failed) = (settings, false),
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) if due > LOOK => {}
                Err(RecvTimeoutError::Timeout) => {
                    let begun = Instant::now();
                    failed = !self.make(&folder);
                    last = if failed { last } else { Some(LastBackup { folder, begun }) };
                }
            }
        }
    }

    /// Reads the folder, sets the metric and logs each ignored file once. Returns the time of the newest valid
    /// backup.
    fn look(&mut self, folder: &Path) -> Option<Timestamp> {
        let kept = look(folder, &self.database, Timestamp::now()).unwrap_or_default();
        let newest = kept.newest();
        self.metrics.newest_backup(newest.map_or(0, Timestamp::as_second));
        for (path, why) in kept.doubtful().filter(|(path, _)| !self.doubted.iter().any(|known| known == path))
        {
            let path = path.display();
            tracing::warn!(%path, why, "backup file ignored: it {why}");
        }
        self.doubted = kept.doubtful().map(|(path, _)| path.to_owned()).collect();
        newest
    }

    /// Makes a backup and deletes the oldest ones. Returns whether it succeeded.
    fn make(&self, folder: &Path) -> bool {
        let task = BackupTask {
            database: self.database.clone(),
            wal_limit: self.wal_limit,
            keep: self.settings.keep,
            stop: self.stop.clone(),
        };
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        match task.make(folder) {
            Ok(_) => {
                self.metrics.backup("made");
                (self.made)(true);
                true
            }
            Err(CopyError::Stopped) => false,
            Err(error) => {
                tracing::error!(%error, "backup failed: {error}");
                self.metrics.backup("failed");
                (self.made)(false);
                false
            }
        }
    }
}

/// Held by whoever makes or verifies a backup in this process: one at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// A backup to be made.
pub struct BackupTask {
    database: PathBuf,
    wal_limit: u64,
    keep: usize,
    stop: Arc<AtomicBool>,
}

impl BackupTask {
    /// A backup by these settings. It is cancelled once `stop` is set.
    pub fn new(settings: &Settings, stop: Arc<AtomicBool>) -> Self {
        let StoreUrl::Sqlite(database) = &settings.store.url;
        Self {
            database: database.clone(),
            wal_limit: settings.store.wal_limit,
            keep: settings.backup.keep,
            stop,
        }
    }

    /// Makes the backup, unless another is being made or verified; then `None`.
    ///
    /// # Errors
    /// As [`sqlite::backup`].
    pub fn make_alone(&self, folder: &Path) -> Option<Result<(PathBuf, Checked), CopyError>> {
        alone(|| self.make(folder))
    }

    /// Makes the backup, and deletes the oldest ones.
    fn make(&self, folder: &Path) -> Result<(PathBuf, Checked), CopyError> {
        let path = folder.join(format!("rollcall-{}.db", sqlite::file_timestamp()));
        prepare_folder(folder, &self.database)?;
        let mut told = |_, _, _| {};
        let (stop, wal_limit) = (self.stop.clone(), self.wal_limit);
        let mut work = FileTask { progress: &mut told, stop, wal_limit };
        let made = sqlite::backup(&self.database, &path, false, show_by_id, &mut work)?;
        let (seq, bytes) = (made.seq, made.bytes);
        let checksum = made.checksum.as_deref().unwrap_or_default();
        tracing::info!(path = %path.display(), seq, bytes, checksum, "backup completed");
        if let Err(error) = forget(folder, self.keep, &self.database) {
            tracing::warn!(%error, "cannot delete old backups: {error}");
        }
        Ok((path, made))
    }

    /// Verifies a backup as `rollcall verify` does, unless another is being made or verified; then `None`.
    ///
    /// # Errors
    /// It is damaged, or cannot be read.
    pub fn verify_alone(&self, backup: &Path) -> Option<Result<Checked, CopyError>> {
        let mut told = |_, _, _| {};
        let (stop, wal_limit) = (self.stop.clone(), self.wal_limit);
        let mut work = FileTask { progress: &mut told, stop, wal_limit };
        alone(|| verify(backup, READING.event, &mut work))
    }
}

fn alone<T>(task: impl FnOnce() -> T) -> Option<T> {
    match ALONE.try_lock() {
        Ok(_alone) => Some(task()),
        Err(TryLockError::Poisoned(_alone)) => Some(task()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// When the next backup is due, if backups are made.
pub fn next_due(settings: &BackupSettings, newest: Option<Timestamp>) -> Option<Timestamp> {
    settings.folder.as_ref()?;
    Timestamp::now().checked_add(due_in(newest, settings.every)).ok()
}

/// Time until the next backup is due, before this process has made one. A newest backup of the future, after a change
/// of the clock, counts as none.
fn due_in(newest: Option<Timestamp>, every: Duration) -> Duration {
    let age = newest.map(|newest| Timestamp::now().duration_since(newest));
    let age = age.filter(|age| *age >= SignedDuration::ZERO).and_then(|age| Duration::try_from(age).ok());
    age.map_or(Duration::ZERO, |age| every.saturating_sub(age))
}

/// Why backups cannot be in this folder, if they cannot.
pub fn refused_folder(settings: &Settings, folder: &Path) -> Option<String> {
    let StoreUrl::Sqlite(database) = &settings.store.url;
    sqlite::check_folder(folder, Some(database)).err().map(|refusal| refusal.to_string())
}

/// Creates the folder if needed, and removes the partial files of killed processes.
fn prepare_folder(folder: &Path, database: &Path) -> Result<(), CopyError> {
    let io = |error| CopyError::Io(folder.to_owned(), error);
    sqlite::check_folder(folder, Some(database))?;
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(io(error)),
        _ => {}
    }
    for entry in fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let name = path.file_name().and_then(|name| name.to_str()?.strip_suffix(PARTIAL));
        if name.and_then(taken).is_some() && sqlite::may_remove(&path, Some(database)).map_err(io)? {
            fs::remove_file(&path).map_err(io)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_named_like_a_backup_are_backups() {
        let moment = sqlite::file_timestamp();
        let name = format!("rollcall-{moment}.db");
        let ago = Timestamp::now().duration_since(taken(&name).unwrap());
        assert!(ago < SignedDuration::from_secs(60), "{name}");
        for other in ["rollcall.db", "rollcall-monday.db", &format!("{name}.partial"), &format!("{name}-wal")]
        {
            assert_eq!(taken(other), None, "{other}");
        }
    }

    #[test]
    fn the_next_one_is_due_when_the_newest_is_old_or_of_unknown_age() {
        let hour = Duration::from_secs(3600);
        assert_eq!(due_in(None, hour), Duration::ZERO);
        let now = Timestamp::now();
        assert_eq!(due_in(Some(now - hour * 2), hour), Duration::ZERO);
        assert_eq!(due_in(Some(now + hour), hour), Duration::ZERO, "the clock was set back");
        assert!(due_in(Some(now - hour / 2), hour) <= hour / 2);
    }
}
