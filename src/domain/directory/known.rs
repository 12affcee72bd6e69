//! Learning what is known elsewhere.

use std::sync::Arc;

use super::{Directory, TooLarge};
use crate::domain::app_user::{Edge, Register, Text};
use crate::domain::fact::{Fact, Field};
use crate::domain::ids::{AppId, SmoochId, Stamp};
use crate::domain::known::{Known, Word};

impl Directory {
    pub(super) fn known(&mut self, app: &AppId, known: &Known) -> Result<(), TooLarge> {
        let user = &known.user;
        let record = self.edit(app, user);
        let news: Vec<&Text> = known.reported().filter(|text| !record.user_ids().contains(text)).collect();
        record.join(known);
        if known.removed || record.dead {
            self.bury(app, user);
            return Ok(());
        }
        for (stamp, client) in known.claims() {
            self.claim(app, user, client, stamp);
        }
        for (_, word) in known.words() {
            if let Word::Set(Field::UserId, Some(text), _) = word {
                self.name(app, user, text);
            }
        }
        news.into_iter().try_for_each(|text| self.reported(app, user, text))
    }

    /// Whether nothing of what is known elsewhere is news here.
    pub fn knows(&self, app: &AppId, facts: &[Fact]) -> bool {
        facts.iter().all(|fact| match fact {
            Fact::Known(known) => {
                self.find(app, &known.user).is_some_and(|(_, record)| record.knows(known))
            }
            Fact::Linked { surviving, discarded, stamp, joined, reason } => {
                self.has_edge(app, surviving, discarded, stamp, &Edge { joined: *joined, reason: *reason })
            }
            _ => false,
        })
    }

    /// Whether this was said of the merge of two, or something later.
    pub(super) fn has_edge(
        &self,
        app: &AppId,
        surviving: &SmoochId,
        discarded: &SmoochId,
        stamp: &Arc<Stamp>,
        edge: &Edge,
    ) -> bool {
        let known = self.find(app, discarded).and_then(|(_, record)| record.into.get(surviving));
        known.is_some_and(|known| *known >= Register { stamp: stamp.clone(), value: edge.clone() })
    }
}
