//! A byte order mark before a text is ignored (RFC 8259, section 8.1): everywhere that JSON is read, and in files.

use serde_json::{Value, json};

use super::update;
use crate::operator_commands::{run, run_alone};
use crate::support::{APP, Home, KEY_ID, KEY_SECRET, Program, SECRET, basic, first_message, request};

const MARK: &str = "\u{feff}";

fn marked(text: impl AsRef<str>) -> String {
    format!("{MARK}{}", text.as_ref())
}

#[test]
fn a_webhook_with_a_mark_is_the_webhook_without_it() {
    let v11 = json!({ "trigger": "typing:appUser", "version": "v1.1", "app": { "_id": APP }, "appUser": { "_id": "b" } });
    let bodies = [
        first_message("a", 1.0),
        v11.to_string(),
        update("e1", "c", "2020-02-25T18:06:37.547Z", "x").to_string(),
        format!(" \r\n{}\n", first_message("d", 2.0)),
    ];
    for first_marked in [true, false] {
        let home = Home::new();
        let program = home.start();
        for body in &bodies {
            for with_mark in [first_marked, !first_marked] {
                let body = if with_mark { marked(body) } else { body.clone() };
                let answer = program.webhook(&body);
                assert_eq!((answer.status, answer.header("x-rollcall-quarantined")), (200, None), "{body}");
            }
        }
        assert_eq!(
            (home.rows("quarantine"), home.rows("journal")),
            (0, 4),
            "each is repeated, whichever came first"
        );
        assert_eq!(program.all_app_users().len(), 4);
        program.stop();
        let folded = run_alone(&home, &["rebuild", "--verify"]);
        assert_eq!(folded.code, Some(0), "what is journalled with a mark is read again: {folded:?}");
    }
}

#[test]
fn one_mark_and_only_at_the_beginning() {
    let home = Home::new();
    let program = home.start();
    let good = first_message("a", 1.0);
    for bad in [marked(marked(&good)), format!(" {}", marked(&good)), marked(""), format!("{good}{MARK}")] {
        let answer = program.webhook(&bad);
        assert_eq!((answer.status, answer.header("x-rollcall-quarantined")), (200, Some("1")), "{bad:?}");
    }
    let reasons: i64 = home.find("SELECT count(*) FROM quarantine WHERE reason = 'not_json'");
    assert_eq!((reasons, program.all_app_users().len()), (4, 0));
}

fn ask(program: &Program, line: &str, body: &str) -> Value {
    let (method, path) = line.split_once(' ').unwrap();
    let key = basic(KEY_ID, KEY_SECRET);
    let headers = [("authorization", key.as_str()), ("content-type", "application/json")];
    let answer = program.request(method, path, &headers, body.as_bytes());
    assert!([200, 201].contains(&answer.status), "{line}: {answer:?}");
    answer.json()
}

