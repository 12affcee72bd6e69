//! The parts of an app user that events carry as a whole.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::names::UnknownName;

/// A part of an app user that an event carries either completely or not at all.
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
