//! What an operator looks up: entries of the journal, and bodies in quarantine.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::entry::{Entry, Quarantined, Seq};
use super::error::Result;
use super::reading::Reader;
use super::upkeep::ReadEvent;
use crate::domain::brand::Name;
use crate::domain::{AppId, Record, RecordKey, SmoochId, View};

/// Which journal entries, or which bodies in quarantine, are asked for: those for which everything holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// Of this app.
    pub app: Option<AppId>,
    /// With this trigger; of a body in quarantine, this reason.
    pub word: Option<String>,
    /// From this number on.
    pub from: Seq,
    /// Up to this number.
    pub to: Seq,
    /// Received at this time or later, in ms since 1970.
    pub since: Option<i64>,
    /// Received at this time or earlier, in ms since 1970.
    pub until: Option<i64>,
    /// One of these.
    pub among: Option<BTreeSet<Seq>>,
    /// The order in which they are wanted.
    pub newest_first: bool,
}

impl Default for Wanted {
    /// All, the oldest first.
    fn default() -> Self {
        let (from, to) = (0, i64::MAX as Seq);
        Self { app: None, word: None, from, to, since: None, until: None, among: None, newest_first: false }
    }
}

impl Wanted {
    /// What is left of it behind this number, in its order.
    pub fn go_on(&mut self, behind: Seq) {
        if self.newest_first {
            self.to = behind.saturating_sub(1);
        } else {
            self.from = behind + 1;
        }
    }
}

/// A body in quarantine, without the body.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// Its number.
    pub seq: Seq,
    /// The app whose secret it came with.
    pub app: AppId,
    /// When it was received, in ms since 1970.
    pub received: i64,
    /// The kind of trouble.
    pub reason: String,
    /// What is wrong, and where. Names no value of the body.
    pub detail: String,
    /// The size of the body.
    pub bytes: u64,
}

/// What becomes of bodies in quarantine.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdicts {
    /// Those that are not needed there any more.
    pub released: Vec<Seq>,
    /// Those that still cannot be used, each with the kind of trouble, and what is wrong and where.
    pub kept: Vec<(Seq, String, String)>,
}

impl Verdicts {
    /// Whether none was passed.
    pub fn is_empty(&self) -> bool {
        self.released.is_empty() && self.kept.is_empty()
    }
}

/// A row of the directory as the database keeps it: what is to be compared and replaced as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// One of [`super::sqlite::TABLES`].
    pub table: usize,
    /// The columns of its key.
    pub key: Vec<String>,
    /// All columns; nothing if there is no such row.
    pub cells: Option<Vec<rusqlite::types::Value>>,
}

impl Row {
    /// The app user it is about.
    pub fn user(&self) -> Option<crate::domain::RecordKey> {
        Some((self.key.first()?.as_str().into(), self.key.last()?.as_str().into()))
    }
}

/// A body of the journal, and the first number of the batch it was committed in: with
/// [`Entry::body`], that tells bodies apart.
pub type BatchBody = (Seq, Bytes);

/// Looks things up for an operator. Sees every commit that was made before the call.
pub trait Archive: Reader {
    /// At most `limit` journal entries, in the order that is wanted.
    fn entries(&mut self, wanted: &Wanted, limit: usize) -> Result<Vec<Entry>>;

    /// The body that each of these entries came in; empty where it is not kept any more. [`super::Error::Hole`] if one is
    /// missing or damaged, or is not the one that its entry came in.
    fn bodies(&mut self, entries: &[Entry], read: ReadEvent) -> Result<Vec<BatchBody>>;

    /// The numbers of all entries that touched one of these app users.
    fn numbers(&mut self, app: &AppId, ids: &BTreeSet<SmoochId>) -> Result<BTreeSet<Seq>>;

    /// The number of the last entry; 0 if there is none.
    fn last(&mut self) -> Result<Seq>;

    /// At most `limit` bodies in quarantine, in the order that is wanted.
    fn held(&mut self, wanted: &Wanted, limit: usize) -> Result<Vec<Held>>;

    /// A body in quarantine.
    fn quarantined(&mut self, seq: Seq) -> Result<Option<Quarantined>>;

    /// The records of these app users, each as it is stored; who is unknown is left out.
    fn records(&mut self, app: &AppId, ids: &BTreeSet<SmoochId>) -> Result<Vec<(RecordKey, Record)>>;

    /// The bodies in quarantine that mention one of these app users by an `_id`, a `userId`, a client or an
    /// e-mail address, each with its number.
    fn quarantined_of(&mut self, app: &AppId, ids: &BTreeSet<SmoochId>) -> Result<Vec<(u64, Quarantined)>>;

    /// Every `_id` of the app user whom a name means: an `_id`, also one that was merged away or removed,
    /// else a `userId`; of everybody who goes by that where the name is not of one brand. Nothing for somebody who
    /// was never seen.
    fn whom(&mut self, app: &AppId, name: &Name) -> Result<BTreeSet<SmoochId>> {
        let named = SmoochId::from(&*name.text);
        let Some(view) = self.by_name(app, name)? else {
            let may_be_gone = name.brand.is_none() && !named.is_app();
            let is_gone = may_be_gone && !self.connected(app, std::slice::from_ref(&named))?.is_empty();
            return Ok(is_gone.then_some(named).into_iter().collect());
        };
        let is_alone = name.brand.is_some() || view.ids().any(|id| *id == named);
        let views = if is_alone { vec![view] } else { self.carriers(app, &name.text)? };
        Ok(views.iter().flat_map(View::ids).cloned().collect())
    }
}
