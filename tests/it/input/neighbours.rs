//! F25: a job that cannot be applied does not fail the other jobs of its batch.

use std::thread;

use serde_json::json;

use super::metric;
use crate::support::{APP, Hang, Home, Program, first_message, installed, require, until};

fn merge(surviving: &str, discarded: &[&str]) -> String {
    let discarded: Vec<_> = discarded.iter().map(|id| json!({ "_id": id })).collect();
    json!({ "trigger": "merge:appUser", "app": { "_id": APP }, "surviving": { "_id": surviving }, "discarded": discarded })
        .to_string()
}

/// Posts bodies so that they wait together and are handled as one batch; all must be answered 200. The home's
/// `ingest.answer_within` must be long. It takes strace.
fn in_one_batch(home: &Home, program: &Program, bodies: &[String]) {
    let batches = program.metric("rollcall_batch_jobs_count");
    let hang = Hang::on(home, program, "fsync,fdatasync");
    thread::scope(|scope| {
        let plug = scope.spawn(|| program.webhook(first_message("plug", 1.0)).status);
        // The bytes are counted before the delivery is in the queue: only then does the depth say something.
        until("the plug is under way", || program.metric("rollcall_queue_bytes") > 0.0);
        until("the worker has it", || program.metric("rollcall_queue_depth") == 0.0);
        let posted: Vec<_> = bodies.iter().map(|body| scope.spawn(move || program.webhook(body))).collect();
        until("all of them wait", || program.metric("rollcall_queue_depth") == bodies.len() as f64);
        drop(hang);
        for (answer, body) in posted.into_iter().map(|posted| posted.join().unwrap()).zip(bodies) {
            assert_eq!((answer.status, answer.text.as_str()), (200, "{}"), "{body}");
        }
        assert_eq!(plug.join().unwrap(), 200);
    });
    assert_eq!(
        program.metric("rollcall_batch_jobs_count"),
        batches + 2.0,
        "the plug, and one batch of the others"
    );
}

/// 63 good messages and one that is not, somewhere among them.
fn with_poison(poison: String) -> Vec<String> {
    let mut bodies: Vec<String> = (0..63).map(|n| first_message(&format!("good-{n}"), 1.0)).collect();
    bodies.insert(31, poison);
    bodies
}

fn the_good_are_stored(home: &Home, program: &Program, poison: &str) {
    assert_eq!(home.rows("journal"), 64, "the plug and the 63");
    for n in 0..63 {
        assert_eq!(program.app_user(&format!("good-{n}")).status, 200, "{n}");
    }
    assert_eq!(home.rows("quarantine"), 1);
    assert_eq!(home.find::<String>("SELECT reason FROM quarantine"), "cannot_apply");
    assert_eq!(home.find::<Vec<u8>>("SELECT body FROM quarantine"), poison.as_bytes());
    assert_eq!(metric(program, "quarantined"), 1.0);
}

#[test]
fn a_merge_too_large_among_63_others_goes_to_quarantine_alone() {
    require!(installed("strace"));
    let home = Home::with("[ingest]\nanswer_within = \"30s\"\ngroup_members = 2");
    let program = home.start();
    let poison = merge("x", &["y", "z"]);
    in_one_batch(&home, &program, &with_poison(poison.clone()));
    the_good_are_stored(&home, &program, &poison);
    for id in ["x", "y", "z"] {
        assert_eq!(program.app_user(id).status, 404, "nothing of it is half done: {id}");
    }
    // Sent again it goes to quarantine again, and merges within bounds still work.
    assert_eq!(program.webhook(&poison).status, 200);
    assert_eq!((home.rows("journal"), home.rows("quarantine")), (64, 2));
    assert_eq!(program.webhook(merge("x", &["y"])).status, 200);
    assert_eq!(program.webhook(merge("x", &["z"])).status, 200);
    assert_eq!((home.rows("journal"), home.rows("quarantine")), (65, 3), "the group was full");
    assert_eq!(program.app_user("y").json()["appUser"]["_id"], "x");
}

