//! Bounds that every database can hold, and members that only v2 has.

use serde_json::{Value, json};

use crate::feed::api;
use crate::operator_commands::run_alone;
use crate::support::{APP, Home, first_message};

/// The most bytes of an `_id`, a `userId` or the id of a client.
const NAME: usize = 1024;

fn letters(bytes: usize) -> String {
    "a".repeat(bytes)
}

/// A v1 webhook with names of so many bytes.
fn named(member: &str, bytes: usize) -> String {
    let mut body: Value = serde_json::from_str(&first_message("bob", 1_444_348_338.0)).unwrap();
    match member {
        "client" => body["appUser"]["clients"] = json!([{ "id": letters(bytes), "platform": "ios" }]),
        member => body["appUser"][member] = json!(letters(bytes)),
    }
    body.to_string()
}

#[test]
fn a_webhook_with_a_name_of_over_1024_bytes_goes_to_quarantine() {
    for member in ["_id", "userId", "client"] {
        let home = Home::new();
        let program = home.start();
        assert_eq!(program.webhook(named(member, NAME)).status, 200);
        assert_eq!((home.rows("journal"), home.rows("quarantine")), (1, 0), "{member}");
        assert_eq!(program.webhook(named(member, NAME + 1)).status, 200);
        assert_eq!((home.rows("journal"), home.rows("quarantine")), (1, 1), "{member}");
        assert_eq!(home.find::<String>("SELECT reason FROM quarantine"), "name_too_long");
    }
}

#[test]
fn a_call_with_a_name_of_over_1024_bytes_is_400() {
    let home = Home::new();
    let program = home.start();
    // Two bytes a letter: as characters these are within the bounds of v2.
    let long = "é".repeat(NAME / 2) + "a";
    let v1 = api(&program, "POST", "/v1/appusers", &json!({ "userId": long }));
    assert_eq!((v1.status, &v1.json()["error"]["code"]), (400, &json!("bad_request")), "{v1:?}");
    let device = json!({ "device": { "id": long, "platform": "ios" } });
    assert_eq!(api(&program, "POST", "/v1/init", &device).status, 400);
    let v2 = api(&program, "POST", &format!("/v2/apps/{APP}/users"), &json!({ "externalId": long }));
    assert_eq!((v2.status, v2.json()["errors"].is_array()), (400, true), "{v2:?}");
    let longest = json!({ "userId": "é".repeat(NAME / 2) });
    assert_eq!(api(&program, "POST", "/v1/appusers", &longest).status, 201);
}

#[test]
fn a_word_is_found_by_its_first_255_bytes() {
    let home = Home::new();
    let program = home.start();
    let mut body: Value = serde_json::from_str(&first_message("bob", 1_444_348_338.0)).unwrap();
    body["appUser"]["surname"] = json!(letters(255) + "b");
    assert_eq!(program.webhook(body.to_string()).status, 200);
    for (q, found) in [(letters(255), 1), (letters(255) + "c", 1), ("b".to_owned() + &letters(254), 0)] {
        let answer = program.get(&format!("/v1/appusers?q={q}"));
        assert_eq!(answer.json()["appUsers"].as_array().map(Vec::len), Some(found), "{q}: {answer:?}");
    }
}

/// Stores words as a program did that did not bound them: in the row and in the index.
fn store_words(home: &Home, words: &str) {
    let sql = home.sql();
    let forget = "INSERT INTO search (search, rowid, words)
                      SELECT 'delete', rowid, words FROM app_users WHERE listed";
    sql.execute(forget, ()).unwrap();
    sql.execute("UPDATE app_users SET words = ?1 WHERE listed", [words]).unwrap();
    sql.execute("INSERT INTO search (rowid, words) SELECT rowid, words FROM app_users WHERE listed", ())
        .unwrap();
}

#[test]
fn a_directory_with_words_of_before_the_bounds_is_whole_and_one_with_other_words_is_not() {
    let many: Vec<String> = (0..1100).map(|n| format!("w{n}")).collect();
    for (surname, more) in [(letters(300), ""), (many.join(" "), "w1099 w1098"), ("Doe".to_owned(), "")] {
        let home = Home::new();
        let program = home.start();
        let mut body: Value = serde_json::from_str(&first_message("bob", 1_444_348_338.0)).unwrap();
        body["appUser"]["surname"] = json!(surname);
        body["appUser"]["userId"] = json!("bob");
        assert_eq!(program.webhook(body.to_string()).status, 200);
        program.stop();
        let bounded: String = home.find("SELECT words FROM app_users WHERE listed");
        let app = &bounded[..6];
        let mut before =
            bounded.replace(&format!("{app}{}", letters(255)), &format!("{app}{}", letters(300)));
        more.split_whitespace().for_each(|word| before.push_str(&format!(" {app}{word}")));
        let codes = |words: &str| {
            store_words(&home, words);
            ["verify", "rebuild --verify"].map(|command| {
                let words: Vec<&str> = command.split(' ').collect();
                run_alone(&home, &words).code
            })
        };
        let is_of_before = before != bounded;
        assert_eq!(is_of_before, surname != "Doe");
        assert_eq!(codes(&before), [Some(0); 2], "{surname}");
        // Of a row with too many words it is not known which of them are the first.
        if more.is_empty() {
            assert_eq!(codes(&format!("{before} {app}other")), [Some(1); 2], "{surname}");
        }
        let without_the_first = before.split_once(' ').unwrap().1;
        assert_eq!(codes(without_the_first), [Some(1); 2], "{surname}");
    }
}

#[test]
fn no_answer_of_v1_names_a_member_that_only_v2_has() {
    let home = Home::new();
    let program = home.start();
    let user = json!({ "id": "bob", "externalId": "b", "authenticated": true, "other": 1,
        "profile": { "givenName": "Bob", "avatarUrl": "https://example.com/b.png", "locale": "de", "more": 1 } });
    let event = json!({ "id": "e", "type": "user:update", "createdAt": "2024-03-01T10:00:00.000Z",
        "payload": { "user": user } });
    assert_eq!(program.webhook(json!({ "app": { "id": APP }, "events": [event] }).to_string()).status, 200);
    let changes = program.get("/v1/changes?since=0");
    assert_eq!(changes.json()["changes"][0]["fields"], json!(["userId", "givenName"]), "{changes:?}");
    let history = program.get("/v1/appusers/bob/history");
    let changed = history.json()["history"][0]["changed"].clone();
    let fields: Vec<&str> =
        changed.as_array().unwrap().iter().filter_map(|one| one["field"].as_str()).collect();
    assert_eq!(fields, ["givenName", "userId"], "{history:?}");
    let provenance = program.get("/v1/appusers/bob?include=provenance");
    let named: Vec<String> =
        provenance.json()["provenance"].as_object().unwrap().keys().map(ToString::to_string).collect();
    assert_eq!(named, ["givenName", "userId"], "{provenance:?}");
    for answer in [changes, history, provenance, program.get("/v1/appusers/bob")] {
        for member in ["v2.", "profile.", "avatarUrl", "authenticated"] {
            assert!(!answer.text.contains(member), "{member}: {answer:?}");
        }
    }
}
