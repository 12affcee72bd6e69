//! Clients: mentioned with less, under another id, by another version.

use serde_json::{Value, json};

use super::{in_every_order, listed, received, shown, v1, v2, wrote};
use crate::support::{APP, Home, Program};

fn full(day: u32, clients: Value) -> Value {
    wrote(day, json!({ "_id": "x$", "properties": {}, "clients": clients }))
}

/// A v1.1 event of a user without other data.
fn with_client(day: u32, trigger: &str, client: Value) -> Value {
    let rest = json!({ "version": "v1.1", "timestamp": received(day), "appUser": { "_id": "x$" }, "client": client });
    v1(trigger, rest)
}

fn through(day: u32, source: Value) -> Value {
    let author = json!({ "type": "user", "userId": "x$", "user": { "id": "x$" } });
    v2(day, "conversation:message", json!({ "message": { "author": author, "source": source } }))
}

/// The clients of `x$`, each without its id, by its id.
fn clients(program: &Program, sign: &dyn Fn(&str) -> String) -> Value {
    let user = shown(program, &sign("x$"));
    let clients = user["clients"].as_array().unwrap().iter().map(|client| {
        let mut client = client.as_object().unwrap().clone();
        let id = client.remove("id").unwrap().as_str().unwrap().to_owned();
        (id, Value::Object(client))
    });
    Value::Object(clients.collect())
}

/// Each case is posted in every order, about its own users, and ends with these clients.
fn table(rows: &[(&str, Vec<Value>, Value)]) {
    let program = Home::new().start();
    for (n, (case, bodies, expected)) in rows.iter().enumerate() {
        let own = |value: &Value| -> Value {
            serde_json::from_str(&value.to_string().replace('$', &format!("-{n}$"))).unwrap()
        };
        let bodies: Vec<Value> = bodies.iter().map(own).collect();
        let expected = own(expected).to_string();
        in_every_order(&program, &bodies, |sign| {
            let sign = |text: &str| sign(&text.replace('$', &format!("-{n}$")));
            let expected: Value =
                serde_json::from_str(&expected.replace(&format!("-{n}$"), &sign("$"))).unwrap();
            assert_eq!(clients(&program, &sign), expected, "{case}");
        });
    }
}

fn phone() -> Value {
    json!({ "id": "k$", "platform": "ios", "active": true, "appVersion": "2.1",
        "pushNotificationToken": "tok", "info": { "os": "iPhone OS" }, "displayName": "D" })
}

/// The phone alone, with these members as they are now.
fn known(more: Value) -> Value {
    let mut client = phone().as_object().unwrap().clone();
    client.remove("id");
    client.extend(more.as_object().unwrap().clone());
    json!({ "k$": client })
}

fn mentioned(day: u32, client: Value) -> Value {
    with_client(day, "conversation:read", client)
}

#[test]
fn a_mention_with_fewer_members_leaves_the_others() {
    let phone = phone();
    let less = json!({ "_id": "H$", "id": "k$", "platform": "ios", "lastSeen": "2020-09-13T12:28:20.000Z" });
    let with_less = known(json!({ "_id": "H$", "lastSeen": "2020-09-13T12:28:20.000Z" }));
    table(&[
        ("by v1.1", vec![full(1, json!([phone])), mentioned(2, less.clone())], with_less.clone()),
        (
            "by an update",
            vec![full(1, json!([phone])), with_client(2, "client:update", less.clone())],
            with_less.clone(),
        ),
        (
            "by an addition",
            vec![full(1, json!([phone])), with_client(2, "client:add", less.clone())],
            with_less,
        ),
        (
            "by v2",
            vec![
                full(1, json!([phone])),
                through(2, json!({ "client": { "id": "k$", "lastSeen": "later" } })),
            ],
            known(json!({ "lastSeen": "later" })),
        ),
        (
            "by a device of v2",
            vec![
                full(1, json!([phone])),
                through(2, json!({ "device": { "guid": "k$", "id": "d$", "appVersion": "2.2" } })),
            ],
            known(json!({ "deviceId": "d$", "appVersion": "2.2" })),
        ),
        (
            "and a list takes what it lacks",
            vec![
                full(1, json!([phone])),
                mentioned(2, less),
                full(3, json!([{ "id": "k$", "platform": "ios" }])),
            ],
            json!({ "k$": { "active": true, "platform": "ios" } }),
        ),
        (
            "and a list takes it away",
            vec![
                full(1, json!([phone])),
                mentioned(2, json!({ "id": "k$", "lastSeen": "x" })),
                full(3, json!([])),
            ],
            json!({}),
        ),
    ]);
}

