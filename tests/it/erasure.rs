//! Erasure removes all data of a person from every file, permanently, and no data of others.

mod bodies;
mod encodings;
mod later_events;
mod leftovers;
mod page_remains;
mod random;
mod single_id;
mod spelled;
pub mod traces;

use std::process::Output;

use rollcall::directory::open_reader;
use rollcall::store::readers::LaneReader as _;

use serde_json::{Value, json};

use crate::feed::api;
use crate::rebuild::Rebuilt;
use crate::support::{APP, Answer, Home, Program, encoded};
use traces::Traces;

/// All data of the person, and no data of others, contains this.
pub const CANARY: &str = "kanarie";

/// A message of an app user, with all its known members.
pub fn message(id: &str, received: f64, user: &Value, text: &str) -> String {
    let mut app_user = json!({ "_id": id });
    app_user.as_object_mut().unwrap().extend(user.as_object().unwrap().clone());
    json!({
        "trigger": "message:appUser",
        "app": { "_id": APP },
        "messages": [{ "_id": format!("m-{id}-{received}"), "type": "text", "text": text, "role": "appUser",
                       "authorId": id, "received": received, "source": { "type": "messenger" } }],
        "appUser": app_user,
    })
    .to_string()
}

/// The data of the person.
fn person(n: usize) -> Value {
    let of = |what: &str| format!("{CANARY}-{what}-{n}");
    json!({
        "userId": format!("{CANARY}/é-user"), "givenName": of("given"), "surname": of("surname"),
        "email": format!("{}@example.org", of("email")), "hobby": of("unforeseen"),
        "properties": { of("key"): of("value") },
        "clients": [{ "id": of("client"), "platform": "whatsapp", "active": true, "displayName": of("display"),
                      "lastSeen": "2020-01-01T00:00:00Z" }],
    })
}

fn merge(surviving: &str, discarded: &str) -> String {
    let user = |id: &str| match id.starts_with('p') {
        true => json!({ "_id": id, "userId": format!("{CANARY}/é-user") }),
        false => json!({ "_id": id }),
    };
    let (surviving, discarded) = (user(surviving), json!([user(discarded)]));
    json!({ "trigger": "merge:appUser", "app": { "_id": APP }, "timestamp": 1_600_000_100.0,
            "surviving": surviving, "discarded": discarded })
    .to_string()
}

/// One body about the person and another app user.
fn both() -> String {
    let event = |id: &str, of: &str, text: &str| {
        json!({ "id": format!("e-{id}"), "type": "conversation:message", "createdAt": "2020-09-13T12:28:00.000Z",
                "payload": { "conversation": { "id": "c", "type": "personal" },
                             "message": { "id": format!("m-{id}"), "received": "2020-09-13T12:28:00.000Z",
                                          "author": { "type": "user", "userId": id,
                                                      "user": { "id": id, "metadata": { "says": of } } },
                                          "content": { "type": "text", "text": text } } } })
    };
    let events =
        [event("p1", &format!("{CANARY}-v2"), &format!("{CANARY} talks")), event("other", "kept", "hello")];
    json!({ "app": { "id": APP }, "webhook": { "id": "w", "version": "v2" }, "events": events }).to_string()
}

/// Bodies of Smooch's about the person; the last two cannot be used.
fn bodies() -> Vec<String> {
    let mut bodies: Vec<String> = (0..4)
        .map(|n| message("p1", 1_600_000_000.0 + n as f64, &person(n), &format!("{CANARY} says {n}")))
        .collect();
    bodies.push(message("p2", 1_600_000_010.0, &person(7), &format!("{CANARY} of p2")));
    bodies.push(merge("p1", "p2"));
    bodies.push(both());
    bodies.push(
        json!({ "trigger": "never:heardOf", "app": { "_id": APP }, "who": { "userId": format!("{CANARY}/é-user") } })
            .to_string(),
    );
    bodies.push(message("p1", 9_600_000_000.0, &person(0), "from the future"));
    bodies.push(format!("{{\"trigger\":\"message:appUser\",\"appUser\":{{\"_id\":\"p1\",\"userId\":\"{CANARY}/\\u00e9-user\",,"));
    bodies
}

fn ok(answer: Answer) -> Answer {
    assert!(answer.status < 300, "{answer:?}");
    answer
}

/// The person is created here, reported by Smooch, merged, changed and followed, beside others.
fn live(program: &Program) {
    let user_id = format!("{CANARY}/é-user");
    let made = json!({ "userId": user_id, "givenName": format!("{CANARY}-made") }).to_string();
    let key = crate::support::basic(crate::support::KEY_ID, crate::support::KEY_SECRET);
    let headers =
        [("authorization", key.as_str()), ("content-type", "application/json"), ("idempotency-key", "once")];
    ok(program.request("POST", "/v1/appusers", &headers, made.as_bytes()));
    for n in 0..20 {
        let of = |what: &str| format!("{what}-{n}");
        let other = json!({ "userId": of("someone"), "properties": { "plan": of("plan") } });
        ok(program.webhook(message(&of("other"), 1_600_000_000.0, &other, "Hi")));
    }
    ok(program.webhook(message("other", 1_600_000_000.0, &json!({ "userId": "somebody" }), "Hi")));
    for body in bodies() {
        ok(program.webhook(body));
    }
    let path = format!("/v1/appusers/{}", encoded(&user_id));
    let device = json!({ "id": format!("{CANARY}-device"), "platform": "web", "info": { "at": CANARY } });
    ok(api(program, "POST", "/v1/init", &json!({ "device": device, "userId": user_id })));
    ok(api(
        program,
        "PUT",
        &path,
        &json!({ "surname": format!("{CANARY}-put"), "properties": { "x": CANARY } }),
    ));
    ok(api(program, "POST", &format!("{path}/events"), &json!({ "name": format!("{CANARY}-event") })));
}

