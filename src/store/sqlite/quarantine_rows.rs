//! The table `quarantine`.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Result;
use super::matching::select_matching;
use crate::domain::AppId;
use crate::store::rows::{QuarantineRows, QuarantinedSummary, RowFilter};
use crate::store::{JournalState, Quarantined, Seq};

/// The columns that [`read_body`] reads.
const BODY: &str = "seq, app, received, reason, detail, headers, body";

impl QuarantineRows for Connection {
    fn quarantined_matching(&self, filter: &RowFilter, limit: usize) -> Result<Vec<QuarantinedSummary>> {
        let columns = "seq, app, received, reason, detail, length(body)";
        select_matching(self, columns, "quarantine", "reason", filter, limit, |row| {
            Ok(QuarantinedSummary {
                seq: row.get::<_, i64>(0)? as Seq,
                app: row.get_ref(1)?.as_str()?.into(),
                received: row.get(2)?,
                reason: row.get(3)?,
                detail: row.get(4)?,
                bytes: row.get::<_, i64>(5)? as u64,
            })
        })
    }

    fn quarantined(&self, seq: Seq) -> Result<Option<Quarantined>> {
        let sql = format!("SELECT {BODY} FROM quarantine WHERE seq = ?1");
        let found = self.query_row(&sql, [i64::try_from(seq).unwrap_or(i64::MAX)], read_body);
        Ok(found.optional()?.map(|(_, found)| found))
    }

    fn quarantined_after(
        &self,
        app: Option<&AppId>,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<(Seq, Quarantined)>> {
        let sql = format!(
            "SELECT {BODY} FROM quarantine WHERE app = coalesce(?1, app) AND seq > ?2 ORDER BY seq LIMIT ?3"
        );
        let mut select = self.prepare_cached(&sql)?;
        let rows = select.query_map(params![app.map(AppId::as_str), after as i64, limit as i64], read_body);
        Ok(rows?.collect::<rusqlite::Result<_>>()?)
    }

    fn count_quarantined(&self) -> Result<u64> {
        let count: i64 = self.query_row("SELECT count(*) FROM quarantine", [], |row| row.get(0))?;
        Ok(count as u64)
    }

    fn count_quarantined_bytes(&self) -> Result<u64> {
        let sql = "SELECT coalesce(sum(length(body)), 0) FROM quarantine";
        let bytes: i64 = self.query_row(sql, [], |row| row.get(0))?;
        Ok(bytes as u64)
    }
}

fn read_body(row: &Row<'_>) -> rusqlite::Result<(Seq, Quarantined)> {
    let body = Quarantined {
        app: row.get_ref(1)?.as_str()?.into(),
        received: row.get(2)?,
        reason: row.get(3)?,
        detail: row.get(4)?,
        headers: row.get(5)?,
        body: Bytes::from(row.get::<_, Vec<u8>>(6)?),
    };
    Ok((row.get::<_, i64>(0)? as Seq, body))
}

pub(super) fn add(conn: &Connection, body: &Quarantined, state: &mut JournalState) -> Result<()> {
    let sql = "INSERT INTO quarantine (app, received, reason, detail, headers, body)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let Quarantined { app, received, reason, detail, headers, body } = body;
    let mut insert = conn.prepare_cached(sql)?;
    insert.execute(params![app.as_str(), received, reason, detail, headers, &**body])?;
    state.quarantined += 1;
    state.quarantined_bytes += body.len() as u64;
    Ok(())
}

pub(super) fn set_reason(conn: &Connection, seq: Seq, reason: &str, detail: &str) -> Result<()> {
    let mut update = conn.prepare_cached("UPDATE quarantine SET reason = ?2, detail = ?3 WHERE seq = ?1")?;
    update.execute(params![seq as i64, reason, detail])?;
    Ok(())
}

pub(super) fn set_body(conn: &Connection, seq: Seq, body: &[u8], state: &mut JournalState) -> Result<()> {
    let before = size(conn, seq)?;
    let mut update = conn.prepare_cached("UPDATE quarantine SET body = ?2 WHERE seq = ?1")?;
    if update.execute(params![seq as i64, body])? > 0 {
        let bytes = state.quarantined_bytes + body.len() as u64;
        state.quarantined_bytes = bytes.saturating_sub(before.unwrap_or(0));
    }
    Ok(())
}

pub(super) fn delete(conn: &Connection, seqs: &[Seq], state: &mut JournalState) -> Result<()> {
    let mut delete = conn.prepare_cached("DELETE FROM quarantine WHERE seq = ?1 RETURNING length(body)")?;
    for seq in seqs {
        let length: Option<i64> = delete.query_row([*seq as i64], |row| row.get(0)).optional()?;
        let Some(length) = length else { continue };
        state.quarantined = state.quarantined.saturating_sub(1);
        state.quarantined_bytes = state.quarantined_bytes.saturating_sub(length as u64);
    }
    Ok(())
}

pub(super) fn recount(conn: &Connection, state: &mut JournalState) -> Result<()> {
    (state.quarantined, state.quarantined_bytes) = count(conn)?;
    Ok(())
}

/// The bodies, and their bytes.
pub(super) fn count(conn: &Connection) -> Result<(u64, u64)> {
    let sql = "SELECT count(*), coalesce(sum(length(body)), 0) FROM quarantine";
    let count =
        conn.query_row(sql, [], |row| Ok((row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64)));
    Ok(count?)
}

/// The bytes of a body.
pub(super) fn size(conn: &Connection, seq: Seq) -> Result<Option<u64>> {
    let mut select = conn.prepare_cached("SELECT length(body) FROM quarantine WHERE seq = ?1")?;
    let size = select.query_row([i64::try_from(seq).unwrap_or(i64::MAX)], |row| row.get::<_, i64>(0));
    Ok(size.optional()?.map(|bytes| bytes as u64))
}
