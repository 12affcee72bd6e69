//! What the settings switch on: keys for every app, pages of other origins, a bound on each credential.

use super::*;

const ACCOUNT: &str = "account_keys = [{ id = \"act_1\", secret = \"the-secret-of-the-account\" }]";

fn account(claims: &Value) -> Who {
    jwt_of("act_1", "the-secret-of-the-account", claims)
}

#[test]
fn an_account_key_reaches_any_app_that_the_path_names_and_claims_nothing_else() {
    let program = Home::with(ACCOUNT).start();
    let who = account(&json!({ "scope": "account" }));
    let body = json!({ "userId": "ann" });
    for line in
        [&format!("POST /v1/apps/{APP}/appusers"), &format!("POST /v1.1/apps/{APP}/appusers/ann/events")]
    {
        let body = if line.ends_with("events") { json!({ "name": "e" }) } else { body.clone() };
        assert_eq!(ask(&program, &who, line, &body).status, 201, "{line}");
    }
    assert_eq!(ask(&program, &who, &format!("GET /v2/apps/{APP}/users/ann"), &Value::Null).status, 200);
    refused(&ask(&program, &who, "GET /v1/appusers/ann", &Value::Null), 403, "forbidden");
    refused(&ask(&program, &who, "GET /v1/apps/another/appusers/ann", &Value::Null), 400, "bad_request");
    for claims in [json!({ "scope": "app" }), json!({ "scope": "appUser", "userId": "ann" })] {
        let line = format!("GET /v1/apps/{APP}/appusers/ann");
        refused(&ask(&program, &account(&claims), &line, &Value::Null), 403, "forbidden");
    }
}

#[test]
fn pages_of_a_listed_origin_may_read_what_no_key_of_the_app_asked_for() {
    let program = Home::with("[server]\ncors_origins = [\"https://shop.example.com\"]").start();
    let from = |who: Who, origin: &'static str| with(who, "origin", origin);
    let may_read = |answer: &Answer| answer.header("access-control-allow-origin").map(str::to_owned);
    let shop = "https://shop.example.com";
    let asked = with(from(nobody(), shop), "access-control-request-method", "POST");
    let preflight = send(&program, &asked, "OPTIONS /v1/init", b"");
    assert_eq!((preflight.status, may_read(&preflight).as_deref()), (200, Some(shop)), "{preflight:?}");
    for needed in ["app-token", "authorization", "content-type", "x-smooch-sdk"] {
        assert!(preflight.header("access-control-allow-headers").unwrap().contains(needed), "{needed}");
    }
    let device = json!({ "device": { "id": "d", "platform": "web" } });
    let init = ask(&program, &from(token(), shop), "POST /v1/init", &device);
    assert_eq!((init.status, may_read(&init).as_deref()), (200, Some(shop)));
    let ours = ask(&program, &from(app(), shop), "POST /v1/init", &device);
    assert_eq!((ours.status, may_read(&ours)), (200, None), "a key of the app does not belong into a page");
    let other = ask(&program, &from(token(), "https://evil.example.com"), "POST /v1/init", &device);
    assert_eq!((other.status, may_read(&other)), (200, None));
    let off = Home::new().start();
    let init = ask(&off, &from(token(), shop), "POST /v1/init", &device);
    assert_eq!((init.status, may_read(&init)), (200, None), "off by default");
    assert_eq!(send(&off, &asked, "OPTIONS /v1/init", b"").status, 405);
}

#[test]
fn beyond_its_requests_a_credential_is_429_and_others_are_not() {
    let program = Home::with("[limits]\nrequests_per_second = 1\nrequest_burst = 3").start();
    let answers: Vec<Answer> =
        (0..20).map(|_| ask(&program, &app(), "GET /v1/appusers", &Value::Null)).collect();
    assert!(answers[..3].iter().all(|answer| answer.status == 200), "the burst");
    let late = answers.iter().find(|answer| answer.status != 200).expect("a bound");
    refused(late, 429, "too_many_requests");
    assert!(late.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    let device = json!({ "device": { "id": "d", "platform": "web" } });
    assert_eq!(ask(&program, &token(), "POST /v1/init", &device).status, 200, "another credential");
    let answer = send(&program, &with(nobody(), "x-api-key", SECRET), "POST /webhooks", b"{}");
    assert_eq!(answer.status, 200, "webhooks are never bounded by this");
}
