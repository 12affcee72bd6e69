//! Random texts, and the fingerprints by which secrets are known.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// A SHA-256 over the key of the service and a text. With another key nothing is recognised any more.
pub(super) type Fingerprint = [u8; 32];

/// 32 random bytes as 43 characters that fit into addresses and headers.
pub(super) fn random_text() -> String {
    let mut random = [0; 32];
    getrandom::fill(&mut random).expect("the system gives random bytes");
    URL_SAFE_NO_PAD.encode(random)
}

/// The fingerprint of a text; `kind` separates the uses.
pub(super) fn fingerprint(key: &str, kind: &str, text: &str) -> Fingerprint {
    let mut hash = Sha256::new();
    for part in [key, kind, text] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}
