//! JSON answers made from types. JSON that is written elsewhere, such as an app user, is a raw member:
//! its digits stay as they came.

use std::collections::BTreeMap;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::smooch::json::write_array;
pub(super) use crate::smooch::json::{raw, to_json};

pub(super) fn json(status: StatusCode, text: impl Into<axum::body::Body>) -> Response {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

pub(super) fn answer(status: StatusCode, value: &impl Serialize) -> Response {
    json(status, to_json(value))
}

pub(super) fn raw_array(items: impl IntoIterator<Item = String>) -> Box<RawValue> {
    let mut out = String::new();
    write_array(items, &mut out, |item, out| out.push_str(&item));
    raw(out)
}

pub(super) fn member(name: &str, value: impl Serialize) -> String {
    to_json(&BTreeMap::from([(name, value)]))
}

pub(super) const EMPTY: &str = "{}";
