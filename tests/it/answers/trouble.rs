//! 503 for temporary failures: a database locked by another connection, a disk that hangs.

use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use super::{rejected, requests, stored};
use crate::support::{
    Answer, Connection, Hang, Home, Program, SECRET, first_message, installed, require, until,
};

/// Holds the database against every other writer until it is dropped.
fn hold(home: &Home) -> rusqlite::Connection {
    let conn = home.sql();
    conn.execute_batch("BEGIN IMMEDIATE").unwrap();
    conn
}

fn unavailable(answer: &Answer, code: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (503, code), "{answer:?}");
    let seconds: u64 = answer.header("retry-after").expect("Retry-After").parse().unwrap();
    assert!((1..=5).contains(&seconds), "{seconds}");
}

/// Posts on a thread of its own, and waits until `depth` deliveries wait in the queue beside those that the
/// worker has, while the bodies of `bytes` are under way altogether.
fn post<'s>(
    scope: &'s thread::Scope<'s, '_>,
    program: &'s Program,
    id: &'static str,
    depth: f64,
    bytes: usize,
) -> ScopedJoinHandle<'s, Answer> {
    let posted = scope.spawn(move || program.webhook(first_message(id, 1.0)));
    // The bytes are counted before the delivery is in the queue: only then does the depth say something.
    until("its bytes are counted", || program.metric("rollcall_queue_bytes") == bytes as f64);
    until("the delivery is where it waits", || program.metric("rollcall_queue_depth") == depth);
    posted
}

#[test]
fn a_full_queue_is_503_at_once_and_waiting_jobs_are_stored_when_the_disk_answers_again() {
    require!(installed("strace"));
    let home = Home::with("[ingest]\nqueue_jobs = 1\nbatch_jobs = 1\nanswer_within = \"30s\"");
    let program = home.start();
    let hang = Hang::on(&home, &program, "fsync,fdatasync");
    let bytes = first_message("a", 1.0).len();
    thread::scope(|scope| {
        let worked_on = post(scope, &program, "a", 0.0, bytes);
        let waiting = post(scope, &program, "b", 1.0, 2 * bytes);
        for _ in 0..3 {
            unavailable(&program.webhook(first_message("c", 1.0)), "too_busy");
        }
        unavailable(&program.admin("/readyz"), "not_ready");
        let checks = program.admin("/readyz?verbose");
        assert_eq!((checks.status, checks.header("retry-after")), (503, Some("1")), "{checks:?}");
        let lines: Vec<&str> = checks.text.lines().collect();
        assert!(lines.contains(&"[-]queue: the queue is nearly full"), "{lines:?}");
        assert!(lines.contains(&"[+]database ok") && lines.last() == Some(&"not ready"), "{lines:?}");
        assert_eq!(program.app_user("c").status, 404, "look-ups do not wait for the worker");
        drop(hang);
        assert!(stored(&worked_on.join().unwrap()));
        assert!(stored(&waiting.join().unwrap()));
    });
    assert_eq!((rejected(&program, "too_busy"), requests(&program, "unavailable")), (3.0, 3.0));
    assert_eq!((program.app_user("a").status, program.app_user("b").status), (200, 200));
    assert!(stored(&program.webhook(first_message("c", 1.0))));
    assert_eq!(program.admin("/readyz").status, 200);
}

#[test]
fn a_queue_full_of_bytes_is_503_at_once() {
    require!(installed("strace"));
    let home = Home::with("[ingest]\nqueue_bytes = \"1MiB\"\nanswer_within = \"30s\"");
    let program = home.start();
    let hang = Hang::on(&home, &program, "fsync,fdatasync");
    thread::scope(|scope| {
        let waiting = post(scope, &program, "a", 0.0, first_message("a", 1.0).len());
        let large = format!("{}{}", first_message("b", 1.0), " ".repeat((1 << 20) - 400));
        unavailable(&program.webhook(large), "too_busy");
        drop(hang);
        assert!(stored(&waiting.join().unwrap()));
    });
}

