//! Cursors of lists: a place, as text that a caller sends back. A cursor names the query that it belongs to.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::error::ApiError;

/// The hash of a query: it ties a cursor to its list.
fn fingerprint(query: &impl Serialize) -> [u8; 8] {
    // Options, texts and numbers always serialize.
    let digest = Sha256::digest(postcard::to_stdvec(query).unwrap_or_default());
    std::array::from_fn(|n| digest[n])
}

/// A place as the cursor of the API.
pub(super) fn cursor(query: &impl Serialize, place: &impl Serialize) -> String {
    URL_SAFE_NO_PAD.encode(postcard::to_extend(place, fingerprint(query).to_vec()).unwrap_or_default())
}

/// The place in a cursor. A cursor of another list is refused.
pub(super) fn place<P: DeserializeOwned>(
    query: &impl Serialize,
    name: &str,
    cursor: &str,
) -> Result<P, ApiError> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).unwrap_or_default();
    let read = bytes.split_at_checked(8).and_then(|(of, place)| match postcard::take_from_bytes(place) {
        Ok((place, [])) => Some((of, place)),
        _ => None,
    });
    match read {
        Some((of, place)) if of == fingerprint(query) => Ok(place),
        Some(_) => Err(ApiError::bad_request(format!(
            "{name} is not a cursor of this list: filters and sort must be those of the page it is from"
        ))),
        None => Err(ApiError::bad_request(format!("{name} is not a cursor of this list"))),
    }
}
