//! Commands: decided against the directory as the batch has it, and journalled as what was decided.

use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::failure::Failure;
use super::load_plan::subjects;
use super::mint::fresh_id;
use super::queue::{Answer, Asked, Once};
use super::work::{Origin, Work};
use crate::domain::command::{Authority, Done, Refusal};
use crate::domain::decide::{Decision, decide, may_be_shown};
use crate::domain::{
    AppId, CallMade, Event, Fact, Field, SmoochId, Stamp, Text, View, entry_body, json_text,
};
use crate::store::{ANSWERS_KEPT, Answered, Error, Keys, Outcome, Source, Txn};

impl Work<'_> {
    /// Carries a command out, once: what was asked before with the same key is answered as it was.
    pub(super) fn command(
        &mut self,
        txn: &mut impl Txn,
        asked: &Asked,
        call: Option<&CallMade>,
    ) -> Result<Answer, Failure> {
        if let Some(once) = &asked.once
            && let Some(known) = self.answered(txn, asked, once)?
        {
            if known.fingerprint != once.fingerprint {
                return Ok(Answer::KeyReused);
            }
            let answer: Result<Done, Refusal> = postcard::from_bytes(&known.answer)
                .map_err(|error| Failure::Job(format!("a kept answer cannot be read: {error}")))?;
            let answer = match answer {
                Ok(done) => self.may_be_shown_again(txn, asked, &done)?.map(|()| done),
                refused => refused,
            };
            return Ok(Answer::Repeated(Box::new(answer)));
        }
        let call = call.map(|call| kept(txn, &asked.app, call));
        let answer = self.carry_out(txn, asked, call.as_ref())?;
        if let Some(once) = &asked.once {
            self.batch.answers.push(Answered {
                app: asked.app.clone(),
                key: once.key.clone(),
                fingerprint: once.fingerprint,
                time: asked.received,
                answer: written(postcard::to_stdvec(&answer))?,
            });
        }
        Ok(Answer::Fresh(Box::new(answer)))
    }

    fn answered(&self, txn: &mut impl Txn, asked: &Asked, once: &Once) -> Result<Option<Answered>, Error> {
        let here = self.batch.answers.iter().find(|known| known.app == asked.app && known.key == once.key);
        let known = match here {
            Some(known) => Some(known.clone()),
            None => txn.answered(&asked.app, &once.key)?,
        };
        Ok(known.filter(|known| asked.received - known.time < ANSWERS_KEPT))
    }

    /// Whether whoever asks again may still see what they were answered: what reaches an app user now is what counts.
    fn may_be_shown_again(
        &self,
        txn: &mut impl Txn,
        asked: &Asked,
        done: &Done,
    ) -> Result<Result<(), Refusal>, Error> {
        let (app, authority) = (&asked.app, &asked.command.authority);
        let here = &self.batch.directory;
        if let Authority::User(own) = authority
            && here.all_by_user_id(app, own).len() > 1
        {
            return Ok(Err(Refusal::SeveralUsers));
        }
        for id in done.user.iter().chain(&done.other).flat_map(View::ids) {
            let key = (app.clone(), id.clone());
            // This batch has the last word on whom it holds.
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

    fn carry_out(
        &mut self,
        txn: &impl Txn,
        asked: &Asked,
        call: Option<&CallMade>,
    ) -> Result<Result<Done, Refusal>, Failure> {
        let decided = decide(&self.batch.directory, &asked.app, &asked.command, &fresh_id());
        let Decision { facts, user, other, created } = match decided {
            Ok(decision) => decision,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if facts.iter().filter_map(given_name).any(|name| self.is_erased_name(txn, &asked.app, name)) {
            return Ok(Err(Refusal::NamesErased));
        }
        if !facts.is_empty() {
            self.decided(asked, facts, call)?;
        }
        let view = |id: &SmoochId| self.batch.directory.view(&asked.app, id);
        Ok(Ok(Done { user: view(&user), other: other.as_ref().and_then(view), created }))
    }

    /// Whether a `userId` names somebody who is erased, be it by this batch.
    pub(super) fn is_erased_name(&self, txn: &impl Txn, app: &AppId, user_id: &Text) -> bool {
        let is_it = |id: &SmoochId| json_text(id.as_str()) == *user_id;
        let here = &self.batch.erasures;
        txn.names_erased(app, user_id.as_bytes())
            || here.iter().any(|erased| erased.app == *app && is_it(&erased.id))
    }

    fn decided(&mut self, asked: &Asked, facts: Vec<Fact>, call: Option<&CallMade>) -> Result<(), Failure> {
        // Later than everything this API has said, and than everything heard of whom it is about: what
        // is written now is what is read next.
        let heard = self.batch.directory.heard(&asked.app, &facts);
        let time = (asked.received * 1000).max(self.batch.clock + 1).max(heard.map_or(0, |heard| heard + 1));
        self.batch.clock = time;
        let digest = Sha256::digest(written(serde_json::to_vec(&(time, &facts)))?);
        let digest = std::array::from_fn(|n| digest[n]);
        let stamp = Arc::new(Stamp { time, event: "".into(), digest });
        let event = Event { trigger: asked.command.action.trigger().into(), stamp, facts };
        self.learn(&asked.app, &event)?;
        self.batch.bodies.push(Bytes::from(written(entry_body(&event, call))?));
        let body = self.batch.bodies.len() - 1;
        let of = Origin { app: &asked.app, source: Source::Api, received: asked.received, body, place: 0 };
        self.journal(&subjects(&asked.app, &event), &of, &event, Outcome::Learned);
        Ok(())
    }
}

/// The `userId` that our API gives to somebody.
fn given_name(fact: &Fact) -> Option<&Text> {
    let Fact::Set { fields, .. } = fact else { return None };
    fields.iter().find(|(field, ..)| *field == Field::UserId)?.1.as_ref()
}

/// The call as the journal keeps it: of one that names somebody who is erased, nothing that says who that was.
pub(super) fn kept(txn: &impl Txn, app: &AppId, call: &CallMade) -> CallMade {
    let said = [&call.path, &call.body, &call.user_id].into_iter().flatten();
    let names_erased = said.into_iter().any(|text| txn.names_erased(app, text.as_bytes()));
    if names_erased { call.clone().without_the_erased() } else { call.clone() }
}

/// What was written; that it could not be is a fault of the command.
pub(super) fn written<E: std::fmt::Display>(bytes: Result<Vec<u8>, E>) -> Result<Vec<u8>, Failure> {
    bytes.map_err(|error| Failure::Job(error.to_string()))
}
