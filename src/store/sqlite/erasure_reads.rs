//! Reads rows of erasures; see [`crate::store::rows::ErasureRows`].

use rusqlite::{Connection, OptionalExtension, params};

use super::{Error, Result};
use crate::domain::{AppId, SmoochId};
use crate::store::Seq;
use crate::store::rows::{ErasureRows, ReceiptState};

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
