//! The event of each value (`include=provenance`), over HTTP.

use serde_json::Value;

use crate::support::{APP, Home, Program, fixtures};

/// Every member that answers show has an event, and no more have.
fn every_value_has_an_event(program: &Program, id: &str) {
    let answer = program.get(&format!("/v1/appusers/{id}?include=provenance")).json();
    let shown = answer["appUser"].as_object().unwrap();
    let provenance = answer["provenance"].as_object().unwrap();
    let mut expected: Vec<String> = Vec::new();
    for (name, value) in shown {
        match (name.as_str(), value) {
            ("_id", _) | ("conversationStarted", Value::Bool(false)) => {}
            ("properties", value) => {
                expected.extend(value.as_object().unwrap().keys().map(|key| format!("properties.{key}")));
            }
            ("clients", value) if value.as_array().unwrap().is_empty() => {}
            (name, _) => expected.push(name.to_owned()),
        }
    }
    expected.sort();
    assert_eq!(provenance.keys().cloned().collect::<Vec<_>>(), expected, "{answer}");
}

#[test]
fn a_value_that_merges_repeat_names_the_event_that_said_it() {
    let program = Home::new().start();
    let user =
        |id: &str, more: &str| format!("{{\"_id\":\"{id}\"{more},\"properties\":{{}},\"clients\":[]}}");
    let message = |n: u32, user: &str| {
        format!(
            "{{\"trigger\":\"message:appUser\",\"app\":{{\"_id\":\"{APP}\"}},\"appUser\":{user},\"messages\":[{{\"_id\":\"m{n}\",\
             \"role\":\"appUser\",\"type\":\"text\",\"received\":{},\"source\":{{\"type\":\"web\"}}}}]}}",
            1_600_000_000 + n
        )
    };
    let merge = |n: u32, surviving: &str, discarded: &str| {
        format!(
            "{{\"trigger\":\"merge:appUser\",\"app\":{{\"_id\":\"{APP}\"}},\"timestamp\":{},\"surviving\":{surviving},\
             \"discarded\":[{discarded}]}}",
            1_600_000_000 + n
        )
    };
    let names = ",\"givenName\":\"Ann\",\"surname\":\"Bee\",\"email\":\"b@x.example\"";
    for body in [
        message(0, &user("A", ",\"givenName\":\"Ann\"")),
        message(1, &user("B", ",\"surname\":\"Bee\",\"email\":\"b@x.example\"")),
        merge(2, &user("A", names), &user("B", names)),
        merge(3, &user("B", names), &user("A", names)),
    ] {
        assert_eq!(program.webhook(body).status, 200);
    }
    every_value_has_an_event(&program, "A");
    let provenance = program.get("/v1/appusers/B?include=provenance").json()["provenance"].clone();
    let seqs = ["givenName", "surname", "email"].map(|name| provenance[name]["seq"].as_u64());
    assert_eq!(seqs, [Some(1), Some(2), Some(2)], "{provenance}");
}

#[test]
fn a_chain_of_merges_in_another_order_names_an_event_for_every_value() {
    let text = std::fs::read_to_string(fixtures().join("sequences/merge-chain.jsonl")).unwrap();
    let program = Home::new().start();
    for line in text.lines().rev() {
        assert_eq!(program.webhook(line).status, 200);
    }
    every_value_has_an_event(&program, "603c9f0005bbc2895678638d");
}
