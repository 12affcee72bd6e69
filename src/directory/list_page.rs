//! Pages of a list, and the cursors between them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::{SmoochId, View};
use crate::store::Epoch;

/// A cursor between two app users of a list. Valid for one [`Query`](crate::domain::list::Query) only. Callers hold its
/// serde form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListCursor {
    /// The sort key of the app user before it; 0 in the order of `_id`s.
    pub(crate) key: i64,
    /// The app user before it.
    pub(crate) id: SmoochId,
    /// The greatest key of a list that rises by time: later keys were set after the list was begun.
    pub(crate) upto: i64,
    /// The last move that was taken into account.
    pub(crate) moves: i64,
    /// The epoch of `moves`; absent in an order without moves.
    pub(crate) epoch: Option<Epoch>,
}

/// Limits of one page.
#[derive(Clone, Copy, Debug)]
pub struct ScanLimits {
    /// The maximum number of app users.
    pub limit: usize,
    /// The maximum number of rows to read. If few match, a page has fewer than `limit` users, or none, and another
    /// page follows.
    pub looks: usize,
    /// The maximum time of reading rows, after which a page ends in the same way. Some rows are read in any case.
    pub time: Duration,
}

/// A page of a list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListPage {
    /// First those that moved past the cursor since the page before, then the next in the order of the list.
    pub users: Vec<View>,
    /// The cursors of the first and of the last app user.
    pub ends: Option<[ListCursor; 2]>,
    /// The rows of the list that were looked at; of a search by words or by an exact value its candidates.
    pub looked: usize,
    /// The cursor of the next page; absent on the last page.
    pub next: Option<ListCursor>,
}

impl ListCursor {
    /// The cursor behind an `_id`, in the order of `_id`s.
    pub fn behind_id(id: SmoochId) -> Self {
        Self { key: 0, id, upto: i64::MAX, moves: 0, epoch: None }
    }

    /// The `_id` of the app user before it.
    pub fn into_id(self) -> SmoochId {
        self.id
    }

    /// The cursor for reading in the opposite direction, which ignores moves.
    pub fn backwards(self) -> Self {
        Self { upto: i64::MAX, moves: i64::MAX, ..self }
    }
}

/// A page, or why there is none.
#[derive(Clone, Debug, PartialEq)]
pub enum ListResult {
    /// The page.
    Page(ListPage),
    /// The cursor is older than the stored moves, or of another epoch.
    Expired,
}

/// The number of matching app users among the rows that were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountResult {
    /// The number.
    pub fit: u64,
    /// Where to continue; absent if all rows were read.
    pub next: Option<SmoochId>,
}
