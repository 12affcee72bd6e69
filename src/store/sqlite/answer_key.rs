//! The key that hides the `Idempotency-Key`s of stored answers.

use hmac::{Hmac, KeyInit as _, Mac as _};
use rusqlite::Connection;
use sha2::Sha256;

use super::Result;

/// What the keys of this database are hashed with.
#[derive(Clone)]
pub(super) struct AnswerKey(pub(super) [u8; 32]);

impl AnswerKey {
    pub(super) fn read(conn: &Connection) -> Result<Self> {
        Ok(conn.query_row("SELECT key FROM answer_key", [], |row| row.get(0)).map(Self)?)
    }

    /// The key itself.
    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// How an `Idempotency-Key` is stored, and what covers the hash of its request.
    pub(super) fn hide(&self, key: &str) -> (String, [u8; 32]) {
        // A key of any length is taken.
        let hash = |purpose: u8| -> [u8; 32] {
            let Ok(mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return [0; 32] };
            mac.chain_update([purpose]).chain_update(key).finalize().into_bytes().into()
        };
        (hash(1).iter().map(|byte| format!("{byte:02x}")).collect(), hash(2))
    }
}
