//! Limits of a request, and the answers to unknown addresses and methods.

use super::{rejected, requests, stored};
use crate::support::{
    APP, Answer, Connection, Home, KEY_ID, KEY_SECRET, SECRET, basic, first_message, key_of, parse, raw,
    until,
};

fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (status, code), "{answer:?}");
    assert!(
        answer.json()["error"]["description"].as_str().is_some_and(|text| !text.is_empty()),
        "{answer:?}"
    );
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

fn head(more: &str) -> String {
    format!("POST /webhooks HTTP/1.1\r\nhost: x\r\nx-api-key: {SECRET}\r\n{more}\r\n")
}

#[test]
fn a_body_announced_as_too_large_is_413_before_a_byte_of_it_is_sent() {
    let program = Home::new().start();
    let mut connection = Connection::open(program.listen);
    connection.send(head("content-length: 1048577\r\n"));
    let answer = connection.answer().unwrap();
    refused(&answer, 413, "payload_too_large");
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(connection.closes(), "what follows cannot be told from a request");
    assert_eq!((requests(&program, "refused"), rejected(&program, "payload_too_large")), (1.0, 1.0));
}

/// One that is sent whole costs no connection.
#[test]
fn an_answer_to_a_part_of_a_body_says_that_the_connection_closes() {
    let program = Home::with("[server]\nbody_timeout = \"1s\"").start();
    let key = format!("x-api-key: {SECRET}\r\n");
    let coded = format!("{key}content-encoding: gzip\r\n");
    for (line, headers, status) in [
        ("POST /webhooks", key.as_str(), 408),
        ("POST /webhooks", &coded, 415),
        ("POST /webhooks", "x-api-key: wrong\r\n", 408),
        ("POST /webhooks/other", &key, 408),
        ("POST /v1/appusers", "", 401),
        ("POST /v1/nowhere", "", 404),
        ("PATCH /v1/appusers", "", 405),
    ] {
        for framing in ["content-length: 1000", "transfer-encoding: chunked"] {
            let mut connection = Connection::open(program.listen);
            connection.send(format!("{line} HTTP/1.1\r\nhost: x\r\n{headers}{framing}\r\n\r\n1\r\n"));
            let answer = connection.answer().unwrap();
            assert_eq!((answer.status, answer.header("connection")), (status, Some("close")), "{line}");
            assert!(connection.closes(), "{line}");
        }
        for framing in
            ["content-length: 3\r\n\r\n{ }", "transfer-encoding: chunked\r\n\r\n3\r\n{ }\r\n0\r\n\r\n"]
        {
            let mut connection = Connection::open(program.listen);
            for _ in 0..2 {
                connection.send(format!("{line} HTTP/1.1\r\nhost: x\r\n{headers}{framing}"));
                assert_eq!(connection.answer().unwrap().header("connection"), None, "{line}");
            }
        }
    }
}

#[test]
fn an_answer_to_a_body_framed_wrongly_says_that_the_connection_closes() {
    let program = Home::new().start();
    let key = format!("x-api-key: {SECRET}\r\n");
    let (public, admin) = (program.listen, program.admin);
    let admin_key = key_of(admin).unwrap();
    let ndjson_with_key =
        format!("content-type: application/x-ndjson\r\nauthorization: Bearer {admin_key}\r\n");
    for (listen, path, headers, status) in [
        (public, "/webhooks", key.as_str(), 400),
        (public, "/webhooks", "x-api-key: wrong\r\n", 400),
        (public, "/v1/appusers", "", 401),
        (public, "/v1/nowhere", "", 404),
        (admin, "/import", "content-type: application/x-ndjson\r\n", 401),
        (admin, "/import", ndjson_with_key.as_str(), 400),
        (admin, "/nowhere", "", 404),
    ] {
        let mut connection = Connection::open(listen);
        let framing = "transfer-encoding: chunked\r\n\r\nzz\r\n";
        connection.send(format!("POST {path} HTTP/1.1\r\nhost: localhost\r\n{headers}{framing}"));
        let answer = connection.answer().unwrap();
        assert_eq!((answer.status, answer.header("connection")), (status, Some("close")), "{path}");
        assert!(connection.closes(), "{path}");
    }
}

#[test]
fn a_chunked_body_is_413_as_soon_as_it_is_too_large() {
    let home = Home::with("[limits]\nwebhook_body = \"1KiB\"");
    let program = home.start();
    let mut connection = Connection::open(program.listen);
    connection.send(head("transfer-encoding: chunked\r\n"));
    connection.send(format!("400\r\n{}\r\n", "x".repeat(1024)));
    connection.send("1\r\nx\r\n");
    refused(&connection.answer().unwrap(), 413, "payload_too_large");
    assert!(connection.closes());
    assert_eq!((home.rows("journal"), home.rows("quarantine")), (0, 0));
}

