//! The memory that request bodies may take.

use std::io::Write as _;

use super::{rejected, requests, stored};
use crate::support::{Connection, Home, Program, SECRET, first_message, until};

/// The head of a webhook with one credential.
fn head(credential: &str, length: usize) -> String {
    format!("POST /webhooks HTTP/1.1\r\nhost: x\r\n{credential}content-length: {length}\r\n\r\n")
}

/// The most memory the program has had so far.
fn peak_kib(program: &Program) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", program.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn unverified_bodies_are_not_stored_and_their_length_and_hash_are_logged() {
    const SIZE: usize = 1 << 20;
    let home = Home::new();
    let program = home.start();
    let before = peak_kib(&program);
    let credentials = ["", "x-api-key: wrong\r\n", "x-hub-signature-256: sha1=00\r\n"];
    let mut open: Vec<Connection> = (0..150).map(|_| Connection::open(program.listen)).collect();
    let body = vec![b'x'; SIZE];
    for (n, connection) in open.iter_mut().enumerate() {
        // No body is complete before the last connection has sent nearly all of its own.
        assert!(connection.send(head(credentials[n % 3], SIZE)) && connection.send(&body[1..]));
    }
    for connection in &mut open {
        connection.send(b"x");
        assert_eq!(connection.answer().unwrap().status, 401);
    }
    let grown = peak_kib(&program) - before;
    assert!(grown < 50 * 1024, "{grown} KiB for 150 MiB of strangers' bodies");
    assert_eq!(requests(&program, "unauthorized"), 150.0);
    assert_eq!((rejected(&program, "no_secret"), rejected(&program, "wrong_secret")), (50.0, 50.0));
    let line = program.wait_for_log("a webhook was refused");
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["bytes"], SIZE, "{line}");
    // sha256sum of 1 MiB of x.
    assert_eq!(line["sha256"], "8f990ba0b577b51cf009ea049368c16bbda1b21e1b93be07a824758bb253c39b", "{line}");
}

#[test]
fn bodies_beyond_the_common_limit_are_503_and_the_room_is_freed() {
    let home =
        Home::with("[limits]\nwebhook_body = \"100KB\"\nrest_body = \"1KB\"\nbodies_in_flight = \"200KB\"");
    let program = home.start();
    let known = format!("x-api-key: {SECRET}\r\n");
    let signed = format!("x-hub-signature-256: sha256={}\r\n", "0".repeat(64));
    let message = first_message("a", 1.0);
    let body = format!("{message}{}", " ".repeat(80_000 - message.len()));
    let held = |bytes: f64| {
        until("they are held", || program.metric("rollcall_bodies_bytes") == bytes);
    };
    let begin = |credential: &str| {
        let mut connection = Connection::open(program.listen);
        assert!(connection.send(head(credential, body.len())));
        // A body that is refused half-way may break the pipe.
        _ = connection.stream().write_all(&body.as_bytes()[..79_999]);
        connection
    };
    let busy = |mut connection: Connection| {
        let answer = connection.answer().unwrap();
        assert_eq!((answer.status, answer.code().as_str()), (503, "too_busy"), "{answer:?}");
        assert!(answer.header("retry-after").is_some());
    };
    let mut first = begin(&known);
    held(79_999.0);
    // Bodies of unverified senders leave room for those of verified ones.
    busy(begin(&signed));
    held(79_999.0);
    let mut second = begin(&known);
    held(159_998.0);
    busy(begin(&known));
    held(159_998.0);
    for connection in [&mut first, &mut second] {
        connection.send(" ");
        assert!(stored(&connection.answer().unwrap()));
    }
    held(0.0);
    let mut signed = begin(&signed);
    held(79_999.0);
    signed.send(" ");
    assert_eq!(signed.answer().unwrap().status, 401, "read, and not believed");
    held(0.0);
    assert_eq!((requests(&program, "unavailable"), rejected(&program, "too_busy")), (2.0, 2.0));
}
