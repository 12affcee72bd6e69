//! Histories, orders and single events at random.

use std::fmt;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::model::{ClientName, Device, Event, Field, Member, Say, Sighting, User, Value};

pub(super) const USERS: [User; 5] = ["A", "B", "C", "D", "E"];
const CLIENTS: [ClientName; 3] = ["c1", "c2", "c3"];
const LATEST: i64 = 6;

/// Up to `most` events, no merge undone.
pub(super) fn history(most: usize) -> BoxedStrategy<Vec<Event>> {
    vec(event(maybe_time(), any_say()), 0..=most).boxed()
}

/// Up to `most` events, with un-merges, without removals.
pub(super) fn unmerging_history(most: usize) -> BoxedStrategy<Vec<Event>> {
    let undo = (user(), user()).prop_map(|(surviving, discarded)| Say::Unmerge { surviving, discarded });
    let says =
        prop_oneof![4 => sighting().prop_map(Say::Seen), 5 => merge(), 3 => undo, 2 => set(), 2 => client()];
    vec(event(maybe_time(), says), 0..=most).boxed()
}

/// Events that all have a time, from `first` on.
pub(super) fn history_between(first: i64, most: usize) -> BoxedStrategy<Vec<Event>> {
    vec(event((first..LATEST).prop_map(Some), any_say()), 0..=most).boxed()
}

/// Older than all of `history_between(1, …)`.
pub(super) fn old_sighting() -> BoxedStrategy<Event> {
    event(select(vec![None, Some(0)]), sighting().prop_map(Say::Seen)).prop_map(alone).boxed()
}

/// Carries a little, clears nothing, and is no complete picture.
pub(super) fn truncated() -> BoxedStrategy<Event> {
    let seen = sighting().prop_map(|seen| {
        let fields = seen.fields.into_iter().filter(|(_, value)| value.is_some()).collect();
        Say::Seen(Sighting { fields, properties_whole: false, clients_whole: false, ..seen })
    });
    event(maybe_time(), seen).prop_map(alone).boxed()
}

fn alone(mut event: Event) -> Event {
    event.says.truncate(1);
    event
}

fn event(
    time: impl Strategy<Value = Option<i64>>,
    say: impl Strategy<Value = Say>,
) -> impl Strategy<Value = Event> {
    // One event may concern two users, so two statements can have one stamp.
    let second = prop_oneof![sighting().prop_map(Say::Seen), bind()];
    let also = prop_oneof![3 => Just(None), 1 => second.prop_map(Some)];
    (time, select(vec!["", "x", "y"]), say, also).prop_map(|(time, id, say, also)| {
        let also = also.filter(|_| !matches!(say, Say::Set { .. }));
        Event { time, id, says: std::iter::once(say).chain(also).collect() }
    })
}

fn any_say() -> BoxedStrategy<Say> {
    let remove = user().prop_map(|user| Say::Remove { user });
    let erase = user().prop_map(|user| Say::Erase { user });
    prop_oneof![
        8 => sighting().prop_map(Say::Seen),
        4 => merge(),
        3 => set(),
        2 => client(),
        1 => bind(),
        1 => remove,
        1 => erase,
    ]
    .boxed()
}

fn user() -> impl Strategy<Value = User> {
    select(&USERS[..])
}

fn value() -> impl Strategy<Value = Value> {
    select(vec!["p", "q"]).prop_map(super::plain)
}

fn value_of(field: Field) -> impl Strategy<Value = (Field, Option<Value>)> {
    let clears = prop_oneof![1 => Just(true), 3 => Just(false)];
    (clears, value()).prop_map(move |(clears, value)| (field, Some(value).filter(|_| !clears)))
}

fn maybe_time() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![1 => Just(None), 6 => (0..LATEST).prop_map(Some)]
}

fn device() -> impl Strategy<Value = Device> {
    let member = prop_oneof![Just(Member::Platform), Just(Member::Token)];
    let other = || prop_oneof![4 => Just(None), 1 => select(&CLIENTS[..]).prop_map(Some)];
    (any::<Option<bool>>(), btree_map(member, value(), 0..=2), other(), other())
        .prop_map(|(active, members, other_id, device_id)| Device { active, members, other_id, device_id })
}

fn sighting() -> BoxedStrategy<Sighting> {
    let fields = vec(select(&Field::ALL[..]).prop_flat_map(value_of), 0..=3);
    let clients = btree_map(select(&CLIENTS[..]), device(), 0..=2);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), proptest::bool::weighted(0.1));
    (user(), fields, clients, flags)
        .prop_map(|(user, mut fields, clients, flags)| {
            fields.sort();
            fields.dedup_by_key(|(field, _)| *field);
            let (properties_whole, clients_whole, started, secures) = flags;
            let clients = clients.into_iter().collect();
            Sighting { user, fields, properties_whole, clients, clients_whole, started, secures }
        })
        .boxed()
}

