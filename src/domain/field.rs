//! The names of what an app user has.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::names::UnknownName;

/// A part of an app user that Smooch carries either whole or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Part {
    /// `properties` in v1, `metadata` in v2.
    Properties,
    /// `clients`, in old forms `devices`, with `pendingClients`.
    Clients,
}

impl Part {
    const ALL: [Self; 2] = [Self::Properties, Self::Clients];

    /// Its name in exports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Properties => "properties",
            Self::Clients => "clients",
        }
    }
}

impl FromStr for Part {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        let named = Self::ALL.into_iter().find(|part| part.as_str() == name);
        named.ok_or_else(|| UnknownName::of(&Self::ALL.map(Self::as_str)))
    }
}

/// One value of an app user. `Other` holds what only some versions have, and what nobody foresaw.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Field {
    /// `userId`; v2 `externalId`.
    UserId,
    /// `givenName`.
    GivenName,
    /// `surname`.
    Surname,
    /// `email`.
    Email,
    /// `signedUpAt`.
    SignedUpAt,
    /// Any other member of an app user, by its name.
    Other(Arc<str>),
    /// A custom property, by its key.
    Property(Arc<str>),
}

impl Field {
    /// What v1 calls the clients that are being linked. They belong to the picture of the clients: who is linked
    /// moves from the one list to the other.
    pub const PENDING_CLIENTS: &'static str = "pendingClients";

    /// By what name somebody without a name goes. It is shown, and found, for as long as no name is known.
    pub const DISPLAY_NAME: &'static str = "displayName";

    /// Whether it is [`Field::DISPLAY_NAME`].
    pub fn is_display_name(&self) -> bool {
        matches!(self, Self::Other(name) if **name == *Self::DISPLAY_NAME)
    }

    /// The part it belongs to, if it belongs to one.
    pub fn part(&self) -> Option<Part> {
        match self {
            Self::Property(_) => Some(Part::Properties),
            Self::Other(name) if **name == *Self::PENDING_CLIENTS => Some(Part::Clients),
            _ => None,
        }
    }
}

impl Field {
    /// Its name, as the answers use it.
    pub fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed(match self {
            Self::UserId => "userId",
            Self::GivenName => "givenName",
            Self::Surname => "surname",
            Self::Email => "email",
            Self::SignedUpAt => "signedUpAt",
            Self::Other(name) => name,
            Self::Property(key) => return Cow::Owned(["properties.", key].concat()),
        })
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}
