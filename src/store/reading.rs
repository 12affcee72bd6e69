//! What is looked up.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::entry::{Entry, Seq};
use super::epoch::FeedEpoch;
use super::error::Result;
use super::list::{Bounds, Counted, Listed, Place};
use super::upkeep::{CompactionPoint, Receipt};
use crate::domain::brand::Name;
use crate::domain::list::{Filter, Query};
use crate::domain::{AppId, Change, ClientId, Record, RecordKey, SmoochId, View};

/// Looks things up. Sees every commit that was made before the call.
pub trait Reader {
    /// The app user that an `_id` is, or is part of.
    fn by_id(&mut self, app: &AppId, id: &SmoochId) -> Result<Option<View>>;

    /// The app user who shows this `userId`, in whichever brand: of several the one who said so last.
    fn by_user_id(&mut self, app: &AppId, user_id: &str) -> Result<Option<View>>;

    /// Everybody who shows this `userId`, in the order of their `_id`s: in each brand it is somebody else's.
    fn carriers(&mut self, app: &AppId, user_id: &str) -> Result<Vec<View>>;

    /// The app user whom a name means: an `_id`, else a `userId`, in the name's brand if it has one.
    fn by_name(&mut self, app: &AppId, name: &Name) -> Result<Option<View>>;

    /// At most `limit` app users after `after`, in the order of their `_id`s.
    fn list(&mut self, app: &AppId, after: Option<&str>, limit: usize) -> Result<Vec<View>>;

    /// A page of those whom a query is for, from a place of the same query on, all seen at one moment.
    ///
    /// Whoever fits throughout is on one page of a list, whatever is written meanwhile, unless what they are
    /// sorted by changes to something that is yet to come: then they are on a second one. Pages of a list
    /// that is read backwards do not tell of who moves.
    fn page(&mut self, app: &AppId, query: &Query, after: Option<&Place>, bounds: Bounds) -> Result<Listed>;

    /// Counts whoever fits of the next `looks` app users after `after`, in the order of their `_id`s; or all
    /// of them, where that takes no longer.
    fn count(
        &mut self,
        app: &AppId,
        filter: &Filter,
        after: Option<&SmoochId>,
        looks: usize,
    ) -> Result<Counted>;

    /// At most `limit` changes of an app after `after`, less if they are large but never none while there
    /// are more, all seen at one moment.
    fn changes(&mut self, app: &AppId, after: u64, limit: usize) -> Result<Changes>;

    /// At most `limit` journal entries after `after`, each with the body it came in: less if they are large,
    /// but never none while there are more. The body is empty where it is not kept any more, which is never
    /// after the [`CompactionPoint`].
    fn journal(&mut self, after: Seq, limit: usize) -> Result<Vec<(Entry, Bytes)>>;

    /// Every `_id` that merges connect with one of these, undone ones as well, with its last journal entry.
    /// An `_id` that was never seen is left out.
    fn connected(&mut self, app: &AppId, ids: &[SmoochId]) -> Result<Heads>;

    /// The `_id`s that claim one of these clients, with everybody whom merges connect with them.
    fn claimants(&mut self, app: &AppId, clients: &[ClientId]) -> Result<Heads>;

    /// The app user that both are part of, and `discarded`, as they would be shown if the two were
    /// un-merged now; nothing if they are not one.
    fn apart(
        &mut self,
        app: &AppId,
        surviving: &SmoochId,
        discarded: &SmoochId,
    ) -> Result<Option<(View, View)>>;

    /// The journal of these app users as one, newest first: at most `limit` entries, from those in `from`
    /// backwards. Without a place to go on, that is all.
    fn walk(
        &mut self,
        app: &AppId,
        of: &BTreeSet<SmoochId>,
        from: BTreeSet<Seq>,
        limit: usize,
    ) -> Result<Piece>;

    /// What the metrics tell of the database. Reads a good part of it.
    fn census(&mut self, apps: &[AppId]) -> Result<Census>;

    /// When the last webhook of each of these apps was stored, in ms since 1970, as far as the end of the
    /// journal tells; of an app that is not in it, when its last change was committed.
    fn heard(&mut self, apps: &[AppId]) -> Result<Vec<(AppId, i64)>>;

    /// From where on the journal is whole.
    fn horizon(&mut self) -> Result<CompactionPoint>;

    /// At most `limit` records of the base after `after`, in the order of their keys: what the journal came
    /// to up to the [`CompactionPoint`]. Whoever reads all of it asks for the horizon before and after: had it moved,
    /// the base did as well.
    fn base(&mut self, after: Option<&RecordKey>, limit: usize) -> Result<Vec<(RecordKey, Record)>>;

    /// The records of the base of these app users, who has none left out, and how far it goes.
    fn base_of(
        &mut self,
        app: &AppId,
        ids: &BTreeSet<SmoochId>,
    ) -> Result<(CompactionPoint, Vec<(RecordKey, Record)>)>;

    /// What became of the erasure of this `_id`; nothing if it was not erased.
    fn receipt(&mut self, app: &AppId, id: &SmoochId) -> Result<Option<Receipt>>;

    /// How many events, and how many bodies in quarantine, there are.
    fn counts(&mut self) -> Result<Counts>;
}

/// App users, each with its last journal entry.
pub type Heads = BTreeMap<SmoochId, Option<Seq>>;

/// Journal entries, each with the body it came in, and the entries where reading on begins.
pub type Piece = (Vec<(Entry, Bytes)>, BTreeSet<Seq>);

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
    /// What the numbers count from.
    pub epoch: FeedEpoch,
    /// In the order of their numbers.
    pub changes: Vec<Changed>,
    /// The oldest number that is kept; the next one to be given if there is none.
    pub oldest: u64,
    /// The last number that was given; 0 before the first.
    pub last: u64,
}

/// See [`Reader::census`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// App users that a list shows, over all apps.
    pub users: u64,
    /// Bodies in quarantine.
    pub quarantined: u64,
    /// Bytes of these bodies.
    pub quarantined_bytes: u64,
    /// Of each app the oldest change that is kept, the next one to be given if there is none, and the last
    /// one that was given.
    pub feeds: Vec<(AppId, u64, u64)>,
}

/// What a database holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// App users that a list shows, over all apps.
    pub users: u64,
    /// Journal entries.
    pub events: u64,
    /// Bodies in quarantine.
    pub quarantined: u64,
}
