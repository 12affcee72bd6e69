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

fn done(program: &Program, what: &str, body: &Value) -> Value {
    let (status, answer) = call(program, what, body);
    assert_eq!(status, 200, "{body}: {answer}");
    answer
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
    let dry = done(&program, "redrive", &json!({ "filter": filter, "dryRun": true }));
    assert_eq!((&dry["count"], dry["sample"].as_array().unwrap().len()), (&json!(30), 20), "{dry}");
    let run = json!({ "filter": filter, "expect": 30 });
    let still = done(&program, "redrive", &run);
    assert_eq!((&still["done"], still["left"].as_array().unwrap().len()), (&json!(0), 30), "{still}");
    assert_eq!(still["left"][0]["reason"], "too_deep");
    assert_eq!(home.rows("quarantine"), 31);
    program.stop();
    home.settings = String::new();
    let program = home.start();
    let used = done(&program, "redrive", &run);
    let expected = json!({ "done": 30, "left": [], "missing": 0, "learned": 30, "kept": 0, "repeated": 0,
                           "hasMore": false, "remaining": 0 });
    assert_eq!(used, expected);
    assert_eq!((home.rows("quarantine"), home.rows("journal")), (1, 30));
    assert!((0..30).all(|n| program.app_user(&format!("u{n}")).status == 200));
    let (status, again) = call(&program, "redrive", &run);
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
    let dropped = done(&program, "drop", &json!({ "filter": filter, "dryRun": false, "expect": 50 }));
    assert_eq!((&dropped["done"], &dropped["hasMore"]), (&json!(50), &json!(false)), "{dropped}");
    let seqs = done(&program, "drop", &json!({ "filter": { "seqs": [1, 3, 999] }, "expect": 2 }));
    assert_eq!(seqs["done"], 2);
    let left = ok(&program, "/quarantine")["bodies"].clone();
    let left: Vec<u64> = left.as_array().unwrap().iter().map(|body| body["seq"].as_u64().unwrap()).collect();
    assert_eq!(left, [10, 9, 8, 7, 6, 5, 4, 2]);
    let all = done(&program, "drop", &json!({ "filter": {}, "expect": 8 }));
    assert_eq!((&all["done"], home.rows("quarantine")), (&json!(8), 0));
}

#[test]
fn more_than_a_thousand_are_done_in_several_calls() {
    let home = Home::new();
    let program = home.start();
    assert_eq!(program.webhook("not json").status, 200);
    let more = "WITH RECURSIVE n(seq) AS (SELECT 2 UNION ALL SELECT seq + 1 FROM n WHERE seq < 2500)
                INSERT INTO quarantine SELECT n.seq, app, received, reason, detail, headers, body
                FROM quarantine, n WHERE quarantine.seq = 1";
    home.sql().execute_batch(more).unwrap();
    let redriven = done(&program, "redrive", &json!({ "filter": {}, "expect": 2500 }));
    assert_eq!((redriven["left"].as_array().unwrap().len(), &redriven["remaining"]), (1000, &json!(1500)));
    let next = json!({ "filter": {}, "expect": 1500, "after": redriven["after"] });
    let redriven = done(&program, "redrive", &next);
    assert_eq!((&redriven["left"][0]["seq"], &redriven["remaining"]), (&json!(1001), &json!(500)));
    let mut expect = json!(2500);
    for _ in 0..3 {
        expect = done(&program, "drop", &json!({ "filter": {}, "expect": expect }))["remaining"].clone();
    }
    assert_eq!((expect, home.rows("quarantine")), (json!(0), 0));
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
        (json!([1]), "not a selection"),
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
    assert_eq!(done(&program, "drop", &json!({ "filter": {}, "dryRun": true }))["count"], 1);
    assert_eq!(call(&program, "drop", &json!({ "filter": { "app": APP }, "expect": 1 })).0, 403);
    assert_eq!(done(&program, "drop", &json!({ "filter": { "seqs": [1, 2] }, "expect": 1 }))["done"], 1);
    for (method, path) in [("POST", "/quarantine/1/redrive"), ("DELETE", "/quarantine/1")] {
        assert_eq!(ask(&program, method, path, "{}").status, 404, "{method} {path}");
    }
    let home = two_apps("");
    let program = home.start_for(masked("vera"));
    assert_eq!(program.webhook("{\"canary\": tru").status, 200);
    let dry = done(&program, "redrive", &json!({ "filter": {}, "dryRun": true }));
    assert_eq!((dry["sample"][0].get("detail"), &dry["sample"][0]["masked"]), (None, &json!(["detail"])));
    let left = done(&program, "redrive", &json!({ "filter": {}, "expect": 1 }))["left"].clone();
    assert_eq!(left, json!([{ "seq": 1, "reason": "not_json" }]));
}
