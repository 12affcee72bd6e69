//! v2: users, their clients and devices, in its own shapes.

use serde_json::{Value, json};

use super::{APP, Answer, Home, Program, app, ask, deliver, message, start};

const BOB: &str = "c7f6e6d6c3a637261bd9656f";

/// Calls v2; `line` is a method and the path after the app.
fn v2(program: &Program, line: &str, body: &Value) -> Answer {
    let (method, path) = line.split_once(' ').unwrap();
    ask(program, &app(), &format!("{method} /v2/apps/{APP}{path}"), body)
}

fn done(program: &Program, line: &str, body: Value) -> Value {
    let answer = v2(program, line, &body);
    assert!([200, 201].contains(&answer.status), "{line}: {answer:?}");
    answer.json()
}

fn refused(answer: &Answer, status: u16, code: &str) {
    let errors = answer.json()["errors"].clone();
    assert_eq!((answer.status, &errors[0]["code"]), (status, &json!(code)), "{answer:?}");
    assert!(errors.as_array().unwrap().len() == 1 && errors[0]["title"].is_string(), "{answer:?}");
    assert!(answer.json().get("error").is_none(), "not v1's shape: {answer:?}");
}

#[test]
fn a_user_is_made_shown_changed_and_removed() {
    let program = Home::new().start();
    let given = json!({
        "externalId": "bob/é", "signedUpAt": "2020-05-21T15:53:30.197Z", "metadata": { "plan": "gold", "n": 3 },
        "profile": { "givenName": "Bob", "email": "bob@example.com", "avatarUrl": "https://x/a.png", "locale": "de" },
        "toBeRetained": true,
    });
    let answer = v2(&program, "POST /users", &given);
    assert_eq!(answer.status, 201, "{answer:?}");
    let made = answer.json()["user"].clone();
    for (member, value) in given.as_object().unwrap() {
        assert_eq!(&made[member], value, "{made}");
    }
    let again = v2(&program, "POST /users", &given);
    refused(&again, 409, "conflict");
    assert_eq!(again.json()["user"]["id"], made["id"]);
    let names = [made["id"].as_str().unwrap().to_owned(), super::encoded("bob/é")];
    for name in &names {
        assert_eq!(done(&program, &format!("GET /users/{name}"), Value::Null), json!({ "user": made }));
    }
    let change = json!({ "profile": { "surname": "Fox", "locale": null }, "metadata": { "n": null, "m": true }, "externalId": "bob/é" });
    let changed = done(&program, &format!("PATCH /users/{}", names[1]), change)["user"].clone();
    let profile = json!({ "givenName": "Bob", "surname": "Fox", "email": "bob@example.com", "avatarUrl": "https://x/a.png" });
    assert_eq!(
        (&changed["profile"], &changed["metadata"]),
        (&profile, &json!({ "plan": "gold", "m": true }))
    );
    assert_eq!(changed["externalId"], "bob/é");
    let v1 = super::look_up(&program, "bob/é");
    assert_eq!(
        (&v1["surname"], &v1["properties"]),
        (&json!("Fox"), &changed["metadata"]),
        "v1 sees the same"
    );
    let scrubbed = done(&program, &format!("DELETE /users/{}/personalinformation", names[1]), Value::Null);
    assert_eq!(scrubbed["user"]["profile"], json!({}), "{scrubbed}");
    assert_eq!(
        (&scrubbed["user"]["metadata"], &scrubbed["user"]["externalId"]),
        (&json!({}), &json!("bob/é"))
    );
    assert_eq!(done(&program, &format!("DELETE /users/{}", names[1]), Value::Null), json!({}));
    for line in
        ["GET /users/N", "PATCH /users/N", "DELETE /users/N", "GET /users/N/clients", "GET /users/N/devices"]
    {
        refused(&v2(&program, &line.replace('N', &names[0]), &json!({})), 404, "user_not_found");
    }
}

#[test]
fn a_value_of_the_wrong_shape_is_400_and_named() {
    let program = Home::new().start();
    done(&program, "POST /users", json!({ "externalId": "bob" }));
    for body in [
        json!({}),
        json!({ "externalId": "" }),
        json!({ "externalId": 7 }),
        json!({ "externalId": "x".repeat(1025) }),
    ] {
        let answer = v2(&program, "POST /users", &body);
        refused(&answer, 400, "bad_request");
        assert!(answer.text.contains("externalId"), "{answer:?}");
    }
    for (body, named) in [
        (json!({ "profile": "x" }), "profile"),
        (json!({ "profile": { "email": "" } }), "profile.email"),
        (json!({ "profile": { "givenName": "x".repeat(129) } }), "profile.givenName"),
        (json!({ "profile": { "locale": "x".repeat(65) } }), "profile.locale"),
        (json!({ "metadata": { "deep": {} } }), "metadata.deep"),
        (json!({ "metadata": { "big": "x".repeat(4094) } }), "properties"),
        (json!({ "signedUpAt": "now" }), "signedUpAt"),
        (json!({ "toBeRetained": "yes" }), "toBeRetained"),
    ] {
        let answer = v2(&program, "PATCH /users/bob", &body);
        refused(&answer, 400, "bad_request");
        assert!(answer.text.contains(named), "{named}: {answer:?}");
    }
}

