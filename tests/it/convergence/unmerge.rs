//! A merge can be undone: the state of each app user afterwards.

use super::examples::{at, in_every_order, merge, sees, shown, view};
use super::translate::id;
use crate::model::{Event, Field, Say, User};

fn unmerge(surviving: User, discarded: User) -> Say {
    Say::Unmerge { surviving, discarded }
}

/// A and B with a name each, and then these events.
fn events_with_names(then: &[Event]) -> Vec<Event> {
    let names = [at(0, sees("A", &[(Field::Name, "ann")])), at(0, sees("B", &[(Field::Name, "bea")]))];
    [&names[..], then].concat()
}

#[test]
fn an_undone_merge_leaves_both_as_they_were() {
    let merged = [at(1, merge("A", "B"))];
    let undone = [&merged[..], &[at(2, unmerge("A", "B"))]].concat();
    let again = [&undone[..], &[at(3, merge("A", "B"))]].concat();
    let table: [(&str, &[Event], bool); 6] = [
        ("merged", &merged, true),
        ("merged and undone", &undone, false),
        (
            "undone before it arrived, and both delivered again",
            &[undone[1].clone(), undone[0].clone()],
            false,
        ),
        ("merged anew", &again, true),
        ("undone, though it never was", &[at(2, unmerge("A", "B"))], false),
        ("another merge undone", &[at(1, merge("A", "B")), at(2, unmerge("C", "B"))], true),
    ];
    for (case, then, joined) in table {
        let directory = in_every_order(&events_with_names(then));
        let b = view(&directory, "B").expect(case);
        assert_eq!(b.id, id(if joined { "A" } else { "B" }), "{case}");
        assert_eq!(
            shown(&directory, "B", Field::Name).as_deref(),
            Some(if joined { "ann" } else { "bea" }),
            "{case}"
        );
        let a = view(&directory, "A").expect(case);
        assert_eq!((a.id, a.aliases.len()), (id("A"), usize::from(joined)), "{case}");
        assert_eq!(shown(&directory, "A", Field::Name).as_deref(), Some("ann"), "{case}");
    }
}

#[test]
fn a_late_duplicate_of_an_undone_merge_changes_nothing() {
    let (merged, undone) = (at(1, merge("A", "B")), at(2, unmerge("A", "B")));
    let directory = in_every_order(&events_with_names(&[merged.clone(), undone, merged]));
    assert_eq!(view(&directory, "B").map(|view| view.id), Some(id("B")));
}

#[test]
fn facts_of_a_merged_id_stay_with_that_id_after_an_unmerge() {
    let then = [
        at(1, merge("A", "B")),
        at(2, sees("B", &[(Field::Email, "b@example.org")])),
        at(3, sees("A", &[(Field::Name, "anna")])),
        at(4, unmerge("A", "B")),
    ];
    let directory = in_every_order(&events_with_names(&then));
    assert_eq!(shown(&directory, "A", Field::Email), None);
    assert_eq!(shown(&directory, "A", Field::Name).as_deref(), Some("anna"));
    assert_eq!(shown(&directory, "B", Field::Email).as_deref(), Some("b@example.org"));
    assert_eq!(shown(&directory, "B", Field::Name).as_deref(), Some("bea"));
}

#[test]
fn an_unmerged_id_of_a_chain_keeps_its_own_members() {
    let chain = [at(1, merge("B", "C")), at(2, merge("A", "B")), at(3, unmerge("A", "B"))];
    let directory = in_every_order(&events_with_names(&chain));
    assert_eq!(view(&directory, "A").map(|view| view.aliases), Some(Vec::new()));
    assert_eq!(view(&directory, "C").map(|view| view.id), Some(id("B")));
}

#[test]
fn the_merge_before_the_undone_one_counts_again() {
    let then = [at(1, merge("C", "B")), at(2, merge("A", "B")), at(3, unmerge("A", "B"))];
    assert_eq!(view(&in_every_order(&events_with_names(&then)), "B").map(|view| view.id), Some(id("C")));
}

#[test]
fn an_id_unmerged_before_a_removal_stays() {
    let then = [at(1, merge("A", "B")), at(2, unmerge("A", "B")), at(3, Say::Remove { user: "A" })];
    let events = events_with_names(&then);
    let directory = super::translate::directory_of(&events.iter().collect::<Vec<_>>());
    assert_eq!(view(&directory, "A"), None);
    assert_eq!(shown(&directory, "B", Field::Name).as_deref(), Some("bea"));
}
