//! Many at once about one `userId` end with one app user.

use std::sync::Barrier;
use std::thread;

use serde_json::json;

use super::{Answer, Home, app, ask, id, look_up, start_as, token};

#[test]
fn creating_and_starting_one_name_at_once_ends_with_one_user() {
    let program = Home::new().start();
    let (threads, ready) = (64, Barrier::new(64));
    let answers: Vec<(bool, Answer)> = thread::scope(|scope| {
        let one = |n: usize| {
            ready.wait();
            if n.is_multiple_of(2) {
                (true, ask(&program, &app(), "POST /v1/appusers", &json!({ "userId": "bob" })))
            } else {
                (false, start_as(&program, &token(), &format!("d{n}"), Some("bob")))
            }
        };
        let running: Vec<_> = (0..threads).map(|n| scope.spawn(move || one(n))).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let bob = look_up(&program, "bob");
    let made = answers.iter().filter(|(_, answer)| answer.status == 201).count();
    assert!(made <= 1, "{made} were made");
    for (create, answer) in &answers {
        let status = if *create && answer.status != 201 { 409 } else { answer.status };
        assert_eq!(status, if *create { answer.status } else { 200 }, "{answer:?}");
        assert_eq!(id(&answer.json()), bob["_id"].as_str().unwrap(), "{answer:?}");
    }
    assert_eq!(program.all_app_users(), std::slice::from_ref(&bob));
    assert_eq!(bob["clients"].as_array().unwrap().len(), threads / 2, "and every device is theirs");
}

#[test]
fn of_many_concurrent_creations_of_one_name_one_succeeds() {
    let program = Home::new().start();
    let ready = Barrier::new(64);
    let mut statuses: Vec<u16> = thread::scope(|scope| {
        let one = || {
            ready.wait();
            ask(&program, &app(), "POST /v1/appusers", &json!({ "userId": "bob" })).status
        };
        let running: Vec<_> = (0..64).map(|_| scope.spawn(one)).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    statuses.sort_unstable();
    assert_eq!((statuses[0], &statuses[1..]), (201, &[409; 63][..]));
    assert_eq!(program.all_app_users().len(), 1);
}

#[test]
fn a_device_that_starts_many_times_at_once_is_one_client_of_one_user() {
    let program = Home::new().start();
    let ready = Barrier::new(16);
    let mut ids: Vec<String> = thread::scope(|scope| {
        let one = || {
            ready.wait();
            id(&start_as(&program, &token(), "d1", None).json())
        };
        let running: Vec<_> = (0..16).map(|_| scope.spawn(one)).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_eq!(program.all_app_users()[0]["clients"].as_array().unwrap().len(), 1);
}
