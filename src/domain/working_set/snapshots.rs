//! Applies the snapshots of an import.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{TooLarge, WorkingSet};
use crate::domain::fact::Fact;
use crate::domain::field::Field;
use crate::domain::ids::{AppId, SmoochId, Stamp};
use crate::domain::record::Edge;
use crate::domain::record_snapshot::{Assertion, RecordSnapshot};
use crate::domain::value::{JsonText, Register};

impl WorkingSet {
    pub(super) fn apply_snapshot(&mut self, app: &AppId, known: &RecordSnapshot) -> Result<(), TooLarge> {
        let user = &known.user;
        let record = self.record_mut(app, user);
        let mut news: Vec<JsonText> =
            known.reported_user_ids().filter(|text| !record.user_ids().contains(text)).cloned().collect();
        let brand = record.smooch_brand().cloned();
        record.join_snapshot(known);
        if record.is_brand_news(brand.as_ref()) {
            news = record.user_ids().into_iter().cloned().collect();
        }
        if known.removed || record.removed {
            self.remove_with_descendants(app, user, known.erased);
            return Ok(());
        }
        for (stamp, client) in known.claims() {
            self.claim(app, user, client, &[], stamp);
        }
        for (stamp, assertion) in known.assertions() {
            match assertion {
                Assertion::Set(Field::UserId, Some(text), _) => self.index_user_id(app, user, text),
                Assertion::OneClient(one, other) => {
                    self.claim(app, user, one, std::slice::from_ref(other), stamp);
                }
                _ => {}
            }
        }
        self.settle_shared_claims(app, user);
        news.iter().try_for_each(|text| self.link_same_user_id(app, user, text, &known.not_merged_with))
    }

    /// The `_id`s that carry a `userId` of `id` and are known not to be merged with it: see
    /// [`RecordSnapshot::not_merged_with`]. The carriers of these `userId`s must be loaded.
    pub fn namesakes(&self, app: &AppId, id: &SmoochId) -> Vec<SmoochId> {
        let Some((_, record)) = self.find(app, id).filter(|(_, record)| !record.removed) else {
            return Vec::new();
        };
        let carries = |other: &SmoochId, text| {
            self.find(app, other).is_some_and(|(_, beside)| beside.user_ids().contains(text))
        };
        let carriers = record
            .user_ids()
            .into_iter()
            .flat_map(|text| self.carriers(app, text).into_iter().filter(move |other| carries(other, text)));
        let apart = carriers.filter(|other| {
            let Some((_, beside)) = self.find(app, other).filter(|(_, beside)| !beside.removed) else {
                return false;
            };
            let (made, of) = if record.minted { (record, other) } else { (beside, id) };
            record.minted != beside.minted && !made.into.contains_key(of)
        });
        apart.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// True if the directory already contains everything in these facts.
    pub fn contains_facts(&self, app: &AppId, facts: &[Fact]) -> bool {
        facts.iter().all(|fact| match fact {
            Fact::Known(known) => {
                self.find(app, &known.user).is_some_and(|(_, record)| record.contains_snapshot(known))
            }
            Fact::Linked { surviving, discarded, stamp, joined, reason } => {
                self.has_edge(app, surviving, discarded, stamp, &Edge { joined: *joined, reason: *reason })
            }
            _ => false,
        })
    }

    /// True if the record has this edge, or a later one between the two.
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
