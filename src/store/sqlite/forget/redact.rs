//! The journal without the erased: an entry that is about nobody else goes, every other one is reduced to what
//! it says of others.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use rusqlite::{OptionalExtension, params};

use super::{ENTRIES, Forget};
use crate::domain::{Edge, Event, Fact, Register, SmoochId};
use crate::store::sqlite::base::end_of_batch;
use crate::store::sqlite::bodies::{DICTIONARY, Packer};
use crate::store::sqlite::reader::{ENTRY, bodies, entry, first_of_batch};
use crate::store::sqlite::{Error, Result, trouble};
use crate::store::{Entry, Seq, Source};

/// A merge that was derived: an app user made here, and whom Smooch reported under its `userId`.
pub(super) struct MadeOne {
    pub(super) id: SmoochId,
    pub(super) into: SmoochId,
    pub(super) edge: Register<Edge>,
}

impl Forget<'_> {
    /// Reduces the newest of these entries and goes back to those before them: where to go on.
    pub(super) fn journal(&mut self, mut from: BTreeSet<Seq>) -> Result<BTreeSet<Seq>> {
        let mut batches: BTreeMap<Option<i64>, Vec<Entry>> = BTreeMap::new();
        for _ in 0..ENTRIES {
            let Some(seq) = from.pop_last() else { break };
            let Some(entry) = self.entry(seq)? else { continue };
            let own = entry.users.iter().filter(|(id, _)| self.work.ids.contains(id));
            from.extend(own.filter_map(|(_, previous)| *previous));
            let batch = first_of_batch(self.conn, seq)?;
            batches.entry(batch).or_default().push(entry);
        }
        for (batch, entries) in batches {
            match batch {
                Some(first) => self.reduce(first, &entries)?,
                None => entries.iter().try_for_each(|entry| self.without_body(entry))?,
            }
        }
        Ok(from)
    }

    /// Reduces the entries of the app's own journal that mention the person, and goes back.
    pub(super) fn own(&mut self, from: Seq) -> Result<Option<Seq>> {
        let mut at = Some(from);
        let mut batch: (Option<i64>, Vec<Bytes>) = (None, Vec::new());
        let mut found: BTreeMap<i64, Vec<Entry>> = BTreeMap::new();
        for _ in 0..ENTRIES {
            let Some(entry) = at.map(|seq| self.entry(seq)).transpose()?.flatten() else { break };
            at = entry.users.iter().find(|(id, _)| id.is_app()).and_then(|(_, previous)| *previous);
            let first = first_of_batch(self.conn, entry.seq)?;
            if batch.0 != first {
                batch = (first, first.map_or(Ok(Vec::new()), |first| bodies(self.conn, first))?);
            }
            let body = batch.1.get(entry.body);
            if let Some(first) = first
                && body.is_some_and(|body| self.work.needles.mentioned_in(body))
            {
                found.entry(first).or_default().push(entry);
            }
        }
        found.into_iter().try_for_each(|(first, entries)| self.reduce(first, &entries))?;
        Ok(at)
    }

    fn entry(&self, seq: Seq) -> Result<Option<Entry>> {
        let sql = format!("SELECT {ENTRY} FROM journal WHERE seq = ?1");
        let mut select = self.conn.prepare_cached(&sql).map_err(trouble)?;
        let found = select.query_row([seq as i64], |row| Ok(entry(row))).optional().map_err(trouble)?;
        Ok(found.transpose()?.filter(|entry| entry.app == *self.app))
    }

    /// An entry that is in the base and has lost its body.
    fn without_body(&mut self, entry: &Entry) -> Result<()> {
        if entry.users.iter().all(|(id, _)| self.work.ids.contains(id)) {
            return self.delete(entry);
        }
        self.rewrite(&Entry { users: self.unlinked(entry), ..entry.clone() })
    }

    /// Takes the bodies of these entries of a batch out, and with them every event that came in one of them;
    /// what these say of others gets a body of its own.
    fn reduce(&mut self, first: i64, entries: &[Entry]) -> Result<()> {
        let mut all = bodies(self.conn, first)?;
        let affected: BTreeSet<usize> = entries.iter().map(|entry| entry.body).collect();
        let made_one = self.made_one()?;
        let mut changed = false;
        for entry in self.of_bodies(first, &affected)? {
            let Some(body) = all.get(entry.body) else { continue };
            let event = (self.read)(entry.source, body, entry.place);
            let reduced = event.clone().map(|event| self.reduced(event, &made_one));
            let same =
                event.zip(reduced.as_ref()).is_some_and(|(event, reduced)| event.facts == reduced.facts);
            let linked = entry.users.iter().any(|(id, at)| at.is_some() && self.work.ids.contains(id));
            if same && entry.source != Source::Webhook && !linked {
                continue;
            }
            changed = true;
            self.replace(&entry, reduced.as_ref(), &mut all)?;
        }
        if !changed {
            return Ok(());
        }
        for body in affected {
            let sql = "SELECT EXISTS (SELECT 1 FROM journal WHERE seq >= ?1 AND seq < ?2 AND body = ?3)";
            let range = params![first, end_of_batch(self.conn, first)?, body as i64];
            let needed: bool = self.conn.query_row(sql, range, |row| row.get(0)).map_err(trouble)?;
            if let Some(body) = all.get_mut(body).filter(|_| !needed) {
                *body = Bytes::new();
            }
        }
        self.pack(first, &all)
    }

    /// The entries of a batch that came in these bodies.
    fn of_bodies(&self, first: i64, bodies: &BTreeSet<usize>) -> Result<Vec<Entry>> {
        let sql = format!("SELECT {ENTRY} FROM journal WHERE seq >= ?1 AND seq < ?2 ORDER BY seq");
        let mut select = self.conn.prepare_cached(&sql).map_err(trouble)?;
        let mut rows = select.query([first, end_of_batch(self.conn, first)?]).map_err(trouble)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(trouble)? {
            found.push(entry(row)?);
        }
        found.retain(|entry| bodies.contains(&entry.body));
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
        let mut reduced = event.without(|id| self.work.ids.contains(id));
        reduced.facts.extend(derived);
        reduced
    }

    fn replace(&mut self, entry: &Entry, reduced: Option<&Event>, all: &mut Vec<Bytes>) -> Result<()> {
        let about_others = entry.users.iter().any(|(id, _)| !self.work.ids.contains(id));
        let Some(reduced) = reduced.filter(|event| about_others || !event.facts.is_empty()) else {
            return self.delete(entry);
        };
        let text = serde_json::to_vec(reduced).map_err(|error| Error::Unavailable(error.to_string()))?;
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
        let mut update = self.conn.prepare_cached(sql).map_err(trouble)?;
        let users: Vec<(&str, Option<Seq>)> = entry.users.iter().map(|(id, at)| (id.as_str(), *at)).collect();
        let source = crate::store::sqlite::txn::source_name(entry.source);
        let row =
            params![entry.seq as i64, source, super::json(&users)?, entry.body as i64, entry.place as i64];
        update.execute(row).map_err(trouble)?;
        self.counts.journal_reduced += 1;
        Ok(())
    }

    fn delete(&mut self, entry: &Entry) -> Result<()> {
        self.conn.execute("DELETE FROM journal WHERE seq = ?1", [entry.seq as i64]).map_err(trouble)?;
        self.counts.journal_entries += 1;
        Ok(())
    }

    /// Writes the bodies of a batch anew; a batch without any keeps its row, which tells where it begins.
    fn pack(&mut self, first: i64, all: &[Bytes]) -> Result<()> {
        let length = "SELECT length(bodies) FROM bodies WHERE first_seq = ?1";
        let before: i64 = self.conn.query_row(length, [first], |row| row.get(0)).map_err(trouble)?;
        let packed = Packer::new()?.pack(all)?;
        let sql = "UPDATE bodies SET dictionary = ?2, bodies = ?3 WHERE first_seq = ?1";
        self.conn.execute(sql, params![first, DICTIONARY, packed]).map_err(trouble)?;
        self.kept.resize(first, before, packed.len() as i64);
        Ok(())
    }
}
