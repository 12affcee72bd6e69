//! Databases from before lists.

use rusqlite::Connection as Sql;

use super::joined;
use super::users::People;
use crate::support::{APP, Home, KEY_ID, KEY_SECRET, Program, SECRET};

/// The lists of a program.
fn lists(program: &Program) -> Vec<Vec<String>> {
    let sorts = ["_id", "lastSeen", "-lastSeen", "signedUpAt"];
    let filters = [
        ("", ""),
        ("q", "ann"),
        ("platform", "ios"),
        ("identified", "true"),
        ("conversationStarted", "true"),
    ];
    let mut found = Vec::new();
    for (sort, (name, value)) in sorts.iter().flat_map(|sort| filters.map(|filter| (sort, filter))) {
        let mut question = vec![("sort".to_owned(), (*sort).to_owned())];
        if !name.is_empty() {
            question.push((name.to_owned(), value.to_owned()));
        }
        found.push(joined(program, &question, 100));
    }
    found
}

/// A file as the first program wrote it: its schema, and the rows of this home's database.
fn as_it_was(home: &Home) -> Home {
    let old = Home::new();
    let sql = Sql::open(old.database()).unwrap();
    let schema = include_str!("../../../src/store/sqlite/migrations/0001_directory.sql");
    sql.execute_batch(schema).unwrap();
    let application: i64 = home.find("PRAGMA application_id");
    sql.pragma_update(None, "application_id", application).unwrap();
    sql.pragma_update(None, "user_version", 1).unwrap();
    sql.execute("ATTACH ?1 AS new", [home.database().to_str().unwrap()]).unwrap();
    sql.execute_batch(
        "INSERT INTO main.journal SELECT * FROM new.journal;
         INSERT INTO main.bodies SELECT * FROM new.bodies;
         INSERT INTO main.app_users (rowid, app, id, listed, record)
             SELECT rowid, app, id, listed, record FROM new.app_users;
         INSERT INTO main.identifiers SELECT * FROM new.identifiers;
         INSERT INTO main.changes SELECT * FROM new.changes;
         INSERT INTO main.feeds SELECT * FROM new.feeds;
         UPDATE main.clock SET time = (SELECT time FROM new.clock)",
    )
    .unwrap();
    old
}

#[test]
fn a_database_of_the_first_program_has_the_lists_that_it_would_have_had() {
    let home = Home::new();
    let program = home.start();
    let mut people = People::new(3);
    for _ in 0..300 {
        people.step(&program);
    }
    let expected = lists(&program);
    assert!(expected.iter().all(|list| list.len() > 2), "{expected:?}");
    program.stop();

    let old = as_it_was(&home);
    let program = old.start();
    assert_eq!(lists(&program), expected);
    assert_eq!(old.find::<Option<i64>>("SELECT filled FROM upkeep"), None);
    // It proceeds from there, as every database does.
    for _ in 0..50 {
        people.step(&program);
    }
    let expected = lists(&program);
    program.stop();

    // After an interruption half-way, it resumes.
    old.sql()
        .execute_batch(
            "CREATE TEMP TABLE half AS SELECT max(rowid) / 2 AS n FROM app_users;
             INSERT INTO search (search, rowid, words) SELECT 'delete', rowid, words FROM app_users
                 WHERE rowid > (SELECT n FROM half) AND words <> '';
             UPDATE app_users SET words = NULL, last_seen = -4611686018427387904,
                 signed_up = -4611686018427387904, flags = 0 WHERE rowid > (SELECT n FROM half);
             DELETE FROM seen WHERE user > (SELECT n FROM half);
             DELETE FROM moves;
             UPDATE upkeep SET cleared = 0, filled = (SELECT n FROM half)",
        )
        .unwrap();
    let program = old.start();
    program.wait_for_log("the list columns are filled");
    assert_eq!(lists(&program), expected);
    program.stop();
    old.sql().execute("INSERT INTO search (search) VALUES ('integrity-check')", []).unwrap();
}

/// The index and `seen` point at rows by their number, which a compacted file must keep.
#[test]
fn a_compacted_database_finds_the_same() {
    // Named, because the app planted below is not in the settings.
    let settings = format!(
        "[[apps]]\nid = {APP:?}\napp_token = \"demo-app-token\"\nwebhook_secrets = [{SECRET:?}]\n\
         keys = [{{ id = {KEY_ID:?}, secret = {KEY_SECRET:?} }}]\n"
    );
    let home = Home::with(&settings);
    home.start().stop();
    let apart =
        "INSERT INTO app_users (rowid, app, id, listed, record, words) VALUES (50, 'x', 'x', 0, x'', '')";
    home.sql().execute_batch(apart).unwrap();
    let program = home.start();
    let mut people = People::new(5);
    for _ in 0..200 {
        people.step(&program);
    }
    let expected = lists(&program);
    program.stop();
    // The rows do not begin with the first, so renumbering them would give others.
    home.sql().execute_batch("DELETE FROM app_users WHERE app = 'x'").unwrap();
    let copy = Home::with(&settings);
    home.sql().execute("VACUUM INTO ?1", [copy.database().to_str().unwrap()]).unwrap();
    home.sql().execute_batch("VACUUM").unwrap();
    for home in [home, copy] {
        assert_eq!(lists(&home.start()), expected);
    }
}