#[test]
fn every_call_with_a_body_takes_a_mark() {
    let program = Home::new().start();
    let user = |id: &str| marked(json!({ "userId": id, "givenName": "N" }).to_string());
    ask(&program, "POST /v1/appusers", &user("bob"));
    ask(&program, "POST /v1.1/appusers", &user("ann"));
    ask(&program, &format!("POST /v2/apps/{APP}/users"), &marked(r#"{"externalId":"eve"}"#));
    ask(&program, "POST /v1/init", &marked(r#"{"device":{"id":"d1","platform":"ios"},"userId":"bob"}"#));
    ask(&program, "PUT /v1/appusers/bob/devices/d1", &marked(r#"{"appVersion":"2.0"}"#));
    ask(&program, "POST /v1/appusers/bob/events", &marked(r#"{"name":"seen"}"#));
    let changed = ask(&program, "PUT /v1/appusers/bob", &marked(r#"{"surname":"S"}"#));
    assert_eq!(changed["appUser"]["surname"], "S");
    let changed =
        ask(&program, &format!("PATCH /v2/apps/{APP}/users/eve"), &marked(r#"{"metadata":{"a":1}}"#));
    assert_eq!(changed["user"]["metadata"]["a"], 1);
    ask(&program, "PUT /v1/appusers/bob", MARK);
    let id = |name: &str| program.app_user(name).json()["appUser"]["_id"].clone();
    let merge = json!({ "surviving": { "_id": id("bob") }, "discarded": { "_id": id("ann") } });
    ask(&program, "POST /v1/appusers/merge", &marked(merge.to_string()));
    let headers = [("content-type", "application/json")];
    let nothing = marked(r#"{"rows":[],"derived":[]}"#);
    let rebuilt = request(program.admin, "POST", "/rebuild", &headers, nothing.as_bytes()).unwrap();
    assert_eq!(rebuilt.status, 200, "{rebuilt:?}");
}

#[test]
fn files_with_a_mark_are_imported_and_replayed() {
    let home = Home::new();
    let program = home.start();
    let file = |name: &str, text: String| {
        let path = home.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let line = |id: &str| json!({ "_id": id, "givenName": "N" }).to_string();
    let lines = file("people.ndjson", marked(format!("{}\n{}\n{MARK}\n", line("a"), marked(line("b")))));
    let table = file("people.csv", marked("_id,givenName\nc,N\n"));
    for (path, count) in [(&lines, 2), (&table, 1)] {
        for args in [&["import", "--json", "--dry-run", path][..], &["import", "--json", path]] {
            let ran = run(&home, &program, args).well();
            assert_eq!(ran.lines()[0]["imported"], count, "{args:?}: {ran:?}");
        }
    }
    let whole = file("one.json", marked(first_message("d", 1.0)));
    let many = file("many.jsonl", marked(format!("\n{}\n", marked(first_message("e", 2.0)))));
    for scheme in ["api-key", "hmac"] {
        let ran = run(&home, &program, &["replay", "--sign", scheme, &whole, &many]).well();
        assert!(!ran.err.contains("not JSON"), "{ran:?}");
    }
    assert_eq!((program.all_app_users().len(), home.rows("quarantine")), (5, 0));
}

#[test]
fn a_user_of_a_body_with_a_mark_can_be_erased() {
    let home = Home::new();
    let program = home.start();
    let told = |id: &str, told: Value| {
        let mut body: Value = serde_json::from_str(&first_message(id, 1.0)).unwrap();
        body["appUser"].as_object_mut().unwrap().extend(told.as_object().unwrap().clone());
        assert_eq!(program.webhook(marked(body.to_string())).status, 200);
    };
    told("5a7b1c2d3e4f5a6b7c8d9e0f", json!({ "email": "kanarie@example.org" }));
    told("5a7b1c2d3e4f5a6b7c8d9e10", json!({ "properties": { "friend": "5a7b1c2d3e4f5a6b7c8d9e0f" } }));
    let erased = ask(&program, "DELETE /v1/appusers/5a7b1c2d3e4f5a6b7c8d9e0f?erase=true", "");
    assert_eq!(erased["erasure"]["complete"], true);
    program.stop();
    let file = std::fs::read(home.database()).unwrap();
    assert!(memchr::memmem::find(&file, b"kanarie").is_none());
    let folded = run_alone(&home, &["rebuild", "--verify"]);
    assert_eq!(folded.code, Some(0), "{folded:?}");
}

#[test]
fn settings_and_secrets_in_files_may_have_a_mark() {
    let mut home = Home::with(&marked("[limits]\njson_depth = 8\n"));
    let secret = home.path().join("secret");
    std::fs::write(&secret, marked("a-secret-in-a-file\r\n")).unwrap();
    let name = "ROLLCALL__APPS__0__WEBHOOK_SECRETS__0_FILE".to_owned();
    home.env.push((name, secret.to_str().unwrap().to_owned()));
    let program = home.start();
    let send = |secret: &str| {
        program
            .request("POST", "/webhooks", &[("x-api-key", secret)], first_message("a", 1.0).as_bytes())
            .status
    };
    assert_eq!((send("a-secret-in-a-file"), send(SECRET)), (200, 401));
    let empty = Home::with(MARK);
    let ran = run_alone(&empty, &["check-config", "--config", "config.toml"]);
    assert_eq!(ran.code, Some(78), "a mark alone is an empty file: {ran:?}");
}
