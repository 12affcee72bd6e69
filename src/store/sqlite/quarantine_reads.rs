//! Reads rows of the quarantine; see [`crate::store::rows::QuarantineRows`].

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Result;
use super::matching::select_matching;
use crate::domain::AppId;
use crate::store::rows::{QuarantineRows, QuarantinedSummary, RowFilter};
use crate::store::{Quarantined, Seq};

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

    fn quarantined_of_app(&self, app: &AppId, after: Seq, limit: usize) -> Result<Vec<(Seq, Quarantined)>> {
        let sql = format!("SELECT {BODY} FROM quarantine WHERE app = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3");
        let mut select = self.prepare_cached(&sql)?;
        let rows = select.query_map(params![app.as_str(), after as i64, limit as i64], read_body);
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