#[test]
fn the_body_of_a_look_up_is_read_past_up_to_rest_body_and_413_beyond_it() {
    let program = Home::new().start();
    let auth = basic(KEY_ID, KEY_SECRET);
    for path in ["/v1/appusers", "/v1.1/appusers", &format!("/v1/apps/{APP}/appusers"), "/v1/appUsers"] {
        let head = |more: &str| format!("GET {path} HTTP/1.1\r\nauthorization: {auth}\r\n{more}\r\n");
        let mut connection = Connection::open(program.listen);
        connection.send(head("content-length: 100001\r\n"));
        refused(&connection.answer().unwrap(), 413, "payload_too_large");
        assert!(connection.closes());
        let chunk = format!("c350\r\n{}\r\n", "x".repeat(50_000));
        let mut connection = Connection::open(program.listen);
        connection.send(head("transfer-encoding: chunked\r\n"));
        connection.send(chunk.repeat(2));
        connection.send("1\r\nx\r\n");
        refused(&connection.answer().unwrap(), 413, "payload_too_large");
        assert!(connection.closes());
        let mut connection = Connection::open(program.listen);
        connection.send(head("transfer-encoding: chunked\r\n"));
        connection.send(format!("{}0\r\n\r\n", chunk.repeat(2)));
        assert_eq!(connection.answer().unwrap().status, 200, "{path}");
        let auth = ("authorization", &*auth);
        assert_eq!(connection.ask("GET", path, &[auth], &[b'x'; 100_000]).status, 200, "{path}");
    }
    let counted = "rollcall_http_requests_total{route=\"/v1/appusers\",status=\"413\"}";
    assert_eq!(program.metric(counted), 4.0);
}

#[test]
fn a_body_of_just_the_largest_size_is_taken_however_it_is_framed() {
    let home = Home::with("[limits]\nwebhook_body = \"1KiB\"");
    let program = home.start();
    let message = first_message("a", 1.0);
    let body = format!("{message}{}", " ".repeat(1024 - message.len()));
    assert!(stored(&program.webhook(&body)));
    let chunked =
        format!("{}400\r\n{body}\r\n0\r\n\r\n", head("connection: close\r\ntransfer-encoding: chunked\r\n"));
    assert!(stored(&parse(&raw(program.listen, chunked.as_bytes()).unwrap()).unwrap()));
    refused(&program.webhook(format!("{body} ")), 413, "payload_too_large");
    assert_eq!(home.rows("journal"), 1);
}

#[test]
fn a_sender_that_writes_all_of_a_too_large_body_first_still_gets_its_413() {
    let program = Home::new().start();
    refused(&program.webhook(vec![b'x'; 3 << 20]), 413, "payload_too_large");
}

#[test]
fn a_body_that_does_not_come_is_408_after_body_timeout() {
    let home = Home::with("[server]\nbody_timeout = \"200ms\"");
    let program = home.start();
    for begun in ["", "{\"trigger\":"] {
        let mut connection = Connection::open(program.listen);
        connection.send(head("content-length: 100\r\n"));
        connection.send(begun);
        refused(&connection.answer().unwrap(), 408, "request_timeout");
        assert!(connection.closes());
    }
    assert_eq!((home.rows("journal"), home.rows("quarantine")), (0, 0));
    assert_eq!(rejected(&program, "request_timeout"), 2.0);
}

#[test]
fn a_compressed_body_is_415_on_every_route_and_identity_is_not_compressed() {
    let home = Home::new();
    let program = home.start();
    let auth = basic(KEY_ID, KEY_SECRET);
    let body = first_message("a", 1.0);
    for encoding in
        ["gzip", "GZIP", "deflate", "br", "zstd", "compress", "x-gzip", "gzip, identity", "nonsense"]
    {
        for (method, path) in [
            ("POST", "/webhooks"),
            ("POST", "/webhooks/x"),
            ("GET", "/v1/appusers"),
            ("GET", "/v1/appusers/a"),
        ] {
            let headers = [("x-api-key", SECRET), ("authorization", &auth), ("content-encoding", encoding)];
            refused(&program.request(method, path, &headers, body.as_bytes()), 415, "unsupported_media_type");
        }
    }
    let two = [("x-api-key", SECRET), ("content-encoding", "identity"), ("content-encoding", "gzip")];
    refused(&program.request("POST", "/webhooks", &two, body.as_bytes()), 415, "unsupported_media_type");
    assert_eq!((home.rows("journal"), home.rows("quarantine")), (0, 0));
    let plain = [("x-api-key", SECRET), ("content-encoding", "identity")];
    assert!(stored(&program.request("POST", "/webhooks", &plain, body.as_bytes())));
}

