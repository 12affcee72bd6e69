//! A client that passes to another app user within a batch, under several ids: the stored state equals the journal.

use super::random::{Step, Verb};
use super::stored::history;
use super::*;

type Round = (Vec<Step>, usize);

/// A client with the flag of its app user, as a webhook reports it.
fn changed(user: &str, client: &str, active: Option<bool>, rest: &str) -> Fact {
    let value = Some(Mention { active, rest: rest.into() });
    Fact::ClientChanged { user: user.into(), client: client.into(), value }
}

/// An active client, under a second id too.
fn linked(user: &str, client: &str, other: &str) -> Fact {
    changed(user, client, Some(true), &format!(r#"{{"_id":"{other}"}}"#))
}

fn bound(user: &str, client: &str) -> Fact {
    Fact::ClientBound { user: user.into(), client: client.into(), also: Vec::new() }
}

fn named(user: &str, name: &str) -> Fact {
    Fact::Seen(seen(user, vec![given(Field::UserId, name)]))
}

fn told(time: i64, fact: Fact) -> Step {
    Step::Told(time, vec![fact])
}

/// The steps one by one, then those of a batch together.
fn batch_after(before: Vec<Step>, batch: Vec<Step>) {
    let rounds: [Round; 2] = [(before, 1), (batch, 8)];
    history(&rounds, None).unwrap();
}

#[test]
fn a_deleted_holder_leaves_its_client_to_an_app_user_with_another_id_for_it() {
    let before = || vec![Step::Init("d1", None), Step::Init("d3", None), told(1, linked("s1", "d3", "d1"))];
    for gone in [Verb::Delete, Verb::Erase { only: false }, Verb::Erase { only: true }] {
        batch_after(before(), vec![Step::Command(gone, 0, 0), Step::Init("d1", None)]);
    }
}

#[test]
fn a_webhook_leaves_a_client_to_an_app_user_with_another_id_for_it() {
    let withdrawn = |fact| vec![told(9, fact), Step::Init("d1", None)];
    let client = |value| Fact::ClientChanged { user: "s2".into(), client: "d1".into(), value };
    let inactive = Mention { active: Some(false), rest: "{}".into() };
    let facts = [
        Fact::Removed { user: "s2".into() },
        client(None),
        client(Some(inactive)),
        picture("s2", vec![given(property("plan"), "p")], &[]),
    ];
    for fact in facts {
        let before = vec![
            Step::Init("d3", None),
            told(1, linked("s1", "d3", "d1")),
            told(5, changed("s2", "d1", None, "{}")),
        ];
        batch_after(before, withdrawn(fact));
    }
}

#[test]
fn a_webhook_gives_a_client_to_an_app_user_with_another_id_for_it() {
    let before = || {
        vec![
            told(1, bound("s3", "d7")),
            told(2, bound("s4", "d1")),
            told(1, linked("s1", "d3", "d1")),
            told(20, changed("s2", "d3", None, r#"{"_id":"d7"}"#)),
            told(20, named("s2", "ann")),
        ]
    };
    batch_after(before(), vec![told(3, bound("s1", "d1")), Step::Init("d1", None)]);
    batch_after(before(), vec![told(3, linked("s1", "d1", "d3")), Step::Init("d1", None)]);
    let mut apart = before();
    apart[2] = told(1, bound("s1", "d1"));
    batch_after(apart, vec![told(3, linked("s1", "d1", "d3")), Step::Init("d1", None)]);
}

#[test]
fn ids_joined_in_a_batch_pass_on_in_it() {
    let before = |ids: &[&str]| -> Vec<Step> {
        let bound = ids.iter().map(|id| told(1, bound("s1", id)));
        bound.chain([told(1, named("s1", "ann"))]).collect()
    };
    for ids in [&["d1", "d2"][..], &["d1"], &["d2"], &[]] {
        batch_after(before(ids), vec![told(2, linked("s1", "d1", "d2")), Step::Init("d1", None)]);
        batch_after(before(ids), vec![told(2, linked("s1", "d2", "d1")), Step::Init("d1", None)]);
    }
    let mut twice = before(&[]);
    twice.extend([told(1, linked("s1", "d1", "d3")), told(1, linked("s1", "d2", "d4"))]);
    batch_after(twice, vec![told(2, linked("s1", "d1", "d2")), Step::Init("d2", None)]);
}

#[test]
fn ids_that_an_init_joins_pass_on_with_the_next() {
    let before = vec![
        told(5, linked("s2", "d3", "d9")),
        told(5, named("s2", "ann")),
        told(1, linked("s1", "d3", "d1")),
    ];
    batch_after(before, vec![Step::Init("d1", Some("ann")), Step::Init("d1", None)]);
}

#[test]
fn an_app_user_that_gets_a_client_in_a_batch_is_deleted_in_it() {
    let before = || {
        vec![
            Step::Init("d1", None),
            told(2, bound("s3", "d2")),
            told(1, bound("s2", "d2")),
            told(3, bound("s1", "d2")),
            told(1, bound("s1", "d1")),
        ]
    };
    let delete = Step::Command(Verb::DeleteByName(None), 0, 0);
    let batch = vec![Step::Command(Verb::Delete, 0, 0), Step::Init("d1", Some("ann")), delete];
    batch_after(before(), batch);
}
