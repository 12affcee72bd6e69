//! The database file: its schema, foreign files, and the limit of its log (F13).

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rusqlite::Connection as Sql;

use crate::crash::traffic::{Rng, webhook};
use crate::storage_faults::{strace, traced};
use crate::support::{Connection, Home, SetOnDrop, files, first_message, installed, require};

fn message(n: usize) -> String {
    first_message(&format!("{n:024x}"), 1_600_000_000.5 + n as f64)
}

/// The steps of the schema, in their order.
fn migrations() -> Vec<PathBuf> {
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/sqlite/migrations"), "sql")
}

/// Everything that makes the schema, and its number.
fn schema(home: &Home) -> (i64, i64, Vec<String>) {
    let sql = home.sql();
    let number = |pragma: &str| sql.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)).unwrap();
    let mut select =
        sql.prepare("SELECT sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name").unwrap();
    let tables = select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    (number("application_id"), number("user_version"), tables)
}

fn fresh() -> (i64, i64, Vec<String>) {
    let home = Home::new();
    home.start().stop();
    schema(&home)
}

/// The exit code and the log of a start that must not succeed, and must not touch the file.
fn refuses(home: &Home, what: &str) -> (Option<i32>, String) {
    let before = std::fs::read(home.database()).unwrap();
    let Err((status, log)) = home.try_start() else { panic!("not refused: {what}") };
    assert!(before == std::fs::read(home.database()).unwrap(), "the file was touched: {log}");
    let left: Vec<_> =
        std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let beside = |suffix: &str| left.iter().any(|name| name.to_str().unwrap().ends_with(suffix));
    assert!(!beside("-wal") && !beside("-journal"), "{left:?}");
    (status.code(), log)
}

#[test]
fn a_first_start_killed_at_any_write_leaves_a_file_that_the_next_start_completes() {
    require!(installed("strace"));
    let whole = fresh();
    let calls = "pwrite64,fsync,fdatasync,ftruncate,unlink";
    let mut at = 0;
    loop {
        at += 1;
        let mut home = Home::new();
        home.wrapper = strace(&home, calls, &format!("{calls}:signal=SIGKILL:when={at}"), &[]);
        let killed = match home.try_start() {
            Ok(program) => {
                program.kill();
                false
            }
            Err(_) => true,
        };
        let stopped = traced(&home).contains("killed by SIGKILL") || !killed;
        assert!(stopped, "{at}: ended by something else: {}", traced(&home));
        home.wrapper.clear();
        let program = home.start();
        assert_eq!(program.webhook(message(at)).status, 200, "{at}");
        program.stop();
        assert_eq!(schema(&home), whole, "killed at call {at}");
        assert_eq!(home.find::<String>("PRAGMA integrity_check"), "ok", "{at}");
        if !killed {
            break;
        }
    }
    println!("killed at each of the {} calls that write", at - 1);
    assert!(at > 20, "{at}");
}

#[test]
fn every_earlier_schema_is_upgraded() {
    let whole = fresh();
    let steps = migrations();
    let number = |step: &PathBuf| step.file_name().unwrap().to_str().unwrap()[..4].parse::<i64>().unwrap();
    assert_eq!(Some(whole.1), steps.last().map(number), "the program knows every step in the folder");
    for version in 0..=steps.len() {
        let home = Home::new();
        let sql = home.sql();
        for step in &steps[..version] {
            sql.execute_batch(&std::fs::read_to_string(step).unwrap()).unwrap();
            sql.pragma_update(None, "application_id", whole.0).unwrap();
            sql.pragma_update(None, "user_version", number(step)).unwrap();
        }
        drop(sql);
        let program = home.start();
        assert_eq!(program.webhook(message(1)).status, 200, "from schema {version}");
        program.stop();
        assert_eq!(schema(&home), whole, "from schema {version}");
    }
}

#[test]
fn a_database_of_a_newer_program_is_refused_untouched() {
    let home = Home::new();
    let program = home.start();
    assert_eq!(program.webhook(message(1)).status, 200);
    program.stop();
    let known: i64 = home.find("PRAGMA user_version");
    home.sql().pragma_update(None, "user_version", known + 1).unwrap();
    let (code, log) = refuses(&home, "a newer schema");
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains(&format!("schema {}", known + 1)) && log.contains("newer program"), "{log}");
    home.sql().pragma_update(None, "user_version", known).unwrap();
    assert_eq!(home.start().app_user(&format!("{:024x}", 1)).status, 200);
}

/// The log of a killed program belongs to the file as much as the file itself.
#[test]
fn a_refused_database_keeps_the_log_that_a_killed_program_left() {
    let known: i64 = {
        let home = Home::new();
        home.start().stop();
        home.find("PRAGMA user_version")
    };
    for (damage, says) in [
        (format!("PRAGMA user_version = {}", known + 1), "newer program"),
        ("PRAGMA application_id = 77".to_owned(), "not a rollcall database"),
    ] {
        let home = Home::new();
        let program = home.start();
        assert_eq!(program.webhook(message(1)).status, 200);
        // In the log only, as everything else is that a killed program wrote last.
        let sql = home.sql();
        sql.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
        sql.execute_batch(&damage).unwrap();
        drop(sql);
        program.kill();
        let wal = home.path().join("rollcall.db-wal");
        let read = || [home.database(), wal.clone()].map(|path| std::fs::read(path).unwrap());
        let before = read();
        assert!(!before[1].is_empty());
        for _ in 0..2 {
            let Err((status, log)) = home.try_start() else { panic!("not refused: {damage}") };
            assert_eq!(status.code(), Some(1), "{log}");
            assert!(log.contains(says), "{log}");
            assert!(read() == before, "touched: {damage}");
        }
    }
}

