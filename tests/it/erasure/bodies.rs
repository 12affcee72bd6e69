//! Bodies that name an erased `_id`, in any form: none is stored as received, before the erasure or after it.

use serde_json::{Value, json};

use super::traces::Traces;
use super::{CANARY, erase, is_rebuilt, message, ok};
use crate::feed::api;
use crate::support::{APP, Home, Program, SECRET};

/// As Smooch writes them.
pub const PERSON: &str = "5d7c0b3f9a1e4c2b8f6d0e17";
const OTHER: &str = "5d7c0b3f9a1e4c2b8f6d0e18";

fn v1(trigger: &str, members: &Value) -> String {
    let mut body = json!({ "trigger": trigger, "app": { "_id": APP }, "said": CANARY });
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    body.to_string()
}

fn event(n: usize, kind: &str, payload: &Value) -> Value {
    json!({ "id": format!("e{n}"), "type": kind, "createdAt": "2020-09-13T12:28:00.000Z", "payload": payload })
}

fn v2(events: &[Value]) -> String {
    json!({ "app": { "id": APP }, "webhook": { "id": "w", "version": "v2" }, "events": events }).to_string()
}

fn wrote(id: &str, metadata: &Value, text: &str) -> Value {
    json!({ "conversation": { "id": "c", "type": "personal" },
            "message": { "id": "m", "received": "2020-09-13T12:28:00.000Z",
                         "author": { "type": "user", "userId": id, "user": { "id": id, "metadata": metadata } },
                         "content": { "type": "text", "text": text } } })
}

/// Each names the person in another way, and has data about them.
fn bodies() -> Vec<(&'static str, String)> {
    let about_another = json!({
        "appUser": { "_id": OTHER, "properties": { "plan": "gold" } },
        "messages": [{ "_id": "m", "role": "appMaker", "text": format!("ask {CANARY}"), "mentions": [PERSON] }],
    });
    let unknown = event(1, "ticket:opened", &json!({ "user": { "id": PERSON }, "text": CANARY }));
    let by_another =
        event(2, "conversation:message", &wrote("in-batch", &json!({ "plan": "free" }), "hello"));
    let unusable = event(3, "user:update", &json!({ "text": "without a user" }));
    vec![
        (
            "an unknown trigger",
            v1("ticket:opened", &json!({ "appUser": { "_id": PERSON, "email": CANARY } })),
        ),
        ("a member that nobody knows", v1("ticket:opened", &json!({ "who": { "is": [PERSON] } }))),
        ("a key", v1("ticket:opened", &json!({ "people": { PERSON: CANARY } }))),
        (
            "a longer text",
            v1("ticket:opened", &json!({ "url": format!("https://x/appusers/{PERSON}/m?a=b") })),
        ),
        ("capital letters", v1("ticket:opened", &json!({ "who": PERSON.to_uppercase() }))),
        (
            "escapes",
            v1("ticket:opened", &json!({ "who": PERSON })).replace(PERSON, &PERSON.replace('c', "\\u0063")),
        ),
        ("a message of somebody else", v1("message:appMaker", &about_another)),
        (
            "a conversation of nobody",
            v1("conversation:archive", &json!({ "participants": [{ "id": PERSON }] })),
        ),
        ("v2, an unknown type", v2(std::slice::from_ref(&unknown))),
        ("v2, beside others", v2(&[unknown.clone(), by_another.clone()])),
        ("v2, beside what cannot be used", v2(&[unknown, by_another, unusable.clone()])),
        (
            "v2, only what cannot be used",
            v2(&[event(4, "user:update", &json!({ "who": PERSON, "is": CANARY })), unusable]),
        ),
        ("no JSON", format!("{{\"trigger\":\"x\",\"who\":\"{PERSON}\",\"is\":\"{CANARY}\",,")),
        ("no object", json!([PERSON, CANARY]).to_string()),
        ("dated ahead", message(PERSON, 9_600_000_000.0, &json!({ "givenName": CANARY }), CANARY)),
        (
            "a merge",
            v1(
                "merge:appUser",
                &json!({ "surviving": { "_id": PERSON }, "discarded": [{ "_id": "p-old", "givenName": CANARY }] }),
            ),
        ),
    ]
}

