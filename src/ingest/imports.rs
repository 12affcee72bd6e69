//! Imports of app users: only what is new is applied and journalled.

use super::batch::BatchBuilder;
use super::commands::redact_call;
use super::job::{BatchError, ImportJob, ImportResult};
use crate::directory::DirectoryTransaction;
use crate::domain::{AppId, Fact, JsonText, Reason};

fn user_ids(fact: &Fact) -> impl Iterator<Item = &JsonText> {
    let known = if let Fact::Known(known) = fact { Some(known) } else { None };
    known.into_iter().flat_map(|known| {
        known.reported_user_ids().chain(known.created_for_user_id().map(|(_, user_id)| user_id))
    })
}

impl BatchBuilder<'_> {
    /// Applies and journals what is new. Writes nothing if all is known, and nothing of erased app users.
    pub(super) fn add_import(
        &mut self,
        txn: &DirectoryTransaction<'_>,
        job: &ImportJob,
    ) -> Result<ImportResult, BatchError> {
        let app = &job.app;
        let mut event = self.without_the_erased(app, &job.event);
        if event.facts.iter().flat_map(user_ids).any(|user_id| self.is_erased_name(txn, app, user_id)) {
            return Ok(ImportResult::NamesErased);
        }
        let same: Vec<Fact> = event.facts.iter().filter_map(|fact| self.same_person(app, fact)).collect();
        event.facts.extend(same);
        if self.batch.directory.contains_facts(app, &event.facts) {
            return Ok(ImportResult::AlreadyKnown);
        }
        self.apply(app, &event)?;
        // An imported merge or removal may erase as well.
        let event = self.without_the_erased(app, &event);
        let first = self.batch.entries.len();
        self.append_call(app, job.received, &event, Some(&redact_call(txn, app, &job.call)))?;
        self.audit_import(&job.by, app, first);
        Ok(ImportResult::Learned)
    }

    /// The merge of an `_id` that was made for a `userId` into the app user who carries that `userId`. `None` if the
    /// `_id` is known already, or known to be another person.
    fn same_person(&self, app: &AppId, fact: &Fact) -> Option<Fact> {
        let directory = &self.batch.directory;
        let Fact::Known(made) = fact else { return None };
        let (stamp, user_id) = made.created_for_user_id()?;
        let holder = directory.merge_target_of_created(app, user_id, made.created_in_brand().as_deref())?;
        let is_one = holder.id == made.user || holder.aliases.contains(&made.user);
        let known = directory.record(&(app.clone(), made.user.clone())).is_some();
        (!is_one && !known && !made.not_merged_with.contains(&holder.id)).then(|| Fact::Linked {
            surviving: holder.id,
            discarded: made.user.clone(),
            stamp: stamp.clone(),
            joined: true,
            reason: Reason::SameUserId,
        })
    }
}
