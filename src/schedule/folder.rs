//! The folder of backups by the clock: which of its files count, and since when.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::store::sqlite::{self, Output, OutputKind};

/// What the file of a backup by the clock is called: the time in it sorts, and nothing else is ever deleted.
const NAME: &str = "rollcall-%Y-%m-%dT%H-%M-%S%.fZ.db";
/// What is said of a name of the future.
const AHEAD: &str = "has a name of the future: a clock was ahead";

/// What is in a folder of backups.
#[derive(Debug, Default)]
pub struct BackupFolder {
    /// The backups that count, each with when it was made, the oldest first.
    pub counted: Vec<(Timestamp, PathBuf)>,
    /// Those whose names are of the future, sorted: a clock was ahead. When they were made cannot be told, so they are
    /// never the newest, and none is deleted.
    pub ahead: Vec<PathBuf>,
    /// Those that a glance tells are not whole, sorted, each with what is wrong. They do not count either.
    pub flawed: Vec<(PathBuf, String)>,
}

impl BackupFolder {
    /// The files that do not count, each with why.
    pub fn doubtful(&self) -> impl Iterator<Item = (&Path, &str)> {
        let flawed = self.flawed.iter().map(|(path, what)| (path.as_path(), what.as_str()));
        self.ahead.iter().map(|path| (path.as_path(), AHEAD)).chain(flawed)
    }

    /// When the newest backup that counts was made.
    pub fn newest(&self) -> Option<Timestamp> {
        self.counted.last().map(|(taken, _)| *taken)
    }
}

/// Looks at a folder of backups of a database.
///
/// # Errors
/// The folder cannot be read; that it is not there is none.
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

/// When a backup of this name was made.
pub(super) fn taken(name: &str) -> Option<Timestamp> {
    let parsed = jiff::fmt::strtime::parse(NAME, name).ok()?.to_datetime().ok()?;
    Some(parsed.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
}

/// Removes all backups that count but the newest. What only has the name of one stays and is not counted.
pub(super) fn forget(folder: &Path, keep: usize, database: &Path) -> io::Result<()> {
    let mut kept = look(folder, database, Timestamp::now())?.counted;
    kept.retain(|(_, path)| Output::check(path, OutputKind::Backup, Some(database)).is_ok());
    kept.iter().take(kept.len().saturating_sub(keep)).try_for_each(|(_, path)| fs::remove_file(path))
}
