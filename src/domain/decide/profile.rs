//! Deletes personal data on every `_id` of an app user, so that no `_id` shows deleted data after an un-merge or as a
//! new root.

use std::collections::BTreeSet;

use super::decider::{Decided, Decider, Decision};
use super::device;
use crate::domain::command::{Fields, Name};
use crate::domain::fact::Fact;
use crate::domain::field::Field;
use crate::domain::ids::SmoochId;
use crate::domain::merge_group::MergeGroup;
use crate::domain::record::Record;
use crate::domain::view::shown_value;

impl Decider<'_> {
    pub(super) fn delete_profile(&self, user: &Name) -> Decided {
        let target = self.resolve_target(user)?;
        let group = self.group(&target.id)?;
        let fields =
            group.records().flat_map(|record| record.smooch.fields.keys().chain(record.overrides.keys()));
        let fields: BTreeSet<&Field> = fields.filter(|field| field.is_personal()).collect();
        let alone = || group.ids().zip(group.records()).map(|(id, record)| MergeGroup::alone(id, record));
        let is_known = |field: &&Field| {
            shown_value(&group, field).is_some() || alone().any(|alone| shown_value(&alone, field).is_some())
        };
        let cleared: Fields =
            fields.into_iter().filter(is_known).map(|field| (field.clone(), None)).collect();
        let mut facts = self.set(&target, &cleared)?;
        facts.extend(
            group.ids().zip(group.records()).filter_map(|(id, record)| pending_clients_fact(id, record)),
        );
        facts.extend(device::anonymize_clients(&group, &target));
        Ok(Decision::of(&target.id, facts))
    }
}

/// The clients being linked, without personal members, as the `_id` itself reports them.
fn pending_clients_fact(user: &SmoochId, record: &Record) -> Option<Fact> {
    let field = Field::PendingClients;
    let alone = MergeGroup::alone(user, record);
    let shown = shown_value(&alone, &field)?;
    let left = device::anonymize_list(shown);
    let reported = record.smooch.fields.get(&field).and_then(|reported| reported.value.clone());
    (left != *shown).then(|| Fact::Set { user: user.clone(), fields: vec![(field, Some(left), reported)] })
}
