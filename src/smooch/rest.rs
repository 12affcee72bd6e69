//! What Smooch's users API is asked and answers, one file a version. Pure, like the rest of `wire`.
//!
//! A body is an object; the caller has made one of an empty body. Members that no page of Smooch's
//! knows are passed over, as Smooch does. Names of fields are those of the version asked.

mod client_members;
mod read_only;
pub mod v1;
pub mod v2;
mod validate;

use crate::domain::JsonText;
use crate::domain::command::{Fields, Repeated};

/// Why a body is refused: a sentence that names the field, never its value, so that it may be logged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidInput(pub String);

/// An app user to be made before Smooch knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateRequest {
    /// Its `userId` or `externalId`: JSON text of a string of 1 to 1,024 characters.
    pub user_id: JsonText,
    /// Whatever else was given.
    pub fields: Fields,
    /// `credentialRequired`: only a JWT may speak for it. v1 only.
    pub secured: bool,
}

/// How an app user is to be changed.
#[derive(Clone, Debug, PartialEq)]
pub struct UpdateRequest {
    /// The new values.
    pub fields: Fields,
    /// What the body says besides and the call cannot change.
    pub repeated: Vec<Repeated>,
}
