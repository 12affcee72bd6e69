//! The feed as CloudEvents 1.0.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::follower::{Copy, Stream, number};
use super::{LAST, live};
use crate::support::{APP, Answer, Home, KEY_ID, KEY_SECRET, Program, basic, first_message};

const BATCH: &str = "application/cloudevents-batch+json";

/// Asks for a page of CloudEvents.
fn batch(program: &Program, path: &str) -> Answer {
    let key = basic(KEY_ID, KEY_SECRET);
    program.request("GET", path, &[("authorization", &key), ("accept", BATCH)], b"")
}

/// The address of the next page, as a page gives it.
fn next(page: &Answer) -> String {
    let link = page.header("link").unwrap();
    link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\"")).unwrap().to_owned()
}

/// Every attribute is one of CloudEvents 1.0 and has the right value.
fn is_a_cloud_event(event: &Value, names: &mut BTreeSet<(String, String)>) {
    let attributes = ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data"];
    assert!(event.as_object().unwrap().keys().all(|key| attributes.contains(&key.as_str())), "{event}");
    assert_eq!(
        (&event["specversion"], &event["datacontenttype"]),
        (&json!("1.0"), &json!("application/json"))
    );
    for needed in ["id", "source", "type"] {
        assert!(event[needed].as_str().is_some_and(|text| !text.is_empty()), "{needed}: {event}");
    }
    if let Some(time) = event.get("time") {
        assert!(time.as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{event}");
    }
    let name = |of: &str| event[of].as_str().unwrap().to_owned();
    assert!(names.insert((name("source"), name("id"))), "source and id name one event: {event}");
}

#[test]
fn pages_of_cloud_events_carry_the_changes_and_lead_on() {
    let home = Home::new();
    let program = home.start();
    live(&program);
    let plain = program.get("/v1/changes").json();
    let (mut copy, mut names) = (Copy::default(), BTreeSet::new());
    let mut path = "/v1/changes?limit=4".to_owned();
    let mut told = Vec::new();
    loop {
        let page = batch(&program, &path);
        assert_eq!((page.status, page.header("content-type")), (200, Some(BATCH)), "{page:?}");
        let events = page.json().as_array().unwrap().clone();
        path = next(&page);
        if events.is_empty() {
            break;
        }
        told.extend(events);
    }
    for (event, change) in told.iter().zip(plain["changes"].as_array().unwrap()) {
        is_a_cloud_event(event, &mut names);
        assert_eq!(event["source"], format!("/v1/apps/{APP}/changes"));
        assert_eq!(number(&event["id"]), change["seq"]);
        assert_eq!(event["type"], format!("rollcall.change.{}", change["kind"].as_str().unwrap()));
        assert_eq!((&event["subject"], &event["time"]), (&change["_id"], &change["time"]));
        assert_eq!(event["data"], *change);
        copy.apply(&event["data"]);
    }
    assert_eq!(copy.seq, LAST);
    copy.is_the_directory(&program);
    assert!(path.contains("-15&") && path.contains("limit=4"), "{path}");
    assert_eq!(program.webhook(first_message("late", 1_444_348_339.0)).status, 200);
    assert_eq!(batch(&program, &path).json()[0]["subject"], "late");
    let asked = program.get("/v1/changes?since=15&envelope=cloudevents");
    assert_eq!((asked.header("content-type"), number(&asked.json()[0]["id"])), (Some(BATCH), 16));
    assert_eq!(batch(&program, "/v1/changes?since=17").status, 400, "a refusal is as it always is");
}

#[test]
fn a_snapshot_of_cloud_events_leads_to_the_changes() {
    let home = Home::new();
    let program = home.start();
    live(&program);
    let (mut copy, mut names) = (Copy::default(), BTreeSet::new());
    let mut path = "/v1/changes?snapshot=true&limit=2".to_owned();
    while copy.seq == 0 {
        let page = batch(&program, &path);
        for event in page.json().as_array().unwrap() {
            is_a_cloud_event(event, &mut names);
            match event["type"].as_str().unwrap() {
                "rollcall.snapshot.begin" => assert_eq!(copy.users.len(), 0),
                "rollcall.snapshot.user" => {
                    assert_eq!(event["subject"], event["data"]["appUser"]["_id"]);
                    copy.show(&event["data"]["appUser"]);
                }
                "rollcall.snapshot.follow" => copy.resume_from(&event["data"]),
                other => panic!("{other}"),
            }
        }
        path = next(&page);
    }
    copy.is_the_directory(&program);
    assert_eq!(program.webhook(first_message("late", 1_444_348_339.0)).status, 200);
    let page = batch(&program, &path).json();
    is_a_cloud_event(&page[0], &mut names);
    copy.apply(&page[0]["data"]);
    copy.is_the_directory(&program);
}

#[test]
fn a_stream_carries_cloud_events_where_they_are_asked_for() {
    let home = Home::new();
    let program = home.start();
    live(&program);
    let path = "/v1/changes?snapshot=true&envelope=cloudevents";
    let mut stream = Stream::open(program.listen, path, None).unwrap();
    assert!(stream.head.contains("content-type: text/event-stream"), "{}", stream.head);
    let (mut copy, mut names) = (Copy::default(), BTreeSet::new());
    loop {
        let event = stream.next().unwrap();
        is_a_cloud_event(&event.json(), &mut names);
        assert_eq!(
            (&event.json()["id"], &event.json()["type"]),
            (&json!(event.id), &json!(format!("rollcall.snapshot.{}", event.kind)))
        );
        if event.kind == "follow" {
            break;
        }
        if event.kind == "begin" {
            continue;
        }
        copy.show(&event.json()["data"]["appUser"]);
    }
    copy.seq = LAST;
    assert_eq!(program.webhook(first_message("late", 1_444_348_339.0)).status, 200);
    let event = stream.next().unwrap();
    is_a_cloud_event(&event.json(), &mut names);
    assert_eq!((number(&json!(event.id)), event.kind.as_str()), (16, "created"));
    copy.apply(&event.json()["data"]);
    copy.is_the_directory(&program);
}
