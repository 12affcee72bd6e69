//! The records, derived from the journal. They are remade by reapplying it in the background, as after an upgrade.

use rusqlite::Connection;

use super::kind::{Tell, query_bool};
use super::schema::{is_there, recreate};
use super::{identifiers, orders};
use crate::format::record::decode;
use crate::store::sqlite::Result;

/// Whether all records are lost.
const EMPTY: &str = "SELECT NOT EXISTS (SELECT 1 FROM app_users)
    AND (EXISTS (SELECT 1 FROM journal WHERE users <> '[]') OR EXISTS (SELECT 1 FROM base))";

/// Whether derived rows lead to records that do not exist.
const LED: &str = "SELECT EXISTS (SELECT 1 FROM seen AS s WHERE NOT EXISTS (SELECT 1 FROM app_users AS a
    WHERE a.rowid = s.user AND a.app = s.app AND a.id = s.id))";

/// Rows of `app_users` per progress report.
const PIECE: i64 = 1000;

/// See [`super::Derived`]. `rollcall rebuild --verify` compares them with the journal.
pub(super) fn check(conn: &Connection, tell: Tell<'_>) -> Result<Option<String>> {
    if !is_there(conn, "app_users")? {
        return Ok(Some("the table app_users is missing".to_owned()));
    }
    if query_bool(conn, EMPTY)? {
        return Ok(Some("it is empty, and the journal is not".to_owned()));
    }
    let sql = "SELECT rowid, record FROM app_users WHERE rowid > ?1 ORDER BY rowid LIMIT ?2";
    let mut select = conn.prepare(sql)?;
    let (mut after, mut bad) = (i64::MIN, Vec::new());
    loop {
        let mut rows = select.query([after, PIECE])?;
        let mut found = 0;
        while let Some(row) = rows.next()? {
            after = row.get(0)?;
            found += 1;
            let is_read =
                row.get_ref(1).is_ok_and(|cell| cell.as_blob().is_ok_and(|blob| decode(blob).is_ok()));
            if !is_read {
                bad.push(after);
            }
        }
        tell(found)?;
        if found == 0 {
            break;
        }
    }
    Ok(match bad.as_slice() {
        [] => None,
        [row] => Some(format!("the record in row {row} of app_users cannot be read")),
        [row, ..] => {
            Some(format!("{} records cannot be read, the first in row {row} of app_users", bad.len()))
        }
    })
}

/// See [`super::Derived`].
pub(super) fn probe(conn: &Connection) -> Result<bool> {
    Ok(is_there(conn, "app_users")? && !query_bool(conn, EMPTY)?)
}

/// See [`super::Derived`]. Only requests the reapplication, as for records of older rules. If rows are lost,
/// removes what leads to them, because their numbers are given again.
pub(super) fn make(conn: &mut Connection) -> Result<()> {
    let txn = conn.transaction()?;
    let is_lost = !is_there(&txn, "app_users")?;
    if is_lost {
        recreate(&txn, "TABLE", "app_users", &[])?;
        orders::make_indexes(&txn)?;
    }
    txn.execute("UPDATE upkeep SET rules = 0", [])?;
    let leads = |conn: &Connection| -> Result<bool> { Ok(is_there(conn, "seen")? && query_bool(conn, LED)?) };
    let is_lost = is_lost || query_bool(&txn, EMPTY)? || leads(&txn)?;
    if is_lost {
        orders::make_moves(&txn)?;
        txn.execute("UPDATE upkeep SET searchable = -1", [])?;
    }
    txn.commit()?;
    if is_lost { identifiers::make(conn) } else { Ok(()) }
}
