//! Rules for values of requests, the same in both versions.

use std::ops::RangeInclusive;

use super::InvalidInput;
use crate::domain::command::{Fields, Fixed, Repeated};
use crate::domain::{Field, FieldSpec, Input, JsonText, NAME_BYTES, is_longer, timestamp};
use crate::smooch::extract;
use crate::smooch::json::Json;

/// The length of a `userId` or `externalId` in characters; v2's bounds.
const ID: RangeInclusive<usize> = 1..=1024;

/// The length of a string that must not be empty.
pub(super) const SOME: RangeInclusive<usize> = 1..=usize::MAX;

/// The length of a string that may be empty.
pub(super) const ANY: RangeInclusive<usize> = 0..=usize::MAX;

/// Refuses values other than objects.
pub(super) fn object(json: &Json<'_>, name: &str) -> Result<(), InvalidInput> {
    if matches!(json, Json::Object(_)) {
        Ok(())
    } else {
        Err(InvalidInput(format!("{name} must be an object")))
    }
}

pub(super) fn required<'j, 'a>(json: &'j Json<'a>, key: &str) -> Result<&'j Json<'a>, InvalidInput> {
    // The wording of Smooch's own service.
    given(json, key).ok_or_else(|| InvalidInput(format!("should have required property '{key}'")))
}

/// A member that is there and not null.
pub(super) fn given<'j, 'a>(json: &'j Json<'a>, key: &str) -> Option<&'j Json<'a>> {
    json.get(key).filter(|value| **value != Json::Null)
}

/// A string with a length in this range, in characters, as JSON text.
pub(super) fn string(
    name: &str,
    value: &Json<'_>,
    length: RangeInclusive<usize>,
) -> Result<JsonText, InvalidInput> {
    let fits = value.str().is_some_and(|text| length.contains(&text.chars().count()));
    if fits {
        return Ok(text(value));
    }
    Err(InvalidInput(match (*length.start(), *length.end()) {
        (0, usize::MAX) => format!("{name} must be a string"),
        (_, usize::MAX) => format!("{name} must be a string that is not empty"),
        (0, most) => format!("{name} must be a string of at most {most} characters"),
        (least, most) => format!("{name} must be a string of {least} to {most} characters"),
    }))
}

/// An identifier with a length in this range, as JSON text. One that no database can store is refused: its
/// replacement might be another identifier.
pub(super) fn name(
    name: &str,
    value: &Json<'_>,
    length: RangeInclusive<usize>,
) -> Result<JsonText, InvalidInput> {
    match value {
        Json::Garbled(_) => {
            Err(InvalidInput(format!("{name} must have no NUL and no half of a surrogate pair in it")))
        }
        _ => string(name, value, length),
    }
}

/// A `userId`, an `externalId` or the id of a device, as JSON text: a name of 1 to 1,024 characters, and of no more
/// bytes.
pub(super) fn identifier(key: &str, value: &Json<'_>) -> Result<JsonText, InvalidInput> {
    let text = name(key, value, ID)?;
    if is_longer(&text, NAME_BYTES) {
        return Err(InvalidInput(format!("{key} must have at most {NAME_BYTES} bytes")));
    }
    Ok(text)
}

/// `true` or `false`, as JSON text.
pub(super) fn boolean(name: &str, value: &Json<'_>) -> Result<JsonText, InvalidInput> {
    match value {
        Json::Bool(_) => Ok(text(value)),
        _ => Err(InvalidInput(format!("{name} must be true or false"))),
    }
}

/// A time in ISO 8601 with `Z` or an offset, as JSON text in UTC with three digits after the second.
pub(super) fn moment(name: &str, value: &Json<'_>) -> Result<JsonText, InvalidInput> {
    let moment = value.str().and_then(timestamp::parse_rfc3339_ms);
    let moment = moment.ok_or_else(|| {
        InvalidInput(format!("{name} must be an ISO 8601 date and time in UTC or with an offset"))
    })?;
    Ok(timestamp::json_from_ms(moment))
}

/// A string, a number or a boolean, as JSON text: a value of properties or `info`.
pub(super) fn scalar(name: &str, value: &Json<'_>) -> Result<JsonText, InvalidInput> {
    match value {
        Json::String(_) | Json::Garbled(_) | Json::Number(_) | Json::Bool(_) => Ok(text(value)),
        _ => Err(InvalidInput(format!("{name} must be a string, a number or a boolean"))),
    }
}

/// Takes the member `key` as `field`, if present; null clears. `at` is the path of the object.
pub(super) fn take(
    fields: &mut Fields,
    json: &Json<'_>,
    (at, key): (&str, &str),
    field: Field,
    rule: impl FnOnce(&str, &Json<'_>) -> Result<JsonText, InvalidInput>,
) -> Result<(), InvalidInput> {
    if let Some(value) = json.get(key) {
        let value = if *value == Json::Null { None } else { Some(rule(&format!("{at}{key}"), value)?) };
        fields.push((field, value));
    }
    Ok(())
}

/// Takes the member `key` as a field of the table, if a call may set that. A text has at least `least` characters.
pub(super) fn take_field(
    fields: &mut Fields,
    json: &Json<'_>,
    at: (&str, &str),
    spec: &FieldSpec,
    least: usize,
) -> Result<(), InvalidInput> {
    if matches!(spec.input, Input::ReadOnly | Input::Ignored) {
        return Ok(());
    }
    take(fields, json, at, spec.field.clone(), |key, value| match spec.input {
        Input::Text(most) => string(key, value, least..=most),
        Input::Identifier => name(key, value, SOME),
        Input::DateTime => moment(key, value),
        Input::Boolean => boolean(key, value),
        Input::ReadOnly | Input::Ignored => Err(InvalidInput(format!("{key} cannot be set by this call"))),
    })
}

/// Takes `properties` or `metadata`, key by key; the null of a key clears it, a null for all of them
/// is ignored.
pub(super) fn take_properties(
    fields: &mut Fields,
    json: &Json<'_>,
    (at, key): (&str, &str),
) -> Result<(), InvalidInput> {
    let Some(properties) = given(json, key) else { return Ok(()) };
    let name = format!("{at}{key}");
    object(properties, &name)?;
    let Json::Object(members) = properties else { return Ok(()) };
    let at = format!("{name}.");
    members.iter().try_for_each(|(key, _)| {
        take(fields, properties, (&at, key), Field::Property((&**key).into()), scalar)
    })
}

fn text(value: &Json<'_>) -> JsonText {
    extract::value(value).unwrap_or_else(|| "null".into())
}

/// A member that answers show and no call changes: its name in a version, and its field. A body with another value is
/// refused, not ignored: its sender would never notice.
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
