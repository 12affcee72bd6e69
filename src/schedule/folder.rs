//! The folder of scheduled backups: which of its files are valid.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::store::sqlite::{self, Output, OutputKind};

/// File name of a scheduled backup, sortable by time. No other file is ever deleted.
const NAME: &str = "rollcall-%Y-%m-%dT%H-%M-%S%.fZ.db";
/// The reason for ignoring a file name of the future.
const AHEAD: &str = "is dated in the future: a clock was ahead";

/// The contents of a folder of backups.
#[derive(Debug, Default)]
pub struct BackupFolder {
    /// The valid backups with their times, the oldest first.
    pub counted: Vec<(Timestamp, PathBuf)>,
    /// Backups dated in the future, sorted: a clock was ahead. Their real time is unknown, so none is the newest
    /// and none is deleted.
    pub ahead: Vec<PathBuf>,
    /// Incomplete backups, by a quick check, sorted, each with its fault.
    pub flawed: Vec<(PathBuf, String)>,
}

impl BackupFolder {
    /// The ignored files, each with the reason.
    pub fn doubtful(&self) -> impl Iterator<Item = (&Path, &str)> {
        let flawed = self.flawed.iter().map(|(path, what)| (path.as_path(), what.as_str()));
        self.ahead.iter().map(|path| (path.as_path(), AHEAD)).chain(flawed)
    }

    /// The time of the newest valid backup.
    pub fn newest(&self) -> Option<Timestamp> {
        self.counted.last().map(|(taken, _)| *taken)
    }
}

/// Reads a folder of backups of a database. A missing folder is empty.
///
/// # Errors
/// The folder cannot be read.
pub fn look(folder: &Path, database: &Path, now: Timestamp) -> io::Result<BackupFolder> {
    let mut kept = BackupFolder::default();
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(kept),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        let Some(taken) = path.file_name().and_then(|name| taken(name.to_str()?)) else { continue };
        if sqlite::are_one_file(&path, database) {
            continue;
        }
        if let Some(what) = sqlite::find_file_flaw(&path) {
            kept.flawed.push((path, what));
        } else if taken > now {
            kept.ahead.push(path);
        } else {
            kept.counted.push((taken, path));
        }
    }
    kept.counted.sort();
    kept.ahead.sort();
    kept.flawed.sort();
    Ok(kept)
}

/// The time in the file name of a backup.
pub fn taken(name: &str) -> Option<Timestamp> {
    let parsed = jiff::fmt::strtime::parse(NAME, name).ok()?.to_datetime().ok()?;
    Some(parsed.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
}

/// Deletes all valid backups but the newest `keep`. Files that only have the name of a backup stay.
pub(super) fn forget(folder: &Path, keep: usize, database: &Path) -> io::Result<()> {
    let mut kept = look(folder, database, Timestamp::now())?.counted;
    kept.retain(|(_, path)| Output::check(path, OutputKind::Backup, Some(database)).is_ok());
    kept.iter().take(kept.len().saturating_sub(keep)).try_for_each(|(_, path)| fs::remove_file(path))
}
