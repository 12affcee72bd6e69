//! A merged app user adds its data to the survivor.

use serde_json::{Value, json};

use super::{in_every_order, received, shown, v1, v2, wrote};
use crate::support::{Home, Program};

fn full(day: u32, id: &str, properties: Value, clients: Value) -> Value {
    wrote(day, json!({ "_id": id, "properties": properties, "clients": clients }))
}

fn client(id: &str, platform: &str) -> Value {
    json!([{ "id": id, "platform": platform, "active": true }])
}

/// v1's merge has no time of its own; `day` is that of a relay which adds one.
fn merge(day: Option<u32>, surviving: &str, discarded: &str) -> Value {
    let mut rest = json!({ "surviving": { "_id": surviving }, "discarded": [{ "_id": discarded }] });
    if let Some(day) = day {
        rest["timestamp"] = received(day).into();
    }
    v1("merge:appUser", rest)
}

fn v2_merge(day: u32, surviving: &str, discarded: &str) -> Value {
    let users = json!({ "surviving": { "id": surviving }, "discarded": { "id": discarded } });
    v2(day, "user:merge", json!({ "mergedUsers": users }))
}

#[test]
fn a_picture_of_the_survivor_hides_only_older_values_merged_before() {
    let program = Home::new().start();
    let x = |day| full(day, "x$", json!({ "p": 1 }), client("sms$", "twilio"));
    let y = |day| full(day, "y$", json!({}), client("ios$", "ios"));
    // The events, and true if Y shows the value of X.
    let table: [(&str, Vec<Value>, bool); 10] = [
        ("pictures, then a merge without a time", vec![x(1), y(2), merge(None, "y$", "x$")], true),
        ("pictures, then a merge", vec![x(1), y(2), v2_merge(3, "y$", "x$")], true),
        ("a picture of the survivor before", vec![y(1), x(2), v2_merge(3, "y$", "x$")], true),
        ("a picture after the merge", vec![x(1), v2_merge(2, "y$", "x$"), y(3)], false),
        ("a picture after a relayed merge", vec![x(1), merge(Some(2), "y$", "x$"), y(3)], false),
        // The time of the merge is unknown.
        ("a picture, perhaps after the merge", vec![x(1), merge(None, "y$", "x$"), y(3)], true),
        ("what was told after the picture", vec![v2_merge(1, "y$", "x$"), y(2), x(3)], true),
        ("by way of another", vec![x(1), v2_merge(2, "z$", "x$"), y(3), v2_merge(4, "y$", "z$")], true),
        (
            "by way of another, before",
            vec![x(1), v2_merge(2, "z$", "x$"), v2_merge(3, "y$", "z$"), y(4)],
            false,
        ),
        (
            "by way of another, without a time",
            vec![x(1), merge(None, "z$", "x$"), v2_merge(3, "y$", "z$"), y(4)],
            true,
        ),
    ];
    for (n, (case, bodies, is_there)) in table.into_iter().enumerate() {
        let own = |text: &str| text.replace('$', &format!("-{n}$"));
        let bodies: Vec<Value> =
            bodies.iter().map(|body| serde_json::from_str(&own(&body.to_string())).unwrap()).collect();
        in_every_order(&program, &bodies, |sign| {
            let user = shown(&program, &sign(&own("x$")));
            assert_eq!(user["_id"], sign(&own("y$")), "{case}");
            assert_eq!(user["properties"]["p"] == 1, is_there, "{case}: {user}");
            let ids: Vec<&Value> =
                user["clients"].as_array().unwrap().iter().map(|client| &client["id"]).collect();
            let (ios, sms) = (json!(sign(&own("ios$"))), json!(sign(&own("sms$"))));
            assert_eq!(ids, if is_there { vec![&ios, &sms] } else { vec![&ios] }, "{case}");
            assert!(
                user["clients"].as_array().unwrap().iter().all(|client| client["active"] == true),
                "{case}"
            );
        });
    }
}

/// From which trigger, and of which day, each value is.
fn sources(program: &Program, id: &str) -> Value {
    let answer = program.get(&format!("/v1/appusers/{id}?include=provenance"));
    assert_eq!(answer.status, 200, "{answer:?}");
    let sources = answer.json()["provenance"].as_object().unwrap().clone();
    let told = sources.into_iter().map(|(name, event)| {
        let trigger = event["trigger"].as_str().unwrap();
        let day = event["time"].as_str().map_or("", |time| &time[8..10]);
        (name, format!("{trigger} {day}").into())
    });
    Value::Object(told.collect())
}

