//! The sessions of the console, so that they survive a restart.

use crate::store::select::row;
use crate::store::table::Table;

/// The sessions.
pub static SESSIONS: Table =
    Table::new("sessions", &["cookie"], &["half", "name", "role", "secret", "began", "used", "epoch"]);

/// A session. Of its halves and of the secret only hashes are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSession {
    /// The hash of the half that the cookie has.
    pub cookie: [u8; 32],
    /// The hash of the half that the page has.
    pub half: [u8; 32],
    /// The name of the operator.
    pub name: String,
    /// The name of the role.
    pub role: String,
    /// The hash of the secret that it began with; `None` if it began with a code.
    pub secret: Option<[u8; 32]>,
    /// When it began, in ms since 1970.
    pub began: i64,
    /// When it was last used, in ms since 1970; up to some minutes older than it is.
    pub used: i64,
    /// The epoch of the database that it began in.
    pub epoch: i64,
}

row! { StoredSession => SESSIONS { cookie, half, name, role, secret, began, used, epoch } }

/// A change of the stored sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionChange {
    /// A session began or was used.
    Put(StoredSession),
    /// The session with this hash of its cookie ended.
    End([u8; 32]),
}
