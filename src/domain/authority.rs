//! Access rules: the callers that may read or write one app user.

use super::command::{Authority, Name, Refusal};
use super::field::Field;
use super::value::json_text;
use super::view::View;

/// The access that a caller has to an app user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The caller may read and write it.
    Granted,
    /// The same; this is the first JWT of the app user, which secures it permanently.
    FirstJwt,
}

/// Decides if the caller may read and write this app user.
///
/// # Errors
/// [`Refusal::Secured`] for an app token after the first JWT; [`Refusal::NotYours`] for the JWT of another `userId`.
pub fn check_access(authority: &Authority, user: &View) -> Result<Access, Refusal> {
    match authority {
        Authority::Token if user.secured => Err(Refusal::Secured),
        Authority::App | Authority::Token => Ok(Access::Granted),
        Authority::User(own) if user.get(&Field::UserId) != Some(own) => Err(Refusal::NotYours),
        Authority::User(_) if user.secured => Ok(Access::Granted),
        Authority::User(_) => Ok(Access::FirstJwt),
    }
}

/// The refusal for a name that resolves to no app user. With a JWT of scope `appUser`, only the JWT's own `userId` is
/// reported as missing.
pub fn refuse_missing(authority: &Authority, name: &Name) -> Refusal {
    match authority {
        Authority::User(own) if json_text(&name.text) != *own => Refusal::NotYours,
        _ => Refusal::NoUser,
    }
}
