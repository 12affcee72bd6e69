//! Clients that are being linked belong to the picture of the clients.

use serde_json::{Value, json};

use super::{in_every_order, shown, v1, wrote};
use crate::support::Home;

fn user(rest: Value) -> Value {
    let mut user = json!({ "_id": "x$", "properties": {} });
    user.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    user
}

#[test]
fn a_linked_client_is_no_longer_pending() {
    let program = Home::new().start();
    let pending = json!([{ "id": "k$", "platform": "twilio", "displayName": "+1514" }]);
    let k = json!({ "id": "k$", "platform": "twilio", "active": true });
    let being_linked = || wrote(1, user(json!({ "clients": [], "pendingClients": pending })));
    let client = |trigger: &str, client: &Value| {
        let carried =
            json!({ "timestamp": super::received(2), "appUser": { "_id": "x$" }, "client": client });
        v1(trigger, carried)
    };
    let other = json!([{ "id": "l$", "platform": "twilio" }]);
    let table: [(&str, Vec<Value>, Value, &[&str]); 9] = [
        ("still pending", vec![being_linked()], pending.clone(), &[]),
        ("linked", vec![being_linked(), wrote(2, user(json!({ "clients": [k] })))], Value::Null, &["k"]),
        (
            "linked, in an old form",
            vec![being_linked(), wrote(2, user(json!({ "devices": [k] })))],
            Value::Null,
            &["k"],
        ),
        ("refused", vec![being_linked(), wrote(2, user(json!({ "clients": [] })))], Value::Null, &[]),
        (
            "another is pending now",
            vec![being_linked(), wrote(2, user(json!({ "clients": [k], "pendingClients": other })))],
            other.clone(),
            &["k"],
        ),
        (
            "it says nothing of clients",
            vec![being_linked(), wrote(2, user(json!({ "givenName": "Ann" })))],
            pending.clone(),
            &[],
        ),
        ("added", vec![being_linked(), client("client:add", &k)], json!([]), &["k"]),
        (
            "another was added",
            vec![being_linked(), client("client:add", &json!({ "id": "l$", "platform": "ios" }))],
            pending.clone(),
            &["l"],
        ),
        (
            "pending again",
            vec![
                being_linked(),
                wrote(2, user(json!({ "clients": [] }))),
                wrote(3, user(json!({ "pendingClients": other }))),
            ],
            other,
            &[],
        ),
    ];
    for (n, (case, bodies, pending, clients)) in table.into_iter().enumerate() {
        // Each case is about others.
        let own = |text: &str| text.replace('$', &format!("-{n}$"));
        let bodies: Vec<Value> =
            bodies.iter().map(|body| serde_json::from_str(&own(&body.to_string())).unwrap()).collect();
        in_every_order(&program, &bodies, |sign| {
            let user = shown(&program, &sign(&own("x$")));
            let expected: Value = serde_json::from_str(&sign(&own(&pending.to_string()))).unwrap();
            assert_eq!(user["pendingClients"], expected, "{case}");
            let ids = user["clients"].as_array().unwrap().iter().map(|client| client["id"].clone());
            let expected: Vec<Value> =
                clients.iter().map(|id| json!(sign(&own(&format!("{id}$"))))).collect();
            assert_eq!(ids.collect::<Vec<_>>(), expected, "{case}");
        });
    }
}

#[test]
fn null_members_of_pending_clients_are_not_shown() {
    let program = Home::new().start();
    let pending = json!([null, { "id": "p$", "platform": "twilio", "lastSeen": null }]);
    let bodies = [wrote(1, json!({ "_id": "x$", "pendingClients": pending }))];
    in_every_order(&program, &bodies, |sign| {
        let user = shown(&program, &sign("x$"));
        assert_eq!(user["pendingClients"], json!([{ "id": sign("p$"), "platform": "twilio" }]), "{user}");
    });
}
