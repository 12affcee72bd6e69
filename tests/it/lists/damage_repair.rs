//! Tables derived from records are never trusted, and never a reason to lose an event. Any damage is found by every
//! command that checks them, and mended by `rebuild`, and at a start where writing would fail.

use serde_json::{Value, json};

use super::joined;
use super::users::People;
use crate::feed::api;
use crate::operator_commands::{Ran, messages, run, run_alone};
use crate::support::{APP, Home, Program, first_message, until};

/// A table, the damage to it, and true if the next start repairs it by itself.
pub const DAMAGES: [(&str, &str, bool); 54] = [
    ("seen", "DELETE FROM seen", true),
    ("seen", "DELETE FROM seen WHERE user % 3 = 0", false),
    ("seen", "UPDATE seen SET user = user + 1", true),
    ("seen", "DROP TABLE seen", true),
    ("search", "DELETE FROM search_data", true),
    ("search", "DELETE FROM search_data WHERE id > 10", true),
    ("search", "DELETE FROM search_config", true),
    ("search", "DROP TABLE search_data", true),
    ("search", "DROP TABLE search_config", true),
    ("search", "DROP TABLE search", true),
    ("search", "INSERT INTO search (search) VALUES ('delete-all')", true),
    ("search", "UPDATE search_data SET block = zeroblob(length(block)) WHERE id > 10", true),
    ("search", "INSERT INTO search (rowid, words) VALUES (3, 'stranger')", false),
    ("identifiers", "DELETE FROM identifiers", true),
    ("identifiers", "DELETE FROM identifiers WHERE kind = 'client' AND rowid_of % 2 = 0", false),
    ("identifiers", "UPDATE identifiers SET kind = 'claim' WHERE kind = 'client'", false),
    ("identifiers", "INSERT INTO identifiers SELECT app, kind, 'stolen', id FROM identifiers LIMIT 1", false),
    ("identifiers", "DROP TABLE identifiers", true),
    ("columns", "UPDATE app_users SET words = '' WHERE listed", false),
    ("columns", "UPDATE app_users SET last_seen = 5 WHERE rowid = 2", false),
    ("columns", "UPDATE app_users SET flags = 3 - flags", false),
    ("columns", "UPDATE app_users SET signed_up = 7 WHERE listed", false),
    ("tombstones", "DELETE FROM erasures", true),
    ("tombstones", "DROP TABLE erasures", true),
    ("tombstones", "DROP TABLE erasures; DROP TABLE receipts", true),
    ("gaps", "DELETE FROM gaps", true),
    ("gaps", "DROP TABLE gaps", true),
    ("feed", "DELETE FROM changes WHERE seq BETWEEN 20 AND 30", false),
    ("feed", "DELETE FROM changes WHERE seq = (SELECT max(seq) - 3 FROM changes)", true),
    ("feed", "DELETE FROM changes WHERE seq > (SELECT max(seq) - 3 FROM changes)", true),
    ("feed", "UPDATE feeds SET seq = seq + 7", true),
    ("indexes", "DROP INDEX signed_up", true),
    ("moves", "DROP TABLE moves", true),
    ("moves", "DELETE FROM moves", false),
    ("moves", "DELETE FROM moves WHERE n % 2 = 0", false),
    ("counters", "DELETE FROM feeds", true),
    ("counters", "UPDATE feeds SET seq = 1", true),
    ("counters", "DELETE FROM clock", true),
    ("counters", "DELETE FROM upkeep", true),
    ("counters", "DROP TABLE feeds", true),
    ("counters", "DROP TABLE epochs", true),
    ("counters", "DELETE FROM epochs", true),
    ("counters", "UPDATE epochs SET epoch = -5", true),
    ("counters", "DROP TABLE horizon", true),
    ("counters", "DELETE FROM horizon", true),
    ("counters", "DROP TABLE upkeep", true),
    ("counters", "DROP TABLE clock", true),
    ("counters", "UPDATE clock SET time = 5", true),
    ("counters", "DROP TABLE answer_key", true),
    ("counters", "DELETE FROM answer_key", true),
    ("counters", "DROP TABLE upkeep; DROP TABLE feeds; DROP TABLE horizon; DROP TABLE epochs", true),
    ("answers", "DROP TABLE answers", true),
    ("tallies", "DROP TABLE tallies", true),
    ("seen", "DROP TABLE upkeep; DROP TABLE seen", true),
];

