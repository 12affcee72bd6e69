//! Checks that the paths of an open database still lead to its files. If one was moved, deleted or replaced, every
//! later write would be lost with it.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use super::header::is_live;
use super::inode::Inode;
use super::names::with_suffix;
use super::wal_file::WalFile;
use crate::store::sqlite::epoch_marker::ChangeCount;
use crate::store::{Error, Result};

const LOOK_EVERY: Duration = Duration::from_millis(250);
/// A check by the worker covers its commits for this long.
const LOOK_HOLDS: Duration = Duration::from_millis(5);
/// Handles on databases that this process watches. Never closed: that would release SQLite's own locks.
static HELD: Mutex<Vec<Arc<File>>> = Mutex::new(Vec::new());

/// The files of an open database, and whether one of them was lost.
#[derive(Clone, Debug)]
pub struct Presence(Arc<WatchedFiles>);

#[derive(Debug)]
struct WatchedFiles {
    /// By its canonical path and by that of the settings.
    database: [OpenFile; 2],
    /// The WAL, to which every commit is written.
    wal: OpenFile,
    /// The index of the WAL and the lock file.
    others: [OpenFile; 2],
    /// Set once the files are watched.
    log: OnceLock<WalFile>,
    looked: Mutex<Option<Instant>>,
    mark: Arc<ChangeCount>,
    lost: OnceLock<String>,
}

/// A path, how to look at it, and the device and inode of its file once there is one.
#[derive(Debug)]
struct OpenFile(PathBuf, fn(&Path) -> io::Result<Inode>, OnceLock<(u64, u64)>);

impl OpenFile {
    fn new(path: PathBuf, look: fn(&Path) -> io::Result<Inode>) -> Self {
        let file = Self(path, look, OnceLock::new());
        // A WAL that does not exist yet is recorded by a later look.
        _ = file.look();
        file
    }

    /// The file's length in bytes, if the path still leads to it.
    ///
    /// # Errors
    /// Where the path leads now.
    fn look(&self) -> std::result::Result<Option<u64>, String> {
        let path = self.0.display();
        match self.1(&self.0) {
            Ok(Inode { identity: found, len }) => {
                if *self.2.get_or_init(|| found) == found {
                    return Ok(Some(len));
                }
                Err(format!("{path} leads to another file than the one that is open"))
            }
            Err(error) if is_gone(&error) && self.2.get().is_some() => {
                Err(format!("{path} was moved or removed"))
            }
            // Other errors do not show that the file was moved.
            Err(_) => Ok(None),
        }
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::StaleNetworkFileHandle)
}

impl Presence {
    /// Records the files of the database at `path`, which the settings call `named`. The watching thread writes
    /// the epoch marker as well.
    pub(crate) fn of(named: &Path, path: &Path, mark: Arc<ChangeCount>) -> Self {
        // A link in the place of a file leads to a database with another log.
        let itself = |path| OpenFile::new(path, Inode::at_itself);
        let beside = |suffix| itself(with_suffix(path, suffix));
        Self(Arc::new(WatchedFiles {
            database: [itself(path.to_owned()), OpenFile::new(named.to_owned(), Inode::at)],
            wal: beside("-wal"),
            others: [beside("-shm"), beside(".lock")],
            log: OnceLock::new(),
            looked: Mutex::default(),
            mark,
            lost: OnceLock::new(),
        }))
    }

    /// Fails if a file was lost. Checks the WAL first: SQLite would write on behind the end of one that was cut
    /// off.
    pub(crate) fn check_log(&self) -> Result<()> {
        if self.0.lost.get().is_none() {
            self.look_into_log(WalFile::is_not_cut_off).unwrap_or_else(|why| self.lose(why));
        }
        self.check_known()
    }

