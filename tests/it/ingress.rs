//! W1 to W9: the authentication of webhooks.
//!
//! W3, the time of comparisons, is measured in instructions. From outside, an unknown app, a wrong secret and another
//! app's secret have answers that are equal byte for byte.

mod addresses;
mod constant_time;
mod signed;

use serde_json::json;
use sha2::Digest;

use crate::support::{APP, Answer, Connection, Home, Program, SECRET, basic, first_message};

const TWO_APPS: &str = r#"
[[apps]]
id = "5698edbf2a43bd081be982f1"
webhook_secrets = ["demo-webhook-secret"]
[[apps]]
id = "other"
webhook_secrets = ["the-secret-of-the-other-app"]
"#;

/// HMAC as in RFC 2104, so that the test shares no code with the program.
pub fn hmac<D: Digest>(block: usize, key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut key = if key.len() > block { D::digest(key).to_vec() } else { key.to_vec() };
    key.resize(block, 0);
    let pad = |with: u8| key.iter().map(|byte| byte ^ with).collect::<Vec<u8>>();
    let inner = D::new().chain_update(pad(0x36)).chain_update(message).finalize();
    D::new().chain_update(pad(0x5c)).chain_update(inner).finalize().to_vec()
}

fn post(program: &Program, headers: &[(&str, &str)], body: &str) -> Answer {
    program.request("POST", "/webhooks", headers, body.as_bytes())
}

/// Everything of an answer but its date and its own name.
fn seen(answer: Answer) -> (u16, Vec<(String, String)>, String) {
    let own = |name: &str| ["date", "x-request-id"].contains(&name);
    let headers = answer.headers.into_iter().filter(|(name, _)| !own(name)).collect();
    (answer.status, headers, answer.text)
}

fn refused(program: &Program, headers: &[(&str, &str)], what: &str) {
    let answer = post(program, headers, &first_message("forged", 1.0));
    assert_eq!((answer.status, answer.code().as_str()), (401, "unauthorized"), "{what}: {answer:?}");
}

/// W1.
#[test]
fn only_the_secret_itself_opens_the_target() {
    let home = Home::with(TWO_APPS);
    let program = home.start();
    let auth = format!("Bearer {SECRET}");
    let pair = basic(APP, SECRET);
    for (what, headers) in [
        ("none", &[][..]),
        ("an empty one", &[("x-api-key", "")]),
        ("a prefix", &[("x-api-key", "demo-webhook-secre")]),
        ("a suffix", &[("x-api-key", "emo-webhook-secret")]),
        ("one letter more", &[("x-api-key", "demo-webhook-secrets")]),
        ("one letter before", &[("x-api-key", "xdemo-webhook-secret")]),
        ("another case", &[("x-api-key", "Demo-Webhook-Secret")]),
        ("the last letter wrong", &[("x-api-key", "demo-webhook-secreT")]),
        ("quoted", &[("x-api-key", "\"demo-webhook-secret\"")]),
        ("with its scheme", &[("x-api-key", "Bearer demo-webhook-secret")]),
        ("twice in one header", &[("x-api-key", "demo-webhook-secret, demo-webhook-secret")]),
        ("twice", &[("x-api-key", SECRET), ("x-api-key", SECRET)]),
        ("right and wrong", &[("x-api-key", SECRET), ("x-api-key", "wrong")]),
        ("wrong and right", &[("x-api-key", "wrong"), ("x-api-key", SECRET)]),
        ("empty and right", &[("x-api-key", ""), ("x-api-key", SECRET)]),
        ("not ASCII", &[("x-api-key", "démo-webhook-secret")]),
        ("full width", &[("x-api-key", "ｄemo-webhook-secret")]),
        ("a tab inside", &[("x-api-key", "demo-webhook\t-secret")]),
        ("percent-encoded", &[("x-api-key", "demo%2Dwebhook%2Dsecret")]),
        ("another app's, for a body of this one", &[("x-api-key", "the-secret-of-the-other-app")]),
        ("the app's id", &[("x-api-key", APP)]),
        ("in another header", &[("api-key", SECRET)]),
        ("as app token", &[("app-token", SECRET)]),
        ("as Authorization", &[("authorization", &auth)]),
        ("as Basic", &[("authorization", &pair)]),
        ("as cookie", &[("cookie", "x-api-key=demo-webhook-secret")]),
        ("long", &[("x-api-key", &*"x".repeat(20_000))]),
    ] {
        refused(&program, headers, what);
    }
    let query = format!("/webhooks?x-api-key={SECRET}&secret={SECRET}");
    let answer = program.request("POST", &query, &[], first_message("forged", 1.0).as_bytes());
    assert_eq!(answer.status, 401, "W8: in the query it counts for nothing");
    assert_eq!((home.rows("journal"), home.rows("quarantine"), home.rows("bodies")), (0, 0, 0));
    for (what, header) in [
        ("as it is", ("x-api-key", SECRET)),
        ("any case of the name", ("X-API-Key", SECRET)),
        ("white space around it is HTTP's", ("x-api-key", "  demo-webhook-secret\t ")),
    ] {
        assert_eq!(post(&program, &[header], &first_message("real", 1.0)).status, 200, "{what}");
    }
}

