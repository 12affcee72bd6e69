//! JSON answers made from types.

use serde::Serialize;

/// The JSON text of a value. Values are structs, strings, numbers and raw JSON: they can always be written.
pub(super) fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
