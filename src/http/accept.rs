//! The media types that a request accepts.

use axum::http::{HeaderMap, header};

/// The media types of `Accept` in the order of the header, in lower case and without parameters.
pub(super) fn accepted_types(headers: &HeaderMap) -> impl Iterator<Item = String> {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let kinds = accepted.flat_map(|value| value.split(','));
    kinds.map(|kind| kind.split(';').next().unwrap_or("").trim().to_ascii_lowercase())
}

/// True if `wanted`, in lower case, is among the accepted media types.
pub(super) fn accepts(headers: &HeaderMap, wanted: &str) -> bool {
    accepted_types(headers).any(|kind| kind == wanted)
}