#[test]
fn bytes_that_no_secret_has_are_401_or_no_http() {
    let home = Home::new();
    let program = home.start();
    for (key, status) in
        [(&b"\xff\xfe\xfd"[..], 401), (b"demo-webhook-secret\x00", 400), (b"demo-webhook-secret\x0b", 400)]
    {
        let mut connection = Connection::open(program.listen);
        connection.send(
            [b"POST /webhooks HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nx-api-key: ", key, b"\r\n\r\n{}"]
                .concat(),
        );
        assert_eq!(connection.answer().unwrap().status, status, "{key:?}");
    }
    assert_eq!(home.rows("quarantine"), 0);
}

/// W3, as far as it can be seen.
#[test]
fn unknown_app_wrong_secret_and_another_apps_secret_are_answered_byte_for_byte_alike() {
    let home = Home::with(TWO_APPS);
    let program = home.start();
    let body = |app: &str| first_message("forged", 1.0).replace(APP, app);
    let ask = |path: &str, secret: &str, app: &str| {
        seen(program.request("POST", path, &[("x-api-key", secret)], body(app).as_bytes()))
    };
    let wrong = ask("/webhooks", "wrong", APP);
    assert_eq!(wrong.0, 401);
    for (path, secret, app) in [
        ("/webhooks", "wrong", "nobodys"),
        ("/webhooks", "the-secret-of-the-other-app", APP),
        ("/webhooks", SECRET, "other"),
        ("/webhooks", SECRET, "nobodys"),
        ("/webhooks/nobodys", SECRET, "nobodys"),
        ("/webhooks/nobodys", "wrong", "nobodys"),
        ("/webhooks/other", SECRET, "other"),
        (&format!("/webhooks/{APP}"), "wrong", APP),
    ] {
        assert_eq!(ask(path, secret, app), wrong, "{path} {secret} {app}");
    }
    let hub = |value: &str| seen(post(&program, &[("x-hub-signature-256", value)], &body(APP)));
    assert_eq!(hub(&format!("sha256={}", "0".repeat(64))), wrong, "a wrong signature as well");
}

/// W2.
#[test]
fn two_secrets_are_accepted_while_they_rotate_and_the_removed_one_is_refused() {
    let with = |secrets: &str| format!("[[apps]]\nid = \"{APP}\"\nwebhook_secrets = [{secrets}]\n");
    let mut home = Home::with(&with("\"the-old-secret\""));
    for (secrets, old, new) in [
        ("\"the-old-secret\"", 200, 401),
        ("\"the-old-secret\", \"the-new-secret\"", 200, 200),
        ("\"the-new-secret\", \"the-old-secret\"", 200, 200),
        ("\"the-new-secret\"", 401, 200),
    ] {
        home.settings = with(secrets);
        let program = home.start();
        for (secret, status) in [("the-old-secret", old), ("the-new-secret", new)] {
            assert_eq!(
                post(&program, &[("x-api-key", secret)], &first_message("a", 1.0)).status,
                status,
                "{secrets}"
            );
            let tag: String = hmac::<sha2::Sha256>(64, secret.as_bytes(), b"{}")
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            let signed = post(&program, &[("x-hub-signature-256", &format!("sha256={tag}"))], "{}");
            assert_eq!(signed.status, status, "{secrets}, signed");
        }
        program.stop();
    }
    assert_eq!(home.rows("journal"), 1, "whichever secret brought it");
}

