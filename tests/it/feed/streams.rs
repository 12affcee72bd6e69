//! Streams: heartbeats, maximum life, readers that stop reading, and readers that come too late.

use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::params;
use serde_json::{Value, json};

use super::follower::{Copy, Stream, number};
use super::{LAST, live, refused};
use crate::support::{APP, Home, Program, SetOnDrop, first_message, until};

/// Fills the feed with more than the buffers between the program and an idle reader hold.
fn fill(program: &Program, users: usize) {
    let name = "x".repeat(50_000);
    for n in 0..users {
        let mut body: Value =
            serde_json::from_str(&first_message(&format!("user-{n:03}"), 1_444_348_338.0)).unwrap();
        body["appUser"]["givenName"] = json!(name);
        assert_eq!(program.webhook(body.to_string()).status, 200);
    }
}

#[test]
fn a_stream_without_an_event_has_heartbeats_also_while_other_apps_are_busy() {
    let home = Home::with(&format!(
        "[feed]\nheartbeat = \"50ms\"\n[[apps]]\nid = \"{APP}\"\nwebhook_secrets = [\"demo-webhook-secret\"]\n\
         keys = [{{ id = \"app_demo\", secret = \"demo-key-secret-change-me\" }}]\n\
         [[apps]]\nid = \"other\"\nwebhook_secrets = [\"the-secret-of-the-other\"]"
    ));
    let program = home.start();
    let mut stream = Stream::open(program.listen, "/v1/changes", None).unwrap();
    stream.comments_until(3);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _end = SetOnDrop(&done);
        scope.spawn(|| {
            let mut n = 0;
            while !done.load(Ordering::Acquire) {
                n += 1;
                let body = first_message(&format!("theirs-{n}"), 1_444_348_338.0).replace(APP, "other");
                let secret = [("x-api-key", "the-secret-of-the-other")];
                assert_eq!(program.request("POST", "/webhooks", &secret, body.as_bytes()).status, 200);
            }
        });
        stream.comments_until(8);
    });
    assert!(stream.comments.iter().all(String::is_empty), "{:?}", stream.comments);
    assert_eq!(program.webhook(first_message("ann", 1_444_348_338.0)).status, 200);
    let event = stream.next().unwrap();
    assert_eq!((number(&json!(event.id)), &event.json()["_id"]), (1, &json!("ann")));
}

#[test]
fn a_stream_that_is_old_ends_and_is_taken_up_where_it_was() {
    let home = Home::with("[feed]\nheartbeat = \"50ms\"\nstream_life = \"300ms\"");
    let program = home.start();
    live(&program);
    let (mut copy, mut last, mut lives) = (Copy::default(), None::<String>, 0);
    while lives < 3 {
        let mut stream = Stream::open(program.listen, "/v1/changes?limit=2", last.as_deref()).unwrap();
        while let Some(event) = stream.next() {
            copy.apply(&event.json());
            last = Some(event.id);
        }
        assert_eq!(stream.comments.first().unwrap(), "retry 2000");
        assert_eq!(stream.comments.last().unwrap(), "come again");
        lives += 1;
        assert_eq!(program.webhook(first_message(&format!("late-{lives}"), 1_444_348_339.0)).status, 200);
    }
    copy.poll(&program, 100);
    assert_eq!(copy.seq, LAST + 3);
    copy.is_the_directory(&program);
    until("it is gone", || program.metric("rollcall_feed_readers") == 0.0);
}

#[test]
fn a_reader_that_reads_nothing_is_disconnected() {
    let home = Home::with("[server]\nidle_timeout = \"1s\"");
    let program = home.start();
    let deaf = Stream::open(program.listen, "/v1/changes", None).unwrap();
    until("it is there", || program.metric("rollcall_feed_readers") == 1.0);
    fill(&program, 500);
    until("it is cut off", || program.metric("rollcall_feed_readers") == 0.0);
    drop(deaf);
}

#[test]
fn a_reader_overtaken_by_retention_is_told_the_first_available_change() {
    let home = Home::new();
    let program = home.start();
    let mut slow = Stream::open(program.listen, "/v1/changes?limit=1", None).unwrap();
    fill(&program, 500);
    home.sql().execute("DELETE FROM changes WHERE seq < ?1", params![498]).unwrap();
    let (mut copy, mut place) = (Copy::default(), String::new());
    let gone = loop {
        let event = slow.next().unwrap();
        if event.kind == "gone" {
            break event;
        }
        place.clone_from(&event.id);
        copy.apply(&event.json());
    };
    assert!((1..497).contains(&copy.seq), "{}", copy.seq);
    let epoch = place.split('-').next().unwrap();
    assert_eq!(
        (gone.id.as_str(), gone.json()),
        ("", json!({ "kind": "gone", "oldest": 498, "epoch": epoch }))
    );
    assert_eq!(slow.next(), None, "and that was all");
    let last = copy.seq.to_string();
    assert_eq!(Stream::open(program.listen, "/v1/changes", Some(&last)).unwrap().status(), 410);
    let page = program.get(&format!("/v1/changes?since={last}&wait=60"));
    refused(&page, 410, "not kept");
    assert_eq!(page.json()["oldest"], 498);
}

#[test]
fn a_snapshot_that_takes_too_long_begins_again() {
    let home = Home::new();
    let program = home.start();
    live(&program);
    let first = program.get("/v1/changes?snapshot=true&limit=2").json();
    let after = first["after"].as_str().unwrap();
    assert_eq!(number(&first["next"]), LAST);
    for n in 0..3 {
        assert_eq!(program.webhook(first_message(&format!("late-{n}"), 1_444_348_339.0)).status, 200);
    }
    let next = format!("/v1/changes?snapshot=true&limit=2&after={after}");
    home.sql().execute("DELETE FROM changes WHERE seq <= ?1", params![LAST as i64]).unwrap();
    assert_eq!(program.get(&next).status, 200, "every change after the snapshot is still there");
    home.sql().execute("DELETE FROM changes WHERE seq <= ?1", params![LAST as i64 + 1]).unwrap();
    let page = program.get(&next);
    refused(&page, 410, "not kept");
    assert_eq!(page.json()["oldest"], LAST + 2);
    let path = "/v1/changes?snapshot=true";
    assert_eq!(Stream::open(program.listen, path, Some(after)).unwrap().status(), 410);
    assert_eq!(Stream::open(program.listen, path, None).unwrap().next().unwrap().kind, "begin");
}
