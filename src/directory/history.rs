//! The journal of app users, read backwards from the last entry of each.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::journal::bodies_of;
use super::load::Loader;
use super::reader::DirectoryReader;
use crate::domain::{AppId, ClientId, RecordKey, SmoochId};
use crate::store::rows::Rows;
use crate::store::tables::{IdentifierKind, UsersOfEntry};
use crate::store::{Entry, ReadRow as _, Result, Seq};

/// App users, each with its last journal entry.
pub type JournalHeads = BTreeMap<SmoochId, Option<Seq>>;

/// See [`DirectoryReader::find_connected`].
pub fn find_connected(rows: &dyn Rows, app: &AppId, ids: &[SmoochId]) -> Result<JournalHeads> {
    let mut loader = Loader::new(rows);
    loader.groups(ids.iter().map(|id| (app.clone(), id.clone())).collect::<Vec<RecordKey>>())?;
    let found = loader.directory.entries();
    Ok(found.map(|((_, id), entry)| (id.clone(), entry.now.head)).collect())
}

/// See [`DirectoryReader::find_claimants`].
pub fn find_claimants(rows: &dyn Rows, app: &AppId, clients: &[ClientId]) -> Result<JournalHeads> {
    let kinds = [IdentifierKind::Client, IdentifierKind::Claim];
    let asked = clients.iter().flat_map(|client| kinds.map(|kind| (app, kind, client.as_str())));
    let ids = rows.holders(&asked.collect::<Vec<_>>())?.concat();
    find_connected(rows, app, &ids)
}

impl DirectoryReader {
    /// Every `_id` that merges, undone ones included, connect with one of these, with its last entry. Unknown `_id`s are
    /// left out.
    pub fn find_connected(&self, app: &AppId, ids: &[SmoochId]) -> Result<JournalHeads> {
        find_connected(&*self.snapshot()?, app, ids)
    }

    /// The claimants of these clients, and every `_id` that merges connect with them, with its last entry.
    pub fn find_claimants(&self, app: &AppId, clients: &[ClientId]) -> Result<JournalHeads> {
        find_claimants(&*self.snapshot()?, app, clients)
    }

    /// The numbers of all entries about these app users.
    pub fn find_entry_numbers(&self, app: &AppId, ids: &BTreeSet<SmoochId>) -> Result<BTreeSet<Seq>> {
        Ok(self.find_entry_numbers_within(app, ids, usize::MAX)?.unwrap_or_default())
    }

    /// The same; `None` if there are more than `most`.
    pub(super) fn find_entry_numbers_within(
        &self,
        app: &AppId,
        ids: &BTreeSet<SmoochId>,
        most: usize,
    ) -> Result<Option<BTreeSet<Seq>>> {
        let rows = self.snapshot()?;
        let list: Vec<SmoochId> = ids.iter().cloned().collect();
        let heads = find_connected(&*rows, app, &list)?;
        let mut wave: BTreeSet<Seq> =
            heads.into_iter().filter(|(id, _)| ids.contains(id)).filter_map(|(_, head)| head).collect();
        let mut numbers = BTreeSet::new();
        while !wave.is_empty() {
            let seqs: Vec<Seq> = wave.into_iter().collect();
            let found = UsersOfEntry::get(&*rows, &seqs)?.into_iter().zip(seqs);
            let mut next = BTreeSet::new();
            let of_app =
                found.filter_map(|(entry, seq)| Some((entry.filter(|entry| entry.app == *app)?.users, seq)));
            for (users, seq) in of_app {
                numbers.insert(seq);
                let users = users.into_iter().filter(|(id, _)| ids.contains(id));
                next.extend(users.filter_map(|(_, previous)| previous));
            }
            wave = &next - &numbers;
            if numbers.len() > most {
                return Ok(None);
            }
        }
        Ok(Some(numbers))
    }

    /// At most `limit` entries of these app users, newest first, backwards from those in `from`, and where to go on. Each
    /// entry names the one before it of each of its app users, so the greatest number that is known is always the next
    /// one back.
    pub fn walk_back(
        &self,
        app: &AppId,
        of: &BTreeSet<SmoochId>,
        from: BTreeSet<Seq>,
        limit: usize,
    ) -> Result<(Vec<Entry>, BTreeSet<Seq>)> {
        let (rows, mut entries) = (self.snapshot()?, Vec::new());
        let mut walk = JournalWalk::new(app, of, from);
        while entries.len() < limit && !walk.links.is_empty() {
            entries.extend(walk.next(&*rows)?);
        }
        Ok((entries, walk.into_links()))
    }

    /// The entries of an app with these numbers, in their order, each with its body, which is empty if it is deleted.
    /// Without those that are not there.
    pub fn read_with_bodies(&self, app: &AppId, seqs: &BTreeSet<Seq>) -> Result<Vec<(Entry, Bytes)>> {
        let (rows, mut entries) = (self.snapshot()?, Vec::new());
        for seq in seqs {
            entries.extend(Entry::find(&*rows, seq)?.filter(|entry| entry.app == *app));
        }
        let bodies = bodies_of(&*rows, &entries)?.into_iter().map(|(_, body)| body);
        Ok(entries.into_iter().zip(bodies).collect())
    }
}

/// A walk backwards along the links of the entries of app users.
pub(super) struct JournalWalk {
    app: AppId,
    of: BTreeSet<SmoochId>,
    links: BTreeSet<Seq>,
}

impl JournalWalk {
    /// From these entries on.
    pub(super) fn new(app: &AppId, of: &BTreeSet<SmoochId>, links: BTreeSet<Seq>) -> Self {
        Self { app: app.clone(), of: of.clone(), links }
    }

    /// The entries that were linked to and not read yet.
    pub(super) fn links(&self) -> &BTreeSet<Seq> {
        &self.links
    }

    /// The same, at the end.
    pub(super) fn into_links(self) -> BTreeSet<Seq> {
        self.links
    }

    /// Reads the entry with the greatest of the linked numbers; none if it is not there: it was trimmed, or was about an
    /// erased app user alone.
    pub(super) fn next(&mut self, rows: &dyn Rows) -> Result<Option<Entry>> {
        let Some(seq) = self.links.pop_last() else { return Ok(None) };
        let found = Entry::find(rows, &seq)?.filter(|entry| entry.app == self.app);
        let of_them = found.iter().flat_map(|entry| &entry.users).filter(|(id, _)| self.of.contains(id));
        self.links.extend(of_them.filter_map(|(_, previous)| *previous));
        Ok(found)
    }
}
