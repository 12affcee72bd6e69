//! Creates tables and indexes as the migrations do, to remake them.

use rusqlite::Connection;

use crate::store::sqlite::connection::query_one;
use crate::store::sqlite::{Error, Result, schema};

pub(super) fn is_there(conn: &Connection, name: &str) -> Result<bool> {
    Ok(query_one(conn, "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = ?1)", [name])?)
}

/// Creates those of these tables that are missing.
pub(super) fn create_missing(conn: &Connection, tables: &[&str]) -> Result<()> {
    for name in tables {
        if !is_there(conn, name)? {
            recreate(conn, name, &[])?;
        }
    }
    Ok(())
}

/// Creates an empty table with its indexes, or an index, in place of the existing one, even if that cannot be opened.
/// `shadows` are the tables of a virtual table.
pub(super) fn recreate(conn: &Connection, name: &str, shadows: &[&str]) -> Result<()> {
    let fresh = Connection::open_in_memory()?;
    schema::create_schema(&fresh)?;
    let sql = "SELECT type, name, sql FROM sqlite_schema
                   WHERE name = ?1 OR tbl_name = ?1 AND sql IS NOT NULL ORDER BY rowid";
    let mut select = fresh.prepare(sql)?;
    let parts = select.query_map([name], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let parts: Vec<(String, String, String)> = parts.collect::<rusqlite::Result<_>>()?;
    if parts.is_empty() {
        return Err(Error::Unavailable(format!("the schema has no {name}")));
    }
    for (kind, name, _) in &parts {
        if conn.execute_batch(&format!("DROP {kind} IF EXISTS {name}")).is_err() {
            // A virtual table without its shadow tables cannot be dropped; its row of the schema is deleted directly.
            conn.execute_batch("PRAGMA writable_schema = ON")?;
            let deleted = conn.execute("DELETE FROM sqlite_schema WHERE name = ?1", [name]);
            conn.execute_batch("PRAGMA writable_schema = RESET")?;
            deleted?;
        }
    }
    for shadow in shadows {
        conn.execute_batch(&format!("DROP TABLE IF EXISTS {shadow}"))?;
    }
    Ok(parts.iter().try_for_each(|(.., sql)| conn.execute_batch(sql))?)
}
