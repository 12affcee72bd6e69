//! Every member that the document gives an answer is one that the program writes. The reverse holds for every answer
//! of every test: a closed schema refuses a member that it lacks, see `support/conform.rs`.

mod operators;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::calls;
use crate::support::{
    APP, Answer, Home, KEY_ID, KEY_SECRET, Program, basic, encoded, first_message, request, resolve,
    signed_with, until, valid,
};

/// The id of the app user with clients of all kinds.
const BOB: &str = "c7f6e6d6c3a637261bd9656f";
/// The id of the app user without a name.
const ANN: &str = "c7f6e6d6c3a637261bd96570";

/// The schemas of answers that other members may join: values that Smooch reports are shown as received, facts differ by
/// their kind, and this document is not described by itself.
const OPEN: [&str; 8] = [
    "AppUser",
    "Client",
    "HistoryEntry.decided",
    "HistoryEntry.decided.facts[]",
    "User",
    "User.profile",
    "describe.200",
    "listChannels.200.channels[]",
];

/// The members of the answers: those of the document, and those that were seen.
#[derive(Default)]
struct Members {
    documented: BTreeSet<String>,
    seen: BTreeSet<String>,
    open: BTreeSet<String>,
}

impl Members {
    /// Visits a schema along with a value, if there is one.
    fn visit(&mut self, schema: &'static Value, name: &str, value: Option<&Value>) {
        let name = schema["$ref"].as_str().and_then(|target| target.rsplit('/').next()).unwrap_or(name);
        let schema = resolve(schema);
        for part in ["allOf", "anyOf", "oneOf"].iter().filter_map(|word| schema[word].as_array()).flatten() {
            // Alternatives are told apart by the value.
            if value.is_none_or(|value| valid(part, value).is_ok()) {
                self.visit(part, name, value);
            }
        }
        let members = schema["properties"].as_object().into_iter().flatten();
        for (member, schema) in members {
            let path = format!("{name}.{member}");
            match value {
                None if !self.documented.insert(path.clone()) => {}
                None => self.visit(schema, &path, None),
                Some(value) => {
                    if let Some(value) = value.get(member) {
                        self.seen.insert(path.clone());
                        self.visit(schema, &path, Some(value));
                    }
                }
            }
        }
        if value.is_none() && schema["properties"].is_object() && schema["additionalProperties"] != false {
            self.open.insert(name.to_owned());
        }
        if let Some(schema) = schema.get("items") {
            let inner = format!("{name}[]");
            match value {
                None => self.visit(schema, &inner, None),
                Some(value) => {
                    let items = value.as_array().into_iter().flatten();
                    items.for_each(|item| self.visit(schema, &inner, Some(item)));
                }
            }
        }
        if let Some(other) = schema.get("additionalProperties").filter(|other| other.is_object()) {
            let inner = format!("{name}{{}}");
            match value {
                None => self.visit(other, &inner, None),
                Some(value) => {
                    let members = value.as_object().into_iter().flatten();
                    let others = members.filter(|(member, _)| schema["properties"].get(member).is_none());
                    others.for_each(|(_, member)| self.visit(other, &inner, Some(member)));
                }
            }
        }
    }

    /// Visits an answer of a call.
    fn answered(&mut self, operation: &str, answer: &Answer) -> Value {
        let found = calls().find(|(_, _, call, _)| call["operationId"] == operation);
        let (.., call, _) = found.unwrap_or_else(|| panic!("{operation} is no call"));
        let status = answer.status.to_string();
        let content = json_content(&call["responses"][&status]);
        let schema = content.unwrap_or_else(|| panic!("{operation}: {answer:?}"));
        self.visit(&schema["schema"], &format!("{operation}.{status}"), Some(&answer.json()));
        answer.json()
    }
}

fn json_content(response: &'static Value) -> Option<&'static Value> {
    resolve(response)["content"].get("application/json")
}

fn api(program: &Program, method: &str, path: &str, body: &Value) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    program.request(method, path, &[("authorization", &basic(KEY_ID, KEY_SECRET))], body.as_bytes())
}

fn admin(program: &Program, path: &str, kind: &str, body: &str) -> Answer {
    request(program.admin, "POST", path, &[("content-type", kind)], body.as_bytes()).unwrap()
}

