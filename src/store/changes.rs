//! What a follower of the directory is told.

use crate::domain::{Change, View};

/// A change of an app user, in the order of commits.
#[derive(Clone, Debug, PartialEq)]
pub struct Changed {
    /// Its number: each app's rise by one.
    pub seq: u64,
    /// When it was committed, in ms since 1970.
    pub time: i64,
    /// What changed.
    pub change: Change,
    /// The app user as it is at the moment of reading, so perhaps after later changes; nothing if it is
    /// part of another by then, or gone.
    pub user: Option<View>,
}

/// Changes of an app as one moment shows them.
#[derive(Clone, Debug, PartialEq)]
pub struct Changes {
    /// In the order of their numbers.
    pub changes: Vec<Changed>,
    /// The oldest number that is kept; the next one to be given if there is none.
    pub oldest: u64,
    /// The last number that was given; 0 before the first.
    pub last: u64,
}
