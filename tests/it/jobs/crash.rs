//! Jobs that are killed at random places end with the same directory, and do nothing twice.

use serde_json::{Value, json};

use super::{count, job, parts, people, people_from, post, start};
use crate::console::ask;
use crate::crash::{number, seed};
use crate::operator_commands::run_alone;
use crate::support::{Home, Program, first_message, until};

const PEOPLE: usize = 900;
const KILLS: u64 = 4;

/// Kills the program again and again while its job runs. Returns the job at its end, and the program.
fn killed(home: &Home, mut program: Program, id: &Value) -> (Value, Program) {
    let mut random = seed("jobs");
    for _ in 0..number("ROLLCALL_CRASH_ROUNDS", KILLS) {
        let before = job(&program, id)["done"].as_u64().unwrap();
        let wanted = before + random.next() % 250;
        until("some progress", || {
            let job = job(&program, id);
            job["state"] != "running"
                || job["done"].as_u64().unwrap() + job["failed"].as_u64().unwrap() >= wanted
        });
        program.kill();
        program = home.start();
    }
    until("the end of the job", || job(&program, id)["state"] != "running");
    (job(&program, id), program)
}

#[test]
fn a_property_is_set_once_for_each_however_often_the_job_is_killed() {
    let home = Home::new();
    let program = home.start();
    people(&program, PEOPLE);
    let started = start(&program, "setProperty", "", json!({ "property": "p", "value": "x" }));
    let (job, program) = killed(&home, program, &started.json()["id"]);
    assert_eq!((&job["state"], parts(&job)), (&json!("done"), [PEOPLE as u64, 0, PEOPLE as u64]), "{job}");
    assert_eq!(count(&program, "property.p=x"), PEOPLE as u64);
    assert_eq!(home.rows("journal"), 2 * PEOPLE as i64, "one entry for each");
    let entries = "SELECT sum(count) FROM audit WHERE action = 'update' AND detail = 'job 1'";
    assert_eq!(home.find::<i64>(entries), PEOPLE as i64, "and one place in the audit log");
    assert_eq!(
        home.find::<i64>("SELECT count(*) FROM audit WHERE action = 'update' AND outcome = 'begun'"),
        1
    );
}

#[test]
fn app_users_are_removed_and_bodies_redriven_once_each() {
    let mut home = Home::with("[limits]\njson_depth = 8\n");
    let program = home.start();
    for n in 0..300 {
        let nested = format!("{}1{}", "[".repeat(20), "]".repeat(20));
        let body = first_message(&format!("q{n:04}"), 1_600_000_000.0);
        let body = body.replacen('{', &format!("{{\"extra\":{nested},"), 1);
        assert_eq!(program.webhook(body).status, 200);
    }
    program.stop();
    home.settings = String::new();
    let program = home.start();
    let started = post(&program, "/quarantine/redrive", &json!({ "filter": {}, "expect": 300 }));
    let (redriven, program) = killed(&home, program, &started.json()["id"]);
    assert_eq!(
        (parts(&redriven), &redriven["counts"]),
        ([300, 0, 300], &json!({ "learned": 300 })),
        "{redriven}"
    );
    assert_eq!((home.rows("quarantine"), home.rows("journal")), (0, 300));
    let started = start(&program, "remove", "", json!({}));
    let (removed, program) = killed(&home, program, &started.json()["id"]);
    assert_eq!((parts(&removed), count(&program, "")), ([300, 0, 300], 0), "{removed}");
    assert_eq!(home.rows("journal"), 600);
}

