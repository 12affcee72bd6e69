//! The fixtures: each is answered and accounted for, and leads to the state in `fixtures/README.md`.

mod cli;
mod payloads;
mod stories;

use std::path::Path;

use serde_json::Value;

use crate::support::{APP, Answer, Home, Program, encoded, files, fixtures};

fn body(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn lines(path: &Path) -> Vec<String> {
    body(path).lines().map(str::to_owned).collect()
}

/// Every body of the fixtures, those of the sequences in their order.
fn all_bodies() -> Vec<String> {
    let whole = files(&fixtures().join("webhooks"), "json").into_iter().map(|path| body(&path));
    let stories = files(&fixtures().join("sequences"), "jsonl").into_iter().flat_map(|path| lines(&path));
    whole.chain(stories).collect()
}

/// The number of events in a body.
fn events(body: &str) -> i64 {
    let events = serde_json::from_str::<Value>(&body.replace("\\ud", "")).unwrap_or_default();
    events["events"].as_array().map_or(1, |events| i64::try_from(events.len()).unwrap())
}

/// Everything that look-ups show: the list, and the result for every `_id` ever seen and every userId.
pub fn picture(home: &Home, program: &Program) -> Vec<String> {
    let conn = home.sql();
    let sql = "SELECT id FROM app_users WHERE id <> ''
               UNION SELECT json_extract(value, '$') FROM identifiers WHERE kind = 'userId' ORDER BY 1";
    let mut select = conn.prepare(sql).unwrap();
    let names: Vec<String> =
        select.query_map([], |row| row.get(0)).unwrap().collect::<rusqlite::Result<_>>().unwrap();
    assert!(!names.is_empty());
    let shown = names.iter().map(|name| {
        let Answer { status, text, .. } = program.app_user(name);
        assert!(matches!(status, 200 | 404), "{name}: {status}");
        format!("{name}: {status} {text}")
    });
    shown.chain(program.all_app_users().iter().map(Value::to_string)).collect()
}

#[test]
fn every_fixture_is_answered_200_and_is_in_the_journal_or_in_quarantine() {
    let (home, mut journalled, mut quarantined) = (Home::new(), 0, 0);
    let program = home.start();
    let fixtures = files(&fixtures().join("webhooks"), "json");
    assert!(fixtures.len() > 130, "{}", fixtures.len());
    for path in fixtures {
        let (name, text) = (path.display(), body(&path));
        let odd = path.parent().unwrap().ends_with("odd");
        let before = program.all_app_users().len();
        let answer = program.webhook(&text);
        assert_eq!((answer.status, &*answer.text), (200, "{}"), "{name}");
        assert_eq!(answer.header("x-rollcall-quarantined"), odd.then_some("1"), "{name}");
        if odd {
            quarantined += 1;
            assert_eq!(program.all_app_users().len(), before, "{name}: no user comes of it");
        } else {
            journalled += events(&text);
        }
        assert_eq!(home.rows("journal"), journalled, "{name}: in the journal");
        assert_eq!(home.rows("quarantine"), quarantined, "{name}: in quarantine");
    }
    let counted = |outcome: &str| program.metric(&format!("rollcall_events_total{{outcome=\"{outcome}\"}}"));
    assert_eq!(counted("quarantined") as i64, quarantined);
    assert_eq!((counted("learned") + counted("kept")) as i64, journalled);
    assert_eq!(counted("repeated") as i64, 0, "every event belongs to one file only");
}

#[test]
fn the_difficult_forms_show_the_values_of_the_table() {
    let home = Home::new();
    let program = home.start();
    for path in files(&fixtures().join("webhooks"), "json") {
        assert_eq!(program.webhook(body(&path)).status, 200);
    }
    let user = |name: &str| program.app_user(name).json()["appUser"].clone();
    for (id, user_id) in [("730418826510", "90210"), ("551904477", "118"), ("882200417", "5150")] {
        assert_eq!(
            (&user(id)["_id"], &user(id)["userId"]),
            (&id.into(), &user_id.into()),
            "numbers are strings"
        );
        assert_eq!(user(user_id)["_id"], id);
    }
    let everybody = program.all_app_users();
    let named = |key: &str, value: &str| everybody.iter().filter(|user| user[key] == value).count();
    for name in ["Pilar \u{fffd}", "Beatriz \u{fffd}", "Odil\u{fffd}e"] {
        assert_eq!(named("givenName", name), 1, "{name}: broken halves and NUL are replaced");
    }
    assert_eq!(named("givenName", "Marisol"), 1, "the last of two equal keys wins");
    assert_eq!(user("4471902")["userId"], "4471902", "an externalId from a number");
    for file in ["v1/message.appUser-nulls", "v1.1/message.appUser-nulls", "v2/conversation.message-nulls"] {
        let shown = user(&id_in(file));
        for absent in ["surname", "email", "userId"] {
            assert_eq!(shown[absent], Value::Null, "{file}: {absent}");
        }
        assert!(shown["properties"].as_object().unwrap().values().all(|value| !value.is_null()), "{file}");
    }
    assert_eq!(
        user(&id_in("v1/message.appUser-metadata-object"))["properties"],
        serde_json::json!({ "plan": "studio", "lamp": "red" })
    );
    assert_eq!(user(&id_in("v1/message.appUser-metadata-array"))["properties"], serde_json::json!({}));
    for removed in ["v2/user.delete-prose-spelling", "v2/user.remove-full", "v1.1/appUser.delete-full"] {
        assert_eq!(program.app_user(&id_in(removed)).status, 404, "{removed}");
    }
    for old in ["v1/message-no-app", "v1/message-event-key"] {
        assert_eq!(user(&id_in(old))["_id"], id_in(old), "{old}");
    }
}

/// The `_id` of the app user that a fixture is about.
fn id_in(file: &str) -> String {
    let value: Value =
        serde_json::from_str(&body(&fixtures().join("webhooks").join(format!("{file}.json")))).unwrap();
    let places = ["/appUser/_id", "/events/0/payload/user/id", "/events/0/payload/message/author/user/id"];
    let id =
        places.iter().find_map(|place| value.pointer(place)).unwrap_or_else(|| panic!("{file}: no user"));
    id.as_str().unwrap().to_owned()
}

/// Law 2.
#[test]
fn everything_twice_changes_no_answer_and_adds_no_journal_entry() {
    let home = Home::new();
    let program = home.start();
    let bodies = all_bodies();
    bodies.iter().for_each(|body| assert_eq!(program.webhook(body).status, 200));
    let (before, journal) = (picture(&home, &program), home.rows("journal"));
    for body in bodies.iter().chain(bodies.iter().rev()) {
        assert_eq!(program.webhook(body).status, 200);
    }
    assert_eq!(home.rows("journal"), journal);
    assert_eq!(picture(&home, &program), before);
}

/// Law 3 and W5: `X-API-Key` deliveries have no time stamp of their own, so a thief may replay a day of
/// them at will.
#[test]
fn a_days_deliveries_replayed_in_another_order_after_a_restart_change_nothing() {
    let home = Home::new();
    let mut bodies = all_bodies();
    let program = home.start();
    bodies.iter().for_each(|body| assert_eq!(program.webhook(body).status, 200));
    let before = picture(&home, &program);
    program.stop();
    let program = home.start();
    assert_eq!(picture(&home, &program), before, "after the restart");
    bodies.sort_by_cached_key(|body| sha2::Sha256::digest(body).to_vec());
    for body in &bodies {
        assert_eq!(program.webhook(body).status, 200);
    }
    assert_eq!(picture(&home, &program), before);
}

use sha2::Digest as _;

#[test]
fn a_look_up_by_path_of_the_app_shows_the_same_as_without() {
    let home = Home::new();
    let program = home.start();
    let body = body(&fixtures().join("webhooks/v1/message.appUser-userid-with-slash.json"));
    assert_eq!(program.webhook(&body).status, 200);
    let value: Value = serde_json::from_str(&body).unwrap();
    let user_id = value["appUser"]["userId"].as_str().unwrap();
    assert!(user_id.contains('/'), "{user_id}");
    let short = program.app_user(user_id);
    let long = program.get(&format!("/v1/apps/{APP}/appusers/{}", encoded(user_id)));
    assert_eq!((short.status, &short.text), (200, &long.text));
}
