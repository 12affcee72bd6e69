//! Unfinished files that a killed process left behind. They are full of personal data.
//!
//! A file counts only if no process holds it and, where other programs may use such a name, if its first bytes are
//! rollcall's.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use super::header::{is_ours, read_head};
use super::inode::Inode;
use super::names::{
    BEFORE, BESIDE, NOTE, PARTIAL, REBUILD, REBUILD_LOCK, REPLACED, RESTORING, folder, is_process,
    with_suffix,
};
use super::output::may_remove;

/// The first bytes of an export: NDJSON, CSV, one person.
const EXPORTS: [&[u8]; 3] = [b"{\"rollcall\":", b"_id,", b"{\"app\":\""];

/// An unfinished file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// The file or folder.
    pub path: PathBuf,
    /// Whether a process still works on it.
    pub in_use: bool,
    /// Why it could not be removed.
    pub error: Option<String>,
}

/// A note beside a database about an unfinished file in another folder. Dropping it removes it, and those of killed
/// processes whose files are gone by then.
#[derive(Debug)]
pub struct Note {
    database: PathBuf,
    path: PathBuf,
    _lock: File,
}

impl Note {
    /// Notes that `whole` is being written under its name plus `suffix`. `None` where no note can be written, such
    /// as beside a database that this user may only read.
    pub fn leave(database: &Path, whole: &Path, suffix: &str) -> Option<Self> {
        let database = database.canonicalize().ok()?;
        let unfinished = std::path::absolute(with_suffix(whole, suffix)).ok()?;
        let path = with_suffix(&database, &format!("{NOTE}{}", std::process::id()));
        let mut file = File::create(&path).ok()?;
        file.try_lock().ok()?;
        file.write_all(unfinished.as_os_str().as_bytes()).ok()?;
        Some(Self { database, path, _lock: file })
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        _ = fs::remove_file(&self.path);
        let paths = fs::read_dir(folder(&self.database)).into_iter().flatten().filter_map(Result::ok);
        for note in paths.map(|entry| entry.path()).filter(|path| is_note(path, &self.database)) {
            _ = read_note(&note);
        }
    }
}

fn is_note(path: &Path, database: &Path) -> bool {
    let begin = with_suffix(database, NOTE);
    path.to_string_lossy().strip_prefix(&*begin.to_string_lossy()).is_some_and(is_process)
}

/// The file that the note of a dead process names. Removes the note if there is no such file.
fn read_note(note: &Path) -> Option<PathBuf> {
    let _lock = lock_unused(note)?;
    let path = PathBuf::from(OsString::from_vec(fs::read(note).ok()?));
    let name = path.to_string_lossy();
    let is_there = (name.ends_with(PARTIAL) || name.ends_with(RESTORING)) && path.is_file();
    if !is_there {
        _ = fs::remove_file(note);
    }
    is_there.then_some(path)
}

/// Finds unfinished files beside a database and in `folders`. A rebuild's folder is listed even while it is in
/// use; other files only if they are not.
pub fn find_leftovers(database: &Path, folders: &[PathBuf]) -> Vec<Leftover> {
    collect_leftovers(database, folders).into_iter().map(|(left, _)| left).collect()
}

/// Removes unfinished files that are not in use. Returns those that remain and those removed.
pub fn remove_leftovers(database: &Path, folders: &[PathBuf]) -> (Vec<Leftover>, Vec<PathBuf>) {
    let (mut left, mut removed) = (Vec::new(), Vec::new());
    // Dropping the lock ends the claim on the file.
    for (mut found, _lock) in collect_leftovers(database, folders) {
        if !found.in_use {
            match delete_with_log(&found.path) {
                Ok(()) => {
                    removed.push(found.path);
                    continue;
                }
                Err(error) => found.error = Some(error.to_string()),
            }
        }
        left.push(found);
    }
    (left, removed)
}

