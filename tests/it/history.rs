//! The history of an app user, and its state at a time (`asOf`).

mod calls;
mod group;
mod merges;
mod provenance;

use rollcall::directory::open_reader;
use rollcall::domain::{AppId, Event, WorkingSet};
use rollcall::smooch::journal_entry::event_at;
use rollcall::store::Source;
use serde_json::{Value, json};

use crate::feed::api;
use crate::rebuild::expected;
use crate::support::{APP, Home, Program, encoded, files, first_message, fixtures, journal};

/// Checks that every `_id` of the journal, as of every number, equals a fresh fold up to there. Returns the number of
/// compared answers.
fn every_moment_is_a_fresh_fold(home: &Home, program: &Program) -> usize {
    let reader = open_reader(&home.database()).unwrap();
    let journal = journal(&reader, 0, 10_000);
    let mut ids: Vec<&str> =
        journal.iter().flat_map(|(e, _)| e.users.iter().map(|(id, _)| id.as_str())).collect();
    ids.sort_unstable();
    ids.dedup();
    ids.retain(|id| !id.is_empty());
    let (mut directory, mut compared) = (WorkingSet::whole(usize::MAX), 0);
    for (entry, body) in &journal {
        let learned: Event = match entry.source {
            Source::Webhook => event_at(body, entry.place).unwrap(),
            Source::Reduced | Source::Api => serde_json::from_slice(body).unwrap(),
        };
        directory.apply_event(&AppId::from(APP), &learned).unwrap();
        for id in &ids {
            let then = program.get(&format!("/v1/appusers/{}?asOf={}", encoded(id), entry.seq));
            match expected(&directory, id) {
                Some(text) => assert_eq!((then.status, then.text), (200, text), "{id} as of {}", entry.seq),
                None => assert_eq!(then.status, 404, "{id} as of {}: {then:?}", entry.seq),
            }
            compared += 1;
        }
    }
    compared
}

#[test]
fn as_of_every_number_of_every_story_an_app_user_equals_a_fresh_fold() {
    for story in files(&fixtures().join("sequences"), "jsonl") {
        let home = Home::new();
        let program = home.start();
        for line in std::fs::read_to_string(&story).unwrap().lines() {
            assert_eq!(program.webhook(line).status, 200);
        }
        let compared = every_moment_is_a_fresh_fold(&home, &program);
        assert!(compared > 0, "{}", story.display());
    }
}

/// Three of ours, one merged into another, one undone, one removed, and a client that moves.
fn live(program: &Program) {
    for (n, id) in ["ann", "bob", "cat"].into_iter().enumerate() {
        let mut body: Value = serde_json::from_str(&first_message(id, 1_444_348_338.0 + n as f64)).unwrap();
        body["appUser"]["clients"] = json!([{ "id": "phone", "platform": "ios", "active": true }]);
        assert_eq!(program.webhook(body.to_string()).status, 200);
    }
    let merge = json!({ "surviving": { "_id": "ann" }, "discarded": { "_id": "bob" } });
    for (method, path, body) in [
        ("PUT", "/v1/appusers/ann", json!({ "givenName": "Ann" })),
        ("PUT", "/v1/appusers/bob", json!({ "surname": "Bee", "properties": { "x": 1 } })),
        ("POST", "/v1/appusers/merge", merge.clone()),
        ("PUT", "/v1/appusers/ann", json!({ "givenName": "Anna" })),
        ("POST", "/v1/appusers/ann/unmerge", json!({ "discarded": { "_id": "bob" } })),
        ("POST", "/v1/appusers/merge", merge),
        ("POST", "/v1/appusers/ann/events", json!({ "name": "paid" })),
    ] {
        let answer = api(program, method, path, &body);
        assert!(answer.status < 300, "{path}: {answer:?}");
    }
}

#[test]
fn as_of_every_number_calls_of_our_own_api_equal_a_fresh_fold() {
    let home = Home::new();
    let program = home.start();
    live(&program);
    assert_eq!(every_moment_is_a_fresh_fold(&home, &program), 30);
    assert_eq!(api(&program, "DELETE", "/v1/appusers/ann", &json!({})).status, 200);
    assert_eq!(program.get("/v1/appusers/ann").status, 404);
    let then = program.get("/v1/appusers/bob?asOf=10").json();
    assert_eq!((&then["appUser"]["_id"], &then["appUser"]["givenName"]), (&json!("ann"), &json!("Anna")));
    assert_eq!(program.get("/v1/appusers/ann?asOf=11").status, 404, "removed by then");
}

