//! In which form a list of app users is answered.

use axum::http::HeaderMap;

use super::accept::accepted_types;

/// Parameters that only a list in pages has.
pub(super) const OF_PAGES: [&str; 3] = ["limit", "after", "count"];

/// The form of a stream.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ExportFormat {
    /// An app user a line, as GET shows it, with its brand.
    Ndjson,
    /// A header, and an app user a row.
    Csv,
}

impl ExportFormat {
    /// Whether a request to this route is for a stream.
    pub(super) fn is_asked(route: &str, headers: &HeaderMap) -> bool {
        route.ends_with("/appusers") && Self::accepted(headers).is_some()
    }

    /// What a caller accepts: the first of the forms that a list can have. Nothing for pages of JSON.
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
