//! What is known elsewhere of somebody, learned as far as it is news.

use bytes::Bytes;

use super::commands::written;
use super::queue::{Import, Imported};
use super::work::{Origin, Work, event_keys, subjects};
use super::worker::Failure;
use crate::domain::{Fact, Reason};
use crate::store::{Keys, Outcome, Source};

/// Everything an import can touch.
pub(super) fn keys(asked: &Import, keys: &mut Keys) {
    event_keys(&asked.app, &asked.event, keys);
    keys.user_ids.extend(asked.user_id.iter().map(|text| (asked.app.clone(), text.clone())));
}

impl Work<'_> {
    /// Learns what is not known, and journals it; of what is known nothing is left behind.
    pub(super) fn import(&mut self, asked: &Import) -> Result<Imported, Failure> {
        let (app, mut event) = (&asked.app, asked.event.clone());
        event.facts.extend(self.same_person(asked));
        if self.batch.directory.knows(app, &event.facts) {
            return Ok(Imported::Known);
        }
        self.batch.directory.learn(app, &event)?;
        self.batch.bodies.push(Bytes::from(written(serde_json::to_vec(&event))?));
        let body = self.batch.bodies.len() - 1;
        let of = Origin { app, source: Source::Api, received: asked.received, body, place: 0 };
        self.journal(&subjects(app, &event), &of, &event, Outcome::Learned);
        Ok(Imported::News)
    }

    /// Whoever goes by the `userId` already takes in whom the import makes for it.
    fn same_person(&self, asked: &Import) -> Option<Fact> {
        let (directory, app) = (&self.batch.directory, &asked.app);
        let Some(Fact::Known(made)) = asked.event.facts.first() else { return None };
        let holder = directory.by_user_id(app, asked.user_id.as_ref()?)?;
        let is_one = holder.id == made.user || holder.aliases.contains(&made.user);
        let gone = directory.record(&(app.clone(), made.user.clone())).is_some_and(|record| record.dead);
        (!is_one && !gone).then(|| Fact::Linked {
            surviving: holder.id,
            discarded: made.user.clone(),
            stamp: asked.event.stamp.clone(),
            joined: true,
            reason: Reason::SameUserId,
        })
    }
}
