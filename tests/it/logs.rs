//! C5, C6: no personal data and no secret is in a log, a metric or a refusal; and a log line is one JSON object, for
//! any content.
//!
//! Everything sent carries its own canary, and the program logs all it can.

mod routes;
mod unwritable;

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::support::{
    APP, Answer, Connection, Home, KEY_ID, KEY_SECRET, Program, SECRET, basic, encoded, until,
};

const SETTINGS: &str = r#"
[limits]
webhook_body = "64KiB"
[ingest]
group_members = 2
[[apps]]
id = "5698edbf2a43bd081be982f1"
name = "canary-app-name"
app_token = "canary-app-token"
webhook_secrets = ["demo-webhook-secret", "canary-second-secret"]
keys = [{ id = "app_demo", secret = "demo-key-secret-change-me" }, { id = "canary-key-id", secret = "canary-key-secret" }]
[[apps]]
id = "other"
webhook_secrets = ["canary-secret-of-the-other"]
"#;

/// Control characters and escapes that could harm a terminal or a parser of lines.
const NASTY: &str = "\u{1b}[2J\r\n{\"level\":\"ERROR\"}\u{2028}\u{7f}\u{0}\"\\";

/// A program that logs all it can, and the refusals it gave.
struct Watched {
    program: Program,
    refusals: String,
}

impl Watched {
    fn keep(&mut self, answer: &Answer, status: u16, what: &str) {
        assert_eq!(answer.status, status, "{what}: {answer:?}");
        if status != 200 {
            write!(self.refusals, "{answer:?}").unwrap();
        }
    }

    fn ask(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str, status: u16) {
        let answer = self.program.request(method, path, headers, body.as_bytes());
        self.keep(&answer, status, &format!("{method} {path}"));
    }

    fn hook(&mut self, body: &str) {
        self.ask("POST", "/webhooks", &[("x-api-key", SECRET)], body, 200);
    }
}

/// The home of a program that logs all it can and panics over one trigger.
fn talkative() -> Home {
    let mut home = Home::with(SETTINGS);
    home.env.push(("RUST_LOG".to_owned(), "trace".to_owned()));
    home.env.push(("ROLLCALL_PANIC_ON".to_owned(), "canary:trigger-panic".to_owned()));
    home
}

/// A user in the words of v1, each of its fields a canary.
fn full_user(id: &str) -> Value {
    let canary = |what: &str| format!("canary-{what}-{NASTY}");
    json!({
        "_id": id, "userId": canary("user-id"), "givenName": canary("given-name"), "surname": canary("surname"),
        "email": canary("email"), "signedUpAt": canary("signed-up-at"), "avatarUrl": canary("avatar"),
        "properties": { canary("property-key"): canary("property-value"), "nested": { canary("inner-key"): [canary("inner-value")] } },
        "clients": [{ "id": canary("client-id"), "platform": canary("platform"), "displayName": canary("display-name"),
                      "lastSeen": "2016-03-09T19:09:01.431Z", "active": true, "info": { "phone": canary("phone") } }],
        canary("unknown-key"): canary("unknown-value"),
    })
}

fn message(trigger: &str, id: &str) -> Value {
    json!({
        "trigger": trigger, "app": { "_id": APP, "name": "canary-name-of-app" },
        "messages": [{ "_id": "canary-message-id", "text": "canary-text", "name": "canary-author", "role": "appUser",
                       "authorId": id, "received": 1_444_348_338.704 }],
        "appUser": full_user(id),
    })
}

