//! What an answer shows of an app user and no call changes. A body that says something else of it is refused, not
//! passed over: its sender would never learn that nothing came of it.

use super::InvalidInput;
use crate::domain::command::{Fixed, Repeated};
use crate::domain::{Field, JsonText};
use crate::smooch::extract;
use crate::smooch::json::Json;

/// Such a member: its name in a version, and what it is.
pub(super) type Member = (&'static str, fn() -> Fixed);

/// A member that is a field of its own.
pub(super) fn field(field: Field) -> Fixed {
    Fixed::Field(field)
}

/// Those that a body has.
pub(super) fn repeated(json: &Json<'_>, members: &[Member]) -> Vec<Repeated> {
    let said = members.iter().filter_map(|(name, what)| Some((*name, what(), json.get(name)?)));
    said.map(|(name, what, value)| Repeated {
        name,
        what,
        value: something(value).then(|| as_kept(value)).flatten(),
    })
    .collect()
}

/// Refuses them of somebody who is to be made: nobody says anything of them yet.
pub(super) fn none_given(json: &Json<'_>, members: &[Member]) -> Result<(), InvalidInput> {
    let given = members.iter().find(|(name, _)| json.get(name).is_some_and(something));
    given.map_or(Ok(()), |(name, _)| Err(InvalidInput(format!("{name} cannot be set by this call"))))
}

/// As a webhook's is kept: a text that no database can hold is not the same as another that is shown alike.
fn as_kept(value: &Json<'_>) -> Option<JsonText> {
    if matches!(value, Json::Garbled(_)) { extract::name_text(value) } else { extract::value(value) }
}

/// Whether a value says more than the absence of it.
fn something(value: &Json<'_>) -> bool {
    !(matches!(value, Json::Null | Json::Bool(false))
        || matches!(value, Json::Array(list) if list.is_empty()))
}