/// The views of the others, and the history of one of them.
fn others(program: &Program) -> Vec<Value> {
    let all = program.all_app_users().into_iter();
    all.filter(|user| user["_id"].as_str().is_some_and(|id| id.starts_with("other"))).collect()
}

fn erase(home: &Home, program: &Program, args: &[&str]) -> Output {
    let to = format!("http://{}", program.listen);
    let args = [&["erase", "--app", APP, "--to", &to], args].concat();
    home.command(&args).output().unwrap()
}

fn is_rebuilt(home: &Home) {
    let mut reader = open_reader(&home.database()).unwrap();
    // The journal may be trimmed meanwhile.
    reader.in_one_snapshot(|reader| {
        Rebuilt::afresh(reader).compare_all(reader);
    });
    let verified = home.command(&["rebuild", "--verify"]).output().unwrap();
    let said = [verified.stdout, verified.stderr].concat();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&said));
}

/// The settings of retention: the whole journal, its last entries, or entries without bodies.
const SETTINGS: [&str; 3] =
    ["", "[retention]\nhistory_entries = 12\n", "[retention]\nbodies_bytes = 1\nfeed_changes = 5\n"];

#[test]
fn nothing_of_a_person_is_left_in_any_file_and_nothing_comes_back() {
    for settings in SETTINGS {
        let home = Home::with(settings);
        let program = home.start();
        live(&program);
        home.sql().execute_batch("ANALYZE").unwrap();
        let before = others(&program);
        assert_eq!(before.len(), 21);
        assert!(Traces::of(&home).found() > 10, "they are there before");

        let erased = erase(&home, &program, &[&format!("{CANARY}/é-user")]);
        assert!(erased.status.success(), "{erased:?}");
        let receipt: Value = serde_json::from_slice(&erased.stdout).unwrap();
        let receipt = &receipt["erasure"];
        assert_eq!(receipt["complete"], true, "{receipt}");
        assert_eq!(receipt["_ids"].as_array().unwrap().len(), 3, "{receipt}");
        for place in ["records", "identifiers", "journalEntries", "keptAnswers", "quarantined"] {
            assert!(receipt["erased"][place].as_u64().unwrap() > 0, "{place}: {receipt}");
        }
        Traces::of(&home).nothing_in("the files of the running service");
        is_rebuilt(&home);

        for body in bodies() {
            ok(program.webhook(body));
        }
        let late = message("p1", 1_700_000_000.0, &person(3), &format!("{CANARY} comes late"));
        for body in [&late, &late, &merge("p1", "p3"), &merge("other", "p1"), &merge("p2", "p1")] {
            ok(program.webhook(body));
        }
        let unmerge = json!({ "discarded": { "_id": "p2" } });
        assert_eq!(api(&program, "POST", "/v1/appusers/p1/unmerge", &unmerge).status, 404);
        for gone in ["p1", "p2", "p3", &format!("{CANARY}/é-user")] {
            assert_eq!(program.app_user(gone).status, 404, "{gone}");
        }
        let again = erase(&home, &program, &["p1"]);
        assert_eq!(serde_json::from_slice::<Value>(&again.stdout).unwrap()["erasure"]["seq"], receipt["seq"]);
        assert!(
            erase(&home, &program, &["p3"]).status.success(),
            "who was merged into them is erased as well"
        );
        Traces::of(&home).nothing_in("the files after late webhooks");
        is_rebuilt(&home);
        assert_eq!(others(&program), before, "nobody else lost anything");

        program.stop();
        Traces::of(&home).nothing_in("the files after the end");
        let program = home.start();
        assert_eq!(program.app_user("p1").status, 404);
        assert_eq!(others(&program), before);
        let device = json!({ "device": { "id": format!("{CANARY}-device"), "platform": "web" } });
        let user = ok(api(&program, "POST", "/v1/init", &device)).json()["appUser"].clone();
        assert_eq!((&user["properties"], user.get("givenName")), (&json!({}), None), "a new person: {user}");
        is_rebuilt(&home);
    }
}

