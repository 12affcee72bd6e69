//! The merges in a history: their users, reasons, and the results of un-merging.

use serde_json::{Value, json};

use crate::feed::api;
use crate::support::{APP, Home, Program, encoded, first_message};

/// Every merge of a history, the newest first.
fn merges(program: &Program, id: &str) -> Vec<Value> {
    let history = program.get(&format!("/v1/appusers/{}/history?limit=1000", encoded(id)));
    assert_eq!(history.status, 200, "{history:?}");
    let history = history.json();
    let entries = history["history"].as_array().unwrap().iter();
    entries.filter_map(|entry| entry["merges"].as_array().cloned()).flatten().collect()
}

fn named(program: &Program, id: &str) -> Value {
    program.app_user(id).json()["appUser"].clone()
}

fn seen(program: &Program, id: &str, time: f64, name: &str) {
    let mut body: Value = serde_json::from_str(&first_message(id, time)).unwrap();
    body["appUser"]["givenName"] = json!(name);
    body["appUser"]["clients"] = json!([{ "id": "phone", "platform": "ios", "active": true }]);
    assert_eq!(program.webhook(body.to_string()).status, 200);
}

fn merge(program: &Program, surviving: &str, discarded: &str) {
    let body = json!({ "surviving": { "_id": surviving }, "discarded": { "_id": discarded } });
    assert_eq!(api(program, "POST", "/v1/appusers/merge", &body).status, 200);
}

#[test]
fn a_merge_shows_the_result_of_an_unmerge_and_the_unmerge_has_it() {
    let home = Home::new();
    let program = home.start();
    seen(&program, "ann", 1_444_348_338.0, "Ann");
    seen(&program, "bob", 1_444_348_339.0, "Bob");
    seen(&program, "cat", 1_444_348_340.0, "Cat");
    // A chain, so that an un-merge takes others along; and a phone that they share.
    merge(&program, "bob", "cat");
    merge(&program, "ann", "bob");
    assert_eq!(api(&program, "PUT", "/v1/appusers/ann", &json!({ "surname": "Lee" })).status, 200);
    for by in ["ann", "bob", "cat"] {
        let told = merges(&program, by);
        let pairs: Vec<_> = told.iter().map(|m| (&m["surviving"], &m["discarded"], &m["reason"])).collect();
        assert_eq!(pairs[0], (&json!("ann"), &json!("bob"), &json!("api")));
        assert_eq!(pairs[1], (&json!("bob"), &json!("cat"), &json!("api")));
        assert!(told.iter().all(|merge| merge["holds"] == true), "{told:?}");
        assert_eq!(told[1]["unmerged"]["surviving"]["_id"], "ann", "whom both are part of");
    }
    let told = merges(&program, "ann")[0]["unmerged"].clone();
    let unmerge = json!({ "discarded": { "_id": "bob" } });
    assert_eq!(api(&program, "POST", "/v1/appusers/ann/unmerge", &unmerge).status, 200);
    assert_eq!(told["surviving"], named(&program, "ann"));
    assert_eq!(told["discarded"], named(&program, "bob"));
    assert_eq!(named(&program, "cat")["_id"], "bob", "who came along");
    let told = merges(&program, "bob");
    assert_eq!((&told[0]["holds"], told[0].get("unmerged")), (&json!(false), None));
    assert_eq!(told[1]["unmerged"]["discarded"]["_id"], "cat");
}

