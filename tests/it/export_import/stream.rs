//! A list as one stream.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::operator_commands::{messages, run};
use crate::support::{APP, Home, KEY_ID, KEY_SECRET, PATIENCE, Program, basic};

/// A chunked body put together; it must be complete.
pub(super) fn unchunked(text: &str) -> String {
    let (body, complete) = chunks(text.as_bytes());
    assert!(complete, "the body breaks off");
    String::from_utf8(body).unwrap()
}

/// The chunks of a body so far, and whether it has its end.
fn chunks(mut bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        let Some(end) = bytes.windows(2).position(|two| two == b"\r\n") else { return (body, false) };
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            return (body, true);
        }
        let Some(chunk) = bytes.get(end + 2..end + 2 + size) else { return (body, false) };
        body.extend_from_slice(chunk);
        bytes = bytes.get(end + 4 + size..).unwrap_or_default();
    }
}

fn accepting(program: &Program, path: &str, accept: &str) -> crate::support::Answer {
    let auth = basic(KEY_ID, KEY_SECRET);
    program.request("GET", path, &[("authorization", &auth), ("accept", accept)], b"")
}

#[test]
fn a_list_is_streamed_in_the_form_that_is_accepted() {
    let home = Home::new();
    let program = home.start();
    for accept in ["application/x-ndjson", "text/csv"] {
        let answer = accepting(&program, "/v1/appusers", accept);
        assert_eq!(answer.status, 200);
        assert!(answer.header("content-type").unwrap().starts_with(accept), "{answer:?}");
        assert_eq!(unchunked(&answer.text).lines().count(), usize::from(accept == "text/csv"));
    }
    let ids: Vec<String> = (0..250).map(|n| format!("u{n:03}")).collect();
    messages(&program, &ids.iter().map(String::as_str).collect::<Vec<_>>());
    for path in ["/v1/appusers", "/v1.1/appusers", &format!("/v1/apps/{APP}/appusers")] {
        let text = unchunked(&accepting(&program, path, "application/x-ndjson;q=0.9, */*").text);
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines, program.all_app_users());
    }
    let some = "/v1/appusers?seenSince=1600000100&sort=-lastSeen";
    let text = unchunked(&accepting(&program, some, "application/x-ndjson").text);
    let shown: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids = |users: &[Value]| users.iter().map(|user| user["_id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&shown), (100..250).rev().map(|n| json!(format!("u{n:03}"))).collect::<Vec<_>>());
    let since = ["export", "--filter", "seenSince=1600000100"];
    let lines = run(&home, &program, &since).well().lines();
    assert_eq!(lines.len(), 150);
    assert_eq!(lines[0]["appUser"]["_id"], "u100");
    let wrong = run(&home, &program, &["export", "--filter", "colour=red"]);
    for name in ["limit", "after", "count"] {
        assert!(!wrong.err.contains(&format!(" {name}")), "{name} is no filter: {wrong:?}");
    }
    assert!(wrong.code == Some(2) && wrong.err.contains("colour"), "{wrong:?}");
    for accept in ["*/*", "application/json, text/csv"] {
        assert!(accepting(&program, "/v1/appusers", accept).json()["appUsers"].is_array());
    }
    for (path, status) in
        [("/v1/appusers?limit=3", 400), ("/v1/appusers?colour=red", 400), ("/v1/appusers?count=exact", 400)]
    {
        let answer = accepting(&program, path, "text/csv");
        assert_eq!((answer.status, answer.code().as_str()), (status, "bad_request"));
    }
    let token = [("app-token", "demo-app-token"), ("accept", "text/csv")];
    assert_eq!(program.request("GET", "/v1/appusers", &token, b"").status, 401);
}

/// App users of 100 KB each.
const LARGE: usize = 600;

fn large(program: &Program) {
    let blob = "x".repeat(100_000);
    for n in 0..LARGE {
        let webhook = json!({
            "trigger": "conversation:start", "app": { "_id": APP }, "timestamp": 1.6e9,
            "appUser": { "_id": format!("u{n:04}"), "properties": { "blob": blob }, "clients": [] },
        });
        assert_eq!(program.webhook(webhook.to_string()).status, 200);
    }
}

fn open(program: &Program) -> TcpStream {
    let mut stream = TcpStream::connect(program.listen).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let auth = basic(KEY_ID, KEY_SECRET);
    let head = format!(
        "GET /v1/appusers HTTP/1.1\r\nhost: x\r\nconnection: close\r\naccept: application/x-ndjson\r\n\
         authorization: {auth}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

#[test]
fn a_stream_without_a_reader_reads_nothing_and_a_stop_ends_it() {
    let home = Home::new();
    let program = home.start();
    large(&program);
    let pages = || program.metric("rollcall_export_pages_total") as usize;
    let mut stream = open(&program);
    let mut head = [0; 1];
    stream.read_exact(&mut head).unwrap();
    for _ in 0..300 {
        assert_eq!(program.app_user("u0000").status, 200, "others are answered");
    }
    // The connection itself buffers a few MiB, and so does a page.
    let ahead = pages();
    assert!(ahead <= 6, "{ahead} pages were read for somebody who reads nothing");
    let (mut all, mut buffer) = (head.to_vec(), vec![0; 1 << 20]);
    while all.len() < 20_000_000 {
        let read = stream.read(&mut buffer).unwrap();
        assert_ne!(read, 0);
        all.extend_from_slice(&buffer[..read]);
    }
    let read = all.len() / 3_000_000;
    assert!(pages() <= ahead + read + 2, "{} pages, {ahead} ahead, {read} read", pages());

    let whole = unchunked(&accepting(&program, "/v1/appusers", "application/x-ndjson").text);
    assert_eq!(whole.lines().count(), LARGE, "another one gets all of it");

    program.signal("TERM");
    program.wait_for_log("SIGTERM");
    loop {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(read) => all.extend_from_slice(&buffer[..read]),
        }
    }
    let body = all.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
    let (_, complete) = chunks(&all[body..]);
    assert!(!complete, "a stream that broke off looks complete");
    let (status, log) = program.wait();
    assert_eq!(status.code(), Some(0), "{log}");
}
