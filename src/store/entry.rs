//! What is kept of each event, and of what cannot be used.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::domain::{AppId, Digest, Event, SmoochId, TooLarge, WorkingSet, value_names};

/// A journal number. Rises with every entry, in the order of commits.
pub type Seq = u64;

/// Who told an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Smooch: the body is the webhook's.
    Webhook,
    /// Smooch, and somebody it spoke of is erased: the body is the [`crate::domain::Event`] as JSON, without
    /// what it said of them.
    Reduced,
    /// Our own API: the body is the [`crate::domain::Event`] it was decided into, as JSON.
    Api,
}

impl Source {
    /// Its name in a history, where a reduced entry counts as a webhook's.
    pub fn as_shown(self) -> &'static str {
        match self {
            Self::Webhook | Self::Reduced => "webhook",
            Self::Api => "api",
        }
    }
}

value_names!(Source { Webhook: "webhook", Reduced: "reduced", Api: "api" });

/// What was done with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The directory learned it.
    Learned,
    /// It says nothing about app users; it is kept, and that is all.
    Kept,
}

value_names!(Outcome { Learned: "learned", Kept: "kept" });

/// An event in the journal.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its number.
    pub seq: Seq,
    /// The app it came for.
    pub app: AppId,
    /// Who told it, and so what its body holds.
    pub source: Source,
    /// When it was received, in ms since 1970.
    pub received: i64,
    /// The event's own time in µs since 1970, if it has one.
    pub event_time: Option<i64>,
    /// Smooch's word for it.
    pub trigger: Arc<str>,
    /// What was done with it.
    pub outcome: Outcome,
    /// The digest of the event.
    pub digest: Digest,
    /// The app users it touched, each with the number of its previous entry.
    pub users: Vec<(SmoochId, Option<Seq>)>,
    /// Which of its batch's bodies it came in.
    pub body: usize,
    /// Its place among the events of that body.
    pub place: usize,
}

impl Entry {
    /// The `_id`s of the app users that it touched. An event about none is linked to the app itself, which is left out.
    pub fn user_ids(&self) -> impl Iterator<Item = &str> {
        self.users.iter().filter(|(id, _)| !id.is_app()).map(|(id, _)| id.as_str())
    }

    /// Lets a directory learn the entry once more, as the worker did when it journalled it. Of an event that
    /// cannot be read any more, it learns only that it was there.
    ///
    /// # Errors
    /// The directory bounds its groups, and this one would be too large.
    pub fn learn_again(&self, directory: &mut WorkingSet, event: Option<&Event>) -> Result<(), TooLarge> {
        if let Some(event) = event {
            directory.apply_event(&self.app, event)?;
        }
        for (n, (user, _)) in self.users.iter().enumerate() {
            let stamp = event.filter(|_| n == 0).map(|event| &*event.stamp);
            directory.record_mut(&self.app, user).set_journal_head(self.seq, stamp, self.received);
        }
        Ok(())
    }
}

/// A body that could not be used, kept until somebody can.
#[derive(Clone, Debug, PartialEq)]
pub struct Quarantined {
    /// The app whose secret it came with.
    pub app: AppId,
    /// When it was received, in ms since 1970.
    pub received: i64,
    /// The kind of trouble.
    pub reason: String,
    /// What is wrong, and where. Names no value of the body.
    pub detail: String,
    /// The request's headers, one a line, credentials masked.
    pub headers: String,
    /// The body as it came.
    pub body: Bytes,
}

/// A range of journal entries with the same loss. Contains no value of any row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hole {
    /// The first entry.
    pub first: Seq,
    /// The last entry, included.
    pub last: Seq,
    /// The loss.
    pub lost: Lost,
}

/// What a journal entry can lose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The entry itself.
    Entry,
    /// The list of app users that it is about.
    Users,
    /// The body: missing, unreadable, or that of another event.
    Body,
}

impl fmt::Display for Hole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = (self.first, self.last);
        let one = first == last;
        let which =
            if one { format!("journal entry {first}") } else { format!("journal entries {first} to {last}") };
        match (self.lost, one) {
            (Lost::Entry, true) => write!(f, "{which} is missing"),
            (Lost::Entry, false) => write!(f, "{which} are missing"),
            (Lost::Users, true) => write!(f, "{which} does not name the app users that it is about"),
            (Lost::Users, false) => write!(f, "{which} do not name the app users that they are about"),
            (Lost::Body, true) => write!(f, "the body of {which} is missing or damaged"),
            (Lost::Body, false) => write!(f, "the bodies of {which} are missing or damaged"),
        }
    }
}
