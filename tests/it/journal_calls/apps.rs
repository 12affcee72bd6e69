//! The app that a call names: another operator's, none at all, and one that the settings have no longer.

use serde_json::json;

use super::{OTHER, message, two_apps, webhook_of_other};
use crate::console::{ask, of_app};
use crate::support::{APP, Home, Program, first_message};

/// The calls that name an app in a parameter.
const CALLS: [&str; 5] = ["/journal", "/journal/tail", "/quarantine", "/audit", "/stats"];

/// The status of the head of every answer that is about this app.
fn statuses(program: &Program, app: &str) -> Vec<(String, u16)> {
    let paths = CALLS.iter().map(|path| format!("{path}?app={app}"));
    let users = ["/appusers", "/changes"].map(|path| format!("/v1/apps/{app}{path}"));
    let get = |path: String| (path.clone(), ask(program, "HEAD", &path, "").status);
    let mut all: Vec<(String, u16)> = paths.chain(users).map(get).collect();
    for path in ["/quarantine/redrive", "/quarantine/drop"] {
        let body = json!({ "filter": { "app": app }, "dryRun": true }).to_string();
        all.push((path.to_owned(), ask(program, "POST", path, &body).status));
    }
    all.push(("/import".to_owned(), ask(program, "POST", &format!("/import?app={app}"), "").status));
    all
}

#[test]
fn a_named_app_of_somebody_else_is_403_whether_it_exists_or_not() {
    let program = two_apps("").start_for(of_app("una", OTHER));
    for app in [APP, "nothing"] {
        for (path, status) in statuses(&program, app) {
            assert_eq!(status, 403, "{path}, {app}");
        }
    }
    for (path, status) in statuses(&program, OTHER) {
        assert_eq!(status, 200, "{path}");
    }
}

#[test]
fn an_app_of_which_there_is_nothing_is_named_with_the_known_ones() {
    let program = two_apps("").start();
    for (path, status) in statuses(&program, "nothing") {
        let expected = if path.starts_with("/v1") { 404 } else { 400 };
        assert_eq!(status, expected, "{path}");
    }
    let answer = ask(&program, "GET", "/journal?app=nothing", "");
    assert_eq!(answer.code(), "app_not_found", "{answer:?}");
    assert!(
        answer.text.contains("nothing") && answer.text.contains(&format!("{APP}, {OTHER}")),
        "{answer:?}"
    );
}

#[test]
fn an_app_that_the_settings_have_no_longer_has_its_entries_and_bodies() {
    let mut home = two_apps("");
    let program = home.start();
    message(&program, "ours", 0);
    webhook_of_other(&program, "not json");
    program.stop();
    home.settings = Home::new().settings;
    let program = home.start();
    // Nothing but a body is of it.
    let held = ask(&program, "GET", &format!("/quarantine?app={OTHER}"), "").json();
    assert_eq!(held["bodies"].as_array().unwrap().len(), 1, "{held}");
    program.stop();
    home.settings = two_apps("").settings;
    let program = home.start();
    webhook_of_other(&program, &first_message("theirs", 1.0));
    assert_eq!(ask(&program, "DELETE", "/quarantine/1", "").status, 200);
    program.stop();
    home.settings = Home::new().settings;
    let program = home.start();
    let entries = ask(&program, "GET", &format!("/journal?app={OTHER}"), "").json();
    assert_eq!(entries["entries"][0]["users"], json!(["theirs"]), "{entries}");
}

#[test]
fn a_word_that_is_none_of_the_known_ones_is_named_with_them() {
    let program = two_apps("").start();
    for (query, known) in [
        ("/quarantine?reason=x", "reason must be one of not_json, too_deep"),
        ("/journal?source=x", "source must be webhook or api"),
        ("/journal?outcome=x", "outcome must be one of learned, kept"),
        ("/journal/tail?outcome=x", "outcome must be one of learned, kept"),
        ("/journal?order=x", "order must be asc or desc"),
        ("/journal?trigger=", "trigger must not be empty"),
        ("/journal?app=", "app must not be empty"),
        ("/audit?action=x", "action must be one of init"),
        ("/audit?who=", "who must not be empty"),
        ("/stats?by=x", "by must be outcome, trigger or change"),
        ("/stats?step=x", "step must be minute, hour or day"),
    ] {
        let answer = ask(&program, "GET", query, "");
        assert!(answer.status == 400 && answer.text.contains(known), "{query}: {answer:?}");
    }
    let asked = json!({ "filter": { "reason": "x" }, "dryRun": true }).to_string();
    let answer = ask(&program, "POST", "/quarantine/drop", &asked);
    assert!(answer.status == 400 && answer.text.contains("reason must be one of not_json"), "{answer:?}");
}
