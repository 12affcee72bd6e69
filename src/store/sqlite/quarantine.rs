//! Bodies in quarantine, as the worker's transaction keeps them and lets them go.

use rusqlite::{OptionalExtension, params};

use super::Result;
use super::txn::SqliteTxn;
use crate::store::archive::Verdicts;
use crate::store::{Batch, Seq};

impl SqliteTxn<'_> {
    pub(super) fn is_held(&self, seq: Seq) -> Result<bool> {
        let mut select = self.txn.prepare_cached("SELECT 1 FROM quarantine WHERE seq = ?1")?;
        Ok(select.exists([i64::try_from(seq).unwrap_or(i64::MAX)])?)
    }

    /// Lets go of what is released, and notes what is wrong with the others.
    fn judge(&mut self, verdicts: &Verdicts) -> Result<()> {
        for seq in &verdicts.released {
            let sql = "DELETE FROM quarantine WHERE seq = ?1 RETURNING length(body)";
            let mut release = self.txn.prepare_cached(sql)?;
            let length: Option<i64> = release.query_row([*seq as i64], |row| row.get(0)).optional()?;
            let Some(length) = length else { continue };
            self.kept.let_go_of_quarantined(length as u64);
        }
        for (seq, reason, detail) in &verdicts.kept {
            let sql = "UPDATE quarantine SET reason = ?2, detail = ?3 WHERE seq = ?1";
            let mut keep = self.txn.prepare_cached(sql)?;
            keep.execute(params![*seq as i64, reason, detail])?;
        }
        Ok(())
    }

    /// Does what was decided about the bodies that are there, keeps the newest, and gives up the oldest
    /// where there are too many: gives how many.
    pub(super) fn quarantine(&mut self, batch: &Batch) -> Result<u64> {
        self.judge(&batch.verdicts)?;
        for kept in &batch.quarantined {
            let sql = "INSERT INTO quarantine (app, received, reason, detail, headers, body)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            let mut insert = self.txn.prepare_cached(sql)?;
            let row = params![
                kept.app.as_str(),
                kept.received,
                kept.reason,
                kept.detail,
                kept.headers,
                &*kept.body
            ];
            insert.execute(row)?;
            self.kept.quarantine.0 += 1;
            self.kept.quarantine.1 += kept.body.len() as u64;
        }
        let (rows, bytes) = self.state.quarantine_bounds;
        let mut dropped = 0;
        while self.kept.quarantine.0 > 1 && (self.kept.quarantine.0 > rows || self.kept.quarantine.1 > bytes)
        {
            let sql =
                "DELETE FROM quarantine WHERE seq = (SELECT min(seq) FROM quarantine) RETURNING length(body)";
            let mut drop_oldest = self.txn.prepare_cached(sql)?;
            let length: Option<i64> = drop_oldest.query_row([], |row| row.get(0)).optional()?;
            let Some(length) = length else {
                // Somebody else has emptied it.
                self.kept.quarantine = (0, 0);
                break;
            };
            self.kept.let_go_of_quarantined(length as u64);
            dropped += 1;
        }
        Ok(dropped)
    }
}
