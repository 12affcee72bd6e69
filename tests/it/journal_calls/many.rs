//! Redrive and drop of many quarantined bodies: dry first, and only if as many meet the filter as were counted.

use serde_json::{Value, json};

use super::{OTHER, ok, two_apps, webhook_of_other};
use crate::console::{ask, masked, of_app};
use crate::support::{APP, Home, Program, first_message};

fn deep(id: &str) -> String {
    let body = first_message(id, 1_600_000_000.0);
    let nested = format!("{}1{}", "[".repeat(20), "]".repeat(20));
    body.replacen('{', &format!("{{\"extra\":{nested},"), 1)
}

fn call(program: &Program, what: &str, body: &Value) -> (u16, Value) {
    let answer = ask(program, "POST", &format!("/quarantine/{what}"), &body.to_string());
    (answer.status, answer.json())
}

fn dry(program: &Program, what: &str, filter: Value) -> Value {
    let (status, answer) = call(program, what, &json!({ "filter": filter, "dryRun": true }));
    assert_eq!(status, 200, "{filter}: {answer}");
    answer
}

/// The job, once it has ended.
fn done(program: &Program, what: &str, filter: &Value, expect: u64) -> Value {
    let body = json!({ "filter": filter, "expect": expect }).to_string();
    program.end_of_job(&ask(program, "POST", &format!("/quarantine/{what}"), &body))
}

/// Parts that were done, those that failed, and all of them.
fn parts(job: &Value) -> [u64; 3] {
    ["done", "failed", "of"].map(|name| job[name].as_u64().unwrap())
}

fn failures(program: &Program, job: &Value) -> Value {
    ok(program, &format!("/jobs/{}/failures?limit=200", job["id"]))["failures"].clone()
}

#[test]
fn all_of_a_reason_are_redriven_after_the_limit_was_raised() {
    let mut home = Home::with("[limits]\njson_depth = 8\n");
    let program = home.start();
    for n in 0..30 {
        assert_eq!(program.webhook(deep(&format!("u{n}"))).status, 200);
    }
    assert_eq!(program.webhook("not json").status, 200);
    let filter = json!({ "reason": "too_deep" });
    let counted = dry(&program, "redrive", filter.clone());
    let sample = counted["sample"].as_array().unwrap().len();
    assert_eq!((&counted["count"], sample), (&json!(30), 20), "{counted}");
    let still = done(&program, "redrive", &filter, 30);
    assert_eq!(parts(&still), [0, 30, 30], "{still}");
    let left = failures(&program, &still);
    assert_eq!((left.as_array().unwrap().len(), &left[0]["reason"]), (30, &json!("too_deep")));
    assert_eq!(home.rows("quarantine"), 31);
    program.stop();
    home.settings = String::new();
    let program = home.start();
    let used = done(&program, "redrive", &filter, 30);
    assert_eq!((parts(&used), &used["counts"]), ([30, 0, 30], &json!({ "learned": 30 })), "{used}");
    assert_eq!((home.rows("quarantine"), home.rows("journal")), (1, 30));
    assert!((0..30).all(|n| program.app_user(&format!("u{n}")).status == 200));
    assert!(program.metric("rollcall_events_total{outcome=\"learned\"}") >= 30.0);
    let (status, again) = call(&program, "redrive", &json!({ "filter": filter, "expect": 30 }));
    assert_eq!((status, &again["count"]), (409, &json!(0)), "{again}");
}

#[test]
fn a_drop_with_another_number_than_there_are_drops_nothing() {
    let home = Home::new();
    let program = home.start();
    for n in 0..60 {
        assert_eq!(program.webhook(format!("not json {n}")).status, 200);
    }
    let filter = json!({ "reason": "not_json", "since": 11, "until": "60" });
    for expect in [0, 49, 51, 60] {
        let (status, answer) = call(&program, "drop", &json!({ "filter": filter, "expect": expect }));
        assert_eq!((status, &answer["count"]), (409, &json!(50)), "{answer}");
        assert_eq!(answer["error"]["code"], "conflict");
    }
    assert_eq!(home.rows("quarantine"), 60);
    assert_eq!(parts(&done(&program, "drop", &filter, 50)), [50, 0, 50]);
    assert_eq!(parts(&done(&program, "drop", &json!({ "seqs": [1, 3, 999] }), 2)), [2, 0, 2]);
    let left = ok(&program, "/quarantine")["bodies"].clone();
    let left: Vec<u64> = left.as_array().unwrap().iter().map(|body| body["seq"].as_u64().unwrap()).collect();
    assert_eq!(left, [10, 9, 8, 7, 6, 5, 4, 2]);
    assert_eq!((parts(&done(&program, "drop", &json!({}), 8)), home.rows("quarantine")), ([8, 0, 8], 0));
}

