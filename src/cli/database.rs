//! The database file of the settings, read beside a running service.

use std::os::unix::fs::MetadataExt as _;

use super::CommandError;
use crate::config::{Settings, StoreUrl};
use crate::directory::{DirectoryReader, open_reader};
use crate::store::sqlite::{self, CopyError, OpenError};

/// Opens the file for reading.
/// Fails if there is none, or if its schema is newer or older than this program's.
pub(super) fn open(settings: &Settings) -> Result<DirectoryReader, OpenError> {
    let StoreUrl::Sqlite(path) = &settings.store.url;
    sqlite::check_log(path)?;
    sqlite::check_replaced(path)?;
    if !path.exists() {
        return Err(OpenError::Missing(path.clone()));
    }
    open_reader(path)
}

/// Refuses a file of a newer program, for commands that use the service rather than the file.
pub(super) fn refuse_newer(settings: &Settings) -> Result<(), OpenError> {
    let StoreUrl::Sqlite(path) = &settings.store.url;
    sqlite::refuse_newer_schema(path)
}

/// Adds the remedy to the error of a damaged database.
pub(super) fn with_remedy(error: CopyError) -> CopyError {
    let CopyError::Damaged(path, what) = error else { return error };
    let remedy = "restore a backup with `rollcall restore --replace BACKUP`, see \"Damaged database\" in \
                  docs/operations.md";
    CopyError::Damaged(path, format!("{what}; {remedy}"))
}

/// The device and inode of the file.
pub(super) fn file(settings: &Settings) -> Result<(u64, u64), CommandError> {
    let StoreUrl::Sqlite(path) = &settings.store.url;
    let found = path.metadata().map_err(|error| CommandError::Io(format!("{}: {error}", path.display())))?;
    Ok((found.dev(), found.ino()))
}

pub(super) fn refused_name(settings: &Settings) -> Option<&'static str> {
    let StoreUrl::Sqlite(path) = &settings.store.url;
    sqlite::is_unfinished_name(path).then_some(sqlite::UNFINISHED)
}
