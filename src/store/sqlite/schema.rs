//! The schema: its steps, its newest version, and which one a file has.

use std::path::Path;

use super::file_errors::OpenError;
use super::files::header::APPLICATION_ID;
use rusqlite::Connection;

/// Each schema, and the step that leads to it from the one before. Steps are only ever added.
pub(super) const STEPS: [(i64, &str); 4] = [
    (1, include_str!("migrations/0001_directory.sql")),
    (2, include_str!("migrations/0002_lists.sql")),
    (3, include_str!("migrations/0003_forget.sql")),
    (4, include_str!("migrations/0004_corrections.sql")),
];

/// The newest schema.
pub(super) fn newest_schema() -> i64 {
    STEPS[STEPS.len() - 1].0
}

/// Tables, those of Litestream aside: it may keep some in any database that it replicates.
pub(super) const TABLES: &str =
    "SELECT count(*) FROM sqlite_schema WHERE tbl_name NOT LIKE '\\_litestream\\_%' ESCAPE '\\'";

/// The schema of a file that this program knows; 0 for one that is empty. Every command and every reader that
/// opens a database asks here first.
///
/// # Errors
/// It is none of ours, a newer program wrote it, or it cannot be read.
pub(super) fn read_schema_version(conn: &Connection, path: &Path) -> Result<i64, OpenError> {
    let failed = |error: rusqlite::Error| OpenError::Store { path: path.to_owned(), error: error.into() };
    let number = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(failed);
    let (found, application) = (number("PRAGMA user_version")?, number("PRAGMA application_id")?);
    let empty = application == 0 && found == 0 && number(TABLES)? == 0;
    if application != APPLICATION_ID && !empty {
        return Err(OpenError::Foreign(path.to_owned()));
    }
    let known = newest_schema();
    if found > known {
        return Err(OpenError::Newer { path: path.to_owned(), found, known });
    }
    Ok(found)
}

/// Makes the newest schema in an empty database.
pub(super) fn create_schema(conn: &Connection) -> rusqlite::Result<()> {
    STEPS.iter().try_for_each(|(_, step)| conn.execute_batch(step))
}
