//! Which event set each value of an app user: the first after which its record had it. A merge sets no values, it only
//! shows those that are there: a value that it repeats is of the event that said it before, or says it later without a
//! merge. It sets only what no other event says.

use std::collections::{BTreeMap, BTreeSet};

use super::history_replay::HistoryReplay;
use crate::domain::{Client, ClientId, Event, Fact, Field, JsonText, Record, SmoochId, View};
use crate::store::{Entry, Seq};

/// The events that set the values of an app user and of all merged into it. `S` is an event.
pub struct Sources<S> {
    of: SmoochId,
    said: BTreeMap<(SmoochId, ValueKey), Said<S>>,
    clients: BTreeMap<SmoochId, (Seq, S)>,
    /// The last event by which another app user took a client or released it.
    taken: Option<(Seq, S)>,
    flags: BTreeMap<(SmoochId, Flag), (Seq, S)>,
}

/// The event that said a value.
#[derive(Clone)]
struct Said<S> {
    seq: Seq,
    source: S,
    /// It is a merge of the record.
    by_merge: bool,
}

impl<S> Said<S> {
    /// Events other than merges first, and the earliest of them.
    fn rank(&self) -> (bool, Seq) {
        (self.by_merge, self.seq)
    }
}

/// The values of the app users that an event merges, before it.
struct Merging<S> {
    ids: BTreeSet<SmoochId>,
    values: BTreeMap<(Field, JsonText), Said<S>>,
    clients: Vec<(BTreeMap<ClientId, Client>, (Seq, S))>,
}

/// A field, as reported by Smooch or overridden by our API.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum ValueKey {
    Smooch(Field),
    Ours(Field),
}

impl ValueKey {
    fn field(&self) -> &Field {
        let (Self::Smooch(field) | Self::Ours(field)) = self;
        field
    }
}

/// The values that a record has.
fn values_of(record: &Record) -> impl Iterator<Item = (ValueKey, &JsonText)> {
    let reported = record.smooch.fields.iter();
    let reported =
        reported.filter_map(|(field, said)| Some((ValueKey::Smooch(field.clone()), said.value.as_ref()?)));
    let set = record.overrides.iter();
    let set = set.filter_map(|(field, set)| Some((ValueKey::Ours(field.clone()), set.value.value.as_ref()?)));
    reported.chain(set)
}

/// What a record has of clients, whether it shows them or not.
fn stated_clients(record: &Record) -> impl PartialEq + '_ {
    (&record.smooch.clients, &record.devices)
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
        let merging = self.merging(replay, event);
        replay.apply(event);
        for (id, before) in ids.into_iter().zip(&before) {
            self.compare(id, before, &record(replay, id), (entry.seq, source), &merging);
        }
        self.hear(event, replay, (entry.seq, source), &merging);
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

    /// What the app users that an event merges have before it.
    fn merging(&self, replay: &HistoryReplay, event: &Event) -> Merging<S> {
        let merged = event.facts.iter().filter(|fact| matches!(fact, Fact::Merged { .. }));
        let ids: BTreeSet<SmoochId> = merged.flat_map(Fact::users).flatten().cloned().collect();
        let (mut values, mut clients) = (BTreeMap::new(), Vec::new());
        for group in ids.iter().filter_map(|id| replay.group(id)) {
            for (id, record) in group.ids().zip(group.records()) {
                for (key, value) in values_of(record) {
                    let (field, said) = (key.field().clone(), self.said.get(&(id.clone(), key)));
                    let Some(said) = said else { continue };
                    let known: &mut Said<S> =
                        values.entry((field, value.clone())).or_insert_with(|| said.clone());
                    if said.rank() < known.rank() {
                        *known = said.clone();
                    }
                }
                let source = self.clients.get(id).cloned();
                clients.extend(source.map(|source| (View::alone(id, record).clients, source)));
            }
        }
        Merging { ids, values, clients }
    }

    fn compare(
        &mut self,
        id: &SmoochId,
        before: &Record,
        now: &Record,
        (seq, source): (Seq, &S),
        merging: &Merging<S>,
    ) {
        let by_merge = merging.ids.contains(id);
        let known: BTreeMap<ValueKey, &JsonText> = values_of(before).collect();
        for (key, value) in values_of(now).filter(|(key, value)| known.get(key) != Some(value)) {
            let repeated = merging.values.get(&(key.field().clone(), value.clone())).filter(|_| by_merge);
            let said = repeated.cloned().unwrap_or_else(|| Said { seq, source: source.clone(), by_merge });
            self.said.insert((id.clone(), key), said);
        }
        let [was, is] = [before, now].map(|record| View::alone(id, record).clients);
        if was != is {
            let held = |(id, client): (&ClientId, &Client)| {
                merging.clients.iter().any(|(held, _)| held.get(id) == Some(client))
            };
            let repeats = by_merge && was.keys().all(|id| is.contains_key(id)) && is.iter().all(held);
            let repeated = merging.clients.iter().map(|(_, source)| source).max_by_key(|(seq, _)| *seq);
            let set = repeated.filter(|_| repeats).cloned().unwrap_or_else(|| (seq, source.clone()));
            self.clients.insert(id.clone(), set);
        } else if is.is_empty() && stated_clients(before) != stated_clients(now) {
            // A client that the record itself does not show, because it was removed under another of its ids, is shown
            // once a merge brings a later statement about it.
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

    /// Records an event that says a value that a record has from a merge alone.
    fn hear(
        &mut self,
        event: &Event,
        replay: &HistoryReplay,
        (seq, source): (Seq, &S),
        merging: &Merging<S>,
    ) {
        let seen = event.facts.iter().filter_map(|fact| match fact {
            Fact::Seen(seen) if !merging.ids.contains(&seen.user) => Some(seen),
            _ => None,
        });
        for seen in seen {
            let Some(record) = replay.record(&seen.user) else { continue };
            for (field, value) in &seen.fields {
                let has = record.smooch.fields.get(field).is_some_and(|has| has.value == *value);
                let key = (seen.user.clone(), ValueKey::Smooch(field.clone()));
                if let Some(said) = self.said.get_mut(&key).filter(|said| has && said.by_merge) {
                    *said = Said { seq, source: source.clone(), by_merge: false };
                }
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
            let key = if ours { ValueKey::Ours(field.clone()) } else { ValueKey::Smooch(field.clone()) };
            let said = self.said.get(&(id.clone(), key))?;
            // Another record of the group may have the value from an event that came later than the merge.
            let others =
                group.ids().zip(group.records()).filter(|_| said.by_merge).flat_map(|(id, record)| {
                    let same = values_of(record)
                        .filter(|(key, has)| key.field() == field && *has == &view.fields[field]);
                    same.filter_map(|(key, _)| self.said.get(&(id.clone(), key)))
                });
            let said = others.chain([said]).min_by_key(|said| said.rank())?;
            Some((field.to_string(), said.source.clone()))
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
