//! The directory as it is kept, to be taken elsewhere.

use super::entry::Seq;
use super::error::Result;
use crate::domain::{AppId, Record, SmoochId, View};

/// Records that belong together.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// The app user that they are; nothing for somebody who was removed, and for what was told of already.
    pub user: Option<View>,
    /// The records, that of the app user's `_id` first.
    pub records: Vec<One>,
}

/// A record, with what is known of it beside.
#[derive(Clone, Debug, PartialEq)]
pub struct One {
    /// Its `_id`.
    pub id: SmoochId,
    /// The record.
    pub record: Record,
    /// Those with its `userId` who are not merged with it: see [`crate::domain::RecordSnapshot::not_merged_with`].
    pub apart: Vec<SmoochId>,
}

/// Some of an app's records, as one moment shows them.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// In the order of their first `_id`s.
    pub kept: Vec<Kept>,
    /// The `_id` behind which the next part begins; nothing if there is none.
    pub next: Option<SmoochId>,
}

/// Reads everything there is, a part at a time.
pub trait Export {
    /// Every app that somebody was ever seen in.
    fn apps(&mut self) -> Result<Vec<AppId>>;

    /// The next records of an app behind an `_id`: each app user with everybody merged into it, each removed
    /// `_id`. Of a part at a time no more than a page, and less if it is large.
    ///
    /// `begun` is the last journal entry before the first part. Whoever becomes part of somebody else
    /// afterwards may have been left out with both, so it is told of by itself.
    fn part(&mut self, app: &AppId, behind: Option<&SmoochId>, begun: Seq) -> Result<Part>;

    /// The records of app users, each with its view, as one moment shows them.
    fn kept(&mut self, app: &AppId, users: Vec<View>) -> Result<Vec<Kept>>;
}
