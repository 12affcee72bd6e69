//! The entries of the audit log that a batch writes with its changes.

use super::batch::BatchBuilder;
use crate::domain::command::Action;
use crate::domain::{AppId, SmoochId};
use crate::store::{Actor, AuditAction, AuditEntry, AuditOutcome, Seq};

/// The name of a command in the audit log.
pub(super) fn action_of(command: &Action) -> AuditAction {
    match command {
        Action::Init { .. } => AuditAction::Init,
        Action::Create { .. } => AuditAction::Create,
        Action::Update { .. } => AuditAction::Update,
        Action::Track { .. } => AuditAction::Event,
        Action::UpdateDevice { .. } => AuditAction::Device,
        Action::Delete { .. } => AuditAction::Delete,
        Action::Erase { .. } => AuditAction::Erase,
        Action::DeleteProfile { .. } => AuditAction::DeleteProfile,
        Action::Merge { .. } => AuditAction::Merge,
        Action::Unmerge { .. } => AuditAction::Unmerge,
        Action::Secure { .. } => AuditAction::Secure,
    }
}

impl BatchBuilder<'_> {
    /// The entry for what the journal entries of this batch tell from the place `first` on. It has no request id if one
    /// of their app users is erased: a caller may put anything into that.
    fn audit_entry(&self, by: &Actor, app: &AppId, action: AuditAction, first: usize) -> AuditEntry {
        let told = &self.batch.entries[first..];
        let mut ids: Vec<SmoochId> = Vec::new();
        for (id, _) in told.iter().flat_map(|entry| &entry.users) {
            if !id.is_app() && !ids.contains(id) {
                ids.push(id.clone());
            }
        }
        let mut entry = AuditEntry::of(self.batch.now, by, action);
        if ids.iter().any(|id| self.batch.directory.is_erased(app, id)) {
            entry.request = None;
        }
        let (count, entries) = (Some(ids.len() as u64), told.iter().map(|entry| entry.seq).collect());
        AuditEntry { app: Some(app.clone()), ids, entries, count, ..entry }
    }

    /// Adds a command that was journalled from the place `first` on.
    pub(super) fn audit_command(&mut self, by: &Actor, app: &AppId, command: &Action, first: usize) {
        let entry = self.audit_entry(by, app, action_of(command), first);
        self.batch.audit.push(entry);
    }

    /// Adds an imported line that was journalled from the place `first` on; the lines of one request that are in one
    /// batch have one entry.
    pub(super) fn audit_import(&mut self, by: &Actor, app: &AppId, first: usize) {
        let entry = AuditEntry { count: Some(1), ..self.audit_entry(by, app, AuditAction::Import, first) };
        let last = self.batch.audit.last_mut().filter(|last| is_same_import(last, &entry));
        match last {
            Some(last) => {
                last.ids.extend(entry.ids);
                last.entries.extend(entry.entries);
                last.count = last.count.map(|count| count + 1);
            }
            None => self.batch.audit.push(entry),
        }
    }

    /// Makes one entry of all that this batch has from the place `first` on with the same app, action and outcome: those of
    /// a step of an operator job.
    pub(super) fn unite_audit(&mut self, first: usize, job: Seq) {
        let mut united: Vec<AuditEntry> = Vec::new();
        for mut entry in self.batch.audit.drain(first..) {
            let key = |entry: &AuditEntry| (entry.app.clone(), entry.action, entry.outcome);
            match united.iter_mut().find(|one| key(one) == key(&entry)) {
                Some(one) => {
                    one.ids.append(&mut entry.ids);
                    one.entries.append(&mut entry.entries);
                    one.bodies.append(&mut entry.bodies);
                    one.count = one.count.zip(entry.count).map(|(one, more)| one + more);
                    one.request = one.request.take().filter(|_| entry.request.is_some());
                }
                None => united.push(AuditEntry { detail: Some(format!("job {job}")), ..entry }),
            }
        }
        self.batch.audit.extend(united);
    }

    /// Adds the redrive of a body, whose events were journalled from the place `first` on.
    pub(super) fn audit_redrive(&mut self, by: &Actor, app: &AppId, body: Seq, (first, used): (usize, bool)) {
        let outcome = if used { AuditOutcome::Done } else { AuditOutcome::Failed };
        let entry = self.audit_entry(by, app, AuditAction::Redrive, first);
        self.batch.audit.push(AuditEntry { bodies: vec![body], count: Some(1), outcome, ..entry });
    }

    /// Adds the deletion of quarantined bodies.
    pub(super) fn audit_drop(&mut self, by: &Actor, app: AppId, bodies: Vec<Seq>) {
        let entry = AuditEntry::of(self.batch.now, by, AuditAction::Drop);
        self.batch.audit.push(AuditEntry {
            app: Some(app),
            count: Some(bodies.len() as u64),
            bodies,
            ..entry
        });
    }
}

fn is_same_import(last: &AuditEntry, entry: &AuditEntry) -> bool {
    let who = |entry: &AuditEntry| (entry.action, entry.who.clone(), entry.how, entry.app.clone());
    entry.request.is_some() && last.request == entry.request && who(last) == who(entry)
}
