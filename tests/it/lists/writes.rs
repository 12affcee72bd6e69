//! Lists that are read page by page while others write.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use serde_json::json;

use super::page;
use super::users::call;
use crate::crash::traffic::{Rng, webhook};
use crate::feed::api;
use crate::operator_commands::run;
use crate::support::{Connection, Home, Program, SetOnDrop, first_message};

const USERS: u64 = 120;

fn user(n: u64) -> String {
    format!("{n:024x}")
}

fn made(program: &Program) {
    for n in 0..USERS {
        let mut body: serde_json::Value =
            serde_json::from_str(&first_message(&user(n), 1_500_000_000.0 + (n * 7 % USERS) as f64)).unwrap();
        body["appUser"]["signedUpAt"] = json!(format!("2019-{:02}-{:02}T00:00:00Z", 1 + n % 12, 1 + n % 28));
        assert_eq!(program.webhook(body.to_string()).status, 200);
    }
}

/// Reads a list to its end, with other writers at work between and beside the pages; all app users that existed
/// throughout must be on it once.
fn reads_each_user_once(program: &Program, list: &str, limit: usize) {
    let (mut seen, mut after, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let (ids, next) = page(&program.get(&format!("/v1/appusers?limit={limit}{list}{after}")));
        seen.extend(ids);
        pages += 1;
        assert!(pages < 10 * USERS, "{list} goes on for ever");
        let Some(next) = next else { break };
        after = format!("&after={next}");
    }
    seen.retain(|id| id.starts_with("0000"));
    let once: BTreeSet<&String> = seen.iter().collect();
    assert_eq!(seen.len(), once.len(), "{list}: somebody is on it twice");
    assert_eq!(once.len() as u64, USERS, "{list}: somebody is left out");
}

const LISTS: [&str; 7] = [
    "",
    "&sort=-_id",
    "&sort=lastSeen",
    "&sort=-lastSeen",
    "&sort=signedUpAt",
    "&sort=-lastSeen&conversationStarted=true",
    "&sort=lastSeen&seenSince=1500000000",
];

#[test]
fn every_user_is_on_a_list_once_while_new_events_arrive() {
    let program = Home::new().start();
    made(&program);
    let (done, clock) = (AtomicBool::new(false), AtomicU64::new(1_600_000_000));
    thread::scope(|scope| {
        let _end = SetOnDrop(&done);
        for seed in 0..2 {
            let (program, done, clock) = (&program, &done, &clock);
            scope.spawn(move || {
                let (mut rng, mut line) = (Rng(seed), Connection::open(program.listen));
                while !done.load(Ordering::Relaxed) {
                    let time = clock.fetch_add(1, Ordering::Relaxed) as f64;
                    let id = match rng.below(10) {
                        0 => format!("ffff{}", rng.id()),
                        _ => user(rng.below(USERS)),
                    };
                    assert!(line.send(webhook(&first_message(&id, time))));
                    assert_eq!(line.answer().unwrap().status, 200);
                }
            });
        }
        let read = thread::scope(|scope| {
            let program = &program;
            let readers = LISTS.iter().map(|list| {
                scope.spawn(move || [5, 23].map(|limit| reads_each_user_once(program, list, limit)))
            });
            let readers: Vec<_> = readers.collect();
            readers.into_iter().map(thread::ScopedJoinHandle::join).all(|read| read.is_ok())
        });
        assert!(read);
    });
}

#[test]
fn a_user_that_moves_into_the_part_already_read_is_returned_next() {
    let program = Home::new().start();
    made(&program);
    for (list, to) in
        [("&sort=-signedUpAt", "2030-01-01T00:00:00Z"), ("&sort=signedUpAt", "2001-01-01T00:00:00Z")]
    {
        let (first, after) = page(&program.get(&format!("/v1/appusers?limit=10{list}")));
        let moved = (0..USERS).map(user).find(|id| !first.contains(id)).unwrap();
        let path = format!("/v1/appusers/{moved}");
        assert_eq!(call(&program, "PUT", &path, &json!({ "signedUpAt": to })), 200);
        let after = after.unwrap();
        let (second, _) = page(&program.get(&format!("/v1/appusers?limit=10{list}&after={after}")));
        assert_eq!(second[0], moved);
        let (rest, end) = page(&program.get(&format!("/v1/appusers?limit=1000{list}&after={after}")));
        assert_eq!((rest.len() as u64, end), (USERS - 10, None));
        let back = format!("2019-01-01T00:00:0{}Z", list.len() % 10);
        assert_eq!(call(&program, "PUT", &path, &json!({ "signedUpAt": back })), 200);
    }
}