fn set() -> BoxedStrategy<Say> {
    let set = (user(), select(&Field::ALL[..]).prop_flat_map(value_of), proptest::option::of(value()));
    set.prop_map(|(user, (field, value), basis)| Say::Set { user, field, value, basis }).boxed()
}

fn merge() -> BoxedStrategy<Say> {
    (user(), vec(user(), 1..=2))
        .prop_map(|(surviving, discarded)| Say::Merge { surviving, discarded })
        .boxed()
}

fn client() -> BoxedStrategy<Say> {
    (user(), select(&CLIENTS[..]), proptest::option::of(device()))
        .prop_map(|(user, client, value)| Say::Client { user, client, value })
        .boxed()
}

fn bind() -> BoxedStrategy<Say> {
    let also = prop_oneof![3 => Just(None), 1 => select(&CLIENTS[..]).prop_map(Some)];
    (user(), select(&CLIENTS[..]), also)
        .prop_map(|(user, client, also)| Say::Bind { user, client, also })
        .boxed()
}

/// An order of arrival, with repetitions.
#[derive(Clone)]
pub(super) struct Order {
    keys: Vec<u8>,
    repeats: Vec<Index>,
}

pub(super) fn order() -> BoxedStrategy<Order> {
    (vec(any::<u8>(), 24), vec(any::<Index>(), 0..=5))
        .prop_map(|(keys, repeats)| Order { keys, repeats })
        .boxed()
}

impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}", self.keys, self.repeats)
    }
}

impl Order {
    /// The last first.
    pub(super) fn backwards(count: usize) -> Self {
        Self { keys: (0..=u8::MAX).rev().take(count).collect(), repeats: Vec::new() }
    }

    /// The positions where another text follows.
    pub(super) fn key(&self, text: &str) -> u8 {
        let sum: usize = text.bytes().map(usize::from).sum();
        self.keys[sum % self.keys.len()]
    }

    pub(super) fn of<'a>(&self, history: &'a [Event]) -> Vec<&'a Event> {
        self.of_refs(&history.iter().collect::<Vec<_>>())
    }

    pub(super) fn of_refs<'a>(&self, history: &[&'a Event]) -> Vec<&'a Event> {
        let repeats = self.repeats.iter().filter(|_| !history.is_empty());
        let arrivals = history.iter().copied().chain(repeats.map(|index| *index.get(history)));
        let mut arrivals: Vec<(u8, &Event)> = self.keys.iter().copied().zip(arrivals).collect();
        arrivals.sort_by_key(|(key, _)| *key);
        arrivals.into_iter().map(|(_, event)| event).collect()
    }
}

/// The same event, each client known by one id.
pub(super) fn by_one_id(mut event: Event) -> Event {
    let forget = |device: &mut Device| (device.other_id, device.device_id) = (None, None);
    for say in &mut event.says {
        match say {
            Say::Seen(seen) => seen.clients.iter_mut().for_each(|(_, device)| forget(device)),
            Say::Client { value: Some(device), .. } => forget(device),
            Say::Bind { also, .. } => *also = None,
            _ => {}
        }
    }
    event
}

/// The users an event names.
pub(super) fn users(event: &Event) -> Vec<User> {
    let of = |say: &Say| match say {
        Say::Seen(Sighting { user, .. })
        | Say::Set { user, .. }
        | Say::Client { user, .. }
        | Say::Bind { user, .. }
        | Say::Remove { user }
        | Say::Erase { user } => vec![*user],
        Say::Merge { surviving, discarded } => [&[*surviving], &discarded[..]].concat(),
        Say::Unmerge { surviving, discarded } => vec![*surviving, *discarded],
    };
    event.says.iter().flat_map(of).collect()
}

/// The same event, with every value marked with its user.
pub(super) fn tagged(event: &Event) -> Event {
    let mut event = event.clone();
    let device = |device: &mut Device, of| device.members.values_mut().for_each(|value| value.of = of);
    for say in &mut event.says {
        match say {
            Say::Seen(seen) => {
                seen.fields
                    .iter_mut()
                    .filter_map(|(_, value)| value.as_mut())
                    .for_each(|value| value.of = seen.user);
                seen.clients.iter_mut().for_each(|(_, client)| device(client, seen.user));
            }
            Say::Set { user, value, basis, .. } => {
                value.iter_mut().chain(basis).for_each(|value| value.of = user);
            }
            Say::Client { user, value: Some(value), .. } => device(value, user),
            _ => {}
        }
    }
    event
}