#[test]
fn a_history_has_every_event_of_the_group_and_its_changes() {
    let home = Home::new();
    let program = home.start();
    live(&program);
    let history = program.get("/v1/appusers/ann/history?limit=1000").json();
    let told = history["history"].as_array().unwrap();
    let seqs: Vec<u64> = told.iter().map(|entry| entry["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, [10, 9, 8, 7, 6, 5, 4, 2, 1], "all but the one of cat");
    let of = |seq: u64| told.iter().find(|entry| entry["seq"] == seq).unwrap();
    assert_eq!((&of(1)["trigger"], &of(1)["source"]), (&json!("message:appUser"), &json!("webhook")));
    assert_eq!(of(1)["time"], "2015-10-08T23:52:18.000Z");
    assert!(of(1)["received"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    assert_eq!(of(4)["changed"], json!([{ "_id": "ann", "field": "givenName", "after": "Ann" }]));
    let renamed = json!([{ "_id": "ann", "field": "givenName", "before": "Ann", "after": "Anna" }]);
    assert_eq!(of(7)["changed"], renamed);
    let merged = of(6)["changed"].as_array().unwrap();
    assert!(
        merged.contains(&json!({ "_id": "bob", "field": "_id", "before": "bob", "after": "ann" })),
        "{merged:?}"
    );
    assert!(merged.contains(&json!({ "_id": "ann", "field": "surname", "after": "Bee" })), "{merged:?}");
    assert_eq!(of(10)["changed"], json!([]));
    assert_eq!(of(1).get("body"), None);

    let (mut joined, mut after) = (Vec::new(), String::new());
    loop {
        let page =
            program.get(&format!("/v1/apps/{APP}/appusers/bob/history?limit=2&include=body{after}")).json();
        joined.extend(page["history"].as_array().unwrap().iter().cloned());
        let Some(next) = page["after"].as_str() else { break };
        after = format!("&after={next}");
    }
    let bodies: Vec<Value> =
        joined.iter_mut().map(|entry| entry.as_object_mut().unwrap().remove("body").unwrap()).collect();
    assert_eq!(&joined, told, "by either name, in pages or not");
    let first: Value = serde_json::from_str(bodies.last().unwrap().as_str().unwrap()).unwrap();
    assert_eq!(first["appUser"]["_id"], "ann");

    for (path, status) in [
        ("/v1/appusers/nobody/history", 404),
        ("/v1/appusers/ann/history?limit=0", 400),
        ("/v1/appusers/ann/history?after=x", 400),
        ("/v1/appusers/ann/history?include=x", 400),
        ("/v1/appusers/ann/history?x=1", 400),
        ("/v1/appusers/ann?asOf=then", 400),
        ("/v1/appusers/ann?asOf=-1", 400),
        ("/v1/appusers/ann?asOf=-1500000010500", 400),
        ("/v1/appusers/ann?asOf=-1e3", 400),
    ] {
        assert_eq!(program.get(path).status, status, "{path}");
    }
    for path in ["/v1/appusers/ann/history", "/v1/appusers/ann?asOf=1"] {
        assert_eq!(
            program.request("GET", path, &[("app-token", "demo-app-token")], b"").status,
            401,
            "{path}"
        );
    }
}

#[test]
fn provenance_names_the_event_that_each_value_is_from() {
    let home = Home::new();
    let program = home.start();
    live(&program);
    let now = program.get("/v1/appusers/ann?include=provenance").json();
    assert_eq!(now["appUser"], program.get("/v1/appusers/ann").json()["appUser"]);
    let from = |name: &str| now["provenance"][name].clone();
    assert_eq!((&from("givenName")["seq"], &from("givenName")["trigger"]), (&json!(7), &json!("api:update")));
    assert_eq!(from("surname")["seq"], 5, "set of bob, who is part of ann now");
    assert_eq!(from("clients")["seq"], 2, "bob took the phone");
    assert_eq!(from("conversationStarted")["seq"], 1);
    let then = program.get("/v1/appusers/ann?include=provenance&asOf=4").json();
    assert_eq!(then["provenance"]["givenName"]["seq"], 4);
    let time = then["provenance"]["conversationStarted"]["time"].as_str().unwrap().to_owned();
    assert_eq!(time, "2015-10-08T23:52:18.000Z");
    assert_eq!(
        program.get("/v1/appusers/ann?asOf=2015-10-08T23:52:19Z").status,
        404,
        "told of it years later"
    );
    assert_eq!(program.get("/v1/appusers/ann?asOf=2199-01-01T00:00:00Z").json()["appUser"], now["appUser"]);
}

#[test]
fn a_past_user_id_is_looked_up_as_a_present_one_and_the_answer_shows_it() {
    let home = Home::new();
    let program = home.start();
    for (n, user_id) in ["before", "after"].into_iter().enumerate() {
        let body = json!({ "trigger": "message:appUser", "app": { "_id": APP }, "messages": [],
                           "timestamp": 1_600_000_000 + n, "appUser": { "_id": "ann", "userId": user_id } });
        assert_eq!(program.webhook(body.to_string()).status, 200);
    }
    for path in ["/v1/appusers/before?asOf=1", "/v1/appusers/nobody?asOf=1"] {
        let answer = program.get(path);
        assert_eq!(answer.status, 404, "{path}");
        let said = answer.json()["error"]["description"].to_string();
        assert!(said.contains("as it is now") && said.contains("found by the _id"), "{path}: {said}");
    }
    for name in ["ann", "after"] {
        let then = program.get(&format!("/v1/appusers/{name}?asOf=1")).json();
        assert_eq!(then["appUser"]["userId"], "before", "{name}");
    }
}
