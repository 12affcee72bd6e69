//! What an operator without `personal_data` gets: no value of a person in any answer, however it is asked for.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};

use super::{ask, ask_with, masked};
use crate::support::{
    APP, Answer, DOCUMENT, Home, KEY_ID, KEY_SECRET, METHODS, PATIENCE, Program, basic, is_on, proof_of,
};

/// In every value of a person that a test sends, and in no answer.
const CANARY: &str = "canary";
pub const BOB: &str = "c7f6e6d6c3a637261bd9656f";
pub const ANN: &str = "c7f6e6d6c3a637261bd96570";
pub const CAT: &str = "c7f6e6d6c3a637261bd96571";

/// A client with a canary in every member that may have one.
fn client(n: u32, platform: &str) -> Value {
    let c = |member: &str| format!("{CANARY}-{member}-{n}");
    json!({
        "id": c("id"), "_id": c("other"), "deviceId": c("device"), "clientId": c("client"), "platform": platform,
        "active": true, "displayName": c("name"), "externalId": c("external"), "integrationId": c("integration"),
        "avatarUrl": c("avatar"), "pushNotificationToken": c("token"), "raw": { "phoneNumber": c("phone") },
        "info": { "userAgent": c("agent"), "currentUrl": c("url"), c("key"): 1 }, "custom": c("custom"),
        "lastSeen": "2024-03-01T10:00:00.000Z", "linkedAt": "2024-03-01T10:00:00.000Z",
        "appVersion": if platform == "ios" { "1.10".to_owned() } else { c("version") },
    })
}

fn app_user(id: &str, n: u32) -> Value {
    let c = |member: &str| format!("{CANARY}-{member}-{n}");
    json!({
        "_id": id, "userId": c("userId"), "givenName": c("given"), "surname": c("surname"), "displayName": c("display"),
        "email": format!("{}@example.com", c("mail")), "avatarUrl": c("avatar"), c("unknownMember"): c("unknown"),
        "Canary Roe": 1, "hasPaymentInfo": true,
        "signedUpAt": "2024-03-01T10:00:00.000Z", "properties": { c("key"): c("value"), "plan": c("plan"), "age": 7_319_111 },
        "clients": [client(n, "whatsapp"), client(n + 100, "ios")],
        "pendingClients": [{ "id": c("pending"), "platform": "twilio", "displayName": c("pendingName") }],
    })
}

fn message(id: &str, n: u32) -> Value {
    json!({
        "trigger": "message:appUser", "app": { "_id": APP },
        "messages": [{ "_id": format!("m{n}"), "type": "text", "text": format!("{CANARY}-text"), "role": "appUser",
                       "authorId": id, "name": format!("{CANARY}-author"), "received": 1_700_000_000 + n,
                       "source": { "type": "whatsapp" } }],
        "appUser": app_user(id, n),
    })
}

/// The service with canaries in every field of three app users, by webhooks of both versions and by calls.
pub fn seeded() -> Program {
    let program = Home::new().start_for(masked("vera"));
    for (id, n) in [(BOB, 1), (ANN, 2), (CAT, 3)] {
        assert_eq!(program.webhook(message(id, n).to_string()).status, 200);
    }
    let user = json!({
        "id": BOB, "externalId": "canary-userId-1", "zendeskId": "canary-zendesk", "brandId": "7",
        "displayName": "canary-display", "identities": [{ "type": "email", "value": "canary@example.com" }],
        "canary of v2": "canary",
        "profile": { "canary of a profile": "canary", "givenName": "canary-given", "avatarUrl": "canary-avatar", "locale": "fr" },
        "metadata": { "canary-metadata": "canary" },
    });
    let event = json!({ "id": "e", "type": "user:update", "createdAt": "2024-03-01T10:00:00.000Z", "payload": { "user": user } });
    let v2 = json!({ "app": { "id": APP }, "webhook": { "id": "w", "version": "v2" }, "events": [event] });
    assert_eq!(program.webhook(v2.to_string()).status, 200);
    let merge = json!({ "surviving": { "_id": ANN }, "discarded": { "_id": "canary-userId-3" } });
    for (method, path, body) in [
        (
            "PUT",
            "/v1/appusers/canary-userId-2",
            json!({ "email": "canary@set", "properties": { "canary-set": "canary" } }),
        ),
        (
            "POST",
            "/v1/appusers/canary-userId-2/events",
            json!({ "name": "canary-event", "appUser": { "surname": "canary" } }),
        ),
        (
            "PUT",
            "/v1/appusers/canary-userId-1/devices/canary-id-101",
            json!({ "info": { "canary": "canary" } }),
        ),
        (
            "POST",
            "/v1/init",
            json!({ "device": { "id": "canary-new", "platform": "web" }, "userId": "canary-userId-2" }),
        ),
        ("POST", "/v1/appusers", json!({ "userId": "canary-made", "givenName": "canary" })),
        ("POST", "/v1/appusers/merge", merge),
    ] {
        let answer = crate::feed::api(&program, method, path, &body);
        assert!(answer.status < 300, "{path}: {answer:?}");
    }
    program
}