/// A database with a long history, and its lists.
pub fn lived() -> (Home, Vec<Vec<String>>) {
    let home = Home::new();
    let program = home.start();
    let mut people = People::new(11);
    for _ in 0..150 {
        people.step(&program);
    }
    let erased = first_message("erased", 1_600_000_000.0);
    assert_eq!(program.webhook(erased).status, 200);
    let answer = api(&program, "DELETE", "/v1/appusers/erased?erase=true", &Value::Null);
    assert!(answer.status < 300, "{answer:?}");
    let expected = lists(&program);
    assert!(expected.iter().all(|list| list.len() > 2), "{expected:?}");
    program.stop();
    (home, expected)
}

/// The content of lists and searches over all app users.
pub fn lists(program: &Program) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for sort in ["_id", "lastSeen", "-lastSeen", "signedUpAt"] {
        for (name, value) in [("", ""), ("q", "ann"), ("platform", "ios"), ("identified", "true")] {
            let mut question = vec![("sort".to_owned(), sort.to_owned())];
            if !name.is_empty() {
                question.push((name.to_owned(), value.to_owned()));
            }
            found.push(joined(program, &question, 7));
        }
    }
    found
}

pub fn copy_of(home: &Home) -> Home {
    let copy = Home::new();
    std::fs::copy(home.database(), copy.database()).unwrap();
    copy
}

