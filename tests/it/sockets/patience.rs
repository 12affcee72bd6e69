//! F29, F31: limits of time, size and number.

use std::io::{ErrorKind, Read as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{framed, handled, post, turned_away};
use crate::support::{
    APP, Connection, Home, KEY_ID, KEY_SECRET, PATIENCE, Program, basic, first_message, parse, raw, until,
};

const SHORT: Duration = Duration::from_millis(300);

/// For an idle connection: so much longer than the others that a busy machine does not mix them up.
const IDLE: Duration = Duration::from_millis(2500);

/// Header and body have 300 ms.
fn impatient(idle: Duration) -> (Home, Program) {
    let idle = idle.as_millis();
    let home = Home::with(&format!(
        "[server]\nheader_timeout = \"300ms\"\nbody_timeout = \"300ms\"\nidle_timeout = \"{idle}ms\""
    ));
    let program = home.start();
    (home, program)
}

/// Sends a byte whenever no answer has arrived for a moment, until the other side closes; returns the answer.
fn trickle(program: &Program, begin: &str, drop: &str) -> (String, Duration) {
    let began = Instant::now();
    let mut connection = Connection::open(program.listen);
    connection.send(begin);
    connection.stream().set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        assert!(began.elapsed() < PATIENCE, "still open");
        match connection.stream().read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => answer.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => drop_in(&mut connection, drop),
            Err(_) => break,
        }
    }
    (String::from_utf8_lossy(&answer).into_owned(), began.elapsed())
}

fn drop_in(connection: &mut Connection, drop: &str) {
    connection.send(drop);
}

#[test]
fn a_head_that_comes_a_byte_at_a_time_does_not_outlast_header_timeout() {
    let (_home, program) = impatient(IDLE);
    let (answer, took) = trickle(&program, "POST /webhooks HTTP/1.1\r\nx-slow: ", "s");
    assert_eq!(answer, "");
    assert!((SHORT..20 * SHORT).contains(&took), "{took:?}");
}

#[test]
fn a_second_head_on_a_connection_has_the_same_time_limit() {
    let (_home, program) = impatient(IDLE);
    let (answer, took) =
        trickle(&program, &format!("{}POST /webhooks HTTP/1.1\r\nx-slow: ", post("a", "")), "s");
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 1, "{answer}");
    assert!((SHORT..20 * SHORT).contains(&took), "{took:?}");
}

#[test]
fn a_body_that_comes_a_byte_at_a_time_does_not_outlast_body_timeout() {
    let (home, program) = impatient(IDLE);
    for (framing, drop) in
        [("content-length: 100000\r\n", "x"), ("transfer-encoding: chunked\r\n", "1\r\nx\r\n")]
    {
        let (answer, took) = trickle(&program, &framed(framing, ""), drop);
        assert!(answer.starts_with("HTTP/1.1 408 Request Timeout"), "{answer}");
        assert!((SHORT..20 * SHORT).contains(&took), "{took:?}");
    }
    assert_eq!((home.rows("journal"), home.rows("quarantine")), (0, 0));
}

