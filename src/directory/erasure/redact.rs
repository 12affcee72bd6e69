//! Redacts the journal: an entry that is about no other app user is deleted, every other one is reduced to what it says of
//! others.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::ids::IdSet;
use super::{DerivedMerge, ErasurePass};
use crate::directory::journal::{entries_of_batch, first_of_batch, read_batch};
use crate::domain::{CallMade, Event, Fact, SmoochId, Stamp, entry_body};
use crate::format::bodies::{DICTIONARY, Packer};
use crate::store::tables::{BodySize, Gap, JOURNAL, PackedBodies, ReducedEntry};
use crate::store::{Entry, Error, ReadRow as _, Result, Seq, Source, Write};

/// Entries of the erased that one step looks at.
const ENTRIES: usize = 8;
/// Bytes of bodies that one step searches, and batches.
const SEARCHED: usize = 128 << 10;
const BATCHES: usize = 64;

impl ErasurePass<'_> {
    /// Reduces the newest of these entries, and goes back to those before them. Returns where to continue.
    pub(super) fn redact_journal(&mut self, mut from: BTreeSet<Seq>) -> Result<BTreeSet<Seq>> {
        let mut batches: BTreeMap<Option<Seq>, Vec<Entry>> = BTreeMap::new();
        for _ in 0..ENTRIES {
            let Some(seq) = from.pop_last() else { break };
            let found = Entry::find(self.rows, &seq)?;
            let Some(entry) = found.filter(|entry| entry.app == *self.app) else { continue };
            let own = entry.users.iter().filter(|(id, _)| self.work.ids.contains(id));
            from.extend(own.filter_map(|(_, previous)| *previous));
            batches.entry(first_of_batch(self.rows, seq)?).or_default().push(entry);
        }
        for (batch, entries) in batches {
            match batch {
                Some(first) => {
                    self.reduce_bodies(first, &entries.iter().map(|entry| entry.body).collect())?;
                }
                None => entries.iter().try_for_each(|entry| self.reduce_without_body(entry))?,
            }
        }
        Ok(from)
    }

    /// Reduces whatever else names the erased, in the bodies of the batches after this one. Returns where to continue.
    pub(super) fn redact_bodies(&mut self, after: Seq) -> Result<Option<Seq>> {
        let ids = IdSet::of(&self.work.ids);
        let batches = BodySize::select().after(&after).limit(BATCHES).read(self.rows)?;
        let (mut at, mut searched) = (None, 0);
        for BodySize { first, .. } in batches {
            let all = read_batch(self.rows, first)?;
            let is_mentioned = |body: &Bytes| ids.named_in(body) || self.work.needles.mentioned_in(body);
            let found =
                all.iter().enumerate().filter(|(_, body)| is_mentioned(body)).map(|(n, _)| n).collect();
            let named = self.find_bodies_about(first, &found, |n| {
                all.get(n).is_some_and(|body| ids.named_in(body) || self.work.needles.named_in(body))
            })?;
            if !named.is_empty() {
                self.reduce_bodies(first, &named)?;
            }
            at = Some(first);
            searched += all.iter().map(Bytes::len).sum::<usize>();
            if searched >= SEARCHED {
                break;
            }
        }
        Ok(at)
    }

    /// Of the bodies of a batch that mention the erased in any way: those that are about no app user, and those about
    /// others that name the erased.
    fn find_bodies_about(
        &self,
        first: Seq,
        found: &BTreeSet<usize>,
        is_named: impl Fn(usize) -> bool,
    ) -> Result<BTreeSet<usize>> {
        if found.is_empty() {
            return Ok(BTreeSet::new());
        }
        let entries = entries_of_batch(self.rows, first)?;
        let of_found = entries.iter().filter(|entry| self.is_in(entry, found));
        let is_meant = |entry: &&Entry| entry.users.iter().all(|(id, _)| id.is_app()) || is_named(entry.body);
        Ok(of_found.filter(is_meant).map(|entry| entry.body).collect())
    }

    /// Whether an entry is of the app, and came in one of these bodies.
    fn is_in(&self, entry: &Entry, bodies: &BTreeSet<usize>) -> bool {
        entry.app == *self.app && bodies.contains(&entry.body)
    }

    /// Reduces a compacted entry that has lost its body.
    fn reduce_without_body(&mut self, entry: &Entry) -> Result<()> {
        if entry.users.iter().all(|(id, _)| self.work.ids.contains(id)) {
            return self.delete_entry(entry);
        }
        let users = self.unlink_erased(entry);
        let Entry { seq, source, body, place, .. } = *entry;
        self.reduce_entry(&ReducedEntry { seq, source, users, body, place })
    }

    /// Removes these bodies of a batch, and with them every event that came in one of them; what these say of others
    /// gets a body of its own.
    fn reduce_bodies(&mut self, first: Seq, affected: &BTreeSet<usize>) -> Result<()> {
        let mut bodies = read_batch(self.rows, first)?;
        let merges = self.derived_merges()?;
        let entries = entries_of_batch(self.rows, first)?;
        // The bodies that the other entries of the batch came in, of whatever app.
        let mut needed: BTreeSet<usize> = BTreeSet::new();
        let mut has_changed = false;
        for entry in entries {
            let body = bodies.get(entry.body).filter(|_| self.is_in(&entry, affected));
            let reduced = body.and_then(|body| self.reduce_event(&entry, body, &merges));
            let Some((reduced, call)) = reduced else {
                needed.insert(entry.body);
                continue;
            };
            has_changed = true;
            needed.extend(self.write_reduced(&entry, &reduced, call.as_ref(), &mut bodies)?);
        }
        if !has_changed {
            return Ok(());
        }
        for n in affected.difference(&needed) {
            if let Some(body) = bodies.get_mut(*n) {
                *body = Bytes::new();
            }
        }
        self.replace_bodies(first, &bodies)
    }

    /// The event of an entry without the erased, and the call that made it, if there was one. `None` if nothing of the
    /// entry is about the erased.
    fn reduce_event(
        &self,
        entry: &Entry,
        body: &Bytes,
        merges: &[DerivedMerge],
    ) -> Option<(Event, Option<CallMade>)> {
        let event = (self.reading.event)(entry.source, body, entry.place);
        let event = event.unwrap_or_else(|| unreadable_event(entry));
        let reduced = self.without_erased(event.clone(), merges);
        let call = CallMade::of(body).filter(|_| entry.source == Source::Api);
        let is_as_made = call.as_ref().is_some_and(|call| !call.erased);
        let is_linked = entry.users.iter().any(|(id, at)| at.is_some() && self.work.ids.contains(id));
        let is_same = event.facts == reduced.facts;
        if is_same && entry.source != Source::Webhook && !is_linked && !is_as_made {
            return None;
        }
        Some((reduced, call.map(CallMade::without_the_erased)))
    }

    fn without_erased(&self, event: Event, merges: &[DerivedMerge]) -> Event {
        let is_here =
            |merge: &&DerivedMerge| merge.edge.stamp == event.stamp && event.users().contains(&&merge.id);
        let derived = merges.iter().filter(is_here).map(|merge| Fact::Merged {
            surviving: merge.into.clone(),
            discarded: merge.id.clone(),
            reason: merge.edge.value.reason,
        });
        let derived: Vec<Fact> = derived.filter(|fact| !event.facts.contains(fact)).collect();
        let mut reduced = event.without_erased(|id| self.work.ids.contains(id));
        reduced.facts.extend(derived);
        reduced
    }

    /// Leaves of an entry what it says of others, and that a call was made. Returns its new body; none if it is deleted.
    fn write_reduced(
        &mut self,
        entry: &Entry,
        reduced: &Event,
        call: Option<&CallMade>,
        bodies: &mut Vec<Bytes>,
    ) -> Result<Option<usize>> {
        let is_about_others = entry.users.iter().any(|(id, _)| !self.work.ids.contains(id));
        if !is_about_others && reduced.facts.is_empty() {
            self.delete_entry(entry)?;
            return Ok(None);
        }
        let text = entry_body(reduced, call).map_err(|error| Error::Unavailable(error.to_string()))?;
        bodies.push(Bytes::from(text));
        let source = if entry.source == Source::Api { Source::Api } else { Source::Reduced };
        let (users, body) = (self.unlink_erased(entry), bodies.len() - 1);
        self.reduce_entry(&ReducedEntry { seq: entry.seq, source, users, body, place: 0 })?;
        Ok(Some(body))
    }

    /// The app users of an entry. The erased keep their place, since that of the others depends on it, but not the link
    /// to their entry before.
    fn unlink_erased(&self, entry: &Entry) -> Vec<(SmoochId, Option<Seq>)> {
        let unlink = |id: &SmoochId, at: Option<Seq>| at.filter(|_| !self.work.ids.contains(id));
        entry.users.iter().map(|(id, at)| (id.clone(), unlink(id, *at))).collect()
    }

    fn reduce_entry(&mut self, entry: &ReducedEntry) -> Result<()> {
        self.writes.push(Write::update(entry));
        self.counts.journal_reduced += 1;
        Ok(())
    }

    /// Deletes an entry, whose number then rightly has none.
    fn delete_entry(&mut self, Entry { seq, .. }: &Entry) -> Result<()> {
        self.writes.push(Write::add(&Gap { first: *seq, last: *seq }));
        self.writes.push(Write::delete(&JOURNAL, &[*seq]));
        self.counts.journal_entries += 1;
        Ok(())
    }

    /// Writes the bodies of a batch anew; a batch without any keeps its row, which says where it begins.
    fn replace_bodies(&mut self, first: Seq, bodies: &[Bytes]) -> Result<()> {
        let before = PackedBodies::find(self.rows, &first)?.map_or(0, |packed| packed.bytes.len());
        let bytes = Packer::new()?.pack(bodies)?;
        self.bodies.journal.resize(first, before as u64, bytes.len() as u64);
        self.writes.push(Write::put(&PackedBodies { first, dictionary: DICTIONARY, bytes }));
        Ok(())
    }
}

/// What is left of an event that cannot be read any more.
fn unreadable_event(entry: &Entry) -> Event {
    let time = entry.event_time.unwrap_or(Stamp::NO_TIME);
    let stamp = Stamp { time, event: "".into(), digest: entry.digest };
    Event { trigger: (&*entry.trigger).into(), stamp: stamp.into(), facts: Vec::new() }
}
