//! Every app user in a webhook counts as seen, for any trigger.

use serde_json::{Value, json};

use super::{in_every_order, listed, received, shown, v1, v2};
use crate::support::{APP, Home};

#[test]
fn an_unknown_trigger_counts_its_app_user_as_seen() {
    let program = Home::new().start();
    let business = json!({ "type": "business", "userId": "maker" });
    let v1_user = json!({ "_id": "x$", "givenName": "Ann", "properties": { "plan": "gold" } });
    let v2_user = json!({ "id": "x$", "profile": { "givenName": "Ann" }, "metadata": { "plan": "gold" } });
    let client = json!({ "id": "k$", "platform": "ios", "active": true });
    let v2_client = json!({ "id": "k$", "type": "ios", "status": "active" });
    // The body, whether it carries the whole of the user, and whether a client.
    let table: [(&str, Value, bool, bool); 10] = [
        ("v1", v1("user:sneezed", json!({ "appUser": v1_user })), true, false),
        ("v1, truncated", v1("user:sneezed", json!({ "appUser": { "_id": "x$" } })), false, false),
        (
            "v1, with a client",
            v1("user:sneezed", json!({ "version": "v1.1", "appUser": v1_user, "client": client })),
            true,
            true,
        ),
        ("v2", v2(1, "user:sneezed", json!({ "user": v2_user })), true, false),
        ("v2, truncated", v2(1, "user:sneezed", json!({ "user": { "id": "x$" } })), false, false),
        (
            "v2, through a client",
            v2(1, "user:sneezed", json!({ "user": v2_user, "source": { "client": v2_client } })),
            true,
            true,
        ),
        (
            "v2, with a client",
            v2(1, "client:sneezed", json!({ "user": v2_user, "client": v2_client })),
            true,
            true,
        ),
        (
            "v2, the author",
            v2(
                1,
                "conversation:message:edit",
                json!({ "message": { "author": { "type": "user", "user": v2_user }, "source": { "client": v2_client } } }),
            ),
            true,
            true,
        ),
        (
            "a message of the business",
            v2(1, "conversation:message", json!({ "message": { "author": business }, "user": v2_user })),
            true,
            false,
        ),
        (
            "typing of the business",
            v2(1, "conversation:typing", json!({ "activity": { "author": business }, "user": v2_user })),
            true,
            false,
        ),
    ];
    for (n, (case, body, whole, with_client)) in table.into_iter().enumerate() {
        let own = |text: &str| text.replace('$', &format!("-{n}$"));
        let body = serde_json::from_str(&own(&body.to_string())).unwrap();
        in_every_order(&program, &[body], |sign| {
            let user = shown(&program, &sign(&own("x$")));
            assert_eq!(user["givenName"] == "Ann", whole, "{case}: {user}");
            assert_eq!(user["properties"]["plan"] == "gold", whole, "{case}: {user}");
            assert_eq!(user["clients"][0]["active"] == true, with_client, "{case}: {user}");
            assert_eq!(user["conversationStarted"], false, "{case}");
        });
    }
}

#[test]
fn an_unknown_trigger_may_have_no_app_user() {
    let program = Home::new().start();
    let business = json!({ "author": { "type": "business", "userId": "maker" } });
    let bodies = [
        v1("made:up", json!({})),
        v1("made:up", json!({ "appUser": { "userId": "bob" } })),
        v1("made:up", json!({ "appUser": null })),
        v2(1, "made:up", json!({})),
        v2(1, "made:up", json!({ "user": { "externalId": "bob" } })),
        v2(1, "made:up", json!({ "message": business })),
        v2(1, "made:up", json!({ "message": { "author": { "type": "user" } } })),
        v2(1, "conversation:message", json!({ "message": business, "user": {} })),
    ];
    for body in bodies {
        in_every_order(&program, &[body], |_| assert!(program.all_app_users().is_empty()));
    }
}

