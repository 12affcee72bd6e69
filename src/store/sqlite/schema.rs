//! The schema: its migrations, its newest version, and the version of a file.

use std::path::Path;

use super::connection::query_one;
use super::file_errors::OpenError;
use super::files::header::APPLICATION_ID;
use rusqlite::Connection;

/// Each schema version and the migration that leads to it. Migrations are only ever added.
pub(super) const STEPS: [(i64, &str); 8] = [
    (1, include_str!("migrations/0001_directory.sql")),
    (2, include_str!("migrations/0002_lists.sql")),
    (3, include_str!("migrations/0003_forget.sql")),
    (4, include_str!("migrations/0004_corrections.sql")),
    (5, include_str!("migrations/0005_sessions.sql")),
    (6, include_str!("migrations/0006_audit.sql")),
    (7, include_str!("migrations/0007_tallies.sql")),
    (8, include_str!("migrations/0008_jobs.sql")),
];

pub(super) fn newest_schema() -> i64 {
    STEPS[STEPS.len() - 1].0
}

/// Counts tables, except Litestream's: it may create some in a database that it replicates.
pub(super) const TABLES: &str =
    "SELECT count(*) FROM sqlite_schema WHERE tbl_name NOT LIKE '\\_litestream\\_%' ESCAPE '\\'";

/// The schema version of a file; 0 for an empty one. Every command and reader that opens a database calls this
/// first.
///
/// # Errors
/// The file is not rollcall's, is newer than this program, or cannot be read.
pub(super) fn read_schema_version(conn: &Connection, path: &Path) -> Result<i64, OpenError> {
    let number = |sql: &str| query_one::<i64>(conn, sql, []).map_err(OpenError::sql(path));
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

pub(super) fn create_schema(conn: &Connection) -> rusqlite::Result<()> {
    STEPS.iter().try_for_each(|(_, step)| conn.execute_batch(step))
}