fn webhooks(watched: &mut Watched) {
    for trigger in [
        "message:appUser",
        "postback",
        "canary:trigger",
        "canary:trigger-panic",
        "link:failure",
        "appUser:delete",
    ] {
        watched.hook(&message(trigger, "an-id").to_string());
        watched.hook(&message(trigger, "an-id").to_string());
    }
    let v2_user = json!({ "id": "an-id-2", "externalId": "canary-external-id", "zendeskId": "canary-zendesk-id",
        "profile": { "givenName": "canary-profile", "locale": "canary-locale" }, "metadata": { "canary-metadata": "canary-metadata-value" },
        "identities": [{ "type": "email", "value": "canary-identity" }] });
    let event = |kind: &str, payload: Value| json!({ "id": "canary-event-id", "type": kind, "createdAt": "2020-02-25T18:06:37.547Z", "payload": payload });
    let merged = json!({ "mergedUsers": { "surviving": v2_user, "discarded": { "id": "an-id-3", "externalId": "canary-discarded" } },
        "mergedClients": { "discarded": [{ "id": "canary-merged-client" }] }, "discardedMetadata": { "k": "canary-discarded-metadata" } });
    for (kind, payload) in [
        ("user:update", json!({ "user": v2_user })),
        ("canary:type", json!({ "user": v2_user })),
        ("user:update", json!({ "user": { "externalId": "canary-without-id" } })),
        ("user:merge", merged),
    ] {
        watched.hook(&json!({ "app": { "id": APP }, "webhook": { "id": "canary-webhook-id" }, "events": [event(kind, payload)] }).to_string());
    }
    let discarded: Vec<Value> =
        (0..3).map(|n| json!({ "_id": format!("an-id-{n}"), "userId": "canary-too-many" })).collect();
    let too_large = json!({ "trigger": "merge:appUser", "app": { "_id": APP }, "surviving": { "_id": "s" }, "discarded": discarded });
    watched.hook(&too_large.to_string());
    for unusable in [
        "canary-no-json".to_owned(),
        "{\"canary-key-of-broken\": canary-value-of-broken".to_owned(),
        json!("canary-text-alone").to_string(),
        json!({ "canary-no-trigger": 1 }).to_string(),
        json!({ "trigger": { "canary-odd-trigger": 1 } }).to_string(),
        json!({ "trigger": "message:appUser", "appUser": { "userId": "canary-user-without-id" } })
            .to_string(),
        format!(
            "{{\"trigger\":\"canary-deep\",\"a\":{}1{}}}",
            "{\"canary-deep\":".repeat(80),
            "}".repeat(80)
        ),
        message("message:appUser", "an-id").to_string().replace("1444348338.704", "4102444800"),
    ] {
        watched.hook(&unusable);
    }
    let other_app = json!({ "trigger": "message:appUser", "app": { "_id": "canary-other-app" }, "appUser": full_user("an-id") });
    watched.ask("POST", &format!("/webhooks/{APP}"), &[("x-api-key", SECRET)], &other_app.to_string(), 200);
}

fn refused_webhooks(watched: &mut Watched) {
    let body = message("message:appUser", "an-id").to_string();
    for headers in [
        &[("x-api-key", "canary-wrong-secret")][..],
        &[("x-api-key", "canary-twice"), ("x-api-key", "canary-twice")],
        &[("x-hub-signature-256", "sha256=canary-signature")],
        &[
            ("webhook-id", "canary-id"),
            ("webhook-timestamp", "1"),
            ("webhook-signature", "v1,canary-signature"),
        ],
        &[
            ("app-token", "canary-app-token"),
            ("authorization", "Bearer canary-bearer"),
            ("cookie", "canary-cookie"),
        ],
        &[
            ("x-api-key", "canary-secret-of-the-other"),
            ("user-agent", "canary-agent"),
            ("x-forwarded-for", "canary-address"),
        ],
    ] {
        watched.ask("POST", "/webhooks", headers, &body, 401);
        watched.ask(
            "POST",
            "/webhooks/canary-app-in-path?canary-query=canary-query-value",
            headers,
            &body,
            401,
        );
    }
    let own = ("x-api-key", SECRET);
    watched.ask("POST", "/webhooks", &[own, ("content-encoding", "canary-encoding")], &body, 415);
    watched.ask("POST", "/webhooks", &[own], &"canary-large".repeat(6_000), 413);
    watched.ask(
        "PUT",
        "/webhooks/canary-path-of-put",
        &[own, ("canary-header", "canary-header-value")],
        &body,
        405,
    );
    watched.ask("GET", "/webhooks?canary-query", &[("referer", "https://canary-referer/")], "", 200);
    let mut connection = Connection::open(watched.program.listen);
    connection
        .send("POST /canary-path-of-broken HTTP/1.1\r\ncanary-broken-header : canary-broken-value\r\n\r\n");
    assert_eq!(connection.answer().unwrap().status, 400);
    let mut connection = Connection::open(watched.program.listen);
    connection.send(format!("GET /webhooks HTTP/1.1\r\nx: canary-{}\r\n\r\n", "canary".repeat(20_000)));
    assert_eq!(connection.answer().unwrap().status, 431);
    let mut connection = Connection::open(watched.program.listen);
    connection.send(format!(
        "POST /webhooks HTTP/1.1\r\nx-api-key: {SECRET}\r\ncontent-length: 90\r\n\r\ncanary-cut-off"
    ));
    drop(connection);
}

