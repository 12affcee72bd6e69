//! The stream of new entries: nothing is missed over a restart, what is too much is counted, and nobody waits.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{OTHER, message, ok, two_apps, webhook_of_other};
use crate::console::{masked, of_app};
use crate::feed::follower::{Event, Stream};
use crate::operator_commands::post;
use crate::support::{APP, Home, PATIENCE, Program, first_message, request};

fn open(program: &Program, query: &str, last: Option<u64>) -> Stream {
    let last = last.map(|last| last.to_string());
    let stream = Stream::open(program.admin, &format!("/journal/tail{query}"), last.as_deref()).unwrap();
    assert_eq!(stream.status(), 200, "{}", stream.head);
    stream
}

/// The next event that is no rate.
fn next(stream: &mut Stream) -> Event {
    let end = Instant::now() + PATIENCE;
    let events = std::iter::from_fn(|| stream.next().filter(|_| Instant::now() < end));
    events.into_iter().find(|event| event.kind != "rate").expect("the next event comes in time")
}

/// The number of the next entry; fails if any was passed over.
fn entry(stream: &mut Stream) -> u64 {
    let event = next(stream);
    assert_eq!(
        (event.kind.as_str(), event.json()["seq"].to_string()),
        ("entry", event.id.clone()),
        "{event:?}"
    );
    event.id.parse().unwrap()
}

/// Many entries at once, of one webhook.
fn many(program: &Program, from: usize, count: usize) {
    let event = |n: usize| {
        json!({ "id": format!("e{n}"), "type": "conversation:message", "createdAt": "2022-10-18T09:20:00.410Z",
                "payload": { "conversation": { "id": "c", "type": "personal" },
                             "message": { "id": format!("m{n}"), "received": "2022-10-18T09:20:00.410Z",
                                          "author": { "type": "user", "userId": format!("u{n}") },
                                          "content": { "type": "text", "text": "Hi" } } } })
    };
    let events: Vec<Value> = (from..from + count).map(event).collect();
    let body = json!({ "app": { "id": APP }, "webhook": { "id": "w", "version": "v2" }, "events": events });
    assert_eq!(program.webhook(body.to_string()).status, 200);
}

#[test]
fn a_tail_begins_with_the_next_entry_and_shows_it_as_a_list_does() {
    let program = Home::new().start();
    message(&program, "ann", 0);
    let mut tail = open(&program, "", None);
    assert!(tail.head.contains("content-type: text/event-stream"), "{}", tail.head);
    message(&program, "bob", 1);
    let event = next(&mut tail);
    assert_eq!((event.id.as_str(), event.kind.as_str()), ("2", "entry"));
    assert_eq!(event.json(), ok(&program, "/journal?limit=1")["entries"][0]);
}

#[test]
fn a_tail_shows_only_what_meets_its_filters() {
    let home = two_apps("");
    let program = home.start();
    let filters = [
        ("", vec![2, 3, 4, 5, 6, 7]),
        ("?app=other", vec![3]),
        (&*format!("?app={APP}&user=bob"), vec![4, 5, 6]),
        ("?trigger=message:appUser", vec![2, 3, 4, 6]),
        ("?outcome=kept", vec![7]),
    ];
    // Whoever is merged when an entry is read counts, so the other of the merge is known before.
    message(&program, "ann", 9);
    let mut tails: Vec<Stream> = filters.iter().map(|(query, _)| open(&program, query, None)).collect();
    message(&program, "cem", 0);
    webhook_of_other(&program, &first_message("theirs", 1.0));
    message(&program, "bob", 2);
    post(
        &program,
        "/v1/appusers/merge",
        &json!({ "surviving": { "_id": "ann" }, "discarded": { "_id": "bob" } }),
    );
    message(&program, "ann", 4);
    let kept = json!({ "trigger": "something:new", "app": { "_id": APP } }).to_string();
    assert_eq!(program.webhook(kept).status, 200);
    for ((query, expected), tail) in filters.iter().zip(&mut tails) {
        let seen: Vec<u64> = expected.iter().map(|_| entry(tail)).collect();
        assert_eq!(seen, *expected, "{query}");
    }
    for (query, status) in [("?limit=5", 400), ("?source=api", 400), ("?user=ann", 400), ("?app=", 400)] {
        assert_eq!(program.admin(&format!("/journal/tail{query}")).status, status, "{query}");
    }
}

#[test]
fn no_number_is_missing_over_kill_9_and_a_restart() {
    let home = Home::new();
    let mut program = home.start();
    let mut tail = open(&program, "", None);
    let (mut seen, mut n) = (Vec::new(), 0);
    for round in 0..4 {
        for _ in 0..10 {
            message(&program, &format!("u{}", n % 3), n);
            n += 1;
        }
        // Some of them are read, and the rest after the restart.
        while seen.len() < round * 12 + 5 && seen.len() < n {
            seen.push(entry(&mut tail));
        }
        program.kill();
        program = home.start();
        message(&program, "late", n);
        n += 1;
        tail = open(&program, "", seen.last().copied());
    }
    while seen.len() < n {
        seen.push(entry(&mut tail));
    }
    assert_eq!(seen, (1..=n as u64).collect::<Vec<_>>());
}

