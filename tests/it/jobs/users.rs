//! Jobs about the app users of a list.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::{about, count, job, parts, people, post, run, start};
use crate::console::{ask, operator};
use crate::support::{APP, Connection, Home, KEY_ID, KEY_SECRET, SECRET, basic, first_message, request};

#[test]
fn a_property_is_set_for_whom_the_filter_has_and_the_log_tells_whose() {
    let home = Home::new();
    let program = home.start_for(operator("maria"));
    people(&program, 130);
    let dry = post(
        &program,
        "/jobs",
        &about(
            "setProperty",
            "property.plan=gold",
            json!({ "property": "tier", "value": 1.50, "dryRun": true }),
        ),
    );
    assert_eq!((dry.status, &dry.json()["count"]), (200, &json!(65)), "{dry:?}");
    assert_eq!(dry.json()["sample"].as_array().unwrap().len(), 20);
    assert_eq!(dry.json()["sample"][1]["_id"], "u00002");
    assert_eq!(count(&program, "property.tier=1.50"), 0, "a dry run does nothing");
    // As text, so that the digits are these.
    let body = format!(
        r#"{{"kind":"setProperty","app":"{APP}","filter":"property.plan=gold","property":"tier","value":1.50,"expect":65}}"#
    );
    let set = program.end_of_job(&ask(&program, "POST", "/jobs", &body));
    assert_eq!((&set["state"], parts(&set)), (&json!("done"), [65, 0, 65]), "{set}");
    assert_eq!(
        (&set["by"], &set["kind"], &set["app"]),
        (&json!("maria"), &json!("setProperty"), &json!(APP))
    );
    // The digits stay as they were sent.
    let one = ask(&program, "GET", &format!("/v1/apps/{APP}/appusers/u00004"), "");
    assert!(one.text.contains("\"tier\":1.50"), "{one:?}");
    assert_eq!(count(&program, "property.tier=1.50"), 65);
    assert_eq!(count(&program, "property.plan=free&property.tier=1.50"), 0);
    let entry = ask(&program, "GET", "/journal?limit=1", "").json()["entries"][0].clone();
    assert_eq!(
        (&entry["trigger"], &entry["by"]["operator"]),
        (&json!("api:update"), &json!("maria")),
        "{entry}"
    );
    let audit = ask(&program, "GET", "/audit?action=update&limit=200", "").json()["entries"].clone();
    let audit = audit.as_array().unwrap().clone();
    let outcomes: Vec<&Value> = audit.iter().map(|entry| &entry["outcome"]).collect();
    assert_eq!((outcomes.first(), outcomes.last()), (Some(&&json!("done")), Some(&&json!("begun"))));
    // One entry a step, and not one each.
    let steps = &audit[1..audit.len() - 1];
    let ids: Vec<&Value> = steps.iter().flat_map(|entry| entry["_ids"].as_array().unwrap()).collect();
    assert_eq!(ids.len(), 65);
    assert!(steps.len() < 10, "{steps:?}");
    assert!(audit.iter().all(|entry| entry["detail"].as_str().unwrap().starts_with("job 1")), "{audit:?}");
    let cleared = run(&program, "clearProperty", "property.tier=1.50", json!({ "property": "tier" }));
    assert_eq!((parts(&cleared), count(&program, "property.tier=1.50")), ([65, 0, 65], 0));
}

#[test]
fn app_users_are_removed_and_erased_by_a_filter() {
    let home = Home::new();
    let program = home.start();
    people(&program, 40);
    assert_eq!(parts(&run(&program, "remove", "property.plan=gold", json!({}))), [20, 0, 20]);
    assert_eq!((count(&program, ""), program.app_user("u00002").status), (20, 404));
    assert_eq!(parts(&run(&program, "erase", "property.plan=free", json!({}))), [20, 0, 20]);
    assert_eq!(count(&program, ""), 0);
    assert_eq!(home.rows("erasures"), 20);
    let receipt = program.request(
        "DELETE",
        "/v1/appusers/u00001?erase=true",
        &[("authorization", &basic(KEY_ID, KEY_SECRET))],
        b"",
    );
    assert_eq!(receipt.status, 200, "{receipt:?}");
}

