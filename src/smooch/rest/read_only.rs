//! Members that answers show and no call changes. A body with another value is refused, not ignored: its sender
//! would never notice.

use super::InvalidInput;
use crate::domain::JsonText;
use crate::domain::command::{Fixed, Repeated};
use crate::smooch::extract;
use crate::smooch::json::Json;

/// A read-only member: its name in a version, and its field.
pub(super) type Member = (&'static str, Fixed);

/// Those that a body has.
pub(super) fn repeated(json: &Json<'_>, members: impl Iterator<Item = Member>) -> Vec<Repeated> {
    let said = members.filter_map(|(name, what)| Some((name, what, json.get(name)?)));
    said.map(|(name, what, value)| Repeated {
        name,
        what,
        value: is_set(value).then(|| as_stored(value)).flatten(),
    })
    .collect()
}

/// Refuses read-only members in a body that creates an app user: it has none of them yet.
pub(super) fn none_given(
    json: &Json<'_>,
    mut members: impl Iterator<Item = Member>,
) -> Result<(), InvalidInput> {
    let given = members.find(|(name, _)| json.get(name).is_some_and(is_set));
    given.map_or(Ok(()), |(name, _)| Err(InvalidInput(format!("{name} cannot be set by this call"))))
}

/// As stored from a webhook: two texts that no database can hold differ even if they are shown alike.
fn as_stored(value: &Json<'_>) -> Option<JsonText> {
    if matches!(value, Json::Garbled(_)) { extract::name_text(value) } else { extract::value(value) }
}

/// True if the value is not equal to an absent one.
fn is_set(value: &Json<'_>) -> bool {
    !(matches!(value, Json::Null | Json::Bool(false))
        || matches!(value, Json::Array(list) if list.is_empty()))
}
