//! After an upgrade with newer rules the directory is rebuilt in the background.

use std::path::Path;

use serde_json::{Value, json};

use super::{messages, run};
use crate::support::{APP, Home, Program, files, first_message, until};

/// A database as the program of an earlier schema wrote it: its tables, with the columns in common with this home's.
fn earlier(home: &Home, version: i64) -> Home {
    let old = Home::new();
    let sql = old.sql();
    let steps = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/sqlite/migrations"), "sql");
    for step in &steps[..usize::try_from(version).unwrap()] {
        sql.execute_batch(&std::fs::read_to_string(step).unwrap()).unwrap();
    }
    let application: i64 = home.find("PRAGMA application_id");
    sql.pragma_update(None, "application_id", application).unwrap();
    sql.pragma_update(None, "user_version", version).unwrap();
    sql.execute("ATTACH ?1 AS new", [home.database().to_str().unwrap()]).unwrap();
    let tables = "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'search%'
                      AND name NOT LIKE 'sqlite%'";
    for table in texts(&sql, tables) {
        let columns = format!(
            "SELECT name FROM pragma_table_info('{table}', 'main')
                 INTERSECT SELECT name FROM pragma_table_info('{table}', 'new')"
        );
        let columns = texts(&sql, &columns).join(", ");
        let rowid = if table == "app_users" { "rowid, " } else { "" };
        let copy = format!(
            "DELETE FROM main.{table};
             INSERT INTO main.{table} ({rowid}{columns}) SELECT {rowid}{columns} FROM new.{table}"
        );
        sql.execute_batch(&copy).unwrap();
    }
    if version > 1 {
        sql.execute_batch("INSERT INTO search (search) VALUES ('rebuild')").unwrap();
    }
    drop(sql);
    old
}

fn texts(sql: &rusqlite::Connection, query: &str) -> Vec<String> {
    let mut select = sql.prepare(query).unwrap();
    let rows = select.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

fn unknown(id: &str, name: &str) -> String {
    json!({ "trigger": "never:heardOf", "app": { "_id": APP }, "timestamp": 1_600_000_000,
            "appUser": { "_id": id, "givenName": name } })
    .to_string()
}

/// The state of the previous program: `trimmed` was created by entries that are deleted, and events of a trigger
/// unknown to it had no effect.
fn of_the_program_before(version: i64, people: usize) -> Home {
    let home = Home::new();
    let program = home.start();
    let trimmed = json!({ "trigger": "message:appUser", "app": { "_id": APP }, "messages": [], "timestamp": 1_500_000_000,
                          "appUser": { "_id": "trimmed", "givenName": "Trim", "properties": { "kept": true } } });
    assert_eq!(program.webhook(trimmed.to_string()).status, 200);
    for n in 0..people {
        messages(&program, &[&format!("person {n}")]);
    }
    for n in 0..3 {
        assert_eq!(program.webhook(unknown(&format!("hidden {n}"), "Hildegard")).status, 200);
    }
    program.stop();
    let old = earlier(&home, version);
    old.sql()
        .execute_batch(
            "UPDATE journal SET users = '[[\"\",null]]', outcome = 'kept' WHERE trigger = 'never:heardOf';
             DELETE FROM app_users WHERE id LIKE 'hidden%';
             DELETE FROM identifiers WHERE id LIKE 'hidden%';
             DELETE FROM changes WHERE user LIKE 'hidden%';
             UPDATE feeds SET seq = (SELECT max(seq) FROM changes)",
        )
        .unwrap();
    if version >= 3 {
        old.sql()
            .execute_batch(
                "INSERT INTO base SELECT app, id, record FROM app_users WHERE id = 'trimmed';
                 DELETE FROM journal WHERE seq = 1;
                 DELETE FROM bodies WHERE first_seq = 1;
                 UPDATE horizon SET seq = 1, received = 1",
            )
            .unwrap();
    }
    old
}

/// The kinds of changes of these app users after a number.
fn changes(program: &Program, since: i64, id: &str) -> Vec<String> {
    let page = program.get(&format!("/v1/changes?since={since}&limit=1000")).json();
    let all: Vec<Value> = page["changes"].as_array().unwrap().clone();
    let of = all.iter().filter(|change| change["_id"].as_str().unwrap().starts_with(id));
    of.map(|change| change["kind"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn journalled_events_are_applied_by_the_new_rules_and_the_rest_stays() {
    for version in [2, 3] {
        let home = of_the_program_before(version, 20);
        let last: i64 = home.find("SELECT seq FROM feeds");
        let program = home.start();
        assert_eq!(program.webhook(first_message("meanwhile", 1_600_000_000.0)).status, 200);
        let entries = if version == 3 { 23 } else { 24 };
        let said = program.wait_for_log("journal entries in the background");
        // The one that came meanwhile may be among them.
        let says = |entries: usize| said.contains(&format!("from {entries} journal entries"));
        assert!(says(entries) || says(entries + 1), "{said}");
        let ended = program.wait_for_log("rebuilt from the journal in");
        assert!(ended.contains("3 app users changed"), "{ended}");
        for n in 0..3 {
            let found = program.app_user(&format!("hidden {n}"));
            assert!(found.status == 200 && found.text.contains("Hildegard"), "{found:?}");
        }
        assert_eq!(program.get("/v1/appusers?q=hildegard").json()["appUsers"].as_array().unwrap().len(), 3);
        let trimmed = program.app_user("trimmed");
        assert!(trimmed.text.contains("Trim") && trimmed.text.contains("kept"), "{trimmed:?}");
        assert_eq!(changes(&program, last, "hidden"), ["created"; 3]);
        assert_eq!(changes(&program, last, "person"), [""; 0], "nothing is said of whom nothing changed");
        assert!(home.path().join("rollcall.db.before-0004").exists() || version < 3);
        until("nothing is left to learn", || {
            program.metric("rollcall_journal_entries_to_learn_again") == 0.0
        });
        until("it is noted", || home.find::<i64>("SELECT rules FROM upkeep") > 0);
        run(&home, &program, &["rebuild", "--verify"]).well();
        run(&home, &program, &["verify"]).well();
        assert!(!home.path().join("rollcall.db.rebuild").exists(), "nothing is left of the fold");
        program.stop();
        let program = home.start();
        assert_eq!(program.webhook(first_message("afterwards", 1_600_000_000.0)).status, 200);
        let log = program.stop();
        assert!(!log.contains("rebuilding from"), "once: {log}");
    }
}

#[test]
fn killed_while_it_learns_again_it_begins_again_and_ends_equal() {
    let home = of_the_program_before(3, 150);
    for n in 0..4 {
        let program = home.start();
        if n % 2 == 0 {
            program.wait_for_log("journal entries in the background");
        }
        program.kill();
    }
    let program = home.start();
    // Stopped in between, it leaves nothing behind.
    program.stop();
    assert!(!home.path().join("rollcall.db.rebuild").exists(), "nothing is left of the fold");
    let program = home.start();
    until("it is noted", || home.find::<i64>("SELECT rules FROM upkeep") > 0);
    assert_eq!(program.app_user("hidden 2").status, 200);
    run(&home, &program, &["rebuild", "--verify"]).well();
}

#[test]
fn a_database_of_this_program_has_nothing_to_learn_again() {
    let home = Home::new();
    let program = home.start();
    messages(&program, &["somebody"]);
    assert!(home.find::<i64>("SELECT rules FROM upkeep") > 0);
    program.stop();
    let program = home.start();
    messages(&program, &["somebody else"]);
    assert!(!program.stop().contains("rebuilding from"));
}
