//! Reads of many rows: they take no reader from a look-up or a probe, wait in a bounded queue, and stop when the
//! caller disconnects or their time is over.

use std::io::Write;
use std::net::{Shutdown, TcpStream};

use serde_json::json;

use crate::support::{APP, Answer, Home, KEY_ID, KEY_SECRET, Program, basic, first_message, until};

/// A count over all of these reads every one of them, which takes many seconds.
const CROWD: usize = 400_000;
const COUNT_ALL: &str = "/v1/appusers?limit=1&property.plan=gold&count=exact";

/// A home with an app user, and as many more of the same record.
fn crowd(settings: &str) -> Home {
    let home = Home::with(settings);
    let program = home.start();
    let body = json!({ "trigger": "conversation:start", "timestamp": 1, "appUser": {
        "_id": "the-first", "givenName": "Ann", "properties": { "plan": "silver" },
        "clients": [{ "id": "c", "platform": "ios", "active": true }] } });
    assert_eq!(program.webhook(body.to_string()).status, 200);
    program.stop();
    home.sql()
        .execute(
            "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1)
             INSERT INTO app_users (app, id, listed, record, last_seen, signed_up, flags, words)
             SELECT app, format('u%08d', n), listed, record, last_seen, signed_up, flags, '' FROM n, app_users
             WHERE id = 'the-first'",
            [CROWD as i64],
        )
        .unwrap();
    home
}

/// Asks, and leaves the answer for later.
fn ask(program: &Program, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(program.listen).unwrap();
    let auth = basic(KEY_ID, KEY_SECRET);
    write!(stream, "GET {path} HTTP/1.1\r\nhost: rollcall\r\nauthorization: {auth}\r\n\r\n").unwrap();
    stream
}

fn refused(answer: &Answer, code: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (503, code), "{answer:?}");
    let after: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=3).contains(&after), "{answer:?}");
}

fn running(program: &Program) -> f64 {
    program.metric("rollcall_reads_running{class=\"long\"}")
}

/// All reads other than long reads still work.
fn check_other_reads(program: &Program) {
    for path in [
        "/v1/appusers/the-first",
        "/v1/appusers/the-first/channels",
        &format!("/v2/apps/{APP}/users/the-first"),
        &format!("/v2/apps/{APP}/users/the-first/clients"),
        "/v1/changes?since=0&limit=5",
    ] {
        assert_eq!(program.get(path).status, 200, "{path}");
    }
    assert_eq!(program.admin("/readyz").status, 200);
    assert_eq!(program.admin("/metrics").status, 200);
    let now = program.metric("rollcall_events_total{outcome=\"learned\"}") as i64;
    assert_eq!(program.webhook(first_message("another", now as f64)).status, 200);
    assert_eq!(program.app_user("another").status, 200, "what was just stored");
}

#[test]
fn long_reads_delay_no_other_requests() {
    let home = crowd("[reads]\nlong_readers = 2\nlong_waiting = 2\nlong_within = \"10m\"\n");
    let program = home.start();
    let asking: Vec<TcpStream> = (0..4).map(|_| ask(&program, COUNT_ALL)).collect();
    until("two run and two wait", || {
        let text = program.admin("/metrics").text;
        ["running", "waiting"]
            .iter()
            .all(|how| text.contains(&format!("rollcall_reads_{how}{{class=\"long\"}} 2\n")))
    });
    check_other_reads(&program);
    let refusals = || program.metric("rollcall_reads_total{class=\"long\",outcome=\"refused\"}");
    let before = refusals();
    for path in [
        "/v1/appusers",
        "/v1/appusers?q=ann",
        "/v1/appusers?count=5",
        "/v1/appusers/the-first/history",
        "/v1/appusers/the-first?asOf=1",
        "/v1/appusers/the-first?include=provenance",
        "/v1/changes?snapshot=true",
    ] {
        refused(&program.get(path), "busy");
    }
    let auth = basic(KEY_ID, KEY_SECRET);
    let headers = [("authorization", &*auth), ("accept", "text/csv")];
    refused(&program.request("GET", "/v1/appusers", &headers, b""), "busy");
    let v2 = program.get(&format!("/v2/apps/{APP}/users"));
    assert_eq!((v2.status, &v2.json()["errors"][0]["code"]), (503, &json!("busy")));
    assert!(refusals() >= before + 9.0, "each is counted");
    // All of them hang up: their reads end at once, and there is room again.
    let hung_up = || program.metric("rollcall_reads_total{class=\"long\",outcome=\"hung_up\"}");
    for stream in &asking {
        stream.shutdown(Shutdown::Both).unwrap();
    }
    drop(asking);
    until("four were given up", || hung_up() >= 4.0);
    until("none of them runs", || running(&program) == 0.0);
    for path in ["/v1/appusers?limit=2", "/v1/appusers/the-first/history"] {
        assert_eq!(program.get(path).status, 200, "{path}");
    }
    let answered = "rollcall_reads_total{class=\"long\",outcome=\"timed_out\"}";
    assert_eq!(program.metric(answered), 0.0, "nobody had to wait for a limit of time");
    program.stop();
}

#[test]
fn a_long_read_ends_when_its_time_is_over_and_a_bounded_one_is_answered() {
    let home = crowd("[reads]\nlong_within = \"300ms\"\n");
    let program = home.start();
    refused(&program.get(COUNT_ALL), "too_slow");
    assert!(program.metric("rollcall_reads_total{class=\"long\",outcome=\"timed_out\"}") >= 1.0);
    until("it does not run on", || running(&program) == 0.0);
    check_other_reads(&program);
    program.stop();
}

#[test]
fn a_count_goes_as_far_as_it_is_asked_to() {
    let program = Home::new().start();
    for n in 0..12 {
        let body = json!({ "trigger": "conversation:start", "timestamp": n, "appUser": {
            "_id": format!("u{n:02}"), "properties": { "even": n % 2 == 0 } } });
        assert_eq!(program.webhook(body.to_string()).status, 200);
    }
    for (query, count, exact) in [
        ("count=exact", 12, true),
        ("count=true", 12, true),
        ("count=12", 12, true),
        ("count=11", 11, false),
        ("count=1", 1, false),
        ("count=1000000", 12, true),
        ("count=exact&property.even=true", 6, true),
        ("count=6&property.even=true", 6, true),
        ("count=5&property.even=true", 5, false),
        ("count=5&property.even=nobody", 0, true),
        ("count=2&userId=nobody", 0, true),
    ] {
        let v1 = program.get(&format!("/v1/appusers?limit=1&{query}")).json();
        assert_eq!((&v1["count"], &v1["countExact"]), (&json!(count), &json!(exact)), "{query}");
        let v2 = program.get(&format!("/v2/apps/{APP}/users?page[size]=1&{query}")).json();
        assert_eq!(
            (&v2["meta"]["count"], &v2["meta"]["countExact"]),
            (&json!(count), &json!(exact)),
            "{query}"
        );
    }
    let without = program.get("/v1/appusers?count=false").json();
    assert_eq!((without.get("count"), without.get("countExact")), (None, None));
    for value in ["0", "-1", "1000001", "1.5", "all", "", "EXACT"] {
        let answer = program.get(&format!("/v1/appusers?count={value}"));
        assert_eq!(answer.status, 400, "{value}");
        assert!(answer.text.contains("count must be"), "{answer:?}");
    }
}
