//! What is kept, as far as somebody counts it.

use rusqlite::Connection;

use super::{Result, Seq};

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    /// Bodies in quarantine, and their bytes.
    pub(super) quarantine: (u64, u64),
    /// The last journal entry that is in the base, and when it was received.
    pub(super) folded: Seq,
    pub(super) received: i64,
    /// No page of the file holds what was deleted.
    pub(super) clean: bool,
    /// The last batch whose bodies are measured, and the bytes of all up to there.
    pub(super) bodies_to: i64,
    pub(super) bodies_bytes: u64,
    /// Receipts that are open.
    pub(super) receipts: u64,
    /// Up to which batch the bodies were searched for the erased of which receipt, written down or not.
    pub(super) searched: (Seq, i64),
}

impl Kept {
    pub(super) fn read(conn: &Connection) -> Result<Self> {
        let number = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0));
        Ok(Self {
            quarantine: (
                number("SELECT count(*) FROM quarantine")? as u64,
                number("SELECT coalesce(sum(length(body)), 0) FROM quarantine")? as u64,
            ),
            folded: number("SELECT seq FROM horizon")? as Seq,
            received: number("SELECT received FROM horizon")?,
            clean: number("SELECT clean FROM horizon")? != 0,
            bodies_to: 0,
            bodies_bytes: 0,
            receipts: number("SELECT count(*) FROM receipts WHERE done IS NULL")? as u64,
            searched: (0, 0),
        })
    }

    /// The bodies of a batch take other bytes now.
    pub(super) fn resize(&mut self, first: i64, before: i64, after: i64) {
        if first <= self.bodies_to {
            self.bodies_bytes = self.bodies_bytes.saturating_add_signed(after - before);
        }
    }

    pub(super) fn let_go_of_quarantined(&mut self, bytes: u64) {
        self.quarantine.0 = self.quarantine.0.saturating_sub(1);
        self.quarantine.1 = self.quarantine.1.saturating_sub(bytes);
    }
}
