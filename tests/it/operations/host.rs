//! The admin listener answers to its own names only, so that no page of another name can read it (DNS rebinding).

use serde_json::Value;

use crate::support::{Answer, Home, Program, first_message, key_of, raw, until};

/// The admin listener's answer to a request with this `Host`, if any, and with the key of the program.
fn asked(program: &Program, line: &str, hosts: &[&str], more: &str) -> (u16, String) {
    let hosts: String = hosts.iter().map(|host| format!("host: {host}\r\n")).collect();
    let key = format!("authorization: Bearer {}\r\n", key_of(program.admin).unwrap());
    let request = format!("{line}\r\n{hosts}{key}{more}connection: close\r\ncontent-length: 0\r\n\r\n");
    let answer = raw(program.admin, request.as_bytes()).unwrap();
    let answer: Answer = crate::support::parse(&answer).unwrap();
    (answer.status, answer.text)
}

const GET: &str = "GET /livez HTTP/1.1";

#[test]
fn only_its_own_names_are_answered_on_every_address() {
    let home = Home::with("[server]\nadmin_hosts = [\"Rollcall.Internal\", \"prometheus-target\"]");
    let program = home.start();
    assert_eq!(program.webhook(first_message("user-1", 1_600_000_000.0)).status, 200);
    for host in [
        "127.0.0.1",
        "127.0.0.1:8788",
        "localhost",
        "LocalHost:1",
        "localhost.",
        "[::1]:8788",
        "127.0.0.2:1",
        "[::ffff:127.0.0.1]",
        "rollcall.internal",
        "rollcall.internal:9090",
        "ROLLCALL.internal.",
        "prometheus-target",
    ] {
        assert_eq!(asked(&program, GET, &[host], "").0, 200, "{host}");
    }
    for host in [
        "evil.example",
        "evil.example:8788",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "rollcall.internal.evil.example",
        "internal",
        "10.1.2.3",
        "[fd00::1]:80",
        "",
        "localhost@evil.example",
        "user@localhost.evil.example",
        "local host",
        "0.0.0.0.example",
    ] {
        for (line, found) in [
            (GET, 200),
            ("GET /readyz HTTP/1.1", 200),
            ("GET /readyz?verbose HTTP/1.1", 200),
            ("GET /metrics HTTP/1.1", 200),
            ("GET /nowhere HTTP/1.1", 404),
            ("POST /livez HTTP/1.1", 405),
            ("DELETE /quarantine/1 HTTP/1.1", 404),
            ("POST /quarantine/1/redrive HTTP/1.1", 404),
            ("POST /import HTTP/1.1", 200),
            ("POST /rebuild HTTP/1.1", 400),
        ] {
            let json = "content-type: application/json\r\n";
            let (status, text) = asked(&program, line, &[host], json);
            assert_eq!(status, 421, "{line}, {host:?}: {text}");
            let said: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(said["error"]["code"], "misdirected_request");
            let why = said["error"]["description"].as_str().unwrap();
            assert!(why.contains("server.admin_hosts") && !text.contains("evil"), "{text}");
            assert_eq!(asked(&program, line, &["localhost"], json).0, found, "{line}");
        }
    }
    // Twice, or one in the request line and another in the header: then both have to be ours.
    assert_eq!(asked(&program, GET, &["localhost", "localhost"], "").0, 421);
    assert_eq!(asked(&program, "GET http://evil.example/livez HTTP/1.1", &["localhost"], "").0, 421);
    assert_eq!(asked(&program, "GET http://localhost/livez HTTP/1.1", &["evil.example"], "").0, 421);
    assert_eq!(asked(&program, "GET http://localhost/livez HTTP/1.1", &["localhost"], "").0, 200);
    // No browser leaves it out.
    assert_eq!(asked(&program, "GET /livez HTTP/1.0", &[], "").0, 200);
    // Webhooks and the REST interface accept every host name.
    let answer =
        raw(program.listen, b"GET /webhooks HTTP/1.1\r\nhost: hooks.example\r\nconnection: close\r\n\r\n");
    assert!(answer.unwrap().starts_with(b"HTTP/1.1 200"));
    program.stop();
}

#[test]
fn a_listener_on_every_address_is_probed_by_any_of_them_and_names_are_reloaded() {
    let mut home = Home::with(
        "[[apps]]\nid = \"one\"\nwebhook_secrets = [\"first\"]\n\
         [[console.operators]]\nname = \"ann\"\nrole = \"viewer\"\nsecrets = [\"a secret of sixteen bytes\"]\n",
    );
    let args = ["--set", "server.listen=127.0.0.1:0", "--set", "server.admin_listen=0.0.0.0:0"];
    let program = home.start_with(&args, "\"ready on ").map_err(|(_, log)| log).unwrap();
    for host in ["10.1.2.3:8788", "172.17.0.2", "[fd00::1]:80", "localhost"] {
        assert_eq!(asked(&program, GET, &[host], "").0, 200, "{host}");
    }
    assert_eq!(asked(&program, GET, &["rollcall.internal"], "").0, 421);
    home.settings.insert_str(0, "[server]\nadmin_hosts = [\"rollcall.internal\"]\n");
    home.command(&["check-config"]).output().unwrap();
    program.signal("HUP");
    until("it is reloaded", || asked(&program, GET, &["rollcall.internal"], "").0 == 200);
    assert_eq!(asked(&program, GET, &["evil.example"], "").0, 421);
    program.stop();
}

/// A page of another host name on the same machine, or one whose browser sends only its origin.
#[test]
fn a_web_page_changes_nothing_with_any_headers() {
    let home = Home::new();
    let program = home.start();
    assert_eq!(program.webhook("no JSON").status, 200);
    let json = "content-type: application/json\r\n";
    for line in [
        "DELETE /quarantine/1 HTTP/1.1",
        "POST /quarantine/1/redrive HTTP/1.1",
        "POST /import HTTP/1.1",
        "POST /rebuild HTTP/1.1",
    ] {
        for said in [
            "origin: https://evil.example\r\n",
            "origin: null\r\n",
            "origin: http://localhost:8788\r\n",
            "origin: https://localhost\r\n",
            "sec-fetch-site: cross-site\r\n",
            "sec-fetch-site: same-site\r\n",
            "origin: http://localhost\r\norigin: https://evil.example\r\n",
            "origin: http://localhost\r\nsec-fetch-site: same-site\r\n",
        ] {
            assert_eq!(
                asked(&program, line, &["localhost"], &format!("{json}{said}")).0,
                403,
                "{line}, {said}"
            );
        }
        for kind in
            ["", "content-type: text/plain\r\n", "content-type: application/x-www-form-urlencoded\r\n"]
        {
            assert_eq!(asked(&program, line, &["localhost"], kind).0, 415, "{line}, {kind}");
        }
    }
    assert_eq!(home.rows("quarantine"), 1);
    assert_eq!(
        asked(
            &program,
            "DELETE /quarantine/1 HTTP/1.1",
            &["localhost"],
            &format!("{json}sec-fetch-site: none\r\n")
        )
        .0,
        200
    );
    program.stop();
}
