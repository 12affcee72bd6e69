//! Two apps whose users have the same names never see one another.

use serde_json::{Value, json};

use super::{APP, Home, Program, Who, app, ask, id, jwt_of, refused, with};
use crate::support::first_message;

const TWO_APPS: &str = r#"
[[apps]]
id = "5698edbf2a43bd081be982f1"
app_token = "demo-app-token"
webhook_secrets = ["demo-webhook-secret"]
keys = [{ id = "app_demo", secret = "demo-key-secret-change-me" }]
[[apps]]
id = "other"
app_token = "other-app-token"
webhook_secrets = ["the-secret-of-the-other-app"]
keys = [{ id = "app_other", secret = "the-other-key-secret" }]
"#;

fn other() -> Who {
    jwt_of("app_other", "the-other-key-secret", &json!({ "scope": "app" }))
}

fn ok(program: &Program, who: &Who, line: &str, body: Value) -> Value {
    let answer = ask(program, who, line, &body);
    assert!([200, 201].contains(&answer.status), "{line}: {answer:?}");
    answer.json()
}

/// The same people in both apps: by call, by device, by webhook. The `_id`s of their bobs.
fn mirrored(program: &Program) -> [String; 2] {
    let token = |token: &str| vec![("app-token", token.to_owned())];
    let bobs = [(app(), "demo-app-token", "ours"), (other(), "other-app-token", "theirs")].map(
        |(who, word, name)| {
            let made = ok(program, &who, "POST /v1/appusers", json!({ "userId": "bob", "givenName": name }));
            let body =
                json!({ "device": { "id": "d1", "platform": "ios", "appVersion": name }, "userId": "bob" });
            assert_eq!(id(&ok(program, &token(word), "POST /v1/init", body)), id(&made));
            id(&made)
        },
    );
    for (app, secret) in [(APP, "demo-webhook-secret"), ("other", "the-secret-of-the-other-app")] {
        let body = first_message("c7f6e6d6c3a637261bd9656f", 1.0).replace(APP, app);
        let answer = program.request("POST", "/webhooks", &[("x-api-key", secret)], body.as_bytes());
        assert_eq!(answer.status, 200);
    }
    bobs
}

#[test]
fn equal_names_are_different_people() {
    let home = Home::with(TWO_APPS);
    let program = home.start();
    let [ours, theirs] = mirrored(&program);
    assert_ne!(ours, theirs);
    for (who, own, name) in [(app(), &ours, "ours"), (other(), &theirs, "theirs")] {
        let bob = ok(&program, &who, "GET /v1/appusers/bob", Value::Null)["appUser"].clone();
        assert_eq!((bob["_id"].as_str(), &bob["givenName"]), (Some(&**own), &json!(name)));
        let device = super::client(&bob, "d1");
        assert_eq!((&device["appVersion"], &device["active"]), (&json!(name), &json!(true)));
        let list = ok(&program, &who, "GET /v1/appusers", Value::Null);
        assert_eq!(list["appUsers"].as_array().unwrap().len(), 2, "bob, and who wrote: {list}");
    }
    // Changes of one app's bob do not affect the other's.
    let before = ok(&program, &other(), "GET /v1/appusers/bob", Value::Null);
    ok(&program, &app(), "PUT /v1/appusers/bob", json!({ "properties": { "secret": 1 } }));
    ok(&program, &super::user("bob"), "GET /v1/appusers/bob", Value::Null);
    ok(&program, &app(), "DELETE /v1/appusers/c7f6e6d6c3a637261bd9656f", Value::Null);
    ok(&program, &app(), "DELETE /v1/appusers/bob", Value::Null);
    assert_eq!(ok(&program, &other(), "GET /v1/appusers/bob", Value::Null), before);
    ok(&program, &other(), "GET /v1/appusers/c7f6e6d6c3a637261bd9656f", Value::Null);
}

#[test]
fn an_id_of_another_app_is_unknown() {
    let home = Home::with(TWO_APPS);
    let program = home.start();
    let [ours, theirs] = mirrored(&program);
    for (line, body) in [
        ("GET /v1/appusers/ID", Value::Null),
        ("PUT /v1/appusers/ID", json!({ "givenName": "x" })),
        ("DELETE /v1/appusers/ID", Value::Null),
        ("DELETE /v1/appusers/ID/profile", Value::Null),
        ("GET /v1/appusers/ID/channels", Value::Null),
        ("PUT /v1/appusers/ID/devices/d1", json!({ "appVersion": "x" })),
        ("POST /v1/appusers/ID/events", json!({ "name": "x" })),
        ("POST /v1/appusers/merge", json!({ "surviving": { "_id": ours }, "discarded": { "_id": theirs } })),
        ("POST /v1/appusers/merge", json!({ "surviving": { "_id": theirs }, "discarded": { "_id": ours } })),
    ] {
        let unknown = "ffffffffffffffffffffffff";
        let asked = |name: &str| {
            let body = serde_json::from_str(&body.to_string().replace(&theirs, name)).unwrap();
            ask(&program, &app(), &line.replace("ID", name), &body)
        };
        refused(&asked(&theirs), 404, "not_found");
        assert_eq!(asked(&theirs).text, asked(unknown).text, "as if nobody had it: {line}");
    }
    assert_eq!(ok(&program, &other(), "GET /v1/appusers/bob", Value::Null)["appUser"]["givenName"], "theirs");
}

#[test]
fn a_key_of_idempotency_is_of_one_app() {
    let home = Home::with(TWO_APPS);
    let program = home.start();
    for who in [app(), other()] {
        let answer = ask(
            &program,
            &with(who, "idempotency-key", "one"),
            "POST /v1/appusers",
            &json!({ "userId": "bob" }),
        );
        assert_eq!(answer.status, 201, "{answer:?}");
    }
}

#[test]
fn another_app_in_the_path_is_refused_in_the_form_of_the_version() {
    let home = Home::with(TWO_APPS);
    let program = home.start();
    mirrored(&program);
    let token = vec![("app-token", "demo-app-token".to_owned())];
    for who in [app(), super::key(), super::user("bob"), token.clone()] {
        for line in ["GET /v1/apps/A/appusers/bob", "POST /v1.1/apps/A/init", "PUT /v1/apps/A/appUsers/a/b"] {
            let answers = ["other", "nobodys"]
                .map(|app| ask(&program, &who, &line.replace("/A/", &format!("/{app}/")), &json!({})));
            for answer in &answers {
                refused(answer, 400, "bad_request");
                assert_eq!(answer.text, answers[0].text, "whether it exists is not told");
            }
        }
    }
    for who in [app(), super::key()] {
        let answers = ["other", "nobodys"]
            .map(|app| ask(&program, &who, &format!("GET /v2/apps/{app}/users/bob"), &Value::Null));
        for answer in &answers {
            assert_eq!((answer.status, &answer.json()["errors"][0]["code"]), (404, &json!("app_not_found")));
            assert_eq!(answer.text, answers[0].text);
        }
    }
}
