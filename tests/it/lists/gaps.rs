//! Changes that are lost in the middle or at the end of the feed: no follower reads on across the gap, every command that
//! checks names it, and nothing that rightly happens to a database leaves one.

use super::damage_repair::{copy_of, damage, is_whole, lived, names};
use super::users::People;
use crate::feed::api;
use crate::feed::follower::Copy;
use crate::operator_commands::{messages, run, run_alone};
use crate::support::{Home, Program, first_message, until};

/// The lost parts of the feed.
const LOST: [&str; 7] = [
    "DELETE FROM changes WHERE seq = 20",
    "DELETE FROM changes WHERE seq BETWEEN 20 AND 30",
    "DELETE FROM changes WHERE seq IN (20, 25, 40)",
    "DELETE FROM changes WHERE seq % 3 = 0",
    "DELETE FROM changes WHERE seq < 10 OR seq BETWEEN 20 AND 25",
    "DELETE FROM changes WHERE seq = (SELECT max(seq) - 1 FROM changes)",
    "DELETE FROM changes WHERE seq > (SELECT max(seq) - 4 FROM changes)",
];

/// Reads on like a follower, until it has all or is sent to the snapshot: whether it was. It never misses a change
/// unnoticed.
fn follow(program: &Program, copy: &mut Copy, how: &str) -> bool {
    let mut is_sent_back = false;
    until(&format!("{how}: the follower knows where it is"), || {
        let page = program.get(&format!("/v1/changes?since={}&limit=7", copy.since()));
        match page.status {
            200 => {
                let page = page.json();
                // Fails if one is passed over.
                page["changes"].as_array().unwrap().iter().for_each(|change| copy.apply(change));
                copy.resume_from(&page);
                page["hasMore"] == false
            }
            503 => false,
            status => {
                assert_eq!(status, 410, "{how}: {page:?}");
                is_sent_back = true;
                true
            }
        }
    });
    if is_sent_back {
        *copy = Copy::default();
        copy.begin(program, 50, || {});
        copy.poll(program, 50);
    }
    is_sent_back
}

#[test]
fn no_follower_of_a_running_service_reads_on_across_a_gap() {
    let (lived, _) = lived();
    for sql in LOST {
        let home = copy_of(&lived);
        let program = home.start();
        let (mut behind, mut beyond) = (Copy::default(), Copy::default());
        let first = program.get("/v1/changes?since=0&limit=15").json();
        first["changes"].as_array().unwrap().iter().for_each(|change| behind.apply(change));
        behind.resume_from(&first);
        beyond.poll(&program, 1000);
        damage(&home, sql);
        assert!(follow(&program, &mut behind, sql), "{sql}: it is sent to the snapshot");
        behind.is_the_directory(&program);
        assert_eq!(program.webhook(first_message("later", 1_600_000_000.0)).status, 200, "{sql}");
        assert!(!follow(&program, &mut beyond, sql), "{sql}: it has missed nothing");
        beyond.is_the_directory(&program);
        is_whole(&home, Some(&program), sql);
        program.stop();
        is_whole(&home, None, sql);
    }
}

#[test]
fn a_gap_before_every_follower_is_named_and_mended_beside_a_running_service() {
    let (lived, _) = lived();
    for sql in LOST {
        let home = copy_of(&lived);
        let program = home.start();
        let mut beyond = Copy::default();
        beyond.poll(&program, 1000);
        damage(&home, sql);
        let ran = run(&home, &program, &["verify"]);
        // The service may have found it by itself, where it is among the newest changes.
        assert!(ran.code == Some(0) || ran.err.contains("feed is damaged: change"), "{sql}: {ran:?}");
        run(&home, &program, &["rebuild"]).well();
        is_whole(&home, Some(&program), sql);
        assert_eq!(program.get("/v1/changes?since=15").status, 410, "{sql}");
        messages(&program, &["later"]);
        beyond.poll(&program, 1000);
        beyond.is_the_directory(&program);
    }
}

#[test]
fn a_gap_that_came_while_nothing_ran_is_named_by_every_command_and_no_follower_reads_across_it() {
    let (lived, _) = lived();
    for sql in LOST {
        let home = copy_of(&lived);
        let program = home.start();
        let mut copy = Copy::default();
        let first = program.get("/v1/changes?since=0&limit=15").json();
        first["changes"].as_array().unwrap().iter().for_each(|change| copy.apply(change));
        copy.resume_from(&first);
        program.stop();
        damage(&home, sql);
        names(&run_alone(&home, &["verify"]), "feed", sql);
        names(&run_alone(&home, &["rebuild", "--verify"]), "feed", sql);
        let program = home.start();
        assert!(follow(&program, &mut copy, sql), "{sql}: it is sent to the snapshot");
        copy.is_the_directory(&program);
        is_whole(&home, Some(&program), sql);
    }
}

#[test]
fn nothing_that_rightly_happens_leaves_a_gap() {
    let home = Home::with("[retention]\nfeed_changes = 30\n");
    let program = home.start();
    let mut people = People::new(3);
    for _ in 0..60 {
        people.step(&program);
    }
    until("the oldest changes are gone", || home.find::<i64>("SELECT min(seq) FROM changes") > 1);
    is_whole(&home, Some(&program), "retention");
    messages(&program, &["erased", "other"]);
    let answer = api(&program, "DELETE", "/v1/appusers/erased?erase=true", &serde_json::Value::Null);
    assert!(answer.status < 300, "{answer:?}");
    until("the erasure is complete", || {
        home.find::<i64>("SELECT count(*) FROM receipts WHERE done IS NULL") == 0
    });
    is_whole(&home, Some(&program), "an erasure");
    let exported = run(&home, &program, &["export"]).well().out;
    run(&home, &program, &["backup", "copy.db"]).well();
    is_whole(&home, Some(&program), "a backup");
    damage(
        &home,
        "UPDATE app_users SET record = (SELECT record FROM app_users WHERE id = 'other') WHERE rowid < 4",
    );
    run(&home, &program, &["rebuild"]).well();
    is_whole(&home, Some(&program), "records that were replaced");
    program.kill();
    damage(&home, "UPDATE upkeep SET rules = 1");
    let program = home.start();
    until("all is learned again", || home.find::<i64>("SELECT rules FROM upkeep") > 1);
    is_whole(&home, Some(&program), "a kill, and what was learned again");
    program.stop();
    run_alone(&home, &["restore", "--replace", "copy.db"]).well();
    let program = home.start();
    messages(&program, &["later"]);
    is_whole(&home, Some(&program), "a restore");
    program.stop();

    let other = Home::with("[retention]\nfeed_age = \"1s\"\n");
    let program = other.start();
    messages(&program, &["first"]);
    std::fs::write(other.path().join("people.ndjson"), exported).unwrap();
    run(&other, &program, &["import", "people.ndjson"]).well();
    is_whole(&other, Some(&program), "an import");
    until("no change is kept", || other.rows("changes") == 0);
    is_whole(&other, Some(&program), "all changes gone");
    messages(&program, &["second"]);
    is_whole(&other, Some(&program), "another one after that");
}
