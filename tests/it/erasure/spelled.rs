//! Spellings of an erased `_id`: in each of them it is found in every kind of body, before the erasure and after it.

use rollcall::directory::open_reader;
use serde_json::{Value, json};

use super::traces::Traces;
use super::{CANARY, erase, is_rebuilt, message, ok};
use crate::support::{APP, Home, Program, journal};

const PERSON: &str = "c7f6e6d6c3a637261bd9656f";
const OTHER: &str = "d7f6e6d6c3a637261bd96500";
/// Letters and digits, but no hexadecimal number; and several words.
const NAMED: [&str; 3] = [PERSON, "kunde4711", "kunde-4711/ost"];

fn each(id: &str, write: impl Fn(u32) -> String) -> String {
    id.chars().map(|c| write(u32::from(c))).collect()
}

/// The text that each spelling is, as a program holds it: none has an escape of JSON yet.
fn spellings(id: &str) -> Vec<String> {
    let quoted = json!({ "who": id }).to_string();
    let encoded = |text: &str| {
        text.bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
                byte => format!("%{byte:02X}"),
            })
            .collect::<String>()
    };
    let mut all = vec![
        id.to_owned(),
        format!("\n{id}\n"),
        format!("\t{id}\r\nGone"),
        format!("see\u{8}{id}"),
        format!("\\n{id}\\n"),
        format!("\\\\n{id}\\\\n"),
        format!("\\u0022{id}\\u0022"),
        format!("\\\\u0022{id}"),
        format!("%22{id}%22"),
        format!("%2522{id}%2522"),
        format!("%0a{id}%0a"),
        encoded(&quoted),
        encoded(&quoted).to_lowercase(),
        encoded(&encoded(&quoted)),
        encoded(&format!("\n{id}\n")),
        quoted.clone(),
        json!(quoted).to_string(),
        each(id, |c| format!("%{c:02x}")),
        each(id, |c| format!("%25{c:02X}")),
        each(id, |c| format!("\\x{c:02x}")),
        each(id, |c| format!("\\u{c:04x}")),
        each(id, |c| format!("\\\\u{c:04x}")),
        each(id, |c| format!("\\U{c:04x}")),
        each(id, |c| format!("\\U{c:08x}")),
        each(id, |c| format!("\\u{{{c:x}}}")),
        each(id, |c| format!("\\{c:03o}")),
        each(id, |c| format!("&#{c};")),
        each(id, |c| format!("&#x{c:x};")),
    ];
    if id == PERSON {
        all.extend([format!("x2F{id}2F"), format!("userid{id}"), format!("{}\n{}", &id[..9], &id[9..])]);
        all.extend([id.to_uppercase(), format!("%22{}%22", id.to_uppercase())]);
    }
    all
}

fn v1(members: &Value) -> String {
    let mut body = json!({ "trigger": "ticket:opened", "app": { "_id": APP }, "said": CANARY });
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    body.to_string()
}

fn v2(text: &str) -> String {
    let event = json!({ "id": format!("e-{text}"), "type": "user:update", "createdAt": "2020-09-13T12:28:00.000Z",
                        "payload": { "user": { "id": OTHER }, "said": CANARY, "text": text } });
    json!({ "app": { "id": APP }, "webhook": { "id": "w", "version": "v2" }, "events": [event] }).to_string()
}

/// Bodies with the text in them: some are journalled, some are unreadable.
fn bodies(text: &str) -> Vec<String> {
    let by_another = message(OTHER, 1_709_258_400.0, &json!({}), &format!("{text}, {CANARY}"));
    let whole = v1(&json!({ "text": text }));
    let form: String = whole.bytes().map(|byte| format!("%{byte:02X}")).collect();
    vec![
        whole.clone(),
        v1(&json!({ text: 1 })),
        by_another,
        v2(text),
        format!("{whole}!"),
        format!("{CANARY} {text}"),
        format!("\"{{{text}, {CANARY}"),
        format!("who={CANARY}&payload={form}"),
    ]
}

