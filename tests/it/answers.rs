//! Every line of the table of answers, and of the rules about apps and limits.

mod bodies;
mod limits;
mod trouble;

use serde_json::json;

use crate::support::{APP, Answer, Home, Program, SECRET, first_message};

const TWO_APPS: &str = r#"
[[apps]]
id = "5698edbf2a43bd081be982f1"
webhook_secrets = ["demo-webhook-secret"]
keys = [{ id = "app_demo", secret = "demo-key-secret-change-me" }]
[[apps]]
id = "other"
webhook_secrets = ["the-secret-of-the-other-app"]
keys = [{ id = "app_other", secret = "the-other-key-secret" }]
"#;
const OTHER_SECRET: &str = "the-secret-of-the-other-app";

fn stored(answer: &Answer) -> bool {
    (answer.status, answer.text.as_str()) == (200, "{}")
}

fn requests(program: &Program, outcome: &str) -> f64 {
    program.metric(&format!("rollcall_webhook_requests_total{{outcome=\"{outcome}\"}}"))
}

fn rejected(program: &Program, reason: &str) -> f64 {
    program.metric(&format!("rollcall_webhook_rejected_total{{reason=\"{reason}\"}}"))
}

/// A message of an app user, in the name of an app.
fn message_of(app: &str, id: &str) -> String {
    first_message(id, 1.0).replace(APP, app)
}

