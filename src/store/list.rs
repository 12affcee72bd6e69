//! What a list is asked for, and how it is read page by page.

use serde::{Deserialize, Serialize};

use super::epoch::Epoch;
use crate::domain::{SmoochId, View};

/// A place between two app users of a list, from which reading goes on. Good for one
/// [`Query`](crate::domain::list::Query) only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// What the app user before it is sorted by; 0 if that is the `_id`.
    pub(crate) key: i64,
    /// The app user before it.
    pub(crate) id: SmoochId,
    /// Rising by time: nobody later than this, because whoever is there has come there since.
    pub(crate) upto: i64,
    /// Whoever moved up to this number was told of, or is where they moved to.
    pub(crate) moves: i64,
    /// What `moves` counts from; nothing in an order in which nobody moves.
    pub(crate) epoch: Option<Epoch>,
}

/// What reading one page may cost.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The most app users it shows.
    pub limit: usize,
    /// The most rows it looks at: where few fit, a page has fewer than `limit`, or none, and there is more.
    pub looks: usize,
}

/// Some app users of a list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// In the order that was asked for, after whoever would have come and has moved past the place since.
    pub users: Vec<View>,
    /// The places of the first and of the last of them.
    pub ends: Option<[Place; 2]>,
    /// Where the next page begins; nothing if there is none.
    pub next: Option<Place>,
}

impl Place {
    /// The place for reading on the other way round. Nobody is told of who moves meanwhile.
    pub fn backwards(self) -> Self {
        Self { upto: i64::MAX, moves: i64::MAX, ..self }
    }
}

/// A page, or why there is none.
#[derive(Clone, Debug, PartialEq)]
pub enum Listed {
    /// The page.
    Page(Page),
    /// The place is so old that it is not known any more who has moved since, or is of another epoch.
    Expired,
}

/// How many fit, as far as was looked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// How many of those looked at.
    pub fit: u64,
    /// Where counting goes on; nothing if all were looked at.
    pub next: Option<SmoochId>,
}
