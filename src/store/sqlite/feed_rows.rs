//! Writes the tables `changes` and `feeds`.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use super::derived::number_error;
use super::{Error, Result};
use crate::domain::{AppId, SmoochId};
use crate::store::Seq;
use crate::store::rows::StoredChange;

pub(super) fn append_changes(conn: &Connection, entry: Seq, changes: &[(AppId, StoredChange)]) -> Result<()> {
    let sql = "INSERT INTO changes (app, seq, journal, time, kind, user, surviving, fields)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let mut insert = conn.prepare_cached(sql)?;
    for (app, StoredChange { seq, time, change }) in changes {
        let (kind, surviving) = (change.kind.as_str(), change.kind.surviving().map(SmoochId::as_str));
        let (user, fields) = (change.user.as_str(), to_json(&change.fields)?);
        let row = params![app.as_str(), *seq as i64, entry as i64, time, kind, user, surviving, fields];
        insert.execute(row).map_err(number_error)?;
    }
    Ok(())
}

pub(super) fn put_last_numbers(conn: &Connection, feeds: &HashMap<AppId, u64>) -> Result<()> {
    let sql =
        "INSERT INTO feeds (app, seq) VALUES (?1, ?2) ON CONFLICT (app) DO UPDATE SET seq = excluded.seq";
    let mut upsert = conn.prepare_cached(sql)?;
    feeds.iter().try_for_each(|(app, seq)| upsert.execute(params![app.as_str(), *seq as i64]).map(drop))?;
    Ok(())
}

pub(super) fn set_fields(conn: &Connection, app: &AppId, seq: u64, fields: &[String]) -> Result<()> {
    let mut update = conn.prepare_cached("UPDATE changes SET fields = ?3 WHERE app = ?1 AND seq = ?2")?;
    update.execute(params![app.as_str(), seq as i64, to_json(fields)?])?;
    Ok(())
}

pub(super) fn delete_up_to(conn: &Connection, app: &AppId, seq: u64) -> Result<()> {
    let sql = "DELETE FROM changes WHERE app = ?1 AND seq <= ?2";
    conn.execute(sql, params![app.as_str(), seq as i64])?;
    Ok(())
}

fn to_json(fields: &[String]) -> Result<String> {
    serde_json::to_string(fields).map_err(|error| Error::Unavailable(error.to_string()))
}