/// W9.
#[test]
fn an_event_dated_more_than_a_day_ahead_goes_to_quarantine_and_pins_nothing() {
    let home = Home::new();
    let program = home.start();
    let now = jiff::Timestamp::now();
    let at = |hours: i64| now + jiff::SignedDuration::from_hours(hours);
    let seconds = |hours: i64| at(hours).as_second();
    let user = |name: &str| json!({ "_id": "a", "givenName": name });
    let read = |timestamp: serde_json::Value, name: &str| json!({ "trigger": "conversation:read", "app": { "_id": APP }, "timestamp": timestamp, "appUser": user(name) });
    let message = |received: i64, name: &str| {
        json!({ "trigger": "message:appUser", "app": { "_id": APP }, "appUser": user(name),
                "messages": [{ "_id": name, "role": "appUser", "received": received }] })
    };
    let v2 = |created: String, name: &str| {
        json!({ "app": { "id": APP }, "events": [{ "id": name, "type": "user:update", "createdAt": created,
                "payload": { "user": { "id": "a", "profile": { "givenName": name } } } }] })
    };
    let link = |seen: String| {
        json!({ "trigger": "link:match", "app": { "_id": APP },
                "appUser": { "_id": "a", "givenName": "linked", "clients": [{ "id": "c", "lastSeen": seen }] } })
    };
    for (what, body, believed) in [
        ("a read of today", read(seconds(0).into(), "today"), true),
        ("a read 25 h ahead", read(seconds(25).into(), "ahead"), false),
        ("a read in 2100", read(4_102_444_800_i64.into(), "ahead"), false),
        ("milliseconds for seconds", read((seconds(0) * 1000).into(), "ahead"), false),
        ("a time beyond every clock", read(serde_json::from_str("9e99").unwrap(), "ahead"), false),
        ("a message 25 h ahead", message(seconds(25), "ahead"), false),
        ("v2, 25 h ahead", v2(at(25).to_string(), "ahead"), false),
        ("v2, in 9999", v2("9999-12-30T00:00:00Z".to_owned(), "ahead"), false),
        ("a client last seen 25 h ahead", link(at(25).to_string()), false),
        ("a client last seen today", link(at(-1).to_string()), true),
        ("a message 22 h ahead", message(seconds(22), "tomorrow"), true),
        ("v2, 23 h ahead", v2(at(23).to_string(), "late tomorrow"), true),
    ] {
        let (journal, quarantine) = (home.rows("journal"), home.rows("quarantine"));
        assert_eq!(program.webhook(body.to_string()).status, 200, "{what}");
        assert_eq!(home.rows("journal"), journal + i64::from(believed), "{what}");
        assert_eq!(home.rows("quarantine"), quarantine + i64::from(!believed), "{what}");
    }
    assert_eq!(home.find::<i64>("SELECT count(*) FROM quarantine WHERE reason <> 'future_dated'"), 0);
    assert_eq!(program.app_user("a").json()["appUser"]["givenName"], "late tomorrow");
}

#[test]
fn how_far_ahead_is_believed_is_a_setting_and_one_event_ahead_leaves_its_neighbours_alone() {
    let home = Home::with("[ingest]\nfuture_tolerance = \"1h\"");
    let program = home.start();
    let event = |id: &str, hours: i64| {
        let created = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(hours);
        json!({ "id": id, "type": "user:update", "createdAt": created.to_string(), "payload": { "user": { "id": id } } })
    };
    let body = json!({ "app": { "id": APP }, "events": [event("a", 0), event("b", 2), event("c", -2)] });
    assert_eq!(program.webhook(body.to_string()).status, 200);
    assert_eq!((home.rows("journal"), home.rows("quarantine")), (2, 1));
    assert_eq!(["a", "b", "c"].map(|id| program.app_user(id).status), [200, 404, 200]);
}