/// The filter names those whom the job erases, and is needed until the last of them.
#[test]
fn all_whom_a_filter_names_are_erased_and_then_the_filter_is() {
    let home = Home::new();
    let program = home.start();
    people(&program, 40);
    let shared = json!({ "email": "shared@family.example" });
    for n in 0..40 {
        let path = format!("/v1/apps/{APP}/appusers/u{n:05}");
        assert_eq!(ask(&program, "PUT", &path, &shared.to_string()).status, 200);
    }
    let erased = run(&program, "erase", "email=shared%40family.example", json!({}));
    assert_eq!((&erased["state"], parts(&erased)), (&json!("done"), [40, 0, 40]), "{erased}");
    assert_eq!((erased.get("with"), &erased["erased"]), (None, &json!(true)), "{erased}");
    assert_eq!(home.find::<i64>("SELECT count(*) FROM jobs WHERE spec LIKE '%family%'"), 0);
}

#[test]
fn a_job_with_another_number_than_there_is_does_nothing() {
    let program = Home::new().start();
    people(&program, 6);
    for expect in [0, 2, 4, 6] {
        let refused =
            post(&program, "/jobs", &about("remove", "property.plan=gold", json!({ "expect": expect })));
        assert_eq!((refused.status, &refused.json()["count"]), (409, &json!(3)), "{refused:?}");
    }
    assert_eq!(count(&program, ""), 6);
    assert_eq!(ask(&program, "GET", "/jobs", "").json(), json!({ "jobs": [], "hasMore": false }));
}

#[test]
fn what_is_not_asked_right_is_named() {
    let program = Home::new().start();
    people(&program, 2);
    let nested = json!({ "property": "p", "value": { "a": 1 }, "expect": 2 });
    let too_large = json!({ "property": "p", "value": "x".repeat(4096), "dryRun": true });
    for (body, said) in [
        (json!({}), "missing field `kind`"),
        (about("rename", "", json!({ "expect": 2 })), "kind must be export, setProperty"),
        (about("redrive", "", json!({ "expect": 2 })), "kind must be export, setProperty"),
        (json!({ "kind": "remove", "app": APP, "expect": 2 }), "either filter or segment"),
        (json!({ "kind": "remove", "filter": "", "expect": 2 }), "app is missing"),
        (about("remove", "", json!({ "segment": "x", "expect": 2 })), "either filter or segment"),
        (about("remove", "", json!({})), "expect is missing"),
        (about("remove", "", json!({ "expected": 2 })), "unknown field `expected`"),
        (about("remove", "platfrom=ios", json!({ "expect": 2 })), "Unknown parameter: platfrom"),
        (about("remove", "limit=2", json!({ "expect": 2 })), "limit is for pages"),
        (about("remove", "seenSince=yesterday", json!({ "expect": 2 })), "seenSince must be"),
        (
            about("remove", "", json!({ "property": "p", "expect": 2 })),
            "property is not for a job of this kind",
        ),
        (about("setProperty", "", json!({ "value": 1, "expect": 2 })), "property is missing"),
        (about("setProperty", "", json!({ "property": "p", "expect": 2 })), "value is missing"),
        (
            about("setProperty", "", json!({ "property": "p", "value": null, "expect": 2 })),
            "value is missing",
        ),
        (about("clearProperty", "", json!({ "property": "p", "value": 1, "expect": 2 })), "value is not for"),
        (about("setProperty", "", nested), "properties.p must be"),
        (about("setProperty", "", too_large), "more than 4096 bytes"),
        (about("export", "", json!({ "format": "xml", "expect": 2 })), "format must be ndjson or csv"),
    ] {
        let answer = post(&program, "/jobs", &body);
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
        let description = answer.json()["error"]["description"].as_str().unwrap().to_owned();
        assert!(description.contains(said), "{body}: {description}");
    }
    assert_eq!(count(&program, ""), 2);
    assert_eq!(
        post(&program, "/jobs", &json!({ "kind": "remove", "segment": "x", "expect": 2 })).status,
        404
    );
    for (method, path) in
        [("GET", "/jobs/1"), ("DELETE", "/jobs/1"), ("GET", "/jobs/1/failures"), ("GET", "/jobs/1/file")]
    {
        assert_eq!(ask(&program, method, path, "").status, 404, "{method} {path}");
    }
}

