//! The tables `erasures` (tombstones) and `receipts`.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{Error, Result};
use crate::domain::{AppId, RecordKey, SmoochId};
use crate::store::Seq;
use crate::store::maintenance_rows::{ReceiptRows, StoredReceipt};
use crate::store::rows::{ErasureRows, ReceiptState};

const RECEIPT: &str = "seq, app, time, done, counts, work";

fn stored_receipt(row: &Row<'_>) -> rusqlite::Result<StoredReceipt> {
    let (seq, app) = (row.get::<_, i64>(0)? as Seq, row.get_ref(1)?.as_str()?.into());
    let (time, done, counts, work) = (row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?);
    Ok(StoredReceipt { seq, app, time, done, counts, work })
}

impl ReceiptRows for Connection {
    fn next_open_receipt(&self) -> Result<Option<StoredReceipt>> {
        let sql = format!(
            "SELECT {RECEIPT} FROM receipts WHERE done IS NULL
                 ORDER BY CASE WHEN json_valid(work) THEN json_type(work, '$.stage.Journal') IS NULL END,
                          CASE WHEN json_valid(work) THEN work ->> '$.stage' = 'Sweep' END, seq
                 LIMIT 1"
        );
        Ok(self.query_row(&sql, [], stored_receipt).optional()?)
    }

    fn open_receipts_after(&self, app: &AppId, after: Seq) -> Result<Vec<StoredReceipt>> {
        let sql = format!("SELECT {RECEIPT} FROM receipts WHERE done IS NULL AND app = ?1 AND seq > ?2");
        let mut select = self.prepare_cached(&sql)?;
        let rows = select.query_map(params![app.as_str(), after as i64], stored_receipt);
        Ok(rows?.collect::<rusqlite::Result<_>>()?)
    }

    fn have_tombstones(&self, keys: &[RecordKey]) -> Result<Vec<bool>> {
        let mut select = self.prepare_cached("SELECT 1 FROM erasures WHERE app = ?1 AND id = ?2")?;
        keys.iter().map(|(app, id)| Ok(select.exists(params![app.as_str(), id.as_str()])?)).collect()
    }

    fn tombstones_after(&self, after: Option<&RecordKey>, limit: usize) -> Result<Vec<RecordKey>> {
        let sql = "SELECT app, id FROM erasures WHERE (app, id) > (?1, ?2) ORDER BY app, id LIMIT ?3";
        let mut select = self.prepare_cached(sql)?;
        let (app, id) = after.map_or(("", ""), |(app, id)| (app.as_str(), id.as_str()));
        let keys = select.query_map(params![app, id, limit as i64], |row| {
            Ok((AppId::from(row.get_ref(0)?.as_str()?), SmoochId::from(row.get_ref(1)?.as_str()?)))
        });
        Ok(keys?.collect::<rusqlite::Result<_>>()?)
    }
}

impl ErasureRows for Connection {
    fn erasure_receipt(&self, app: &AppId, id: &SmoochId) -> Result<Option<ReceiptState>> {
        let sql =
            "SELECT r.seq, r.time, r.done, r.counts FROM erasures e JOIN receipts r ON r.seq = e.receipt
                       WHERE e.app = ?1 AND e.id = ?2";
        let mut select = self.prepare_cached(sql)?;
        let found = select.query_row(params![app.as_str(), id.as_str()], |row| {
            Ok((row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?, row.get::<_, String>(3)?))
        });
        let Some((seq, time, done, counts)) = found.optional()? else { return Ok(None) };
        let lost = |error| Error::Derived { name: "receipts", why: format!("one cannot be read: {error}") };
        let counts = serde_json::from_str(&counts).map_err(lost)?;
        Ok(Some(ReceiptState { seq: seq as Seq, time, done, counts }))
    }

    fn ids_of_receipt(&self, app: &AppId, receipt: Seq) -> Result<Vec<SmoochId>> {
        let sql = "SELECT id FROM erasures WHERE app = ?1 AND receipt = ?2 ORDER BY id";
        let mut select = self.prepare_cached(sql)?;
        let ids = select.query_map(params![app.as_str(), receipt as i64], |row| {
            Ok(SmoochId::from(row.get_ref(0)?.as_str()?))
        });
        Ok(ids?.collect::<rusqlite::Result<_>>()?)
    }
}

pub(super) fn put_tombstone(conn: &Connection, (app, id): &RecordKey, receipt: Seq) -> Result<()> {
    let sql = "INSERT OR IGNORE INTO erasures (app, id, receipt) VALUES (?1, ?2, ?3)";
    conn.prepare_cached(sql)?.execute(params![app.as_str(), id.as_str(), receipt as i64])?;
    Ok(())
}

pub(super) fn put_receipt(conn: &Connection, receipt: &StoredReceipt) -> Result<()> {
    let sql = "INSERT INTO receipts (seq, app, time, done, counts, work) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
               ON CONFLICT (seq) DO UPDATE SET done = excluded.done, counts = excluded.counts, work = excluded.work";
    let StoredReceipt { seq, app, time, done, counts, work } = receipt;
    let mut upsert = conn.prepare_cached(sql)?;
    upsert.execute(params![*seq as i64, app.as_str(), time, done, counts, work])?;
    Ok(())
}