#[test]
fn a_stored_event_is_answered_200_with_an_empty_object() {
    let home = Home::new();
    let program = home.start();
    let answer = program.webhook(first_message("a", 1.0));
    assert!(stored(&answer), "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!((home.rows("journal"), requests(&program, "stored")), (1, 1.0));
}

#[test]
fn a_repeated_event_is_answered_200_and_not_stored_again() {
    let home = Home::new();
    let program = home.start();
    for _ in 0..3 {
        assert!(stored(&program.webhook(first_message("a", 1.0))));
    }
    assert_eq!(home.rows("journal"), 1);
    assert_eq!((requests(&program, "stored"), requests(&program, "repeated")), (1.0, 2.0));
}

#[test]
fn a_trigger_without_effect_is_answered_200_and_journalled() {
    let home = Home::new();
    let program = home.start();
    let v1 = json!({ "trigger": "weather:changed", "app": { "_id": APP }, "weather": { "_id": "a" } });
    let v2 =
        json!({ "app": { "id": APP }, "events": [{ "id": "1", "type": "weather:changed", "payload": {} }] });
    for body in [v1, v2] {
        assert!(stored(&program.webhook(body.to_string())), "{body}");
    }
    assert_eq!(home.find::<i64>("SELECT count(*) FROM journal WHERE outcome = 'kept'"), 2);
    assert_eq!(program.app_user("a").status, 404);
    assert_eq!(program.metric("rollcall_events_total{outcome=\"kept\"}"), 2.0);
}

#[test]
fn a_v2_body_without_events_is_answered_200_and_changes_nothing() {
    let home = Home::new();
    let program = home.start();
    assert!(stored(&program.webhook(json!({ "app": { "id": APP }, "events": [] }).to_string())));
    assert_eq!((home.rows("journal"), home.rows("quarantine")), (0, 0));
}

#[test]
fn an_unusable_body_is_answered_200_and_quarantined_as_received() {
    let deep = format!("{{\"trigger\":\"x\",\"a\":{}{}}}", "[".repeat(64), "]".repeat(64));
    let many: Vec<_> = (0..3).map(|n| json!({ "id": n, "type": "user:update" })).collect();
    for (reason, body) in [
        ("not_json", String::new()),
        ("not_json", "{".to_owned()),
        ("not_json", "hello".to_owned()),
        ("wrong_shape", "[]".to_owned()),
        ("wrong_shape", "\"text\"".to_owned()),
        ("wrong_shape", "{}".to_owned()),
        ("wrong_shape", json!({ "trigger": 5, "appUser": { "_id": "a" } }).to_string()),
        ("wrong_shape", json!({ "events": [{ "id": "1" }] }).to_string()),
        ("too_deep", deep),
        ("no_app_user", json!({ "trigger": "message:appUser" }).to_string()),
        ("no_app_user", json!({ "trigger": "merge:appUser", "surviving": { "_id": "a" } }).to_string()),
        ("no_app_user", json!({ "events": [{ "type": "user:update", "payload": {} }] }).to_string()),
        ("future_dated", first_message("a", 4_102_444_800.0)),
        ("too_many_events", json!({ "events": many }).to_string()),
    ] {
        let home = Home::with("[limits]\nwebhook_events = 2");
        let program = home.start();
        let answer = program.webhook(&body);
        assert!(stored(&answer), "{reason}: {body}: {answer:?}");
        let kept: String = home.find("SELECT reason FROM quarantine");
        assert_eq!((home.rows("quarantine"), &*kept), (1, reason), "{body}");
        assert_eq!(home.find::<Vec<u8>>("SELECT body FROM quarantine"), body.as_bytes());
        assert_eq!(home.find::<String>("SELECT app FROM quarantine"), APP);
        let headers: String = home.find("SELECT headers FROM quarantine");
        assert!(headers.contains("x-api-key: ***\n") && !headers.contains(SECRET), "{headers}");
        assert_eq!(home.rows("journal"), 0, "{reason}: {body}");
        assert_eq!(requests(&program, "quarantined"), 1.0);
        assert_eq!(program.metric("rollcall_events_total{outcome=\"quarantined\"}"), 1.0);
        assert!(program.all_app_users().is_empty());
    }
}

#[test]
fn one_bad_event_of_a_v2_body_goes_to_quarantine_and_the_others_are_stored() {
    let home = Home::new();
    let program = home.start();
    let user = |id: &str| json!({ "id": id, "type": "user:update", "payload": { "user": { "id": id } } });
    let bad = json!({ "id": "x", "type": "user:update", "payload": {} });
    let body = json!({ "app": { "id": APP }, "events": [user("a"), bad, user("b")] });
    assert!(stored(&program.webhook(body.to_string())));
    assert_eq!((home.rows("journal"), home.rows("quarantine"), program.all_app_users().len()), (2, 1, 2));
}

#[test]
fn a_body_full_of_bad_events_goes_to_quarantine_once_with_a_short_reason() {
    let home = Home::new();
    let program = home.start();
    let bad = |n: usize| json!({ "id": format!("e{n}"), "type": "user:update", "payload": {} });
    let mut events: Vec<_> = (0..900).map(bad).collect();
    events.push(json!({ "id": "x", "type": "user:update", "payload": { "user": { "id": "a" } } }));
    assert!(stored(&program.webhook(json!({ "app": { "id": APP }, "events": events }).to_string())));
    assert_eq!((home.rows("journal"), home.rows("quarantine"), program.all_app_users().len()), (1, 1, 1));
    assert_eq!(home.find::<String>("SELECT reason FROM quarantine"), "no_app_user");
    let detail: String = home.find("SELECT detail FROM quarantine");
    assert!(detail.contains("events[0]: ") && detail.contains("; events[1]: "), "{detail}");
    assert!(detail.ends_with(" more") && detail.len() < 3000, "{detail}");
    assert_eq!(program.metric("rollcall_events_total{outcome=\"quarantined\"}"), 900.0);
}

#[test]
fn a_wrong_or_missing_secret_is_401_counted_by_reason_and_the_body_is_not_stored() {
    let home = Home::new();
    let program = home.start();
    let body = first_message("stranger-7f3a", 1.0);
    for (reason, headers) in [
        ("no_secret", &[][..]),
        ("wrong_secret", &[("x-api-key", "wrong")]),
        ("wrong_secret", &[("x-api-key", "")]),
        ("malformed_secret", &[("x-api-key", SECRET), ("x-api-key", SECRET)]),
        ("malformed_secret", &[("x-hub-signature-256", "sha1=00")]),
    ] {
        let before = rejected(&program, reason);
        let answer = program.request("POST", "/webhooks", headers, body.as_bytes());
        assert_eq!((answer.status, answer.code().as_str()), (401, "unauthorized"), "{headers:?}");
        assert_eq!(rejected(&program, reason), before + 1.0, "{headers:?}");
    }
    assert_eq!(requests(&program, "unauthorized"), 5.0);
    assert_eq!((home.rows("journal"), home.rows("quarantine"), home.rows("bodies")), (0, 0, 0));
    let line = program.wait_for_log("a webhook was refused");
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["bytes"], body.len(), "{line}");
    assert_eq!(line["sha256"].as_str().map(str::len), Some(64), "{line}");
    assert_eq!(line["source"], "127.0.0.1", "{line}");
    let log = program.stop();
    assert!(!log.contains("stranger-7f3a"), "{log}");
}

