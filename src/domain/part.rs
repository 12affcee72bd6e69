//! The parts of an app user that events carry as a whole.

use serde::{Deserialize, Serialize};

use super::names::value_names;

/// A part of an app user that an event carries either completely or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Part {
    /// `properties` in v1, `metadata` in v2.
    Properties,
    /// `clients`, in old forms `devices`, with `pendingClients`.
    Clients,
}

value_names!(Part { Properties: "properties", Clients: "clients" });
