//! The records, derived from the journal. They are remade by reapplying it in the background, as after an upgrade.

use rusqlite::Connection;

use super::kind::{REPORT_ROWS, Tell};
use super::schema::{create_missing, is_there};
use super::{identifiers, orders};
use crate::format::record::decode;
use crate::store::sqlite::Result;
use crate::store::sqlite::connection::query_one;

const EMPTY: &str = "SELECT NOT EXISTS (SELECT 1 FROM app_users)
    AND (EXISTS (SELECT 1 FROM journal WHERE users <> '[]') OR EXISTS (SELECT 1 FROM base))";

/// Whether derived rows lead to records that do not exist.
const LED: &str = "SELECT EXISTS (SELECT 1 FROM seen AS s WHERE NOT EXISTS (SELECT 1 FROM app_users AS a
    WHERE a.rowid = s.user AND a.app = s.app AND a.id = s.id))";

/// `rollcall rebuild --verify` compares them with the journal.
pub(super) fn check(conn: &Connection, tell: Tell<'_>) -> Result<Option<String>> {
    if query_one(conn, EMPTY, [])? {
        return Ok(Some("it is empty, and the journal is not".to_owned()));
    }
    let mut select = conn.prepare("SELECT rowid, record FROM app_users ORDER BY rowid")?;
    let (mut rows, mut bad) = (select.query([])?, Vec::new());
    for n in 1_u64.. {
        let Some(row) = rows.next()? else { break };
        let record = row.get_ref(1).ok().and_then(|cell| cell.as_blob().ok());
        if record.is_none_or(|record| decode(record).is_err()) {
            bad.push(row.get::<_, i64>(0)?);
        }
        if n.is_multiple_of(REPORT_ROWS) {
            tell(REPORT_ROWS)?;
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

pub(super) fn probe(conn: &Connection) -> Result<bool> {
    Ok(!query_one::<bool>(conn, EMPTY, [])?)
}

/// Only requests the reapplication, as for records of older rules. If rows are lost,
/// removes what leads to them, because their numbers are given again.
pub(super) fn make(conn: &mut Connection) -> Result<()> {
    let txn = conn.transaction()?;
    let was_there = is_there(&txn, "app_users")?;
    create_missing(&txn, &["app_users"])?;
    txn.execute("UPDATE upkeep SET rules = 0", [])?;
    let is = |sql: &str| query_one::<bool>(&txn, sql, []);
    let is_lost = !was_there || is(EMPTY)? || is_there(&txn, "seen")? && is(LED)?;
    if is_lost {
        orders::make_moves(&txn)?;
        txn.execute("UPDATE upkeep SET searchable = -1", [])?;
    }
    txn.commit()?;
    if is_lost { identifiers::make(conn) } else { Ok(()) }
}
