//! The request id: in the answer, and in every log line.

use std::process::Command;

use serde_json::Value;

use crate::support::{Connection, Home, Program, installed, request, require};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

/// The log lines of a request.
fn lines(log: &str, id: &str) -> Vec<Value> {
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["span"]["request_id"] == id).collect()
}

fn id_of(program: &Program, path: &str, headers: &[(&str, &str)]) -> String {
    let answer = program.request("GET", path, headers, b"");
    answer.header("x-request-id").unwrap_or_else(|| panic!("{path}: {answer:?}")).to_owned()
}

#[test]
fn every_answer_carries_the_id_of_its_request() {
    let program = Home::new().start();
    let long = "x".repeat(128);
    for id in ["a", "A.b_c-9", long.as_str()] {
        assert_eq!(id_of(&program, "/webhooks", &[("x-request-id", id)]), id);
    }
    let mut made = Vec::new();
    for unfit in ["", " ", "a b", "a/b", "{\"a\":1}", "é", format!("{long}x").as_str()] {
        let id = id_of(&program, "/webhooks", &[("x-request-id", unfit)]);
        assert_ne!(id, unfit);
        made.push(id);
    }
    for path in ["/v1/appusers/nobody", "/v1/changes", "/nowhere", "/v2/apps/x/users", "/v1/appUsers/a/b"] {
        made.push(id_of(&program, path, &[]));
    }
    for path in ["/livez", "/readyz", "/metrics", "/nowhere"] {
        let answer = request(program.admin, "GET", path, &[], b"").unwrap();
        made.push(answer.header("x-request-id").unwrap().to_owned());
    }
    let mut large = Connection::open(program.listen);
    large.send(format!("GET /webhooks HTTP/1.1\r\nhost: a\r\nx-large: {}\r\n\r\n", "x".repeat(32_760)));
    let large = large.answer().unwrap();
    assert_eq!(large.status, 431);
    made.extend(large.header("x-request-id").map(str::to_owned));
    for (n, id) in made.iter().enumerate() {
        assert!(id.len() == 36 && id.as_bytes()[14] == b'7', "{id} is a UUID of version 7");
        assert!(!made[..n].contains(id), "{id} twice");
    }
    // In the order in which they were made, so that a list of them is one of time.
    assert!(made.is_sorted(), "{made:?}");
}

#[test]
fn a_line_of_an_answer_has_the_route_and_never_the_path() {
    let mut home = Home::new();
    home.env
        .push(("RUST_LOG".to_owned(), "warn,rollcall::server=info,rollcall::http::listen=debug".to_owned()));
    let program = home.start();
    let mut asked = Vec::new();
    for (path, route) in [
        ("/webhooks", "/webhooks"),
        ("//webhooks/", "/webhooks"),
        ("/webhooks/kanarie", "/webhooks"),
        ("/v1/appusers/kanarie", "/v1/appusers/{id}"),
        ("/v1/appusers/kanarie/a", "/v1/appusers/{id}"),
        ("/v1/apps/kanarie/appUsers/kanarie/history", "/v1/apps/{app}/appusers/{id}/history"),
        ("/v2/apps/kanarie/users", "/v2/apps/{app}/users"),
        ("/kanarie", "none"),
        ("/docs", "/docs"),
    ] {
        asked.push((id_of(&program, path, &[]), "GET", route));
    }
    for (path, route) in
        [("/webhooks", "/webhooks"), ("/webhooks/kanarie", "/webhooks/{app}"), ("/webhook", "none")]
    {
        let answer = program.request("POST", path, &[], b"{}");
        asked.push((answer.header("x-request-id").unwrap().to_owned(), "POST", route));
    }
    for (path, route) in [("/livez", "/livez"), ("/kanarie", "none")] {
        let answer = request(program.admin, "GET", path, &[], b"").unwrap();
        asked.push((answer.header("x-request-id").unwrap().to_owned(), "GET", route));
    }
    let log = program.stop();
    assert!(!log.contains("kanarie"), "{log}");
    for (id, method, route) in asked {
        let lines = lines(&log, &id);
        let line =
            lines.iter().find(|line| line["status"].is_u64()).unwrap_or_else(|| panic!("{route}: {log}"));
        assert_eq!((&line["route"], &line["method"]), (&route.into(), &method.into()), "{line}");
    }
}

/// Values of `traceparent`, and whether each is one by W3C.
fn traceparents() -> Vec<(String, bool)> {
    vec![
        (format!("00-{TRACE}-{SPAN}-01"), true),
        (format!("00-{TRACE}-{SPAN}-00"), true),
        (format!("cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like"), true),
        (format!("cc-{TRACE}-{SPAN}-01"), true),
        (format!("00-{TRACE}-{SPAN}-01-more"), false),
        (format!("ff-{TRACE}-{SPAN}-01"), false),
        (format!("00-{}-{SPAN}-01", TRACE.to_uppercase()), false),
        (format!("00-{}-{SPAN}-01", "0".repeat(32)), false),
        (format!("00-{TRACE}-{}-01", "0".repeat(16)), false),
        (format!("00-{}-{SPAN}-01", &TRACE[1..]), false),
        (format!("00-{TRACE}-{SPAN}"), false),
        (format!("00-{TRACE}-{SPAN}-1"), false),
        (format!("0-{TRACE}-{SPAN}-01"), false),
        (format!("00-{TRACE}-{}-01", "g".repeat(16)), false),
        (String::new(), false),
        ("canary".to_owned(), false),
    ]
}

