//! After an erasure the directory equals its journal.

use serde_json::json;

use super::{is_rebuilt, message, ok};
use crate::feed::api;
use crate::support::{APP, Home, SECRET};

fn merge(surviving: &str, discarded: &str) -> String {
    json!({ "trigger": "merge:appUser", "app": { "_id": APP }, "surviving": { "_id": surviving },
            "discarded": [{ "_id": discarded }] })
    .to_string()
}

#[test]
fn a_merge_of_a_user_with_members_into_an_erased_one_is_no_difference() {
    let home = Home::new();
    let program = home.start();
    let hi = |id: &str| message(id, 1_600_000_000.0, &json!({}), "Hi");
    ok(program.webhook(hi("x")));
    let erased = ok(api(&program, "DELETE", "/v1/appusers/x?erase=true", &json!({}))).json();
    assert_eq!(erased["erasure"]["complete"], true, "{erased}");
    for body in [merge("a", "b"), hi("b"), merge("x", "a")] {
        ok(program.webhook(body));
    }
    assert_eq!(program.app_user("b").status, 404, "gone with whom it was merged into");
    is_rebuilt(&home);
    // Erasing comes last, at every position of the same history.
    for id in ["a", "b"] {
        _ = api(&program, "DELETE", &format!("/v1/appusers/{id}?erase=true"), &json!({}));
        is_rebuilt(&home);
    }
}

/// A start without the tombstones would store it.
#[test]
fn a_body_that_names_the_erased_is_dropped_after_all_tombstones_were_deleted() {
    let home = Home::new();
    let program = home.start();
    let person = super::bodies::PERSON;
    ok(program.webhook(message(person, 1_600_000_000.0, &json!({}), "Hi")));
    let erased = ok(api(&program, "DELETE", &format!("/v1/appusers/{person}?erase=true"), &json!({}))).json();
    assert_eq!(erased["erasure"]["complete"], true, "{erased}");
    program.stop();
    assert_eq!(home.sql().execute("DELETE FROM erasures", []).unwrap(), 1);
    let program = home.start();
    ok(program.webhook(format!("{{no JSON of {person}")));
    assert_eq!(home.find::<i64>("SELECT count(*) FROM quarantine"), 0);
    assert_eq!(home.find::<i64>("SELECT count(*) FROM erasures"), 1);
}

/// The log and the metrics show the outcome of each.
#[test]
fn a_body_that_names_the_erased_is_logged_and_counted_as_dropped() {
    let mut home = Home::new();
    home.env.push(("ROLLCALL_PANIC_ON".to_owned(), "panic".to_owned()));
    let program = home.start();
    let person = super::bodies::PERSON;
    let known = json!({ "_id": "other" });
    ok(program.webhook(message(person, 1_600_000_000.0, &json!({}), "Hi")));
    ok(program.webhook(message("other", 1_600_000_000.0, &json!({}), "Hi")));
    let erased = ok(api(&program, "DELETE", &format!("/v1/appusers/{person}?erase=true"), &json!({}))).json();
    assert_eq!(erased["erasure"]["complete"], true, "{erased}");
    let unusable = |n: usize, who: &str| json!({ "id": format!("e{n}"), "type": "user:update", "payload": { "who": who } });
    let batch = |events: &[serde_json::Value]| {
        json!({ "app": { "id": APP }, "webhook": { "id": "w", "version": "v2" }, "events": events })
            .to_string()
    };
    let dropped = "was dropped: it names an erased app user";
    let held = "a body goes to quarantine";
    // The body, a header of it, the log line, the outcome of the request, and of its events: held, dropped.
    let cases = [
        (format!("{{no JSON of {person}"), "", dropped, "erased", (0, 1)),
        (message(person, 9_600_000_000.0, &json!({}), "Hi"), "", dropped, "erased", (0, 1)),
        ("{no JSON".to_owned(), person, dropped, "erased", (0, 1)),
        (batch(&[unusable(1, person), unusable(2, person)]), "", dropped, "erased", (0, 2)),
        (message(person, 1_600_000_001.0, &json!({}), "Hi"), "", "", "erased", (0, 1)),
        ("{no JSON".to_owned(), "", held, "quarantined", (1, 0)),
        (batch(&[unusable(3, person), unusable(4, "other")]), "", held, "quarantined", (1, 1)),
        (json!({ "trigger": "panic", "appUser": known }).to_string(), "", held, "quarantined", (1, 0)),
        (message("other", 1_600_000_000.0, &json!({}), "Hi"), "", "", "repeated", (0, 0)),
        (message("other", 1_600_000_001.0, &json!({}), "Hi"), "", "", "stored", (0, 0)),
    ];
    for (n, (body, header, _, outcome, events)) in cases.iter().enumerate() {
        let metric = |name: &str, outcome: &str| program.metric(&format!("{name}{{outcome=\"{outcome}\"}}"));
        let requests = || {
            ["stored", "repeated", "erased", "quarantined"]
                .map(|outcome| metric("rollcall_webhook_requests_total", outcome))
        };
        let counted = || ["quarantined", "erased"].map(|outcome| metric("rollcall_events_total", outcome));
        let (before, counted_before, rows) = (requests(), counted(), home.rows("quarantine"));
        let id = format!("case-{n}");
        let headers = [("x-api-key", SECRET), ("x-request-id", &id), ("x-user", header)];
        ok(program.request("POST", "/webhooks", &headers, body.as_bytes()));
        let mut expected = before;
        let at = ["stored", "repeated", "erased", "quarantined"].iter().position(|name| name == outcome);
        expected[at.unwrap()] += 1.0;
        assert_eq!(requests(), expected, "{n}");
        let [held, dropped] = counted_before;
        let expected = [held + f64::from(events.0), dropped + f64::from(events.1)];
        assert_eq!(counted(), expected, "{n}");
        assert_eq!(home.rows("quarantine") - rows, i64::from(events.0.min(1)), "{n}");
    }
    let log = program.stop();
    for (n, (_, _, said, _, _)) in cases.iter().enumerate() {
        let of_it = |line: &&str| line.contains(&format!("\"case-{n}\""));
        let lines: Vec<&str> = log.lines().filter(of_it).collect();
        for line in [dropped, held] {
            let is_said = lines.iter().any(|logged| logged.contains(line));
            assert_eq!(is_said, line == *said, "{n}: {line}: {lines:?}");
        }
        assert!(!lines.iter().any(|line| line.contains(person)), "{n}: {lines:?}");
    }
}