#[test]
fn a_user_without_a_name_has_the_display_name_of_an_author() {
    let program = Home::new().start();
    let wrote = |day: u32, name: &str, user: Value| {
        let author = json!({ "type": "user", "userId": "x$", "displayName": name, "user": user });
        v2(day, "conversation:message", json!({ "message": { "author": author } }))
    };
    let nobody = || json!({ "id": "x$" });
    let named = || json!({ "id": "x$", "profile": { "givenName": "Ann$" } });
    let update = |profile: Value| v2(3, "user:update", json!({ "user": { "id": "x$", "profile": profile } }));
    let typing =
        json!({ "activity": { "author": { "type": "user", "userId": "x$", "displayName": "Quiet$" } } });
    // The events, the name that is shown, and true if that is the display name.
    let table: [(&str, Vec<Value>, &str, bool); 8] = [
        ("an author", vec![wrote(1, "Panda$", nobody())], "Panda$", true),
        ("who is typing", vec![v2(1, "conversation:typing", typing)], "Quiet$", true),
        ("the last one", vec![wrote(1, "Panda$", nobody()), wrote(2, "Bear$", nobody())], "Bear$", true),
        ("who has a name", vec![wrote(1, "Panda$", named())], "Ann$", false),
        (
            "who comes to a name",
            vec![wrote(1, "Panda$", nobody()), update(json!({ "givenName": "Ann$" }))],
            "Ann$",
            false,
        ),
        (
            "or to a surname",
            vec![wrote(1, "Panda$", nobody()), update(json!({ "surname": "Ann$" }))],
            "Ann$",
            false,
        ),
        (
            "whose name was cleared",
            vec![wrote(1, "Panda$", nobody()), update(json!({ "givenName": null }))],
            "Panda$",
            true,
        ),
        (
            "whose name is known already",
            vec![update(json!({ "givenName": "Ann$" })), wrote(4, "Panda$", nobody())],
            "Ann$",
            false,
        ),
    ];
    for (n, (case, bodies, name, is_display_name)) in table.into_iter().enumerate() {
        let own = |text: &str| text.replace('$', &format!("x{n}x$"));
        let bodies: Vec<Value> =
            bodies.iter().map(|body| serde_json::from_str(&own(&body.to_string())).unwrap()).collect();
        in_every_order(&program, &bodies, |sign| {
            let (id, name) = (sign(&own("x$")), sign(&own(name)));
            let v1 = shown(&program, &id);
            let v2 = program.get(&format!("/v2/apps/{APP}/users/{id}")).json()["user"].clone();
            let expected = if is_display_name { json!(name) } else { Value::Null };
            assert_eq!((&v1["displayName"], &v2["displayName"]), (&expected, &expected), "{case}");
            let found = |word: &str| {
                listed(&program, &format!("q={}", word.split('-').next().unwrap())).contains(&id)
            };
            assert!(found(&name), "{case}");
            assert!(is_display_name || !found(&sign(&own("Panda$"))), "{case}");
        });
    }
}

#[test]
fn a_message_of_v1_carries_the_display_name_of_its_author() {
    let program = Home::new().start();
    let wrote = |day: u32, of: Value, user: Value| {
        let mut message = json!({ "_id": "m", "role": "appUser", "authorId": "x$", "name": "Steve$" });
        message.as_object_mut().unwrap().extend(of.as_object().unwrap().clone());
        message["received"] = json!(received(day));
        v1("message:appUser", json!({ "messages": [message], "appUser": user }))
    };
    let nobody = || json!({ "_id": "x$" });
    let table: [(&str, Vec<Value>, Value); 6] = [
        ("an author", vec![wrote(1, json!({}), nobody())], json!("Steve$")),
        ("without an app user", vec![wrote(1, json!({}), Value::Null)], json!("Steve$")),
        (
            "the last one",
            vec![wrote(1, json!({}), nobody()), wrote(2, json!({ "name": "Bear$" }), nobody())],
            json!("Bear$"),
        ),
        ("who has a name", vec![wrote(1, json!({}), json!({ "_id": "x$", "surname": "Ann" }))], Value::Null),
        (
            "an app maker",
            vec![wrote(1, json!({ "role": "appMaker", "authorId": "y" }), nobody())],
            Value::Null,
        ),
        ("no name", vec![wrote(1, json!({ "name": "" }), nobody())], Value::Null),
    ];
    for (n, (case, bodies, expected)) in table.into_iter().enumerate() {
        let own = |text: &str| text.replace('$', &format!("v{n}v$"));
        let bodies: Vec<Value> =
            bodies.iter().map(|body| serde_json::from_str(&own(&body.to_string())).unwrap()).collect();
        in_every_order(&program, &bodies, |sign| {
            let expected: Value = serde_json::from_str(&sign(&own(&expected.to_string()))).unwrap();
            let id = sign(&own("x$"));
            let v2 = program.get(&format!("/v2/apps/{APP}/users/{id}")).json()["user"].clone();
            assert_eq!(
                (&shown(&program, &id)["displayName"], &v2["displayName"]),
                (&expected, &expected),
                "{case}"
            );
        });
    }
}