pub fn damage(home: &Home, sql: &str) {
    // A part of them, for any numbers.
    let sql = sql.replace("rowid_of", "length(value || id)");
    home.sql().execute_batch(&sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
}

pub fn names(ran: &Ran, table: &str, how: &str) {
    assert!(ran.code == Some(1), "{how}: {ran:?}");
    let said = format!("{}{}", ran.out, ran.err);
    assert!(said.contains(&format!("{table} is damaged: ")), "{how}: {ran:?}");
}

pub fn is_whole(home: &Home, program: Option<&Program>, how: &str) {
    for args in [&["verify"][..], &["rebuild", "--verify"]] {
        let ran = program.map_or_else(|| run_alone(home, args), |program| run(home, program, args));
        assert_eq!(ran.code, Some(0), "{how}, {args:?}: {ran:?}");
    }
    let found = doctor(home);
    assert_eq!(found["state"], "fine", "{how}: {found}");
}

/// The doctor's report on the database. The index of words folds letters, and treats signs as gaps between words.
#[test]
fn a_database_is_whole_with_any_texts() {
    let home = Home::new();
    let program = home.start();
    for (n, text) in [
        "frontendEmail",
        "iOS",
        "A",
        "ÄB",
        "İstanbul",
        "ǅ ß ﬁ Σς",
        "a\u{301}e",
        "日本語 ไทย हिन्दी",
        "§pios",
        "A-b c",
        "\" OR *",
        "",
        " ",
        "\u{1F600}",
        "１２٣",
        "ʼn\u{345}",
        "Ⅷ ⓐ ª",
        "\u{0}x",
    ]
    .into_iter()
    .enumerate()
    {
        let user = json!({
            "_id": format!("{n:024x}"), "userId": format!("{text}{n}"), "givenName": text, "surname": text,
            "email": format!("{text}@x"), "properties": { text: text },
            "clients": [{ "id": "k", "platform": text, "appVersion": text, "displayName": text }],
        });
        let body = json!({ "trigger": "conversation:read", "app": { "_id": APP }, "appUser": user });
        assert_eq!(program.webhook(body.to_string()).status, 200, "{text:?}");
    }
    assert_eq!(joined(&program, &vec![("platform".to_owned(), "frontendEmail".to_owned())], 7).len(), 1);
    is_whole(&home, Some(&program), "odd texts");
    program.stop();
    is_whole(&home, None, "odd texts");
}

pub fn doctor(home: &Home) -> Value {
    let ran = run_alone(home, &["doctor", "--json"]);
    let found: Value = serde_json::from_str(&ran.out).unwrap();
    found.as_array().unwrap().iter().find(|found| found["check"] == "database").unwrap().clone()
}

#[test]
fn every_damage_is_noticed_by_every_command_and_mended_by_rebuild() {
    let (home, expected) = lived();
    is_whole(&home, None, "as it is");
    for (table, sql, _) in DAMAGES {
        let home = copy_of(&home);
        damage(&home, sql);
        names(&run_alone(&home, &["verify"]), table, sql);
        names(&run_alone(&home, &["rebuild", "--verify"]), table, sql);
        let found = doctor(&home);
        assert!(
            found["state"] == "wrong" && found["said"].as_str().unwrap().contains(table),
            "{sql}: {found}"
        );
        let rebuilt = run_alone(&home, &["rebuild"]).well();
        assert!(rebuilt.out.contains("made anew: ") && rebuilt.out.contains(table), "{sql}: {rebuilt:?}");
        is_whole(&home, None, sql);
        let program = home.start();
        assert_eq!(lists(&program), expected, "{sql}");
    }
}

#[test]
fn a_start_with_any_damage_takes_webhooks_and_a_running_service_mends_the_rest() {
    let (home, _) = lived();
    for (table, sql, at_start) in DAMAGES {
        let home = copy_of(&home);
        damage(&home, sql);
        let program = home.start();
        // Each is stored, for any damage.
        messages(&program, &["new", "newer", "new", "newest"]);
        if at_start {
            is_whole(&home, Some(&program), sql);
            let log = program.log();
            assert!(log.contains("remaking") || log.contains("new epoch"), "{sql}: {log}");
            assert!(!log.contains("newer rules"), "{sql}: {log}");
        } else {
            names(&run(&home, &program, &["rebuild", "--verify"]), table, sql);
            run(&home, &program, &["rebuild"]).well();
            is_whole(&home, Some(&program), sql);
        }
        let stopped = lists(&program);
        program.stop();
        // The repaired state equals that after another start.
        assert_eq!(lists(&home.start()), stopped, "{sql}");
    }
}

#[test]
fn damage_under_a_running_service_costs_no_webhook() {
    let (lived, _) = lived();
    for (table, sql, _) in
        DAMAGES.iter().filter(|(table, ..)| ["search", "seen", "identifiers"].contains(table))
    {
        let home = copy_of(&lived);
        let program = home.start();
        damage(&home, sql);
        for n in 0..20 {
            let body = first_message(&format!("new {}", n % 3), 1_600_000_000.0 + f64::from(n));
            assert_eq!(program.webhook(body).status, 200, "{sql}: {}", program.log());
        }
        until(&format!("{sql}: searches are answered"), || {
            let ask = |path| program.get(path).status;
            ask("/v1/appusers?q=ann") == 200 && ask("/v1/appusers?sort=-lastSeen") == 200
        });
        run(&home, &program, &["rebuild"]).well();
        is_whole(&home, Some(&program), sql);
        let shown = lists(&program);
        program.stop();
        assert_eq!(lists(&home.start()), shown, "{table}: {sql}");
    }
}

#[test]
fn a_backup_of_damaged_tables_is_made_and_reports_the_damage() {
    let (home, ..) = lived();
    damage(&home, "DELETE FROM search_data");
    let made = run_alone(&home, &["backup", "copy.db"]).well();
    assert!(made.out.contains("users"), "{made:?}");
    names(&run_alone(&home, &["verify", "copy.db"]), "search", "the copy");
    run_alone(&home, &["restore", "--replace", "copy.db"]).well();
    let program = home.start();
    is_whole(&home, Some(&program), "restored");
}
