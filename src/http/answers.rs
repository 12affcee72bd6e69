//! JSON answers made from types. JSON that is written elsewhere, such as an app user, is a raw member:
//! its digits stay as they came.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use serde_json::value::RawValue;

use super::error::json;
pub(super) use crate::smooch::json::raw;

/// The JSON text of a value. Structs, strings, numbers and raw JSON always serialize.
pub(super) fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// An answer with a value as its body.
pub(super) fn answer(status: StatusCode, value: &impl Serialize) -> Response {
    json(status, text(value))
}

/// JSON texts as an array.
pub(super) fn raw_array(items: impl IntoIterator<Item = String>) -> Box<RawValue> {
    let items: Vec<String> = items.into_iter().collect();
    raw(format!("[{}]", items.join(",")))
}

/// An object without members.
#[derive(Serialize)]
pub(super) struct EmptyAnswer {}