/// A webhook of v1 and one of v2 with every member of an app user.
fn report_users(program: &Program) {
    let both = json!({ "integrationId": "i", "externalId": "+1", "displayName": "B", "avatarUrl": "https://x.example/a",
                       "lastSeen": "2024-03-01T10:00:00.000Z", "linkedAt": "2024-03-01T10:00:00.000Z", "raw": {},
                       "info": {}, "appVersion": "1", "pushNotificationToken": "p", "active": true });
    let client = |id: &str, platform: &str| {
        let mut client = both.clone();
        client["id"] = id.into();
        client["platform"] = platform.into();
        client
    };
    let message = json!({
        "trigger": "message:appUser", "app": { "_id": APP },
        "messages": [{ "_id": "m", "type": "text", "text": "Hi", "role": "appUser", "authorId": BOB, "received": 1.0,
                       "source": { "type": "whatsapp" } }],
        "appUser": { "_id": BOB, "userId": "bob", "givenName": "Bob", "surname": "Roe", "email": "b@x.example",
                     "signedUpAt": "2024-03-01T10:00:00.000Z", "properties": { "a": 1 },
                     "clients": [client("c", "whatsapp"), client("d", "ios")] },
    });
    let user = json!({ "id": BOB, "externalId": "bob", "zendeskId": "7", "brandId": "9", "displayName": "B",
                       "authenticated": true, "identities": [{ "value": "b@x.example", "type": "email" }],
                       "toBeRetained": true, "profile": { "avatarUrl": "https://x.example/a", "locale": "fr" } });
    let event = json!({ "id": "e", "type": "user:update", "createdAt": "2024-03-01T10:00:00.000Z", "payload": { "user": user } });
    let author = json!({ "type": "user", "userId": ANN, "displayName": "Ann", "user": { "id": ANN } });
    let first = json!({ "id": "f", "type": "conversation:message", "createdAt": "2024-03-01T10:00:00.000Z", "payload": {
        "conversation": { "id": "v" }, "message": { "id": "n", "received": "2024-03-01T10:00:00.000Z", "author": author,
        "content": { "type": "text", "text": "Hi" }, "source": { "type": "web" } } } });
    let v2 =
        json!({ "app": { "id": APP }, "webhook": { "id": "w", "version": "v2" }, "events": [event, first] });
    for body in [message, v2] {
        assert_eq!(program.webhook(body.to_string()).status, 200);
    }
}

/// An act with a detail.
fn audit(members: &mut Members, program: &Program) {
    let table = [("authorization", &*basic(KEY_ID, KEY_SECRET)), ("accept", "text/csv")];
    assert_eq!(program.request("GET", "/v1/appusers", &table, b"").status, 200);
    members.answered("listAudit", &program.admin("/audit?limit=1&action=export"));
}

