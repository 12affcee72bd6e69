//! `rollcall quarantine`: retry of bodies that a limit had refused.

use serde_json::{Value, json};

use super::{messages, run, run_alone};
use crate::support::{APP, Answer, Home, Program, first_message, request};

const STRICT: &str = "[limits]\njson_depth = 8\nwebhook_events = 2\n[ingest]\nfuture_tolerance = \"1h\"\n\
                      group_members = 2";

fn deep(id: &str) -> String {
    let mut body: Value = serde_json::from_str(&first_message(id, 1_600_000_000.0)).unwrap();
    let mut nested = json!("bottom");
    for _ in 0..12 {
        nested = json!({ "deeper": nested });
    }
    body["extra"] = nested;
    body.to_string()
}

fn v2(events: &[(&str, &str)]) -> String {
    let event = |(id, time): &(&str, &str)| {
        json!({ "id": format!("event of {id}"), "type": "conversation:message", "createdAt": time,
                "payload": { "conversation": { "id": "c", "type": "personal" },
                             "message": { "id": format!("m {id}"), "received": time,
                                          "author": { "type": "user", "userId": id },
                                          "content": { "type": "text", "text": "Hi" } } } })
    };
    let events: Vec<Value> = events.iter().map(event).collect();
    json!({ "app": { "id": APP }, "webhook": { "id": "w", "version": "v2" }, "events": events }).to_string()
}

fn merged(surviving: &str, discarded: &str) -> String {
    json!({ "trigger": "merge:appUser", "app": { "_id": APP }, "timestamp": 1_600_000_100,
            "surviving": { "_id": surviving }, "discarded": [{ "_id": discarded }] })
    .to_string()
}

fn there(program: &Program, id: &str) -> bool {
    program.app_user(id).status == 200
}