#[test]
fn each_member_has_its_last_value() {
    let phone = phone();
    table(&[
        (
            "what is not active stays so",
            vec![
                full(1, json!([{ "id": "k$", "active": false }])),
                mentioned(2, json!({ "id": "k$", "platform": "ios" })),
            ],
            json!({ "k$": { "active": false, "platform": "ios" } }),
        ),
        (
            "what is said to be inactive is",
            vec![full(1, json!([phone])), mentioned(2, json!({ "id": "k$", "active": false }))],
            known(json!({ "active": false })),
        ),
        (
            "a null is a word",
            vec![
                full(1, json!([phone])),
                mentioned(2, json!({ "id": "k$", "displayName": null, "active": null })),
            ],
            json!({ "k$": { "active": true, "platform": "ios", "appVersion": "2.1", "pushNotificationToken": "tok",
                "info": { "os": "iPhone OS" } } }),
        ),
        (
            "a null is not shown",
            vec![full(
                1,
                json!([{ "id": "k$", "_id": null, "platform": null, "lastSeen": null, "info": { "a": null } }]),
            )],
            json!({ "k$": { "active": true, "info": { "a": null } } }),
        ),
        (
            "an older word fills gaps",
            vec![
                full(1, json!([phone])),
                mentioned(3, json!({ "id": "l$", "a": 1 })),
                mentioned(2, json!({ "id": "l$", "a": 0, "b": 0 })),
            ],
            {
                let mut expected = known(json!({}));
                expected["l$"] = json!({ "active": true, "a": 1, "b": 0 });
                expected
            },
        ),
        (
            "a removal takes what was said before",
            vec![
                full(1, json!([phone])),
                with_client(2, "client:remove", json!({ "id": "k$" })),
                mentioned(3, json!({ "id": "k$", "lastSeen": "x" })),
            ],
            json!({ "k$": { "active": true, "lastSeen": "x" } }),
        ),
    ]);
}

#[test]
fn one_account_of_two_versions_is_one_client() {
    let v1 = json!({ "_id": "H$", "id": "uuid$", "platform": "telegram", "externalId": "5550105", "integrationId": "I$" });
    let v2 = json!({ "id": "H$", "type": "telegram", "externalId": "5550105", "integrationId": "I$", "status": "active" });
    let without = json!({ "type": "telegram", "externalId": "5550105", "integrationId": "I$", "raw": 7 });
    let mentioned = |day: u32| with_client(day, "conversation:read", v1.clone());
    let used = |day: u32, client: &Value| through(day, json!({ "client": client }));
    let both = |more: Value| {
        let mut client = v1.as_object().unwrap().clone();
        client.remove("id");
        client.insert("active".to_owned(), true.into());
        client.extend(more.as_object().unwrap().clone());
        json!({ "uuid$": client })
    };
    let status = json!({ "status": "active" });
    table(&[
        ("v1.1, then v2", vec![mentioned(1), used(2, &v2)], both(status.clone())),
        ("v2, then v1.1", vec![used(1, &v2), mentioned(2)], both(status.clone())),
        ("without an id", vec![mentioned(1), used(2, &without)], both(json!({ "raw": 7 }))),
        (
            "all three",
            vec![mentioned(1), used(2, &v2), used(3, &without)],
            both(json!({ "status": "active", "raw": 7 })),
        ),
        (
            "without v1.1",
            vec![used(1, &v2), used(2, &without)],
            json!({ "H$": { "active": true, "platform": "telegram", "externalId": "5550105", "integrationId": "I$",
                "status": "active", "raw": 7 } }),
        ),
        (
            "alone, without an id",
            vec![used(1, &without)],
            json!({ "I$:5550105": { "active": true, "platform": "telegram", "externalId": "5550105",
                "integrationId": "I$", "raw": 7 } }),
        ),
        ("two accounts are two", vec![mentioned(1), used(2, &json!({ "id": "G$", "type": "line" }))], {
            let mut two = both(json!({}));
            two["G$"] = json!({ "active": true, "platform": "line" });
            two
        }),
        (
            "a device, which v2 calls sdk",
            vec![
                with_client(1, "conversation:read", json!({ "_id": "H$", "id": "uuid$", "platform": "web" })),
                used(2, &json!({ "id": "H$", "type": "sdk", "status": "active" })),
            ],
            json!({ "uuid$": { "active": true, "_id": "H$", "platform": "web", "status": "active" } }),
        ),
        ("removed by v2", vec![mentioned(1), v2_removed(2, &v2)], json!({})),
        ("removed by v1.1", vec![used(1, &v2), with_client(2, "client:remove", v1.clone())], json!({})),
        (
            "removed, and there again",
            vec![mentioned(1), v2_removed(2, &v2), used(3, &without)],
            json!({
                "uuid$": { "active": true, "platform": "telegram", "externalId": "5550105", "integrationId": "I$", "raw": 7 }
            }),
        ),
        ("a list without it", vec![mentioned(1), used(2, &v2), full(3, json!([]))], json!({})),
    ]);
}

