//! Writes the table `identifiers`.

use rusqlite::{Connection, params};

use super::Result;
use super::derived::derived_error;
use crate::store::IdentifierRow;

pub(super) fn put(conn: &Connection, rows: &[IdentifierRow<'_>]) -> Result<()> {
    run(conn, "INSERT OR IGNORE INTO identifiers (app, kind, value, id) VALUES (?1, ?2, ?3, ?4)", rows)
}

pub(super) fn delete(conn: &Connection, rows: &[IdentifierRow<'_>]) -> Result<()> {
    run(conn, "DELETE FROM identifiers WHERE app = ?1 AND kind = ?2 AND value = ?3 AND id = ?4", rows)
}

fn run(conn: &Connection, sql: &str, rows: &[IdentifierRow<'_>]) -> Result<()> {
    let mut statement = conn.prepare_cached(sql).map_err(derived_error("identifiers"))?;
    for IdentifierRow { app, kind, value, id } in rows {
        let row = params![app.as_str(), kind.as_str(), value, id.as_str()];
        statement.execute(row).map_err(derived_error("identifiers"))?;
    }
    Ok(())
}
