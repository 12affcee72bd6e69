//! Every value that an app user shows is from an event, and the event said it.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use rollcall::domain::{Event, Fact, Field, JsonText, SmoochId, View};
use rollcall::rebuild::history_replay::HistoryReplay;
use rollcall::rebuild::sources::Sources;
use rollcall::smooch::journal_entry::event_at;
use rollcall::store::{Entry, Outcome, Seq, Source};

use super::generate::{USERS, history, unmerging_history};
use super::{app, cases, translate};
use crate::model::{Device, Say, Sighting};
use crate::support::fixtures;

/// The journal entry of an event.
fn entry(seq: Seq, event: &Event) -> Entry {
    Entry {
        seq,
        app: app(),
        source: Source::Webhook,
        received: 0,
        event_time: event.stamp.known_time(),
        trigger: Arc::from(&*event.trigger),
        outcome: Outcome::Learned,
        digest: event.stamp.digest,
        users: event.users().into_iter().map(|user| (user.clone(), None)).collect(),
        body: 0,
        place: 0,
    }
}

/// True if a fact says this value of a field.
fn says_it(fact: &Fact, field: &Field, value: &JsonText) -> bool {
    match fact {
        Fact::Seen(seen) => seen.fields.iter().any(|(of, said)| of == field && said.as_ref() == Some(value)),
        Fact::Set { fields, .. } => {
            fields.iter().any(|(of, said, _)| of == field && said.as_ref() == Some(value))
        }
        _ => false,
    }
}

/// The values that the app users merged by an event have before it.
fn merged_values(replay: &HistoryReplay, event: &Event) -> BTreeSet<(Field, JsonText)> {
    let merges = event.facts.iter().filter(|fact| matches!(fact, Fact::Merged { .. }));
    let merged = merges.flat_map(Fact::users).flatten();
    merged.filter_map(|id| replay.view(id)).flat_map(|view| view.fields).collect()
}

/// Fails unless every value that the app user of an `_id` shows names an event that said it, and no merge that only
/// repeated what one of its app users showed.
fn check(events: &[Event], id: &SmoochId) -> Result<(), TestCaseError> {
    let mut replay = HistoryReplay::new(&app(), Vec::new());
    let mut sources = Sources::of(id);
    let mut repeated = Vec::new();
    for (n, event) in events.iter().enumerate() {
        repeated.push(merged_values(&replay, event));
        sources.apply(&mut replay, &entry(n as Seq, event), event, &n);
    }
    let Some(view): Option<View> = replay.view(id) else { return Ok(()) };
    let shown = sources.shown(&replay);
    for (field, value) in &view.fields {
        let named = shown.get(&*field.name()).copied();
        let named =
            named.ok_or_else(|| TestCaseError::fail(format!("{id}: {field} has no event: {view:?}")))?;
        let is_said = events[named].facts.iter().any(|fact| says_it(fact, field, value));
        prop_assert!(is_said, "{}: {} is not in event {}", id, field, named);
        let users = events[named]
            .facts
            .iter()
            .filter(|fact| matches!(fact, Fact::Merged { .. }))
            .flat_map(Fact::users);
        let users: BTreeSet<&SmoochId> = users.flatten().collect();
        let by_others = events[named].facts.iter().any(|fact| match fact {
            Fact::Seen(seen) => !users.contains(&seen.user) && says_it(fact, field, value),
            _ => says_it(fact, field, value),
        });
        let is_repeated = repeated[named].contains(&(field.clone(), value.clone())) && !by_others;
        prop_assert!(!is_repeated, "{}: {} is named by merge {}", id, field, named);
    }
    let flags = [("clients", !view.clients.is_empty()), ("conversationStarted", view.started)];
    for (name, _) in flags.into_iter().filter(|(_, is)| *is) {
        prop_assert!(shown.contains_key(name), "{}: {} has no event", id, name);
    }
    Ok(())
}

fn check_all(events: &[crate::model::Event]) -> Result<(), TestCaseError> {
    let events: Vec<Event> = events.iter().map(translate::event).collect();
    USERS.iter().try_for_each(|user| check(&events, &translate::id(user)))
}

proptest! {
    #![proptest_config(cases(10))]

    #[test]
    fn every_value_shown_names_an_event_that_said_it(history in history(10)) {
        check_all(&history)?;
    }

    #[test]
    fn also_after_merges_were_undone(history in unmerging_history(10)) {
        check_all(&history)?;
    }
}

/// All orders of these.
fn orders<T: Clone>(all: &[T]) -> Vec<Vec<T>> {
    if all.is_empty() {
        return vec![Vec::new()];
    }
    let each = (0..all.len()).flat_map(|n| {
        let mut rest = all.to_vec();
        let first = rest.remove(n);
        orders(&rest).into_iter().map(move |mut order| {
            order.insert(0, first.clone());
            order
        })
    });
    each.collect()
}

#[test]
fn a_chain_of_merges_names_the_events_in_whatever_order_they_arrive() {
    let text = std::fs::read_to_string(fixtures().join("sequences/merge-chain.jsonl")).unwrap();
    let events: Vec<Event> = text.lines().map(|line| event_at(line.as_bytes(), 0).unwrap()).collect();
    for order in orders(&events) {
        for id in order.iter().flat_map(Event::users) {
            check(&order, id).unwrap();
        }
    }
}

/// A client that was removed under another of its ids is not shown, until a merge brings a later statement about it.
#[test]
fn clients_that_only_a_merge_shows_name_an_event() {
    let mention = |user, client, device_id| {
        let device = Device { device_id, ..Device::default() };
        Say::Seen(Sighting { user, clients: vec![(client, device)], ..Sighting::default() })
    };
    let removal = Say::Client { user: "D", client: "c3", value: None };
    let merge = Say::Merge { surviving: "D", discarded: vec!["E"] };
    let events = [
        (Some(2), "", vec![removal]),
        (None, "", vec![mention("D", "c1", Some("c3"))]),
        (Some(2), "x", vec![merge, mention("E", "c3", None)]),
    ];
    check_all(&events.map(|(time, id, says)| crate::model::Event { time, id, says })).unwrap();
}
