//! Numbers are valid only within an epoch: no restore deceives a follower.

use std::fs;

use serde_json::{Value, json};

use super::follower::{Copy, Stream};
use super::rules::{Follower, WAYS};
use super::{LAST, live, refused};
use crate::backup::printed;
use crate::crash::traffic::Rng;
use crate::support::{Home, Program, encoded, first_message};

fn write(program: &Program, name: &str, users: usize) {
    for n in 0..users {
        let body = first_message(&format!("{name}-{n}"), 1_444_348_400.0 + n as f64);
        assert_eq!(program.webhook(body).status, 200);
    }
}

fn epoch(program: &Program) -> String {
    let page = program.get("/v1/changes?snapshot=true&limit=1");
    assert!(page.text.starts_with("{\"epoch\":"), "the epoch comes first: {page:?}");
    page.json()["epoch"].as_str().unwrap().to_owned()
}

/// A home with a backup at change 5 and fifteen changes at the end.
fn backed_up_at_five() -> Home {
    let home = Home::new();
    let program = home.start();
    write(&program, "before", 5);
    printed(&home, &["backup", "b.db"]);
    write(&program, "lost", 10);
    program.stop();
    home
}

/// Everything that a follower may hold: as a query of a page, or as the id of the last event of a stream.
fn places(program: &Program) -> (Vec<String>, Vec<String>) {
    let mut copy = Copy::default();
    copy.poll(program, 4);
    let snapshot = program.get("/v1/changes?snapshot=true&limit=2").json();
    let after = snapshot["after"].as_str().unwrap();
    let (since, seq) = (copy.since(), copy.seq);
    let mut stream = Stream::open(program.listen, "/v1/changes?since=0", None).unwrap();
    let id = stream.next().unwrap().id;
    let list = |query: &str| {
        let page = program.get(&format!("/v1/appusers?{query}&limit=2")).json();
        format!("/v1/appusers?{query}&limit=2&after={}", page["after"].as_str().unwrap())
    };
    let link = program.get("/v1/changes?limit=3&envelope=cloudevents");
    let link = link.header("link").unwrap().split(['<', '>']).nth(1).unwrap().to_owned();
    let pages = vec![
        format!("/v1/changes?since={since}"),
        format!("/v1/changes?since={since}&wait=30"),
        format!("/v1/changes?since={seq}"),
        format!("/v1/changes?snapshot=true&after={after}"),
        link,
        list("sort=lastSeen"),
        list("sort=-lastSeen"),
        list("sort=signedUpAt"),
    ];
    (pages, vec![since, seq.to_string(), id, after.to_owned()])
}

#[test]
fn nothing_that_a_follower_holds_deceives_it_after_a_restore() {
    let home = Home::new();
    let program = home.start();
    write(&program, "before", 5);
    printed(&home, &["backup", "b.db"]);
    write(&program, "lost", 10);
    let (pages, ids) = places(&program);
    let before = epoch(&program);
    for path in &pages {
        let path = path.replace("wait=30", "wait=0");
        assert_eq!(program.get(&path).status, 200, "{path}");
    }
    for id in &ids {
        assert_eq!(Stream::open(program.listen, "/v1/changes", Some(id)).unwrap().status(), 200, "{id}");
    }
    program.stop();
    printed(&home, &["restore", "--replace", "b.db"]);
    let program = home.start();
    assert_ne!(epoch(&program), before);
    // Beyond the follower's position and, later, within it.
    for users in [0, 20] {
        write(&program, "after", users);
        for path in &pages {
            let gone = program.get(path);
            assert_eq!((gone.status, gone.code().as_str()), (410, "gone"), "{path}: {gone:?}");
            let said = gone.json()["error"]["description"].as_str().unwrap().to_owned();
            if path.starts_with("/v1/changes") {
                assert!(said.contains("snapshot=true"), "{said}");
                assert_eq!(gone.json()["epoch"], epoch(&program));
            } else {
                assert!(said.contains("begin the list again"), "{said}");
            }
        }
        for id in &ids {
            assert_eq!(Stream::open(program.listen, "/v1/changes", Some(id)).unwrap().status(), 410, "{id}");
        }
    }
    // Everything, a list by `_id`, and the numbers of this epoch are valid.
    assert_eq!(program.get("/v1/changes?since=0").status, 200);
    let mut copy = Copy::default();
    copy.begin(&program, 3, || {});
    copy.poll(&program, 3);
    copy.is_the_directory(&program);
    assert_eq!(program.get("/v1/changes?since=1").status, 410, "a number alone is of no epoch now");
}