#[test]
fn the_feed_has_every_erased_id_and_no_number_is_missing() {
    let home = Home::new();
    let program = home.start();
    live(&program);
    let mut copy = crate::feed::follower::Copy::default();
    copy.poll(&program, 7);
    assert!(copy.users.contains_key("p1"));
    ok(api(&program, "DELETE", "/v1/appusers/p1?erase=true", &json!({})));
    let page = program.get(&format!("/v1/changes?since={}", copy.seq)).json();
    let told: Vec<&Value> = page["changes"].as_array().unwrap().iter().collect();
    assert!(told.iter().all(|change| change["kind"] == "erased" && change["fields"] == json!([])), "{page}");
    assert_eq!(told.len(), 3);
    copy.poll(&program, 7);
    copy.is_the_directory(&program);
    let mut afresh = crate::feed::follower::Copy::default();
    afresh.poll(&program, 7);
    assert_eq!((afresh.seq, &afresh.users), (copy.seq, &copy.users));
    let v2 = format!("/v2/apps/{APP}/users/other-1?erase=true");
    assert_eq!(ok(api(&program, "DELETE", &v2, &json!({}))).json()["erasure"]["complete"], true);
    for (query, status) in [
        ("erase=maybe", 400),
        ("only=true", 400),
        ("only=false", 400),
        ("erase=false&only=false", 400),
        ("erase=true", 404),
    ] {
        assert_eq!(
            api(&program, "DELETE", &format!("/v1/appusers/nobody?{query}"), &json!({})).status,
            status
        );
    }
    let history = program.get("/v1/appusers/p1/history?include=body").json();
    let history = history["history"].as_array().unwrap();
    assert!(history.len() == 1 && history[0]["trigger"] == "api:erase", "{history:?}");
    assert_eq!(program.get("/v1/appusers/p1?asOf=5").status, 404);
}

#[test]
fn an_erasure_that_was_broken_off_is_finished_by_the_next_start() {
    let home = Home::new();
    let program = home.start();
    live(&program);
    // While a reader uses the log, the log cannot be truncated.
    let reader = home.sql();
    reader.execute_batch("BEGIN; SELECT count(*) FROM journal").unwrap();
    ok(program.webhook(message("other", 1_600_000_099.0, &json!({}), "Hi")));
    let answer = api(&program, "DELETE", "/v1/appusers/p1?erase=true", &json!({}));
    assert_eq!((answer.status, &answer.json()["erasure"]["complete"]), (202, &json!(false)), "{answer:?}");
    program.kill();
    drop(reader);
    let program = home.start();
    let receipt = ok(api(&program, "DELETE", "/v1/appusers/p1?erase=true", &json!({})));
    assert_eq!((receipt.status, &receipt.json()["erasure"]["complete"]), (200, &json!(true)), "{receipt:?}");
    Traces::of(&home).nothing_in("the files after the second start");
}

#[test]
fn a_file_that_was_written_before_is_made_anew_once() {
    let home = Home::new();
    let program = home.start();
    live(&program);
    program.stop();
    let sql = home.sql();
    let old = "PRAGMA secure_delete = OFF; PRAGMA wal_autocheckpoint = 0;
               CREATE TABLE old (text TEXT); INSERT INTO old SELECT 'kanarie' || value FROM
                   (WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n LIMIT 2000) SELECT value FROM n);
               DROP TABLE old; UPDATE horizon SET clean = 0; PRAGMA wal_checkpoint(TRUNCATE)";
    sql.execute_batch(old).unwrap();
    drop(sql);
    assert!(Traces::of(&home).found() > 1000, "the pages hold what was deleted");
    let program = home.start();
    assert_eq!(home.find::<i64>("SELECT clean FROM horizon"), 1);
    let found = program.get("/v1/appusers?q=someone-3").json();
    assert_eq!(found["appUsers"][0]["_id"], "other-3", "the lists go by the same rows: {found}");
    assert!(erase(&home, &program, &["p1"]).status.success());
    Traces::of(&home).nothing_in("the file that was made anew");
    assert_eq!(home.find::<String>("PRAGMA integrity_check"), "ok");
}

#[test]
fn the_export_of_a_person_is_complete_and_has_no_data_of_others() {
    let home = Home::new();
    let program = home.start();
    live(&program);
    let export = |user: &str| home.command(&["export", "--user", user]).output().unwrap();
    let file = export(&format!("{CANARY}/é-user"));
    assert!(file.status.success(), "{file:?}");
    let file: Value = serde_json::from_slice(&file.stdout).unwrap();
    assert_eq!(file["appUser"], program.app_user("p1").json()["appUser"]);
    assert_eq!(
        (file["ids"].as_array().unwrap().len(), &file["provenance"]["surname"]["trigger"]),
        (3, &json!("api:update"))
    );
    let text = file.to_string();
    for what in ["says 3", "of p2", "-event", "-made", "-put", "-device", "talks", "from the future"] {
        assert!(text.contains(what), "{what}");
    }
    assert_eq!(file["quarantine"].as_array().unwrap().len(), 2, "{}", file["quarantine"]);
    assert!(!text.contains("someone-"), "of nobody else");
    assert_eq!(export("nobody").status.code(), Some(1));
    program.stop();
    assert!(export("p2").status.success(), "without a service as well");
    let erased = home.command(&["erase", "p1", "--to", "http://127.0.0.1:9"]).output().unwrap();
    assert_eq!(erased.status.code(), Some(69), "{erased:?}");
}