fn v2_removed(day: u32, client: &Value) -> Value {
    v2(day, "client:remove", json!({ "user": { "id": "x$" }, "client": client }))
}

#[test]
fn a_client_of_both_versions_is_found_by_either_id_and_listed_once() {
    let program = Home::new().start();
    let v1 = json!({ "_id": "H$", "id": "uuid$", "platform": "telegram", "active": true });
    let v2 = json!({ "id": "H$", "type": "telegram", "status": "active" });
    let bodies = [with_client(1, "conversation:read", v1), through(2, json!({ "client": v2 }))];
    in_every_order(&program, &bodies, |sign| {
        assert!(listed(&program, "platform=telegram").contains(&sign("x$")));
        let clients =
            program.get(&format!("/v2/apps/{APP}/users/{}/clients", sign("x$"))).json()["clients"].clone();
        assert_eq!(clients.as_array().map(Vec::len), Some(1), "{clients}");
        assert_eq!((&clients[0]["id"], &clients[0]["status"]), (&json!(sign("H$")), &json!("active")));
        for id in ["uuid$", "H$"] {
            let path = format!("/v1/appusers/{}/devices/{}", sign("x$"), sign(id));
            let key = crate::support::basic(crate::support::KEY_ID, crate::support::KEY_SECRET);
            let headers = [("authorization", &*key), ("content-type", "application/json")];
            let answer = program.request("PUT", &path, &headers, br#"{"appVersion":"3"}"#);
            assert_eq!(
                (answer.status, &answer.json()["device"]["id"]),
                (200, &json!(sign("uuid$"))),
                "{answer:?}"
            );
        }
    });
}

#[test]
fn a_client_without_an_id_is_identified_by_integration_and_external_id() {
    let used = |day: u32, client: Value| through(day, json!({ "client": client }));
    let shown = |integration: Value, external: Value| json!({ "active": true, "platform": "line", "integrationId": integration, "externalId": external });
    let v2 = |integration: Value, external: Value| json!({ "type": "line", "integrationId": integration, "externalId": external });
    let v1 = |integration: Value, external: Value| json!({ "platform": "line", "integrationId": integration, "externalId": external });
    let numbers = json!({ "I$:77": shown(json!("I$"), json!(77)), "5:n$": shown(json!(5), json!("n$")) });
    table(&[
        (
            "numbers in v2",
            vec![used(1, v2(json!("I$"), json!(77))), used(2, v2(json!(5), json!("n$")))],
            numbers.clone(),
        ),
        (
            "numbers in v1.1",
            vec![mentioned(1, v1(json!("I$"), json!(77))), mentioned(2, v1(json!(5), json!("n$")))],
            numbers,
        ),
        (
            "a number, and with an id",
            vec![
                used(1, v2(json!("I$"), json!(77))),
                mentioned(2, {
                    let mut client = v1(json!("I$"), json!(77));
                    client["id"] = json!("uuid$");
                    client
                }),
            ],
            json!({ "uuid$": shown(json!("I$"), json!(77)) }),
        ),
        (
            "a colon belongs to the one or to the other",
            vec![
                used(1, v2(json!("a:b"), json!("c$"))),
                used(2, v2(json!("a"), json!("b:c$"))),
                used(3, v2(json!("a%3Ab"), json!("c$"))),
            ],
            json!({
                "a%3Ab:c$": shown(json!("a:b"), json!("c$")),
                "a:b:c$": shown(json!("a"), json!("b:c$")),
                "a%253Ab:c$": shown(json!("a%3Ab"), json!("c$")),
            }),
        ),
    ]);
}