fn live(program: &Program) {
    let known = json!({ "userId": format!("{CANARY}-user-id"), "email": format!("{CANARY}@example.org") });
    ok(program.webhook(message(PERSON, 1_600_000_000.0, &known, CANARY)));
    ok(program.webhook(message(OTHER, 1_600_000_000.0, &json!({ "userId": "other" }), "Hi")));
    let told = format!("{CANARY}-user-id asked");
    ok(program.webhook(message(OTHER, 1_600_000_001.0, &json!({ "userId": "other" }), &told)));
}

/// The person's own values are only in bodies that name them; in these headers as well.
fn named_by_a_header(program: &Program) {
    let headers = [("x-api-key", SECRET), ("x-user", PERSON), ("x-name", CANARY)];
    ok(program.request("POST", "/webhooks", &headers, b"{no JSON"));
}

fn others(program: &Program) -> Vec<Value> {
    let mut found = Vec::new();
    for id in [OTHER, "in-batch"] {
        found.push(ok(program.app_user(id)).json());
    }
    found
}

#[test]
fn no_body_that_names_an_erased_id_is_stored_as_received() {
    let home = Home::new();
    let program = home.start();
    live(&program);
    for (_, body) in bodies() {
        ok(program.webhook(body));
    }
    named_by_a_header(&program);
    let before = others(&program);
    assert_eq!(before[0]["appUser"]["properties"], json!({ "plan": "gold" }));
    assert!(Traces::of(&home).found() > bodies().len());
    let erased = erase(&home, &program, &[PERSON]);
    assert!(erased.status.success(), "{erased:?}");
    Traces::of(&home).nothing_in("the files after the erasure");
    assert_eq!(others(&program), before, "others lost nothing");
    is_rebuilt(&home);
    let held = home.rows("quarantine");
    assert_eq!(held, 2, "what others could not use yet is there still");

    for (what, body) in bodies() {
        ok(program.webhook(body));
        Traces::of(&home).nothing_in(what);
        let again = erase(&home, &program, &[PERSON]);
        assert!(again.status.success(), "{what}: {again:?}");
    }
    named_by_a_header(&program);
    Traces::of(&home).nothing_in("a body with headers that name them");
    ok(program.webhook(message(
        &PERSON.to_uppercase(),
        1_600_000_009.0,
        &json!({ "givenName": CANARY }),
        CANARY,
    )));
    Traces::of(&home).nothing_in("a message under the same id in capital letters");
    assert_eq!(others(&program), before, "others lost nothing by what came later");
    assert_eq!(program.app_user(PERSON).status, 404);
    is_rebuilt(&home);
    let unknown = event(5, "ticket:closed", &json!({ "user": { "id": PERSON }, "text": CANARY }));
    let by_another = event(6, "conversation:message", &wrote("late", &json!({ "plan": "free" }), "hello"));
    ok(program.webhook(v2(&[unknown, by_another])));
    let history = ok(program.get("/v1/appusers/late/history?include=body")).json();
    let body = history["history"][0]["body"].to_string();
    assert!(body.contains("hello") && !body.contains(PERSON), "others' events stay as they came: {body}");
}

#[test]
fn bodies_stored_by_an_older_program_are_found_by_the_upgrade() {
    let home = Home::new();
    let program = home.start();
    live(&program);
    assert!(erase(&home, &program, &[PERSON]).status.success());
    program.stop();
    // As if they had been journalled after the erasure by a program that did not look.
    let sql = home.sql();
    sql.execute_batch(
        "CREATE TEMP TABLE tombstones AS SELECT * FROM erasures; DELETE FROM erasures;
         CREATE TEMP TABLE done AS SELECT * FROM receipts; DELETE FROM receipts",
    )
    .unwrap();
    let program = home.start();
    for (_, body) in bodies().into_iter().take(6) {
        ok(program.webhook(body));
    }
    program.stop();
    sql.execute_batch(
        "INSERT INTO erasures SELECT * FROM tombstones; INSERT INTO receipts SELECT * FROM done",
    )
    .unwrap();
    assert!(Traces::of(&home).found() > 0);
    let step = include_str!("../../../src/store/sqlite/migrations/0004_corrections.sql");
    let from = step.find("UPDATE receipts SET done = NULL").unwrap();
    let until = from + step[from..].find(';').unwrap();
    sql.execute_batch(&step[from..until]).unwrap();
    drop(sql);
    let program = home.start();
    assert!(erase(&home, &program, &[PERSON]).status.success());
    Traces::of(&home).nothing_in("the files after the upgrade");
    is_rebuilt(&home);
}