#[test]
fn a_head_that_is_too_large_is_431() {
    let home = Home::with("[server]\nheader_bytes = \"8KiB\"");
    for (home, bytes) in [(Home::new(), 32 << 10), (home, 8 << 10)] {
        let program = home.start();
        let filler = |size: usize| {
            format!("connection: close\r\ncontent-length: 0\r\nx-filler: {}\r\n", "f".repeat(size))
        };
        for size in [bytes, bytes + 2000, 2 * bytes, 10 * bytes] {
            let answer = raw(program.listen, head(&filler(size)).as_bytes()).unwrap();
            assert_eq!(parse(&answer).unwrap().status, 431, "{size} and a little of {bytes}");
        }
        let answer = raw(program.listen, head(&filler(bytes - 512)).as_bytes()).unwrap();
        assert_eq!(parse(&answer).unwrap().status, 200);
        let mut split = Connection::open(program.listen);
        split.send(format!("GET /webhooks HTTP/1.1\r\nx-filler: {}", "f".repeat(bytes)));
        assert_eq!(split.answer().unwrap().status, 431, "although the head never ends");
        assert_eq!(requests(&program, "stored") + requests(&program, "quarantined"), 1.0);
        let counted = "rollcall_http_turned_away_total{reason=\"head_too_large\"}";
        until("each of them is counted", || program.metric(counted) == 5.0);
    }
}

#[test]
fn a_head_that_does_not_come_ends_the_connection_after_header_timeout() {
    let home = Home::with("[server]\nheader_timeout = \"200ms\"");
    let program = home.start();
    for begun in ["", "POST /webhooks HTTP/1.1\r\nhost: x\r\n"] {
        let mut connection = Connection::open(program.listen);
        connection.send(begun);
        assert!(connection.closes(), "{begun:?}");
    }
}

#[test]
fn the_target_answers_get_and_head_with_200() {
    let program = Home::new().start();
    for path in ["/webhooks", &format!("/webhooks/{APP}")] {
        let got = program.request("GET", path, &[], b"");
        assert!(stored(&got), "{got:?}");
        let head = program.request("HEAD", path, &[], b"");
        assert_eq!((head.status, head.text.as_str()), (200, ""));
        assert_eq!(head.header("content-type"), Some("application/json"));
    }
}

#[test]
fn an_unknown_method_is_405_and_allow_names_those_that_are_known() {
    let program = Home::new().start();
    let auth = basic(KEY_ID, KEY_SECRET);
    for (path, known) in [
        ("/webhooks", &["GET", "HEAD", "POST"][..]),
        ("/webhooks/x", &["GET", "HEAD", "POST"]),
        ("/v1/appusers", &["GET", "HEAD"]),
        ("/v1.1/appusers/x", &["GET", "HEAD"]),
        ("/v1/apps/x/appusers/x", &["GET", "HEAD"]),
    ] {
        for method in ["TRACE", "PATCH", "CONNECTED", "get"] {
            let answer = program.request(method, path, &[("authorization", &auth)], b"");
            refused(&answer, 405, "method_not_allowed");
            let allow = answer.header("allow").unwrap_or_default();
            let named: Vec<&str> = allow.split(',').map(str::trim).collect();
            for method in known {
                assert!(named.contains(method), "{path}: {allow}");
            }
        }
    }
}

#[test]
fn an_unknown_address_is_404_in_smoochs_shape() {
    let home = Home::new();
    let program = home.start();
    for path in [
        "/",
        "/webhook",
        "/webhooks/a/b",
        "/v1",
        "/v1/",
        "/v3/appusers",
        "/v1/appusers/",
        "/v1/apps/a",
        "/metrics",
        "/livez",
        "/readyz",
        "/..%2fetc/passwd",
        "/webhooks/../../etc/passwd",
        "/%2e%2e/webhooks",
        "/*",
    ] {
        for method in ["GET", "POST", "DELETE"] {
            let answer =
                program.request(method, path, &[("x-api-key", SECRET)], first_message("a", 1.0).as_bytes());
            refused(&answer, 404, "not_found");
        }
    }
    assert_eq!((home.rows("journal"), home.rows("quarantine")), (0, 0));
}

#[test]
fn the_admin_listener_takes_no_webhooks_and_the_public_one_has_no_metrics() {
    let home = Home::new();
    let program = home.start();
    for path in ["/webhooks", "/v1/appusers"] {
        assert_eq!(program.admin(path).status, 404, "{path}");
    }
    for path in ["/livez", "/readyz", "/healthz", "/metrics"] {
        assert_eq!(program.admin(path).status, 200, "{path}");
        assert_eq!(program.request("GET", path, &[], b"").status, 404, "{path}");
    }
}