#[test]
fn a_follower_of_any_way_survives_a_restore() {
    for way in WAYS {
        let home = Home::new();
        let program = home.start();
        live(&program);
        printed(&home, &["backup", "b.db"]);
        write(&program, "lost", 10);
        let mut follower = Follower::new(way, Rng(7));
        follower.catch_up(program.listen);
        program.stop();
        printed(&home, &["restore", "--replace", "b.db"]);
        let program = home.start();
        write(&program, "after", 20);
        follower.catch_up(program.listen);
        Copy { users: follower.copy, ..Copy::default() }.is_the_directory(&program);
        assert_eq!(follower.begun, 2, "{way:?}");
    }
}

/// A number was reported and the process killed at once: any file put in the place of the database is another epoch.
#[test]
fn a_number_reported_right_before_a_kill_is_not_given_twice() {
    let ways: [fn(&Program) -> String; 3] = [
        |program| {
            let page = program.get("/v1/changes?since=0&limit=1000").json();
            format!("/v1/changes?since={}", page["next"].as_str().unwrap())
        },
        |program| {
            let page = program.get("/v1/changes?snapshot=true&limit=2").json();
            format!("/v1/changes?snapshot=true&after={}", page["after"].as_str().unwrap())
        },
        |program| {
            let page = program.get("/v1/appusers?sort=-lastSeen&limit=2").json();
            format!("/v1/appusers?sort=-lastSeen&limit=2&after={}", page["after"].as_str().unwrap())
        },
    ];
    for told in ways {
        for put_back in ["an older file", "half of the log"] {
            let home = Home::new();
            let program = home.start();
            write(&program, "before", 10);
            program.stop();
            copy_file(&home, "rollcall.db", "old.db");
            let program = home.start();
            write(&program, "lost", 20);
            let path = told(&program);
            program.kill();
            if put_back == "an older file" {
                remove(&home, "rollcall.db-wal");
                remove(&home, "rollcall.db-shm");
                fs::rename(home.path().join("old.db"), home.database()).unwrap();
            } else {
                let log = fs::File::options().write(true).open(home.path().join("rollcall.db-wal")).unwrap();
                log.set_len(log.metadata().unwrap().len() / 2).unwrap();
            }
            let program = home.start();
            write(&program, "after", 25);
            assert_eq!(program.get(&path).status, 410, "{put_back}: {path}");
        }
    }
}

/// Copies a database without a log, and the files beside it.
fn copy_file(home: &Home, from: &str, to: &str) {
    fs::copy(home.path().join(from), home.path().join(to)).unwrap();
}

fn remove(home: &Home, name: &str) {
    fs::remove_file(home.path().join(name)).unwrap();
}

#[test]
fn a_file_that_comes_from_elsewhere_has_a_new_epoch_and_one_that_stays_has_not() {
    type Done = fn(&Home);
    let ways: [(&str, bool, Done); 11] = [
        ("a restart", false, |_| {}),
        ("a backup", false, |home| _ = printed(home, &["backup", "c.db"])),
        ("a kill", false, |home| {
            let program = home.start();
            write(&program, "killed", 3);
            program.kill();
        }),
        ("the same file again", false, |home| {
            copy_file(home, "rollcall.db", "c.db");
            copy_file(home, "c.db", "rollcall.db");
        }),
        ("a restore", true, |home| _ = printed(home, &["restore", "--replace", "b.db"])),
        ("an older file by hand", true, |home| copy_file(home, "older.db", "rollcall.db")),
        ("an older file after a kill", true, |home| {
            let program = home.start();
            write(&program, "killed", 3);
            program.kill();
            for name in ["rollcall.db-wal", "rollcall.db-shm"] {
                remove(home, name);
            }
            copy_file(home, "older.db", "rollcall.db");
        }),
        ("a backup by hand", true, |home| copy_file(home, "b.db", "rollcall.db")),
        ("a file without its lock, as Litestream restores it", true, |home| remove(home, "rollcall.db.lock")),
        ("a file that was served elsewhere", true, |home| {
            let other = Home::new();
            fs::copy(home.database(), other.database()).unwrap();
            let program = other.start();
            write(&program, "elsewhere", 3);
            program.stop();
            fs::copy(other.database(), home.database()).unwrap();
        }),
        ("a new database", true, |home| remove(home, "rollcall.db")),
    ];
    for (what, is_new, done) in ways {
        let home = backed_up_at_five();
        copy_file(&home, "rollcall.db", "older.db");
        let program = home.start();
        write(&program, "since", 1);
        let before = epoch(&program);
        let held = program.get("/v1/changes?limit=1000").json()["next"].as_str().unwrap().to_owned();
        program.stop();
        done(&home);
        let program = home.start();
        assert_eq!(epoch(&program) != before, is_new, "{what}");
        write(&program, "after", 30);
        for place in [&held, held.split('-').nth(1).unwrap()] {
            let page = program.get(&format!("/v1/changes?since={place}"));
            assert_eq!(page.status, if is_new { 410 } else { 200 }, "{what}: {place}");
        }
        program.stop();
        let log = fs::read_to_string(home.path().join("rollcall.db.lock")).unwrap();
        assert!(log.starts_with("rollcall feed epoch ") && log.ends_with('\n') && log.len() < 80, "{log}");
    }
}

