//! The worker's transaction.

use std::collections::HashMap;

use rusqlite::{OptionalExtension, params};

use super::clearing::Done;
use super::derived::{derived_error, number_error};
use super::journal_rows::users_of;
use super::listing::Listing;
use super::transaction::WriteTransaction;
use super::{Error, Kept, Result, State, checkpoint};
use crate::directory::load::Loader;
use crate::domain::{AppId, Change, ChangeKind, Digest, Record, RecordKey, SmoochId, WorkingSet};
use crate::format::bodies::DICTIONARY;
use crate::store::archive::Row;
use crate::store::{Answered, Batch, Keys, Link, Saved, Seq, Txn};

/// See [`Txn`]. What the store remembers between transactions changes only with `commit`.
pub struct SqliteTxn<'a> {
    pub(super) txn: WriteTransaction<'a>,
    pub(super) state: &'a mut State,
    next_seq: Seq,
    pub(super) clock: i64,
    feeds: HashMap<AppId, u64>,
    /// Changes that it tells.
    told: u64,
    pub(super) kept: Kept,
    cleared: Option<Done>,
    buried: Vec<(AppId, SmoochId)>,
}

impl<'a> SqliteTxn<'a> {
    pub(super) fn new(txn: WriteTransaction<'a>, state: &'a mut State) -> Self {
        let (next_seq, clock, kept) = (state.next_seq, state.clock, state.kept);
        let (feeds, buried) = (HashMap::new(), Vec::new());
        Self { txn, state, next_seq, clock, feeds, told: 0, kept, cleared: None, buried }
    }

    fn entries(&mut self, batch: &Batch) -> Result<()> {
        let sql = "INSERT INTO journal
                       (seq, app, source, received, event_time, trigger, outcome, digest, users, body, place)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
        let mut insert = self.txn.prepare_cached(sql)?;
        for entry in &batch.entries {
            let users: Vec<(&str, Option<Seq>)> =
                entry.users.iter().map(|(id, prev)| (id.as_str(), *prev)).collect();
            let users =
                serde_json::to_string(&users).map_err(|error| Error::Unavailable(error.to_string()))?;
            let outcome = entry.outcome.as_str();
            let row = params![
                entry.seq as i64,
                entry.app.as_str(),
                entry.source.as_str(),
                entry.received,
                entry.event_time,
                &*entry.trigger,
                outcome,
                entry.digest,
                users,
                entry.body as i64,
                entry.place as i64
            ];
            insert.execute(row).map_err(number_error)?;
            self.next_seq = entry.seq + 1;
        }
        if let Some(first) = batch.entries.first() {
            let packed = self.state.packer.pack(&batch.bodies)?;
            let sql = "INSERT INTO bodies (first_seq, dictionary, bodies) VALUES (?1, ?2, ?3)";
            let mut insert = self.txn.prepare_cached(sql)?;
            insert.execute(params![first.seq as i64, DICTIONARY, packed]).map_err(number_error)?;
        }
        Ok(())
    }

    fn records(&mut self, batch: &Batch) -> Result<()> {
        let mut listing = Listing::new(&self.txn, self.state.remaking);
        let mut last = 0;
        for key in &batch.directory.affected_records() {
            let Some(entry) = batch.directory.entry(key) else { continue };
            if let Some(rowid) = self.state.cache.row(key) {
                listing.change(&batch.directory, key, entry, rowid)?;
            } else {
                last = listing.add(&batch.directory, key, entry)?;
                self.state.cache.note(key, last);
            }
        }
        self.cleared = Some(self.state.clearing.step(&self.txn, listing.finish()?, last)?);
        Ok(())
    }

    /// Brings the identifiers in step with the records; gives the number of conflicts.
    fn identifiers(&self, batch: &Batch) -> Result<u64> {
        let none = Record::default();
        let (mut gone, mut new, mut conflicts) = (Vec::new(), Vec::new(), 0);
        for ((app, id), entry) in batch.directory.entries() {
            let Some(before) = &entry.before else { continue };
            let (was, is) = (before.as_ref().unwrap_or(&none).user_ids(), entry.now.user_ids());
            for user_id in was.difference(&is) {
                gone.push([app.as_str(), "userId", user_id, id.as_str()]);
            }
            for user_id in is.difference(&was) {
                conflicts += u64::from(batch.directory.is_carried_beside(app, user_id, id));
                new.push([app.as_str(), "userId", user_id, id.as_str()]);
            }
        }
        for ((app, client), _) in batch.directory.pointers() {
            for (id, [was, is]) in batch.directory.ownership_changes(app, client) {
                let kind = |holds: bool| if holds { "client" } else { "claim" };
                let row = |holds| [app.as_str(), kind(holds), client.as_str(), id.as_str()];
                gone.extend(was.map(row));
                new.extend(is.map(row));
            }
        }
        let sql = "DELETE FROM identifiers WHERE app = ?1 AND kind = ?2 AND value = ?3 AND id = ?4";
        self.run_for_each(sql, &gone)?;
        let sql = "INSERT OR IGNORE INTO identifiers (app, kind, value, id) VALUES (?1, ?2, ?3, ?4)";
        self.run_for_each(sql, &new)?;
        Ok(conflicts)
    }

    fn run_for_each(&self, sql: &str, identifiers: &[[&str; 4]]) -> Result<()> {
        if identifiers.is_empty() {
            return Ok(());
        }
        let mut statement = self.txn.prepare_cached(sql).map_err(derived_error("identifiers"))?;
        let mut rows = identifiers.iter();
        rows.try_for_each(|row| statement.execute(row).map(drop)).map_err(derived_error("identifiers"))
    }

