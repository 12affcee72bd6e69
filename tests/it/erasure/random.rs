//! Random events, then an erasure: no byte of the person is left, and others lose nothing.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::bodies::PERSON;
use super::traces::Traces;
use super::{CANARY, is_rebuilt, ok};
use crate::feed::api;
use crate::support::{APP, Home, Program, files, fixtures};

/// Texts without personal data, by their names.
const PLAIN: [&str; 20] = [
    "trigger",
    "event",
    "type",
    "role",
    "version",
    "platform",
    "createdAt",
    "received",
    "timestamp",
    "lastSeen",
    "linkedAt",
    "signedUpAt",
    "status",
    "subtype",
    "mediaType",
    "source",
    "destination",
    "integrationId",
    "app",
    "webhook",
];

/// Every event of every fixture that names an app user and can be read, as a body of its own.
fn events() -> Vec<(Value, String)> {
    let mut found = Vec::new();
    for path in files(&fixtures().join("webhooks"), "json") {
        let Ok(body) = serde_json::from_slice::<Value>(&std::fs::read(&path).unwrap()) else { continue };
        let single: Vec<Value> = match body["events"].as_array() {
            None => vec![body.clone()],
            Some(events) => events.iter().map(|event| with(&body, "events", json!([event]))).collect(),
        };
        found.extend(single.into_iter().filter_map(|body| Some((body.clone(), user(&body)?))));
    }
    found
}

fn with(body: &Value, name: &str, value: Value) -> Value {
    let mut body = body.clone();
    body[name] = value;
    body
}

/// The app user of a body; `None` for a body about several.
fn user(body: &Value) -> Option<String> {
    let payload = &body["events"][0]["payload"];
    if body.get("discarded").is_some() || payload.get("mergedUsers").is_some() {
        return None;
    }
    let author = &payload["message"]["author"];
    let act = &payload["activity"]["author"];
    let ids = [
        &body["appUser"]["_id"],
        &payload["user"]["id"],
        &author["user"]["id"],
        &author["userId"],
        &act["userId"],
    ];
    ids.into_iter().find_map(Value::as_str).map(str::to_owned)
}

/// The same body with this mark in every text that may be personal data, except the id.
fn marked(value: &Value, user: &str, mark: &str) -> Value {
    match value {
        Value::String(text) if text != user => format!("{text}{mark}").into(),
        Value::Array(items) => items.iter().map(|item| marked(item, user, mark)).collect(),
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| {
                let is_plain = PLAIN.contains(&name.as_str()) && (name != "source" || !value.is_object());
                (name.clone(), if is_plain { value.clone() } else { marked(value, user, mark) })
            };
            Value::Object(members.iter().map(member).collect())
        }
        other => other.clone(),
    }
}

#[derive(Clone, Copy, Debug)]
enum How {
    AsItIs,
    UnknownTrigger,
    Broken,
    Ahead,
    Escaped,
    BesideAnother,
}

#[derive(Clone, Debug)]
struct Step {
    event: usize,
    person: bool,
    how: How,
}

fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    let how = prop_oneof![
        6 => Just(How::AsItIs), 2 => Just(How::UnknownTrigger), 1 => Just(How::Broken), 1 => Just(How::Ahead),
        1 => Just(How::Escaped), 2 => Just(How::BesideAnother),
    ];
    let step = (any::<prop::sample::Index>(), any::<bool>(), how);
    let step = step.prop_map(|(event, person, how)| Step { event: event.index(1 << 20), person, how });
    prop::collection::vec(step, 1..most)
}

fn body(events: &[(Value, String)], step: &Step) -> String {
    let (event, user) = &events[step.event % events.len()];
    let (id, mark) = if step.person { (PERSON, CANARY) } else { ("another-user", "") };
    let mut changed = marked(event, user, mark);
    if event["events"].is_array() {
        // It orders the statements of an event, and is Smooch's.
        changed["events"][0]["id"] = event["events"][0]["id"].clone();
    }
    let mut event = changed;
    for app in [&["app", "_id"], &["app", "id"]] {
        if event[app[0]].get(app[1]).is_some() {
            event[app[0]][app[1]] = APP.into();
        }
    }
    if let Some(trigger) = event.get("trigger").filter(|_| matches!(step.how, How::UnknownTrigger)) {
        event["trigger"] = format!("x{}", trigger.as_str().unwrap()).into();
    }
    if matches!(step.how, How::UnknownTrigger) && event["events"].is_array() {
        event["events"][0]["type"] = "x:unknown".into();
    }
    if matches!(step.how, How::BesideAnother) && event["events"].is_array() {
        let other = json!({ "id": "o", "type": "user:update", "createdAt": "2020-01-01T00:00:00Z",
                            "payload": { "user": { "id": "beside", "metadata": { "plan": "gold" } } } });
        event["events"].as_array_mut().unwrap().push(other);
    }
    if matches!(step.how, How::Ahead) {
        event["timestamp"] = 9_600_000_000.0.into();
    }
    // The member's text may be longer than the id by now.
    let text = event.to_string().replace(&format!("\"{user}\""), &format!("\"{id}\""));
    match step.how {
        How::Broken => text[..text.len() - 1].to_owned(),
        How::Escaped => text.replace(PERSON, &PERSON.replace('f', "\\u0066")),
        _ => text,
    }
}

fn others(program: &Program) -> Vec<Value> {
    let all = program.all_app_users().into_iter();
    all.filter(|user| user["_id"] != PERSON).collect()
}

#[test]
fn after_any_history_no_byte_of_the_erased_is_left() {
    let events = events();
    assert!(events.len() > 100, "{}", events.len());
    let config = Config { cases: 8, max_shrink_iters: 40, failure_persistence: None, ..Config::default() };
    let strategy = (steps(40), steps(20));
    let ran = TestRunner::new(config).run(&strategy, |(before, after)| {
        let home = Home::new();
        let program = home.start();
        for step in &before {
            let body = body(&events, step);
            prop_assert_eq!(program.webhook(body).status, 200);
        }
        let known = others(&program);
        let answer = api(&program, "DELETE", &format!("/v1/appusers/{PERSON}?erase=true"), &json!({}));
        // App users without any readable data cannot be erased.
        if answer.status == 404 {
            return Ok(());
        }
        prop_assert_eq!(&ok(answer).json()["erasure"]["complete"], &json!(true));
        Traces::of(&home).nothing_in("the files after the erasure");
        prop_assert_eq!(&others(&program), &known);
        is_rebuilt(&home);
        for step in after.iter().filter(|step| step.person) {
            prop_assert_eq!(program.webhook(body(&events, step)).status, 200);
        }
        Traces::of(&home).nothing_in("the files after what came late");
        let told = [
            String::from_utf8(home.command(&["export"]).output().unwrap().stdout).unwrap(),
            program.get("/v1/changes?since=0&limit=1000").text,
            program.get(&format!("/v1/appusers/{PERSON}/history?include=body")).text,
        ];
        prop_assert!(!told.concat().contains(CANARY), "{:?}", told);
        prop_assert_eq!(program.app_user(PERSON).status, 404);
        is_rebuilt(&home);
        Ok(())
    });
    ran.unwrap();
}