/// A list reads everything committed before its request.
#[test]
fn a_list_shows_a_change_answered_just_before() {
    let program = Home::new().start();
    for n in 0..50 {
        let (id, name) = (user(n), format!("Name{n}"));
        let body = json!({ "trigger": "conversation:read", "timestamp": 1_500_000_000 + n,
            "appUser": { "_id": id, "givenName": name, "userId": format!("name-{n}"), "email": format!("{n}@example.com") } });
        assert_eq!(program.webhook(body.to_string()).status, 200);
        for list in [
            format!("q={name}"),
            format!("email={n}%40example.com"),
            format!("userId=name-{n}"),
            format!("seenSince={}", 1_500_000_000 + n),
        ] {
            assert_eq!(
                page(&program.get(&format!("/v1/appusers?{list}"))).0,
                std::slice::from_ref(&id),
                "{list}"
            );
        }
        assert_eq!(page(&program.get("/v1/appusers?sort=-lastSeen&limit=1")).0, [id]);
        assert_eq!(program.get("/v1/appusers?count=exact").json()["count"], n + 1);
    }
}

#[test]
fn a_list_that_was_left_for_too_long_is_410() {
    let home = Home::new();
    let program = home.start();
    made(&program);
    let after = page(&program.get("/v1/appusers?sort=lastSeen&limit=5")).1.unwrap();
    let by_id = page(&program.get("/v1/appusers?limit=5")).1.unwrap();
    for n in 0..3 {
        assert_eq!(program.webhook(first_message(&user(n), 1_600_000_000.0 + n as f64)).status, 200);
    }
    // As when half a million have moved.
    home.sql().execute("DELETE FROM moves WHERE n < (SELECT max(n) FROM moves)", []).unwrap();
    let answer = program.get(&format!("/v1/appusers?sort=lastSeen&after={after}"));
    assert_eq!((answer.status, answer.code().as_str()), (410, "gone"), "{answer:?}");
    assert_eq!(program.get(&format!("/v1/appusers?after={by_id}")).status, 200);
}

/// Outdated rows and unneeded moves are deleted while the program writes; any left over when it ends are deleted
/// after the next start.
#[test]
fn rows_that_lists_no_longer_need_are_deleted() {
    let home = Home::new();
    let mut time = 1_600_000_000;
    let mut write = |program: &Program, events: i64| {
        let mut line = Connection::open(program.listen);
        for n in 0..events {
            time += 1;
            assert!(line.send(webhook(&first_message(&user(n as u64 % 10), time as f64))));
            assert_eq!(line.answer().unwrap().status, 200);
        }
    };
    let program = home.start();
    write(&program, 2500);
    program.kill();
    let of_before = "SELECT count(*) FROM seen WHERE last_seen <= 1600002500000000";
    assert!(home.find::<i64>(of_before) > 10, "something was left");
    // So many moves later.
    let sql = "INSERT INTO moves (n, sort, app, id, user, before, now)
               SELECT 600000, sort, app, id, user, before, now FROM moves WHERE n = 1";
    home.sql().execute_batch(sql).unwrap();
    let program = home.start();
    write(&program, 2500);
    let (seen, oldest) = (home.rows("seen"), home.find::<i64>("SELECT min(n) FROM moves"));
    println!("{seen} rows of seen for 10 app users, the oldest move is {oldest}");
    assert!((10..10 + 2 * 512 + 100).contains(&seen), "{seen}");
    assert!(oldest > 1000, "{oldest}");
    assert_eq!(home.find::<i64>(of_before), 0, "what was left when it ended has gone");
    let (ids, _) = page(&program.get("/v1/appusers?sort=-lastSeen"));
    assert_eq!(ids.len(), 10);
    program.stop();
    home.start().stop();
    assert_eq!(home.rows("seen"), seen, "nothing of what is needed went");
}

#[test]
fn the_index_has_the_words_of_a_changed_user_and_no_others() {
    let home = Home::new();
    let program = home.start();
    let put =
        |body: serde_json::Value| assert_eq!(api(&program, "PUT", "/v1/appusers/ann", &body).status, 200);
    assert_eq!(program.webhook(first_message("ann", 1_500_000_000.0)).status, 200);
    put(json!({ "givenName": "Anna", "surname": "Lee", "email": "ann@example.org" }));
    put(json!({ "surname": "Poe" }));
    let device = json!({ "device": { "id": "d1", "platform": "android" }, "userId": "ann" });
    assert_eq!(api(&program, "POST", "/v1/init", &device).status, 200);
    let found = |word: &str| page(&program.get(&format!("/v1/appusers?q={word}"))).0.len();
    assert_eq!(["anna", "poe", "lee"].map(found), [1, 1, 0]);
    put(json!({ "givenName": null, "surname": null, "email": null }));
    assert_eq!(["anna", "poe", "lee"].map(found), [0; 3]);
    // Also finds words that no row has any more.
    run(&home, &program, &["verify"]).well();
}
