//! `rollcall rebuild`: the journal replayed into a fresh directory, and compared with the live one.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::{messages, post, run, run_alone};
use crate::rebuild::fixture_bodies;
use crate::support::{APP, Home, Program, SetOnDrop, first_message, until};

const EQUAL: &str = "the directory equals the journal";

#[test]
fn the_directory_of_all_fixtures_equals_the_fold_of_the_journal() {
    let home = Home::new();
    let program = home.start();
    let bodies = fixture_bodies();
    for body in bodies.iter().rev().chain(&bodies) {
        assert_eq!(program.webhook(body).status, 200);
    }
    let made = post(&program, "/v1/appusers", &json!({ "userId": "made here", "properties": { "a": 1 } }));
    let id = made["appUser"]["_id"].as_str().unwrap().to_owned();
    post(&program, &format!("/v1/appusers/{id}/events"), &json!({ "name": "seen" }));
    post(
        &program,
        "/v1/init",
        &json!({ "device": { "id": "phone", "platform": "ios" }, "userId": "made here" }),
    );
    let verified = run(&home, &program, &["rebuild", "--verify"]).well();
    assert!(verified.out.starts_with(EQUAL), "{verified:?}");
    assert!(!verified.err.contains("cannot be read"), "{verified:?}");
    program.stop();
    assert!(run_alone(&home, &["rebuild", "--verify"]).well().out.starts_with(EQUAL), "without a service");
    let left = std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().ends_with(".rebuild")).collect();
    assert_eq!(left, [""; 0], "the fold is gone");
}

