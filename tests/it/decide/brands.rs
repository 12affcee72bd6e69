//! The app user that a `userId` resolves to in a brand, in any order of events.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::random::everything;
use super::*;

const NAMES: [&str; 2] = ["ann", "bob"];
const BRANDS: [Option<&str>; 3] = [None, Some("b1"), Some("b2")];
const USERS: [&str; 4] = ["s1", "s2", "s3", "s4"];

/// Smooch's app users, each with name and brand.
type People = Vec<(&'static str, Option<&'static str>)>;

/// The app user of an event, and flags: it carries the name, it carries the brand.
type Told = (usize, bool, bool);

fn people() -> impl Strategy<Value = People> {
    proptest::collection::vec((select(&NAMES[..]), select(&BRANDS[..])), USERS.len())
}

fn events_of() -> impl Strategy<Value = Vec<Told>> {
    proptest::collection::vec((0..USERS.len(), any::<bool>(), any::<bool>()), 1..10)
}

fn event(n: usize, (who, name, brand): Told, people: &People) -> (i64, Vec<Fact>) {
    let mut fields = Fields::new();
    fields.extend(name.then(|| given(Field::UserId, people[who].0)));
    fields.extend(brand.then(|| (Field::BrandId, people[who].1.map(json_text))));
    (n as i64, vec![Fact::Seen(seen(USERS[who], fields))])
}

/// Creates some app users before Smooch reports any, and then applies Smooch's events.
fn live(made: &[(&str, Option<&str>)], events: &[(i64, Vec<Fact>)]) -> Live {
    let mut live = Live::new();
    for (name, brand) in made {
        _ = live.ask(create(name, vec![(Field::BrandId, brand.map(json_text))]));
    }
    live.clock = 1000;
    for (time, facts) in events {
        live.learn(*time, facts.clone());
    }
    live
}

/// The app user that each name resolves to in each brand.
fn resolved(live: &Live) -> Vec<Option<SmoochId>> {
    let all = NAMES.iter().flat_map(|name| BRANDS.iter().map(move |brand| (json_text(name), brand)));
    all.map(|(name, brand)| live.directory.in_brand(&app(), &name, *brand).map(|view| view.id)).collect()
}

proptest! {
    #![proptest_config(crate::convergence::cases(20))]

    #[test]
    fn a_name_resolves_the_same_in_any_order(
        people in people(),
        made in proptest::collection::btree_set((select(&NAMES[..]), select(&BRANDS[..])), 0..4),
        told in events_of(),
        order in proptest::collection::vec(any::<Index>(), 10),
    ) {
        let made: Vec<_> = made.into_iter().collect();
        let events: Vec<_> = told.iter().enumerate().map(|(n, told)| event(n, *told, &people)).collect();
        let (mut left, mut shuffled) = (events.clone(), Vec::new());
        for index in &order {
            if !left.is_empty() {
                shuffled.push(left.remove(index.index(left.len())));
            }
        }
        shuffled.extend(left);
        let (one, other) = (live(&made, &events), live(&made, &shuffled));
        prop_assert_eq!(resolved(&one), resolved(&other));
        let united = |live: &Live| -> BTreeSet<_> {
            let views = everything(&live.directory).into_values().flatten();
            views.map(|view| view.ids().cloned().collect::<BTreeSet<_>>()).collect()
        };
        prop_assert_eq!(united(&one), united(&other));
        // Smooch's app users of two brands are never one.
        for view in everything(&one.directory).into_values().flatten() {
            let of_smooch = USERS.iter().filter(|user| view.ids().any(|id| id.as_str() == **user)).count();
            prop_assert!(of_smooch <= 1, "{:?}", view);
        }
    }
}
