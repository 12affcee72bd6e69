//! What a part of the journal has lost.

use std::fmt;

use crate::store::Seq;

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
