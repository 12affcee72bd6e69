//! The change feed: a follower gets a copy of the directory.

mod envelopes;
mod epoch;
mod fields;
pub mod follower;
mod long_runs;
pub mod rules;
mod streams;

use rusqlite::params;
use serde_json::{Value, json};

use crate::support::{APP, Answer, Home, KEY_ID, KEY_SECRET, Program, basic, first_message, until};
use follower::{Copy, Stream, number};

/// Asks our own API with the demo key.
pub fn api(program: &Program, method: &str, path: &str, body: &Value) -> Answer {
    let key = basic(KEY_ID, KEY_SECRET);
    let headers = [("authorization", key.as_str()), ("content-type", "application/json")];
    program.request(method, path, &headers, body.to_string().as_bytes())
}

/// The number of the last change of [`live`].
const LAST: u64 = 15;

/// A life: sightings, changes of ours, a merge, its undoing, another merge and a removal.
fn live(program: &Program) {
    for n in 0..6 {
        assert_eq!(program.webhook(first_message(&format!("user-{n}"), 1_444_348_338.0)).status, 200);
    }
    let merge = json!({ "surviving": { "_id": "user-0" }, "discarded": { "_id": "user-1" } });
    let ok = |answer: Answer| assert!(answer.status < 300, "{answer:?}");
    ok(api(
        program,
        "PUT",
        "/v1/appusers/user-2",
        &json!({ "givenName": "Zoë", "properties": { "a\"b": 1 } }),
    ));
    ok(api(program, "POST", "/v1/appusers/merge", &merge));
    ok(api(program, "POST", "/v1/appusers/user-0/unmerge", &json!({ "discarded": { "_id": "user-1" } })));
    ok(api(program, "POST", "/v1/appusers/merge", &merge));
    ok(api(program, "DELETE", "/v1/appusers/user-3", &json!({})));
    ok(api(program, "POST", "/v1/appusers", &json!({ "userId": "made-here" })));
}

fn refused(answer: &Answer, status: u16, about: &str) {
    assert_eq!(answer.status, status, "{about}: {answer:?}");
    let said = answer.json()["error"]["description"].as_str().unwrap().to_owned();
    assert!(said.contains(about), "{said}");
}

#[test]
fn pages_joined_are_all_changes_and_lead_to_the_directory() {
    let (home, mut told) = (Home::new(), Vec::new());
    let program = home.start();
    live(&program);
    for limit in [1, 2, 1000] {
        let mut copy = Copy::default();
        copy.poll(&program, limit);
        assert_eq!(copy.seq, LAST, "one number for each change");
        copy.is_the_directory(&program);
    }
    for path in ["/v1", "/v1.1", &format!("/v1/apps/{APP}"), &format!("/v1.1/apps/{APP}")] {
        let page = program.get(&format!("{path}/changes"));
        assert_eq!((page.status, page.header("content-type")), (200, Some("application/json")), "{page:?}");
        let mut page = page.json();
        let links = page.as_object_mut().unwrap().remove("links").unwrap();
        assert!(links["next"].as_str().unwrap().starts_with(&format!("{path}/changes?since=")), "{links}");
        told.push(page);
    }
    assert!(told.windows(2).all(|two| two[0] == two[1]));
    let kinds = |kind: &str| -> Vec<Value> {
        told[0]["changes"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|change| change["kind"] == kind)
            .cloned()
            .collect()
    };
    assert_eq!(kinds("created").len(), 7);
    assert_eq!(kinds("unmerged")[0]["_id"], "user-1");
    assert_eq!(kinds("removed")[0]["_id"], "user-3");
    assert_eq!(kinds("removed")[0].get("appUser"), None);
    assert!(kinds("merged").iter().all(|c| c["_id"] == "user-1" && c["surviving"] == "user-0"));
    let updated = &kinds("updated")[0];
    assert_eq!(updated["fields"], json!(["givenName", "properties.a\"b"]));
    assert_eq!(updated["appUser"]["properties"], json!({ "a\"b": 1 }));
    let time = updated["time"].as_str().unwrap();
    assert!(time.parse::<jiff::Timestamp>().is_ok() && time.ends_with('Z'), "{time}");
}