#[test]
fn what_is_more_than_fifty_a_second_is_counted_and_nothing_else() {
    let program = Home::new().start();
    let mut tail = open(&program, "", None);
    many(&program, 0, 200);
    many(&program, 200, 170);
    let (mut shown, mut skipped, mut last) = (0, 0, 0);
    while shown + skipped < 370 {
        let event = next(&mut tail);
        let id: u64 = event.id.parse().unwrap();
        match event.kind.as_str() {
            "entry" => {
                assert_eq!(id, last + 1);
                shown += 1;
            }
            _ => {
                let n = event.json()["n"].as_u64().unwrap();
                assert_eq!((event.kind.as_str(), id), ("skipped", last + n), "{event:?}");
                skipped += n;
            }
        }
        last = id;
    }
    assert_eq!((shown + skipped, last), (370, 370));
    // Two batches may fall into two seconds each.
    assert!((50..=200).contains(&shown), "{shown}");
    message(&program, "ann", 0);
    assert_eq!(entry(&mut tail), 371, "it goes on behind what was passed over");
}

#[test]
fn a_tail_that_comes_back_gets_the_last_thousand_and_the_number_of_those_before() {
    let program = Home::new().start();
    message(&program, "ann", 0);
    for n in 0..6 {
        many(&program, n * 200, 200);
    }
    let mut tail = open(&program, "", Some(1));
    let first = next(&mut tail);
    assert_eq!(
        (first.kind.as_str(), first.json(), first.id.as_str()),
        ("skipped", json!({ "n": 200 }), "201")
    );
    let seen: Vec<u64> = (0..1000).map(|_| entry(&mut tail)).collect();
    assert_eq!(seen, (202..=1201).collect::<Vec<_>>(), "at once, although they are more than fifty");
    let beyond = program_status(&program, 1202);
    assert_eq!(beyond, 410, "of another database");
    assert_eq!(program_status(&program, 1201), 200);
}

fn program_status(program: &Program, last: u64) -> u16 {
    Stream::open(program.admin, "/journal/tail", Some(&last.to_string())).unwrap().status()
}

#[test]
fn rates_are_of_the_deliveries_of_the_apps_that_are_followed() {
    let home = two_apps("");
    let program = home.start();
    let (mut all, mut theirs) = (open(&program, "", None), open(&program, "?app=other", None));
    for _ in 0..3 {
        message(&program, "ann", 0);
    }
    assert_eq!(program.webhook("not json").status, 200);
    webhook_of_other(&program, &first_message("theirs", 1.0));
    let total = |stream: &mut Stream, expected: u64| {
        let mut sums = [0; 3];
        let end = Instant::now() + Duration::from_secs(20);
        while sums.iter().sum::<u64>() < expected {
            assert!(Instant::now() < end, "{sums:?}");
            let event = stream.next().unwrap();
            let Some(rate) = Some(event.json()).filter(|_| event.kind == "rate") else { continue };
            for (sum, name) in sums.iter_mut().zip(["stored", "repeated", "quarantined"]) {
                *sum += rate[name].as_u64().unwrap();
            }
        }
        sums
    };
    assert_eq!(total(&mut all, 5), [2, 2, 1]);
    assert_eq!(total(&mut theirs, 1), [1, 0, 0]);
}

#[test]
fn an_operator_follows_only_what_may_be_seen() {
    let home = two_apps("");
    let program = home.start_for(of_app("una", OTHER));
    let mut tail = open(&program, "", None);
    message(&program, "ann", 0);
    webhook_of_other(&program, &first_message("theirs", 1.0));
    assert_eq!(entry(&mut tail), 2);
    assert_eq!(program.admin(&format!("/journal/tail?app={APP}")).status, 403);
    let program = two_apps("").start_for(masked("vera"));
    let mut tail = open(&program, &format!("?app={APP}&user=the%20bob"), None);
    let bob = first_message("bob", 1.0).replace("\"_id\":\"bob\"", "\"_id\":\"bob\",\"userId\":\"the bob\"");
    assert_eq!(program.webhook(bob).status, 200);
    message(&program, "the bob", 2);
    assert_eq!(entry(&mut tail), 2, "a userId is no name for such an operator");
}

#[test]
fn a_tail_ends_with_its_session_within_a_second() {
    let program = Home::new().start();
    let session = program.sign_in("viewer");
    let lines: String =
        session.headers().iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let mut tail = Stream::open_with(program.admin, "/journal/tail", &lines).unwrap();
    assert_eq!(tail.status(), 200, "{}", tail.head);
    message(&program, "ann", 0);
    assert_eq!(entry(&mut tail), 1);
    let ended = request(program.admin, "DELETE", "/session", &session.headers(), b"{}").unwrap();
    assert_eq!(ended.status, 200, "{ended:?}");
    let began = Instant::now();
    while tail.next().is_some() {}
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[test]
fn a_tail_ends_when_the_service_stops_and_a_slow_one_holds_up_nobody() {
    let home = Home::new();
    let program = home.start();
    let _deaf: Vec<Stream> = (0..3).map(|_| open(&program, "", None)).collect();
    let mut tail = open(&program, "", None);
    many(&program, 0, 40);
    for seq in 1..=40 {
        assert_eq!(entry(&mut tail), seq);
    }
    let began = Instant::now();
    program.stop();
    while tail.next().is_some() {}
    assert_eq!(tail.comments.last().unwrap(), "shutting down; come again");
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}