#[test]
fn numbers_of_a_program_before_epochs_are_good_until_a_restore() {
    let home = Home::new();
    let program = home.start();
    live(&program);
    program.stop();
    // The state of that program's file after the schema is upgraded.
    home.sql().execute("DELETE FROM epochs", []).unwrap();
    fs::write(home.path().join("rollcall.db.lock"), "").unwrap();
    let program = home.start();
    let page = program.get("/v1/changes?since=7&limit=2").json();
    assert_eq!(page["changes"][0]["seq"], 8);
    let id = Stream::open(program.listen, "/v1/changes", Some("7")).unwrap().next().unwrap().id;
    assert!(id.ends_with("-8"), "{id}");
    refused(&program.get("/v1/changes?since=16"), 400, "beyond the last change, 15");
    let beyond = format!("/v1/changes?since={}-16", epoch(&program));
    refused(&program.get(&beyond), 410, "beyond the last change");
    printed(&home, &["backup", "b.db"]);
    program.stop();
    printed(&home, &["restore", "--replace", "b.db"]);
    let program = home.start();
    refused(&program.get("/v1/changes?since=7"), 410, "no epoch");
    assert_eq!(Stream::open(program.listen, "/v1/changes", Some("7")).unwrap().status(), 410);
    // A schema that knows no epoch, put in place: the lock file knows it.
    program.stop();
    home.sql().execute("DELETE FROM epochs", []).unwrap();
    let program = home.start();
    refused(&program.get("/v1/changes?since=7"), 410, "no epoch");
}

#[test]
fn an_interrupted_restore_costs_an_epoch_at_the_most() {
    let home = backed_up_at_five();
    let lock = home.path().join("rollcall.db.lock");
    let damaged =
        ["", "rollcall feed epoch ", "\u{0}\u{0}\u{0}", "rollcall feed epoch void: x", &"x".repeat(5000)];
    let mut seen = Vec::new();
    for text in damaged {
        fs::write(&lock, text).unwrap();
        let program = home.start();
        seen.push(epoch(&program));
        assert_eq!(program.get("/v1/changes?since=3").status, 410, "{text}");
        program.stop();
    }
    let program = home.start();
    assert_eq!(seen.last(), Some(&epoch(&program)));
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), damaged.len());
}

#[test]
fn a_place_that_cannot_be_read_is_refused_by_name() {
    let home = Home::new();
    let program = home.start();
    live(&program);
    let now = epoch(&program);
    for place in [
        "x",
        "-1",
        "9223372036854775808",
        &format!("{now}-"),
        &format!("{now}15"),
        "0-15",
        &format!("{now}-x"),
    ] {
        refused(&program.get(&format!("/v1/changes?since={}", encoded(place))), 400, "since");
        assert_eq!(
            Stream::open(program.listen, "/v1/changes", Some(place)).unwrap().status(),
            400,
            "{place}"
        );
    }
    for place in [format!("{now}-0"), format!("{now}-{LAST}"), "0".to_owned()] {
        let page = program.get(&format!("/v1/changes?since={place}"));
        assert_eq!((page.status, &page.json()["epoch"]), (200, &json!(now)), "{place}");
    }
    let old_cursor = "c25hcHNob3QAMTMANTYxNTZmOGI5YjVmYWVhZGFkOGNkZjEx";
    refused(&program.get(&format!("/v1/changes?snapshot=true&after={old_cursor}")), 400, "snapshot");
    let page: Value = program.get("/v1/changes?limit=1").json();
    assert_eq!(page["next"], format!("{now}-1"));
}