#[test]
fn a_file_of_something_else_is_refused_untouched() {
    let foreign = "CREATE TABLE theirs (a); INSERT INTO theirs VALUES (1), (2)";
    for prepare in [
        foreign.to_owned(),
        format!("PRAGMA journal_mode = WAL; {foreign}"),
        format!("PRAGMA application_id = 77; {foreign}"),
        // Its number looks like one of ours.
        format!("PRAGMA user_version = 1; {foreign}"),
        // Empty, but owned by another program.
        "PRAGMA application_id = 77; VACUUM".to_owned(),
    ] {
        let home = Home::new();
        home.sql().execute_batch(&prepare).unwrap();
        let (code, log) = refuses(&home, &prepare);
        assert_eq!(code, Some(1), "{prepare}: {log}");
        assert!(log.contains("not a rollcall database"), "{prepare}: {log}");
    }
    for bytes in
        ["A letter to somebody.\n".repeat(400).into_bytes(), b"SQLite format 4\0".repeat(300), vec![7; 3]]
    {
        let home = Home::new();
        std::fs::write(home.database(), &bytes).unwrap();
        let (code, log) = refuses(&home, "no database");
        assert!([Some(1), Some(74)].contains(&code), "{code:?}: {log}");
        assert!(log.contains("not a"), "{log}");
    }
}

#[test]
fn every_commit_is_synced_before_it_is_acknowledged() {
    require!(installed("strace"));
    let mut home = Home::new();
    home.start().stop();
    home.wrapper = strace(&home, "fsync,fdatasync", "", &["rollcall.db-wal"]);
    let program = home.start();
    let syncs = || traced(&home).matches("sync(").count();
    let mut line = Connection::open(program.listen);
    let mut before = syncs();
    for n in 0..50 {
        assert!(line.send(webhook(&message(n))));
        assert_eq!(line.answer().unwrap().status, 200);
        // strace writes the call when it begins, and the answer came after it had ended.
        let now = syncs();
        assert!(now > before, "{n}: {now} syncs");
        before = now;
    }
    assert_eq!(home.find::<String>("PRAGMA journal_mode"), "wal");
    program.stop();
}

#[test]
fn under_load_the_log_stays_within_its_limit_while_others_read() {
    const LIMIT: u64 = 4 << 20;
    let home = Home::with("[store]\nwal_checkpoint = \"1MiB\"\nwal_limit = \"4MiB\"");
    let program = home.start();
    let wal = home.path().join("rollcall.db-wal");
    let (longest, done) = (AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let (program, wal, longest, done) = (&program, &wal, &longest, &done);
        let writers: Vec<_> = (0..8u64)
            .map(|part| {
                scope.spawn(move || {
                    let mut rng = Rng(part);
                    let mut line = Connection::open(program.listen);
                    for n in 0..500 {
                        let id = format!("{:08x}{:016x}", part * 1000 + n, rng.next());
                        let text: String = (0..60).map(|_| rng.id()).collect();
                        let body = serde_json::json!({ "trigger": "message:appUser", "messages": [],
                            "timestamp": 1_600_000_000 + n,
                            "appUser": { "_id": id, "properties": { "text": text } } });
                        assert!(line.send(webhook(&body.to_string())));
                        assert_eq!(line.answer().unwrap().status, 200);
                        longest.fetch_max(std::fs::metadata(wal).unwrap().len(), Ordering::Relaxed);
                    }
                })
            })
            .collect();
        for _ in 0..2 {
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    assert_eq!(program.get("/v1/appusers?limit=100").status, 200);
                }
            });
        }
        // Another process repeatedly holds a snapshot of the database for a while.
        scope.spawn(move || {
            while !done.load(Ordering::Relaxed) {
                let sql = home_sql(wal);
                let txn = sql.unchecked_transaction().unwrap();
                for _ in 0..200 {
                    let _: i64 = txn.query_row("SELECT count(*) FROM journal", [], |row| row.get(0)).unwrap();
                }
            }
        });
        let _end = SetOnDrop(done);
        let ended: Vec<_> = writers.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        assert!(ended.iter().all(Result::is_ok));
    });
    let (longest, size) = (longest.into_inner(), std::fs::metadata(home.database()).unwrap().len());
    println!("the log had {longest} bytes at most, the database has {size}");
    assert!(size > LIMIT + LIMIT / 2, "more was written than the log could hold: {size}");
    // The batch that crosses the limit is still written whole.
    assert!(longest < LIMIT + (1 << 20), "{longest}");
    program.stop();
    assert_eq!(home.find::<String>("PRAGMA integrity_check"), "ok");
    assert!(!wal.exists() || std::fs::metadata(&wal).unwrap().len() == 0, "a clean stop leaves no log");
}

/// The database beside this log.
fn home_sql(wal: &Path) -> Sql {
    Sql::open(wal.with_file_name("rollcall.db")).unwrap()
}
