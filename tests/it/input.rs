//! F21 to F28: repetition, other content under the same id, any order, and invalid JSON.

mod garbled;
pub mod malformed;
mod mark;
mod neighbours;
mod numbers;

use std::thread;

use serde_json::{Value, json};

use crate::replay::picture;
use crate::support::{APP, Home, Program, first_message};

fn metric(program: &Program, outcome: &str) -> f64 {
    program.metric(&format!("rollcall_events_total{{outcome=\"{outcome}\"}}"))
}

/// A v2 body with one `user:update` under this event id.
fn update(event: &str, user: &str, created: &str, name: &str) -> Value {
    json!({ "app": { "id": APP }, "events": [{ "id": event, "type": "user:update", "createdAt": created,
            "payload": { "user": { "id": user, "profile": { "givenName": name }, "metadata": { "n": name } } } }] })
}

/// F21.
#[test]
fn a_delivery_repeated_at_once_on_many_connections_and_across_a_restart_is_one_journal_entry() {
    let v11 = json!({ "trigger": "typing:appUser", "version": "v1.1", "app": { "_id": APP }, "appUser": { "_id": "b" } });
    let nobody = json!({ "trigger": "weather:changed", "app": { "_id": APP } });
    let bodies = [
        first_message("a", 1.0),
        v11.to_string(),
        update("e1", "c", "2020-02-25T18:06:37.547Z", "x").to_string(),
        nobody.to_string(),
    ];
    let home = Home::new();
    for round in 0..2 {
        let program = home.start();
        thread::scope(|scope| {
            for n in 0..16 {
                let (bodies, program) = (&bodies, &program);
                scope.spawn(move || {
                    for k in 0..bodies.len() {
                        let answer = program.webhook(&bodies[(n + k) % bodies.len()]);
                        assert_eq!((answer.status, answer.text.as_str()), (200, "{}"));
                    }
                });
            }
        });
        assert_eq!(home.rows("journal"), 4, "round {round}");
        let repeated = if round == 0 { 60.0 } else { 64.0 };
        assert_eq!(metric(&program, "repeated"), repeated, "round {round}");
        program.stop();
    }
    assert_eq!(home.rows("changes"), 3, "each of the three users was created, and that is all");
}