#[test]
fn under_load_nothing_that_moves_on_is_a_difference() {
    let home = Home::new();
    let program = home.start();
    messages(&program, &["seed"]);
    let (stop, sent) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let end = SetOnDrop(&stop);
        for part in 0..4 {
            let (program, stop, sent) = (&program, &stop, &sent);
            scope.spawn(move || {
                for n in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    load(program, part, n);
                    sent.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        until("there is something to fold", || sent.load(Ordering::Relaxed) > 400);
        let verified: Vec<_> = (0..3)
            .map(|_| {
                let before = sent.load(Ordering::Relaxed);
                let ran = run(&home, &program, &["rebuild", "--verify"]);
                assert!(sent.load(Ordering::Relaxed) > before, "it was under load");
                ran
            })
            .collect();
        drop(end);
        for ran in verified {
            assert!(ran.code == Some(0) && ran.out.starts_with(EQUAL), "{ran:?}");
        }
    });
}

/// New app users, known ones, merges, and one client that many share.
fn load(program: &Program, part: usize, n: usize) {
    let id = |n: usize| format!("user {part} {}", n % 97);
    let time = 1_600_000_000 + n;
    let body = match n % 5 {
        0 => json!({ "trigger": "merge:appUser", "app": { "_id": APP }, "timestamp": time,
                     "surviving": { "_id": id(n) }, "discarded": [{ "_id": id(n + 1) }] }),
        1 | 2 => json!({ "trigger": "client:add", "app": { "_id": APP }, "timestamp": time,
                     "appUser": { "_id": id(n * 7), "userId": format!("u{}", n % 31) },
                     "client": { "_id": "c", "id": format!("shared {}", n % 3), "platform": "ios",
                                 "active": true, "lastSeen": "2020-02-25T18:06:37.547Z" } }),
        _ => serde_json::from_str(&first_message(&id(n * 13), time as f64)).unwrap(),
    };
    assert_eq!(program.webhook(body.to_string()).status, 200);
}

/// The changes to the file while no service was running.
const TAMPERED: &str = "
    UPDATE app_users SET record = (SELECT record FROM app_users WHERE id = 'bob') WHERE id = 'ann';
    UPDATE app_users SET record = x'00' WHERE id = 'cem';
    DELETE FROM app_users WHERE id = 'dan';
    INSERT INTO app_users (app, id, listed, record) SELECT app, 'eve', listed, record FROM app_users WHERE id = 'bob';
    UPDATE app_users SET listed = 0 WHERE id = 'fay';
    DELETE FROM identifiers WHERE id = 'gil';
    INSERT INTO identifiers SELECT app, kind, 'stolen', 'hal' FROM identifiers WHERE id = 'hal';";

fn planted(home: &Home) -> Vec<Value> {
    let program = home.start();
    for id in ["ann", "bob", "cem", "dan", "fay", "gil", "hal", "ivy"] {
        let body = json!({ "trigger": "message:appUser", "app": { "_id": APP }, "messages": [],
                           "timestamp": 1_600_000_000,
                           "appUser": { "_id": id, "userId": format!("u-{id}"), "givenName": id } });
        assert_eq!(program.webhook(body.to_string()).status, 200);
    }
    let before = program.all_app_users();
    assert_eq!(before.len(), 8);
    program.stop();
    home.sql().execute_batch(TAMPERED).unwrap();
    before
}

fn differing(out: &str) -> Vec<&str> {
    out.lines().filter_map(|line| line.strip_prefix(&format!("{APP} "))).collect()
}

const ALL: [&str; 7] = ["ann", "cem", "dan", "eve", "fay", "gil", "hal"];

#[test]
fn a_running_service_repairs_planted_faults_and_writes_changes() {
    let home = Home::new();
    let before = planted(&home);
    let program = home.start();
    let verified = run(&home, &program, &["rebuild", "--verify"]);
    assert_eq!(verified.code, Some(1), "{verified:?}");
    let mut found = differing(&verified.out);
    found.sort_unstable();
    assert_eq!(found, ALL, "{verified:?}");
    assert!(!verified.out.contains("u-") && !verified.out.contains("stolen"), "ids only: {verified:?}");
    assert_ne!(program.app_user("gil").text, program.app_user("u-gil").text, "verifying changes nothing");
    let last: i64 = home.find("SELECT max(seq) FROM changes");
    let mended = run(&home, &program, &["rebuild"]).well();
    assert!(mended.out.contains("7 app users were put right"), "{mended:?}");
    assert_eq!(program.all_app_users(), before);
    for id in ["ann", "bob", "cem", "dan", "fay", "gil", "hal", "ivy"] {
        assert_eq!(program.app_user(id).text, program.app_user(&format!("u-{id}")).text);
    }
    for (list, found) in
        [("q=dan", 1), ("q=eve", 0), ("q=u", 8), ("q=fay&sort=lastSeen", 1), ("sort=-lastSeen", 8)]
    {
        let page = program.get(&format!("/v1/appusers?count=exact&{list}")).json();
        assert_eq!(
            (page["appUsers"].as_array().unwrap().len(), &page["count"]),
            (found, &found.into()),
            "{list}"
        );
    }
    assert_eq!(program.app_user("eve").status, 404);
    assert_eq!(program.app_user("stolen").status, 404);
    let changes = program.get(&format!("/v1/changes?since={last}")).json();
    let kinds: Vec<String> = changes["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| format!("{} {}", change["_id"].as_str().unwrap(), change["kind"].as_str().unwrap()))
        .collect();
    assert_eq!(kinds, ["ann updated", "cem created", "dan created", "eve removed"]);
    assert!(run(&home, &program, &["rebuild", "--verify"]).well().out.starts_with(EQUAL));
    messages(&program, &ALL);
    assert!(run(&home, &program, &["rebuild", "--verify"]).well().out.starts_with(EQUAL), "and it goes on");
    assert!(run(&home, &program, &["rebuild"]).well().out.starts_with(EQUAL), "nothing to put right");
}

#[test]
fn without_a_service_the_command_puts_it_right_itself() {
    let home = Home::new();
    let before = planted(&home);
    let mended = run_alone(&home, &["rebuild"]).well();
    assert!(mended.out.contains("7 app users were put right"), "{mended:?}");
    let program = home.start();
    assert_eq!(program.all_app_users(), before);
    assert!(run(&home, &program, &["rebuild", "--verify"]).well().out.starts_with(EQUAL));
    let unreachable = run_alone(&home, &["rebuild"]);
    assert_eq!(unreachable.code, Some(69), "a service, but not where the settings say: {unreachable:?}");
}
