//! I2 and I9: batches, each of which loads only the records that the working set requires.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use rollcall::domain::{ChangeKind, ClientId, Event as Told, Fact, Record, SmoochId, View, WorkingSet};

use super::examples::at;
use super::generate::{Order, history, order, unmerging_history};
use super::translate::{body, directory_of, empty, event, learn, listed, pointers};
use super::{app, cases};
use crate::model::{Device, Event, Say};

proptest! {
    #![proptest_config(cases(1))]

    #[test]
    fn any_split_into_batches_equals_one_batch(
        history in history(10), order in order(), ends in vec(any::<bool>(), 24),
    ) {
        compare(&history, &order, &ends)?;
    }

    #[test]
    fn merges_may_be_undone_in_any_batch(
        history in unmerging_history(10), order in order(), ends in vec(any::<bool>(), 24),
    ) {
        compare(&history, &order, &ends)?;
    }
}

#[test]
fn a_client_that_was_called_inactive_under_an_id_that_turns_out_to_be_its_own_falls_to_the_next() {
    let device = |active, other_id| Device { active, other_id, ..Device::default() };
    let says = |time, user, client, device| at(time, Say::Client { user, client, value: Some(device) });
    // The last first.
    let history = [
        says(4, "D", "c1", device(None, Some("c3"))),
        says(5, "D", "c1", device(Some(false), None)),
        says(1, "A", "c3", device(None, None)),
        says(3, "D", "c3", device(None, None)),
    ];
    compare(&history, &Order::backwards(history.len()), &[true; 24]).unwrap();
}

fn compare(history: &[Event], order: &Order, ends: &[bool]) -> Result<(), TestCaseError> {
    let arrivals = order.of(history);
    let (mut memory, mut feed) = (Memory::default(), BTreeMap::new());
    for batch in batches(&arrivals, ends) {
        let mut directory = memory.load(batch);
        batch.iter().for_each(|event| learn(&mut directory, &app(), event));
        memory.save(&directory);
        follow(&mut feed, &directory, &memory.everything());
        memory.check()?;
    }
    let (batched, at_once) = (memory.everything(), directory_of(&arrivals));
    prop_assert_eq!(listed(&batched), listed(&at_once));
    let known: BTreeMap<_, _> =
        memory.records.iter().map(|(id, record)| (id.clone(), body(record))).collect();
    prop_assert_eq!(known, super::bodies(&at_once));
    prop_assert_eq!(memory.holders(), pointers(&at_once));
    let shown: BTreeMap<_, _> = listed(&batched).into_iter().map(|(id, view)| (id, timeless(view))).collect();
    prop_assert_eq!(feed, shown, "what the changes add up to");
    Ok(())
}

/// Batches that end after each event for which `ends` is true.
fn batches<'a>(arrivals: &'a [&'a Event], ends: &'a [bool]) -> impl Iterator<Item = &'a [&'a Event]> {
    let mut ends = ends.iter();
    arrivals.split_inclusive(move |_| ends.next().is_some_and(|end| *end))
}

/// A follower reads each user named by a change, in its state after the batch.
fn follow(feed: &mut BTreeMap<SmoochId, View>, batch: &WorkingSet, now: &WorkingSet) {
    for (app, change) in batch.changes() {
        match change.kind {
            ChangeKind::Merged { .. } | ChangeKind::Removed | ChangeKind::Erased => {
                _ = feed.remove(&change.user);
            }
            ChangeKind::Created | ChangeKind::Updated | ChangeKind::Unmerged => {
                let view = now.view(&app, &change.user).expect("a change names who is there");
                feed.insert(change.user, timeless(view));
            }
        }
    }
}

/// A view without the times of its events: these change with every event, and that is not a change of the feed.
fn timeless(view: View) -> View {
    View { first_seen: None, last_seen: None, ..view }
}

/// A minimal store: records, and the claimants and the holder of each client.
#[derive(Default)]
struct Memory {
    records: BTreeMap<SmoochId, Record>,
    claims: BTreeMap<(ClientId, SmoochId), bool>,
}

