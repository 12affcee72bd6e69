//! The journal without the erased: an entry that is about nobody else goes, every other one is reduced to what
//! it says of others.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use rusqlite::params;

use super::ids::IdSet;
use super::work::{Forget, MadeOne};
use crate::directory::journal::read_batch;
use crate::domain::{CallMade, Event, Fact, SmoochId, Stamp, entry_body};
use crate::format::bodies::{DICTIONARY, Packer};
use crate::store::rows::JournalRows as _;
use crate::store::sqlite::journal_rows::{ENTRY, end_of_batch, entry};
use crate::store::sqlite::{Error, Result, gaps};
use crate::store::{Entry, Seq, Source};

/// Entries of the person's journal that one step looks at.
const ENTRIES: usize = 8;
/// Bytes of bodies that one step searches, and batches.
const SEARCHED: usize = 128 << 10;
const BATCHES: usize = 64;

impl Forget<'_> {
    /// Reduces the newest of these entries and goes back to those before them: where to go on.
    pub(super) fn journal(&mut self, mut from: BTreeSet<Seq>) -> Result<BTreeSet<Seq>> {
        let mut batches: BTreeMap<Option<i64>, Vec<Entry>> = BTreeMap::new();
        for _ in 0..ENTRIES {
            let Some(seq) = from.pop_last() else { break };
            let Some(entry) = self.entry(seq)? else { continue };
            let own = entry.users.iter().filter(|(id, _)| self.work.ids.contains(id));
            from.extend(own.filter_map(|(_, previous)| *previous));
            let batch = self.conn.first_of_batch(seq)?.map(|first| first as i64);
            batches.entry(batch).or_default().push(entry);
        }
        for (batch, entries) in batches {
            match batch {
                Some(first) => self.reduce(first, &entries.iter().map(|entry| entry.body).collect())?,
                None => entries.iter().try_for_each(|entry| self.without_body(entry))?,
            }
        }
        Ok(from)
    }

    /// Reduces whatever else names the person, in the bodies of the batches after this one: where to go on.
    pub(super) fn bodies(&mut self, after: i64) -> Result<Option<i64>> {
        let ids = IdSet::of(&self.work.ids);
        let (mut at, mut searched) = (after, 0);
        for _ in 0..BATCHES {
            let sql = "SELECT min(first_seq) FROM bodies WHERE first_seq > ?1";
            let mut next = self.conn.prepare_cached(sql)?;
            let next: Option<i64> = next.query_row([at], |row| row.get(0))?;
            let Some(first) = next else { return Ok(None) };
            let all = read_batch(self.conn, first as Seq)?;
            let mentions = |body: &Bytes| ids.named_in(body) || self.work.needles.mentioned_in(body);
            let found = all.iter().enumerate().filter(|(_, body)| mentions(body)).map(|(n, _)| n).collect();
            let named = self.of_the_person(first, &found, |n| {
                all.get(n).is_some_and(|body| ids.named_in(body) || self.work.needles.named_in(body))
            })?;
            if !named.is_empty() {
                self.reduce(first, &named)?;
            }
            at = first;
            searched += all.iter().map(Bytes::len).sum::<usize>();
            if searched >= SEARCHED {
                break;
            }
        }
        Ok(Some(at))
    }

    /// Of the bodies of a batch that mention the person in any way: those that are about no app user, and those
    /// about others that name the person.
    fn of_the_person(
        &self,
        first: i64,
        found: &BTreeSet<usize>,
        named: impl Fn(usize) -> bool,
    ) -> Result<BTreeSet<usize>> {
        if found.is_empty() {
            return Ok(BTreeSet::new());
        }
        let entries = self.of_bodies(first, found)?;
        let is_meant = |entry: &&Entry| entry.users.iter().all(|(id, _)| id.is_app()) || named(entry.body);
        Ok(entries.iter().filter(is_meant).map(|entry| entry.body).collect())
    }

    fn entry(&self, seq: Seq) -> Result<Option<Entry>> {
        let found = self.conn.entries(&[seq])?.pop().flatten();
        Ok(found.filter(|entry| entry.app == *self.app))
    }

    /// An entry that is in the base and has lost its body.
    fn without_body(&mut self, entry: &Entry) -> Result<()> {
        if entry.users.iter().all(|(id, _)| self.work.ids.contains(id)) {
            return self.delete(entry);
        }
        self.rewrite(&Entry { users: self.unlinked(entry), ..entry.clone() })
    }

    /// Takes these bodies of a batch out, and with them every event that came in one of them; what these say of
    /// others gets a body of its own.
    fn reduce(&mut self, first: i64, affected: &BTreeSet<usize>) -> Result<()> {
        let mut all = read_batch(self.conn, first as Seq)?;
        let made_one = self.made_one()?;
        let mut changed = false;
        for entry in self.of_bodies(first, affected)? {
            let Some(body) = all.get(entry.body) else { continue };
            let event = (self.reading.event)(entry.source, body, entry.place);
            let event = event.unwrap_or_else(|| unreadable(&entry));
            let reduced = self.reduced(event.clone(), &made_one);
            let same = event.facts == reduced.facts;
            let call = CallMade::of(body).filter(|_| entry.source == Source::Api);
            let as_made = call.as_ref().is_some_and(|call| !call.erased);
            let linked = entry.users.iter().any(|(id, at)| at.is_some() && self.work.ids.contains(id));
            if same && entry.source != Source::Webhook && !linked && !as_made {
                continue;
            }
            changed = true;
            let left = call.map(CallMade::without_the_erased);
            self.replace(&entry, &reduced, left.as_ref(), &mut all)?;
        }
        if !changed {
            return Ok(());
        }
        for body in affected {
            let sql = "SELECT EXISTS (SELECT 1 FROM journal WHERE seq >= ?1 AND seq < ?2 AND body = ?3)";
            let range = params![first, end_of_batch(self.conn, first)?, *body as i64];
            let needed: bool = self.conn.query_row(sql, range, |row| row.get(0))?;
            if let Some(body) = all.get_mut(*body).filter(|_| !needed) {
                *body = Bytes::new();
            }
        }
        self.pack(first, &all)
    }

    /// The entries of a batch that came in these bodies of the app.
    fn of_bodies(&self, first: i64, bodies: &BTreeSet<usize>) -> Result<Vec<Entry>> {
        let sql = format!("SELECT {ENTRY} FROM journal WHERE seq >= ?1 AND seq < ?2 ORDER BY seq");
        let mut select = self.conn.prepare_cached(&sql)?;
        let mut rows = select.query([first, end_of_batch(self.conn, first)?])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(entry(row)?);
        }
        found.retain(|entry| entry.app == *self.app && bodies.contains(&entry.body));
        Ok(found)
    }

    fn reduced(&self, event: Event, made_one: &[MadeOne]) -> Event {
        let is_here = |made: &&MadeOne| made.edge.stamp == event.stamp && event.users().contains(&&made.id);
        let derived = made_one.iter().filter(is_here).map(|made| Fact::Merged {
            surviving: made.into.clone(),
            discarded: made.id.clone(),
            reason: made.edge.value.reason,
        });
        let derived: Vec<Fact> = derived.filter(|fact| !event.facts.contains(fact)).collect();
        let mut reduced = event.without_erased(|id| self.work.ids.contains(id));
        reduced.facts.extend(derived);
        reduced
    }

    /// Keeps of an entry what it says of others, and that a call was made.
    fn replace(
        &mut self,
        entry: &Entry,
        reduced: &Event,
        call: Option<&CallMade>,
        all: &mut Vec<Bytes>,
    ) -> Result<()> {
        let about_others = entry.users.iter().any(|(id, _)| !self.work.ids.contains(id));
        if !about_others && reduced.facts.is_empty() {
            return self.delete(entry);
        }
        let text = entry_body(reduced, call).map_err(|error| Error::Unavailable(error.to_string()))?;
        all.push(Bytes::from(text));
        let source = if entry.source == Source::Api { Source::Api } else { Source::Reduced };
        let (users, body) = (self.unlinked(entry), all.len() - 1);
        self.rewrite(&Entry { users, source, body, place: 0, ..entry.clone() })
    }

    /// Whom an entry touched. The erased keep their place, since that of the others depends on it.
    fn unlinked(&self, entry: &Entry) -> Vec<(SmoochId, Option<Seq>)> {
        let unlink = |id: &SmoochId, at: Option<Seq>| at.filter(|_| !self.work.ids.contains(id));
        entry.users.iter().map(|(id, at)| (id.clone(), unlink(id, *at))).collect()
    }

    fn rewrite(&mut self, entry: &Entry) -> Result<()> {
        let sql = "UPDATE journal SET source = ?2, users = ?3, body = ?4, place = ?5 WHERE seq = ?1";
        let mut update = self.conn.prepare_cached(sql)?;
        let users: Vec<(&str, Option<Seq>)> = entry.users.iter().map(|(id, at)| (id.as_str(), *at)).collect();
        let source = entry.source.as_str();
        let row =
            params![entry.seq as i64, source, super::json(&users)?, entry.body as i64, entry.place as i64];
        update.execute(row)?;
        self.counts.journal_reduced += 1;
        Ok(())
    }

    fn delete(&mut self, entry: &Entry) -> Result<()> {
        gaps::add_gap(self.conn, entry.seq)?;
        self.conn.execute("DELETE FROM journal WHERE seq = ?1", [entry.seq as i64])?;
        self.counts.journal_entries += 1;
        Ok(())
    }

    /// Writes the bodies of a batch anew; a batch without any keeps its row, which tells where it begins.
    fn pack(&mut self, first: i64, all: &[Bytes]) -> Result<()> {
        let length = "SELECT length(bodies) FROM bodies WHERE first_seq = ?1";
        let before: i64 = self.conn.query_row(length, [first], |row| row.get(0))?;
        let packed = Packer::new()?.pack(all)?;
        let sql = "UPDATE bodies SET dictionary = ?2, bodies = ?3 WHERE first_seq = ?1";
        self.conn.execute(sql, params![first, DICTIONARY, packed])?;
        self.kept.resize(first, before, packed.len() as i64);
        Ok(())
    }
}

/// What is left of an event that cannot be read any more.
fn unreadable(entry: &Entry) -> Event {
    let time = entry.event_time.unwrap_or(Stamp::NO_TIME);
    let stamp = Stamp { time, event: "".into(), digest: entry.digest };
    Event { trigger: (&*entry.trigger).into(), stamp: stamp.into(), facts: Vec::new() }
}