#[test]
fn the_secret_decides_which_app_a_body_goes_to() {
    let home = Home::with(TWO_APPS);
    let program = home.start();
    let mut unnamed = serde_json::from_str::<serde_json::Value>(&message_of(APP, "x")).unwrap();
    unnamed.as_object_mut().unwrap().remove("app");
    let unnamed = unnamed.to_string();
    // The secret, the path, the body, the status, and in which app's journal or quarantine it is.
    for (secret, path, body, status, journal, quarantine) in [
        (SECRET, "", message_of(APP, "a"), 200, APP, ""),
        (OTHER_SECRET, "", message_of("other", "b"), 200, "other", ""),
        (OTHER_SECRET, "/other", message_of("other", "c"), 200, "other", ""),
        (OTHER_SECRET, "", unnamed.clone(), 200, "other", ""),
        (SECRET, "", unnamed.clone(), 200, APP, ""),
        (SECRET, "", message_of("other", "d"), 401, "", ""),
        (SECRET, "", message_of("nobody's", "d"), 401, "", ""),
        (SECRET, "/other", message_of("other", "d"), 401, "", ""),
        (SECRET, "/nobodys", message_of(APP, "d"), 401, "", ""),
        (SECRET, "/other", message_of(APP, "d"), 401, "", ""),
        (SECRET, "/other", "no json".to_owned(), 401, "", ""),
        (OTHER_SECRET, "/other", message_of(APP, "d"), 200, "", "other"),
        (OTHER_SECRET, "/other", message_of("nobody's", "d"), 200, "", "other"),
        (OTHER_SECRET, "/other", "no json".to_owned(), 200, "", "other"),
        (OTHER_SECRET, "", "no json".to_owned(), 200, "", "other"),
    ] {
        let rows = |table: &str, app: &str| -> i64 {
            home.find(&format!("SELECT count(*) FROM {table} WHERE app = '{app}'"))
        };
        let all = |table| [rows(table, APP), rows(table, "other")];
        let (before, held) = (all("journal"), all("quarantine"));
        let answer =
            program.request("POST", &format!("/webhooks{path}"), &[("x-api-key", secret)], body.as_bytes());
        assert_eq!(answer.status, status, "{secret} {path} {body}");
        let one_more = |before: [i64; 2], app| {
            [before[0] + i64::from(app == APP), before[1] + i64::from(app == "other")]
        };
        assert_eq!(all("journal"), one_more(before, journal), "{secret} {path} {body}");
        assert_eq!(all("quarantine"), one_more(held, quarantine), "{secret} {path} {body}");
    }
}

#[test]
fn an_app_that_is_not_the_secrets_is_answered_like_an_app_that_does_not_exist() {
    let home = Home::with(TWO_APPS);
    let program = home.start();
    let answer = |path: &str, body: &str| {
        let answer = program.request("POST", path, &[("x-api-key", SECRET)], body.as_bytes());
        let own = |name: &str| ["date", "x-request-id"].contains(&name);
        let headers: Vec<_> = answer.headers.into_iter().filter(|(name, _)| !own(name)).collect();
        (answer.status, headers, answer.text)
    };
    let unknown = answer("/webhooks/nobodys", &message_of("nobodys", "a"));
    assert_eq!(unknown.0, 401);
    for path in ["/webhooks/%00", "/webhooks/%zz", "/webhooks/%ff", "/webhooks/%C3"] {
        assert_eq!(answer(path, &message_of(APP, "a")), unknown, "{path}");
    }
    assert_eq!(answer("/webhooks/other", &message_of("other", "a")), unknown);
    assert_eq!(answer("/webhooks", &message_of("other", "a")), unknown);
    assert_eq!(answer("/webhooks", &message_of("nobodys", "a")), unknown);
}

#[test]
fn settings_with_one_secret_in_two_apps_are_refused_without_quoting_it() {
    let home = Home::with(&TWO_APPS.replace(OTHER_SECRET, SECRET));
    let Err((status, log)) = home.try_start() else { panic!("it started") };
    assert_eq!(status.code(), Some(78));
    assert!(log.contains("webhook_secrets") && !log.contains(SECRET), "{log}");
}
