//! The `_id`s that are one app user, and the merges between them (`include=group`).

use serde_json::{Value, json};

use crate::feed::api;
use crate::support::{APP, Home, Program, first_message};

fn group(program: &Program, id: &str, query: &str) -> Value {
    let answer = program.get(&format!("/v1/appusers/{id}?include=group{query}"));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["group"].clone()
}

fn merge(surviving: &str, discarded: &str, time: i64) -> String {
    json!({ "trigger": "merge:appUser", "app": { "_id": APP }, "timestamp": time,
            "surviving": { "_id": surviving }, "discarded": [{ "_id": discarded }] })
    .to_string()
}

#[test]
fn a_group_has_every_member_with_each_of_its_merges() {
    let program = Home::new().start();
    for (n, id) in ["ann", "bob", "cat"].into_iter().enumerate() {
        assert_eq!(program.webhook(first_message(id, 1_600_000_000.0 + n as f64)).status, 200);
    }
    let alone = json!({ "root": "bob", "members": [{ "_id": "bob", "holds": true }] });
    assert_eq!(group(&program, "bob", ""), alone);
    for (surviving, discarded, time) in
        [("ann", "bob", 1_600_000_010), ("bob", "cat", 1_600_000_020), ("bob", "ann", 1_600_000_030)]
    {
        assert_eq!(program.webhook(merge(surviving, discarded, time)).status, 200);
    }
    let told = |id: &str, into: &str, seq: u64, time: &str, holds: bool| json!({ "_id": id, "into": into, "seq": seq, "reason": "webhook", "time": time, "holds": holds });
    let expected = json!({ "root": "bob", "members": [
        told("bob", "ann", 4, "2020-09-13T12:26:50.000Z", false),
        told("ann", "bob", 6, "2020-09-13T12:27:10.000Z", true),
        told("cat", "bob", 5, "2020-09-13T12:27:00.000Z", true),
    ] });
    for id in ["ann", "bob", "cat"] {
        assert_eq!(group(&program, id, ""), expected, "{id}");
    }
    let then = json!({ "root": "ann", "members": [
        { "_id": "ann", "holds": true }, told("bob", "ann", 4, "2020-09-13T12:26:50.000Z", true),
    ] });
    assert_eq!(group(&program, "bob", "&asOf=4"), then);
    let both = program.get("/v1/appusers/cat?include=group,provenance").json();
    assert!(both["provenance"].is_object() && both["group"] == expected, "{both}");
    let undone = api(&program, "POST", "/v1/appusers/bob/unmerge", &json!({ "discarded": { "_id": "cat" } }));
    assert_eq!(undone.status, 200);
    let cat = group(&program, "cat", "");
    assert_eq!((&cat["root"], &cat["members"][0]["holds"]), (&json!("cat"), &json!(false)), "{cat}");
    assert_eq!((cat["members"].as_array().unwrap().len(), &cat["members"][0]["into"]), (1, &json!("bob")));
}

#[test]
fn another_word_than_the_two_is_refused() {
    let program = Home::new().start();
    assert_eq!(program.webhook(first_message("ann", 1.0)).status, 200);
    for word in ["groups", "", "group,", "group;provenance", "body"] {
        let answer = program.get(&format!("/v1/appusers/ann?include={word}"));
        assert_eq!((answer.status, answer.code().as_str()), (400, "bad_request"), "{word}: {answer:?}");
    }
}
