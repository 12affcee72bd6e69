//! The journal of app users, read a piece at a time, and folded again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;

use crate::domain::{AppId, ClientId, Directory, Edge, Reason, Register, SmoochId, View};
use crate::http::Shared;
use crate::http::error::ApiError;
use crate::rebuild;
use crate::store::sqlite::SqliteReader;
use crate::store::{Entry, Heads, Reader, Seq};
use crate::wire::history::{members, reason};
use crate::wire::json::write_string;
use crate::wire::v1;

/// Entries read at a time, so that no other look-up waits long.
const PIECE: usize = 200;

/// The journal of some app users, as far back as it was read: the numbers of its entries, since the
/// entries themselves may be many.
pub(super) struct Past {
    shared: Arc<Shared>,
    app: AppId,
    of: BTreeSet<SmoochId>,
    from: BTreeSet<Seq>,
    group: BTreeSet<SmoochId>,
    /// The entries found.
    pub(super) seqs: BTreeSet<Seq>,
    /// Those of them that touched one of the group.
    pub(super) touching: BTreeSet<Seq>,
}

impl Past {
    /// The journal of all in `heads`, of whom those in `group` are looked for.
    pub(super) fn of(shared: &Arc<Shared>, app: &AppId, heads: &Heads, group: &BTreeSet<SmoochId>) -> Self {
        let (of, from) = (heads.keys().cloned().collect(), heads.values().filter_map(|head| *head).collect());
        let (seqs, touching) = (BTreeSet::new(), BTreeSet::new());
        Self { shared: shared.clone(), app: app.clone(), of, from, group: group.clone(), seqs, touching }
    }

    /// Reads a piece further back; whether there was any.
    pub(super) async fn more(&mut self) -> Result<bool, ApiError> {
        if self.from.is_empty() {
            return Ok(false);
        }
        let (app, of, from) = (self.app.clone(), self.of.clone(), std::mem::take(&mut self.from));
        let walk = move |reader: &mut SqliteReader| reader.walk(&app, &of, from, PIECE);
        let (entries, from) = self.shared.readers.run(walk).await?;
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
    pub(super) async fn read(&mut self, most: usize) -> Result<bool, ApiError> {
        while self.seqs.len() < most && self.more().await? {}
        Ok(self.from.is_empty())
    }

    /// Shows the entries with these numbers, in their order, each with the body it came in. No more than a
    /// piece of them is in memory.
    pub(super) async fn each(
        &self,
        seqs: impl IntoIterator<Item = Seq>,
        mut show: impl FnMut(&Entry, &Bytes),
    ) -> Result<(), ApiError> {
        let mut seqs = seqs.into_iter();
        loop {
            let piece: BTreeSet<Seq> = seqs.by_ref().take(PIECE).collect();
            if piece.is_empty() {
                return Ok(());
            }
            let app = self.app.clone();
            // Of nobody, so that it leads no further back.
            let read = move |reader: &mut SqliteReader| reader.walk(&app, &BTreeSet::new(), piece, PIECE);
            let (entries, _) = self.shared.readers.run(read).await?;
            entries.iter().rev().for_each(|(entry, body)| show(entry, body));
        }
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

    /// Learns an entry, and no more than that.
    pub(super) fn pass(&mut self, entry: &Entry, body: &[u8]) {
        if let Some(event) = rebuild::event(entry, body) {
            // No group can be too large: it has no bound here.
            _ = self.directory.learn(&self.app, &event);
        }
    }

    /// Learns an entry; what that makes different of its app users, and of `others`. An event that cannot
    /// be read again says nothing.
    pub(super) fn learn(&mut self, entry: &Entry, body: &[u8], others: &[SmoochId]) -> Learned {
        let Some(event) = rebuild::event(entry, body) else { return Learned::default() };
        let ids: BTreeSet<&SmoochId> = entry.users.iter().map(|(id, _)| id).chain(others).collect();
        let before: Vec<Option<View>> = ids.iter().map(|id| self.view(id)).collect();
        let merged = self.merges(entry);
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
        let merges = self.merges(entry).into_iter().filter(|(pair, edge)| merged.get(pair) != Some(edge));
        let merges = merges.filter(|(_, edge)| edge.value.joined);
        let merge = |((discarded, surviving), edge): ((SmoochId, SmoochId), Register<Edge>)| Merge {
            surviving,
            discarded,
            reason: edge.value.reason,
        };
        Learned { changed: told, merges: merges.map(merge).collect() }
    }

    /// The merges of the app users of an entry, into others and of others into them.
    fn merges(&self, entry: &Entry) -> BTreeMap<(SmoochId, SmoochId), Register<Edge>> {
        let record = |id: &SmoochId| self.directory.record(&(self.app.clone(), id.clone()));
        let mut found = BTreeMap::new();
        for (id, of) in entry.users.iter().filter_map(|(id, _)| Some((id, record(id)?))) {
            found.extend(of.into.iter().map(|(to, edge)| ((id.clone(), to.clone()), edge.clone())));
            let from = of.from.iter().filter_map(|from| Some((from, record(from)?.into.get(id)?)));
            found.extend(from.map(|(from, edge)| ((from.clone(), id.clone()), edge.clone())));
        }
        found
    }
}

/// What an event came to.
#[derive(Default)]
pub(super) struct Learned {
    pub(super) changed: Vec<Difference>,
    pub(super) merges: Vec<Merge>,
}

/// Two that became one.
pub(super) struct Merge {
    pub(super) surviving: SmoochId,
    pub(super) discarded: SmoochId,
    reason: Reason,
}

impl Merge {
    /// `{"surviving","discarded","reason","holds"?,"unmerged"?}`: the last two where it was looked up what
    /// the two would be, `apart`.
    pub(super) fn text(&self, apart: Option<&Option<(View, View)>>) -> String {
        let mut out = "{\"surviving\":".to_owned();
        write_string(self.surviving.as_str(), &mut out);
        out.push_str(",\"discarded\":");
        write_string(self.discarded.as_str(), &mut out);
        out.push_str(&format!(",\"reason\":\"{}\"", reason(self.reason)));
        if let Some(apart) = apart {
            out.push_str(&format!(",\"holds\":{}", apart.is_some()));
        }
        if let Some(Some((surviving, discarded))) = apart {
            let (surviving, discarded) = (v1::app_user(surviving), v1::app_user(discarded));
            out.push_str(&format!(",\"unmerged\":{{\"surviving\":{surviving},\"discarded\":{discarded}}}"));
        }
        out.push('}');
        out
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
