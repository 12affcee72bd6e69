//! `rollcall tail`.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::{command, messages};
use crate::support::{Home, Program, until};

fn tail(home: &Home, program: &Program, args: &[&str]) -> Child {
    let args = [&["tail", "--json"], args].concat();
    command(home, program, &args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits for the end, which must be a success; returns the rest of the output.
fn end(mut tail: Child) -> Vec<Value> {
    until("the end of tail", || tail.try_wait().unwrap().is_some());
    let (mut out, mut err) = (String::new(), String::new());
    tail.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    tail.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!(tail.wait().unwrap().code(), Some(0), "{err}");
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn tail_prints_new_events_and_ends_after_the_given_count() {
    let home = Home::new();
    let program = home.start();
    messages(&program, &["before"]);
    let mut tail = tail(&home, &program, &["--count", "3"]);
    // It starts with the first event after it is connected.
    let mut n = 0;
    until("three entries were told", || {
        n += 1;
        messages(&program, &[format!("new {n}").as_str()]);
        tail.try_wait().unwrap().is_some()
    });
    let seqs: Vec<u64> = end(tail).iter().map(|line| line["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs.len(), 3);
    assert!(seqs[0] > 1 && seqs[1] == seqs[0] + 1 && seqs[2] == seqs[0] + 2, "none left out: {seqs:?}");
}

#[test]
fn tail_follows_a_future_app_user_and_ends_with_an_interrupt() {
    let home = Home::new();
    let program = home.start();
    messages(&program, &["ann", "bob"]);
    let mut tail = tail(&home, &program, &["--since", "1", "--user", "cem"]);
    let mut out = BufReader::new(tail.stdout.take().unwrap());
    messages(&program, &["ann", "cem", "bob"]);
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let told: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(told["users"], serde_json::json!(["cem"]));
    let interrupted = Command::new("kill").args(["-INT", &tail.id().to_string()]).status();
    assert!(interrupted.unwrap().success());
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!((rest.as_str(), tail.wait().unwrap().code()), ("", Some(0)));
}

#[test]
fn tail_ends_with_a_message_when_the_database_is_replaced() {
    let home = Home::new();
    let program = home.start();
    messages(&program, &["ann"]);
    crate::backup::printed(&home, &["backup", "b.db"]);
    let mut tail = tail(&home, &program, &["--since", "1"]);
    let mut out = BufReader::new(tail.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert!(line.contains("ann"), "{line}");
    program.stop();
    std::fs::rename(home.path().join("b.db"), home.database()).unwrap();
    let ended = tail.wait_with_output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("replaced or moved") && said.contains("start tail again"), "{said}");
}
