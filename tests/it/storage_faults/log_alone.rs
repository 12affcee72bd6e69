//! A log whose database is missing or empty: no command opens it, because SQLite would delete the log.

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::backup::{message, printed, refused};

/// The service on free ports.
const SERVE: [&str; 5] =
    ["--set", "server.listen=127.0.0.1:0", "--set", "server.admin_listen=127.0.0.1:0", "serve"];

/// A killed service's home: the latest acknowledged events are in the log.
fn killed() -> (Home, PathBuf) {
    let home = Home::new();
    let program = home.start();
    assert_eq!(program.webhook(message(0)).status, 200);
    printed(&home, &["backup", "backup.db"]);
    for n in 1..3 {
        assert_eq!(program.webhook(message(n)).status, 200);
    }
    program.kill();
    let log = home.path().join("rollcall.db-wal");
    assert!(log.metadata().unwrap().len() > 1000);
    (home, log)
}

/// A rollback journal of a database that had pages.
fn journal() -> Vec<u8> {
    let mut journal =
        vec![0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7, 0, 0, 0, 1, 1, 2, 3, 4, 0, 0, 0, 9];
    journal.resize(4096, 0);
    journal
}

/// The commands that open the database, each with the exit code for a refusal.
const OPENING: [(&[&str], i32); 10] = [
    (&SERVE, 74),
    (&["verify"], 74),
    (&["backup", "new.db"], 74),
    (&["export"], 74),
    (&["journal", "list"], 74),
    (&["quarantine", "list"], 74),
    (&["tail", "--count", "1"], 74),
    (&["rebuild", "--verify"], 74),
    (&["rebuild"], 74),
    (&["doctor"], 1),
];

#[test]
fn no_command_and_no_start_opens_a_database_that_is_not_there_beside_its_log() {
    for (what, empty, hot) in
        [("missing", false, false), ("empty", true, false), ("missing, journal", false, true)]
    {
        let (home, log) = killed();
        let kept = home.path().join("kept.db");
        fs::rename(home.database(), &kept).unwrap();
        if empty {
            fs::write(home.database(), "").unwrap();
        }
        let log = if hot {
            fs::rename(&log, home.path().join("kept.db-wal")).unwrap();
            let log = home.path().join("rollcall.db-journal");
            fs::write(&log, journal()).unwrap();
            log
        } else {
            log
        };
        let before = fs::read(&log).unwrap();
        let more = [(&["journal", "replay", "..", "--dry-run"][..], 74), (&["restore", "backup.db"], 1)];
        for (args, code) in OPENING.into_iter().chain(more) {
            let (found, said) = refused(&home, args);
            assert_eq!(found, Some(code), "{what}, {args:?}: {said}");
            let told = args == ["doctor"]
                || args[0] == "restore"
                || said.contains("put it back, or run `rollcall restore");
            assert!(told, "{what}, {args:?}: {said}");
            assert!(before == fs::read(&log).unwrap(), "{what}, {args:?}: the log was touched");
            assert_eq!(home.database().exists(), empty, "{what}, {args:?}: made");
        }
        if hot {
            continue;
        }
        fs::rename(&kept, home.database()).unwrap();
        assert_eq!(home.start().all_app_users().len(), 3, "{what}: put back");
    }
}

/// SQLite would read the file and the log of the other one as one database.
#[test]
fn no_command_and_no_start_opens_a_file_that_was_copied_over_the_database_of_a_log() {
    type Copied = fn(&Home);
    let copied: [(&str, Copied); 4] = [
        ("a backup", |home| {
            fs::copy(home.path().join("backup.db"), home.database()).unwrap();
        }),
        ("a text", |home| fs::write(home.database(), "a line of text\n".repeat(400)).unwrap()),
        ("a database of something else", |home| {
            let path = home.path().join("else.db");
            rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
            fs::copy(path, home.database()).unwrap();
        }),
        ("a backup, behind a link", |home| {
            fs::rename(home.database(), home.path().join("real.db")).unwrap();
            fs::rename(home.path().join("rollcall.db-wal"), home.path().join("real.db-wal")).unwrap();
            fs::copy(home.path().join("backup.db"), home.path().join("real.db")).unwrap();
            std::os::unix::fs::symlink("real.db", home.database()).unwrap();
        }),
    ];
    for (what, copy) in copied {
        let (home, log) = killed();
        let (kept, log_before) = (fs::read(home.database()).unwrap(), fs::read(&log).unwrap());
        copy(&home);
        let log = home.database().canonicalize().unwrap().with_extension("db-wal");
        let before = fs::read(home.database()).unwrap();
        for (args, code) in OPENING {
            let (found, said) = refused(&home, args);
            assert_eq!(found, Some(code), "{what}, {args:?}: {said}");
            let told = args == ["doctor"] || said.contains("was put in the place of another database");
            assert!(told, "{what}, {args:?}: {said}");
            assert!(before == fs::read(home.database()).unwrap(), "{what}, {args:?}: it was touched");
            assert!(log_before == fs::read(&log).unwrap(), "{what}, {args:?}: the log was touched");
        }
        if what == "a backup" {
            printed(&home, &["restore", "--replace", "backup.db"]);
            assert_eq!(home.start().all_app_users().len(), 1, "{what}: restored");
            continue;
        }
        fs::write(home.database(), kept).unwrap();
        assert_eq!(home.start().all_app_users().len(), 3, "{what}: put back");
    }
}

/// The remedy in the message loses nothing: the log is set aside.
#[test]
fn a_restore_in_place_of_a_lone_log_keeps_it_aside() {
    let (home, log) = killed();
    fs::remove_file(home.database()).unwrap();
    let before = fs::read(&log).unwrap();
    printed(&home, &["restore", "--replace", "backup.db"]);
    let names = fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().path());
    let aside: Vec<PathBuf> = names
        .filter(|path| {
            let name = path.to_string_lossy();
            name.contains(".replaced-") && name.ends_with("-wal")
        })
        .collect();
    assert_eq!(aside.len(), 1, "{aside:?}");
    assert!(before == fs::read(&aside[0]).unwrap());
    let program = home.start();
    assert_eq!(program.all_app_users().len(), 1);
    assert_eq!(program.webhook(message(1)).status, 200);
    program.stop();
}

/// The settings name a link; the log is beside the link's target.
#[test]
fn beside_a_link_that_leads_nowhere_the_log_is_found_too() {
    let (mut home, log) = killed();
    let before = fs::read(&log).unwrap();
    fs::create_dir(home.path().join("names")).unwrap();
    std::os::unix::fs::symlink("../rollcall.db", home.path().join("names/link.db")).unwrap();
    fs::remove_file(home.database()).unwrap();
    home.settings = "[store]\nurl = \"sqlite://names/link.db\"".to_owned();
    let (code, said) = refused(&home, &SERVE);
    assert_eq!(code, Some(74), "{said}");
    assert!(before == fs::read(&log).unwrap() && !home.database().exists());
}