    /// As [`Self::check`], after a commit that left this many frames in the WAL. Skips the check if one was made
    /// within [`LOOK_HOLDS`].
    pub(crate) fn check_committed(&self, frames: u64) -> Result<()> {
        if let Some(log) = self.0.log.get() {
            log.committed(frames);
        }
        let looked = *self.0.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if looked.is_some_and(|looked| looked.elapsed() < LOOK_HOLDS) {
            self.check_known()
        } else {
            self.check()
        }
    }

    /// Fails if a file was lost. Checks the files to which a commit is written.
    pub(crate) fn check(&self) -> Result<()> {
        let files = &self.0;
        if files.lost.get().is_none() {
            *files.looked.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            let looked = files.database[0].look().and_then(|_| files.wal.look());
            let looked = looked.and_then(|len| self.look_into_log(|log| log.is_whole(len)));
            looked.unwrap_or_else(|why| self.lose(why));
        }
        self.check_known()
    }

    /// Writes the count of committed changes to the epoch marker. Call it before an answer names a change's
    /// number.
    pub fn mark_told(&self) {
        self.0.mark.write();
    }

    fn look_into_log(&self, is_right: impl FnOnce(&WalFile) -> bool) -> std::result::Result<(), String> {
        let path = self.0.wal.0.display();
        match self.0.log.get().is_none_or(is_right) {
            true => Ok(()),
            false => Err(format!("{path} was cut off or overwritten in place")),
        }
    }

    /// Fails if an earlier check has found a file lost.
    pub(crate) fn check_known(&self) -> Result<()> {
        self.0.lost.get().map_or(Ok(()), |why| Err(Error::Moved(why.clone())))
    }

    /// Which file was lost.
    pub fn lost(&self) -> Option<&str> {
        self.0.lost.get().map(String::as_str)
    }

    /// Whether only the WAL is missing: all that was committed can then still be copied into the database.
    pub(crate) fn has_only_lost_its_log(&self) -> bool {
        let files = &self.0;
        files.database.iter().chain(&files.others).all(|file| file.look().is_ok())
            && files.wal.0.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound)
    }

    /// Checks all files at intervals, on a thread of its own, while there is a store. Calls `on_loss` once if one is
    /// lost.
    ///
    /// # Errors
    /// The database cannot be opened once more, or no thread can be started.
    pub fn watch(&self, on_loss: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let database = Arc::new(File::open(&self.0.database[0].0)?);
        let index = Arc::new(File::open(&self.0.others[0].0)?);
        HELD.lock().unwrap_or_else(PoisonError::into_inner).extend([database.clone(), index.clone()]);
        self.0.log.get_or_init(|| WalFile::of(index, self.0.wal.0.clone()));
        let files = Arc::downgrade(&self.0);
        let watch = move || {
            while let Some(files) = Weak::upgrade(&files) {
                let presence = Self(files);
                presence.mark_told();
                if let Err(why) = presence.look(&database) {
                    presence.lose(why);
                    return on_loss();
                }
                drop(presence);
                thread::sleep(LOOK_EVERY);
            }
        };
        thread::Builder::new().name("presence".to_owned()).spawn(watch).map(drop)
    }

    fn look(&self, database: &File) -> std::result::Result<(), String> {
        let files = &self.0;
        if let Some(why) = self.lost() {
            return Err(why.to_owned());
        }
        files
            .database
            .iter()
            .chain([&files.wal])
            .chain(&files.others)
            .try_for_each(|file| file.look().map(drop))?;
        self.look_into_log(|log| log.is_whole(None))?;
        let mut head = [0; 100];
        match database.read_exact_at(&mut head, 0) {
            Ok(()) if is_live(&head) => Ok(()),
            Err(error) if error.kind() != ErrorKind::UnexpectedEof => Ok(()),
            _ => Err(format!("{} was overwritten in place", files.database[0].0.display())),
        }
    }

    fn lose(&self, why: String) {
        self.0.lost.get_or_init(|| {
            tracing::error!(why, "a file of the database was lost; nothing more is acknowledged: {why}");
            why
        });
    }
}