#[test]
fn a_keep_alive_connection_outlasts_header_timeout_and_ends_with_idle_timeout() {
    let (_home, program) = impatient(IDLE);
    let mut connection = Connection::open(program.listen);
    for _ in 0..2 {
        assert_eq!(connection.ask("GET", "/webhooks", &[], b"").status, 200);
        // Nothing comes for longer than a head may take, and the connection is still good.
        connection.stream().set_read_timeout(Some(2 * SHORT)).unwrap();
        let error = connection.stream().read(&mut [0; 1]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        connection.stream().set_read_timeout(Some(PATIENCE)).unwrap();
    }
}

#[test]
fn an_idle_connection_ends_with_idle_timeout_however_many_requests_it_had() {
    let (_home, program) = impatient(IDLE);
    let idle_after = |pauses: &[u64]| {
        let mut connection = Connection::open(program.listen);
        for pause in pauses {
            assert_eq!(connection.ask("GET", "/webhooks", &[], b"").status, 200);
            connection.stream().set_read_timeout(Some(Duration::from_millis(*pause))).unwrap();
            assert_eq!(connection.stream().read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::WouldBlock);
        }
        connection.stream().set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(connection.ask("GET", "/webhooks", &[], b"").status, 200);
        let idle = Instant::now();
        assert!(connection.closes(), "{pauses:?}");
        let took = idle.elapsed();
        assert!((IDLE - SHORT / 3..3 * IDLE).contains(&took), "{pauses:?}: {took:?}");
    };
    // A running timer of the previous head must not matter: the request comes at once, or after a while.
    let asked: [&[u64]; 6] = [&[], &[1], &[1, 1, 1], &[200, 1], &[400, 400], &[400, 400, 400]];
    std::thread::scope(|scope| {
        for pauses in asked {
            let idle_after = &idle_after;
            scope.spawn(move || idle_after(pauses));
        }
    });
}

#[test]
fn a_slow_answer_of_ours_does_not_count_against_the_connection() {
    let (home, program) = impatient(2 * SHORT);
    let held = home.sql();
    held.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut connection = Connection::open(program.listen);
    connection.send(post("a", ""));
    connection.stream().set_read_timeout(Some(5 * SHORT)).unwrap();
    let error = connection.stream().read(&mut [0; 1]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock, "longer than any of the times, and still open");
    connection.stream().set_read_timeout(Some(PATIENCE)).unwrap();
    drop(held);
    assert_eq!(connection.answer().unwrap().status, 200);
    assert_eq!(connection.ask("GET", "/webhooks", &[], b"").status, 200);
}

#[test]
fn a_hundred_headers_are_taken_and_one_more_is_431() {
    let program = Home::new().start();
    for (count, status) in [(100, 200), (101, 431), (1000, 431)] {
        // host, x-api-key, connection, content-length
        let more: String = (0..count - 4).map(|n| format!("x-{n}: y\r\n")).collect();
        let bytes = post(&format!("user-{count}"), &format!("{more}connection: close\r\n"));
        assert_eq!(parse(&raw(program.listen, bytes.as_bytes()).unwrap()).unwrap().status, status, "{count}");
    }
    assert_eq!((handled(&program), turned_away(&program, "head_too_large")), (1.0, 2.0));
}

#[test]
fn a_head_without_end_is_431_long_before_it_fills_the_memory() {
    let program = Home::new().start();
    let mut connection = Connection::open(program.listen);
    connection.send("POST /webhooks HTTP/1.1\r\n");
    let sent =
        (0..10_000).take_while(|n| connection.send(format!("x-{n}: {}\r\n", "y".repeat(1000)))).count();
    assert!(sent < 10_000, "it was closed");
    assert_eq!(handled(&program), 0.0);
    until("it is counted", || turned_away(&program, "head_too_large") == 1.0);
}

#[test]
fn connections_beyond_the_most_wait_for_their_turn() {
    let home = Home::with("[server]\nmax_connections = 2");
    let program = home.start();
    let mut open: Vec<Connection> = (0..2).map(|_| Connection::open(program.listen)).collect();
    for connection in &mut open {
        assert_eq!(connection.ask("GET", "/webhooks", &[], b"").status, 200);
    }
    assert_eq!(program.metric("rollcall_connections"), 2.0);
    let mut third = Connection::open(program.listen);
    third.send("GET /webhooks HTTP/1.1\r\nhost: x\r\n\r\n");
    third.stream().set_read_timeout(Some(SHORT)).unwrap();
    assert_eq!(third.stream().read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::WouldBlock, "it waits");
    third.stream().set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(program.admin("/livez").status, 200, "the admin listener has connections of its own");
    drop(open.pop());
    assert_eq!(third.answer().unwrap().status, 200);
}

#[test]
fn connections_of_one_address_beyond_its_own_most_are_closed() {
    let home = Home::with("[server]\nconnections_per_address = 2");
    let program = home.start();
    let mut open: Vec<Connection> = (0..2).map(|_| Connection::open(program.listen)).collect();
    for connection in &mut open {
        assert_eq!(connection.ask("GET", "/webhooks", &[], b"").status, 200);
    }
    assert!(Connection::open(program.listen).closes());
    assert_eq!(turned_away(&program, "too_many_connections"), 1.0);
    drop(open.pop());
    until("its place is given back", || {
        let mut next = Connection::open(program.listen);
        next.send("GET /webhooks HTTP/1.1\r\nhost: x\r\n\r\n");
        next.answer().is_some_and(|answer| answer.status == 200)
    });
}

/// The number, up to `most`, of connections that this process may open beside its present ones, after raising its
/// limit.
fn room_for(most: usize) -> usize {
    let pid = std::process::id().to_string();
    // If the hard limit is lower, it stays unchanged.
    _ = Command::new("prlimit").args(["--pid", &pid, "--nofile=8192:"]).stderr(Stdio::null()).status();
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let files = files.split_whitespace().next().unwrap().parse().unwrap_or(usize::MAX);
    most.min(files.saturating_sub(500))
}

#[test]
fn a_thousand_slow_connections_neither_stop_the_others_nor_stay() {
    // Long enough to open all of them on a busy machine.
    const TIME: Duration = Duration::from_secs(10);
    let count = room_for(1000);
    let home = Home::with("[server]\nheader_timeout = \"10s\"\nbody_timeout = \"10s\"");
    let program = home.start();
    let mut slow: Vec<Connection> = (0..count).map(|_| Connection::open(program.listen)).collect();
    for (n, connection) in slow.iter_mut().enumerate() {
        connection.send(if n % 2 == 0 {
            "POST /webh".to_owned()
        } else {
            framed("content-length: 9\r\n", "{")
        });
    }
    until("most of them are open", || program.metric("rollcall_connections") > 0.9 * count as f64);
    for n in 0..20 {
        let began = Instant::now();
        assert_eq!(program.webhook(first_message(&format!("user-{n}"), 1.0)).status, 200);
        assert!(began.elapsed() < TIME / 2, "{:?}", began.elapsed());
    }
    let still = program.metric("rollcall_connections");
    assert!(still > count as f64 / 2.0, "served meanwhile, not afterwards: {still} of {count}");
    for (n, connection) in slow.iter_mut().enumerate() {
        let answer = connection.answer().map(|answer| answer.status);
        assert_eq!(answer, if n % 2 == 0 { None } else { Some(408) });
        assert!(connection.closes());
    }
    until("all of them are gone", || program.metric("rollcall_connections") == 0.0);
}

#[test]
fn a_sender_that_hangs_up_before_the_answer_has_its_delivery_stored_and_may_repeat_it() {
    let home = Home::new();
    let program = home.start();
    for n in 0..50 {
        let mut connection = Connection::open(program.listen);
        connection.send(post(&format!("user-{n}"), ""));
    }
    // The bytes had arrived, but whether a connection was read before its end is the kernel's to say.
    for n in 0..50 {
        assert_eq!(program.webhook(first_message(&format!("user-{n}"), 1.0)).status, 200);
    }
    assert_eq!((home.rows("journal"), program.all_app_users().len()), (50, 50));
}

#[test]
fn a_peer_that_takes_no_answer_is_given_up_after_idle_timeout() {
    let (_home, program) = impatient(2 * SHORT);
    let property = "x".repeat(500_000);
    for n in 0..24 {
        let body = serde_json::json!({ "trigger": "message:appUser", "app": { "_id": APP },
            "appUser": { "_id": format!("user-{n}"), "properties": { "long": property } } });
        assert_eq!(program.webhook(body.to_string()).status, 200);
    }
    let auth = basic(KEY_ID, KEY_SECRET);
    let mut deaf = Connection::open(program.listen);
    deaf.send(format!("GET /v1/appusers?limit=100 HTTP/1.1\r\nhost: x\r\nauthorization: {auth}\r\n\r\n"));
    let answered = "rollcall_http_requests_total{route=\"/v1/appusers\",status=\"200\"}";
    until("it is answered", || program.metric(answered) == 1.0);
    until("it is given up", || program.metric("rollcall_connections") == 0.0);
    assert_eq!(program.webhook(first_message("after", 1.0)).status, 200);
}
