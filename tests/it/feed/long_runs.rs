//! Followers for a long time: through the ends of the program, beside other apps, too slow, and too late.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::api;
use super::follower::{Copy, Stream, number as number_of};
use super::rules::{Follower, Step, WAYS};
use crate::backup::printed;
use crate::crash::traffic::{Rng, Sender};
use crate::crash::{number, seed};
use crate::operator_commands::run;
use crate::support::{APP, Home, Program, SetOnDrop, basic, first_message, request, until};

/// Reads from the program at its current address, until the end is set and nothing is left.
fn follow(follower: &mut Follower, to: &Mutex<SocketAddr>, end: &AtomicBool) {
    while !end.load(Ordering::Acquire) {
        let address = *to.lock().unwrap();
        match follower.step(address) {
            Step::Moved => {}
            Step::Nothing => follower.wait_for_news(address),
            Step::Failed => std::thread::yield_now(),
        }
    }
    let address = *to.lock().unwrap();
    follower.catch_up(address);
}

/// An action on the program and its database between two rounds of webhooks and calls.
#[derive(Clone, Copy, Debug)]
enum Event {
    Killed,
    Stopped,
    Restored,
    KilledAndRestored,
    Imported,
    Repaired,
    Trimmed,
}

const EVENTS: [Event; 8] = [
    Event::Killed,
    Event::Restored,
    Event::Imported,
    Event::Repaired,
    Event::Trimmed,
    Event::KilledAndRestored,
    Event::Stopped,
    Event::Restored,
];

impl Event {
    /// Ends with a service that runs.
    fn happen(self, home: &mut Home, program: Program, backup: &str) -> Program {
        let restore = |home: &Home| _ = printed(home, &["restore", "--replace", backup]);
        match self {
            Self::Killed => program.kill(),
            Self::Stopped => _ = program.stop(),
            Self::Restored => {
                program.stop();
                restore(home);
            }
            Self::KilledAndRestored => {
                program.kill();
                restore(home);
            }
            Self::Imported => {
                let file = home.path().join("export.ndjson");
                let file = file.to_str().unwrap();
                run(home, &program, &["export", "-o", file]).well();
                // Some of it is new to the restored database.
                program.stop();
                restore(home);
                let program = home.start();
                run(home, &program, &["import", "--json", file]).well();
                return program;
            }
            Self::Repaired => {
                let damage = "UPDATE app_users SET listed = 0 WHERE rowid IN
                                  (SELECT rowid FROM app_users WHERE listed ORDER BY id LIMIT 5)";
                program.stop();
                home.sql().execute_batch(damage).unwrap();
                let program = home.start();
                run(home, &program, &["rebuild"]).well();
                return program;
            }
            Self::Trimmed => {
                program.stop();
                home.settings = "[retention]\nfeed_changes = 5".to_owned();
                let program = home.start();
                assert_eq!(program.webhook(first_message("trimmed", 1_444_348_338.0)).status, 200);
                until("the feed is trimmed", || home.rows("changes") <= 5);
                program.stop();
                home.settings = "[retention]\nfeed_changes = 300".to_owned();
            }
        }
        home.start()
    }
}

/// Calls of our own API between the webhooks: changes, merges, their undoing, removals, erasures.
fn calls(program: &Program, ids: &[String], rng: &mut Rng) {
    let mut one = || ids[rng.below(ids.len() as u64) as usize].clone();
    let (a, b, c) = (one(), one(), one());
    api(program, "PUT", &format!("/v1/appusers/{a}"), &json!({ "givenName": c, "properties": { "x": b } }));
    let merge = json!({ "surviving": { "_id": a }, "discarded": { "_id": b } });
    api(program, "POST", "/v1/appusers/merge", &merge);
    if rng.below(2) == 0 {
        api(program, "POST", &format!("/v1/appusers/{a}/unmerge"), &json!({ "discarded": { "_id": b } }));
    }
    match rng.below(6) {
        0 | 1 => _ = api(program, "DELETE", &format!("/v1/appusers/{c}"), &json!({})),
        2 => _ = api(program, "DELETE", &format!("/v1/appusers/{c}?erase=true"), &json!({})),
        _ => {}
    }
}

#[test]
fn followers_end_with_the_directory_after_any_events() {
    let (mut home, mut rng) = (Home::new(), seed("followers"));
    let mut senders: Vec<Sender> = (0..4).map(|n| Sender::new(n, rng.next())).collect();
    let mut life = Some(home.start());
    let (to, end) = (Mutex::new(life.as_ref().unwrap().listen), AtomicBool::new(false));
    let mut followers: Vec<Follower> = WAYS.iter().map(|way| Follower::new(*way, Rng(rng.next()))).collect();
    std::thread::scope(|scope| {
        let end_now = SetOnDrop(&end);
        for follower in &mut followers {
            let (to, end) = (&to, &end);
            scope.spawn(move || follow(follower, to, end));
        }
        for round in 0..number("ROLLCALL_CRASH_ROUNDS", EVENTS.len() as u64) {
            let program = life.take().unwrap();
            let backup = format!("b{round}.db");
            std::thread::scope(|scope| {
                let (sent, answers) = std::sync::mpsc::channel();
                for sender in &mut senders {
                    let (sent, to) = (sent.clone(), program.listen);
                    scope.spawn(move || sender.run_until(to, &sent, 60));
                }
                drop(sent);
                let mut ids: Vec<String> = Vec::new();
                for (n, one) in answers.into_iter().enumerate() {
                    ids.extend(one.delivery.users.iter().cloned());
                    if n % 20 == 19 {
                        calls(&program, &ids, &mut rng);
                    }
                    if n == 100 {
                        printed(&home, &["backup", &backup]);
                    }
                }
                calls(&program, &ids, &mut rng);
            });
            let event = EVENTS[(round as usize) % EVENTS.len()];
            // The last backup or the first: little or much is lost.
            let backup = if rng.below(2) == 0 { "b0.db" } else { &backup };
            let program = life.insert(event.happen(&mut home, program, backup));
            *to.lock().unwrap() = program.listen;
        }
        drop(end_now);
        // A reader that waits at the end of the feed is woken and sees that it is the end.
        api(life.as_ref().unwrap(), "POST", "/v1/appusers", &json!({ "userId": "the last" }));
    });
    let program = life.unwrap();
    for mut follower in followers {
        println!("{:?} began {} times", follower.way, follower.begun);
        // It may have seen the end just before the last call.
        follower.catch_up(program.listen);
        Copy { users: follower.copy, ..Copy::default() }.is_the_directory(&program);
    }
}

