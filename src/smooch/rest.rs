//! Requests and answers of Smooch's users API, one file a version. Pure.
//!
//! A body is an object; the caller turns an empty body into one. Unknown members are ignored, as Smooch does.

pub mod v1;
pub mod v2;
mod validate;

use crate::domain::JsonText;
use crate::domain::command::Fields;
use crate::smooch::json::Json;

/// The reason why an input is refused. It names the field, never its value, so it may be logged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidInput(pub String);

/// An app user to be created before Smooch knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateRequest {
    /// Its `userId` or `externalId`: JSON text of a string of 1 to 1,024 characters.
    pub user_id: JsonText,
    /// The other fields.
    pub fields: Fields,
    /// `credentialRequired`: only a JWT may act for it. v1 only.
    pub secured: bool,
}

/// The stored members of a client. A text that is not JSON has none.
fn client_members(rest: &str) -> Json<'_> {
    // No deeper than the body it came in.
    Json::parse(rest.as_bytes(), usize::MAX).map_or(Json::Null, |document| document.value)
}