#[test]
fn every_merge_shows_its_reason() {
    let home = Home::new();
    let program = home.start();
    // Smooch reports it.
    seen(&program, "ann", 1_444_348_338.0, "Ann");
    seen(&program, "bob", 1_444_348_339.0, "Bob");
    let told = json!({ "trigger": "merge:appUser", "app": { "_id": APP }, "timestamp": 1_444_348_350.0,
        "surviving": { "_id": "ann" }, "discarded": [{ "_id": "bob" }] });
    assert_eq!(program.webhook(told.to_string()).status, 200);
    // Made here, and then reported by Smooch.
    let made = api(&program, "POST", "/v1/appusers", &json!({ "userId": "dee", "surname": "Made" }));
    let made = made.json()["appUser"]["_id"].as_str().unwrap().to_owned();
    let mut body: Value = serde_json::from_str(&first_message("of-smooch", 1_444_348_360.0)).unwrap();
    body["appUser"]["userId"] = json!("dee");
    assert_eq!(program.webhook(body.to_string()).status, 200);
    // A device logs in.
    let init = |user: Value| {
        let mut body = json!({ "device": { "id": "tablet", "platform": "ios", "appVersion": "1" } });
        body.as_object_mut().unwrap().extend(user.as_object().cloned().unwrap());
        let answer = api(&program, "POST", "/v1/init", &body);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["appUser"]["_id"].as_str().unwrap().to_owned()
    };
    let anonymous = init(json!({}));
    assert_eq!(init(json!({ "userId": "dee" })), "of-smooch");
    for (discarded, surviving, reason) in
        [("bob", "ann", "webhook"), (&*made, "of-smooch", "sameUserId"), (&*anonymous, "of-smooch", "init")]
    {
        let told = merges(&program, discarded);
        let told = told.iter().find(|merge| merge["discarded"] == discarded).unwrap();
        assert_eq!((&told["surviving"], &told["reason"]), (&json!(surviving), &json!(reason)));
        assert_eq!(told["unmerged"]["discarded"]["_id"], discarded);
        let unmerge = json!({ "discarded": { "_id": discarded } });
        let path = format!("/v1/appusers/{surviving}/unmerge");
        assert_eq!(api(&program, "POST", &path, &unmerge).status, 200);
        assert_eq!(told["unmerged"]["discarded"], named(&program, discarded));
        assert_eq!(told["unmerged"]["surviving"], named(&program, surviving));
    }
}

#[test]
fn of_a_page_with_very_many_merges_the_newest_hundred_are_looked_up() {
    let home = Home::new();
    let program = home.start();
    let discarded: Vec<Value> = (0..103).map(|n| json!({ "_id": format!("part-{n:03}") })).collect();
    let told = json!({ "trigger": "merge:appUser", "app": { "_id": APP }, "timestamp": 1_444_348_350.0,
        "surviving": { "_id": "ann" }, "discarded": discarded });
    assert_eq!(program.webhook(told.to_string()).status, 200);
    let told = merges(&program, "ann");
    assert_eq!(told.len(), 103);
    assert_eq!(told.iter().filter(|merge| merge["holds"] == true).count(), 100);
    assert_eq!(told.iter().filter(|merge| merge.get("holds").is_none()).count(), 3);
}

#[test]
fn a_journal_longer_than_the_settings_allow_has_a_history_without_changes() {
    let home = Home::with("[limits]\nhistory_events = 450");
    let program = home.start();
    let told = |n: usize| {
        let mut body: Value = serde_json::from_str(&first_message("ann", 1_444_348_338.0)).unwrap();
        body["appUser"]["properties"] = json!({ "n": n });
        body["messages"][0]["received"] = json!(1_444_348_338 + n);
        assert_eq!(program.webhook(body.to_string()).status, 200);
    };
    (0..450).for_each(told);
    let entry = |seq: u64| {
        let page = program.get(&format!("/v1/appusers/ann/history?limit=1&after={}", seq + 1)).json();
        page["history"][0].clone()
    };
    // More than are read at a time.
    for n in [1, 200, 201, 400, 449] {
        let changed = json!([{ "_id": "ann", "field": "properties.n", "before": n - 1, "after": n }]);
        assert_eq!(entry(n + 1)["changed"], changed);
        let then = program.get(&format!("/v1/appusers/ann?asOf={}&include=provenance", n + 1)).json();
        assert_eq!(then["appUser"]["properties"]["n"], n);
        assert_eq!(then["provenance"]["properties.n"]["seq"], n + 1);
    }
    (450..700).for_each(told);
    assert_eq!((&entry(1)["seq"], entry(1).get("changed")), (&json!(1), None));
    let refused = program.get("/v1/appusers/ann?asOf=1");
    assert_eq!(refused.status, 400);
    assert!(refused.text.contains("450 events (limits.history_events)"), "{refused:?}");
}
