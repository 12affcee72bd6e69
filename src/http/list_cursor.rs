//! Cursors of lists: a place, as text that a caller sends back. A cursor names the list that it belongs to: what is listed,
//! of which app, by which query.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::accept::OF_PAGES;
use super::error::ApiError;

/// A list of operators: what it lists, and its parameters but those of pages, in any order.
pub(super) type OperatorList = (&'static str, BTreeSet<(String, String)>);

/// The list that a request of an operator asks for.
pub(super) fn list_of(what: &'static str, query: &[(String, String)]) -> OperatorList {
    (what, query.iter().filter(|(name, _)| !OF_PAGES.contains(&name.as_str())).cloned().collect())
}

/// The hash of what makes a list: it ties a cursor to it.
fn fingerprint(list: &impl Serialize) -> [u8; 8] {
    // Options, texts and numbers always serialize.
    let digest = Sha256::digest(postcard::to_stdvec(list).unwrap_or_default());
    std::array::from_fn(|n| digest[n])
}

/// A place as the cursor of the API.
pub(super) fn cursor(list: &impl Serialize, place: &impl Serialize) -> String {
    URL_SAFE_NO_PAD.encode(postcard::to_extend(place, fingerprint(list).to_vec()).unwrap_or_default())
}

/// The place in a cursor. A cursor of another list is refused.
pub(super) fn place<P: DeserializeOwned>(
    list: &impl Serialize,
    name: &str,
    cursor: &str,
) -> Result<P, ApiError> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).unwrap_or_default();
    let read = bytes.split_at_checked(8).and_then(|(of, place)| match postcard::take_from_bytes(place) {
        Ok((place, [])) => Some((of, place)),
        _ => None,
    });
    match read {
        Some((of, place)) if of == fingerprint(list) => Ok(place),
        Some(_) => Err(ApiError::bad_request(format!(
            "{name} is not a cursor of this list: app, filters and sort must be those of the page it is from"
        ))),
        None => Err(ApiError::bad_request(format!("{name} is not a cursor of this list"))),
    }
}
