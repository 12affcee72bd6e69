//! Entries and bodies that do not exist, or no longer: each command reports it and exits with an error.

use serde_json::{Value, json};

use super::{Ran, messages, post, run, run_alone};
use crate::feed::api;
use crate::support::{Home, Program, until};

/// Three webhooks and a call; the bodies of the first two are trimmed.
fn trimmed(home: &Home) -> Program {
    let program = home.start();
    messages(&program, &["ann", "bob", "cem"]);
    post(&program, "/v1/appusers", &json!({ "userId": "made here" }));
    until("the first bodies are trimmed", || home.find::<i64>("SELECT seq FROM horizon") >= 2);
    program
}

fn replay(home: &Home, program: &Program, args: &[&str]) -> Ran {
    run(home, program, &[&["journal", "replay", "--json"], args].concat())
}

#[test]
fn a_deleted_body_is_named_and_counted() {
    let home = Home::with("[retention]\nbodies_age = \"1ms\"\n");
    let program = trimmed(&home);
    until("all bodies are trimmed", || home.find::<i64>("SELECT seq FROM horizon") >= 4);
    for args in [&["1"][..], &[".."], &["1..2"], &["..", "--dry-run"], &["--trigger", "message:appUser"]] {
        let ran = replay(&home, &program, args);
        assert_eq!(ran.code, Some(1), "{args:?}: {ran:?}");
        let told = &ran.lines()[0];
        assert!(told["notSent"]["body no longer kept"].as_u64().unwrap() >= 1, "{args:?}: {told}");
        assert!(ran.err.contains("journal:1: not sent: its body was removed"), "{args:?}: {ran:?}");
    }
    let all = &replay(&home, &program, &[".."]).lines()[0];
    assert_eq!(all["notSent"], json!({ "body no longer kept": 3 }), "{all}");
    assert_eq!(all["passedOver"], json!({ "made through our own API": 1 }), "{all}");
    let shown = run(&home, &program, &["journal", "show", "1"]).well();
    assert!(shown.out.contains("the body was removed"), "{shown:?}");
    let shown = run(&home, &program, &["journal", "show", "1", "--json"]).well();
    assert_eq!(shown.lines()[0]["body"], Value::Null);
    let shown = run(&home, &program, &["journal", "show", "1", "--body"]);
    assert_eq!((shown.code, shown.out.as_str()), (Some(1), ""), "{shown:?}");
    assert!(shown.err.contains("entry 1: the body was removed"), "{shown:?}");
}

#[test]
fn an_entry_that_was_named_and_is_no_webhook_any_more_was_not_sent() {
    let home = Home::new();
    let program = home.start();
    messages(&program, &["ann", "bob"]);
    post(
        &program,
        "/v1/appusers/merge",
        &json!({ "surviving": { "_id": "ann" }, "discarded": { "_id": "bob" } }),
    );
    let own = replay(&home, &program, &["3"]);
    assert_eq!(own.code, Some(1), "{own:?}");
    assert!(own.err.contains("journal:3: not sent: made through our own API"), "{own:?}");
    replay(&home, &program, &[".."]).well();
    let both = json!({ "app": { "id": crate::support::APP }, "webhook": { "id": "w", "version": "v2" }, "events": [
        { "id": "1", "type": "user:update", "createdAt": "2020-01-01T00:00:00Z", "payload": { "user": { "id": "cem" } } },
        { "id": "2", "type": "user:update", "createdAt": "2020-01-01T00:00:00Z", "payload": { "user": { "id": "dan" } } },
    ] });
    assert_eq!(program.webhook(both.to_string()).status, 200);
    assert_eq!(api(&program, "DELETE", "/v1/appusers/cem?erase=true", &json!({})).status, 200);
    let all = replay(&home, &program, &[".."]).well();
    assert!(all.lines()[0]["passedOver"]["reduced by an erasure"].as_u64().unwrap() >= 1, "{all:?}");
}

#[test]
fn a_missing_entry_is_an_error() {
    let home = Home::new();
    let empty = home.start();
    let ran = replay(&home, &empty, &[".."]);
    assert!(ran.code == Some(1) && ran.err.contains("the journal is empty"), "{ran:?}");
    messages(&empty, &["ann", "bob", "cem"]);
    for args in [&["999"][..], &["900..999"], &["--trigger", "never:heard"], &["..", "--since", "500"]] {
        let ran = replay(&home, &empty, args);
        assert_eq!(ran.code, Some(1), "{args:?}: {ran:?}");
        assert!(
            ran.err.contains("no entry matches: the journal has entries from 1 to 3"),
            "{args:?}: {ran:?}"
        );
    }
    let tables: [(&[&str], i32, &str); 10] = [
        (&["journal", "show", "999"], 1, "the journal has no entry 999"),
        (&["quarantine", "show", "999"], 1, "no body 999"),
        (&["quarantine", "redrive", "999"], 1, "999: not in quarantine"),
        (&["quarantine", "drop", "999"], 1, "999: not in quarantine"),
        (&["quarantine", "redrive", "--reason", "too_deep"], 1, "no body in quarantine matches"),
        (&["quarantine", "redrive", "--reason", "unheard_of"], 2, "must be one of not_json, too_deep"),
        (&["journal", "list", "--since", "3", "--until", "2"], 2, "--until is before --since"),
        (&["journal", "replay", "--since", "3", "--until", "2"], 2, "--until is before --since"),
        (&["quarantine", "list", "--since", "1h", "--until", "2h"], 2, "--until is before --since"),
        (&["tail", "--since", "3", "--until", "2"], 2, "--until is before --since"),
    ];
    for (args, code, said) in tables {
        let ran = run(&home, &empty, args);
        assert_eq!(ran.code, Some(code), "{args:?}: {ran:?}");
        assert!(ran.err.contains(said), "{args:?}: {ran:?}");
    }
    run(&home, &empty, &["quarantine", "redrive", "--all"]).well();
}

