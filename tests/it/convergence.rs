//! Random histories: in any order of events, the directory equals the model.
//!
//! Few users, clients, values and times, so that conflicts are frequent. The first property and the batches run over
//! `ROLLCALL_HISTORIES` histories (20,000), the others over a tenth.

mod batches;
mod examples;
mod generate;
mod imports;
mod merge_positions;
mod merge_tree;
mod provenance;
mod translate;
mod unmerge;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rollcall::domain::{self, AppId, Client, ClientId};

use crate::model::{Device, Event, Field, Picture, Say, Sighting, State, User, Value};
use generate::{Order, USERS, history, history_between, old_sighting, order, truncated, unmerging_history};
use translate::{bodies, by_user_id, directory_of, id, learn, pointers, view_of};

const APP: &str = "5698edbf2a43bd081be982f1";

fn app() -> AppId {
    APP.into()
}

pub fn cases(share: u32) -> ProptestConfig {
    let histories = std::env::var("ROLLCALL_HISTORIES").ok().and_then(|text| text.parse().ok());
    let cases = (histories.unwrap_or(20_000) / share).max(1);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(1))]

    /// Laws 2 and 3, I1.
    #[test]
    fn any_order_with_any_repetition_equals_the_model(
        history in history(10), order in order(),
    ) {
        compare(&history, &order)?;
    }
}