#[test]
fn a_number_that_is_not_of_the_feed_is_refused() {
    let home = Home::new();
    let program = home.start();
    live(&program);
    refused(&program.get("/v1/changes?since=16"), 400, "beyond the last change, 15");
    for (query, about) in [
        ("since=-1", "since"),
        ("since=9223372036854775808", "since"),
        ("since=x", "since"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("wait=61", "wait"),
        ("colour=red", "colour"),
        ("snapshot=yes", "snapshot"),
        ("types=no", "types"),
        ("snapshot=true&since=1", "since and snapshot"),
        ("snapshot=true&after=x", "after"),
        ("after=x", "after"),
        ("envelope=paper", "envelope"),
        ("types=false", "text/event-stream"),
        ("types=true&since=1", "text/event-stream"),
        ("snapshot=true&wait=5", "wait and snapshot"),
        ("wait=0&snapshot=true", "wait and snapshot"),
    ] {
        refused(&program.get(&format!("/v1/changes?{query}")), 400, about);
    }
    let page = program.get("/v1/changes?since=15").json();
    let epoch = page["epoch"].as_str().unwrap();
    assert_eq!(
        page,
        json!({ "epoch": epoch, "changes": [], "next": format!("{epoch}-15"), "hasMore": false,
            "links": { "next": format!("/v1/changes?since={epoch}-15") } })
    );
    let token = program.request("GET", "/v1/changes", &[("app-token", "demo-app-token")], b"");
    assert_eq!(token.status, 401, "{token:?}");

    home.sql().execute("DELETE FROM changes WHERE seq < ?1", params![5]).unwrap();
    let gone = program.get("/v1/changes?since=3");
    refused(&gone, 410, "not kept");
    assert_eq!((gone.code().as_str(), &gone.json()["oldest"]), ("gone", &json!(5)));
    assert_eq!(Stream::open(program.listen, "/v1/changes?since=3", None).unwrap().status(), 410);
    assert_eq!(program.get("/v1/changes?since=4&limit=1").json()["changes"][0]["seq"], 5);
    home.sql().execute("DELETE FROM changes", []).unwrap();
    assert_eq!(program.get("/v1/changes?since=14").json()["oldest"], 16);
    assert_eq!(program.get("/v1/changes?since=15").status, 200);
}

#[test]
fn a_long_poll_is_answered_by_the_change_or_after_the_wait() {
    let home = Home::new();
    let program = home.start();
    // As long as the test has patience, and longer: only the change can be the answer.
    std::thread::scope(|scope| {
        let poll = scope.spawn(|| program.get("/v1/changes?wait=60"));
        until("somebody waits", || program.metric("rollcall_feed_readers") == 1.0);
        assert_eq!(program.webhook(first_message("ann", 1_444_348_338.0)).status, 200);
        assert_eq!(poll.join().unwrap().json()["changes"][0]["_id"], "ann");
    });
    assert_eq!(program.get("/v1/changes?since=1&wait=1").json()["changes"], json!([]));
    until("nobody waits", || program.metric("rollcall_feed_readers") == 0.0);
}

#[test]
fn a_stream_resumes_after_its_last_event() {
    let home = Home::with("[server]\nidle_timeout = \"1s\"");
    let program = home.start();
    live(&program);
    let mut copy = Copy::default();
    let mut last = None;
    // Begun again after each event, with a number in the query that must not count then.
    for _ in 0..LAST {
        let mut stream = Stream::open(program.listen, "/v1/changes?since=0", last.as_deref()).unwrap();
        let event = stream.next().unwrap();
        copy.apply(&event.json());
        assert_eq!((number(&json!(event.id)), &event.json()["kind"]), (copy.seq, &json!(event.kind)));
        last = Some(event.id);
    }
    copy.is_the_directory(&program);
    let mut stream = Stream::open(program.listen, "/v1/changes?since=15", None).unwrap();
    for header in ["content-type: text/event-stream", "cache-control: no-cache", "x-accel-buffering: no"] {
        assert!(stream.head.contains(header), "{}", stream.head);
    }
    until("it is counted", || program.metric("rollcall_feed_readers") == 1.0);
    // Longer without an event than a connection may be idle.
    assert_eq!(program.get("/v1/changes?since=15&wait=2").status, 200);
    assert_eq!(program.webhook(first_message("late", 1_444_348_339.0)).status, 200);
    copy.apply(&stream.next().unwrap().json());
    assert_eq!(stream.comments, ["retry 2000"]);
    copy.is_the_directory(&program);
    drop(stream);
    until("it is gone", || program.metric("rollcall_feed_readers") == 0.0);
    assert_eq!(Stream::open(program.listen, "/v1/changes", Some("17")).unwrap().status(), 400);
    assert_eq!(Stream::open(program.listen, "/v1/changes", Some("x")).unwrap().status(), 400);
}

#[test]
fn a_snapshot_and_the_changes_after_it_are_the_directory() {
    let home = Home::new();
    let program = home.start();
    live(&program);
    let mut copy = Copy::default();
    let mut n = 0;
    copy.begin(&program, 1, || {
        n += 1;
        // Before, at and behind the place of the reader.
        for id in [format!("aaa-{n}"), format!("user-2-{n}"), format!("zzz-{n}")] {
            if n < 4 {
                assert_eq!(program.webhook(first_message(&id, 1_444_348_340.0)).status, 200);
            }
        }
        if n == 3 {
            assert_eq!(api(&program, "DELETE", "/v1/appusers/user-2", &json!({})).status, 200);
        }
    });
    assert_eq!(copy.seq, LAST, "the number from before the first page");
    copy.poll(&program, 3);
    copy.is_the_directory(&program);

    let mut copy = Copy::default();
    let mut last: Option<String> = None;
    let followed = loop {
        let path = "/v1/changes?snapshot=true&limit=2";
        let mut stream = Stream::open(program.listen, path, last.as_deref()).unwrap();
        let event = stream.next().unwrap();
        last = Some(event.id.clone());
        match &*event.kind {
            "begin" => assert_eq!((copy.users.len(), number(&event.json()["next"])), (0, LAST + 10)),
            "user" => copy.show(&event.json()["appUser"]),
            "follow" => break event,
            other => panic!("{other}"),
        }
    };
    copy.is_the_directory(&program);
    copy.resume_from(&followed.json());
    assert_eq!(followed.id, copy.since());
    assert_eq!(program.webhook(first_message("late", 1_444_348_339.0)).status, 200);
    let mut stream = Stream::open(program.listen, "/v1/changes?snapshot=true", last.as_deref()).unwrap();
    copy.apply(&stream.next().unwrap().json());
    copy.is_the_directory(&program);
}

#[test]
fn the_user_that_gets_a_client_back_has_a_change() {
    let home = Home::new();
    let program = home.start();
    for (n, id) in ["ann", "bob", "cat"].into_iter().enumerate() {
        let mut body: Value = serde_json::from_str(&first_message(id, 1_444_348_338.0 + n as f64)).unwrap();
        body["appUser"]["clients"] = json!([{ "id": "phone", "platform": "ios", "active": true }]);
        assert_eq!(program.webhook(body.to_string()).status, 200);
    }
    let mut copy = Copy::default();
    copy.poll(&program, 100);
    assert_eq!(copy.users["cat"]["clients"][0]["active"], true);
    assert_eq!(api(&program, "DELETE", "/v1/appusers/cat", &json!({})).status, 200);
    copy.poll(&program, 100);
    copy.is_the_directory(&program);
    let active = |id: &str| copy.users[id]["clients"][0]["active"].clone();
    assert_eq!((active("ann"), active("bob")), (json!(false), json!(true)));
}
