//! The app user of a history, and the journal of app users, read in pieces.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::directory::DirectoryReader;
use crate::directory::history::JournalHeads;
use crate::domain::command::Name;
use crate::domain::{AppId, Event, Record, RecordKey, SmoochId, View};
use crate::http::error::{ApiError, no_user};
use crate::rebuild;
use crate::store::readers::LaneReader as _;
use crate::store::{self, CompactionPoint, Entry, Seq};

/// Entries read at a time, so that no snapshot of the database is held for long.
const PIECE: usize = 200;

/// The journal of some app users, as far back as it was read: only entry numbers, since entries may be
/// many.
pub(super) struct JournalPages<'r> {
    reader: &'r mut DirectoryReader,
    app: AppId,
    of: BTreeSet<SmoochId>,
    from: BTreeSet<Seq>,
    group: BTreeSet<SmoochId>,
    /// The entries found.
    pub(super) seqs: BTreeSet<Seq>,
    /// The entries that touched a member of the group.
    pub(super) touching: BTreeSet<Seq>,
}

impl<'r> JournalPages<'r> {
    /// The journal of all in `heads`; `touching` collects the entries of `group`.
    pub(super) fn of(
        reader: &'r mut DirectoryReader,
        app: &AppId,
        heads: &JournalHeads,
        group: &BTreeSet<SmoochId>,
    ) -> Self {
        let (of, from) = (heads.keys().cloned().collect(), heads.values().filter_map(|head| *head).collect());
        let (seqs, touching) = (BTreeSet::new(), BTreeSet::new());
        Self { reader, app: app.clone(), of, from, group: group.clone(), seqs, touching }
    }

    /// Reads one piece further back; false if there was none.
    pub(super) fn more(&mut self) -> Result<bool, ApiError> {
        if self.from.is_empty() {
            return Ok(false);
        }
        let from = std::mem::take(&mut self.from);
        let (entries, from) = self.reader.walk_back(&self.app, &self.of, from, PIECE)?;
        self.from = from;
        for entry in entries {
            self.seqs.insert(entry.seq);
            if entry.users.iter().any(|(id, _)| self.group.contains(id)) {
                self.touching.insert(entry.seq);
            }
        }
        Ok(true)
    }

    /// Reads back to the beginning, at most `most` entries; true if it reached the beginning.
    pub(super) fn read(&mut self, most: usize) -> Result<bool, ApiError> {
        while self.seqs.len() < most && self.more()? {}
        Ok(self.from.is_empty())
    }

    /// The state of these app users, and of `others`, at the compaction point. A later entry may be
    /// trimmed before it is read: [`each`] detects that.
    pub(super) fn base(
        &mut self,
        others: &BTreeSet<SmoochId>,
    ) -> Result<(CompactionPoint, Vec<(RecordKey, Record)>), ApiError> {
        let ids = self.of.union(others).cloned().collect();
        Ok(self.reader.read_compacted_of(&self.app, &ids)?)
    }
}

/// Passes the entries with these numbers, in order, to a callback: with their body, which may be empty up
/// to the horizon, and after the horizon with their event. A body that does not match its entry is an
/// error that names the entry. At most one piece is in memory. 503 if the journal was trimmed beyond the
/// horizon meanwhile.
pub(super) fn each(
    reader: &mut DirectoryReader,
    app: &AppId,
    seqs: impl IntoIterator<Item = Seq>,
    horizon: CompactionPoint,
    mut show: impl FnMut(&Entry, &Bytes, Option<&Event>),
) -> Result<(), ApiError> {
    let mut seqs = seqs.into_iter();
    loop {
        let piece: BTreeSet<Seq> = seqs.by_ref().take(PIECE).collect();
        if piece.is_empty() {
            return Ok(());
        }
        let entries = reader.read_with_bodies(app, &piece)?;
        let found: BTreeSet<Seq> =
            entries.iter().filter(|(_, body)| !body.is_empty()).map(|(entry, _)| entry.seq).collect();
        if piece.range(horizon.folded + 1..).any(|seq| !found.contains(seq)) {
            let why = "The journal was trimmed while it was read; try again";
            return Err(ApiError::unavailable("unavailable", why));
        }
        for (entry, body) in &entries {
            let is_needed = entry.seq > horizon.folded;
            let event = is_needed.then(|| rebuild::event(entry, body)).transpose()?;
            show(entry, body, event.as_ref());
        }
    }
}

/// The subject of a history, found by name.
pub(super) struct Subject {
    /// The requested `_id`, or the one that the `userId` resolves to.
    pub(super) id: SmoochId,
    /// The `_id`s whose events belong to it.
    pub(super) group: BTreeSet<SmoochId>,
    /// All app users connected with it by merges, undone merges included.
    pub(super) connected: JournalHeads,
    /// It was erased, so its history is empty.
    pub(super) erased: bool,
}

impl Subject {
    /// Resolves a name: an `_id`, also of a removed app user, or a `userId`.
    pub(super) fn find(reader: &mut DirectoryReader, app: &AppId, name: &Name) -> Result<Self, ApiError> {
        let mut found = Err(store::Error::Interrupted);
        reader.in_one_snapshot(|reader| found = Self::look_up(reader, app, name));
        let found = found?;
        if found.id.is_app() || !found.connected.contains_key(&found.id) { Err(no_user()) } else { Ok(found) }
    }

    fn look_up(reader: &mut DirectoryReader, app: &AppId, name: &Name) -> store::Result<Self> {
        let view = reader.find_by_name(app, name)?;
        let id = view.as_ref().map_or_else(|| (&*name.text).into(), |view| view.id_named(name));
        // The brand of a removed app user is unknown.
        let is_meant = view.is_some() || reader.find_by_id(app, &id)?.is_none();
        let connected = if is_meant {
            reader.find_connected(app, std::slice::from_ref(&id))?
        } else {
            JournalHeads::new()
        };
        let group = view.iter().flat_map(View::ids).cloned();
        let erased = reader.find_receipt(app, &id)?.is_some();
        Ok(Self { group: group.chain([id.clone()]).collect(), id, connected, erased })
    }
}