#[test]
fn read_only_members_are_refused_unless_unchanged() {
    let program = Home::new().start();
    let identities = json!([{ "value": "b@x.example", "type": "email" }]);
    let user = json!({ "id": BOB, "externalId": "bob", "zendeskId": "7", "authenticated": true, "identities": identities });
    let event = json!({ "id": "e", "type": "user:update", "createdAt": "2024-03-01T10:00:00.000Z", "payload": { "user": user } });
    deliver(
        &program,
        &json!({ "app": { "id": APP }, "webhook": { "id": "w", "version": "v2" }, "events": [event] })
            .to_string(),
    );
    let before = done(&program, "GET /users/bob", Value::Null);
    // Clients that modify the result of a look-up send all of it back.
    assert_eq!(done(&program, "PATCH /users/bob", before["user"].clone()), before);
    let others = json!([{ "type": "email", "value": "other@x.example" }]);
    for (name, value) in [
        ("id", json!("d7f6e6d6c3a637261bd9656f")),
        ("externalId", json!("eve")),
        ("externalId", json!(7)),
        ("externalId", json!(null)),
        ("identities", others.clone()),
        ("identities", json!([])),
        ("identities", json!(null)),
        ("zendeskId", json!("8")),
        ("authenticated", json!(false)),
    ] {
        let answer =
            v2(&program, "PATCH /users/bob", &json!({ "profile": { "surname": "Roe" }, (name): value }));
        refused(&answer, 400, "bad_request");
        assert!(answer.text.contains(name), "{answer:?}");
        assert_eq!(done(&program, "GET /users/bob", Value::Null), before, "{name}: nothing was done");
    }
    for (name, value) in [
        ("id", json!(BOB)),
        ("identities", others),
        ("zendeskId", json!("8")),
        ("authenticated", json!(true)),
    ] {
        let answer = v2(&program, "POST /users", &json!({ "externalId": "eve", (name): value }));
        refused(&answer, 400, "bad_request");
        assert!(answer.text.contains(name), "{answer:?}");
    }
    let nothing = json!({ "externalId": "eve", "identities": [], "zendeskId": null, "authenticated": false, "colour": 7 });
    done(&program, "POST /users", nothing.clone());
    done(&program, "PATCH /users/eve", nothing);
}

fn with_clients(program: &Program) {
    let mut clients: Vec<Value> = (0..5)
        .map(|n| json!({ "id": format!("c{n}"), "platform": "twilio", "active": n != 3, "displayName": "B" }))
        .collect();
    clients.push(json!({ "id": "c9", "platform": "frontendEmail", "active": true }));
    clients.push(
        json!({ "id": "p1", "platform": "ios", "active": true, "lastSeen": "2016-03-09T19:09:01.431Z" }),
    );
    deliver(program, &message(BOB, 1.0, json!({ "userId": "bob", "clients": clients })));
    start(program, "p2", Some("bob"));
}

