//! Single rows and counters that are lost under a running service: it has them in memory and writes them again.

use std::collections::BTreeSet;

use super::damage_repair::{DAMAGES, copy_of, damage, is_whole, lived};
use crate::feed::api;
use crate::feed::follower::Copy;
use crate::operator_commands::{messages, run};
use crate::support::{Home, Program, first_message, until};

/// The damages of `DAMAGES` that concern data in memory.
fn damages() -> impl Iterator<Item = &'static str> {
    let about = DAMAGES.iter().filter(|(table, ..)| ["counters", "answers"].contains(table));
    about.map(|(_, sql, _)| *sql)
}

/// The feed has no gap, and no number twice.
fn is_numbered_on(home: &Home, how: &str) {
    let gaps = "SELECT count(*) - (max(seq) - min(seq) + 1) FROM changes";
    assert_eq!(home.find::<i64>(gaps), 0, "{how}");
    assert_eq!(
        home.find::<i64>("SELECT (SELECT max(seq) FROM changes) - (SELECT seq FROM feeds)"),
        0,
        "{how}"
    );
}

fn epoch(program: &Program) -> String {
    program.get("/v1/changes?snapshot=true&limit=1").json()["epoch"].as_str().unwrap().to_owned()
}

/// Two webhooks are about one app user: the second one finds the first one's record.
fn is_stored(program: &Program, n: usize, how: &str) {
    let body = first_message(&format!("later {}", n / 2), 1_600_000_000.0 + n as f64);
    assert_eq!(program.webhook(body).status, 200, "{how}: {}", program.log());
}

#[test]
fn a_counter_lost_under_a_running_service_costs_no_webhook_and_no_follower_anything() {
    let (lived, _) = lived();
    for sql in damages() {
        let home = copy_of(&lived);
        let program = home.start();
        let (mut copy, before) = (Copy::default(), epoch(&program));
        copy.poll(&program, 1000);
        damage(&home, sql);
        (0..6).for_each(|n| is_stored(&program, n, sql));
        until(&format!("{sql}: it is found, and made anew"), || {
            let asked = ["/v1/changes?since=0", "/v1/appusers?q=ann", "/v1/appusers?sort=-lastSeen"];
            asked.iter().all(|path| program.get(path).status == 200)
        });
        copy.poll(&program, 1000);
        copy.is_the_directory(&program);
        assert_eq!(epoch(&program), before, "{sql}: the numbers are known, so the epoch stays");
        run(&home, &program, &["rebuild"]).well();
        is_whole(&home, Some(&program), sql);
        is_numbered_on(&home, sql);
        program.stop();
        let program = home.start();
        assert_eq!(epoch(&program), before, "{sql}");
        is_whole(&home, Some(&program), sql);
    }
}

#[test]
fn a_service_that_only_reads_finds_a_lost_counter_by_itself() {
    let (lived, _) = lived();
    let all_at_once =
        "DROP TABLE upkeep; DROP TABLE feeds; DROP TABLE horizon; DROP TABLE epochs; DROP TABLE clock;
        DROP TABLE answer_key; DROP TABLE answers";
    for sql in ["UPDATE feeds SET seq = 1", "DELETE FROM horizon", all_at_once] {
        let home = copy_of(&lived);
        let program = home.start();
        damage(&home, sql);
        program.wait_for_log("remaking it");
        until(&format!("{sql}: it is whole"), || run(&home, &program, &["verify"]).code == Some(0));
        assert_eq!(program.get("/v1/changes?since=0").status, 200, "{sql}");
    }
}

#[test]
fn rebuild_beside_a_service_ends_with_any_lost_counter() {
    let (lived, _) = lived();
    for sql in damages() {
        let home = copy_of(&lived);
        let program = home.start();
        damage(&home, sql);
        run(&home, &program, &["rebuild"]).well();
        is_whole(&home, Some(&program), sql);
    }
}

#[test]
fn numbers_of_deleted_changes_are_never_given_twice() {
    let home = Home::with("[retention]\nfeed_age = \"1s\"\n");
    let program = home.start();
    messages(&program, &["a", "b", "c"]);
    until("no change is kept", || home.rows("changes") == 0);
    // Running, the service knows which were given.
    let before = epoch(&program);
    damage(&home, "DELETE FROM feeds");
    messages(&program, &["d"]);
    let (told, kept) = (program.get("/v1/changes?since=0").json(), home.find::<i64>("SELECT seq FROM feeds"));
    assert!(kept == 4 && epoch(&program) == before, "{kept}: {told}");
    until("no change is kept", || home.rows("changes") == 0);
    program.stop();
    // Without it nothing knows: the feed has another epoch.
    damage(&home, "DELETE FROM feeds");
    let program = home.start();
    assert_ne!(epoch(&program), before);
    let gone = program.get(&format!("/v1/changes?since={before}-4"));
    assert_eq!(gone.status, 410, "{gone:?}");
}

#[test]
fn numbers_given_by_another_process_are_skipped() {
    let home = Home::new();
    let program = home.start();
    messages(&program, &["a", "b"]);
    for sql in [
        "INSERT INTO changes SELECT app, seq + 1, journal, time, kind, user, surviving, fields FROM changes
             ORDER BY seq DESC LIMIT 1",
        "INSERT INTO bodies SELECT first_seq + 1, dictionary, bodies FROM bodies ORDER BY first_seq DESC LIMIT 1",
        "INSERT INTO journal SELECT seq + 1, app, source, received, event_time, trigger, outcome, digest, users, body,
             place FROM journal ORDER BY seq DESC LIMIT 1",
    ] {
        damage(&home, sql);
        messages(&program, &["c", "d"]);
        is_numbered_on(&home, sql);
    }
}

#[test]
fn a_key_that_was_answered_is_answered_again_unless_the_answers_are_lost() {
    let home = Home::new();
    let program = home.start();
    let create = |user: &str| {
        let auth = crate::support::basic(crate::support::KEY_ID, crate::support::KEY_SECRET);
        let headers = [
            ("authorization", auth.as_str()),
            ("content-type", "application/json"),
            ("idempotency-key", "once"),
        ];
        program
            .request("POST", "/v1/appusers", &headers, format!("{{\"userId\":\"{user}\"}}").as_bytes())
            .status
    };
    assert_eq!((create("ann"), create("ann"), create("bob")), (201, 201, 422));
    damage(&home, "DELETE FROM answer_key");
    program.wait_for_log("remaking it");
    assert_eq!((create("ann"), create("bob")), (201, 422), "the key is remembered");
    damage(&home, "DROP TABLE answers");
    assert_eq!(create("ann"), 409, "the answer is lost, and the user is there");
    let names = api(&program, "GET", "/v1/appusers", &serde_json::Value::Null).json();
    let names: BTreeSet<String> = names["appUsers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|user| user["userId"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, BTreeSet::from(["ann".to_owned()]));
}
