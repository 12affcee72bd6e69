//! Histories on which obvious designs fail, each by its name.

use std::collections::BTreeMap;

use rollcall::domain::{ChangeKind, SmoochId, View, WorkingSet};

use super::translate::{bodies, by_user_id, directory_of, empty, field, id, learn, text};
use super::{app, plain};
use crate::model::{Device, Event, Field, Member, Say, Sighting, User};

pub(super) fn at(time: i64, say: Say) -> Event {
    Event { time: Some(time), id: "", says: vec![say] }
}

pub(super) fn sees(user: User, fields: &[(Field, &'static str)]) -> Say {
    let fields = fields.iter().map(|(field, text)| (*field, Some(plain(text)))).collect();
    Say::Seen(Sighting { user, fields, ..Sighting::default() })
}

/// A complete picture of the properties.
fn whole(user: User, properties: &[(Field, &'static str)]) -> Say {
    let Say::Seen(seen) = sees(user, properties) else { unreachable!() };
    Say::Seen(Sighting { properties_whole: true, ..seen })
}

fn lists(user: User, client: &'static str) -> Say {
    let members = [(Member::Platform, plain("ios"))].into();
    let device = Device { active: Some(true), members, ..Device::default() };
    Say::Seen(Sighting { user, clients: vec![(client, device)], ..Sighting::default() })
}

pub(super) fn merge(surviving: User, discarded: User) -> Say {
    Say::Merge { surviving, discarded: vec![discarded] }
}

fn set(user: User, field: Field, value: &'static str, basis: Option<&'static str>) -> Say {
    Say::Set { user, field, value: Some(plain(value)), basis: basis.map(plain) }
}

pub(super) fn view(directory: &WorkingSet, user: User) -> Option<View> {
    directory.view(&app(), &id(user))
}

pub(super) fn shown(directory: &WorkingSet, user: User, of: Field) -> Option<String> {
    view(directory, user)?.fields.get(&field(of)).map(|value| value.trim_matches('"').to_owned())
}

/// Applies the events in every order, each twice over, checks that the result is always the same, and returns it.
pub(super) fn in_every_order(events: &[Event]) -> WorkingSet {
    let straight = directory_of(&events.iter().collect::<Vec<_>>());
    for order in orders(events.len()) {
        let twice = order.iter().chain(&order).map(|index| &events[*index]);
        let other = directory_of(&twice.collect::<Vec<_>>());
        assert_eq!(bodies(&other), bodies(&straight), "{order:?}");
    }
    straight
}

fn orders(count: usize) -> Vec<Vec<usize>> {
    let Some(last) = count.checked_sub(1) else { return vec![Vec::new()] };
    let insert = |order: Vec<usize>| {
        (0..count).map(move |place| {
            let mut order = order.clone();
            order.insert(place, last);
            order
        })
    };
    orders(last).into_iter().flat_map(insert).collect()
}

#[test]
fn of_two_names_the_one_with_the_later_stamp_is_shown() {
    let events = [at(1, sees("A", &[(Field::Name, "p")])), at(2, sees("A", &[(Field::Name, "q")]))];
    assert_eq!(shown(&in_every_order(&events), "A", Field::Name).as_deref(), Some("q"));
}

#[test]
fn an_empty_picture_and_a_value_of_the_same_time_are_two_statements() {
    let events = [at(0, whole("A", &[])), at(0, sees("A", &[(Field::Name, "p")]))];
    assert_eq!(shown(&in_every_order(&events), "A", Field::Name).as_deref(), Some("p"));
    // For a part carried as a whole, the greater digest of the two decides if the value is present.
    let events = [at(0, whole("A", &[])), at(0, whole("A", &[(Field::Plan, "p")]))];
    let fuller = events[1].digest() > events[0].digest();
    assert_eq!(shown(&in_every_order(&events), "A", Field::Plan).is_some(), fuller);
}

#[test]
fn a_tie_in_time_is_broken_by_the_content() {
    let events = [at(3, sees("C", &[(Field::Name, "p")])), at(3, sees("C", &[(Field::Name, "q")]))];
    let expected = if events[0].digest() > events[1].digest() { "p" } else { "q" };
    assert_eq!(shown(&in_every_order(&events), "C", Field::Name).as_deref(), Some(expected));
}

#[test]
fn two_bodies_under_one_event_id_are_both_learned() {
    let under_x = |say| Event { time: None, id: "x", says: vec![say] };
    let events = [under_x(sees("A", &[(Field::Name, "p")])), under_x(sees("A", &[(Field::Email, "q")]))];
    let directory = in_every_order(&events);
    assert_eq!(shown(&directory, "A", Field::Name).as_deref(), Some("p"));
    assert_eq!(shown(&directory, "A", Field::Email).as_deref(), Some("q"));
}

#[test]
fn of_two_contradictory_merges_the_later_holds_and_no_user_is_lost() {
    let names = [at(0, sees("A", &[(Field::Name, "p")])), at(0, sees("B", &[(Field::Email, "q")]))];
    let events = [&names[..], &[at(1, merge("A", "B")), at(2, merge("B", "A"))]].concat();
    let directory = in_every_order(&events);
    for user in ["A", "B"] {
        assert_eq!(view(&directory, user).map(|view| view.id), Some(id("B")));
        assert_eq!(shown(&directory, user, Field::Name).as_deref(), Some("p"));
        assert_eq!(shown(&directory, user, Field::Email).as_deref(), Some("q"));
    }
}

#[test]
fn a_late_or_repeated_picture_does_not_restore_a_removed_user() {
    let events = [at(1, sees("A", &[(Field::Name, "p")])), at(2, Say::Remove { user: "A" })];
    assert_eq!(view(&in_every_order(&events), "A"), None);
    let later = [&events[..], &[at(3, sees("A", &[(Field::Name, "q")]))]].concat();
    assert_eq!(view(&in_every_order(&later), "A"), None);
}

#[test]
fn two_users_with_one_user_id_both_stay_and_the_newest_is_found() {
    let claims = |time, user| at(time, sees(user, &[(Field::UserId, "bob")]));
    let found = |events: &[Event]| by_user_id(&in_every_order(events)).remove(&text(plain("bob")));
    assert_eq!(found(&[claims(1, "A"), claims(2, "B")]), Some(id("B")));
    assert_eq!(found(&[claims(2, "A"), claims(1, "B")]), Some(id("A")));
    let both = ["B", "A"].map(|user| sees(user, &[(Field::UserId, "bob")]));
    let one_event = Event { time: Some(1), id: "", says: both.to_vec() };
    assert_eq!(found(&[one_event]), Some(id("A")), "of one event, the smaller");
}

#[test]
fn an_alias_of_an_erased_id_does_not_resolve() {
    let events = [at(1, Say::Remove { user: "B" }), at(2, merge("A", "B"))];
    let directory = in_every_order(&events);
    assert_eq!(view(&directory, "B"), None);
    assert_eq!(view(&directory, "A").map(|view| view.aliases), Some(Vec::new()));
}

#[test]
fn a_user_merged_into_a_removed_one_is_removed_too() {
    let events = [
        at(1, sees("C", &[(Field::Name, "p")])),
        at(1, merge("B", "C")),
        at(2, merge("A", "B")),
        at(0, Say::Remove { user: "A" }),
    ];
    let directory = in_every_order(&events);
    assert!(["A", "B", "C"].iter().all(|user| view(&directory, user).is_none()));
}

#[test]
fn a_merge_does_not_restore_fields_that_smooch_cleared() {
    let events = [
        at(1, whole("D", &[(Field::Plan, "p")])),
        at(2, set("D", Field::Plan, "ours", Some("p"))),
        at(3, whole("D", &[])),
    ];
    assert_eq!(shown(&in_every_order(&events), "D", Field::Plan), None);
    let merged = [&events[..], &[at(4, merge("A", "D"))]].concat();
    assert_eq!(shown(&in_every_order(&merged), "D", Field::Plan), None);
}

#[test]
fn a_property_set_before_the_first_webhook_survives_it() {
    let events = [at(1, set("A", Field::Plan, "ours", None)), at(2, whole("A", &[(Field::City, "rome")]))];
    assert_eq!(shown(&in_every_order(&events), "A", Field::Plan).as_deref(), Some("ours"));
    let merged = [&events[..], &[at(3, whole("S", &[])), at(4, merge("S", "A"))]].concat();
    let directory = directory_of(&merged.iter().collect::<Vec<_>>());
    assert_eq!(shown(&directory, "S", Field::Plan).as_deref(), Some("ours"));
    let changed = [&events[..], &[at(5, whole("A", &[(Field::Plan, "theirs")]))]].concat();
    assert_eq!(shown(&in_every_order(&changed), "A", Field::Plan).as_deref(), Some("theirs"));
}

/// The changes of a user in one batch after another.
fn changes_of(user: User, batches: &[&[Event]]) -> Vec<Option<ChangeKind>> {
    let mut stored = empty();
    let mut kinds = Vec::new();
    for batch in batches {
        batch.iter().for_each(|event| learn(&mut stored, &app(), event));
        let changes: BTreeMap<SmoochId, ChangeKind> =
            stored.changes().into_iter().map(|(_, change)| (change.user, change.kind)).collect();
        kinds.push(changes.get(&id(user)).cloned());
        stored = stored_again(&stored);
    }
    kinds
}

/// The same records and pointers, as loaded for a later batch.
fn stored_again(directory: &WorkingSet) -> WorkingSet {
    let mut again = empty();
    for (key, entry) in directory.entries() {
        again.insert_loaded(key.clone(), entry.now.clone());
    }
    for ((app, client), pointer) in directory.pointers() {
        let claims = |(_, entry): &(&(_, SmoochId), &rollcall::domain::LoadedRecord)| {
            entry.now.claims.contains_key(client)
        };
        let losers = directory.entries().filter(claims).map(|((_, id), _)| id.clone());
        again.insert_pointer(app, client, pointer.now.clone(), losers);
    }
    again
}

#[test]
fn a_client_that_falls_to_a_member_when_its_holder_is_removed_changes_the_root() {
    let known = [at(1, merge("C", "B")), at(2, lists("B", "c1")), at(3, lists("A", "c1"))];
    let kinds = changes_of("C", &[&known, &[at(4, Say::Remove { user: "A" })]]);
    assert_eq!(kinds, [Some(ChangeKind::Created), Some(ChangeKind::Updated)]);
}

#[test]
fn a_removed_member_that_is_merged_elsewhere_takes_its_guard_along_and_both_roots_change() {
    let guarded = Say::Seen(Sighting { user: "A", secures: true, ..Sighting::default() });
    let known = [at(1, guarded), at(2, merge("B", "A")), at(3, Say::Remove { user: "A" })];
    let kinds = changes_of("B", &[&known, &[at(4, merge("C", "A"))]]);
    assert_eq!(kinds, [Some(ChangeKind::Created), Some(ChangeKind::Updated)]);
}
