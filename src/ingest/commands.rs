//! Commands of the API: decided against the directory of the batch, and journalled as the resulting facts.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};

use sha2::{Digest as _, Sha256};

use super::batch::BatchBuilder;
use super::job::{BatchError, CommandJob, CommandResult, IdempotencyKey, encoded};
use crate::clock::now_seconds;
use crate::directory::DirectoryTransaction;
use crate::directory::batch::{Answered, Keys};
use crate::domain::command::{Authority, CommandOutcome, Refusal};
use crate::domain::decide::{Decision, decide, may_be_shown};
use crate::domain::{AppId, CallMade, Event, Fact, Field, JsonText, SmoochId, Stamp, View, json_text};
use crate::store::{ANSWERS_KEPT, Error};

impl BatchBuilder<'_> {
    /// Executes a command. A repeated idempotency key gets the stored answer instead.
    pub(super) fn add_command(
        &mut self,
        txn: &mut DirectoryTransaction<'_>,
        job: &CommandJob,
        call: Option<&CallMade>,
    ) -> Result<CommandResult, BatchError> {
        if let Some(once) = &job.idempotency_key
            && let Some(known) = self.find_answer(txn, job, once)?
        {
            if known.fingerprint != once.fingerprint {
                return Ok(CommandResult::KeyReused);
            }
            let answer: Result<CommandOutcome, Refusal> = postcard::from_bytes(&known.answer)
                .map_err(|error| BatchError::Job(format!("a stored answer cannot be read: {error}")))?;
            let answer = match answer {
                Ok(done) => self.may_still_be_shown(txn, job, &done)?.map(|()| done),
                refused => refused,
            };
            return Ok(CommandResult::Repeated(Box::new(answer)));
        }
        let call = call.map(|call| redact_call(txn, &job.app, call));
        let answer = self.execute(txn, job, call.as_ref())?;
        if let Some(once) = &job.idempotency_key {
            self.batch.answers.push(Answered {
                app: job.app.clone(),
                key: once.key.clone(),
                fingerprint: once.fingerprint,
                time: job.received,
                answer: encoded(postcard::to_stdvec(&answer))?,
            });
        }
        Ok(CommandResult::Fresh(Box::new(answer)))
    }

    fn find_answer(
        &self,
        txn: &mut DirectoryTransaction<'_>,
        job: &CommandJob,
        once: &IdempotencyKey,
    ) -> Result<Option<Answered>, Error> {
        let here = self.batch.answers.iter().find(|known| known.app == job.app && known.key == once.key);
        let known = match here {
            Some(known) => Some(known.clone()),
            None => txn.find_answer(&job.app, &once.key)?,
        };
        Ok(known.filter(|known| job.received - known.time < ANSWERS_KEPT))
    }

    /// True if the caller may still see a stored answer. The authority of this call counts, not that of the first
    /// one.
    fn may_still_be_shown(
        &self,
        txn: &mut DirectoryTransaction<'_>,
        job: &CommandJob,
        done: &CommandOutcome,
    ) -> Result<Result<(), Refusal>, Error> {
        let (app, authority) = (&job.app, &job.command.authority);
        let here = &self.batch.directory;
        if let Authority::User(own) = authority
            && here.all_by_user_id(app, own).len() > 1
        {
            return Ok(Err(Refusal::SeveralUsers));
        }
        for id in done.user.iter().chain(&done.other).flat_map(View::ids) {
            let key = (app.clone(), id.clone());
            // For loaded records this batch is newer than the store.
            let may = if here.record(&key).is_some() {
                may_be_shown(here, app, authority, id)
            } else {
                let stored = txn.load(&Keys { named: vec![key], ..Keys::default() }, usize::MAX)?;
                may_be_shown(&stored, app, authority, id)
            };
            if may.is_err() {
                return Ok(may);
            }
        }
        Ok(Ok(()))
    }

    fn execute(
        &mut self,
        txn: &DirectoryTransaction<'_>,
        job: &CommandJob,
        call: Option<&CallMade>,
    ) -> Result<Result<CommandOutcome, Refusal>, BatchError> {
        let decided = decide(&self.batch.directory, &job.app, &job.command, &generate_id());
        let Decision { facts, user, other, created } = match decided {
            Ok(decision) => decision,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if facts.iter().filter_map(given_name).any(|name| self.is_erased_name(txn, &job.app, name)) {
            return Ok(Err(Refusal::NamesErased));
        }
        if !facts.is_empty() {
            let first = self.batch.entries.len();
            self.append_decision(job, facts, call)?;
            if let Some(by) = &job.by {
                self.audit_command(by, &job.app, &job.command.action, first);
            }
        }
        let view = |id: &SmoochId| self.batch.directory.view(&job.app, id);
        Ok(Ok(CommandOutcome { user: view(&user), other: other.as_ref().and_then(view), created }))
    }

    /// True if a `userId` is the `_id` of an app user that is erased, or that this batch erases.
    pub(super) fn is_erased_name(
        &self,
        txn: &DirectoryTransaction<'_>,
        app: &AppId,
        user_id: &JsonText,
    ) -> bool {
        let is_it = |id: &SmoochId| json_text(id.as_str()) == *user_id;
        let here = &self.batch.erasures;
        txn.names_erased(app, user_id.as_bytes())
            || here.iter().any(|erased| erased.key.0 == *app && is_it(&erased.key.1))
    }

    fn append_decision(
        &mut self,
        job: &CommandJob,
        facts: Vec<Fact>,
        call: Option<&CallMade>,
    ) -> Result<(), BatchError> {
        // Later than every event of this API and of the app users concerned, so that a client reads what it wrote.
        let heard = self.batch.directory.latest_event_time(&job.app, &facts);
        let time = (job.received * 1000).max(self.batch.clock + 1).max(heard.map_or(0, |heard| heard + 1));
        self.batch.clock = time;
        let digest = Sha256::digest(encoded(serde_json::to_vec(&(time, &facts)))?);
        let digest = std::array::from_fn(|n| digest[n]);
        let stamp = Arc::new(Stamp { time, event: "".into(), digest });
        let event = Event { trigger: job.command.action.trigger().into(), stamp, facts };
        self.apply(&job.app, &event)?;
        self.append_call(&job.app, job.received, &event, call)
    }
}

