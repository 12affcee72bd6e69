//! The database file of the settings, read beside a running service.

use std::os::unix::fs::MetadataExt as _;

use super::Failure;
use crate::config::{Settings, StoreUrl};
use crate::store::sqlite::{self, SqliteReader};

/// Opens the file to look things up, and changes nothing of it.
///
/// # Errors
/// There is no such file, or it cannot be read.
pub(super) fn open(settings: &Settings) -> Result<SqliteReader, Failure> {
    let StoreUrl::Sqlite(path) = &settings.store.url;
    let failed = |why: String| Failure::Io(format!("{}: {why}", path.display()));
    sqlite::check_log(path).map_err(|error| Failure::Io(error.to_string()))?;
    if !path.exists() {
        return Err(failed("there is no such database (store.url of the settings)".to_owned()));
    }
    SqliteReader::open(path).map_err(|error| failed(error.to_string()))
}

/// Which file the settings lead to now: its device and inode.
///
/// # Errors
/// There is no such file, or it cannot be looked at.
pub(super) fn file(settings: &Settings) -> Result<(u64, u64), Failure> {
    let StoreUrl::Sqlite(path) = &settings.store.url;
    let found = path.metadata().map_err(|error| Failure::Io(format!("{}: {error}", path.display())))?;
    Ok((found.dev(), found.ino()))
}