#[test]
fn a_delivery_with_white_space_or_another_order_of_keys_is_the_same_delivery() {
    let home = Home::new();
    let program = home.start();
    for body in [
        format!(r#"{{"trigger":"typing:appUser","app":{{"_id":"{APP}"}},"appUser":{{"_id":"a"}}}}"#),
        format!(
            r#"{{ "appUser" : {{"_id":"a"}}, "app":{{"_id":"{APP}"}}, "trigger":"typing\u003aappUser" }}"#
        ),
    ] {
        assert_eq!(program.webhook(body).status, 200);
    }
    assert_eq!((home.rows("journal"), metric(&program, "repeated")), (1, 1.0));
}

#[test]
fn an_event_twice_in_one_body_is_one_journal_entry() {
    let home = Home::new();
    let program = home.start();
    let mut body = update("e1", "a", "2020-02-25T18:06:37.547Z", "x");
    let event = body["events"][0].clone();
    body["events"].as_array_mut().unwrap().extend([event.clone(), event]);
    assert_eq!(program.webhook(body.to_string()).status, 200);
    assert_eq!((home.rows("journal"), metric(&program, "repeated")), (1, 2.0));
}

#[test]
fn a_delivery_is_recognised_after_hundreds_of_others_of_the_same_user_and_of_none() {
    let home = Home::new();
    let read = |n: i64| json!({ "trigger": "conversation:read", "app": { "_id": APP }, "timestamp": n, "appUser": { "_id": "a" } });
    let of_nobody = |n: i64| json!({ "trigger": "weather:changed", "app": { "_id": APP }, "n": n });
    for round in 1..=2 {
        let program = home.start();
        for n in 0..300 {
            assert_eq!(program.webhook(read(n).to_string()).status, 200);
            assert_eq!(program.webhook(of_nobody(n).to_string()).status, 200);
        }
        assert_eq!(home.rows("journal"), 600, "round {round}");
        program.stop();
    }
}

/// Events without an app user share the record of the app with all its traffic.
#[test]
fn tens_of_thousands_of_events_of_no_app_user_are_each_recognised_late_backwards_and_after_a_restart() {
    const BODIES: usize = 30;
    const EVENTS: usize = 1000;
    let body = |n: usize| {
        let event = |at: usize| {
            let time = jiff::Timestamp::from_second((1_600_000_000 + n * EVENTS + at) as i64).unwrap();
            json!({ "id": format!("{n}-{at}"), "type": "conversation:message", "createdAt": time.to_string(),
                    "payload": { "message": { "author": { "type": "business" } } } })
        };
        let events: Vec<Value> = (0..EVENTS).rev().map(event).collect();
        json!({ "app": { "id": APP }, "events": events }).to_string()
    };
    let home = Home::new();
    let program = home.start();
    for n in 0..BODIES {
        assert_eq!(program.webhook(body(n)).status, 200);
    }
    let all = (BODIES * EVENTS) as i64;
    assert_eq!((home.rows("journal"), metric(&program, "kept")), (all, all as f64));
    (0..BODIES).rev().for_each(|n| assert_eq!(program.webhook(body(n)).status, 200));
    assert_eq!((home.rows("journal"), metric(&program, "repeated")), (all, all as f64));
    program.kill();
    let program = home.start();
    (0..BODIES).for_each(|n| assert_eq!(program.webhook(body(n)).status, 200));
    assert_eq!((home.rows("journal"), metric(&program, "repeated")), (all, all as f64));
}

/// F22.
#[test]
fn the_same_event_id_with_another_content_is_learned_too_and_gives_the_same_in_either_order() {
    let first = update("e1", "a", "2020-02-25T18:06:37.547Z", "first").to_string();
    let second = update("e1", "a", "2020-02-25T18:06:37.547Z", "second").to_string();
    let shown = [[&first, &second], [&second, &first]].map(|bodies| {
        let home = Home::new();
        let program = home.start();
        bodies.iter().for_each(|body| assert_eq!(program.webhook(body).status, 200));
        assert_eq!((home.rows("journal"), metric(&program, "learned")), (2, 2.0), "both are kept");
        assert_eq!(program.metric("rollcall_id_conflicts_total"), 1.0);
        let bodies: String = home.find("SELECT group_concat(hex(digest)) FROM journal");
        assert_eq!(bodies.split(',').count(), 2);
        program.app_user("a").text
    });
    assert_eq!(shown[0], shown[1]);
}

/// A small generator, so that its seed reproduces a failure.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

/// A history in which everything collides with everything.
fn history(seed: u64, length: usize) -> Vec<String> {
    let mut dice = Dice(seed);
    (0..length).map(|_| event(&mut dice).to_string()).collect()
}

fn event(dice: &mut Dice) -> Value {
    let user = |dice: &mut Dice| format!("u{}", dice.below(5));
    let (id, time) = (user(dice), 1_500_000_000 + dice.below(40));
    let (name, value) = (format!("name-{}", dice.below(4)), dice.below(3));
    match dice.below(20) {
        0..=7 => json!({
            "trigger": "message:appUser", "app": { "_id": APP },
            "messages": [{ "_id": format!("m{}", dice.below(9)), "role": "appUser", "authorId": id, "received": time }],
            "appUser": { "_id": id, "userId": format!("id-{}", dice.below(4)), "givenName": name,
                         "properties": { format!("p{}", dice.below(3)): value },
                         "clients": [{ "id": format!("c{}", dice.below(3)), "platform": "web", "active": dice.below(2) == 0 }] },
        }),
        8..=11 => {
            json!({ "trigger": "conversation:read", "app": { "_id": APP }, "timestamp": time, "appUser": { "_id": id } })
        }
        12..=14 => {
            let created = jiff::Timestamp::from_second(i64::try_from(time).unwrap()).unwrap().to_string();
            update(&format!("e{}", dice.below(6)), &id, &created, &name)
        }
        15..=17 => {
            json!({ "trigger": "merge:appUser", "app": { "_id": APP }, "surviving": { "_id": user(dice) },
                           "discarded": [{ "_id": id, "clients": [{ "id": "c9", "lastSeen": format!("2017-07-14T02:40:{:02}Z", dice.below(40)) }] }] })
        }
        18 => {
            json!({ "trigger": "client:add", "version": "v1.1", "app": { "_id": APP }, "appUser": { "_id": id },
                      "timestamp": time, "client": { "id": format!("c{}", dice.below(3)), "platform": "ios", "active": true } })
        }
        _ => {
            json!({ "trigger": "appUser:delete", "version": "v1.1", "app": { "_id": APP }, "appUser": { "_id": id }, "timestamp": time })
        }
    }
}

/// F23, F24.
#[test]
fn sixteen_concurrent_clients_end_like_one_that_sends_in_order() {
    for seed in 1..=6 {
        let history = history(seed, 160);
        let (one, many) = (Home::new(), Home::new());
        let (serial, parallel) = (one.start(), many.start());
        for body in &history {
            assert_eq!(serial.webhook(body).status, 200, "{body}");
        }
        thread::scope(|scope| {
            for client in 0..16_usize {
                let (history, parallel) = (&history, &parallel);
                scope.spawn(move || {
                    // Every body comes from two clients, and each has an order of its own.
                    let mine = (0..history.len()).rev().filter(|n| n % 16 == client || n % 15 == client);
                    for n in mine {
                        assert_eq!(parallel.webhook(&history[n]).status, 200);
                    }
                });
            }
        });
        // u0 to u4 are looked up by name even if none of them remains.
        assert_eq!(picture(&many, &parallel), picture(&one, &serial), "seed {seed}");
        assert_eq!(many.rows("journal"), one.rows("journal"), "seed {seed}");
        assert_eq!((one.rows("quarantine"), many.rows("quarantine")), (0, 0));
        let restarted = {
            parallel.stop();
            many.start()
        };
        assert_eq!(picture(&many, &restarted), picture(&one, &serial), "seed {seed}, after a restart");
    }
}

/// F23: late by hours and backwards.
#[test]
fn a_history_sent_backwards_shows_the_same() {
    for seed in 11..=14 {
        let history = history(seed, 120);
        let pictures = [false, true].map(|backwards| {
            let home = Home::new();
            let program = home.start();
            let told: Vec<&String> =
                if backwards { history.iter().rev().collect() } else { history.iter().collect() };
            told.iter().for_each(|body| assert_eq!(program.webhook(body).status, 200));
            picture(&home, &program)
        });
        assert_eq!(pictures[0], pictures[1], "seed {seed}");
    }
}