fn given_name(fact: &Fact) -> Option<&JsonText> {
    let Fact::Set { fields, .. } = fact else { return None };
    fields.iter().find(|(field, ..)| *field == Field::UserId)?.1.as_ref()
}

/// The call as the journal stores it. If it names an erased app user, everything that identifies them is left out.
pub(super) fn redact_call(txn: &DirectoryTransaction<'_>, app: &AppId, call: &CallMade) -> CallMade {
    let said = [&call.path, &call.body, &call.user_id].into_iter().flatten();
    let names_erased = said.into_iter().any(|text| txn.names_erased(app, text.as_bytes()));
    if names_erased { call.clone().without_the_erased() } else { call.clone() }
}

/// An `_id` in the format of Smooch's own: 24 lower-case hex digits, of the second, five random bytes of this process, a counter.
fn generate_id() -> SmoochId {
    static PROCESS: LazyLock<[u8; 9]> = LazyLock::new(|| {
        let mut random = [0; 9];
        getrandom::fill(&mut random).expect("the system gives random bytes");
        random
    });
    static COUNTER: LazyLock<AtomicU32> = LazyLock::new(|| {
        let start: [u8; 4] = std::array::from_fn(|n| PROCESS[5 + n]);
        AtomicU32::new(u32::from_le_bytes(start))
    });
    let second = u32::try_from(now_seconds()).unwrap_or(u32::MAX);
    let count = COUNTER.fetch_add(1, Ordering::Relaxed) & 0x00ff_ffff;
    let process: String = PROCESS[..5].iter().map(|byte| format!("{byte:02x}")).collect();
    SmoochId::from(format!("{second:08x}{process}{count:06x}").as_str())
}