#[test]
fn one_job_runs_at_a_time_and_once_cancelled_it_does_nothing_more() {
    let home = Home::new();
    let program = home.start();
    people(&program, 1500);
    let started = start(&program, "setProperty", "", json!({ "property": "p", "value": "x" }));
    assert_eq!(started.status, 202, "{started:?}");
    let second = post(&program, "/jobs", &about("remove", "", json!({ "expect": 1500 })));
    let running = job(&program, &json!(1));
    if running["state"] == "running" {
        assert_eq!((second.status, &second.json()["job"]), (409, &json!(1)), "{second:?}");
    }
    let cancelled = ask(&program, "DELETE", "/jobs/1", "");
    let done = cancelled.json()["done"].as_u64().unwrap();
    assert_eq!(count(&program, "property.p=x"), done, "{cancelled:?}");
    let again = ask(&program, "DELETE", "/jobs/1", "").json();
    assert_eq!((&again["state"], &again["done"]), (&cancelled.json()["state"], &json!(done)));
    // Room for the next one.
    assert_eq!(
        parts(&run(&program, "setProperty", "property.plan=gold", json!({ "property": "p", "value": "y" }))),
        [750, 0, 750]
    );
    assert_eq!(count(&program, "property.p=y"), 750);
}

/// The job requires each app user as it was read, and reads it again if it changed; webhooks go on meanwhile.
#[test]
fn app_users_that_change_meanwhile_lose_nothing() {
    let home = Home::new();
    let program = home.start();
    people(&program, 600);
    let started = start(&program, "setProperty", "", json!({ "property": "tier", "value": "new" }));
    let is_over = AtomicBool::new(false);
    let sent = std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let (mut sent, key) = (0_u64, [("x-api-key", SECRET)]);
            while !is_over.load(Ordering::Relaxed) {
                let id = format!("u{:05}", sent % 600);
                let body = first_message(&id, 1_700_000_000.0 + sent as f64);
                assert_eq!(
                    request(program.listen, "POST", "/webhooks", &key, body.as_bytes()).unwrap().status,
                    200
                );
                sent += 1;
            }
            sent
        });
        let ended = program.end_of_job(&started);
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(parts(&ended), [600, 0, 600], "{ended}");
        sender.join().unwrap()
    });
    assert_eq!(home.rows("journal"), 600 + 600 + i64::try_from(sent).unwrap());
}

/// Webhooks take app users out of the filter while the job runs: none that left it before its turn is removed.
#[test]
fn an_app_user_that_left_the_filter_is_spared() {
    let home = Home::new();
    let program = home.start();
    people(&program, 1600);
    let started = start(&program, "remove", "property.plan=gold", json!({}));
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for sender in 0..4 {
            let (is_over, program) = (&is_over, &program);
            scope.spawn(move || {
                let mut connection = Connection::open(program.listen);
                let headers = [("x-api-key", SECRET), ("content-type", "application/json")];
                // From the end on, so that the job meets all of them.
                for n in (0..400).rev().take_while(|_| !is_over.load(Ordering::Relaxed)) {
                    let body = first_message(&format!("u{:05}", 4 * n + sender), 1_700_000_000.0);
                    let body = body.replacen("\"properties\":{}", "\"properties\":{\"plan\":\"left\"}", 1);
                    assert_eq!(connection.ask("POST", "/webhooks", &headers, body.as_bytes()).status, 200);
                }
            });
        }
        let ended = program.end_of_job(&started);
        is_over.store(true, Ordering::Relaxed);
        assert_eq!((&ended["state"], &ended["failed"]), (&json!("done"), &json!(0)), "{ended}");
    });
    let entries =
        |what: &str| format!("SELECT seq, json_extract(users, '$[0][0]') AS id FROM journal WHERE {what}");
    let removed = entries("trigger = 'api:delete'");
    let left = entries("trigger = 'message:appUser' AND event_time >= 1700000000000000");
    let wrong =
        format!("SELECT count(*) FROM ({removed}) AS r JOIN ({left}) AS l USING (id) WHERE l.seq < r.seq");
    assert!(home.find::<i64>(&format!("SELECT count(*) FROM ({left})")) > 100, "webhooks came meanwhile");
    assert_eq!(home.find::<i64>(&wrong), 0, "app users that had left the filter were removed");
}
