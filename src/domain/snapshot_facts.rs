//! Converts a record into facts, and joins a snapshot into a record.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::fact::Fact;
use super::ids::{ClientId, SmoochId, Stamp};
use super::record::{Override, Record};
use super::record_snapshot::{Assertion, RecordSnapshot, StampedAssertions};
use super::value::join_register;

/// A record as facts. Applied to any directory, in any order, they produce the same record. The position in the
/// journal and the recent events are left out.
pub fn snapshot_facts(user: &SmoochId, record: &Record, not_merged_with: Vec<SmoochId>) -> Vec<Fact> {
    let mut stamped: BTreeMap<&Arc<Stamp>, Vec<Assertion>> = BTreeMap::new();
    let mut add = |stamp, assertion| stamped.entry(stamp).or_default().push(assertion);
    // A new member is named here, or this does not compile.
    let Record {
        smooch,
        overrides,
        devices,
        claims,
        into,
        from: _,
        head: _,
        recent: _,
        started,
        secured,
        minted,
        removed,
        erased,
        first_seen,
        last_seen,
    } = record;
    smooch.complete_since.iter().for_each(|(part, stamp)| add(stamp, Assertion::Complete(*part)));
    for (field, register) in &smooch.fields {
        add(&register.stamp, Assertion::Field(field.clone(), register.value.clone()));
    }
    for (id, mentions) in &smooch.clients {
        for mention in mentions.iter() {
            add(&mention.stamp, Assertion::Client(id.clone(), Some(mention.value.clone())));
        }
        if let Some(removed) = mentions.removed() {
            add(removed, Assertion::Client(id.clone(), None));
        }
    }
    for (field, register) in overrides {
        let Override { value, basis } = &register.value;
        add(&register.stamp, Assertion::Set(field.clone(), value.clone(), basis.clone()));
    }
    for (id, register) in devices {
        add(&register.stamp, Assertion::Device(id.clone(), register.value.clone()));
    }
    for (id, claim) in claims {
        add(&claim.stamp, Assertion::Claim(id.clone()));
        if let Some(with) = claim.with.as_ref().filter(|with| *with != id) {
            add(&claim.stamp, Assertion::OneClient(with.clone(), id.clone()));
        }
    }
    let stamped =
        stamped.into_iter().map(|(stamp, assertions)| StampedAssertions { stamp: stamp.clone(), assertions });
    let known = RecordSnapshot {
        user: user.clone(),
        stamped: stamped.collect(),
        not_merged_with,
        started: *started,
        secured: *secured,
        minted: *minted,
        removed: *removed,
        erased: *erased,
        first_seen: *first_seen,
        last_seen: *last_seen,
    };
    let merges = into.iter().map(|(surviving, edge)| Fact::Linked {
        surviving: surviving.clone(),
        discarded: user.clone(),
        stamp: edge.stamp.clone(),
        joined: edge.value.joined,
        reason: edge.value.reason,
    });
    std::iter::once(Fact::Known(known)).chain(merges).collect()
}

impl Record {
    /// Joins a snapshot into the record. Removal and client ownership, which also affect other records, are left to
    /// the caller.
    pub(super) fn join_snapshot(&mut self, known: &RecordSnapshot) {
        self.secured |= known.secured;
        self.minted |= known.minted;
        if self.removed {
            return;
        }
        self.started |= known.started;
        self.first_seen = self.first_seen.into_iter().chain(known.first_seen).min();
        self.last_seen = self.last_seen.max(known.last_seen);
        let smooch = &mut self.smooch;
        for (stamp, assertion) in known.assertions() {
            match assertion {
                Assertion::Complete(part) => smooch.complete(*part, stamp),
                Assertion::Field(field, value) if smooch.is_current(field.part(), stamp) => {
                    join_register(&mut smooch.fields, field.clone(), stamp, value.clone());
                }
                Assertion::Client(id, mention) => smooch.client(id, stamp, mention.as_ref()),
                Assertion::Set(field, value, basis) => {
                    let set = Override { value: value.clone(), basis: basis.clone() };
                    join_register(&mut self.overrides, field.clone(), stamp, set);
                }
                Assertion::Device(id, value) => {
                    join_register(&mut self.devices, id.clone(), stamp, value.clone());
                }
                Assertion::Field(..) | Assertion::Claim(_) | Assertion::OneClient(..) => {}
            }
        }
    }

    pub(super) fn contains_snapshot(&self, known: &RecordSnapshot) -> bool {
        if known.removed && !self.removed || known.erased && !self.erased {
            return false;
        }
        let claimed = |(stamp, client): (&Arc<Stamp>, &ClientId)| {
            self.claims.get(client).is_some_and(|claim| claim.stamp >= *stamp)
        };
        let one = |ids: [&ClientId; 2]| {
            let [one, other] = ids.map(|id| self.claims.get(id).and_then(|claim| claim.with.as_ref()));
            one.is_some() && one == other
        };
        let has_clients = known.claims().all(claimed) && known.client_id_pairs().all(one);
        if !self.removed && !has_clients {
            return false;
        }
        let mut joined = self.clone();
        joined.join_snapshot(known);
        joined == *self
    }
}