/// Fails if an answer has a value of a person.
pub fn is_clean(what: &str, answer: &Answer) {
    let whole = format!("{:?}\n{}", answer.headers, answer.text).to_lowercase();
    for value in [CANARY, "7319111", "twilio"] {
        assert!(!whole.contains(value), "{what} has {value}: {answer:?}");
    }
}

fn at(path: &str) -> String {
    format!("/v1/apps/{APP}{path}")
}

/// The answer to a request, which has no value of a person.
fn clean(program: &Program, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let answer = ask_with(program, method, &at(path), headers, body);
    is_clean(&format!("{method} {path}"), &answer);
    answer
}

/// A page of server-sent events, as far as the first chunk with data.
fn stream(program: &Program, path: &str) -> String {
    let mut stream = TcpStream::connect(program.admin).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let admin = program.admin;
    let proof = proof_of(admin).unwrap();
    let head = format!(
        "GET {path} HTTP/1.1\r\nhost: {admin}\r\nauthorization: {proof}\r\naccept: text/event-stream\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let (mut text, mut buffer) = (String::new(), [0; 65536]);
    while text.matches("\ndata: ").count() < 2 {
        let read = stream.read(&mut buffer).unwrap();
        assert!(read > 0, "{text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    text
}

/// Requests to the calls of the users API, and which were asked.
struct Tour {
    program: Program,
    visited: BTreeSet<(String, &'static str)>,
}

impl Tour {
    /// The answer to a request, which has this status and no value of a person.
    fn see(&mut self, method: &str, route: &'static str, query: &str, body: &Value, status: u16) -> Value {
        self.see_with(method, route, query, &[], body, status)
    }

    fn see_with(
        &mut self,
        method: &str,
        route: &'static str,
        query: &str,
        headers: &[(&str, &str)],
        body: &Value,
        status: u16,
    ) -> Value {
        self.visited.insert((method.to_owned(), route));
        let path = format!("{}{query}", route.replace("{id}", BOB).replace("{device}", "d"));
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = clean(&self.program, method, &path, headers, &body);
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        answer.json()
    }

    fn read(&mut self, route: &'static str, query: &str) -> Value {
        self.see("GET", route, query, &Value::Null, 200)
    }
}

/// Reads one app user, its history and the feed in every form.
fn read_all(tour: &mut Tour) {
    let page = tour.read("/appusers", "?count=exact&sort=-lastSeen&limit=1");
    assert_eq!(page["count"], 3);
    let next = page["links"]["next"].as_str().unwrap().split_once('?').unwrap().1;
    tour.read("/appusers", &format!("?{next}"));
    let shown = tour.read("/appusers/{id}", "");
    let left_out = json!([
        "clients",
        "email",
        "givenName",
        "pendingClients",
        "properties",
        "surname",
        "unknownMembers",
        "userId"
    ]);
    assert_eq!(shown["appUser"]["masked"], left_out);
    let client = json!({ "active": true, "appVersion": "1.10", "lastSeen": "2024-03-01T10:00:00.000Z",
                         "linkedAt": "2024-03-01T10:00:00.000Z", "platform": "ios" });
    assert!(shown["appUser"]["clients"].as_array().unwrap().contains(&client), "{shown}");
    for query in ["?include=group,provenance", "?asOf=1", "?asOf=2100-01-01", "?asOf=4&include=provenance"] {
        tour.read("/appusers/{id}", query);
    }
    let history = tour.read("/appusers/{id}/history", "?limit=1000");
    let changed = history["history"].as_array().unwrap().last().unwrap()["changed"].as_array().unwrap();
    assert!(changed.iter().any(|one| one["field"] == "email" && one["masked"] == true), "{history}");
    tour.see("GET", "/appusers/{id}/history", "?include=body", &Value::Null, 403);
    tour.see("GET", "/persons/{id}", "", &Value::Null, 403);
    tour.read("/appusers/{id}/channels", "");
    tour.see("GET", "/persons/{id}", "", &Value::Null, 403);
    for query in ["", "?snapshot=true"] {
        tour.read("/changes", query);
    }
    for query in ["?envelope=cloudevents", "?snapshot=true&envelope=cloudevents"] {
        assert_eq!(clean(&tour.program, "GET", &format!("/changes{query}"), &[], "").status, 200);
    }
}

/// Changes that an operator without `personal_data` may make, and those that have values.
fn change_all(tour: &mut Tour) {
    for (method, route, body) in [
        ("POST", "/init", json!({ "device": { "id": "d", "platform": "web" } })),
        ("POST", "/appusers", json!({ "userId": "somebody" })),
        ("PUT", "/appusers/{id}", json!({ "givenName": "X" })),
        ("PUT", "/appusers/{id}/devices/{device}", json!({ "appVersion": "1" })),
        ("POST", "/appusers/{id}/events", json!({ "name": "x" })),
    ] {
        tour.see(method, route, "", &body, 403);
    }
    let merge = json!({ "surviving": { "_id": BOB }, "discarded": { "_id": CAT } });
    tour.see("POST", "/appusers/merge", "", &merge, 200);
    tour.read("/appusers/{id}/history", "");
    tour.see("POST", "/appusers/{id}/unmerge", "", &json!({ "discarded": { "_id": ANN } }), 200);
    // Nobody has this `_id`.
    for method in ["GET", "PUT", "DELETE"] {
        tour.see(method, "/appusers/merge", "", &Value::Null, 404);
    }
    tour.see("DELETE", "/appusers/{id}/profile", "", &Value::Null, 200);
    tour.see_with("DELETE", "/appusers/{id}", "", &[("if-match", "\"abc\"")], &Value::Null, 403);
    tour.see("DELETE", "/appusers/{id}", "", &Value::Null, 200);
    assert_eq!(tour.read("/tombstones/{id}", "")["state"], "removed");
    tour.read("/appusers/{id}/history", "");
}

#[test]
fn no_answer_of_any_route_has_a_value_of_a_person() {
    let mut tour = Tour { program: seeded(), visited: BTreeSet::new() };
    read_all(&mut tour);
    change_all(&mut tour);
    for path in ["/changes?snapshot=true", "/changes"] {
        let text = stream(&tour.program, &at(path));
        assert!(!text.to_lowercase().contains(CANARY), "{path}: {text}");
    }
    // A call that this test forgets fails it.
    for (path, item) in DOCUMENT["paths"].as_object().unwrap().iter().filter(|(_, item)| is_on(item, true)) {
        let Some(route) = path.strip_prefix("/v1/apps/{app}") else { continue };
        for method in METHODS.iter().filter(|method| item.get(method).is_some()) {
            assert!(tour.visited.contains(&(method.to_uppercase(), route)), "{method} {route} was not asked");
        }
    }
}

#[test]
fn nobody_can_be_found_by_a_value_that_is_masked() {
    let program = seeded();
    for filter in [
        "q=canary",
        "appVersion=canary-version-1",
        "userId=canary-userId-1",
        "email=x",
        "identityEmail=x",
        "property.plan=canary-plan-1",
    ] {
        for count in ["", "&count=exact"] {
            let answer = ask(&program, "GET", &at(&format!("/appusers?{filter}{count}")), "");
            assert_eq!((answer.status, answer.code().as_str()), (403, "forbidden"), "{filter}: {answer:?}");
            assert!(answer.text.contains("personal_data"), "{answer:?}");
        }
    }
    for kind in ["text/csv", "application/x-ndjson"] {
        let answer = clean(&program, "GET", "/appusers", &[("accept", kind)], "");
        assert_eq!(answer.status, 403, "{kind}: {answer:?}");
    }
    // Somebody's userId, and nobody's: one answer.
    let names = ["canary-userId-1", "nobody-has-this"];
    for path in ["", "/history", "/channels", "?asOf=2", "?include=provenance"] {
        let [one, other] =
            names.map(|name| ask(&program, "GET", &at(&format!("/appusers/{name}{path}")), ""));
        assert_eq!((one.status, &one.text), (404, &other.text), "{path}");
    }
    for (method, path) in [("DELETE", ""), ("DELETE", "/profile"), ("DELETE", "?erase=true")] {
        let [one, other] =
            names.map(|name| ask(&program, method, &at(&format!("/appusers/{name}{path}")), ""));
        assert_eq!((one.status, &one.text), (404, &other.text), "{method} {path}");
    }
    for role in ["surviving", "discarded"] {
        let [one, other] = names.map(|name| {
            let mut merge = json!({ "surviving": { "_id": BOB }, "discarded": { "_id": ANN } });
            merge[role]["_id"] = name.into();
            ask(&program, "POST", &at("/appusers/merge"), &merge.to_string())
        });
        assert_eq!((one.status, &one.text), (404, &other.text), "{role}");
    }
    let named = ask(&program, "GET", &at(&format!("/appusers/{BOB}?brandId=7")), "");
    assert_eq!(named.status, 403, "a brand is for userIds: {named:?}");
}

#[test]
fn the_tag_of_a_masked_answer_does_not_tell_whether_a_hidden_value_changed() {
    let program = seeded();
    let tag = |program: &Program| {
        clean(program, "GET", &format!("/appusers/{BOB}"), &[], "").header("etag").unwrap().to_owned()
    };
    let before = tag(&program);
    let whole = program.get(&format!("/v1/appusers/{BOB}"));
    assert_ne!(whole.header("etag"), Some(&*before));
    let change = json!({ "givenName": "canary-other" });
    crate::feed::api(&program, "PUT", &format!("/v1/appusers/{BOB}"), &change);
    assert_eq!(tag(&program), before);
    let known = clean(&program, "GET", &format!("/appusers/{BOB}"), &[("if-none-match", &before)], "");
    assert_eq!(known.status, 304);
}

#[test]
fn the_audit_log_has_no_text_that_a_caller_chose() {
    let program = seeded();
    let key = basic(KEY_ID, KEY_SECRET);
    let named = [("x-request-id", "canary-request"), ("authorization", key.as_str())];
    let body = json!({ "givenName": "canary" }).to_string();
    let path = format!("/v1/appusers/{BOB}");
    assert_eq!(program.request("PUT", &path, &named, body.as_bytes()).status, 200);
    let page = ask(&program, "GET", "/audit", "");
    is_clean("a page", &page);
    let page = page.json();
    assert_eq!(
        (&page["entries"][0]["action"], &page["entries"][0]["_ids"]),
        (&json!("update"), &json!([BOB]))
    );
    assert_eq!(page["entries"][0]["masked"], json!(["requestId"]));
    let table = ask_with(&program, "GET", "/audit", &[("accept", "text/csv")], "");
    assert!(table.status == 200 && table.text.contains(BOB), "{table:?}");
    is_clean("a table", &table);
}