fn look_ups(watched: &mut Watched) {
    let own = basic(KEY_ID, KEY_SECRET);
    let own: &[(&str, &str)] = &[("authorization", &own), ("user-agent", "canary-agent")];
    let user_id = encoded(&format!("canary-user-id-{NASTY}").replace('\0', "\u{fffd}"));
    for base in ["/v1".to_owned(), "/v1.1".to_owned(), format!("/v1/apps/{APP}"), format!("/v1.1/apps/{APP}")]
    {
        watched.ask("GET", &format!("{base}/appusers/{user_id}?asOf=canary"), own, "", 400);
        watched.ask("GET", &format!("{base}/appusers/{user_id}"), own, "", 404);
        watched.ask("GET", &format!("{base}/appusers/canary-nobody"), own, "canary-body", 404);
        watched.ask("GET", &format!("{base}/appusers/%ffcanary-no-utf-8"), own, "", 400);
        watched.ask("GET", &format!("{base}/appusers/an-id-2"), own, "", 200);
        watched.ask("GET", &format!("{base}/appusers?after=canary-cursor"), own, "", 400);
        watched.ask("GET", &format!("{base}/appusers?limit=canary-limit"), own, "", 400);
        watched.ask("GET", &format!("{base}/appusers"), own, "", 200);
        watched.ask("DELETE", &format!("{base}/appusers/canary-path-of-delete/canary"), own, "", 404);
        watched.ask("PATCH", &format!("{base}/appusers/canary-path-of-patch"), own, "", 405);
    }
    watched.ask("GET", "/v1/apps/canary-app/appusers/canary-user", own, "", 400);
    watched.ask("GET", "/canary-nowhere/canary?canary=canary", own, "", 404);
    let token = |claims: &str, header: &str| {
        use base64::Engine as _;
        let encode = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
        let message = format!("{}.{}", encode(header), encode(claims));
        let tag = crate::ingress::hmac::<sha2::Sha256>(64, b"canary-key-secret", message.as_bytes());
        format!("Bearer {message}.{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(tag))
    };
    let header = r#"{"alg":"HS256","kid":"canary-key-id"}"#;
    for (credential, status) in [
        (token(r#"{"scope":"app","sub":"canary-subject"}"#, header), 404),
        (token(r#"{"scope":"appUser","userId":"canary-user-of-token"}"#, header), 403),
        (token(r#"{"scope":"canary-scope"}"#, header), 401),
        (token(r#"{"scope":"app","exp":"canary-exp"}"#, header), 401),
        (token(r#"{"scope":"app"}"#, r#"{"alg":"canary-alg","kid":"canary-key-id"}"#), 401),
        (token(r#"{"scope":"app"}"#, r#"{"alg":"HS256","kid":"canary-unknown-key-id"}"#), 401),
        ("Bearer canary.canary.canary".to_owned(), 401),
        ("canary-scheme canary-credential".to_owned(), 401),
        (basic("canary-user", "canary-password"), 401),
        (basic("canary-key-id", "canary-key-secret"), 404),
    ] {
        watched.ask("GET", "/v1/appusers/canary-name", &[("authorization", &credential)], "", status);
    }
}

/// Nothing that was sent is in it, and no secret.
fn has_no_canary(place: &str, text: &str) {
    for word in ["canary", "Y2FuYXJ5", SECRET, KEY_SECRET] {
        let found = text.to_lowercase().find(&word.to_lowercase());
        let around = found.map(|at| {
            text.get(at.saturating_sub(300)..).unwrap_or(text).chars().take(600).collect::<String>()
        });
        assert_eq!(around, None, "{word} is in {place}");
    }
}

#[test]
fn no_canary_gets_out_of_the_database_into_a_log_a_metric_or_a_refusal() {
    let home = talkative();
    let mut watched = Watched { program: home.start(), refusals: String::new() };
    webhooks(&mut watched);
    refused_webhooks(&mut watched);
    look_ups(&mut watched);
    let own = basic(KEY_ID, KEY_SECRET);
    // A refusal may name the unknown parameter: the caller wrote it.
    let named = watched.program.request(
        "GET",
        "/v1/appusers?canary-parameter=canary",
        &[("authorization", &own)],
        b"",
    );
    assert_eq!(named.status, 400);
    until("nothing is open", || watched.program.metric("rollcall_connections") == 0.0);
    let metrics =
        watched.program.admin("/metrics").text + &watched.program.admin("/canary-admin-path?canary").text;
    assert!(metrics.contains("rollcall_http_requests_total{route="), "{metrics}");
    let Watched { program, refusals } = watched;
    program.wait_for_log("a body goes to quarantine");
    let log = program.stop();
    for (place, text) in [("the log", &log), ("the metrics", &metrics), ("a refusal", &refusals)] {
        has_no_canary(place, text);
    }
    assert!(
        home.find::<i64>("SELECT count(*) FROM identifiers WHERE value LIKE '%canary-%'") > 0,
        "they did come in"
    );
}

#[test]
fn every_log_line_is_one_json_object_with_control_characters_escaped() {
    let home = talkative();
    let mut watched = Watched { program: home.start(), refusals: String::new() };
    webhooks(&mut watched);
    // An `_id` may appear in a log, so it is where a line could be broken.
    for id in [NASTY, "\u{1b}]0;title\u{7}", "line\nbreak", &"long".repeat(2_000)] {
        for trigger in ["message:appUser", "canary:trigger-panic", "appUser:delete"] {
            watched.hook(&message(trigger, id).to_string());
        }
        watched.hook(&json!({ "trigger": id, "app": { "_id": APP } }).to_string());
    }
    refused_webhooks(&mut watched);
    look_ups(&mut watched);
    let log = watched.program.stop();
    assert!(log.lines().count() > 10, "{log}");
    for line in log.split('\n') {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        for key in ["timestamp", "level", "target"] {
            assert!(value[key].is_string(), "{key}: {line}");
        }
        assert!(!line.chars().any(char::is_control), "{line:?}");
        assert!(line.len() < 4096, "a line has a bound: {} bytes", line.len());
    }
    assert_eq!(log.matches("{\"timestamp\"").count(), log.lines().count(), "no line has two");
}

#[test]
fn rust_log_goes_before_the_settings_and_the_settings_before_nothing() {
    for (settings, rust_log, expected) in [
        ("", None, true),
        ("[log]\nlevel = \"error\"", Some("info"), true),
        ("[log]\nlevel = \"trace\"", Some("info,rollcall::http=off"), false),
        ("", Some("rollcall=nonsense,((["), true),
    ] {
        let mut home = Home::with(settings);
        home.env.extend(rust_log.map(|level| ("RUST_LOG".to_owned(), level.to_owned())));
        let program = home.start();
        assert_eq!(program.request("POST", "/webhooks", &[], b"{}").status, 401);
        let log = program.stop();
        assert_eq!(log.contains("a webhook was refused"), expected, "{settings} {rust_log:?}: {log}");
        assert!(!log.contains("RUST_LOG") || rust_log.is_some_and(|levels| levels.contains("((")), "{log}");
    }
    for wrong in ["verbos", "info,verbos", "rollcall=nonsense", "Info rollcall=debug"] {
        let mut home = Home::new();
        home.env.push(("RUST_LOG".to_owned(), wrong.to_owned()));
        let log = home.start().stop();
        assert!(
            log.lines().next().unwrap().contains("RUST_LOG is ignored, log.level holds: "),
            "{wrong}: {log}"
        );
        assert!(log.contains("ready on"), "{wrong}: {log}");
    }
}

#[test]
fn strangers_cannot_fill_the_log_with_their_refusals() {
    let program = Home::new().start();
    let began = std::time::Instant::now();
    for _ in 0..300 {
        assert_eq!(program.request("POST", "/webhooks", &[], b"{}").status, 401);
    }
    let seconds = began.elapsed().as_secs() + 2;
    let lines = program.stop().matches("a webhook was refused").count() as u64;
    assert!((1..=seconds).contains(&lines), "{lines} lines in {seconds} s");
}