#[test]
fn the_source_of_a_value_is_its_event_and_never_a_merge() {
    let program = Home::new().start();
    let named = |day: u32, id: &str, fields: Value| {
        let mut user = json!({ "id": id });
        user.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        v2(day, "user:update", json!({ "user": user }))
    };
    let profile = |name: &str| json!({ "profile": { "givenName": name } });
    let bodies = [
        full(1, "a$", json!({ "p": 1 }), client("phone$", "ios")),
        named(2, "a$", profile("Ann")),
        named(3, "b$", json!({ "externalId": "bob$" })),
        v2_merge(4, "a$", "b$"),
        v2_merge(5, "b$", "a$"),
    ];
    let expected = json!({
        "givenName": "user:update 03", "properties.p": "message:appUser 02", "clients": "message:appUser 02",
        "userId": "user:update 04", "conversationStarted": "message:appUser 02",
    });
    in_every_order(&program, &bodies, |sign| {
        let user = shown(&program, &sign("a$"));
        assert_eq!((&user["_id"], &user["givenName"]), (&json!(sign("b$")), &json!("Ann")));
        assert_eq!(sources(&program, &sign("b$")), expected);
        assert_eq!(sources(&program, &sign("a$")), expected);
    });
    // The values shown of the survivor have their sender as source; a repeated value has the first sender.
    let bodies = [
        named(1, "c$", profile("Cat")),
        named(2, "d$", profile("Dan")),
        named(3, "c$", profile("Cat")),
        v2_merge(4, "d$", "c$"),
        named(6, "d$", json!({ "metadata": { "q": 1 } })),
    ];
    let expected = json!({ "givenName": "user:update 03", "properties.q": "user:update 07" });
    in_every_order(&program, &bodies, |sign| assert_eq!(sources(&program, &sign("c$")), expected));
}

#[test]
fn the_source_of_clients_repeated_by_a_merge_is_their_first_event() {
    let program = Home::new().start();
    let x = |day| full(day, "x$", json!({ "p": 1 }), client("sms$", "twilio"));
    let y = |day, clients| full(day, "y$", json!({}), clients);
    // The events, and the one that the clients come from.
    let table: [(&str, Vec<Value>, &str); 6] = [
        (
            "told again after a picture that hid them",
            vec![x(1), v2_merge(2, "y$", "x$"), y(3, json!([])), v2_merge(4, "y$", "x$")],
            "message:appUser 02",
        ),
        (
            "the survivor has one too",
            vec![x(1), v2_merge(2, "y$", "x$"), y(3, client("ios$", "ios")), v2_merge(4, "y$", "x$")],
            "message:appUser",
        ),
        ("without a time", vec![x(1), v2_merge(2, "y$", "x$"), y(3, json!([])), merge(None, "y$", "x$")], ""),
        (
            "a picture of the other between",
            vec![y(1, json!([])), v2_merge(2, "y$", "x$"), x(3), v2_merge(4, "y$", "x$")],
            "message:appUser 04",
        ),
        (
            "turned round",
            vec![x(1), v2_merge(2, "y$", "x$"), y(3, json!([])), v2_merge(4, "x$", "y$")],
            "message:appUser 02",
        ),
        (
            "by way of another",
            vec![x(1), v2_merge(2, "y$", "x$"), y(3, json!([])), v2_merge(4, "z$", "x$")],
            "message:appUser 02",
        ),
    ];
    for (n, (case, bodies, expected)) in table.into_iter().enumerate() {
        let own = |text: &str| text.replace('$', &format!("-{n}$"));
        let bodies: Vec<Value> =
            bodies.iter().map(|body| serde_json::from_str(&own(&body.to_string())).unwrap()).collect();
        in_every_order(&program, &bodies, |sign| {
            let told = sources(&program, &sign(&own("x$")));
            let from = told["clients"].as_str().unwrap_or_default();
            let is_right = if expected.is_empty() { from.is_empty() } else { from.starts_with(expected) };
            assert!(is_right, "{case}: {told}");
        });
    }
}

#[test]
fn the_source_of_a_value_set_by_our_api_is_that_call() {
    let program = Home::new().start();
    for id in ["a", "b"] {
        assert_eq!(program.webhook(full(1, id, json!({}), json!([])).to_string()).status, 200);
    }
    let key = crate::support::basic(crate::support::KEY_ID, crate::support::KEY_SECRET);
    let headers = [("authorization", &*key), ("content-type", "application/json")];
    let set = program.request("PUT", "/v1/appusers/b", &headers, br#"{"surname":"Bee"}"#);
    assert_eq!(set.status, 200, "{set:?}");
    for body in [merge(None, "a", "b"), merge(None, "b", "a"), merge(Some(9), "a", "b")] {
        assert_eq!(program.webhook(body.to_string()).status, 200);
    }
    let told = sources(&program, "a");
    assert!(told["surname"].as_str().unwrap().starts_with("api:update "), "{told}");
    assert_eq!(told["conversationStarted"], "message:appUser 02");
}