impl Memory {
    fn load(&self, batch: &[&Event]) -> WorkingSet {
        let mut directory = empty();
        let told: Vec<Told> = batch.iter().map(|said| event(said)).collect();
        let facts = || told.iter().flat_map(|event| &event.facts);
        for user in facts().flat_map(Fact::users).flatten() {
            self.bring_group(&mut directory, user);
        }
        let mut clients: BTreeSet<ClientId> = BTreeSet::new();
        for fact in facts() {
            let record = fact.users()[0].and_then(|user| self.records.get(user));
            let contended = |client: ClientId| match record {
                Some(record) => record.contended_ids(&client),
                None => vec![client],
            };
            clients.extend(fact.claims().flat_map(contended));
        }
        // For several ids of one client, a statement under one id counts for the others.
        let may_link = |fact: &&Fact| fact.may_retract_clients() || fact.claims().nth(1).is_some();
        let takes_back = facts().filter(may_link).filter_map(|fact| fact.users()[0]);
        let unsure = takes_back.filter_map(|user| self.records.get(user)).flat_map(Record::unsure_clients);
        let unsure: BTreeSet<ClientId> = unsure.cloned().collect();
        clients.extend(unsure.iter().cloned());
        let burying = facts()
            .any(|fact| matches!(fact, Fact::Removed { .. } | Fact::Erased { .. } | Fact::Merged { .. }));
        if burying {
            let held = directory.entries().flat_map(|(_, entry)| &entry.now.claims);
            clients.extend(held.filter(|(_, claim)| claim.shared).map(|(client, _)| client.clone()));
        }
        for client in clients {
            let (holder, losers) = self.claimants(&client);
            let losers = if burying || unsure.contains(&client) { losers } else { Vec::new() };
            for id in holder.iter().chain(&losers) {
                self.bring_group(&mut directory, id);
            }
            directory.insert_pointer(&app(), &client, holder, losers);
        }
        directory
    }

    /// The record, and every one that edges connect with it.
    fn bring_group(&self, directory: &mut WorkingSet, id: &SmoochId) {
        let mut todo = vec![id.clone()];
        while let Some(id) = todo.pop() {
            let key = (app(), id);
            let Some(record) = self.records.get(&key.1).filter(|_| directory.record(&key).is_none()) else {
                continue;
            };
            todo.extend(record.into.keys().chain(&record.from).cloned());
            directory.insert_loaded(key, record.clone());
        }
    }

    fn claimants(&self, client: &ClientId) -> (Option<SmoochId>, Vec<SmoochId>) {
        let rows = self.claims.iter().filter(|((of, _), _)| of == client);
        let (holds, losers): (Vec<_>, Vec<_>) = rows.partition(|(_, holds)| **holds);
        let id = |((_, id), _): (&(ClientId, SmoochId), &bool)| id.clone();
        (holds.into_iter().next().map(id), losers.into_iter().map(id).collect())
    }

    fn save(&mut self, directory: &WorkingSet) {
        for ((_, id), entry) in directory.entries().filter(|(_, entry)| entry.before.is_some()) {
            self.records.insert(id.clone(), entry.now.clone());
        }
        for ((app, client), _) in directory.pointers() {
            for (id, [_, is]) in directory.ownership_changes(app, client) {
                let key = (client.clone(), id.clone());
                match is {
                    Some(holds) => _ = self.claims.insert(key, holds),
                    None => _ = self.claims.remove(&key),
                }
            }
        }
    }

    /// The claims are those of the records, and of each client's exactly one holds it.
    fn check(&self) -> Result<(), TestCaseError> {
        let claimed =
            self.records.iter().flat_map(|(id, record)| record.claims.keys().map(move |client| (client, id)));
        let claimed: BTreeSet<_> = claimed.collect();
        let stored: BTreeSet<_> = self.claims.keys().map(|(client, id)| (client, id)).collect();
        prop_assert_eq!(&stored, &claimed);
        let clients: BTreeSet<_> = claimed.iter().map(|(client, _)| *client).collect();
        for client in clients {
            let holding = self.claims.iter().filter(|((of, _), holds)| of == client && **holds);
            prop_assert_eq!(holding.count(), 1, "holders of {}", client);
        }
        Ok(())
    }

    fn holders(&self) -> BTreeMap<ClientId, SmoochId> {
        let held = self.claims.iter().filter(|(_, holds)| **holds);
        held.map(|((client, id), _)| (client.clone(), id.clone())).collect()
    }

    fn everything(&self) -> WorkingSet {
        let mut directory = empty();
        for (id, record) in &self.records {
            directory.insert_loaded((app(), id.clone()), record.clone());
        }
        for (client, _) in self.claims.keys() {
            let (holder, losers) = self.claimants(client);
            directory.insert_pointer(&app(), client, holder, losers);
        }
        directory
    }
}
