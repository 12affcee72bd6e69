//! v2: users, with `externalId`, `profile` and `metadata`.

mod answers;

use std::ops::RangeInclusive;

pub use answers::{clients, devices, user};

use super::read_only::{self, Member};
use super::validate::{self, ID, NAME, SOME, given, object, required, string};
use super::{CreateRequest, InvalidInput, UpdateRequest};
use crate::domain::Field;
use crate::domain::brand::BRAND;
use crate::domain::command::{Fields, Fixed};
use crate::smooch::json::Json;
use crate::smooch::v2::{own_field, profile_field};

/// The members of a profile, and how many characters each may have.
const PROFILE: [(&str, RangeInclusive<usize>); 5] = [
    ("givenName", 1..=NAME),
    ("surname", 1..=NAME),
    ("email", 1..=NAME),
    ("avatarUrl", 1..=2048),
    ("locale", 1..=64),
];

/// Members that no call changes, but for `externalId`.
const FIXED: [Member; 4] = [
    ("id", || Fixed::Id),
    ("identities", || read_only::field(own_field("identities"))),
    ("zendeskId", || read_only::field(own_field("zendeskId"))),
    ("authenticated", || read_only::field(own_field("authenticated"))),
];
const EXTERNAL_ID: [Member; 1] = [("externalId", || read_only::field(Field::UserId))];

/// POST `/v2/apps/{appId}/users`. `externalId` is required, as in v2's prose and its clients. It is to be unique
/// within the `brandId`; without one, among users without one.
///
/// # Errors
///
/// As for [`patch`]; `externalId` is missing, no string, or not 1 to 1,024 characters long; an `id`, `identities`, a
/// `zendeskId` or `authenticated` is given, which Smooch alone sets.
pub fn create(json: &Json<'_>) -> Result<CreateRequest, InvalidInput> {
    object(json, "the body")?;
    let user_id = validate::name("externalId", required(json, "externalId")?, ID)?;
    read_only::none_given(json, &FIXED)?;
    let mut fields = patch(json)?;
    fields.retain(|(_, value)| value.is_some());
    if !fields.iter().any(|(field, _)| *field == *BRAND) {
        fields.push((BRAND.clone(), None));
    }
    Ok(CreateRequest { user_id, fields, secured: false })
}

/// PATCH `/v2/apps/{appId}/users/{userIdOrExternalId}`: the members that v2 lists as changeable, see [`patch`], and
/// `id`, `externalId`, `identities`, `zendeskId` and `authenticated`, which v2 has as read-only or does not take.
///
/// # Errors
///
/// As for [`patch`].
pub fn change(json: &Json<'_>) -> Result<UpdateRequest, InvalidInput> {
    let repeated = read_only::repeated(json, &[EXTERNAL_ID.as_slice(), &FIXED].concat());
    Ok(UpdateRequest { fields: patch(json)?, repeated })
}

/// What a body of POST or PATCH gives a user: what is there changes, what is null is
/// cleared, the rest stays. `profile` and `metadata` alike, member by member; null for the whole of
/// one is ignored.
///
/// # Errors
///
/// A member of `profile` is no string of as many characters as v2 allows (`givenName`, `surname` and
/// `email` 1 to 128, `avatarUrl` up to 2,048, `locale` up to 64), `signedUpAt` no moment in ISO 8601,
/// `metadata` no flat object of strings, numbers and booleans, `toBeRetained` no boolean, or
/// `brandId` no string.
pub fn patch(json: &Json<'_>) -> Result<Fields, InvalidInput> {
    object(json, "the body")?;
    let mut fields = Fields::new();
    if let Some(profile) = given(json, "profile") {
        object(profile, "profile")?;
        for (key, length) in PROFILE {
            validate::take(&mut fields, profile, ("profile.", key), profile_field(key), |name, value| {
                string(name, value, length)
            })?;
        }
    }
    validate::take(&mut fields, json, ("", "signedUpAt"), Field::SignedUpAt, validate::moment)?;
    validate::take(&mut fields, json, ("", "toBeRetained"), own_field("toBeRetained"), validate::boolean)?;
    validate::take(&mut fields, json, ("", "brandId"), own_field("brandId"), |name, value| {
        validate::name(name, value, SOME)
    })?;
    validate::take_properties(&mut fields, json, ("", "metadata"))?;
    Ok(fields)
}

#[cfg(test)]
mod tests;
