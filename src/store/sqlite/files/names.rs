//! Names of the files beside a database, and of unfinished files.

use std::path::{Path, PathBuf};

/// Suffix of the folder in which `rollcall rebuild` replays the journal.
pub const REBUILD: &str = ".rebuild";
/// Suffix of the lock file of that folder.
pub const REBUILD_LOCK: &str = ".lock";
/// Suffix of a backup or an export that is being written.
pub const PARTIAL: &str = ".partial";
/// Suffix of a database that is being restored.
pub const RESTORING: &str = ".restoring";
/// Infix, before the schema's number, of the copy that is made before a migration.
pub(crate) const BEFORE: &str = ".before-";
/// Infix, before the time, of a database that a restore has replaced.
pub(crate) const REPLACED: &str = ".replaced-";
/// Infix, before the process id, of a note about an unfinished file in another folder.
pub(crate) const NOTE: &str = ".unfinished-";
/// Why an output may not have such a name.
pub const UNFINISHED: &str =
    "has the name of an unfinished file, which the service would delete: choose another name";
/// Suffixes of the files that SQLite puts beside a database.
pub(crate) const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Suffixes of the logs that may hold the latest pages of a database.
pub(crate) const LOGS: [&str; 2] = ["-wal", "-journal"];

pub(crate) fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

pub(crate) fn verify_marker_path(path: &Path) -> PathBuf {
    with_suffix(path, ".verify")
}

/// Whether a path has the name of an unfinished file. Outputs with such a name are refused: the next start or
/// erasure would delete them.
pub fn is_unfinished_name(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_note = name.rsplit_once(NOTE).is_some_and(|(_, process)| is_process(process));
    is_note || name.ends_with(PARTIAL) || name.ends_with(RESTORING)
}

/// Whether this is a process id, which ends the name of a note.
pub(crate) fn is_process(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