proptest! {
    #![proptest_config(cases(10))]

    /// I1 without removals but with un-merges: an un-merge is an event like the others.
    #[test]
    fn merges_and_their_undoing_come_in_any_order(history in unmerging_history(10), order in order()) {
        compare(&history, &order)?;
    }

    /// I3.
    #[test]
    fn secured_and_removed_are_never_reset_and_no_id_is_lost(history in history(10)) {
        let mut directory = directory_of(&[]);
        let (mut gone, mut secured, mut known) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for event in &history {
            learn(&mut directory, &app(), event);
            for user in USERS {
                let Some(record) = directory.record(&(app(), id(user))) else { continue };
                let view = directory.view(&app(), &id(user));
                prop_assert!(record.removed || !gone.contains(user), "{user} came back");
                prop_assert!(record.secured || !secured.contains(user), "{user} lost its guard");
                prop_assert!(view.is_some() || record.removed || !known.contains(user), "{user} was forgotten");
                prop_assert_eq!(view.is_some(), !record.removed);
                prop_assert!(view.is_none_or(|view| view.secured || !record.secured));
                known.insert(user);
                gone.extend(record.removed.then_some(user));
                secured.extend(record.secured.then_some(user));
            }
        }
    }

    /// I4.
    #[test]
    fn every_id_resolves_to_one_live_root_that_resolves_to_itself(history in unmerging_history(10)) {
        one_root_each(&history)?;
    }

    /// I4, with removals.
    #[test]
    fn every_id_that_is_left_resolves_to_one_live_root(history in history(10)) {
        one_root_each(&history)?;
    }

    /// I5, stated on the events alone.
    #[test]
    fn nothing_is_left_of_a_removed_user(history in history(10), order in order()) {
        let tagged: Vec<Event> = history.iter().map(generate::tagged).collect();
        let directory = directory_of(&order.of(&tagged));
        for gone in removed_users(&tagged) {
            let record = directory.record(&(app(), id(gone))).expect("a tombstone");
            prop_assert!(record.removed && record.claims.is_empty() && record.last_seen.is_none());
            prop_assert_eq!(directory.view(&app(), &id(gone)), None);
            let kept = (bodies(&directory), pointers(&directory));
            let left = format!("{kept:?}").contains(&format!("of {gone}"));
            prop_assert!(!left, "a word of {} is left", gone);
            for other in USERS {
                let view = directory.view(&app(), &id(other));
                let names = view.is_some_and(|view| view.id == id(gone) || view.aliases.contains(&id(gone)));
                prop_assert!(!names, "{} still names {}", other, gone);
            }
            let holds = pointers(&directory).into_values().any(|holder| holder == id(gone));
            let found = by_user_id(&directory).into_values().any(|holder| holder == id(gone));
            prop_assert!(!holds && !found, "{} still holds a client or a userId", gone);
        }
    }

    /// Law 4, I6.
    #[test]
    fn a_truncated_event_never_blanks(history in history(9), event in truncated()) {
        // A client that turns out to have another id may be shown under that.
        let history = history.into_iter().filter(|event| !sets_null(event)).map(generate::by_one_id);
        let event = generate::by_one_id(event);
        let (before, after) = before_and_after(&history.collect::<Vec<_>>(), &event);
        let Say::Seen(seen) = &event.says[0] else { unreachable!() };
        for user in USERS {
            let Some(was) = before.view(&app(), &id(user)) else { continue };
            let now = after.view(&app(), &id(user)).expect("still there");
            let named = now.fields.contains_key(&translate::field(Field::Name));
            for (field, value) in was.fields.iter().filter(|(field, _)| !(named && matches!(field, rollcall::domain::Field::DisplayName))) {
                let carried = seen.fields.iter().any(|(carried, _)| translate::field(*carried) == *field);
                let is = now.fields.get(field);
                prop_assert!(is == Some(value) || carried && is.is_some(), "{:?} was {}", field, value);
            }
            for (client, value) in &was.clients {
                let is = now.clients.get(client).expect("still there");
                let carried = carried(seen, client);
                prop_assert!(is == value || carried.is_some(), "{} was {:?}", client, value);
                let left = members(value).into_iter().filter(|(member, _)| !members(is).contains_key(member));
                prop_assert_eq!(left.count(), 0, "{} was {:?}", client, value);
                // Every mention assigns the client to its app user, unless it marks the client inactive.
                let is_right = match carried {
                    None => is.active == value.active,
                    Some(Device { active: Some(_), .. }) => true,
                    Some(_) if now.ids().any(|id| id.as_str() == seen.user) => is.active >= value.active,
                    Some(_) => is.active <= value.active,
                };
                prop_assert!(is_right, "{} was {:?}", client, value);
            }
            prop_assert!(now.started >= was.started && now.aliases == was.aliases);
        }
    }

    /// I7. An old event about a root precedes the values of its members: it only fills a gap.
    #[test]
    fn old_news_only_fills_gaps(history in history_between(1, 9), event in old_sighting()) {
        let history: Vec<Event> = history.into_iter().map(generate::by_one_id).collect();
        let event = generate::by_one_id(event);
        let (before, after) = before_and_after(&history, &event);
        let Say::Seen(seen) = &event.says[0] else { unreachable!() };
        for user in USERS {
            let Some(was) = before.view(&app(), &id(user)) else { continue };
            let now = after.view(&app(), &id(user)).expect("still there");
            let gap = was.id == id(seen.user) && !was.aliases.is_empty();
            let carries = |field| seen.fields.iter().any(|(carried, _)| translate::field(*carried) == field);
            let named = now.fields.contains_key(&translate::field(Field::Name));
            for (field, value) in was.fields.iter().filter(|(field, _)| !(named && matches!(field, rollcall::domain::Field::DisplayName))) {
                let same = now.fields.get(field) == Some(value);
                prop_assert!(same || gap && carries(field.clone()), "{:?} was {}", field, value);
            }
            let new = now.fields.keys().filter(|field| !was.fields.contains_key(field));
            prop_assert!(new.cloned().all(|field| matches!(field, rollcall::domain::Field::DisplayName) || carries(field)));
            for (client, value) in &was.clients {
                let is = now.clients.get(client).expect("still there");
                let carried = carried(seen, client);
                let kept = members(value).iter().all(|(member, value)| members(is).get(member) == Some(value));
                prop_assert!(kept || gap && carried.is_some(), "{} was {:?}", client, value);
                let silent = carried.is_none_or(|carried| carried.active.is_none());
                prop_assert!(!silent || is.active == value.active, "{} was {:?}", client, value);
            }
            prop_assert!(was.last_seen.is_none() || was.last_seen == now.last_seen);
        }
    }

    /// Law 9, I12.
    #[test]
    fn one_app_never_touches_another(ours in history(8), theirs in history(8), order in order()) {
        let alone = directory_of(&ours.iter().collect::<Vec<_>>());
        let mut shared = directory_of(&[]);
        let other: AppId = "another".into();
        let own = |event: &Event| ours.iter().any(|own| std::ptr::eq(own, event));
        let mixed: Vec<&Event> = ours.iter().chain(&theirs).collect();
        for event in order.of_refs(&mixed) {
            learn(&mut shared, &if own(event) { app() } else { other.clone() }, event);
        }
        prop_assert_eq!(bodies(&shared), bodies(&alone));
        prop_assert_eq!(pointers(&shared), pointers(&alone));
    }
}

