//! The journal of app users, read a piece at a time, and folded again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;

use crate::domain::{AppId, ClientId, Directory, SmoochId, View};
use crate::http::Shared;
use crate::http::error::ApiError;
use crate::rebuild;
use crate::store::{Entry, Heads, Reader, Seq};
use crate::wire::history::members;
use crate::wire::json::write_string;

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

    /// Reads back to the beginning, unless that is more than `most` entries away: whether it is all.
    pub(super) async fn read(&mut self, most: usize) -> Result<bool, ApiError> {
        while self.entries.len() < most && self.more().await? {}
        Ok(self.from.is_empty())
    }
}

/// What an event made different of what is shown of an app user.
pub(super) struct Difference {
    pub(super) user: SmoochId,
    /// Its name; `_id` if the app user is part of another now, stands for itself again, or is gone.
    pub(super) member: String,
    /// JSON text.
    before: Option<String>,
    after: Option<String>,
}

impl Difference {
    /// `{"_id","field","before"?,"after"?}`.
    pub(super) fn text(&self) -> String {
        let mut out = "{\"_id\":".to_owned();
        write_string(self.user.as_str(), &mut out);
        out.push_str(",\"field\":");
        write_string(&self.member, &mut out);
        for (name, value) in [("before", &self.before), ("after", &self.after)] {
            if let Some(value) = value {
                out.push_str(&format!(",\"{name}\":{value}"));
            }
        }
        out.push('}');
        out
    }
}

/// A directory that learns from a journal again.
pub(super) struct Fold {
    app: AppId,
    directory: Directory,
}

impl Fold {
    pub(super) fn new(app: &AppId) -> Self {
        Self { app: app.clone(), directory: Directory::whole(usize::MAX) }
    }

    pub(super) fn view(&self, id: &SmoochId) -> Option<View> {
        self.directory.view(&self.app, id)
    }

    /// Every client that somebody claims.
    pub(super) fn claimed(&self) -> Vec<ClientId> {
        let claims = self.directory.entries().flat_map(|(_, entry)| entry.now.claims.keys());
        claims.cloned().collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Learns an entry; what that makes different of its app users, and of `others`. An event that cannot
    /// be read again says nothing.
    pub(super) fn learn(&mut self, entry: &Entry, body: &[u8], others: &[SmoochId]) -> Vec<Difference> {
        let Some(event) = rebuild::event(entry, body) else { return Vec::new() };
        let ids: BTreeSet<&SmoochId> = entry.users.iter().map(|(id, _)| id).chain(others).collect();
        let before: Vec<Option<View>> = ids.iter().map(|id| self.view(id)).collect();
        // No group can be too large: it has no bound here.
        _ = self.directory.learn(&self.app, &event);
        let (mut told, mut seen) = (Vec::new(), BTreeSet::new());
        for (id, before) in ids.into_iter().zip(before) {
            let after = self.view(id);
            let root = after.as_ref().or(before.as_ref()).map(|view| view.id.clone());
            let same = |(before, after): (&View, &View)| before.id == after.id;
            let moved = !before.as_ref().zip(after.as_ref()).is_none_or(same);
            if moved || root.is_some_and(|root| seen.insert(root)) {
                told.extend(differences(id, before.as_ref(), after.as_ref()));
            }
        }
        told
    }
}

fn differences(id: &SmoochId, before: Option<&View>, after: Option<&View>) -> Vec<Difference> {
    let name = |view: &View| {
        let mut text = String::new();
        write_string(view.id.as_str(), &mut text);
        text
    };
    let (was, is) = (before.map(|view| &view.id), after.map(|view| &view.id));
    if before.is_some() && was != is {
        let (before, after) = (before.map(name), after.map(name));
        return vec![Difference { user: id.clone(), member: "_id".to_owned(), before, after }];
    }
    let user = after.map_or_else(|| id.clone(), |view| view.id.clone());
    let shown = |view: Option<&View>| view.map(members).unwrap_or_default();
    let (mut before, after) = (shown(before), shown(after));
    let mut told = Vec::new();
    for (member, after) in after {
        let before = before.remove(&member);
        if before.as_ref() != Some(&after) {
            told.push(Difference { user: user.clone(), member, before, after: Some(after) });
        }
    }
    let gone = before.into_iter().map(|(member, before)| Difference {
        user: user.clone(),
        member,
        before: Some(before),
        after: None,
    });
    told.extend(gone);
    told
}
