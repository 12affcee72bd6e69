//! A connection that reads a database, and cannot write.

use std::path::Path;

use rusqlite::Connection;

use super::connection::{connect_reader, execute};
use super::derived::DamagedTables;
use super::{Error, OpenError, Result, schema};
use crate::store::readers::StopSignal;
use crate::store::readers::StoreReader;
use crate::store::rows::Rows;

/// Pages that a reader keeps, in KiB: the upper pages of the trees of a million app users, and as many again
/// that only pass through.
pub const READER_CACHE: i64 = 32 << 10;

/// Steps of a statement between two checks of the stop signal: some tens of µs.
const STEPS: i32 = 4000;

/// A connection that reads; see [`StoreReader`].
pub struct SqliteReader {
    conn: Connection,
    damaged_tables: DamagedTables,
}

impl SqliteReader {
    /// The same, which reports damage there.
    pub fn doubting(self, damaged_tables: DamagedTables) -> Self {
        Self { damaged_tables, ..self }
    }

    /// Opens a file that a store has opened before.
    ///
    /// # Errors
    /// Its schema is newer or older than the one of this program, it is none of ours, or it cannot be read.
    pub fn open(path: &Path) -> std::result::Result<Self, OpenError> {
        Self::open_with_cache(path, READER_CACHE)
    }

    /// The same with a cache of so many KiB.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with_cache(path: &Path, cache: i64) -> std::result::Result<Self, OpenError> {
        let conn = connect_reader(path, cache).map_err(OpenError::sql(path))?;
        let (found, known) = (schema::read_schema_version(&conn, path)?, schema::newest_schema());
        match found {
            0 => Err(OpenError::Foreign(path.to_owned())),
            found if found < known => Err(OpenError::Older { path: path.to_owned(), found, known }),
            _ => Ok(Self { conn, damaged_tables: DamagedTables::default() }),
        }
    }
}

/// Refuses a database that a newer program wrote. Any other error is left to those that read the database.
///
/// # Errors
/// A newer program wrote it.
pub fn refuse_newer_schema(path: &Path) -> std::result::Result<(), OpenError> {
    match path.exists().then(|| SqliteReader::open(path)) {
        Some(Err(error @ OpenError::Newer { .. })) => Err(error),
        _ => Ok(()),
    }
}

impl StoreReader for SqliteReader {
    fn rows(&self) -> &dyn Rows {
        &self.conn
    }

    fn begin(&self) -> Result<bool> {
        let is_open = !self.conn.is_autocommit();
        if !is_open {
            // A read that is interrupted here leaves none open.
            execute(&self.conn, "BEGIN", []).inspect_err(|_| self.end())?;
        }
        Ok(!is_open)
    }

    fn end(&self) {
        // Nothing was written, so nothing is lost; the next read reports the error.
        _ = execute(&self.conn, "COMMIT", []);
        if !self.conn.is_autocommit() {
            // Prepared anew, so that it ends before SQLite checks the stop signal.
            _ = self.conn.execute_batch("ROLLBACK");
        }
    }

    fn obey(&mut self, stop: StopSignal) {
        // Without it a read ends later, between two statements.
        _ = self.conn.progress_handler(STEPS, Some(move || stop.is_raised()));
    }

    fn is_intact(&self, table: &str) -> bool {
        !self.damaged_tables.is_raised(table)
    }

    fn note_error(&self, error: &Error) {
        self.damaged_tables.note(error);
    }
}