/// The same events in two orders, and the model.
fn compare(history: &[Event], order: &Order) -> Result<(), TestCaseError> {
    let picture = Picture::of(&State::of(history));
    let straight = directory_of(&history.iter().collect::<Vec<_>>());
    let shuffled = directory_of(&order.of(history));
    for user in USERS {
        let expected = picture.resolves.get(user).map(|root| view_of(root, &picture.users[root]));
        let view = straight.view(&app(), &id(user));
        prop_assert_eq!(&view, &expected, "what the model shows of {}", user);
        prop_assert_eq!(shuffled.view(&app(), &id(user)), view, "in another order, {}", user);
    }
    prop_assert_eq!(bodies(&shuffled), bodies(&straight));
    prop_assert_eq!(pointers(&shuffled), pointers(&straight));
    let expected = picture.by_user_id.iter().map(|(value, root)| (translate::text(*value), id(root)));
    prop_assert_eq!(by_user_id(&straight), expected.collect());
    let brand =
        |value: Value| domain::brand::parse_brand(&translate::text(value)).map(|brand| brand.into_owned());
    let expected = picture
        .in_brand
        .iter()
        .map(|((user_id, of), root)| ((translate::text(*user_id), of.and_then(brand)), id(root)));
    let expected = expected.collect();
    prop_assert_eq!(translate::in_brand(straight), expected, "whom a name means in a brand");
    Ok(())
}

fn one_root_each(history: &[Event]) -> Result<(), TestCaseError> {
    let directory = directory_of(&history.iter().collect::<Vec<_>>());
    let named: BTreeSet<User> = history.iter().flat_map(generate::users).collect();
    let gone = removed_users(history);
    for user in named.difference(&gone) {
        let view = directory.view(&app(), &id(user)).expect("resolves");
        let of_root = directory.view(&app(), &view.id);
        prop_assert_eq!(of_root.as_ref(), Some(&view));
        prop_assert!(view.id == id(user) || view.aliases.contains(&id(user)));
        let roots = USERS.iter().filter_map(|other| directory.view(&app(), &id(other)));
        let listing: BTreeSet<_> =
            roots.filter(|other| other.aliases.contains(&id(user))).map(|other| other.id).collect();
        prop_assert_eq!(listing.len(), usize::from(view.id != id(user)));
    }
    Ok(())
}

/// The removed users, and all users merged into one.
fn removed_users(history: &[Event]) -> BTreeSet<User> {
    let says = || history.iter().flat_map(|event| &event.says);
    let removed = says().filter_map(|say| match say {
        Say::Remove { user } | Say::Erase { user } => Some(*user),
        _ => None,
    });
    let mut gone: BTreeSet<User> = removed.collect();
    for _ in USERS {
        for say in says() {
            let Say::Merge { surviving, discarded } = say else { continue };
            if gone.contains(surviving) {
                gone.extend(discarded);
            }
        }
    }
    gone
}

fn sets_null(event: &Event) -> bool {
    event.says.iter().any(|say| matches!(say, Say::Set { value: None, .. }))
}

/// The client in an observation.
fn carried<'s>(seen: &'s Sighting, client: &ClientId) -> Option<&'s Device> {
    seen.clients.iter().find(|(carried, _)| *carried == client.as_str()).map(|(_, device)| device)
}

fn members(client: &Client) -> BTreeMap<String, String> {
    serde_json::from_str(&client.rest).unwrap()
}

fn before_and_after(
    history: &[Event],
    event: &Event,
) -> (rollcall::domain::WorkingSet, rollcall::domain::WorkingSet) {
    let before: Vec<&Event> = history.iter().collect();
    let after: Vec<&Event> = history.iter().chain([event]).collect();
    (directory_of(&before), directory_of(&after))
}

/// A value without an owner.
fn plain(text: &'static str) -> Value {
    Value { text, of: "" }
}