#[test]
fn deleted_entries_are_not_skipped_silently() {
    let home = Home::with("[retention]\nhistory_entries = 2\n");
    let program = home.start();
    messages(&program, &["ann", "bob", "cem", "dan", "eve"]);
    until("the first entries are gone", || home.find::<i64>("SELECT min(seq) FROM journal") == 4);
    let ran = replay(&home, &program, &["1..5"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("entry 1 was removed: the journal has entries from 4 to 5"), "{ran:?}");
}

#[test]
fn a_resume_file_of_another_range_is_refused() {
    let home = Home::new();
    let program = home.start();
    messages(&program, &["ann", "bob", "cem", "dan"]);
    let resumed = |range: &[&str]| replay(&home, &program, &[range, &["--resume-file", "state"]].concat());
    let state = || std::fs::read_to_string(home.path().join("state")).unwrap();
    resumed(&["1..2"]).well();
    assert_eq!(state().lines().next(), Some("3"));
    assert_eq!(resumed(&["1..2"]).well().lines()[0]["sent"], 0, "the same range has nothing left");
    for range in
        [&["2..4"][..], &[".."], &["1..2", "--trigger", "message:appUser"], &["1..2", "--user", "ann"]]
    {
        let ran = resumed(range);
        assert_eq!(ran.code, Some(2), "{range:?}: {ran:?}");
        assert!(ran.err.contains("state is of another replay"), "{range:?}: {ran:?}");
    }
    let elsewhere = resumed(&["1..2", "--to", "http://127.0.0.1:9/other?secret=x"]);
    assert_eq!(elsewhere.code, Some(2), "{elsewhere:?}");
    let said = "(entries 1 to 2, to the service of the settings) than this one (entries 1 to 2, to http://127.0.0.1:9/other)";
    assert!(elsewhere.err.contains(said), "{elsewhere:?}");
    std::fs::write(home.path().join("state"), "9\n").unwrap();
    let beyond = resumed(&["1..2"]);
    assert_eq!(beyond.code, Some(2), "{beyond:?}");
    assert!(beyond.err.contains("goes on with entry 9, and 1 to 2 are meant"), "{beyond:?}");
    let nothing = replay(&home, &program, &["1", "--from", "3"]);
    assert_eq!(nothing.code, Some(1), "{nothing:?}");
    assert!(nothing.err.contains("no entry matches"), "{nothing:?}");
    std::fs::write(home.path().join("state"), "2\n").unwrap();
    assert_eq!(resumed(&["3..4"]).code, Some(2), "as an older program wrote it");
    assert_eq!(resumed(&["1..3"]).well().lines()[0]["sent"], 2);
}

#[test]
fn tail_ends_once_its_span_is_through() {
    let home = Home::new();
    let program = home.start();
    messages(&program, &["ann", "bob", "cem", "dan"]);
    let tail = |args: &[&str]| {
        let ran = run(&home, &program, &[&["tail", "--json"], args].concat()).well();
        ran.lines().iter().map(|line| line["seq"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(tail(&["--since", "1", "--until", "2"]), [1, 2]);
    assert_eq!(tail(&["--since", "2", "--until", "4"]), [2, 3, 4]);
    assert_eq!(tail(&["--since", "1", "--until", "3", "--user", "bob"]), [2]);
    assert_eq!(tail(&["--since", "48h", "--until", "24h"]), [0_u64; 0], "nothing was received then");
    assert_eq!(
        tail(&["--until", "2"]),
        [0_u64; 0],
        "it begins with the next one, and that is behind the end"
    );
    let mut waits = super::command(&home, &program, &["tail", "--json", "--since", "4", "--until", "5"]);
    let waits = waits.stdout(std::process::Stdio::piped()).spawn().unwrap();
    messages(&program, &["eve"]);
    let ran = Ran::from(waits.wait_with_output().unwrap()).well();
    assert_eq!(ran.out.lines().count(), 2, "{ran:?}");
    run_alone(&home, &["tail", "--since", "1", "--until", "1"]).well();
}
