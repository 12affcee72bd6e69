//! Every endpoint, with every kind of credential.

use serde_json::Value;

use super::{APP, Home, Program, Who, app, ask, done, jwt_of, key, no_credential, start, token, user};
use crate::support::basic;

/// A key that is good for every app.
const ACCOUNT: &str = r#"account_keys = [{ id = "act_demo", secret = "the-key-of-the-account" }]"#;

/// The status for no credential, the app token, the app user, another app user, the app, and its key. The account
/// equals the app where the path names one.
type Row = (&'static str, &'static str, [u16; 6]);

const APP_ONLY: [u16; 6] = [401, 401, 403, 403, 200, 200];
const APP_MAKES: [u16; 6] = [401, 401, 403, 403, 201, 201];
const ANYBODY: [u16; 6] = [401, 200, 200, 403, 200, 200];
const ANYBODY_MAKES: [u16; 6] = [401, 201, 201, 403, 201, 201];

/// v1 and v1.1; `ME` is an app user of the row's own, with a device and a part.
const V1: [Row; 12] = [
    ("POST /init", r#"{"device":{"id":"d-ME","platform":"ios"},"userId":"ME"}"#, ANYBODY),
    ("POST /appusers", r#"{"userId":"new-ME"}"#, APP_MAKES),
    ("GET /appusers", "", APP_ONLY),
    ("GET /appusers/ME", "", ANYBODY),
    ("PUT /appusers/ME", r#"{"givenName":"Me"}"#, ANYBODY),
    ("DELETE /appusers/ME", "", APP_ONLY),
    ("DELETE /appusers/ME/profile", "", APP_ONLY),
    ("GET /appusers/ME/channels", "", ANYBODY),
    ("POST /appusers/ME/events", r#"{"name":"seen"}"#, ANYBODY_MAKES),
    ("PUT /appusers/ME/devices/d-ME", r#"{"appVersion":"2"}"#, ANYBODY),
    ("POST /appusers/merge", r#"{"surviving":{"_id":"ME"},"discarded":{"_id":"friend-ME"}}"#, APP_ONLY),
    ("POST /appusers/ME/unmerge", r#"{"discarded":{"_id":"PART"}}"#, APP_ONLY),
];

const V2: [Row; 9] = [
    ("POST /users", r#"{"externalId":"new-ME"}"#, APP_MAKES),
    ("GET /users", "", APP_ONLY),
    ("GET /users?filter[identities.email]=x@example.com", "", APP_ONLY),
    ("GET /users/ME", "", APP_ONLY),
    ("PATCH /users/ME", r#"{"profile":{"givenName":"Me"}}"#, APP_ONLY),
    ("DELETE /users/ME", "", APP_ONLY),
    ("DELETE /users/ME/personalinformation", "", APP_ONLY),
    ("GET /users/ME/clients", "", APP_ONLY),
    ("GET /users/ME/devices/d-ME", "", APP_ONLY),
];

fn account() -> Who {
    jwt_of("act_demo", "the-key-of-the-account", &serde_json::json!({ "scope": "account" }))
}

fn all_credentials(me: &str) -> [(&'static str, Who); 8] {
    [
        ("nobody", no_credential()),
        ("the app token", token()),
        ("the app user", user(me)),
        ("another app user", user("somebody-else")),
        ("the app", app()),
        ("the app's key", key()),
        ("the account", account()),
        ("the account's key", vec![("authorization", basic("act_demo", "the-key-of-the-account"))]),
    ]
}

/// An app user with a device, a friend, and a part that may be taken away again; that part's `_id`.
fn prepare(program: &Program, me: &str) -> String {
    start(program, &format!("d-{me}"), Some(me));
    super::create(program, &format!("friend-{me}"));
    let part = super::create(program, &format!("part-{me}"));
    let merge = serde_json::json!({ "surviving": { "_id": me }, "discarded": { "_id": part } });
    done(program, "POST /v1/appusers/merge", merge);
    part
}

fn check(program: &Program, base: &str, rows: &[Row]) {
    let place = base.replace('/', "-");
    for (n, (line, body, expected)) in rows.iter().enumerate() {
        for column in 0..8 {
            let me = format!("u{place}-{n}-{column}");
            let part = prepare(program, &me);
            let (name, who) = &all_credentials(&me)[column];
            let named = base.contains("/apps/");
            let expected = *expected.get(column).unwrap_or(if named { &expected[4] } else { &403 });
            let fill = |text: &str| text.replace("ME", &me).replace("PART", &part);
            let (method, path) = line.split_once(' ').unwrap();
            let line = format!("{method} {base}{}", fill(path));
            let answer = super::send(program, who, &line, fill(body).as_bytes());
            assert_eq!(answer.status, expected, "{line} by {name}: {answer:?}");
            let code = match answer.status {
                401 => "unauthorized",
                403 => "forbidden",
                _ => continue,
            };
            let told = answer.json();
            let told =
                if base.starts_with("/v2") { &told["errors"][0]["code"] } else { &told["error"]["code"] };
            assert_eq!(told, code, "{line} by {name}: {answer:?}");
        }
    }
}

#[test]
fn every_call_of_v1_by_every_credential() {
    check(&Home::with(ACCOUNT).start(), "/v1", &V1);
}

#[test]
fn every_call_of_v1_1_by_every_credential() {
    check(&Home::with(ACCOUNT).start(), "/v1.1", &V1);
}

#[test]
fn every_call_with_the_app_in_the_path_by_every_credential() {
    let home = Home::with(ACCOUNT);
    let program = home.start();
    check(&program, &format!("/v1/apps/{APP}"), &V1);
    check(&program, &format!("/v1.1/apps/{APP}"), &V1);
}

#[test]
fn every_call_of_v2_by_every_credential() {
    check(&Home::with(ACCOUNT).start(), &format!("/v2/apps/{APP}"), &V2);
}

#[test]
fn a_key_claims_no_more_than_its_kind() {
    let home = Home::with(ACCOUNT);
    let program = home.start();
    let line = format!("GET /v1/apps/{APP}/appusers");
    let status = |who: &Who| ask(&program, who, &line, &Value::Null);
    assert_eq!(status(&account()).status, 200);
    super::refused(&status(&super::jwt(serde_json::json!({ "scope": "account" }))), 403, "forbidden");
    for claims in
        [serde_json::json!({ "scope": "app" }), serde_json::json!({ "scope": "appUser", "userId": "bob" })]
    {
        let who = jwt_of("act_demo", "the-key-of-the-account", &claims);
        super::refused(&status(&who), 403, "forbidden");
    }
    let unknown = ask(&program, &account(), "GET /v1/apps/nobodys/appusers", &Value::Null);
    super::refused(&unknown, 400, "bad_request");
    let unknown = ask(&program, &account(), "GET /v2/apps/nobodys/users", &Value::Null);
    assert_eq!((unknown.status, &unknown.json()["errors"][0]["code"]), (404, &"app_not_found".into()));
}

#[test]
fn an_app_user_learns_nothing_of_others_not_even_whether_they_are_there() {
    let program = Home::new().start();
    let somebody = super::create(&program, "somebody");
    for line in [
        "GET /v1/appusers/NAME",
        "PUT /v1/appusers/NAME",
        "GET /v1/appusers/NAME/channels",
        "POST /v1/appusers/NAME/events",
        "PUT /v1/appusers/NAME/devices/d1",
    ] {
        let body = serde_json::json!({ "name": "seen" });
        let answers = ["somebody", somebody.as_str(), "nobody", "ffffffffffffffffffffffff"]
            .map(|name| ask(&program, &user("bob"), &line.replace("NAME", name), &body));
        for answer in &answers {
            super::refused(answer, 403, "forbidden");
            assert_eq!(answer.text, answers[0].text, "{line}");
        }
    }
    super::refused(&ask(&program, &user("bob"), "GET /v1/appusers/bob", &Value::Null), 404, "not_found");
}

#[test]
fn only_the_methods_of_an_address_are_taken_in_every_shape() {
    let program = Home::new().start();
    let v1 = ask(&program, &app(), "PATCH /v1/appusers/bob", &Value::Null);
    super::refused(&v1, 405, "method_not_allowed");
    assert!(v1.header("allow").unwrap().contains("PUT"), "{v1:?}");
    for (line, status, code) in [
        ("PUT /v2/apps/APP/users/bob", 405, "method_not_allowed"),
        ("GET /v2/apps/APP/nothing", 404, "not_found"),
        ("GET /v2/nothing", 404, "not_found"),
        ("GET /v2/apps/APP/appUsers/bob", 404, "not_found"),
    ] {
        let answer = ask(&program, &app(), &line.replace("APP", APP), &Value::Null);
        assert_eq!(
            (answer.status, &answer.json()["errors"][0]["code"]),
            (status, &code.into()),
            "{answer:?}"
        );
        assert_eq!(answer.header("allow").is_some(), status == 405, "{answer:?}");
    }
    assert_eq!(
        program.metric("rollcall_http_requests_total{route=\"/v1/appusers/{id}\",status=\"405\"}"),
        1.0
    );
}
