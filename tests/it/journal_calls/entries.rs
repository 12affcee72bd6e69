//! One entry: what it changed, by whom, and numbers that have none.

use serde_json::{Value, json};

use super::{message, ok};
use crate::operator_commands::post;
use crate::support::{APP, Home, KEY_ID, KEY_SECRET, Program, basic, first_message, signed_with, until};

fn call(program: &Program, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) {
    let answer = program.request(method, path, headers, body.to_string().as_bytes());
    assert!(answer.status < 300, "{answer:?}");
}

#[test]
fn an_entry_shows_what_it_changed_as_the_history_of_its_app_user_does() {
    let program = Home::new().start();
    message(&program, "ann", 0);
    message(&program, "bob", 1);
    let key = basic(KEY_ID, KEY_SECRET);
    call(
        &program,
        "PUT",
        "/v1/appusers/ann",
        &[("authorization", &key)],
        &json!({ "givenName": "Ann", "properties": { "a": 1 } }),
    );
    post(
        &program,
        "/v1/appusers/merge",
        &json!({ "surviving": { "_id": "ann" }, "discarded": { "_id": "bob" } }),
    );
    call(&program, "PUT", "/v1/appusers/ann", &[("authorization", &key)], &json!({ "givenName": "Anna" }));
    let history = program.get("/v1/appusers/ann/history").json();
    for told in history["history"].as_array().unwrap() {
        let detail = ok(&program, &format!("/journal/{}", told["seq"]));
        assert_eq!(detail["changed"], told["changed"], "{detail}");
        assert_eq!(detail["merges"], told.get("merges").cloned().unwrap_or(json!([])), "{detail}");
        assert_eq!(detail["entry"]["users"], told["users"]);
    }
    let merge = ok(&program, "/journal/4");
    assert_eq!(merge["previous"], json!({ "ann": 3, "bob": 2 }));
    assert_eq!(merge["call"], json!({ "method": "POST", "path": "/v1/appusers/merge" }));
    assert_eq!(merge["entry"]["by"], json!({ "scope": "app", "key": KEY_ID }));
    assert_eq!(ok(&program, "/journal/1")["previous"], json!({}));
    let renamed = ok(&program, "/journal/5")["changed"].clone();
    assert_eq!(renamed, json!([{ "_id": "ann", "field": "givenName", "before": "Ann", "after": "Anna" }]));
}

#[test]
fn entries_of_one_body_name_each_other() {
    let program = Home::new().start();
    let event = |id: &str| {
        json!({ "id": format!("event of {id}"), "type": "conversation:message", "createdAt": "2022-10-18T09:20:00.410Z",
                "payload": { "conversation": { "id": "c", "type": "personal" },
                             "message": { "id": format!("m {id}"), "received": "2022-10-18T09:20:00.410Z",
                                          "author": { "type": "user", "userId": id }, "content": { "type": "text", "text": "Hi" } } } })
    };
    let body = json!({ "app": { "id": APP }, "webhook": { "id": "w", "version": "v2" }, "events": [event("a"), event("b")] });
    message(&program, "x", 0);
    assert_eq!(program.webhook(body.to_string()).status, 200);
    message(&program, "y", 1);
    for (seq, events, place) in
        [(1, json!([1]), 0), (2, json!([2, 3]), 0), (3, json!([2, 3]), 1), (4, json!([4]), 0)]
    {
        let detail = ok(&program, &format!("/journal/{seq}"));
        assert_eq!((&detail["events"], &detail["place"]), (&events, &json!(place)), "{detail}");
    }
}

