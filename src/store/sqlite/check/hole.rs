//! What a part of the journal has lost.

use std::fmt;

use crate::store::Seq;

/// What a part of the journal has lost. Names no value of any row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hole {
    /// The first of the entries, by its number.
    pub first: Seq,
    /// The last of them; the same if it is one.
    pub last: Seq,
    /// What they have lost.
    pub lost: Lost,
}

/// What journal entries can lose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Everything: they are not there.
    Entry,
    /// Which app users they are about.
    Users,
    /// The body, which is not there, cannot be unpacked, or is not the one that they came in.
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
