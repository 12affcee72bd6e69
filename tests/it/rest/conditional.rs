//! Idempotency keys and conditional changes.

use std::sync::Barrier;
use std::thread;

use serde_json::{Value, json};

use super::{Answer, Home, Program, Who, app, ask, create, done, id, key, look_up, refused, send, with};

const CREATE: &str = "POST /v1/appusers";

fn keyed(who: Who, key: &str) -> Who {
    with(who, "idempotency-key", key)
}

fn number(program: &Program) -> usize {
    program.all_app_users().len()
}

#[test]
fn a_request_with_a_key_is_carried_out_once_also_after_a_restart() {
    let home = Home::new();
    let program = home.start();
    let who = keyed(app(), "order-1");
    let body = json!({ "userId": "bob" });
    let first = ask(&program, &who, CREATE, &body);
    assert_eq!(first.status, 201);
    done(&program, "PUT /v1/appusers/bob", json!({ "givenName": "Bob" }));
    let again = ask(&program, &who, CREATE, &body);
    assert_eq!((again.status, &again.text), (201, &first.text), "the answer it had");
    assert_eq!(
        ask(&program, &keyed(app(), "order-2"), CREATE, &body).status,
        409,
        "another key is another request"
    );
    assert_eq!(
        ask(&program, &keyed(app(), "order-2"), CREATE, &body).status,
        409,
        "a refusal is kept as well"
    );
    program.kill();
    let program = home.start();
    let later = ask(&program, &who, CREATE, &body);
    assert_eq!((later.status, &later.text), (201, &first.text), "after a crash");
    assert_eq!(number(&program), 1);
}