/// Bodies of another app user with a similar id.
fn of_neighbours() -> Vec<String> {
    let ids = [
        format!("{PERSON}0"),
        format!("22{PERSON}"),
        format!("\n0{PERSON}"),
        "kunde47110".to_owned(),
        "nkunde4711".to_owned(),
        "kunde-4711/osten".to_owned(),
        "neukunde-4711/ost".to_owned(),
        "kunde-4711/ost-west".to_owned(),
    ];
    let bodies = |id: &String| {
        let whole = json!({ "trigger": "ticket:opened", "app": { "_id": APP }, "who": id });
        [whole.to_string(), format!("{whole}!")]
    };
    ids.iter().flat_map(bodies).collect()
}

fn journalled(home: &Home, text: &str) -> usize {
    let reader = open_reader(&home.database()).unwrap();
    let all = journal(&reader, 0, 100_000);
    all.iter().filter(|(_, body)| memchr::memmem::find(body, text.as_bytes()).is_some()).count()
}

fn held(home: &Home) -> i64 {
    home.rows("quarantine")
}

fn neighbours_stay(home: &Home, program: &Program) {
    let before = (journalled(home, "ticket:opened"), held(home));
    let bodies = of_neighbours();
    for body in &bodies {
        ok(program.webhook(body));
    }
    let half = bodies.len() / 2;
    assert_eq!((journalled(home, "ticket:opened"), held(home)), (before.0 + half, before.1 + half as i64));
}

#[test]
fn an_erased_id_is_found_in_every_spelling_before_the_erasure_and_after_it() {
    let home = Home::new();
    let program = home.start();
    for id in NAMED.iter().chain(&[OTHER]) {
        ok(program.webhook(message(id, 1_600_000_000.0, &json!({}), "Hi")));
    }
    for text in NAMED.iter().flat_map(|id| spellings(id)) {
        for body in bodies(&text) {
            ok(program.webhook(body));
        }
    }
    assert!(journalled(&home, CANARY) > 200 && held(&home) > 200);
    for id in NAMED {
        let erased = erase(&home, &program, &[id]);
        assert!(erased.status.success(), "{erased:?}");
    }
    let reader = open_reader(&home.database()).unwrap();
    for (entry, body) in journal(&reader, 0, 100_000) {
        let body = String::from_utf8_lossy(&body);
        assert!(!body.contains(CANARY), "entry {}: {body}", entry.seq);
    }
    let left: String = home.find("SELECT coalesce(group_concat(body, char(10)), '') FROM quarantine");
    assert_eq!(left, "");
    Traces::of(&home).nothing_in("the files after the erasure");

    for text in NAMED.iter().flat_map(|id| spellings(id)) {
        for (n, body) in bodies(&text).into_iter().enumerate() {
            ok(program.webhook(&body));
            assert_eq!(held(&home), 0, "{n}: {body}");
        }
        assert_eq!(journalled(&home, CANARY), 0, "{text}");
    }
    Traces::of(&home).nothing_in("what came later");
    assert_eq!(ok(program.app_user(OTHER)).json()["appUser"]["conversationStarted"], true);
    neighbours_stay(&home, &program);
    is_rebuilt(&home);
}

/// A person whose `_id` contains an erased one is another app user, in every search.
#[test]
fn a_user_whose_id_contains_an_erased_one_stays() {
    let home = Home::new();
    let program = home.start();
    ok(program.webhook(message(PERSON, 1_600_000_000.0, &json!({}), "Hi")));
    ok(program.webhook(message(&format!("{PERSON}0"), 1_600_000_000.0, &json!({}), "Hi")));
    neighbours_stay(&home, &program);
    let before = (journalled(&home, "ticket:opened"), held(&home));
    assert!(erase(&home, &program, &[PERSON]).status.success());
    assert_eq!((journalled(&home, "ticket:opened"), held(&home)), before, "stored bodies stay as they came");
    for id in [format!("{PERSON}0"), format!("w{PERSON}")] {
        ok(program.webhook(message(&id, 1_600_000_001.0, &json!({ "givenName": "Ada" }), "Hi")));
        assert_eq!(ok(program.app_user(&id)).json()["appUser"]["givenName"], "Ada");
    }
    assert_eq!(program.app_user(PERSON).status, 404);
    is_rebuilt(&home);
}
