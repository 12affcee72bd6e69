//! Refused commands as answers.

use axum::http::StatusCode;

use super::error::{ApiError, no_user};
use crate::domain::brand::several_brands;
use crate::domain::command::{Action, Refusal};
use crate::domain::decide::PROPERTIES_BYTES;

/// The place of the brand in a request that names it in the query.
pub(crate) const IN_THE_QUERY: &str = "`brandId` in the query";

/// The place of the brand in a call that changes an app user.
pub(super) fn brand_place(action: &Action) -> &'static str {
    match action {
        Action::Init { .. } => "`brandId` in the body",
        Action::Merge { .. } => "`brandId` beside its `_id` in the body",
        _ => IN_THE_QUERY,
    }
}

/// The answer to a refused command. `place` is where the call takes a brand.
pub(super) fn refusal(refusal: Refusal, place: &str) -> ApiError {
    match refusal {
        Refusal::NoUser => no_user(),
        Refusal::NoClient => ApiError::missing("device_not_found", "The app user has no device with this id"),
        Refusal::NoMember => ApiError::not_found("The app user has no such part; it may be unmerged already"),
        Refusal::Taken(id) => ApiError::user_id_taken(id.as_str()),
        Refusal::Secured => {
            ApiError::unauthorized("A JWT was used for this app user; app tokens no longer reach it")
        }
        Refusal::NotYours => {
            ApiError::new(StatusCode::FORBIDDEN, "forbidden", "The JWT's userId is not this app user's")
        }
        Refusal::Stale => ApiError::new(
            StatusCode::PRECONDITION_FAILED,
            "precondition_failed",
            "The app user has changed: its ETag is not the one in If-Match",
        ),
        Refusal::TooManyProperties => {
            ApiError::bad_request(format!("The properties would have more than {PROPERTIES_BYTES} bytes"))
        }
        Refusal::TooManyMembers => ApiError::bad_request("The merged app user would have too many _ids"),
        Refusal::SameUser => ApiError::bad_request("The app users are merged already"),
        Refusal::SeveralBrands(brands) => {
            ApiError::new(StatusCode::CONFLICT, "conflict", several_brands(&brands, place))
        }
        Refusal::Unchangeable(name) => ApiError::bad_request(format!(
            "{name} cannot be changed by this call, and is another; leave it out, or say it as it is"
        )),
        Refusal::SeveralUsers => ApiError::new(
            StatusCode::CONFLICT,
            "conflict",
            "Several app users carry the JWT's userId, and a JWT speaks for one. Nothing was done: a JWT of scope app can \
             name each by its _id",
        ),
        Refusal::NamesErased => ApiError::bad_request(
            "The userId (v2: externalId) is, or contains, the _id of an erased app user",
        ),
        Refusal::SeveralCarriers => ApiError::new(
            StatusCode::CONFLICT,
            "conflict",
            "Several app users carry the userId. Nothing was done: name the app user by its _id",
        ),
        Refusal::BrandByToken => ApiError::unauthorized(
            "An app token begins nobody in a brand of its choice, nor under a userId that another brand has. Nothing was \
             done: a JWT of scope app may",
        ),
        Refusal::BrandByUser => ApiError::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            "The JWT's app user is not of this brand. Nothing was done: leave `brandId` out, or ask with a JWT of scope app",
        ),
    }
}