/// Names of the whole copies of a database beside it, made before a schema migration or a restore. Only an
/// operator deletes them.
pub fn kept_copies(database: &Path) -> Vec<String> {
    let database = database.canonicalize().unwrap_or_else(|_| database.to_owned());
    let Some(name) = database.file_name().map(|name| name.to_string_lossy().into_owned()) else {
        return Vec::new();
    };
    let entries = fs::read_dir(folder(&database)).into_iter().flatten().filter_map(Result::ok);
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let is_copy = |found: &String| {
        let behind = found.strip_prefix(&name).unwrap_or_default();
        let is_kept = behind.starts_with(BEFORE) || behind.starts_with(REPLACED);
        is_kept && !behind.ends_with(PARTIAL) && !BESIDE.iter().any(|suffix| behind.ends_with(suffix))
    };
    let mut found: Vec<String> = names.filter(is_copy).collect();
    found.sort();
    found
}

pub(crate) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn delete_with_log(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return fs::remove_dir_all(path);
    }
    BESIDE.iter().try_for_each(|suffix| remove_if_there(&with_suffix(path, suffix)))?;
    fs::remove_file(path)
}

type Found = (Leftover, Option<File>);

fn collect_leftovers(database: &Path, folders: &[PathBuf]) -> Vec<Found> {
    let database = database.canonicalize().unwrap_or_else(|_| database.to_owned());
    let mut found: Vec<Found> = rebuild_folder(&database).into_iter().collect();
    let mut folders: Vec<PathBuf> = std::iter::once(folder(&database).to_owned())
        .chain(folders.iter().filter_map(|folder| folder.canonicalize().ok()))
        .collect();
    folders.sort();
    folders.dedup();
    for folder in folders {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            // The database itself is never a leftover.
            if path == database {
                continue;
            }
            let is_note = is_note(&path, &database);
            let found_there = if is_note { read_note(&path) } else { Some(path) };
            let Some(path) = found_there else { continue };
            if (is_note || is_unfinished(&path, &database))
                && !found.iter().any(|(known, _): &Found| known.path == path)
                && let Some(lock) = lock_unused(&path)
            {
                found.push((Leftover { path, in_use: false, error: None }, Some(lock)));
            }
        }
    }
    found
}

fn rebuild_folder(database: &Path) -> Option<Found> {
    let path = with_suffix(database, REBUILD);
    if !path.is_dir() {
        return None;
    }
    let lock = OpenOptions::new().write(true).open(with_suffix(&path, REBUILD_LOCK)).ok();
    let in_use = lock.as_ref().is_some_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)));
    Some((Leftover { path, in_use, error: None }, lock))
}

/// Whether a file has a name that only unfinished files have, or a `.partial` name and rollcall's content.
fn is_unfinished(path: &Path, database: &Path) -> bool {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let (Some(name), Some(database)) = (name(path), name(database)) else { return false };
    if !path.is_file() {
        return false;
    }
    if let Some(behind) = name.strip_prefix(&database)
        && (behind == RESTORING || (behind.starts_with(BEFORE) && behind.ends_with(PARTIAL)))
    {
        return true;
    }
    if !name.ends_with(PARTIAL) {
        return false;
    }
    let head = File::open(path).and_then(read_head).unwrap_or_default();
    is_ours(&head) || EXPORTS.iter().any(|begin| head.starts_with(begin))
}

/// Removes the hard links that an interrupted restore has given to a database and its log. None of them is a copy.
pub(crate) fn remove_second_names(database: &Path) -> io::Result<()> {
    let Some(name) = database.file_name() else { return Ok(()) };
    let identity = |path: &Path| Inode::at_itself(path).ok().map(|file| file.identity);
    let files = ["", "-wal", "-journal"].map(|suffix| with_suffix(database, suffix));
    for entry in fs::read_dir(folder(database))? {
        let path = entry?.path();
        let behind = path.file_name().and_then(|known| known.as_bytes().strip_prefix(name.as_bytes()));
        let given = [REPLACED, RESTORING, PARTIAL].map(str::as_bytes);
        let is_given = behind.is_some_and(|behind| given.iter().any(|suffix| behind.starts_with(suffix)));
        if is_given && files.iter().any(|file| identity(file).is_some_and(|one| identity(&path) == Some(one)))
        {
            fs::remove_file(&path)?;
            tracing::warn!(path = %path.display(), "removed a second name of the database, left by an interrupted restore");
        }
    }
    Ok(())
}

/// The lock of a file that no process uses and that has no other name.
fn lock_unused(path: &Path) -> Option<File> {
    may_remove(path, None).ok().filter(|may| *may)?;
    let file = File::open(path).ok()?;
    file.try_lock().is_ok().then_some(file)
}