#[test]
fn a_follower_sees_nothing_of_another_app() {
    let home = Home::with(&format!(
        "[[apps]]\nid = \"{APP}\"\nwebhook_secrets = [\"demo-webhook-secret\"]\n\
         keys = [{{ id = \"app_demo\", secret = \"demo-key-secret-change-me\" }}]\n\
         [[apps]]\nid = \"other\"\nwebhook_secrets = [\"the-secret-of-the-other\"]\n\
         keys = [{{ id = \"app_other\", secret = \"the-key-secret-of-other\" }}]"
    ));
    let program = home.start();
    let mut stream = Stream::open(program.listen, "/v1/changes?snapshot=true", None).unwrap();
    assert_eq!([stream.next().unwrap().kind, stream.next().unwrap().kind], ["begin", "follow"]);
    for n in 0..5 {
        let body = first_message(&format!("theirs-{n}"), 1_444_348_338.0).replace(APP, "other");
        let theirs = program.request(
            "POST",
            "/webhooks",
            &[("x-api-key", "the-secret-of-the-other")],
            body.as_bytes(),
        );
        assert_eq!(theirs.status, 200);
        assert_eq!(program.webhook(first_message(&format!("ours-{n}"), 1_444_348_338.0)).status, 200);
        let change = stream.next().unwrap().json();
        assert_eq!((&change["_id"], &change["seq"]), (&json!(format!("ours-{n}")), &json!(n + 1)));
    }
    let key = basic("app_other", "the-key-secret-of-other");
    let ask = |path: &str| program.request("GET", path, &[("authorization", &key)], b"");
    for (path, list) in [("/v1/changes", "changes"), ("/v1/changes?snapshot=true", "appUsers")] {
        let page: Value = ask(path).json();
        let ids = page[list].as_array().unwrap().iter().map(|one| one["_id"].as_str().unwrap().to_owned());
        assert_eq!(ids.collect::<Vec<_>>(), (0..5).map(|n| format!("theirs-{n}")).collect::<Vec<_>>());
    }
    assert_eq!(ask(&format!("/v1/apps/{APP}/changes")).status, 400);
}

/// Resident memory of a process, in bytes.
fn memory(program: &Program) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", program.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

#[test]
fn followers_that_read_nothing_cost_the_worker_no_time_and_the_process_no_memory() {
    let home = Home::new();
    let program = home.start();
    let slow: Vec<Stream> =
        (0..60).map(|_| Stream::open(program.listen, "/v1/changes", None).unwrap()).collect();
    until("they are there", || program.metric("rollcall_feed_readers") == 60.0);
    let before = memory(&program);
    let name = "x".repeat(50_000);
    // 25 MB for each of them, which is 1.5 GB.
    for n in 0..500 {
        let mut body: Value =
            serde_json::from_str(&first_message(&format!("user-{n}"), 1_444_348_338.0)).unwrap();
        body["appUser"]["givenName"] = json!(name);
        assert_eq!(program.webhook(body.to_string()).status, 200);
    }
    let grown = memory(&program).saturating_sub(before);
    assert!(grown < 300 << 20, "{} MB more", grown >> 20);
    assert_eq!(program.metric("rollcall_feed_readers"), 60.0);
    let mut late = slow.into_iter().next().unwrap();
    let mut copy = Copy::default();
    while copy.seq < 500 {
        copy.apply(&late.next().unwrap().json());
    }
    copy.is_the_directory(&program);
}

#[test]
fn the_end_of_the_service_ends_streams_and_polls_with_a_last_message() {
    let home = Home::new();
    let program = home.start();
    assert_eq!(program.webhook(first_message("ann", 1_444_348_338.0)).status, 200);
    let mut streams: Vec<Stream> =
        (0..3).map(|_| Stream::open(program.listen, "/v1/changes", None).unwrap()).collect();
    assert!(streams.iter_mut().all(|stream| stream.next().is_some()));
    let to = program.listen;
    std::thread::scope(|scope| {
        let poll = scope.spawn(move || {
            let key = basic(crate::support::KEY_ID, crate::support::KEY_SECRET);
            request(to, "GET", "/v1/changes?since=1&wait=60", &[("authorization", &key)], b"").unwrap()
        });
        until("all are there", || program.metric("rollcall_feed_readers") == 4.0);
        let log = program.stop();
        assert!(!log.contains("closing open connections"), "{log}");
        let page = poll.join().unwrap().json();
        assert_eq!((&page["changes"], number_of(&page["next"])), (&json!([]), 1));
    });
    for stream in &mut streams {
        assert_eq!(stream.next(), None);
        assert_eq!(stream.comments, ["retry 2000", "shutting down; come again"]);
    }
}
