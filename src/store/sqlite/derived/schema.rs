//! Creates tables and indexes as the migrations do, to remake them.

use rusqlite::{Connection, OptionalExtension};

use crate::store::sqlite::{Error, Result, schema};

/// Whether a table or an index exists.
pub(super) fn is_there(conn: &Connection, name: &str) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = ?1)";
    Ok(conn.query_row(sql, [name], |row| row.get(0))?)
}

/// The statement that creates a table or an index, in the newest schema.
fn statement(name: &str) -> Result<String> {
    let fresh = Connection::open_in_memory()?;
    schema::create_schema(&fresh)?;
    let sql = "SELECT sql FROM sqlite_schema WHERE name = ?1";
    let found = fresh.query_row(sql, [name], |row| row.get(0)).optional()?;
    found.ok_or_else(|| Error::Unavailable(format!("the schema has no {name}")))
}

/// Creates an empty table or index in place of the existing one, even if that cannot be opened. `shadows` are the
/// tables of a virtual table.
pub(super) fn recreate(conn: &Connection, kind: &str, name: &str, shadows: &[&str]) -> Result<()> {
    if conn.execute_batch(&format!("DROP {kind} IF EXISTS {name}")).is_err() {
        // A virtual table without its shadow tables cannot be dropped; its row of the schema is deleted directly.
        conn.execute_batch("PRAGMA writable_schema = ON")?;
        let deleted = conn.execute("DELETE FROM sqlite_schema WHERE name = ?1", [name]);
        conn.execute_batch("PRAGMA writable_schema = RESET")?;
        deleted?;
    }
    for shadow in shadows {
        conn.execute_batch(&format!("DROP TABLE IF EXISTS {shadow}"))?;
    }
    Ok(conn.execute_batch(&statement(name)?)?)
}
