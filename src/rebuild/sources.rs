//! Which event set each value of an app user: the first after which its record had it. A merge sets no values, it only
//! shows those that are there.

use std::collections::{BTreeMap, BTreeSet};

use super::history_replay::HistoryReplay;
use crate::domain::{ClientId, Event, Field, Record, SmoochId, View};
use crate::store::{Entry, Seq};

/// The events that set the values of an app user and of all merged into it. `S` is an event.
pub struct Sources<S> {
    of: SmoochId,
    said: BTreeMap<(SmoochId, ValueKey), S>,
    clients: BTreeMap<SmoochId, (Seq, S)>,
    /// The last event by which another app user took a client or released it.
    taken: Option<(Seq, S)>,
    flags: BTreeMap<(SmoochId, Flag), (Seq, S)>,
}

/// A field, as reported by Smooch or overridden by our API.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum ValueKey {
    Smooch(Field),
    Ours(Field),
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Flag {
    Started,
    Secured,
}

impl<S: Clone> Sources<S> {
    /// No events yet, for this `_id`.
    pub fn of(id: &SmoochId) -> Self {
        let (said, clients, flags) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { of: id.clone(), said, clients, taken: None, flags }
    }

    /// Applies an entry to the directory, and records the values that it set.
    pub fn apply(&mut self, replay: &mut HistoryReplay, entry: &Entry, event: &Event, source: &S) {
        let ids: Vec<&SmoochId> = entry.users.iter().map(|(id, _)| id).collect();
        let record = |replay: &HistoryReplay, id: &SmoochId| replay.record(id).cloned().unwrap_or_default();
        let before: Vec<Record> = ids.iter().map(|id| record(replay, id)).collect();
        let (shown, elsewhere) = (replay.view(&self.of), replay.elsewhere(&self.of));
        replay.apply(event);
        for (id, before) in ids.into_iter().zip(&before) {
            self.compare(id, before, &record(replay, id), (entry.seq, source));
        }
        let now = replay.view(&self.of);
        let same = |one: &View, two: &View| (&one.id, &one.aliases) == (&two.id, &two.aliases);
        let both = shown.zip(now).filter(|(shown, now)| same(shown, now));
        // Two merges of a pair may show other clients of the same app users; no event set those.
        if both.is_some_and(|(shown, now)| shown.clients != now.clients)
            && replay.elsewhere(&self.of) != elsewhere
        {
            self.taken = Some((entry.seq, source.clone()));
        }
    }

    fn compare(&mut self, id: &SmoochId, before: &Record, now: &Record, (seq, source): (Seq, &S)) {
        for (field, said) in &now.smooch.fields {
            if before.smooch.fields.get(field).is_none_or(|before| before.value != said.value) {
                self.said.insert((id.clone(), ValueKey::Smooch(field.clone())), source.clone());
            }
        }
        for (field, set) in &now.overrides {
            if before.overrides.get(field).is_none_or(|before| before.value.value != set.value.value) {
                self.said.insert((id.clone(), ValueKey::Ours(field.clone())), source.clone());
            }
        }
        let alone = |record: &Record| View::alone(id, record).clients;
        if alone(before) != alone(now) {
            self.clients.insert(id.clone(), (seq, source.clone()));
        }
        for (flag, was, is) in
            [(Flag::Started, before.started, now.started), (Flag::Secured, before.secured, now.secured)]
        {
            if is && !was {
                self.flags.entry((id.clone(), flag)).or_insert((seq, source.clone()));
            }
        }
    }

    /// The event that set each member of the view, by the member's name, as far as it is known.
    pub fn shown(&self, replay: &HistoryReplay) -> BTreeMap<String, S> {
        let (Some(view), Some(group)) = (replay.view(&self.of), replay.group(&self.of)) else {
            return BTreeMap::new();
        };
        let fields = view.fields.keys().filter_map(|field| {
            let (id, ours) = group.find_source(field)?;
            let word = if ours { ValueKey::Ours(field.clone()) } else { ValueKey::Smooch(field.clone()) };
            Some((field.to_string(), self.said.get(&(id.clone(), word))?.clone()))
        });
        let mut shown: BTreeMap<String, S> = fields.collect();
        let ids: BTreeSet<&SmoochId> = view.aliases.iter().chain([&view.id]).collect();
        if !view.clients.is_empty() {
            let has = |id: &&&SmoochId| {
                let known = |record: &Record| {
                    let of: BTreeSet<&ClientId> =
                        record.smooch.clients.keys().chain(record.devices.keys()).collect();
                    of.iter().any(|client| view.clients.contains_key(*client))
                };
                replay.record(id).is_some_and(known)
            };
            let latest = ids.iter().filter(has).filter_map(|id| self.clients.get(*id));
            let latest = latest.chain(&self.taken).max_by_key(|(seq, _)| *seq);
            shown.extend(latest.map(|(_, source)| ("clients".to_owned(), source.clone())));
        }
        for (name, flag, is) in [
            ("conversationStarted", Flag::Started, view.started),
            ("credentialRequired", Flag::Secured, view.secured),
        ] {
            let first = ids.iter().filter_map(|id| self.flags.get(&((*id).clone(), flag)));
            let first = first.min_by_key(|(seq, _)| *seq).filter(|_| is);
            shown.extend(first.map(|(_, source)| (name.to_owned(), source.clone())));
        }
        shown
    }
}
