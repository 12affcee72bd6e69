//! A database is backed up before its schema changes.

use std::path::{Path, PathBuf};

use super::{message, printed};
use crate::support::{Home, files};

/// The steps of the schema, each with the number it leads to.
fn migrations() -> Vec<(i64, PathBuf)> {
    let files = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/sqlite/migrations"), "sql");
    let number = |file: &Path| file.file_name().unwrap().to_str().unwrap()[..4].parse().unwrap();
    files.into_iter().map(|file| (number(&file), file)).collect()
}

/// A database as an earlier program left it: with that schema, and, unless `empty`, with one event.
fn earlier(version: i64, empty: bool) -> Home {
    let fresh = Home::new();
    let program = fresh.start();
    assert_eq!(program.webhook(message(1)).status, 200);
    program.stop();
    let application: i64 = fresh.find("PRAGMA application_id");
    let home = Home::new();
    let sql = home.sql();
    for (_, step) in migrations().iter().filter(|(number, _)| *number <= version) {
        sql.execute_batch(&std::fs::read_to_string(step).unwrap()).unwrap();
    }
    sql.pragma_update(None, "application_id", application).unwrap();
    sql.pragma_update(None, "user_version", version).unwrap();
    if !empty {
        // The content of 0001, which every later version has too.
        sql.execute("ATTACH ?1 AS fresh", [fresh.database().to_str().unwrap()]).unwrap();
        for (table, columns) in [
            (
                "journal",
                "seq, app, source, received, event_time, trigger, outcome, digest, users, body, place",
            ),
            ("bodies", "first_seq, dictionary, bodies"),
            ("app_users", "app, id, listed, record"),
            ("identifiers", "app, kind, value, id"),
            ("changes", "app, seq, journal, time, kind, user, surviving, fields"),
            ("feeds", "app, seq"),
        ] {
            let copy = format!("INSERT INTO {table} ({columns}) SELECT {columns} FROM fresh.{table}");
            sql.execute_batch(&copy).unwrap();
        }
    }
    drop(sql);
    home
}

fn saved_copy(home: &Home) -> Vec<String> {
    let entries = std::fs::read_dir(home.path()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains(".before-") || name.contains(".partial")).collect()
}

#[test]
fn a_database_of_any_earlier_schema_is_saved_before_its_upgrade() {
    let versions: Vec<i64> = migrations().into_iter().map(|(number, _)| number).collect();
    for (at, &version) in versions.iter().enumerate() {
        let home = earlier(version, false);
        if let Some(next) = versions.get(at + 1) {
            // An interrupted migration left it; the database may have changed since.
            std::fs::write(home.path().join(format!("rollcall.db.before-{next:04}")), "half of it").unwrap();
        }
        let program = home.start();
        assert_eq!(program.all_app_users().len(), 1, "from schema {version}");
        assert_eq!(program.webhook(message(2)).status, 200);
        let log = program.stop();
        let Some(next) = versions.get(at + 1) else {
            assert_eq!(saved_copy(&home), Vec::<String>::new(), "nothing changes, nothing is kept");
            continue;
        };
        let name = format!("rollcall.db.before-{next:04}");
        assert_eq!(saved_copy(&home), std::slice::from_ref(&name));
        assert!(log.contains("copied before the migration") && log.contains(&name), "{log}");
        let before = rusqlite::Connection::open(home.path().join(&name)).unwrap();
        let number = |sql: &str| before.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(number("PRAGMA user_version"), version);
        assert_eq!(number("SELECT count(*) FROM journal"), 1);
        drop(before);
        // The way back, should the new program not do.
        printed(&home, &["restore", "--to", "old.db", &name]);
        let empty = earlier(version, true);
        empty.start().stop();
        assert_eq!(saved_copy(&empty), Vec::<String>::new(), "an empty one is not worth it");
    }
}
