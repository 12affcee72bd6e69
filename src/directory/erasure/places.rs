//! Redacts the feed, the stored answers, the quarantine and the audit log; and finds what the quarantine holds of an
//! app user.

use std::collections::BTreeSet;

use super::ErasurePass;
use super::ids::IdSet;
use crate::directory::load::Loader;
use crate::directory::reader::DirectoryReader;
use crate::domain::command::{CommandOutcome, Refusal};
use crate::domain::{AppId, SmoochId};
use crate::format::erasure_work::Needles;
use crate::store::tables::{
    AnswerText, AuditRequest, AuditedUsers, ChangeFields, IdentifierKind, QUARANTINE, QuarantinedBody,
    StoredChange,
};
use crate::store::{Error, Quarantined, ReadRow as _, Result, Seq, Write};

/// Changes, answers and bodies that one step looks at.
const CHANGES: usize = 256;
const ANSWERS: usize = 64;
const QUARANTINED: usize = 2;
const MENTIONED: usize = 16;
const AUDITED: usize = 256;

impl ErasurePass<'_> {
    /// Changes stay, since their numbers have no gap; the names of their fields go. Returns where to continue.
    pub(super) fn redact_changes(&mut self, after: u64) -> Result<Option<u64>> {
        let changes =
            StoredChange::select().is("app", self.app).above("seq", &after).limit(CHANGES).read(self.rows)?;
        for stored in &changes {
            let (user, fields) = (&stored.change.user, &stored.change.fields);
            let left: Vec<String> = if self.work.ids.contains(user) {
                Vec::new()
            } else if self.work.needles.kin.contains(user) {
                fields.iter().filter(|name| !self.work.needles.fields.contains(*name)).cloned().collect()
            } else {
                continue;
            };
            if left.len() < fields.len() {
                let (app, seq) = (self.app.clone(), stored.seq);
                self.writes.push(Write::update(&ChangeFields { app, seq, fields: left }));
                self.counts.changes += 1;
            }
        }
        Ok(changes.last().map(|stored| stored.seq))
    }

    /// A call that is repeated is answered that there is no such app user: carried out again, it would bring it back.
    /// Returns where to continue.
    pub(super) fn redact_answers(&mut self, after: i64) -> Result<Option<i64>> {
        let no_user: Result<CommandOutcome, Refusal> = Err(Refusal::NoUser);
        let no_user = postcard::to_stdvec(&no_user).map_err(|error| Error::Unavailable(error.to_string()))?;
        let answers =
            AnswerText::select().is("app", self.app).after(&after).limit(ANSWERS).read(self.rows)?;
        for AnswerText { row, answer } in &answers {
            if self.work.needles.shown_in(&self.work.ids, answer) {
                self.writes.push(Write::update(&AnswerText { row: *row, answer: no_user.clone() }));
                self.counts.answers += 1;
            }
        }
        Ok(answers.last().map(|answer| answer.row))
    }

    /// Of a body that mentions the erased, the events that do not may stay. Returns where to continue.
    pub(super) fn redact_quarantine(&mut self, after: u64) -> Result<Option<u64>> {
        let ids = IdSet::of(&self.work.ids);
        let is_named = |text: &[u8]| ids.named_in(text) || self.work.needles.mentioned_in(text);
        let found = <(Seq, Quarantined)>::select().after(&after).limit(QUARANTINED).read(self.rows)?;
        for (seq, stored) in found.iter().filter(|(_, stored)| stored.app == *self.app) {
            let is_in_headers = is_named(stored.headers.as_bytes());
            if !is_in_headers && !is_named(&stored.body) {
                continue;
            }
            let others = || (self.reading.without)(&stored.body, &|text| is_named(text));
            let count = &mut self.bodies.quarantine;
            count.remove(stored.body.len() as u64);
            self.writes.push(match others().filter(|_| !is_in_headers) {
                Some(body) => {
                    count.add(body.len() as u64);
                    Write::update(&QuarantinedBody { seq: *seq, body })
                }
                None => Write::delete(&QUARANTINE, &[*seq]),
            });
            self.counts.quarantine += 1;
        }
        Ok(found.last().map(|(seq, _)| *seq))
    }

    /// Entries stay; of what they say of the erased only the `_id` does: a caller may put anything into the id of a
    /// request. Returns where to continue.
    pub(super) fn redact_audit(&mut self, after: u64) -> Result<Option<u64>> {
        let entries = AuditedUsers::select().after(&after).limit(AUDITED).read(self.rows)?;
        for AuditedUsers { seq, app, ids, request } in &entries {
            let is_theirs = app.as_ref().is_none_or(|app| app == self.app)
                && ids.iter().any(|id| self.work.ids.contains(id));
            if is_theirs && request.is_some() {
                self.writes.push(Write::update(&AuditRequest { seq: *seq, request: None }));
            }
        }
        Ok(entries.last().map(|entry| entry.seq))
    }
}

impl DirectoryReader {
    /// The bodies in quarantine that mention one of these app users by an `_id`, a `userId`, a client or an e-mail
    /// address, each with its number.
    pub fn find_quarantined_of(
        &self,
        app: &AppId,
        ids: &BTreeSet<SmoochId>,
    ) -> Result<Vec<(Seq, Quarantined)>> {
        let rows = &*self.snapshot()?;
        let mut loader = Loader::new(rows);
        loader.groups(ids.iter().map(|id| (app.clone(), id.clone())).collect())?;
        let record = |id: &SmoochId| loader.directory.record(&(app.clone(), id.clone()));
        let mut needles = Needles::of(ids.iter().filter_map(|id| Some((id, record(id)?))));
        for user_id in ids.iter().filter_map(record).flat_map(|record| record.user_ids()) {
            // In another brand it is that of another app user.
            if loader.with((app, IdentifierKind::UserId, user_id))?.iter().any(|other| !ids.contains(other)) {
                needles.spare(user_id);
            }
        }
        let (ids, mut found, mut after) = (IdSet::of(ids), Vec::new(), 0);
        loop {
            let page =
                <(Seq, Quarantined)>::select().is("app", app).after(&after).limit(MENTIONED).read(rows)?;
            let Some((last, _)) = page.last() else { return Ok(found) };
            after = *last;
            let is_about = |body: &[u8]| ids.read_in(body) || needles.mentioned_in(body);
            found.extend(page.into_iter().filter(|(_, stored)| is_about(&stored.body)));
        }
    }
}