#[test]
fn the_log_lines_of_a_request_have_its_id_and_the_trace_of_the_caller() {
    let mut home = Home::new();
    // Little is logged, but the program has to say that it is ready.
    let levels = "warn,rollcall::server=info,rollcall::http::listen=debug";
    home.env.push(("RUST_LOG".to_owned(), levels.to_owned()));
    home.env.push(("ROLLCALL_PANIC_ON".to_owned(), "panic".to_owned()));
    let program = home.start();
    let parent = format!("00-{TRACE}-{SPAN}-01");
    let secret = ("x-api-key", crate::support::SECRET);
    let post = |id: &str, headers: &[(&str, &str)], body: &str| {
        let headers = [headers, &[("x-request-id", id)]].concat();
        program.request("POST", "/webhooks", &headers, body.as_bytes()).status
    };
    assert_eq!(post("refused", &[("traceparent", &parent)], "{}"), 401);
    assert_eq!(post("unusable", &[secret, ("traceparent", &parent)], "no JSON"), 200);
    assert_eq!(post("untraced", &[secret, ("traceparent", "00-nonsense")], "no JSON either"), 200);
    let traced = traceparents();
    for (n, (parent, _)) in traced.iter().enumerate() {
        assert_eq!(post(&format!("trace-{n}"), &[("traceparent", parent)], "{}"), 401, "{parent}");
    }
    // One that the worker, on its own thread, finds fault with.
    let body = r#"{"trigger":"panic","appUser":{"_id":"x"}}"#;
    assert_eq!(post("worker", &[secret, ("traceparent", &parent)], body), 200);
    let log = program.stop();
    for (id, said) in [
        ("refused", "a webhook was refused"),
        ("unusable", "a body goes to quarantine"),
        ("worker", "a webhook cannot be applied"),
        ("worker", "panic at"),
        ("refused", "answered with 401"),
    ] {
        let lines = lines(&log, id);
        let line = lines.iter().find(|line| line["message"].as_str().unwrap().contains(said));
        let span = &line.unwrap_or_else(|| panic!("{id}: {said}: {log}"))["span"];
        assert_eq!((&span["trace_id"], &span["span_id"]), (&TRACE.into(), &SPAN.into()), "{id}: {said}");
    }
    for (n, (parent, is_one)) in traced.iter().enumerate() {
        let lines = lines(&log, &format!("trace-{n}"));
        assert!(!lines.is_empty(), "{parent}: {log}");
        let (trace, span) = (Value::from(TRACE), Value::from(SPAN));
        let expected = is_one.then_some((&trace, &span));
        for line in lines {
            assert_eq!(
                line["span"].get("trace_id").zip(line["span"].get("span_id")),
                expected,
                "{parent}: {line}"
            );
        }
    }
    let untraced = lines(&log, "untraced");
    assert!(!untraced.is_empty(), "{log}");
    assert!(untraced.iter().all(|line| line["span"].get("trace_id").is_none()), "{untraced:?}");
}

/// Settings with free ports.
const PORTS: &str = "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n";

#[test]
fn the_log_is_json_unless_text_is_asked_for() {
    let read = |home: &Home| {
        // Nothing to wait for in text: it ends by itself, because its database cannot be.
        let ended = home.command(&["--set", "store.url=sqlite:///nowhere/at/all.db"]).output().unwrap();
        assert!(!ended.status.success());
        String::from_utf8(ended.stderr).unwrap()
    };
    let json = read(&Home::with(PORTS));
    assert!(
        json.lines().count() > 1 && json.lines().all(|line| line.starts_with("{\"timestamp\"")),
        "{json}"
    );
    let text = read(&Home::with(&format!("{PORTS}[log]\nformat = \"text\"")));
    assert!(text.lines().count() > 1 && text.lines().all(|line| !line.starts_with('{')), "{text}");
}

#[test]
fn on_a_terminal_the_log_is_text() {
    require!(installed("script"));
    // script(1) runs it on a terminal of its own, and both of its outputs come out here.
    let home = Home::with(PORTS);
    drop(home.command(&[])); // writes the settings
    let line = format!("{} --set store.url=sqlite:///nowhere/at/all.db", env!("CARGO_BIN_EXE_rollcall"));
    let shown = Command::new("script").args(["-qec", &line, "/dev/null"]).current_dir(home.path()).output();
    let shown = shown.unwrap();
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("starting on") && !shown.contains("{\"timestamp\""), "{shown}");
}
