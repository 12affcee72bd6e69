//! Files that no browser shows: they may be a page, and the address is that of the console.

use axum::body::Bytes;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

use super::answers::json;

/// Answers with bytes as received, as a file of this name, which is of letters, digits, dots and hyphens.
pub(super) fn attachment(name: &str, bytes: Bytes) -> Response {
    let mut response = json(StatusCode::OK, bytes);
    let kind = HeaderValue::from_static("application/octet-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    name_file(&mut response, name);
    never_show(&mut response);
    response
}

/// Gives the file of an answer a name.
pub(super) fn name_file(response: &mut Response, name: &str) {
    let name = HeaderValue::try_from(format!("attachment; filename=\"{name}\""));
    let name = name.unwrap_or(HeaderValue::from_static("attachment"));
    response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
}

/// Has browsers save an answer, and never show it.
pub(super) fn never_show(response: &mut Response) {
    let headers = response.headers_mut();
    headers.entry(header::CONTENT_DISPOSITION).or_insert(HeaderValue::from_static("attachment"));
    for (header, value) in
        [(header::CONTENT_SECURITY_POLICY, "sandbox"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")]
    {
        headers.insert(header, HeaderValue::from_static(value));
    }
}
