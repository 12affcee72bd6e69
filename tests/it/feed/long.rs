//! Followers for a long time: through the ends of the program, beside other apps, too slow, and too late.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::api;
use super::follower::{Copy, Stream};
use crate::crash::traffic::{Rng, Sender};
use crate::crash::{number, seed};
use crate::support::{APP, Home, Program, basic, first_message, request, until};

/// Reads a random number of events from wherever the program is now, again and again, with nothing to
/// begin with; ends once `last` says how far there is to go.
fn follow(copy: &mut Copy, to: &Mutex<SocketAddr>, last: impl Fn() -> Option<u64>, mut rng: Rng) {
    let mut place: Option<String> = None;
    while last().is_none_or(|last| copy.seq < last) {
        let address = *to.lock().unwrap();
        let Ok(mut stream) = Stream::open(address, "/v1/changes?snapshot=true&limit=7", place.as_deref())
        else {
            continue;
        };
        for _ in 0..rng.below(60) {
            if last().is_some_and(|last| copy.seq >= last) {
                return;
            }
            let Some(event) = stream.next() else { break };
            match &*event.kind {
                "user" => copy.show(&event.json()["appUser"]),
                "follow" => copy.seq = event.json()["next"].as_u64().unwrap(),
                "end" => break,
                _ => copy.apply(&event.json()),
            }
            place = Some(event.id);
        }
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
fn followers_end_with_the_directory_whatever_happens_meanwhile() {
    let (home, mut rng) = (Home::new(), seed("followers"));
    let mut senders: Vec<Sender> = (0..4).map(|n| Sender::new(n, rng.next())).collect();
    let mut life = Some(home.start());
    let listen = life.as_ref().unwrap().listen;
    let (to, end) = (Mutex::new(listen), Mutex::new(None::<u64>));
    let mut copies: Vec<Copy> = (0..3).map(|_| Copy::default()).collect();
    std::thread::scope(|scope| {
        for copy in &mut copies {
            let (to, end, rng) = (&to, &end, Rng(rng.next()));
            scope.spawn(move || follow(copy, to, || *end.lock().unwrap(), rng));
        }
        for round in 0..number("ROLLCALL_CRASH_ROUNDS", 8) {
            let program = life.take().unwrap();
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
                }
                calls(&program, &ids, &mut rng);
            });
            if round % 3 == 2 {
                program.stop();
            } else {
                program.kill();
            }
            let program = life.insert(home.start());
            *to.lock().unwrap() = program.listen;
        }
        *end.lock().unwrap() = Some(home.find::<i64>("SELECT seq FROM feeds") as u64);
        // Whoever waits at the end of the feed is woken, and sees that it is the end.
        api(life.as_ref().unwrap(), "POST", "/v1/appusers", &json!({ "userId": "the last" }));
    });
    let program = life.unwrap();
    let last = home.find::<i64>("SELECT seq FROM feeds") as u64;
    for kind in ["created", "updated", "merged", "unmerged", "removed", "erased"] {
        let sql = format!("SELECT count(*) FROM changes WHERE kind = '{kind}'");
        assert!(home.find::<i64>(&sql) > 0, "{kind}");
    }
    for mut copy in copies {
        assert!(copy.seq >= last - 1);
        copy.poll(&program, 100);
        copy.is_the_directory(&program);
    }
    let mut copy = Copy::default();
    copy.poll(&program, 1000);
    assert_eq!(copy.seq, last);
    copy.is_the_directory(&program);
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
    assert_eq!(stream.next().unwrap().kind, "follow");
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
fn followers_who_read_nothing_cost_the_worker_no_time_and_the_process_no_memory() {
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
fn the_end_of_the_service_ends_streams_and_polls_with_a_word() {
    let home = Home::new();
    let program = home.start();
    assert_eq!(program.webhook(first_message("ann", 1_444_348_338.0)).status, 200);
    let mut streams: Vec<Stream> =
        (0..3).map(|_| Stream::open(program.listen, "/v1/changes", None).unwrap()).collect();
    assert!(streams.iter_mut().all(|stream| stream.next().is_some()));
    let (to, ended) = (program.listen, AtomicBool::new(false));
    std::thread::scope(|scope| {
        let poll = scope.spawn(move || {
            let key = basic(crate::support::KEY_ID, crate::support::KEY_SECRET);
            request(to, "GET", "/v1/changes?since=1&wait=60", &[("authorization", &key)], b"").unwrap()
        });
        until("all are there", || program.metric("rollcall_feed_readers") == 4.0);
        let log = program.stop();
        ended.store(true, Ordering::Release);
        assert!(!log.contains("closing connections that are still open"), "{log}");
        assert_eq!(poll.join().unwrap().json(), json!({ "changes": [], "next": 1, "hasMore": false }));
    });
    for stream in &mut streams {
        assert_eq!(stream.next(), None);
        assert_eq!(stream.comments, ["retry 2000", "shutting down; come again"]);
    }
}