/// Calls whose answers have the members that the examples of the document lack.
fn play(members: &mut Members) {
    let home = Home::with(&format!(
        "[[apps]]\nid = \"{APP}\"\ngcm_project = \"7\"\napp_token = \"demo-app-token\"\n\
         webhook_secrets = [\"demo-webhook-secret\"]\nkeys = [{{ id = \"{KEY_ID}\", secret = \"{KEY_SECRET}\" }}]\n"
    ));
    let program = home.start();
    report_users(&program);
    let bob = format!("/v1/appusers/{BOB}");
    members.answered("getAppUser", &api(&program, "GET", &bob, &Value::Null));
    members.answered("listChannels", &api(&program, "GET", &format!("{bob}/channels"), &Value::Null));
    let v2 = format!("/v2/apps/{APP}/users");
    for id in [BOB, ANN] {
        members.answered("getUser", &api(&program, "GET", &format!("{v2}/{id}"), &Value::Null));
    }
    members.answered("listClients", &api(&program, "GET", &format!("{v2}/{BOB}/clients"), &Value::Null));
    members.answered("listDevices", &api(&program, "GET", &format!("{v2}/{BOB}/devices"), &Value::Null));

    let create = |name: &str| {
        let answer = api(&program, "POST", "/v1/appusers", &json!({ "userId": name }));
        answer.json()["appUser"]["_id"].as_str().unwrap().to_owned()
    };
    let (eve, carl) = (create("eve"), create("carl"));
    let header = format!(r#"{{"alg":"HS256","typ":"JWT","kid":"{KEY_ID}"}}"#);
    let token = signed_with(&header, r#"{"scope":"appUser","userId":"eve"}"#, KEY_SECRET);
    let own = [("authorization", &*format!("Bearer {token}"))];
    assert_eq!(program.request("PUT", "/v1/appusers/eve", &own, br#"{"givenName":"Eve"}"#).status, 200);
    members.answered("getAppUser", &api(&program, "GET", "/v1/appusers/eve", &Value::Null));
    let merge = json!({ "surviving": { "_id": eve }, "discarded": { "_id": carl } });
    members.answered("mergeAppUsers", &api(&program, "POST", "/v1/appusers/merge", &merge));
    members.answered("listChanges", &api(&program, "GET", "/v1/changes?since=0", &Value::Null));
    members.answered("listChanges", &api(&program, "GET", "/v1/changes?since=ffffffffffff-1", &Value::Null));
    let history = format!("/v1/appusers/{eve}/history?include=body");
    members.answered("listHistory", &api(&program, "GET", &history, &Value::Null));

    let page = api(&program, "GET", &format!("{v2}?count=true&page[size]=1"), &Value::Null);
    let after = members.answered("listUsers", &page)["meta"]["afterCursor"].as_str().unwrap().to_owned();
    let page = format!("{v2}?page[size]=1&page[after]={}", encoded(&after));
    members.answered("listUsers", &api(&program, "GET", &page, &Value::Null));
    hold(members, &home, &program);
    members.answered(
        "importAppUsers",
        &admin(&program, &format!("/import?app={APP}"), "application/x-ndjson", "{}\n"),
    );
    members
        .answered("rebuild", &admin(&program, "/rebuild", "application/json", r#"{"rows":[],"derived":[]}"#));
    let session = program.sign_in("viewer");
    let shown = request(program.admin, "GET", "/session", &session.headers(), b"").unwrap();
    members.answered("showSession", &shown);
    audit(members, &program);
    let init = json!({ "device": { "id": "d1", "platform": "ios" } });
    members.answered("init", &api(&program, "POST", "/v1/init", &init));
    members.answered("describe", &program.request("GET", "/openapi.json", &[], b""));

    // A rebuild that is under way holds its files.
    std::fs::create_dir(home.path().join("rollcall.db.rebuild")).unwrap();
    let lock = std::fs::File::create(home.path().join("rollcall.db.rebuild.lock")).unwrap();
    lock.lock().unwrap();
    let erase =
        || api(&program, "DELETE", &format!("/v1/appusers/{carl}?erase=true&only=true"), &Value::Null);
    members.answered("deleteAppUser", &erase());
    drop(lock);
    members.answered("deleteAppUser", &erase());
    members.answered("listHistory", &api(&program, "GET", &history, &Value::Null));
    let merge = program.admin("/journal?trigger=api:merge").json()["entries"][0]["seq"].clone();
    members.answered("getJournalEntry", &program.admin(&format!("/journal/{merge}")));
    members.answered("listAudit", &program.admin("/audit"));
}

/// Bodies in quarantine, more than one call redrives.
fn hold(members: &mut Members, home: &Home, program: &Program) {
    for n in 0..2 {
        assert_eq!(program.webhook(format!("not JSON {n}")).status, 200);
    }
    for (operation, path) in [
        ("listJournal", "/journal"),
        ("listQuarantine", "/quarantine?limit=1"),
        ("getQuarantined", "/quarantine/1"),
    ] {
        members.answered(operation, &program.admin(path));
    }
    let more = "WITH RECURSIVE n(seq) AS (SELECT 3 UNION ALL SELECT seq + 1 FROM n WHERE seq < 1001)
                INSERT INTO quarantine SELECT n.seq, app, received, reason, detail, headers, body
                FROM quarantine, n WHERE quarantine.seq = 1";
    home.sql().execute_batch(more).unwrap();
    let all = admin(program, "/quarantine/redrive", "application/json", r#"{"filter":{},"expect":1001}"#);
    members.answered("redriveMany", &all);
}

/// A history whose beginning retention has removed.
fn trim(members: &mut Members) {
    let program = Home::with("[retention]\nhistory_entries = 10\n").start();
    for n in 0..40 {
        assert_eq!(program.webhook(first_message("u", f64::from(n))).status, 200);
    }
    let history = || api(&program, "GET", "/v1/appusers/u/history?include=body", &Value::Null);
    until("the journal is trimmed", || history().json().get("oldest").is_some());
    members.answered("listHistory", &history());
    let program = Home::with("[retention]\nbodies_bytes = \"1KB\"\n").start();
    for n in 0..40 {
        assert_eq!(program.webhook(first_message("u", f64::from(n))).status, 200);
    }
    let first = || program.admin("/journal/1");
    until("the bodies are trimmed", || first().json()["entry"]["hasBody"] == false);
    members.answered("getJournalEntry", &first());
}

#[test]
fn every_documented_member_of_an_answer_is_written_and_no_other() {
    let mut members = Members::default();
    for (.., call, _) in calls() {
        // A call under several bases has one description.
        let operation = call.get("x-same-as").unwrap_or(&call["operationId"]).as_str().unwrap();
        for (status, response) in call["responses"].as_object().unwrap() {
            let Some(content) = json_content(response) else { continue };
            let name = format!("{operation}.{status}");
            members.visit(&content["schema"], &name, None);
            for example in content["examples"].as_object().into_iter().flatten().map(|(_, example)| example) {
                members.visit(&content["schema"], &name, Some(&resolve(example)["value"]));
            }
        }
    }
    let open: Vec<&str> = members.open.iter().map(String::as_str).collect();
    assert_eq!(open, OPEN, "every other schema of an answer is closed");
    play(&mut members);
    operators::ask_as_operators(&mut members);
    operators::ask_about_the_service(&mut members);
    operators::ask_about_jobs(&mut members);
    trim(&mut members);
    let missing: Vec<&String> = members.documented.difference(&members.seen).collect();
    assert_eq!(missing, Vec::<&String>::new(), "no answer has these");
    assert!(members.documented.len() > 150);
}
