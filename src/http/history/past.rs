//! The journal of app users, read a piece at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;

use crate::domain::{AppId, Key, Record, SmoochId};
use crate::http::Shared;
use crate::http::error::ApiError;
use crate::store::{Entry, Heads, Horizon, Reader, Seq};

/// Entries read at a time, so that no other look-up waits long.
const PIECE: usize = 200;

/// The journal of some app users, as far back as it was read.
pub(super) struct Past {
    shared: Arc<Shared>,
    app: AppId,
    of: BTreeSet<SmoochId>,
    from: BTreeSet<Seq>,
    pub(super) entries: BTreeMap<Seq, (Entry, Bytes)>,
}

impl Past {
    pub(super) fn of(shared: &Arc<Shared>, app: &AppId, heads: &Heads) -> Self {
        let (of, from) = (heads.keys().cloned().collect(), heads.values().filter_map(|head| *head).collect());
        Self { shared: shared.clone(), app: app.clone(), of, from, entries: BTreeMap::new() }
    }

    /// Reads a piece further back; whether there was any.
    pub(super) async fn more(&mut self) -> Result<bool, ApiError> {
        if self.from.is_empty() {
            return Ok(false);
        }
        let (app, of, from) = (self.app.clone(), self.of.clone(), std::mem::take(&mut self.from));
        let walk = move |reader: &mut crate::store::sqlite::SqliteReader| reader.walk(&app, &of, from, PIECE);
        let (entries, from) = self.shared.readers.run(walk).await?;
        self.from = from;
        self.entries.extend(entries.into_iter().map(|(entry, body)| (entry.seq, (entry, body))));
        Ok(true)
    }

    /// What the journal came to as far as it was trimmed: of these app users, and of `others`. To be read
    /// after the entries.
    pub(super) async fn base(
        &self,
        others: &BTreeSet<SmoochId>,
    ) -> Result<(Horizon, Vec<(Key, Record)>), ApiError> {
        let (app, ids) = (self.app.clone(), self.of.union(others).cloned().collect());
        let read = move |reader: &mut crate::store::sqlite::SqliteReader| reader.base_of(&app, &ids);
        Ok(self.shared.readers.run(read).await?)
    }

    /// Reads back to the beginning, unless that is more than `most` entries away: whether it is all.
    pub(super) async fn read(&mut self, most: usize) -> Result<bool, ApiError> {
        while self.entries.len() < most && self.more().await? {}
        Ok(self.from.is_empty())
    }
}