    fn changes(&mut self, now: i64, changes: &[(AppId, Change)]) -> Result<()> {
        let sql = "INSERT INTO changes (app, seq, journal, time, kind, user, surviving, fields)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        let mut insert = self.txn.prepare_cached(sql)?;
        self.told += changes.len() as u64;
        for (app, change) in changes {
            let last = self.feeds.get(app).or_else(|| self.state.feeds.get(app)).copied().unwrap_or(0);
            self.feeds.insert(app.clone(), last + 1);
            let (kind, surviving) = (change.kind.as_str(), change.kind.surviving().map(SmoochId::as_str));
            let fields = serde_json::to_string(&change.fields)
                .map_err(|error| Error::Unavailable(error.to_string()))?;
            let journal = self.next_seq.saturating_sub(1) as i64;
            let user = change.user.as_str();
            let row = params![app.as_str(), (last + 1) as i64, journal, now, kind, user, surviving, fields];
            insert.execute(row).map_err(number_error)?;
        }
        let sql =
            "INSERT INTO feeds (app, seq) VALUES (?1, ?2) ON CONFLICT (app) DO UPDATE SET seq = excluded.seq";
        let mut count = self.txn.prepare_cached(sql)?;
        for (app, seq) in &self.feeds {
            count.execute(params![app.as_str(), *seq as i64])?;
        }
        Ok(())
    }
}

impl Txn for SqliteTxn<'_> {
    fn load(&mut self, keys: &Keys, group_members: usize) -> Result<WorkingSet> {
        Loader::bounded(&*self.txn, Some(&mut self.state.cache), group_members).load_batch(keys)
    }

    fn journalled(&mut self, (_, id): &RecordKey, from: Seq, since: i64, most: usize) -> Result<Vec<Link>> {
        let sql = "SELECT digest, received, users FROM journal WHERE seq = ?1";
        let mut select = self.txn.prepare_cached(sql)?;
        let mut links = Vec::new();
        let mut at = Some(from);
        while let Some(seq) = at.filter(|_| links.len() < most) {
            let entry: Option<(Digest, i64, String)> = select
                .query_row([seq as i64], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                .optional()?;
            let Some((digest, received, users)) = entry.filter(|(_, received, _)| *received >= since) else {
                break;
            };
            // Where the chain is damaged it ends: beyond, what is repeated is learned again, which changes nothing.
            let Ok(users) = users_of(&users) else { break };
            at = users.into_iter().find(|(user, _)| user == id).and_then(|(_, previous)| previous);
            links.push(Link { digest, received, previous: at });
        }
        Ok(links)
    }

    fn answered(&mut self, app: &AppId, key: &str) -> Result<Option<Answered>> {
        self.known_answer(app, key)
    }

    fn names_erased(&self, app: &AppId, text: &[u8]) -> bool {
        self.state.tombstones.named_in(app, text)
    }

    fn means_erased(&self, app: &AppId, id: &SmoochId) -> bool {
        self.state.tombstones.mean(app, id)
    }

    fn holds(&mut self, quarantined: Seq) -> Result<bool> {
        self.is_held(quarantined)
    }

    fn replace(&mut self, rows: &[Row], now: i64) -> Result<()> {
        let changes = self.put_right(rows)?;
        self.changes(now, &changes)
    }

    fn clock(&self) -> i64 {
        self.state.clock
    }

    fn next_seq(&self) -> Seq {
        self.next_seq
    }

    fn save(&mut self, batch: &Batch) -> Result<Saved> {
        self.entries(batch)?;
        let changes = batch.directory.changes();
        self.records(batch)?;
        let identity_conflicts = self.identifiers(batch)?;
        self.changes(batch.now, &changes)?;
        let quarantine_dropped = self.quarantine(batch)?;
        self.answers(batch)?;
        if !batch.erasures.is_empty() {
            super::forget::begin(&self.txn, &mut self.kept, &batch.erasures, batch.now)?;
            let buried = batch.erasures.iter().map(|erasure| (erasure.app.clone(), erasure.id.clone()));
            self.buried.extend(buried);
        }
        let count = |kind: fn(&ChangeKind) -> bool| {
            changes.iter().filter(|(_, change)| kind(&change.kind)).count() as u64
        };
        Ok(Saved {
            created: count(|kind| matches!(kind, ChangeKind::Created)),
            merged: count(|kind| matches!(kind, ChangeKind::Merged { .. })),
            removed: count(|kind| matches!(kind, ChangeKind::Removed)),
            erased: batch.erasures.len() as u64,
            identity_conflicts,
            quarantine_dropped,
        })
    }

    fn commit(self) -> Result<()> {
        self.state.mark.add(self.told);
        if let Err(error) = self.txn.commit() {
            self.state.mark.take_back(self.told);
            return Err(Error::from(error));
        }
        // Before anybody is told that it is stored.
        self.state.presence.check_committed(checkpoint::pages())?;
        self.state.checked = true;
        self.state.clock = self.clock;
        self.state.next_seq = self.next_seq;
        self.state.feeds.extend(self.feeds);
        self.state.kept = self.kept;
        self.buried.iter().for_each(|(app, id)| self.state.tombstones.add(app, id));
        if let Some(done) = self.cleared {
            self.state.clearing.committed(done);
        }
        Ok(())
    }
}
