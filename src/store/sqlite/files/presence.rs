//! Whether the paths of an open database still lead to its files. What is moved, deleted or replaced under a running
//! service would take every later write with it.

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

/// Between two looks of the thread.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// After a look of the worker, its commits need no other for so long.
const LOOK_HOLDS: Duration = Duration::from_millis(5);
/// Handles on databases that this process looks into. Never closed: that would give up SQLite's own locks.
static HELD: Mutex<Vec<Arc<File>>> = Mutex::new(Vec::new());

/// The files of an open database, and whether one of them was lost.
#[derive(Clone, Debug)]
pub struct Presence(Arc<WatchedFiles>);

#[derive(Debug)]
struct WatchedFiles {
    /// The database, by its own name and by that of the settings.
    database: [OpenFile; 2],
    /// What every commit is written to.
    wal: OpenFile,
    /// What keeps other processes from using the files as if nobody did.
    others: [OpenFile; 2],
    /// What the log must hold at least, once somebody watches.
    log: OnceLock<WalFile>,
    /// When the worker looked last.
    looked: Mutex<Option<Instant>>,
    mark: Arc<ChangeCount>,
    lost: OnceLock<String>,
}

/// A path, how to look at it, and the device and inode of the file that is open by it, as soon as there is one.
#[derive(Debug)]
struct OpenFile(PathBuf, fn(&Path) -> io::Result<Inode>, OnceLock<(u64, u64)>);

impl OpenFile {
    fn new(path: PathBuf, look: fn(&Path) -> io::Result<Inode>) -> Self {
        let file = Self(path, look, OnceLock::new());
        // A log that is not there yet is known once it is.
        _ = file.look();
        file
    }

    /// Its length in bytes, if the path leads to it.
    ///
    /// # Errors
    /// What has become of the file.
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
            // It says nothing about where the file is.
            Err(_) => Ok(None),
        }
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::StaleNetworkFileHandle)
}

impl Presence {
    /// Notes which files are open: those of the database at `path`, which the settings call `named`. The thread that
    /// looks at them writes the mark as well.
    pub(crate) fn of(named: &Path, path: &Path, mark: Arc<ChangeCount>) -> Self {
        // A link in the place of one leads to a database beside which SQLite would look for another log.
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

    /// Fails once a file was lost, with a look at the log: SQLite would write on behind the end of one that was
    /// cut off.
    pub(crate) fn check_log(&self) -> Result<()> {
        if self.0.lost.get().is_none() {
            self.look_into_log(WalFile::is_not_cut_off).unwrap_or_else(|why| self.lose(why));
        }
        self.check_known()
    }

    /// Fails once a file was lost, after a commit that left so many frames in the log. Looks at the files that it was
    /// written to, unless an earlier commit did a moment ago.
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

    /// Fails once a file was lost, with a look at those that a commit is written to.
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

    /// Has the mark of the feed say what was committed: call it before anybody is told a number of a change.
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

    /// Fails once it is known that a file was lost.
    pub(crate) fn check_known(&self) -> Result<()> {
        self.0.lost.get().map_or(Ok(()), |why| Err(Error::Moved(why.clone())))
    }

    /// Why the database cannot be written any more: which file was lost.
    pub fn lost(&self) -> Option<&str> {
        self.0.lost.get().map(String::as_str)
    }

    /// Whether nothing but the log is missing: all that was committed can still be copied into the database.
    pub(crate) fn has_only_lost_its_log(&self) -> bool {
        let files = &self.0;
        files.database.iter().chain(&files.others).all(|file| file.look().is_ok())
            && files.wal.0.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound)
    }

    /// Looks at all files, again and again, on a thread of its own, for as long as there is a store. Calls
    /// `tell` once when one is lost.
    ///
    /// # Errors
    /// The database cannot be opened once more, or there is no thread.
    pub fn watch(&self, tell: impl FnOnce() + Send + 'static) -> io::Result<()> {
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
                    return tell();
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
            tracing::error!(why, "the database is not where it was; nothing more is acknowledged: {why}");
            why
        });
    }
}
