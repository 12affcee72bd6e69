//! Hides the `Idempotency-Key`s of stored answers. A caller may put anything into such a key, so it is not stored.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Hides keys with the secret of a database.
#[derive(Clone, Copy, Debug)]
pub struct AnswerKey(pub [u8; 32]);

impl AnswerKey {
    /// How an `Idempotency-Key` is stored: as its HMAC. Beside it, the bytes that [`cover`] the hash of its request, so
    /// that the stored hash is of no use without the key.
    pub fn hide(&self, key: &str) -> (String, [u8; 32]) {
        // HMAC takes a key of any length.
        let hash = |purpose: u8| -> [u8; 32] {
            let Ok(mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return [0; 32] };
            mac.chain_update([purpose]).chain_update(key).finalize().into_bytes().into()
        };
        (hash(1).iter().map(|byte| format!("{byte:02x}")).collect(), hash(2))
    }
}

/// Covers the hash of a request, or uncovers it.
pub fn cover(mut fingerprint: [u8; 32], with: [u8; 32]) -> [u8; 32] {
    fingerprint.iter_mut().zip(with).for_each(|(byte, with)| *byte ^= with);
    fingerprint
}
