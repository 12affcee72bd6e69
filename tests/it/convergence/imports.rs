//! A directory imported into another: both are equal, and stay so.

use std::sync::Arc;

use proptest::prelude::*;
use rollcall::domain::{Event, Fact, Stamp, WorkingSet, snapshot_facts};

use super::generate::{Order, history, order, unmerging_history};
use super::translate::{bodies, by_user_id, directory_of, empty, learn, pointers};
use super::{USERS, app, cases, id};
use crate::model;

proptest! {
    #![proptest_config(cases(5))]

    #[test]
    fn an_imported_directory_equals_its_source(
        before in history(10), later in history(5), own in history(4), order in order(),
    ) {
        compare(&before, &later, &own, &order)?;
    }

    #[test]
    fn imported_unmerges_equal_their_source(
        before in unmerging_history(10), later in unmerging_history(5), order in order(),
    ) {
        compare(&before, &later, &[], &order)?;
    }
}

/// A directory with events of its own imports another, in some order, and then equals one that applied all events.
fn compare(
    before: &[model::Event],
    later: &[model::Event],
    own: &[model::Event],
    order: &Order,
) -> Result<(), TestCaseError> {
    let theirs = directory_of(&order.of(before));
    let mut copy = directory_of(&own.iter().collect::<Vec<_>>());
    let mut facts: Vec<Vec<Fact>> =
        theirs.entries().map(|((_, id), entry)| snapshot_facts(id, &entry.now, Vec::new())).collect();
    facts.sort_by_cached_key(|facts| order.key(&format!("{facts:?}")));
    for facts in facts.iter().chain(&facts) {
        apply_facts(&mut copy, facts);
        prop_assert!(copy.contains_facts(&app(), facts));
    }
    let mut told = empty();
    own.iter().chain(before).for_each(|event| learn(&mut told, &app(), event));
    for event in [None].into_iter().chain(later.iter().map(Some)) {
        for directory in [&mut told, &mut copy] {
            event.iter().for_each(|event| learn(directory, &app(), event));
        }
        prop_assert_eq!(bodies(&copy), bodies(&told));
        prop_assert_eq!(pointers(&copy), pointers(&told));
        prop_assert_eq!(by_user_id(&copy), by_user_id(&told));
        for user in USERS {
            prop_assert_eq!(copy.view(&app(), &id(user)), told.view(&app(), &id(user)));
        }
    }
    Ok(())
}

fn apply_facts(directory: &mut WorkingSet, facts: &[Fact]) {
    let written = serde_json::to_vec(facts).unwrap();
    let facts = serde_json::from_slice(&written).unwrap();
    let stamp = Arc::new(Stamp { time: 99, event: "".into(), digest: [9; 16] });
    directory.apply_event(&app(), &Event { trigger: "api:import".into(), stamp, facts }).unwrap();
}