#[test]
fn a_key_is_of_one_request_and_of_one_credential() {
    let program = Home::new().start();
    let who = keyed(app(), "order-1");
    assert_eq!(ask(&program, &who, CREATE, &json!({ "userId": "bob" })).status, 201);
    refused(&ask(&program, &who, CREATE, &json!({ "userId": "eve" })), 422, "idempotency_key_reused");
    let event = json!({ "userId": "bob", "name": "seen" });
    refused(&ask(&program, &who, "POST /v1/appusers/bob/events", &event), 422, "idempotency_key_reused");
    assert_eq!(number(&program), 1);
    // The same key of another caller is a different key.
    let device = json!({ "device": { "id": "d1", "platform": "ios" } });
    for other in [super::token(), super::user("bob"), super::user("eve")] {
        let answer = ask(&program, &keyed(other, "order-1"), "POST /v1/init", &device);
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    // One key of the settings is one credential, in both forms.
    let same = ask(&program, &keyed(key(), "order-1"), CREATE, &json!({ "userId": "bob" }));
    assert_eq!(same.status, 201, "{same:?}");
}

#[test]
fn a_key_that_is_none_is_400_and_only_a_post_has_one() {
    let program = Home::new().start();
    let body = json!({ "userId": "bob" });
    for bad in [String::new(), "k".repeat(256), "caf\u{e9}".to_owned()] {
        refused(&ask(&program, &keyed(app(), &bad), CREATE, &body), 400, "bad_request");
    }
    assert_eq!(number(&program), 0);
    assert_eq!(ask(&program, &keyed(app(), &"k".repeat(255)), CREATE, &body).status, 201);
    let who = keyed(app(), "order-1");
    for name in ["Bob", "Rob"] {
        let answer = ask(&program, &who, "PUT /v1/appusers/bob", &json!({ "givenName": name }));
        assert_eq!(answer.json()["appUser"]["givenName"], name, "to change is safe to repeat anyway");
    }
}

#[test]
fn two_at_once_with_one_key_make_one_user() {
    let program = Home::new().start();
    let ready = Barrier::new(8);
    let device = json!({ "device": { "id": "d1", "platform": "ios" } });
    let answers: Vec<Answer> = thread::scope(|scope| {
        let one = || {
            ready.wait();
            ask(&program, &keyed(app(), "order-1"), CREATE, &json!({ "userId": "bob" }))
        };
        let running: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for answer in &answers {
        assert_eq!((answer.status, &answer.text), (201, &answers[0].text));
    }
    assert_eq!(number(&program), 1);
    let init = |key: &str| id(&ask(&program, &keyed(app(), key), "POST /v1/init", &device).json());
    assert_eq!(init("start"), init("start"));
}

/// The `ETag` of an app user.
fn tag(program: &Program, name: &str) -> String {
    let answer = ask(program, &app(), &format!("GET /v1/appusers/{name}"), &Value::Null);
    answer.header("etag").unwrap_or_else(|| panic!("{answer:?}")).to_owned()
}

#[test]
fn a_conditional_change_needs_the_current_tag() {
    let program = Home::new().start();
    create(&program, "bob");
    let put = |tag: &str, name: &str| {
        ask(&program, &with(app(), "if-match", tag), "PUT /v1/appusers/bob", &json!({ "givenName": name }))
    };
    let first = tag(&program, "bob");
    let changed = put(&first, "one");
    assert_eq!(changed.status, 200, "{changed:?}");
    let second = changed.header("etag").unwrap().to_owned();
    assert_eq!((second == first, &second), (false, &tag(&program, "bob")), "the tag of what is there now");
    for stale in [&first, &format!("W/{second}"), "\"\"", "\"*\"", "\"nonsense\"", &format!("{first}, \"x\"")]
    {
        refused(&put(stale, "two"), 412, "precondition_failed");
    }
    assert_eq!(look_up(&program, "bob")["givenName"], "one");
    assert_eq!(put(&format!("\"x\", {second}"), "two").status, 200, "one of several");
    assert_eq!(put("*", "three").status, 200, "anything there is");
    for line in ["DELETE /v1/appusers/bob", "DELETE /v1/appusers/bob/profile"] {
        refused(
            &ask(&program, &with(app(), "if-match", &*second), line, &Value::Null),
            412,
            "precondition_failed",
        );
    }
    let unknown = ask(&program, &with(app(), "if-match", "*"), "PUT /v1/appusers/eve", &json!({}));
    refused(&unknown, 404, "not_found");
    let v2 = format!("PATCH /v2/apps/{}/users/bob", super::APP);
    assert_eq!(ask(&program, &with(app(), "if-match", &*second), &v2, &json!({})).status, 412);
    let current = tag(&program, "bob");
    assert_eq!(
        ask(&program, &with(app(), "if-match", current), "DELETE /v1/appusers/bob", &Value::Null).status,
        200
    );
}

#[test]
fn an_unchanged_view_is_not_sent_again() {
    let program = Home::new().start();
    create(&program, "bob");
    let tag = tag(&program, "bob");
    let get =
        |tags: &str| ask(&program, &with(app(), "if-none-match", tags), "GET /v1/appusers/bob", &Value::Null);
    for known in [tag.clone(), format!("W/{tag}"), format!("\"x\",{tag}"), "*".to_owned()] {
        let answer = get(&known);
        assert_eq!(
            (answer.status, answer.text.as_str(), answer.header("etag")),
            (304, "", Some(&*tag)),
            "{known}"
        );
    }
    for other in ["\"x\"", "W/\"x\"", ""] {
        assert_eq!(get(other).status, 200, "{other}");
    }
    let head = send(&program, &with(app(), "if-none-match", &*tag), "HEAD /v1/appusers/bob", b"");
    assert_eq!(head.status, 304, "{head:?}");
    done(&program, "PUT /v1/appusers/bob", json!({ "properties": { "a": 1 } }));
    assert_eq!(get(&tag).status, 200, "it has changed");
    let put = ask(&program, &with(app(), "if-none-match", "*"), "PUT /v1/appusers/bob", &json!({}));
    assert_eq!(put.status, 200, "only looking is spared");
}
