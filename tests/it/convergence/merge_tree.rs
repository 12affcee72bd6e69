//! The merges of a group: those that hold are a tree under its root.

use std::collections::BTreeSet;

use proptest::prelude::*;
use rollcall::domain::SmoochId;

use super::generate::{USERS, history, unmerging_history};
use super::translate::{directory_of, id};
use super::{app, cases};
use crate::model::Event;

fn check(events: &[Event]) -> Result<(), TestCaseError> {
    let directory = directory_of(&events.iter().collect::<Vec<_>>());
    for user in USERS {
        let Some((root, merges)) = directory.merge_tree(&app(), &id(user)) else { continue };
        let live = |removed: bool| {
            let of = merges.iter().filter(|merge| removed || !merge.removed);
            of.map(|merge| merge.id).collect::<BTreeSet<&SmoochId>>()
        };
        if let Some(view) = directory.view(&app(), &id(user)) {
            prop_assert_eq!(root, &view.id);
            prop_assert_eq!(live(false), view.ids().collect::<BTreeSet<_>>());
        }
        for member in live(true) {
            let mut held = merges.iter().filter(|merge| merge.id == member && merge.holds);
            let parent = held.next().map(|merge| merge.into.map(|(to, _)| to));
            prop_assert!(held.next().is_none(), "{}: two merges hold", member);
            match parent {
                Some(Some(to)) => prop_assert!(member != root && live(true).contains(to)),
                _ => prop_assert_eq!(member, root),
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(10))]

    #[test]
    fn each_member_has_one_merge_that_holds_and_the_root_none(history in history(10)) {
        check(&history)?;
    }

    #[test]
    fn also_after_some_were_undone(history in unmerging_history(10)) {
        check(&history)?;
    }
}