#[test]
fn thousands_are_one_job() {
    let home = Home::new();
    let program = home.start();
    assert_eq!(program.webhook("not json").status, 200);
    let more = "WITH RECURSIVE n(seq) AS (SELECT 2 UNION ALL SELECT seq + 1 FROM n WHERE seq < 2500)
                INSERT INTO quarantine SELECT n.seq, app, received, reason, detail, headers, body
                FROM quarantine, n WHERE quarantine.seq = 1";
    home.sql().execute_batch(more).unwrap();
    let redriven = done(&program, "redrive", &json!({}), 2500);
    assert_eq!(parts(&redriven), [0, 2500, 2500]);
    let (mut seqs, mut after) = (Vec::new(), String::new());
    loop {
        let page = ok(&program, &format!("/jobs/{}/failures?limit=200{after}", redriven["id"]));
        seqs.extend(page["failures"].as_array().unwrap().iter().map(|failed| failed["about"].clone()));
        let Some(next) = page["after"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(seqs, (1..=2500).map(|seq| json!(seq.to_string())).collect::<Vec<_>>());
    assert_eq!(
        (parts(&done(&program, "drop", &json!({}), 2500)), home.rows("quarantine")),
        ([2500, 0, 2500], 0)
    );
}

#[test]
fn what_is_not_asked_right_does_nothing() {
    let home = two_apps("");
    let program = home.start();
    assert_eq!(program.webhook("not json").status, 200);
    for (body, said) in [
        (json!({ "filter": {} }), "expect is missing"),
        (json!({ "expect": 1 }), "missing field `filter`"),
        (json!({ "filter": { "reasson": "x" }, "expect": 1 }), "unknown field `reasson`"),
        (json!({ "filter": {}, "dry": true, "expect": 1 }), "unknown field `dry`"),
        (json!({ "filter": { "since": "yesterday" }, "expect": 1 }), "since must be"),
        (json!({ "filter": { "since": 5, "until": 4 }, "expect": 1 }), "until is before since"),
        (json!({ "filter": { "reason": "" }, "expect": 1 }), "reason must be one of not_json"),
        (json!([1]), "must be a JSON object"),
    ] {
        for what in ["redrive", "drop"] {
            let (status, answer) = call(&program, what, &body);
            let description = answer["error"]["description"].as_str().unwrap();
            assert_eq!(status, 400, "{body}: {answer}");
            assert!(description.contains(said), "{body}: {description}");
        }
    }
    assert_eq!(home.rows("quarantine"), 1);
}

#[test]
fn an_operator_changes_only_what_may_be_seen() {
    let home = two_apps("");
    let program = home.start_for(of_app("una", OTHER));
    assert_eq!(program.webhook("not json").status, 200);
    webhook_of_other(&program, "not json either");
    assert_eq!(dry(&program, "drop", json!({}))["count"], 1);
    assert_eq!(call(&program, "drop", &json!({ "filter": { "app": APP }, "expect": 1 })).0, 403);
    assert_eq!(parts(&done(&program, "drop", &json!({ "seqs": [1, 2] }), 1)), [1, 0, 1]);
    for (method, path) in [("POST", "/quarantine/1/redrive"), ("DELETE", "/quarantine/1")] {
        assert_eq!(ask(&program, method, path, "{}").status, 404, "{method} {path}");
    }
    let home = two_apps("");
    let program = home.start_for(masked("vera"));
    assert_eq!(program.webhook("{\"canary\": tru").status, 200);
    let counted = dry(&program, "redrive", json!({}));
    assert_eq!(
        (counted["sample"][0].get("detail"), &counted["sample"][0]["masked"]),
        (None, &json!(["detail"]))
    );
    let left = done(&program, "redrive", &json!({}), 1);
    assert_eq!(failures(&program, &left), json!([{ "about": "1", "reason": "not_json" }]));
    assert_eq!((left.get("with"), &left["masked"]), (None, &json!(["with"])));
}
