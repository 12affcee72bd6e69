//! The acts at the door: signing in and out, refusals, and bodies that are shown.

use serde_json::{Value, json};

use super::{acts, log};
use crate::support::{
    APP, Home, NamedOperator, Program, basic, first_message, request, request_as_is, until,
};

const JSON: (&str, &str) = ("content-type", "application/json");

/// The entries of an action, once there are so many.
fn told(program: &Program, action: &str, count: usize) -> Vec<Value> {
    until(action, || log(program, &format!("action={action}")).len() == count);
    log(program, &format!("action={action}"))
}

#[test]
fn signing_in_and_out_is_told_and_a_wrong_secret_names_nobody() {
    let vera = NamedOperator::new("vera", "viewer");
    let home = Home::with(&vera.settings());
    let program = home.start();
    let session = program.sign_in("viewer");
    assert_eq!(request(program.admin, "DELETE", "/session", &session.headers(), b"{}").unwrap().status, 200);
    let typed =
        json!({ "name": "a password in the wrong field", "secret": "and another one here" }).to_string();
    let wrong = request_as_is(program.admin, "POST", "/session", &[JSON], typed.as_bytes()).unwrap();
    assert_eq!(wrong.status, 401);
    let signed_in = told(&program, "signIn", 2);
    assert_eq!(
        acts(&signed_in),
        [["signIn", "-", "none", "refused"], ["signIn", "guest", "console", "done"]]
    );
    assert_eq!(signed_in[1]["role"], "viewer");
    assert_eq!(acts(&told(&program, "signOut", 1)), [["signOut", "guest", "console", "done"]]);
    let all = Value::from(log(&program, "")).to_string();
    assert!(!all.contains("password") && !all.contains("another"), "{all}");
    // The session and its entry are in one transaction.
    program.sign_in("operator");
    program.kill();
    let signed_in: i64 = home.find("SELECT count(*) FROM audit WHERE action = 'signIn' AND outcome = 'done'");
    assert_eq!((signed_in, home.rows("sessions")), (2, 1));
}

#[test]
fn a_refused_request_is_told_by_its_route_and_many_are_counted() {
    let vera = NamedOperator { personal_data: false, ..NamedOperator::new("vera", "viewer") };
    let home = Home::with(&vera.settings());
    let program = home.start();
    assert_eq!(program.webhook(first_message("bob", 1.0)).status, 200);
    let proof = vera.proof();
    let by_vera = [("authorization", proof.as_str()), JSON];
    for (method, path) in [
        ("POST", "/quarantine/1/redrive"),
        ("GET", "/journal/1/body"),
        ("GET", &*format!("/v1/apps/{APP}/appusers?q=secretname")),
    ] {
        let answer = request(program.admin, method, path, &by_vera, b"{}").unwrap();
        assert_eq!(answer.status, 403, "{method} {path}: {answer:?}");
    }
    let foreign = [("origin", "http://evil.example"), JSON];
    assert_eq!(request(program.admin, "GET", "/journal", &foreign, b"").unwrap().status, 403);
    let refused = told(&program, "request", 4);
    let mut seen: Vec<(&str, &str)> = refused
        .iter()
        .map(|entry| (entry["who"].as_str().unwrap_or("-"), entry["detail"].as_str().unwrap()))
        .collect();
    seen.sort_unstable();
    let expected = [
        ("-", "GET /journal"),
        ("vera", "GET /journal/{seq}/body"),
        ("vera", "GET /v1/apps/{app}/appusers"),
        ("vera", "POST /quarantine/{seq}/redrive"),
    ];
    assert_eq!(seen, expected);
    assert!(refused.iter().all(|entry| entry["outcome"] == "refused"), "{refused:?}");
    let nobody = basic("nobody", "a secret that nobody has");
    for _ in 0..100 {
        let wrong = [("authorization", nobody.as_str())];
        let answer = request(program.admin, "GET", "/audit", &wrong, b"").unwrap();
        assert!([401, 429].contains(&answer.status), "{answer:?}");
    }
    program.stop();
    let requests: i64 = home.find("SELECT count(*) FROM audit WHERE action = 'request'");
    let left_out: i64 = home.find("SELECT sum(count) FROM audit WHERE action = 'leftOut'");
    assert!((50..100).contains(&requests) && requests + left_out == 104, "{requests} {left_out}");
}

#[test]
fn every_body_that_is_shown_is_told_first() {
    let home = Home::new();
    let program = home.start();
    assert_eq!(program.webhook(first_message("bob", 1.0)).status, 200);
    assert_eq!(program.webhook("not json").status, 200);
    assert_eq!(program.admin("/journal/1/body").status, 200);
    assert_eq!(program.admin("/journal/9/body").status, 404);
    assert_eq!(program.admin("/quarantine/1/body").text, "not json");
    let shown = log(&program, "action=showBody");
    assert_eq!((shown.len(), &shown[0]["bodies"], &shown[0]["app"]), (2, &json!([1]), &json!(APP)));
    assert_eq!((&shown[1]["entries"], &shown[1]["_ids"]), (&json!([1]), &json!(["bob"])));
    // A history shows bodies only if it is asked to; a business system with a key is no operator.
    let history = format!("/v1/apps/{APP}/appusers/bob/history");
    assert_eq!(program.admin(&history).status, 200);
    assert_eq!(program.get(&format!("{history}?include=body")).status, 200);
    assert_eq!(log(&program, "action=showBody").len(), 2);
    assert!(program.admin(&format!("{history}?include=body")).text.contains("message:appUser"));
    let shown = log(&program, "action=showBody");
    assert_eq!((shown.len(), &shown[0]["entries"], &shown[0]["_ids"]), (3, &json!([1]), &json!(["bob"])));
}
