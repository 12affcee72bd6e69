//! Bytes as received, as a file that no browser shows: they may be a page, and the address is that of the console.

use axum::body::Bytes;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

use super::answers::json;

/// Answers with a file of this name, which is of letters, digits, dots and hyphens.
pub(super) fn attachment(name: &str, bytes: Bytes) -> Response {
    let mut response = json(StatusCode::OK, bytes);
    let headers = response.headers_mut();
    for (header, value) in [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CONTENT_SECURITY_POLICY, "sandbox"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(header, HeaderValue::from_static(value));
    }
    let disposition = HeaderValue::try_from(format!("attachment; filename=\"{name}\""));
    headers
        .insert(header::CONTENT_DISPOSITION, disposition.unwrap_or(HeaderValue::from_static("attachment")));
    response
}