#[test]
fn the_text_of_an_idempotency_key_is_not_stored() {
    let home = Home::new();
    let program = home.start();
    let key = crate::support::basic(crate::support::KEY_ID, crate::support::KEY_SECRET);
    let create = |key_text: &str, user_id: &str| {
        let headers = [
            ("authorization", key.as_str()),
            ("content-type", "application/json"),
            ("idempotency-key", key_text),
        ];
        let body = json!({ "userId": user_id }).to_string();
        program.request("POST", "/v1/appusers", &headers, body.as_bytes())
    };
    let named = format!("create {CANARY} of app");
    let made = ok(create(&named, "bob")).json();
    assert_eq!(create(&named, "bob").json(), made, "the same again");
    assert_eq!(create(&named, "eve").status, 422, "another request under the same key");
    assert_eq!(create("another", "bob").status, 409);
    Traces::of(&home).nothing_in("the files while the answer is kept");
    let id = made["appUser"]["_id"].as_str().unwrap();
    ok(api(&program, "DELETE", &format!("/v1/appusers/{id}?erase=true"), &json!({})));
    assert_eq!(create(&named, "bob").status, 404, "done again, it would bring them back");
    assert_eq!(create("another", "bob").status, 404, "its answer named them as well");
}

#[test]
fn a_user_id_shared_with_another_user_deletes_none_of_their_bodies() {
    let home = Home::new();
    let program = home.start();
    let shared = json!({ "userId": "shop-number-7" });
    ok(program.webhook(message(PERSON, 1_600_000_000.0, &shared, CANARY)));
    ok(program.webhook(message(OTHER, 1_600_000_001.0, &shared, "hello")));
    assert!(erase(&home, &program, &[PERSON]).status.success());
    Traces::of(&home).nothing_in("the files");
    let history = ok(program.get(&format!("/v1/appusers/{OTHER}/history?include=body"))).json();
    assert!(history["history"][0]["body"].to_string().contains("hello"), "{history}");
}

#[test]
fn many_erased_users_are_searched_for_together() {
    let home = Home::new();
    let program = home.start();
    for n in 0..20 {
        let known = json!({ "givenName": CANARY });
        ok(program.webhook(message(&format!("person-{n}"), 1_600_000_000.0, &known, CANARY)));
        ok(program.webhook(v1("ticket:opened", &json!({ "who": format!("person-{n}") }))));
    }
    std::thread::scope(|scope| {
        for n in 0..20 {
            let program = &program;
            scope.spawn(move || {
                let path = format!("/v1/appusers/person-{n}?erase=true");
                let answer = ok(api(program, "DELETE", &path, &json!({})));
                assert_eq!(answer.json()["erasure"]["complete"], true, "{answer:?}");
            });
        }
    });
    Traces::of(&home).nothing_in("the files");
    is_rebuilt(&home);
    assert_eq!(home.find::<i64>("SELECT count(*) FROM receipts WHERE done IS NULL"), 0);
}

/// An `_id` is case-sensitive, and a number in a header is not personal data.
#[test]
fn a_user_with_a_similar_name_loses_nothing() {
    let home = Home::new();
    let program = home.start();
    for id in ["abc", "1"] {
        ok(program.webhook(message(id, 1_600_000_000.0, &json!({}), "Hi")));
        let erased = erase(&home, &program, &[id]);
        assert!(erased.status.success(), "{erased:?}");
    }
    ok(program.webhook(message("ABC", 1_600_000_001.0, &json!({ "givenName": "Ada" }), "Hi")));
    assert_eq!(ok(program.app_user("ABC")).json()["appUser"]["givenName"], "Ada");
    assert_eq!(program.app_user("abc").status, 404);
    ok(program.webhook("no JSON at all of 127.0.0.1"));
    assert_eq!(home.rows("quarantine"), 1);
    ok(program.webhook("{\"trigger\":\"weird\",\"who\":1}"));
    assert_eq!(home.rows("quarantine"), 1, "this one names somebody who is erased");
}
