//! Location, input, stored form and part of a field.

use serde::{Deserialize, Serialize};

use super::names::value_names;

/// The location of a field in v2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum V2Path {
    /// A member of the user.
    User(&'static str),
    /// A member of the user's `profile`.
    Profile(&'static str),
}

/// The values that a call of our own API may set a field to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A string of at most this many characters.
    Text(usize),
    /// A string that is not empty and can be stored unchanged.
    Identifier,
    /// A date and time in ISO 8601.
    DateTime,
    /// `true` or `false`.
    Boolean,
    /// No call changes it; v2 refuses a body with another value.
    ReadOnly,
    /// Calls ignore it.
    Ignored,
}

/// The type that v2's generated clients expect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A string.
    Text,
    /// `true` or `false`.
    Boolean,
    /// An array.
    List,
}

/// The form of a field on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredForm {
    /// A variant of its own; see `StoredField` in `field.rs`. Never add one: older programs could not read it.
    Tag,
    /// `Other` with this name, which is also the name in exports.
    Name(&'static str),
}

/// A part of an app user that an event carries either completely or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Part {
    /// `properties` in v1, `metadata` in v2.
    Properties,
    /// `clients`, in old forms `devices`, with `pendingClients`.
    Clients,
}

value_names!(Part { Properties: "properties", Clients: "clients" });