fn ids(page: &Value, list: &str) -> Vec<String> {
    page[list].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn clients_come_in_pages_and_only_those_whose_type_v2_knows() {
    let program = Home::new().start();
    with_clients(&program);
    let all = done(&program, "GET /users/bob/clients", Value::Null);
    assert_eq!(ids(&all, "clients"), ["c0", "c1", "c2", "c3", "c4", "p1", "p2"]);
    assert_eq!((&all["meta"]["hasMore"], all["links"].is_object()), (&json!(false), true), "{all}");
    let expected = json!({ "id": "c3", "type": "twilio", "status": "inactive", "displayName": "B" });
    assert_eq!(all["clients"][3], expected);
    let page = |query: &str| done(&program, &format!("GET /users/bob/clients?{query}"), Value::Null);
    let first = page("page[size]=2");
    assert_eq!(
        (ids(&first, "clients"), &first["meta"]["hasMore"]),
        (vec!["c0".into(), "c1".into()], &json!(true))
    );
    let after = first["meta"]["afterCursor"].as_str().unwrap();
    let second = page(&format!("page%5Bsize%5D=2&page%5Bafter%5D={after}"));
    assert_eq!(
        (ids(&second, "clients"), &second["meta"]["hasMore"]),
        (vec!["c2".into(), "c3".into()], &json!(true))
    );
    let last = page(&format!("page[size]=2&page[after]={}", second["meta"]["afterCursor"].as_str().unwrap()));
    assert_eq!(
        (ids(&last, "clients"), &last["meta"]["hasMore"]),
        (vec!["c4".into(), "p1".into()], &json!(true))
    );
    let back = page(&format!("page[size]=2&page[before]={}", last["meta"]["beforeCursor"].as_str().unwrap()));
    assert_eq!(
        (ids(&back, "clients"), &back["meta"]["hasMore"]),
        (vec!["c2".into(), "c3".into()], &json!(true))
    );
    let start =
        page(&format!("page[size]=2&page[before]={}", back["meta"]["beforeCursor"].as_str().unwrap()));
    assert_eq!(
        (ids(&start, "clients"), &start["meta"]["hasMore"]),
        (vec!["c0".into(), "c1".into()], &json!(false))
    );
    for query in [
        "page[size]=0",
        "page[size]=101",
        "page[size]=x",
        "page[after]=x",
        "limit=1",
        "page[after]=aWQAYQ&page[before]=aWQAYQ",
    ] {
        refused(&v2(&program, &format!("GET /users/bob/clients?{query}"), &Value::Null), 400, "bad_request");
    }
}

#[test]
fn devices_are_those_whose_type_v2_knows() {
    let program = Home::new().start();
    with_clients(&program);
    start(&program, "p3", Some("eve"));
    super::done(
        &program,
        "POST /v1/init",
        json!({ "device": { "id": "p4", "platform": "other" }, "userId": "bob" }),
    );
    let all = done(&program, "GET /users/bob/devices", Value::Null);
    assert_eq!(ids(&all, "devices"), ["p1", "p2"]);
    for device in all["devices"].as_array().unwrap() {
        for member in ["id", "type", "guid", "clientId", "status", "lastSeen"] {
            assert!(device[member].is_string(), "{member}: {device}");
        }
        let line = format!("GET /users/bob/devices/{}", device["id"].as_str().unwrap());
        assert_eq!(done(&program, &line, Value::Null), json!({ "device": device }));
    }
    for unknown in ["p3", "p4", "c0", "x"] {
        let answer = v2(&program, &format!("GET /users/bob/devices/{unknown}"), &Value::Null);
        refused(&answer, 404, "device_not_found");
    }
}

#[test]
fn users_are_listed_and_found_by_their_e_mail() {
    let program = Home::new().start();
    for (name, email) in [("a", "x@example.com"), ("b", "y@example.com"), ("c", "x@example.com")] {
        done(
            &program,
            "POST /users",
            json!({ "externalId": name, "profile": { "email": "profile@example.com" } }),
        );
        let user = json!({ "id": format!("{name}{name}"), "externalId": name,
            "identities": [{ "type": "email", "value": email }] });
        let event = json!({ "id": format!("e-{name}"), "type": "user:update", "createdAt": "2024-03-01T10:00:00.000Z",
            "payload": { "user": user } });
        let body =
            json!({ "app": { "id": APP }, "webhook": { "id": "w", "version": "v2" }, "events": [event] });
        assert_eq!(program.webhook(body.to_string()).status, 200);
    }
    let profile = done(&program, "GET /users?filter[identities.email]=profile@example.com", Value::Null);
    assert_eq!(profile["users"], json!([]));
    let names = |page: &Value| -> Vec<String> {
        let users = page["users"].as_array().unwrap().iter();
        users.map(|user| user["externalId"].as_str().unwrap().to_owned()).collect()
    };
    let found = done(&program, "GET /users?filter%5Bidentities.email%5D=x%40example.com", Value::Null);
    assert_eq!((names(&found), &found["meta"]["hasMore"]), (vec!["a".into(), "c".into()], &json!(false)));
    let first = done(&program, "GET /users?filter[identities.email]=x@example.com&page[size]=1", Value::Null);
    assert_eq!((names(&first), &first["meta"]["hasMore"]), (vec!["a".into()], &json!(true)));
    let after = first["meta"]["afterCursor"].as_str().unwrap();
    let line = format!("GET /users?filter[identities.email]=x@example.com&page[size]=1&page[after]={after}");
    let last = done(&program, &line, Value::Null);
    assert_eq!((names(&last), &last["meta"]["hasMore"]), (vec!["c".into()], &json!(false)));
    let nobody = done(&program, "GET /users?filter[identities.email]=z@example.com", Value::Null);
    assert_eq!((names(&nobody), &nobody["meta"]["hasMore"]), (vec![], &json!(false)));
    assert_eq!(names(&done(&program, "GET /users", Value::Null)), ["a", "b", "c"]);
    refused(&v2(&program, "GET /users?page[before]=aWQAYQ", &Value::Null), 400, "bad_request");
    refused(&v2(&program, "GET /users?filter[name]=x", &Value::Null), 400, "bad_request");
}
