//! v2: users, with `externalId`, `profile` and `metadata`.

mod answers;

pub use answers::{clients, devices, user};

use super::read_only::{self, Member};
use super::validate::{self, given, object, required};
use super::{CreateRequest, InvalidInput, UpdateRequest};
use crate::domain::command::{Fields, Fixed};
use crate::domain::{FIELDS, Field, Input, V2Path};
use crate::smooch::json::Json;

/// The members of a user that no call changes, but for the `externalId`.
fn read_only_members() -> impl Iterator<Item = Member> {
    let fields = FIELDS.iter().filter(|spec| spec.input == Input::ReadOnly && spec.field != Field::UserId);
    let members = fields.filter_map(|spec| match spec.v2? {
        V2Path::User(name) => Some((name, Fixed::Field(spec.field.clone()))),
        V2Path::Profile(_) => None,
    });
    std::iter::once(("id", Fixed::Id)).chain(members)
}

/// Parses POST `/v2/apps/{appId}/users`. `externalId` is required, as in v2's prose and its clients. It must be
/// unique within the `brandId`; without one, among users without a brand.
///
/// # Errors
///
/// As for [`patch`]; `externalId` is missing, not a string, or not 1 to 1,024 characters long; an `id`, `identities`,
/// a `zendeskId` or `authenticated` is given, which Smooch alone sets.
pub fn create(json: &Json<'_>) -> Result<CreateRequest, InvalidInput> {
    let user_id = validate::identifier("externalId", required(json, "externalId")?)?;
    read_only::none_given(json, read_only_members())?;
    let mut fields = patch(json)?;
    fields.retain(|(_, value)| value.is_some());
    if !fields.iter().any(|(field, _)| *field == Field::BrandId) {
        fields.push((Field::BrandId, None));
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
    let external_id = std::iter::once(("externalId", Fixed::Field(Field::UserId)));
    let repeated = read_only::repeated(json, external_id.chain(read_only_members()));
    Ok(UpdateRequest { fields: patch(json)?, repeated })
}

/// Parses the body of POST or PATCH for a user: present members change, null members are cleared, absent members
/// stay. `profile` and `metadata` follow the same rule for each member; null for all of one is ignored.
///
/// # Errors
///
/// A member of `profile` is not a string of the length that v2 allows (`givenName`, `surname` and `email` 1 to 128,
/// `avatarUrl` up to 2,048, `locale` up to 64), `signedUpAt` is not a time in ISO 8601, `metadata` is not a flat
/// object of strings, numbers and booleans, `toBeRetained` is not a boolean, or `brandId` is not a string.
pub fn patch(json: &Json<'_>) -> Result<Fields, InvalidInput> {
    let mut fields = Fields::new();
    if let Some(profile) = given(json, "profile") {
        object(profile, "profile")?;
        for spec in FIELDS {
            if let Some(V2Path::Profile(key)) = spec.v2 {
                validate::take_field(&mut fields, profile, ("profile.", key), spec, 1)?;
            }
        }
    }
    for spec in FIELDS {
        if let Some(V2Path::User(key)) = spec.v2 {
            validate::take_field(&mut fields, json, ("", key), spec, 1)?;
        }
    }
    validate::take_properties(&mut fields, json, ("", "metadata"))?;
    Ok(fields)
}
