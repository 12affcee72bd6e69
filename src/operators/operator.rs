//! Operators: the callers of the admin listener.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::watch;

pub use crate::config::Role;
use crate::domain::AppId;

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
    /// The session, if the proof is one.
    pub session: Option<SessionInfo>,
    /// Tells when the proof no longer holds.
    pub ending: Ending,
}

impl Operator {
    /// Whether the operator may see this app.
    pub fn sees(&self, app: &AppId) -> bool {
        self.apps.as_ref().is_none_or(|apps| apps.contains(app))
    }

    /// Whether this is the other one, by the same proof: of a session, the same session.
    pub fn is_same_caller(&self, other: &Self) -> bool {
        let id = |operator: &Self| operator.session.as_ref().map(|session| session.id.clone());
        (&self.name, self.proof, id(self)) == (&other.name, other.proof, id(other))
    }
}

/// What may be told of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionInfo {
    /// Its id, which is no part of its proof: 16 hexadecimal digits.
    pub id: String,
    /// The time at which it ends at the latest, in ms since 1970.
    pub expires: i64,
    /// Its open streams.
    pub streams: OpenStreams,
}

/// The open streams of a session, which is in use as long as there is one.
#[derive(Clone, Debug, Default)]
pub struct OpenStreams(Arc<AtomicUsize>);

/// A stream that is open, until it is dropped.
#[derive(Debug)]
pub struct OpenStream(OpenStreams);

impl OpenStreams {
    /// Counts another one.
    pub fn open(&self) -> OpenStream {
        self.0.fetch_add(1, Ordering::Relaxed);
        OpenStream(self.clone())
    }

    pub(super) fn are_there(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl PartialEq for OpenStreams {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for OpenStreams {}

/// Tells when a proof no longer holds: the session has ended, or the settings or the key file have changed.
#[derive(Clone, Debug)]
pub struct Ending(watch::Receiver<bool>);

impl Ending {
    /// Resolves when the proof no longer holds. A stream ends then.
    pub async fn wait(&self) {
        // An error means that whatever gave the proof is gone.
        _ = self.0.clone().wait_for(|ended| *ended).await.is_ok();
    }

    /// Whether the proof no longer holds.
    pub fn has_come(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }
}

impl PartialEq for Ending {
    fn eq(&self, other: &Self) -> bool {
        self.0.same_channel(&other.0)
    }
}

impl Eq for Ending {}

/// Ends a proof, also by being dropped.
#[derive(Debug)]
pub(super) struct Ender(watch::Sender<bool>);

impl Ender {
    pub(super) fn new() -> (Self, Ending) {
        let (sender, receiver) = watch::channel(false);
        (Self(sender), Ending(receiver))
    }

    pub(super) fn end(&self) {
        self.0.send_replace(true);
    }
}

impl Drop for Ender {
    fn drop(&mut self) {
        self.end();
    }
}
