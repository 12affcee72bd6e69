//! Operators: the callers of the admin listener.

use std::collections::BTreeSet;

use crate::domain::AppId;

/// What an operator may do. A role includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// May look.
    Viewer,
    /// May also change.
    Operator,
}

impl Role {
    /// The name in settings, answers and the audit log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
        }
    }
}

/// How an operator proved who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The key file beside the database: a command on this machine.
    KeyFile,
    /// A session of the console.
    Session,
    /// A name and a secret of the settings, sent with the request.
    Secret,
    /// A proxy that has signed the operator in.
    Proxy,
}

/// The caller of a request to the admin listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// The name, as the audit log has it.
    pub name: String,
    /// What the operator may do.
    pub role: Role,
    /// Whether answers may have the values of people: names, e-mail addresses, `userId`s, properties, client ids, headers
    /// and bodies.
    pub personal_data: bool,
    /// The apps that the operator may see; `None` for all.
    pub apps: Option<BTreeSet<AppId>>,
    /// How the operator proved who they are.
    pub proof: Proof,
}

impl Operator {
    /// Whether the operator may see this app.
    pub fn sees(&self, app: &AppId) -> bool {
        self.apps.as_ref().is_none_or(|apps| apps.contains(app))
    }
}
