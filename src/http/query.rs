//! The values of query parameters.

use axum::http::Uri;

use super::error::ApiError;

/// The query of an address. 400 if it is not form-encoded UTF-8.
pub(super) fn read(uri: &Uri) -> Result<Vec<(String, String)>, ApiError> {
    serde_urlencoded::from_str(uri.query().unwrap_or(""))
        .map_err(|_| ApiError::bad_request("The query is not form-encoded UTF-8"))
}

pub(super) fn value<'q>(query: &'q [(String, String)], name: &str) -> Option<&'q str> {
    query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

pub(super) fn boolean(name: &str, value: &str) -> Result<bool, ApiError> {
    value.parse().map_err(|_| ApiError::bad_request(format!("{name} must be true or false")))
}

/// A text that is not empty.
pub(super) fn text(name: &str, value: &str) -> Result<String, ApiError> {
    if value.is_empty() {
        return Err(ApiError::bad_request(format!("{name} must not be empty")));
    }
    Ok(value.to_owned())
}

/// The size of a page, up to `most`.
pub(super) fn limit(name: &str, value: &str, most: usize) -> Result<usize, ApiError> {
    let limit = value.parse().ok().filter(|limit| (1..=most).contains(limit));
    limit.ok_or_else(|| ApiError::bad_request(format!("{name} must be from 1 to {most}")))
}
