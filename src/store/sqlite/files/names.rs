//! The names of files beside a database, and of unfinished files.

use std::path::{Path, PathBuf};

/// The folder of a fold of the journal, behind the name of the database.
pub const REBUILD: &str = ".rebuild";
/// The lock of whoever makes one, behind the folder's name.
pub const REBUILD_LOCK: &str = ".lock";
/// A backup or an export that is being written, behind the name that it will have.
pub const PARTIAL: &str = ".partial";
/// A backup that is being restored, behind the name of the database.
pub const RESTORING: &str = ".restoring";
/// What is kept before the schema changes, behind the name of the database and before the schema.
pub(crate) const BEFORE: &str = ".before-";
/// A database that was replaced, behind its name and before the time.
pub(crate) const REPLACED: &str = ".replaced-";
/// A note on a file that is being written in another folder, behind the name of the database.
pub(crate) const NOTE: &str = ".unfinished-";
/// Why nothing else may have such a name.
pub const UNFINISHED: &str =
    "has a name of files that rollcall has not finished, which the service deletes: choose another name";
/// What SQLite puts beside a database.
pub(crate) const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// The folder of a file.
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

/// Whether a path has the name of an unfinished file of ours. Nothing else may be written under such a name: it would go
/// with the next start or erasure.
pub fn is_unfinished_name(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_note = name.rsplit_once(NOTE).is_some_and(|(_, process)| is_process(process));
    is_note || name.ends_with(PARTIAL) || name.ends_with(RESTORING)
}

/// Whether this is how the name of a note ends.
pub(crate) fn is_process(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