/// The database refuses it, and would each time.
#[test]
fn a_body_that_the_database_does_not_take_goes_to_quarantine_alone() {
    require!(installed("strace"));
    let home = Home::with("[ingest]\nanswer_within = \"30s\"");
    home.start().stop();
    let refuse = "CREATE TRIGGER no BEFORE INSERT ON journal WHEN new.trigger = 'link:match'
                  BEGIN SELECT RAISE(ABORT, 'not this'); END";
    home.sql().execute_batch(refuse).unwrap();
    let program = home.start();
    let poison =
        json!({ "trigger": "link:match", "app": { "_id": APP }, "appUser": { "_id": "x" } }).to_string();
    in_one_batch(&home, &program, &with_poison(poison.clone()));
    the_good_are_stored(&home, &program, &poison);
    assert_eq!(program.app_user("x").status, 404);
    assert_eq!(program.admin("/readyz").status, 200);
}

#[test]
#[cfg(debug_assertions)]
fn a_body_over_which_the_worker_panics_goes_to_quarantine_alone_and_the_worker_lives() {
    require!(installed("strace"));
    let mut home = Home::with("[ingest]\nanswer_within = \"30s\"");
    home.env.push(("ROLLCALL_PANIC_ON".to_owned(), "link:match".to_owned()));
    let program = home.start();
    let poison =
        json!({ "trigger": "link:match", "app": { "_id": APP }, "appUser": { "_id": "x" } }).to_string();
    in_one_batch(&home, &program, &with_poison(poison.clone()));
    the_good_are_stored(&home, &program, &poison);
    assert_eq!(program.app_user("x").status, 404);
    program.wait_for_log("panic at");
    assert_eq!(program.webhook(first_message("after", 1.0)).status, 200);
    assert_eq!(program.admin("/readyz").status, 200);
    program.stop();
    // The next version can: the quarantine stores the body as received.
    home.env.clear();
    let program = home.start();
    assert_eq!(program.webhook(home.find::<Vec<u8>>("SELECT body FROM quarantine")).status, 200);
    assert_eq!(program.app_user("x").status, 200);
}

#[test]
fn many_poisons_in_one_batch_go_to_quarantine_each_by_itself() {
    require!(installed("strace"));
    let home = Home::with("[ingest]\nanswer_within = \"30s\"\ngroup_members = 2");
    let program = home.start();
    let bodies: Vec<String> = (0..24)
        .map(|n| match n % 3 {
            0 => merge(&format!("x{n}"), &[&format!("y{n}"), &format!("z{n}")]),
            _ => first_message(&format!("good-{n}"), 1.0),
        })
        .collect();
    in_one_batch(&home, &program, &bodies);
    assert_eq!((home.rows("journal"), home.rows("quarantine")), (17, 8));
    assert_eq!(program.all_app_users().len(), 17);
}

#[test]
fn an_event_that_cannot_be_applied_takes_the_other_events_of_its_own_body_along() {
    let home = Home::with("[ingest]\ngroup_members = 2");
    let program = home.start();
    let user = |id: &str| json!({ "id": id, "type": "user:update", "payload": { "user": { "id": id } } });
    let merge = |discarded: &str| {
        json!({ "id": discarded, "type": "user:merge", "payload": { "mergedUsers": {
        "surviving": { "id": "s" }, "discarded": { "id": discarded } } } })
    };
    let body = json!({ "app": { "id": APP }, "events": [user("a"), merge("d1"), merge("d2"), user("b")] });
    assert_eq!(program.webhook(body.to_string()).status, 200);
    // R2: a body is one savepoint, never half of it.
    assert_eq!((home.rows("journal"), home.rows("quarantine"), program.all_app_users().len()), (0, 1, 0));
}