#[test]
fn a_database_that_stays_busy_is_503_within_answer_within_and_means_unknown() {
    let home = Home::with("[ingest]\nanswer_within = \"200ms\"");
    let program = home.start();
    let held = hold(&home);
    unavailable(&program.webhook(first_message("a", 1.0)), "unavailable");
    drop(held);
    until("the worker is free again", || stored(&program.webhook(first_message("a", 1.0))));
    assert_eq!(home.rows("journal"), 1, "stored once, whichever of the two it was");
    assert_eq!(rejected(&program, "unavailable"), requests(&program, "unavailable"));
}

#[test]
fn a_look_up_that_hangs_is_503_within_answer_within() {
    require!(installed("strace"));
    let home = Home::with("[ingest]\nanswer_within = \"500ms\"");
    let program = home.start();
    assert!(stored(&program.webhook(first_message("a", 1.0))));
    program.stop();
    let program = home.start();
    let hang = Hang::on(&home, &program, "pread64");
    let began = Instant::now();
    // There are two readers, so no reader takes the third request.
    for _ in 0..3 {
        unavailable(&program.app_user("a"), "unavailable");
    }
    unavailable(&program.admin("/readyz"), "not_ready");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    drop(hang);
}

#[test]
fn while_draining_a_late_body_is_503_and_readiness_fails() {
    let home = Home::new();
    let program = home.start();
    let body = first_message("late", 1.0);
    let mut connection = Connection::open(program.listen);
    let length = body.len();
    connection.send(format!(
        "POST /webhooks HTTP/1.1\r\nhost: x\r\nx-api-key: {SECRET}\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n"
    ));
    assert_eq!(connection.answer().unwrap().status, 100, "the body is being waited for");
    program.signal("TERM");
    until("draining", || program.admin("/readyz").status == 503);
    unavailable(&program.admin("/readyz"), "not_ready");
    assert_eq!(program.admin("/livez").status, 200);
    connection.send(body);
    let answer = connection.answer().unwrap();
    unavailable(&answer, "shutting_down");
    assert!(connection.closes(), "no further request is taken");
    let (status, log) = program.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert_eq!(home.rows("journal"), 0);
}

#[test]
fn a_delivery_in_progress_at_a_stop_is_stored_and_answered() {
    require!(installed("strace"));
    let home = Home::with("[ingest]\nanswer_within = \"30s\"");
    let program = home.start();
    let hang = Hang::on(&home, &program, "fsync,fdatasync");
    thread::scope(|scope| {
        let under_way = post(scope, &program, "a", 0.0, first_message("a", 1.0).len());
        program.signal("TERM");
        until("draining", || program.admin("/readyz").status == 503);
        drop(hang);
        assert!(stored(&under_way.join().unwrap()));
    });
    let (status, log) = program.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert_eq!(home.rows("journal"), 1);
}

#[test]
fn no_trouble_of_ours_is_one_of_the_codes_after_which_smooch_gives_up() {
    let home = Home::with("[ingest]\nqueue_jobs = 1\nbatch_jobs = 1\nanswer_within = \"100ms\"");
    let program = home.start();
    let held = hold(&home);
    thread::scope(|scope| {
        let posted: Vec<_> = (0..16)
            .map(|n| {
                let program = &program;
                scope.spawn(move || program.webhook(first_message(&format!("u{n}"), 1.0)))
            })
            .collect();
        for answer in posted {
            let answer = answer.join().unwrap();
            assert_eq!(answer.status, 503, "{answer:?}");
            assert!(answer.header("retry-after").is_some());
        }
    });
    drop(held);
    until("every retry is taken", || {
        (0..16).all(|n| stored(&program.webhook(first_message(&format!("u{n}"), 1.0))))
    });
    assert_eq!(home.rows("journal"), 16, "each of them once");
}