#[test]
fn a_replay_of_what_is_known_changes_nothing_and_goes_on_after_a_kill() {
    let home = Home::new();
    let program = home.start();
    people(&program, 400);
    assert_eq!(program.webhook("no JSON").status, 200);
    let filter = json!({ "since": 11, "until": 390, "trigger": "message:appUser" });
    let dry = post(&program, "/journal/replay", &json!({ "filter": filter, "dryRun": true }));
    assert_eq!((&dry.json()["count"], &dry.json()["sample"][0]["seq"]), (&json!(380), &json!(11)), "{dry:?}");
    let started = post(&program, "/journal/replay", &json!({ "filter": filter, "expect": 380 }));
    let (replayed, program) = killed(&home, program, &started.json()["id"]);
    assert_eq!(
        (parts(&replayed), &replayed["counts"]),
        ([380, 0, 380], &json!({ "repeated": 380 })),
        "{replayed}"
    );
    assert_eq!((home.rows("journal"), home.rows("quarantine")), (400, 1));
    // Calls of our own API are not among them.
    let body = json!({ "kind": "setProperty", "app": crate::support::APP, "filter": "", "property": "p", "value": 1, "expect": 400 });
    program.end_of_job(&post(&program, "/jobs", &body));
    let all = post(&program, "/journal/replay", &json!({ "filter": {}, "dryRun": true }));
    assert_eq!(all.json()["count"], 400);
    for (filter, status) in [
        (json!({ "user": "nobody" }), 404),
        (json!({ "since": 9, "until": 8 }), 400),
        (json!({ "outcome": "x" }), 400),
    ] {
        assert_eq!(
            post(&program, "/journal/replay", &json!({ "filter": filter, "dryRun": true })).status,
            status
        );
    }
    let one = json!({ "filter": { "user": "u00007" }, "dryRun": true });
    assert_eq!(post(&program, "/journal/replay", &one).json()["count"], 1);
    assert_eq!(ask(&program, "GET", "/jobs?limit=1", "").json()["hasMore"], true);
}

/// Whoever restores a backup may do so because of the job that ran.
#[test]
fn a_job_does_not_go_on_in_a_restored_database() {
    let home = Home::new();
    let program = home.start();
    people(&program, 1500);
    start(&program, "remove", "", json!({}));
    until("some progress", || job(&program, &json!(1))["done"].as_u64().unwrap() > 0);
    program.kill();
    let done = home.find::<i64>("SELECT done FROM jobs WHERE state = 'running'");
    let backup = home.path().join("copy.db");
    let backup = backup.to_str().unwrap();
    for args in [&["backup", backup][..], &["restore", backup, "--replace"]] {
        let ran = run_alone(&home, args);
        assert_eq!(ran.code, Some(0), "{args:?}: {}", ran.err);
    }
    let program = home.start();
    until("the end of the job", || job(&program, &json!(1))["state"] != "running");
    let restored = job(&program, &json!(1));
    let code = &restored["result"]["error"]["code"];
    assert_eq!((&restored["state"], code), (&json!("failed"), &json!("conflict")), "{restored}");
    assert_eq!(i64::try_from(count(&program, "")).unwrap(), 1500 - done, "{restored}");
    assert!(done < 1500);
    // Room for the next one.
    assert_eq!(post(&program, "/quarantine/drop", &json!({ "filter": {}, "expect": 0 })).status, 202);
}

/// One part that can never be applied fails alone, and the job goes on behind it.
#[test]
fn a_part_that_cannot_be_applied_fails_alone() {
    let mut home = Home::new();
    let program = home.start();
    people(&program, 40);
    let odd = first_message("odd", 1_600_000_000.0).replace("message:appUser", "conversation:start");
    assert_eq!(program.webhook(odd).status, 200);
    people_from(&program, 40, 80);
    program.stop();
    home.env = vec![("ROLLCALL_PANIC_ON".to_owned(), "conversation:start".to_owned())];
    let program = home.start();
    let body = json!({ "filter": {}, "expect": 81 });
    let replayed = program.end_of_job(&post(&program, "/journal/replay", &body));
    assert_eq!((&replayed["state"], parts(&replayed)), (&json!("done"), [80, 1, 81]), "{replayed}");
    let failures = ask(&program, "GET", "/jobs/1/failures", "").json()["failures"].clone();
    assert_eq!(failures, json!([{ "about": "41", "reason": "cannot_apply" }]));
}
