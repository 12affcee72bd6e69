//! Webhooks sent to another spelling of the target's address: Smooch never retries one that is answered 404.

use serde_json::Value;
use sha2::Sha256;

use super::{TWO_APPS, hmac};
use crate::support::{
    APP, Answer, Connection, Home, Program, SECRET, basic, first_message, parse, raw, request,
};

const KEY: [(&str, &str); 1] = [("x-api-key", SECRET)];

fn rejected(program: &Program, reason: &str) -> f64 {
    program.metric(&format!("rollcall_webhook_rejected_total{{reason=\"{reason}\"}}"))
}

/// The warnings of a log for a reason.
fn warnings(log: &str, reason: &str) -> Vec<Value> {
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["reason"] == reason && line["level"] == "WARN").collect()
}

fn hub(body: &str) -> String {
    let tag = hmac::<Sha256>(64, SECRET.as_bytes(), body.as_bytes());
    format!("sha256={}", tag.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// Every spelling of the target, with and without the app.
fn spellings() -> Vec<String> {
    let words = [
        "/webhooks",
        "//webhooks",
        "///webhooks",
        "/Webhooks",
        "/WEBHOOKS",
        "/webHooks",
        "/%77ebhooks",
        "/%57ebhook%73",
        "/webhooks%20",
        "/webhooks%0A",
        "/%20webhooks%09",
    ];
    let mut found = Vec::new();
    for word in words {
        for end in ["", "/", "//"] {
            found.push(format!("{word}{end}"));
            for between in ["/", "//"] {
                found.push(format!("{word}{between}{APP}{end}"));
            }
        }
    }
    found.extend(["", "%20", "%0a"].map(|space| format!("/webhooks/{APP}{space}")));
    found.extend(["/webhooks/%20", "/webhooks/%0A", "/webhooks%2f", "/%2Fwebhooks"].map(str::to_owned));
    let upper = APP.to_uppercase();
    assert_ne!(upper, APP);
    found.extend(
        ["/webhooks%2F", "/webhooks/%2F", "/%2Fwebhooks/", "//Webhooks%2f%2F"].map(|at| format!("{at}{APP}")),
    );
    found.extend(["/webhooks/", "/webhooks%2F"].map(|at| format!("{at}{upper}")));
    found.push("/webhooks/?token=x".to_owned());
    found.push(format!("//webhooks//{APP}/?a=b//c"));
    found
}

#[test]
fn the_target_is_the_target_however_it_is_spelled() {
    let home = Home::new();
    let program = home.start();
    let mut connection = Connection::open(program.listen);
    let mut ask = |method: &str, path: &str, headers: &[(&str, &str)], body: &str| -> Answer {
        connection.ask(method, path, headers, body.as_bytes())
    };
    for (n, path) in spellings().iter().enumerate() {
        let body = first_message(&format!("u{n}"), 1.0);
        let forged = ask("POST", path, &[("x-api-key", "wrong")], &body);
        assert_eq!((forged.status, forged.code().as_str()), (401, "unauthorized"), "{path}: {forged:?}");
        let answer = ask("POST", path, &KEY, &body);
        assert_eq!((answer.status, answer.text.as_str()), (200, "{}"), "{path}: {answer:?}");
        let signed = first_message(&format!("s{n}"), 1.0);
        let answer = ask("POST", path, &[("x-hub-signature-256", &hub(&signed))], &signed);
        assert_eq!((answer.status, answer.text.as_str()), (200, "{}"), "{path}: {answer:?}");
        for method in ["GET", "HEAD"] {
            assert_eq!(
                request(program.listen, method, path, &[], b"").unwrap().status,
                200,
                "{method} {path}"
            );
        }
        let broken = ask("POST", path, &KEY, "{");
        assert_eq!(broken.header("x-rollcall-quarantined"), Some("1"), "{path}: {broken:?}");
    }
    let count = spellings().len();
    assert!(count > 90, "{count}");
    assert_eq!(program.all_app_users().len(), 2 * count);
    assert_eq!((rejected(&program, "wrong_path"), rejected(&program, "wrong_secret")), (0.0, count as f64));
}

#[test]
fn an_address_that_only_looks_like_the_target_is_404() {
    let program = Home::new().start();
    let body = first_message("a", 1.0);
    for path in [
        "/webhooks%2Fapp/more",
        "/webhooks/../app",
        "/./webhooks",
        "/webhooks/app/more",
        "/webhook",
        "/v1/webhooks",
        "/hooks/webhooks",
        "/",
        "//",
        "/%FFwebhooks",
    ] {
        assert_eq!(program.request("POST", path, &KEY, body.as_bytes()).status, 404, "{path}");
    }
    // No app has a name that is not UTF-8. These spellings are too odd for the document.
    for (path, status) in [
        ("/webhooks%2F%FF".to_owned(), 401),
        (format!("/%2F/webhooks/%20/{APP}"), 200),
        (format!("/webhooks//%2F{APP}%0A"), 200),
    ] {
        let length = body.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\nx-api-key: {SECRET}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        let answer = parse(&raw(program.listen, request.as_bytes()).unwrap()).unwrap();
        assert_eq!(answer.status, status, "{path}: {answer:?}");
    }
}

#[test]
fn the_app_in_the_path_counts_in_every_spelling() {
    let program = Home::with(TWO_APPS).start();
    let body = first_message("a", 1.0);
    for path in ["/webhooks/other/", "//webhooks//other", "/Webhooks/other", "/webhooks/nobodys/"] {
        assert_eq!(program.request("POST", path, &KEY, body.as_bytes()).status, 401, "{path}");
    }
    // The secret is valid, so this is not guessing: it is counted separately.
    assert_eq!((rejected(&program, "wrong_app"), rejected(&program, "wrong_secret")), (4.0, 0.0));
    let none = body.replace(APP, "other");
    assert_eq!(program.request("POST", "/webhooks", &KEY, none.as_bytes()).status, 401);
    let signed = [("x-hub-signature-256", &*hub(&body))];
    assert_eq!(program.request("POST", "/webhooks/other", &signed, body.as_bytes()).status, 401);
    assert_eq!((rejected(&program, "wrong_app"), rejected(&program, "wrong_secret")), (6.0, 0.0));
    assert_eq!(program.request("POST", "/webhooks/other", &[("x-api-key", "wrong")], b"{}").status, 401);
    assert_eq!((rejected(&program, "wrong_app"), rejected(&program, "wrong_secret")), (6.0, 1.0));
    let own = [("x-api-key", "the-secret-of-the-other-app")];
    assert_eq!(program.request("POST", "//webhooks//other//", &own, none.as_bytes()).status, 200);
}

#[test]
fn a_webhook_with_the_right_secret_at_another_address_is_counted_and_logged() {
    let body = first_message("kanarie", 1.0);
    let signed = hub(&body);
    let now = jiff::Timestamp::now().as_second().to_string();
    let standard = {
        use base64::Engine as _;
        let tag = hmac::<Sha256>(64, SECRET.as_bytes(), format!("m.{now}.{body}").as_bytes());
        format!("v1,{}", base64::engine::general_purpose::STANDARD.encode(tag))
    };
    let proofs: [Vec<(&str, &str)>; 4] = [
        KEY.into(),
        vec![("x-hub-signature-256", &signed)],
        vec![("webhook-id", "m"), ("webhook-timestamp", &now), ("webhook-signature", &standard)],
        vec![("svix-id", "m"), ("svix-timestamp", &now), ("svix-signature", &standard)],
    ];
    let user = "/v1/appusers/kanarie";
    for (method, path, status) in [
        ("POST", "/", 404),
        ("POST", "//", 404),
        ("POST", "/webhook", 404),
        ("POST", "/hooks/kanarie", 404),
        ("POST", "/v1/webhooks", 404),
        ("POST", "/webhooks/kanarie/more", 404),
        ("POST", &format!("/v2/apps/{APP}/webhooks"), 404),
        ("POST", "/openapi.json", 405),
        ("POST", "/docs", 405),
        ("POST", user, 405),
        ("PUT", "/webhook", 404),
        ("POST", "/v1/appusers", 401),
        ("POST", "/v1/init", 401),
        ("PUT", user, 401),
        ("DELETE", user, 401),
        ("POST", &format!("{user}/messages"), 404),
        ("PATCH", &format!("/v2/apps/{APP}/users/kanarie"), 401),
    ] {
        let home = Home::new();
        let program = home.start();
        for (n, proof) in proofs.iter().enumerate() {
            let answer = program.request(method, path, proof, body.as_bytes());
            assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
            assert_eq!(rejected(&program, "wrong_path"), n as f64 + 1.0, "{method} {path} {proof:?}");
        }
        // Strangers, and callers of the interface, are not Smooch.
        let basic = basic("nobody", "wrong");
        for other in [
            vec![],
            vec![("x-api-key", "wrong")],
            vec![("x-hub-signature-256", "sha256=00")],
            vec![("x-api-key", SECRET), ("authorization", basic.as_str())],
            vec![("x-api-key", SECRET), ("app-token", "wrong")],
        ] {
            program.request(method, path, &other, body.as_bytes());
        }
        let other = program.request(method, path, &[("x-hub-signature-256", &*signed)], b"{}");
        assert!(other.status >= 400, "{other:?}");
        program.request("GET", path, &KEY, b"");
        assert_eq!(rejected(&program, "wrong_path"), 4.0, "{method} {path}");
        assert_eq!((home.rows("journal"), home.rows("quarantine")), (0, 0), "{method} {path}");
        let refused = program.metric("rollcall_webhook_requests_total{outcome=\"refused\"}");
        assert_eq!(refused, 4.0, "{method} {path}");
        let log = program.stop();
        let told = warnings(&log, "wrong_path");
        assert!((1..=4).contains(&told.len()), "{method} {path}: {log}");
        assert_eq!((&told[0]["app"], &told[0]["status"]), (&APP.into(), &status.into()), "{told:?}");
        assert!(told[0]["message"].as_str().unwrap().contains("/webhooks/{appId}"), "{told:?}");
        assert!(!log.contains("kanarie") && !log.contains(SECRET), "{log}");
    }
}

#[test]
fn another_method_at_the_target_is_405_counted_and_logged() {
    let home = Home::new();
    let program = home.start();
    let body = first_message("kanarie", 1.0);
    let signed = hub(&body);
    let mut count = 0.0;
    for method in ["PUT", "PATCH", "DELETE", "OPTIONS"] {
        for path in ["/webhooks", "/webhooks/", &format!("//webhooks/{APP}/")] {
            for proof in [KEY, [("x-hub-signature-256", signed.as_str())]] {
                let answer = program.request(method, path, &proof, body.as_bytes());
                assert_eq!(
                    (answer.status, answer.header("allow")),
                    (405, Some("POST,GET,HEAD")),
                    "{answer:?}"
                );
                count += 1.0;
                assert_eq!(rejected(&program, "wrong_method"), count, "{method} {path}");
            }
            for proof in [&[][..], &[("x-api-key", "wrong")]] {
                assert_eq!(program.request(method, path, proof, body.as_bytes()).status, 405);
            }
        }
    }
    assert_eq!((rejected(&program, "wrong_method"), rejected(&program, "wrong_path")), (count, 0.0));
    let log = program.stop();
    assert!(!warnings(&log, "wrong_method").is_empty() && !log.contains("kanarie"), "{log}");
}

#[test]
fn a_body_is_read_only_where_a_signature_can_be_right() {
    let program = Home::new().start();
    let wait = |headers: &str| {
        let mut connection = Connection::open(program.listen);
        connection
            .send(format!("POST /webhook HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n{headers}\r\n"));
        connection.answer().map(|answer| answer.status)
    };
    for headers in [
        "",
        &format!("x-api-key: {SECRET}\r\n"),
        "x-api-key: wrong\r\n",
        "x-hub-signature-256: sha256=00\r\n",
        "webhook-id: m\r\nwebhook-timestamp: 1\r\nwebhook-signature: v1,x\r\n",
    ] {
        assert_eq!(wait(headers), Some(404), "{headers}: answered before the body came");
    }
}

#[test]
fn each_reason_is_logged_once_a_second_and_none_hides_another() {
    let home = Home::new();
    let program = home.start();
    let body = first_message("a", 1.0);
    let mut connection = Connection::open(program.listen);
    let large = "x".repeat((1 << 20) + 1);
    for _ in 0..50 {
        for (path, headers, body) in [
            ("/webhooks", &[][..], &*body),
            ("/webhooks", &[("x-api-key", "wrong")], &body),
            ("/webhooks", &[("x-api-key", "a"), ("x-api-key", "b")], &body),
            ("/webhook", &KEY, &body),
        ] {
            connection.ask("POST", path, headers, body.as_bytes());
        }
    }
    let encoded = [("x-api-key", SECRET), ("content-encoding", "gzip")];
    assert_eq!(program.request("POST", "/webhooks", &encoded, b"{}").status, 415);
    assert_eq!(program.request("POST", "/webhooks", &KEY, large.as_bytes()).status, 413);
    let log = program.stop();
    for reason in ["no_secret", "wrong_secret", "malformed_secret", "wrong_path"] {
        let times = warnings(&log, reason).len();
        assert!((1..50).contains(&times), "{reason}: {times} times");
    }
    for reason in ["unsupported_media_type", "payload_too_large"] {
        assert_eq!(warnings(&log, reason).len(), 1, "{reason}: {log}");
    }
}
