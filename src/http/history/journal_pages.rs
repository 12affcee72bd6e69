//! The journal of app users, read a piece at a time.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::domain::{AppId, Event, Record, RecordKey, SmoochId};
use crate::http::error::ApiError;
use crate::rebuild;
use crate::store::sqlite::SqliteReader;
use crate::store::{CompactionPoint, Entry, Heads, Reader, Seq};

/// Entries read at a time, so that no moment of the database is held for long.
const PIECE: usize = 200;

/// The journal of some app users, as far back as it was read: the numbers of its entries, since the
/// entries themselves may be many.
pub(super) struct JournalPages<'r> {
    reader: &'r mut SqliteReader,
    app: AppId,
    of: BTreeSet<SmoochId>,
    from: BTreeSet<Seq>,
    group: BTreeSet<SmoochId>,
    /// The entries found.
    pub(super) seqs: BTreeSet<Seq>,
    /// Those of them that touched one of the group.
    pub(super) touching: BTreeSet<Seq>,
}

impl<'r> JournalPages<'r> {
    /// The journal of all in `heads`, of whom those in `group` are looked for.
    pub(super) fn of(
        reader: &'r mut SqliteReader,
        app: &AppId,
        heads: &Heads,
        group: &BTreeSet<SmoochId>,
    ) -> Self {
        let (of, from) = (heads.keys().cloned().collect(), heads.values().filter_map(|head| *head).collect());
        let (seqs, touching) = (BTreeSet::new(), BTreeSet::new());
        Self { reader, app: app.clone(), of, from, group: group.clone(), seqs, touching }
    }

    /// Reads a piece further back; whether there was any.
    pub(super) fn more(&mut self) -> Result<bool, ApiError> {
        if self.from.is_empty() {
            return Ok(false);
        }
        let from = std::mem::take(&mut self.from);
        let (entries, from) = self.reader.walk(&self.app, &self.of, from, PIECE)?;
        self.from = from;
        for (entry, _) in entries {
            self.seqs.insert(entry.seq);
            if entry.users.iter().any(|(id, _)| self.group.contains(id)) {
                self.touching.insert(entry.seq);
            }
        }
        Ok(true)
    }

    /// Reads back to the beginning, unless that is more than `most` entries away: whether it is all.
    pub(super) fn read(&mut self, most: usize) -> Result<bool, ApiError> {
        while self.seqs.len() < most && self.more()? {}
        Ok(self.from.is_empty())
    }

    /// What the journal came to as far as it was trimmed: of these app users, and of `others`. An entry after
    /// it that is read later may have been trimmed meanwhile: [`each`] sees to that.
    pub(super) fn base(
        &mut self,
        others: &BTreeSet<SmoochId>,
    ) -> Result<(CompactionPoint, Vec<(RecordKey, Record)>), ApiError> {
        let ids = self.of.union(others).cloned().collect();
        Ok(self.reader.base_of(&self.app, &ids)?)
    }
}

/// Shows the entries with these numbers, in their order, each with the body it came in, which may be empty
/// up to the horizon, and behind that with its event. An error that names the entry where the body is not the one
/// that it came in. No more than a piece of them is in memory. 503 where the journal was trimmed
/// meanwhile beyond the horizon.
pub(super) fn each(
    reader: &mut SqliteReader,
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
        let asked = piece.clone();
        // Of nobody, so that it leads no further back.
        let (entries, _) = reader.walk(app, &BTreeSet::new(), piece, PIECE)?;
        let found: BTreeSet<Seq> =
            entries.iter().filter(|(_, body)| !body.is_empty()).map(|(entry, _)| entry.seq).collect();
        if asked.range(horizon.folded + 1..).any(|seq| !found.contains(seq)) {
            let why = "The journal was trimmed while it was read; try again";
            return Err(ApiError::unavailable("unavailable", why));
        }
        for (entry, body) in entries.iter().rev() {
            let is_needed = entry.seq > horizon.folded;
            let event = is_needed.then(|| rebuild::event(entry, body)).transpose()?;
            show(entry, body, event.as_ref());
        }
    }
}
