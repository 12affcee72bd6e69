//! The media types that a request accepts, and the formats of a list of app users.

use axum::http::{HeaderMap, header};

use super::error::ApiError;

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

pub(super) const OF_PAGES: [&str; 3] = ["limit", "after", "count"];

/// Refuses, with 400, the parameters of pages in a request for everything.
pub(super) fn refuse_pages(given: &[(String, String)]) -> Result<(), ApiError> {
    match given.iter().find(|(name, _)| OF_PAGES.contains(&name.as_str())) {
        Some((name, _)) => {
            Err(ApiError::bad_request(format!("{name} is for pages, and this is all of them")))
        }
        None => Ok(()),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ExportFormat {
    /// One app user a line, as GET shows it, with its brand.
    Ndjson,
    /// A header, and one app user a row.
    Csv,
}

impl ExportFormat {
    /// True if a request to this route asks for a stream.
    pub(super) fn is_asked(route: &str, headers: &HeaderMap) -> bool {
        route.ends_with("/appusers") && Self::accepted(headers).is_some()
    }

    /// The first list format that the caller accepts. None for pages of JSON.
    pub(super) fn accepted(headers: &HeaderMap) -> Option<Self> {
        let form = accepted_types(headers).find_map(|kind| match kind.as_str() {
            "application/x-ndjson" => Some(Some(Self::Ndjson)),
            "text/csv" => Some(Some(Self::Csv)),
            "application/json" | "application/*" | "*/*" => Some(None),
            _ => None,
        });
        form.flatten()
    }
}
