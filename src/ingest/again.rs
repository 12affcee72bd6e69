//! The journal read again: what an event said, and what it made different.

use std::collections::BTreeSet;

use crate::domain::{AppId, ClientId, Directory, Event, Key, Record, SmoochId, View};
use crate::store::{Entry, Source};
use crate::wire;
use crate::wire::history::members;
use crate::wire::json::write_string;

/// Reads the event at a place of a journalled body again; nothing if it cannot be read any more.
pub fn read_again(source: Source, body: &[u8], place: usize) -> Option<Event> {
    match source {
        Source::Webhook => wire::history::event(body, place),
        Source::Reduced | Source::Api => serde_json::from_slice(body).ok(),
    }
}

/// What an event made different of what is shown of an app user.
pub struct Difference {
    /// Of whom.
    pub user: SmoochId,
    /// Its name; `_id` if the app user is part of another now, stands for itself again, or is gone.
    pub member: String,
    /// JSON text.
    before: Option<String>,
    after: Option<String>,
}

impl Difference {
    /// `{"_id","field","before"?,"after"?}`.
    pub fn text(&self) -> String {
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
pub struct Fold {
    app: AppId,
    directory: Directory,
}

impl Fold {
    /// Begins with what is known before the first entry.
    pub fn new(app: &AppId, base: Vec<(Key, Record)>) -> Self {
        let mut directory = Directory::whole(usize::MAX);
        base.into_iter().for_each(|(key, record)| directory.bring_whole(key, record));
        Self { app: app.clone(), directory }
    }

    /// What is shown of an `_id`.
    pub fn view(&self, id: &SmoochId) -> Option<View> {
        self.directory.view(&self.app, id)
    }

    /// Every client that somebody claims.
    pub fn claimed(&self) -> Vec<ClientId> {
        let claims = self.directory.entries().flat_map(|(_, entry)| entry.now.claims.keys());
        claims.cloned().collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Learns an entry; what that makes different of its app users, and of `others`. An event that cannot
    /// be read again says nothing.
    pub fn learn(&mut self, entry: &Entry, body: &[u8], others: &[SmoochId]) -> Vec<Difference> {
        let Some(event) = read_again(entry.source, body, entry.place) else { return Vec::new() };
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
