//! The stored members of a client.

use crate::smooch::json::Json;

/// The stored members of a client. A text that is not JSON has none.
pub(super) fn client_members(rest: &str) -> Json<'_> {
    // No deeper than the body it came in.
    Json::parse(rest.as_bytes(), usize::MAX).map_or(Json::Null, |document| document.value)
}
