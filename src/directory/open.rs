//! Opens a database for reading.

use std::path::Path;

use super::reader::DirectoryReader;
use crate::store::sqlite::{OpenError, SqliteReader};

/// Opens a database that a store has opened before.
///
/// # Errors
/// The schema is newer or older than that of this program, the file is not a database of rollcall, or cannot be read.
pub fn open_reader(path: &Path) -> Result<DirectoryReader, OpenError> {
    Ok(DirectoryReader::new(SqliteReader::open(path)?))
}
