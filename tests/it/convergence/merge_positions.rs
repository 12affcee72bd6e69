//! Merges at every position between complete pictures, compared with the model.

use super::compare;
use super::generate::Order;
use super::plain;
use crate::model::{Device, Event, Field, Say, Sighting, User};

/// A complete picture, at a time of its own, of one property and one client that only this user has.
fn picture(time: i64, user: User, with: bool) -> Event {
    let (property, client) = if user == "A" { (Field::Plan, "c1") } else { (Field::City, "c2") };
    let device = Device { active: Some(true), ..Device::default() };
    let seen = Sighting {
        user,
        fields: if with { vec![(property, Some(plain("p")))] } else { Vec::new() },
        properties_whole: true,
        clients: if with { vec![(client, device)] } else { Vec::new() },
        clients_whole: true,
        ..Sighting::default()
    };
    Event { time: Some(time), id: "", says: vec![Say::Seen(seen)] }
}

fn merge(time: Option<i64>, surviving: User, discarded: User) -> Event {
    Event { time, id: "", says: vec![Say::Merge { surviving, discarded: vec![discarded] }] }
}

#[test]
fn a_merge_may_be_at_any_place_between_pictures() {
    // Complete pictures at 2, 4, 6 and 8 of the users in `pictured`; a merge before, between, after and at the time
    // of each.
    let times: Vec<Option<i64>> = std::iter::once(None).chain((1..=9).map(Some)).collect();
    let mut compared = 0;
    for pictured in 0..16_u8 {
        let pictures: Vec<Event> = (0..4_u8)
            .map(|n| {
                let user = if pictured & (1 << n) == 0 { "A" } else { "B" };
                picture(2 + 2 * i64::from(n), user, n != 2)
            })
            .collect();
        for first in &times {
            for second in &times {
                let merges = [merge(*first, "A", "B"), merge(*second, "C", "A")];
                let back = [merge(*first, "A", "B"), merge(*second, "B", "A")];
                for merges in [merges, back] {
                    let history = [&pictures[..], &merges].concat();
                    compare(&history, &Order::backwards(history.len())).unwrap();
                    compared += 1;
                }
            }
        }
    }
    assert_eq!(compared, 3200);
}