#[test]
fn entries_of_calls_say_by_whom() {
    let program = Home::new().start();
    let header = format!(r#"{{"alg":"HS256","typ":"JWT","kid":"{KEY_ID}"}}"#);
    let (key, own) = (
        basic(KEY_ID, KEY_SECRET),
        signed_with(&header, r#"{"scope":"appUser","userId":"eve"}"#, KEY_SECRET),
    );
    let own = format!("Bearer {own}");
    call(&program, "POST", "/v1/appusers", &[("authorization", &key)], &json!({ "userId": "eve" }));
    call(&program, "PUT", "/v1/appusers/eve", &[("authorization", &own)], &json!({ "givenName": "Eve" }));
    let device = json!({ "device": { "id": "d1", "platform": "ios" } });
    call(&program, "POST", "/v1/init", &[("app-token", "demo-app-token")], &device);
    message(&program, "ann", 0);
    let page = ok(&program, "/journal?order=asc");
    let by: Vec<&Value> = page["entries"].as_array().unwrap().iter().map(|entry| &entry["by"]).collect();
    let user = json!({ "scope": "appUser", "key": KEY_ID, "userId": "eve" });
    // Of the JWT: it secures its app user, and changes it.
    assert_eq!(by[0], &json!({ "scope": "app", "key": KEY_ID }));
    assert!(by[1..by.len() - 2].iter().all(|by| **by == user) && by.len() > 3, "{by:?}");
    assert_eq!(by[by.len() - 2..], [&json!({ "scope": "appToken" }), &Value::Null]);
}

#[test]
fn a_number_without_an_entry_is_404_or_410_with_the_oldest() {
    let home = Home::with("[retention]\nhistory_entries = 10\n");
    let program = home.start();
    (0..40).for_each(|n| message(&program, "ann", n));
    until("the journal is trimmed", || home.rows("journal") == 10);
    let oldest: i64 = home.find("SELECT min(seq) FROM journal");
    for path in ["/journal/3", "/journal/3/body"] {
        let gone = program.admin(path);
        assert_eq!((gone.status, &gone.json()["oldest"]), (410, &json!(oldest)), "{gone:?}");
        assert!(gone.text.contains("history_entries"), "{gone:?}");
    }
    for (path, status) in [
        ("/journal/41", 404),
        ("/journal/41/body", 404),
        ("/journal/0", 404),
        ("/journal/x", 400),
        ("/journal/-1", 400),
        ("/journal/99999999999999999999", 400),
        ("/journal/40", 200),
    ] {
        assert_eq!(program.admin(path).status, status, "{path}");
    }
    // All that is left is shown, and what it changed, since the compacted records know what was before.
    assert_eq!(ok(&program, "/journal/40")["changed"], json!([]));
}

#[test]
fn an_entry_deleted_with_its_app_user_is_410_and_one_reduced_says_so() {
    let home = Home::new();
    let program = home.start();
    message(&program, "ann", 0);
    message(&program, "bob", 1);
    post(
        &program,
        "/v1/appusers/merge",
        &json!({ "surviving": { "_id": "ann" }, "discarded": { "_id": "bob" } }),
    );
    message(&program, "cem", 2);
    let key = basic(KEY_ID, KEY_SECRET);
    let erase = |name: &str| {
        program
            .request("DELETE", &format!("/v1/appusers/{name}?erase=true"), &[("authorization", &key)], b"")
            .json()
    };
    until("cem is erased", || erase("cem")["erasure"]["complete"] == true);
    let gone = program.admin("/journal/4");
    assert_eq!((gone.status, &gone.json()["oldest"]), (410, &json!(1)), "{gone:?}");
    assert!(gone.text.contains("deleted with the app users"), "{gone:?}");
    let only = |name: &str| {
        let path = format!("/v1/appusers/{name}?erase=true&only=true");
        program.request("DELETE", &path, &[("authorization", &key)], b"").json()
    };
    until("bob is erased", || only("bob")["erasure"]["complete"] == true);
    let merge = ok(&program, "/journal/3");
    assert!(merge["note"].as_str().unwrap().contains("erased"), "{merge}");
    assert_eq!((&merge["entry"]["hasBody"], merge["call"].get("path")), (&json!(false), None), "{merge}");
    assert_eq!(merge["entry"]["by"]["key"], KEY_ID, "who called is still known");
    let body = program.admin("/journal/3/body");
    assert_eq!(body.status, 410, "{body:?}");
}

#[test]
fn what_an_entry_changed_is_not_told_of_too_many_events_or_without_their_bodies() {
    let home = Home::with("[limits]\nhistory_events = 200\n");
    let program = home.start();
    // A journal is read 200 entries at a time.
    (0..201).for_each(|n| message(&program, "ann", n));
    let detail = ok(&program, "/journal/2");
    assert_eq!(detail.get("changed"), None);
    assert!(detail["changedUnknown"].as_str().unwrap().contains("limits.history_events"), "{detail}");
    let home = Home::with("[retention]\nbodies_bytes = \"1KB\"\n");
    let program = home.start();
    for n in 0..20 {
        assert_eq!(program.webhook(first_message(&format!("ann-{n}"), f64::from(n))).status, 200);
    }
    let is_gone = || ok(&program, "/journal/1")["entry"]["hasBody"] == false;
    until("the first body is deleted", is_gone);
    let detail = ok(&program, "/journal/1");
    assert!(detail["changedUnknown"].as_str().unwrap().contains("not kept"), "{detail}");
    let body = program.admin("/journal/1/body");
    assert_eq!(body.status, 410, "{body:?}");
    assert!(body.text.contains("retention.bodies_bytes"), "{body:?}");
    // Retention goes on meanwhile, so the oldest body may go between two requests.
    until("the body that is named as the oldest is there", || {
        let oldest = program.admin("/journal/1/body").json()["oldest"].as_u64().unwrap();
        program.admin(&format!("/journal/{oldest}/body")).status == 200
    });
}
