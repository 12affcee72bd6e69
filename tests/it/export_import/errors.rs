//! Lines that cannot be imported: each is named with its place in the line, and the others are imported.

use std::io::{BufRead as _, BufReader};

use super::*;
use crate::operator_commands::run_alone;
use crate::support::APP;

const STAMP: &str = r#""digest":"00000000000000000000000000000000""#;

/// A line of an export with this record.
fn record(record: &str) -> String {
    format!(r#"{{"rollcall":1,"app":"{APP}","records":[{record}]}}"#)
}

/// A line of an export with this assertion about the app user `x`.
fn said(said: &str) -> String {
    record(&format!(r#"{{"_id":"x","said":[{{{STAMP},{said}}}]}}"#))
}

#[test]
fn every_error_of_a_line_is_named_with_its_place() {
    let (letters, more) = ("a".repeat(1024), "a".repeat(1025));
    let named = |name: &str| {
        [
            format!(r#"{{"_id":"{name}"}}"#),
            format!(r#"{{"_id":"y","userId":"{name}"}}"#),
            format!(r#"{{"_id":"y","clients":[{{"id":"{name}"}}]}}"#),
            said(&format!(r#""fields":{{"userId":"{name}"}}"#)),
            said(&format!(r#""active":["{name}"]"#)),
        ]
    };
    let mut lines: Vec<(String, &str)> = vec![
        ("{".to_owned(), "not JSON"),
        ("[]".to_owned(), "the line must be an object"),
        (r#"{"rollcall":2}"#.to_owned(), "rollcall must be 1"),
        (r#"{"rollcall":1,"records":[]}"#.to_owned(), "the line lacks app"),
        (format!(r#"{{"rollcall":1,"app":"{APP}","records":[]}}"#), "the line has no records"),
        (record("{}"), "records[0] lacks _id"),
        (record(r#"{"_id":""}"#), "records[0]._id must be a string"),
        (record(r#"{"_id":"x","removed":1}"#), "records[0].removed must be true or false"),
        (record(r#"{"_id":"x","colour":1}"#), "records[0].colour is not known"),
        (record(r#"{"_id":"x","said":[{}]}"#), "records[0].said[0] lacks digest"),
        (
            record(r#"{"_id":"x","said":[{"digest":"0g"}]}"#),
            "records[0].said[0].digest must be 32 hexadecimal",
        ),
        (record(r#"{"_id":"x","lastSeen":"soon"}"#), "records[0].lastSeen must be an ISO 8601"),
        (record(r#"{"_id":"x","lastSeen":"2999-01-01T00:00:00Z"}"#), "dated too far ahead of the clock"),
        (
            record(r#"{"_id":"x","merges":[{"into":"y","reason":"love"}]}"#),
            "records[0].merges[0].reason must be one of",
        ),
        (r#"{"email":"a@b.c"}"#.to_owned(), "the line lacks _id, or at least userId"),
        (r#"{"_id":"x","email":7}"#.to_owned(), "email must be a string"),
        (r#"{"_id":"x","properties":7}"#.to_owned(), "properties must be an object"),
        (r#"{"_id":"x","clients":[{}]}"#.to_owned(), "clients[0] must be an object with an id"),
        (r#"{"userId":"x\u0000"}"#.to_owned(), "userId must have no NUL"),
        (r#"{"_id":"x\ud800"}"#.to_owned(), "_id must have no NUL"),
        (r#"{"_id":"x","brandId":"\udc00"}"#.to_owned(), "brandId must have no NUL"),
        (said(r#""fields":{"userId":"\u0000"}"#), "records[0].said[0].fields.userId must have no NUL"),
        (r#"{"userId":"x","clients":[{"id":"c"}]}"#.to_owned(), "the line lacks _id: clients"),
    ];
    lines.extend(named(&more).map(|line| (line, "name_too_long: ")));
    let good = named(&letters);
    let all: Vec<&str> =
        lines.iter().map(|(line, _)| line.as_str()).chain(good.iter().map(String::as_str)).collect();
    let home = Home::new();
    let path = file(&home, "lines.ndjson", &all.join("\n"));
    let path = path.to_str().unwrap();
    let ran = run_alone(&home, &["import", "--json", "--dry-run", path]);
    assert_eq!((ran.code, counts(&ran)), (Some(1), [good.len() as u64, 0, lines.len() as u64]), "{ran:?}");
    for ((number, (line, says)), told) in (1..).zip(&lines).zip(ran.err.lines()) {
        assert!(told.starts_with(&format!("{path}:{number}: {says}")), "{line:.60}: {told}");
    }
}

#[test]
fn whoever_waits_for_a_service_that_does_not_answer_is_told_so() {
    let home = Home::new();
    let table = file(&home, "a.ndjson", "{\"userId\":\"ann\"}\n");
    // It takes connections, and never reads from one.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let to = format!("http://{}", silent.local_addr().unwrap());
    let mut command = home.command(&["import", "--to", &to, table.to_str().unwrap()]);
    let mut running = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let said = BufReader::new(running.stderr.take().unwrap()).lines().next().unwrap().unwrap();
    assert_eq!(said, format!("{to} has not answered for 5 s; this waits for up to 120 s"));
    running.kill().unwrap();
    running.wait().unwrap();
}
