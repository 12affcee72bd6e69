//! Bodies come back byte for byte, and as nothing that a browser shows. The quarantine is listed by reason.

use serde_json::json;

use super::{OTHER, all, bytes, ok, two_apps, webhook_of_other};
use crate::operator_commands::post;
use crate::support::{APP, Answer, Home, first_message};

/// Bodies that would do something in a browser, or are no text.
fn hostile() -> Vec<Vec<u8>> {
    let script = first_message("ann", 1.0).replace("Hi", "<script>alert(1)</script>\u{202e}\\u0000");
    let spaced = first_message("bob", 2.0).replace('{', "{\r\n ");
    let digits = first_message("cem", 3.0)
        .replace("\"properties\":{}", "\"properties\":{\"n\":12345678901234567890.50,\"n\":1e400}");
    vec![
        script.into_bytes(),
        spaced.into_bytes(),
        digits.into_bytes(),
        b"<html><script>alert(1)</script>".to_vec(),
        vec![0xff, 0xfe, 0x00, b'{', b'\r', b'\n', b'\r', b'\n'],
        b"\xef\xbb\xbf{\"trigger\":".to_vec(),
    ]
}

fn is_a_file(answer: &Answer) {
    assert_eq!(answer.status, 200, "{answer:?}");
    for (name, value) in [
        ("content-type", "application/octet-stream"),
        ("content-security-policy", "sandbox"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{answer:?}");
    }
    assert!(answer.header("content-disposition").unwrap().starts_with("attachment; filename="), "{answer:?}");
}

#[test]
fn hostile_bodies_come_back_byte_for_byte_as_files() {
    let program = Home::new().start();
    let bodies = hostile();
    bodies.iter().for_each(|body| assert_eq!(program.webhook(body).status, 200));
    let journal = ok(&program, "/journal?order=asc");
    let quarantine = ok(&program, "/quarantine");
    assert_eq!(journal["entries"].as_array().unwrap().len(), 3, "{journal}");
    assert_eq!(quarantine["bodies"].as_array().unwrap().len(), 3, "{quarantine}");
    for (n, body) in bodies.iter().enumerate() {
        let (path, entry) = if n < 3 {
            (format!("/journal/{}/body", n + 1), &journal["entries"][n])
        } else {
            (format!("/quarantine/{}/body", n - 2), &quarantine["bodies"][5 - n])
        };
        let (answer, received) = bytes(&program, &path);
        is_a_file(&answer);
        assert_eq!(received, *body, "{path}");
        assert_eq!(entry["bytes"], body.len(), "{entry}");
    }
}

#[test]
fn the_body_of_a_call_is_the_one_that_was_sent() {
    let program = Home::new().start();
    post(&program, "/v1/appusers", &json!({ "userId": "dora" }));
    let (answer, body) = bytes(&program, "/journal/1/body");
    is_a_file(&answer);
    assert_eq!(body, json!({ "userId": "dora" }).to_string().into_bytes());
    let key = crate::support::basic(crate::support::KEY_ID, crate::support::KEY_SECRET);
    assert_eq!(program.request("DELETE", "/v1/appusers/dora", &[("authorization", &key)], b"").status, 200);
    let audit = ok(&program, "/audit");
    let mut shown = audit["entries"].as_array().unwrap().iter().filter(|entry| entry["action"] == "showBody");
    assert_eq!(shown.next().map(|entry| &entry["entries"]), Some(&json!([1])), "{audit}");
    let none = program.admin("/journal/2/body");
    assert_eq!(none.status, 404, "{none:?}");
    assert_eq!(ok(&program, "/journal/2")["entry"]["hasBody"], false);
}

#[test]
fn the_quarantine_is_listed_by_app_reason_number_and_time_and_counted_by_reason() {
    let home = two_apps("[limits]\njson_depth = 8\n");
    let program = home.start();
    let deep = format!("{{\"app\":{{\"_id\":\"{APP}\"}},\"a\":{}1{}}}", "[".repeat(20), "]".repeat(20));
    let bodies = ["not json", &deep, "nor this", "", &deep];
    for body in bodies {
        assert_eq!(program.webhook(body).status, 200);
    }
    webhook_of_other(&program, "not json either");
    let base = 1_700_000_000_000_i64;
    home.sql().execute_batch(&format!("UPDATE quarantine SET received = {base} + seq * 600000")).unwrap();
    let list = |query: &str| all(&program, &format!("/quarantine?limit=2{query}"), "bodies").0;
    assert_eq!(list(""), [6, 5, 4, 3, 2, 1]);
    assert_eq!(list(&format!("&app={APP}")), [5, 4, 3, 2, 1]);
    assert_eq!(list(&format!("&app={OTHER}")), [6]);
    assert_eq!(list("&reason=too_deep"), [5, 2]);
    assert_eq!(list("&since=2&until=4"), [4, 3, 2]);
    let (from, to) = (base + 2 * 600_000, base + 5 * 600_000);
    assert_eq!(list(&format!("&since={from}&until={to}&reason=too_deep&app={APP}")), [5, 2]);
    assert_eq!(list(&format!("&since={}&until={}", from + 1, to - 1)), [4, 3]);
    let reasons = |query: &str| ok(&program, &format!("/quarantine?limit=1{query}"))["reasons"].clone();
    let count = |not_json: usize| json!([{ "reason": "not_json", "count": not_json }, { "reason": "too_deep", "count": 2 }]);
    assert_eq!(reasons(""), count(4));
    assert_eq!(reasons("&reason=too_deep"), count(4), "whichever is selected");
    assert_eq!(reasons(&format!("&app={APP}")), count(3));
    let one = ok(&program, "/quarantine/2");
    assert_eq!((&one["reason"], &one["bytes"]), (&json!("too_deep"), &json!(deep.len())));
    let headers = one["headers"].as_array().unwrap();
    assert!(headers.contains(&json!("x-api-key: ***")), "{one}");
    for (path, status) in [
        ("/quarantine/7", 404),
        ("/quarantine/7/body", 404),
        ("/quarantine/x", 400),
        ("/quarantine?reason=", 400),
        ("/quarantine?reason=nothing", 400),
        ("/quarantine?since=3&until=2", 400),
        ("/quarantine?after=x", 400),
        ("/quarantine?order=asc", 400),
    ] {
        let answer = program.admin(path);
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        assert!(answer.json()["error"]["description"].is_string());
    }
}
