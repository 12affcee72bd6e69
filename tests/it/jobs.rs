//! The long tasks of operators, and segments.

mod crash;
mod export;
mod operators;
mod segments;
mod users;

use serde_json::{Value, json};

use crate::console::ask;
use crate::support::{APP, Answer, Program, first_message, request, until};

/// POSTs a body to the admin listener.
fn post(program: &Program, path: &str, body: &Value) -> Answer {
    ask(program, "POST", path, &body.to_string())
}

/// The body of a job about the app users of the demo app.
fn about(kind: &str, filter: &str, more: Value) -> Value {
    let mut body = json!({ "kind": kind, "app": APP, "filter": filter });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

/// How many app users a filter has.
fn count(program: &Program, filter: &str) -> u64 {
    let answer = ask(program, "GET", &format!("/v1/apps/{APP}/appusers?count=exact&limit=1&{filter}"), "");
    answer.json()["count"].as_u64().unwrap_or_else(|| panic!("{answer:?}"))
}

/// Runs a job about app users, with the number that a dry run gives, until it ends.
fn run(program: &Program, kind: &str, filter: &str, more: Value) -> Value {
    program.end_of_job(&start(program, kind, filter, more))
}

/// Starts a job about app users, with the number that a dry run gives.
fn start(program: &Program, kind: &str, filter: &str, more: Value) -> Answer {
    let mut body = about(kind, filter, more);
    body["dryRun"] = true.into();
    let dry = post(program, "/jobs", &body);
    assert_eq!(dry.status, 200, "{dry:?}");
    let body = body.as_object_mut().unwrap();
    body.remove("dryRun");
    body.insert("expect".to_owned(), dry.json()["count"].clone());
    post(program, "/jobs", &json!(body))
}

/// Parts that were done, those that failed, and all of them.
fn parts(job: &Value) -> [u64; 3] {
    ["done", "failed", "of"].map(|name| job[name].as_u64().unwrap_or_else(|| panic!("{job}")))
}

/// So many app users, the even ones of the plan `gold`; their ids begin with `u`.
fn people(program: &Program, count: usize) {
    people_from(program, 0, count);
}

/// Those from a number on.
fn people_from(program: &Program, from: usize, to: usize) {
    let mut connection = crate::support::Connection::open(program.listen);
    for n in from..to {
        let plan = if n % 2 == 0 { "gold" } else { "free" };
        let message = first_message(&format!("u{n:05}"), 1_600_000_000.0 + n as f64);
        let plan = format!("\"properties\":{{\"plan\":\"{plan}\"}}");
        let message = message.replacen("\"properties\":{}", &plan, 1);
        let headers = [("x-api-key", crate::support::SECRET), ("content-type", "application/json")];
        let answer = connection.ask("POST", "/webhooks", &headers, message.as_bytes());
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

fn job(program: &Program, id: &Value) -> Value {
    request(program.admin, "GET", &format!("/jobs/{id}"), &[], b"").unwrap().json()
}

/// Waits for the end of a job that somebody else started.
fn until_ended(program: &Program, id: &Value) {
    until("the end of the job", || job(program, id)["state"] != "running");
}