#[test]
fn a_body_refused_by_another_limit_is_applied_once_and_leaves_the_quarantine() {
    let mut home = Home::with(STRICT);
    let program = home.start();
    let soon = (jiff::Timestamp::now() + std::time::Duration::from_secs(3 * 3600)).to_string();
    let past = "2022-10-18T09:20:00.410Z";
    messages(&program, &["root", "one", "two"]);
    let bodies = [
        deep("deep"),
        v2(&[("a", past), ("b", past), ("c", past)]),
        v2(&[("good", past), ("early", &soon)]),
        merged("root", "two"),
    ];
    assert_eq!(program.webhook(merged("root", "one")).status, 200);
    bodies.iter().for_each(|body| assert_eq!(program.webhook(body).status, 200));
    let listed = run(&home, &program, &["quarantine", "list", "--json"]).well().lines();
    let reasons: Vec<&str> = listed.iter().rev().map(|held| held["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["too_deep", "too_many_events", "future_dated", "cannot_apply"]);
    for (body, held) in bodies.iter().zip(listed.iter().rev()) {
        let seq = held["seq"].to_string();
        assert_eq!(&run(&home, &program, &["quarantine", "show", &seq, "--body"]).well().out, body);
        let shown = run(&home, &program, &["quarantine", "show", &seq]).well().out;
        // If only the worker finds a body unusable, no headers are stored.
        let masked = shown.contains("header    x-api-key: ***");
        assert!(masked || held["reason"] == "cannot_apply", "{shown}");
    }
    let some = run(&home, &program, &["quarantine", "list", "--json", "--reason", "too_deep"]).well().lines();
    assert_eq!(some.len(), 1);
    let journal = home.rows("journal");

    let still = run(&home, &program, &["quarantine", "redrive", "--all"]);
    assert_eq!((still.code, home.rows("quarantine")), (Some(1), 4), "{still:?}");
    assert!(
        still.err.contains("still unusable: too_deep") && still.err.contains("cannot_apply"),
        "{still:?}"
    );
    assert_eq!(home.rows("journal"), journal, "the good half of a body is known");
    assert!(there(&program, "good") && !there(&program, "early"));

    program.stop();
    home.settings = "[ingest]\nfuture_tolerance = \"24h\"".to_owned();
    let program = home.start();
    let done = run(&home, &program, &["quarantine", "redrive", "--all"]).well();
    assert!(done.out.starts_with("used 4, not used 0, not there 0"), "{done:?}");
    assert!(done.out.contains("events learned 6, kept 0, known already 1"), "{done:?}");
    assert_eq!(home.rows("quarantine"), 0);
    assert!(["deep", "a", "b", "c", "good", "early"].iter().all(|id| there(&program, id)));
    assert_eq!(program.app_user("two").json()["appUser"]["_id"], "root", "merged after all");
    assert_eq!(home.rows("journal"), journal + 6, "each event once");
    let gone = run(&home, &program, &["quarantine", "redrive", "1"]);
    assert_eq!(gone.code, Some(1), "{gone:?}");
    bodies.iter().for_each(|body| assert_eq!(program.webhook(body).status, 200));
    assert_eq!(home.rows("journal"), journal + 6, "the sender's retry is a repetition");
}

/// Its good half was journalled longer ago than a repetition is looked for: redriven, it is known all the
/// same.
#[test]
fn the_usable_part_of_an_old_body_is_not_journalled_again() {
    let mut home = Home::with(STRICT);
    let program = home.start();
    let soon = (jiff::Timestamp::now() + std::time::Duration::from_secs(3 * 3600)).to_string();
    // Older than all that follows, so that the record itself does not remember it.
    let body = v2(&[("good", "2015-10-18T09:20:00.410Z"), ("early", &soon)]);
    assert_eq!(program.webhook(&body).status, 200);
    messages(&program, &["good"; 40]);
    program.stop();
    let long_ago = "UPDATE journal SET received = received - 864000000;
                    UPDATE quarantine SET received = received - 864000000";
    home.sql().execute_batch(long_ago).unwrap();
    home.settings = String::new();
    let program = home.start();
    let journal = home.rows("journal");
    let done = run(&home, &program, &["quarantine", "redrive", "--reason", "future_dated"]).well();
    assert!(done.out.contains("events learned 1, kept 0, known already 1"), "{done:?}");
    assert_eq!((home.rows("journal"), home.rows("quarantine")), (journal + 1, 0));
}

#[test]
fn an_unusable_body_stays_with_its_current_reason_and_can_be_dropped() {
    let mut home = Home::with(STRICT);
    let program = home.start();
    let mut nobody: Value = serde_json::from_str(&deep("x")).unwrap();
    nobody["trigger"] = "conversation:start".into();
    for member in ["appUser", "messages"] {
        nobody.as_object_mut().unwrap().remove(member);
    }
    let nobody = nobody.to_string();
    for body in ["not json", &nobody, &deep("y")] {
        assert_eq!(program.webhook(body).status, 200);
    }
    program.stop();
    home.settings = String::new();
    let program = home.start();
    let redriven = run(&home, &program, &["quarantine", "redrive", "1", "2", "3"]);
    assert_eq!(redriven.code, Some(1), "{redriven:?}");
    assert!(redriven.out.starts_with("used 1, not used 2, not there 0"), "{redriven:?}");
    let reasons = "SELECT group_concat(reason, ' ') FROM (SELECT reason FROM quarantine ORDER BY seq)";
    assert_eq!(home.find::<String>(reasons), "not_json no_app_user", "as it is wrong now");
    let dropped = run(&home, &program, &["quarantine", "drop", "1"]).well();
    assert!(dropped.out.starts_with("given up 1,"), "{dropped:?}");
    assert_eq!(run(&home, &program, &["quarantine", "drop", "1"]).code, Some(1), "it is gone");
    run(&home, &program, &["quarantine", "drop", "--all"]).well();
    assert_eq!(home.rows("quarantine"), 0);
    assert_eq!(run(&home, &program, &["quarantine", "drop"]).code, Some(2), "which, is not said");
    program.stop();
    let alone = run_alone(&home, &["quarantine", "redrive", "1"]);
    assert_eq!(alone.code, Some(69), "{alone:?}");
    assert!(alone.err.contains("is it running?"), "{alone:?}");
}

#[test]
fn a_web_page_changes_nothing_through_the_admin_listener() {
    let home = Home::with(STRICT);
    let program = home.start();
    assert_eq!(program.webhook("not json").status, 200);
    let json = ("content-type", "application/json");
    let ask = |method: &str, path: &str, headers: &[(&str, &str)]| -> Answer {
        request(program.admin, method, path, headers, b"{}").unwrap()
    };
    for (method, path) in
        [("POST", "/quarantine/1/redrive"), ("DELETE", "/quarantine/1"), ("POST", "/rebuild")]
    {
        let page = ask(method, path, &[json, ("origin", "http://127.0.0.1:8788")]);
        assert_eq!((page.status, page.code().as_str()), (403, "forbidden"), "{method} {path}");
        for kind in [&[][..], &[("content-type", "text/plain")]] {
            assert_eq!(ask(method, path, kind).status, 415, "{method} {path}");
        }
    }
    assert_eq!(home.rows("quarantine"), 1);
    assert_eq!(ask("POST", "/quarantine/x/redrive", &[json]).status, 400);
    assert_eq!(ask("POST", "/quarantine/2/redrive", &[json]).status, 404);
    assert_eq!(ask("PUT", "/quarantine/1", &[json]).status, 405);
    assert_eq!(ask("POST", "/rebuild", &[json]).status, 400);
    for rows in ["{\"rows\":[]}", "{\"rows\":[[\"app_users\",[\"a\",\"b\"]]]}"] {
        let answer = request(program.admin, "POST", "/rebuild", &[json], rows.as_bytes()).unwrap();
        assert_eq!(answer.status, 404, "no journal is replayed: {answer:?}");
    }
    let public = program.request("DELETE", "/quarantine/1", &[json], b"{}");
    assert_eq!(public.status, 404, "not where the world is served");
    let answer = ask("POST", "/quarantine/1/redrive", &[json]).json();
    assert_eq!((&answer["unusable"], &answer["reason"]), (&json!(1), &json!("not_json")));
    assert_eq!(ask("DELETE", "/quarantine/1", &[json]).status, 200);
    assert_eq!(home.rows("quarantine"), 0);
}
