//! What operators take out: every form of an export has its entries, and an answer that shows nothing has none.

use serde_json::json;

use super::{acts, create, log};
use crate::support::{APP, Home, NamedOperator, Program, first_message, request, until};

/// The service with two app users, a body in the journal and one in quarantine, and a viewer.
fn seeded(home: &Home) -> Program {
    let program = home.start_for(NamedOperator::new("vera", "viewer"));
    create(&program, "ann");
    assert_eq!(program.webhook(first_message("bob", 1.0)).status, 200);
    assert_eq!(program.webhook("not json").status, 200);
    program
}

fn exports(program: &Program) -> usize {
    log(program, "action=export").len()
}

#[test]
fn a_page_of_the_feed_is_an_export_of_an_operator() {
    let home = Home::new();
    let program = seeded(&home);
    let path = format!("/v1/apps/{APP}/changes");
    for (n, (query, count)) in [
        ("?snapshot=true&limit=1", 1),
        ("?snapshot=true", 2),
        ("", 2),
        ("?since=1", 1),
        ("?envelope=cloudevents", 2),
        ("?snapshot=true&envelope=cloudevents", 2),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(program.admin(&format!("{path}{query}")).status, 200);
        let told = log(&program, "action=export");
        assert_eq!((told.len(), &told[0]["count"]), (n + 1, &json!(count)), "{query}: {}", told[0]);
        assert_eq!(acts(&told)[0], ["export", "vera", "secret", "done"]);
        assert_eq!((&told[0]["app"], &told[0]["detail"]), (&json!(APP), &json!("the change feed")));
    }
    let next = program.admin(&path).json()["next"].as_str().unwrap().to_owned();
    let before = exports(&program);
    assert_eq!(program.admin(&format!("{path}?since={next}")).json()["changes"], json!([]));
    let key = crate::support::basic(crate::support::KEY_ID, crate::support::KEY_SECRET);
    let answer = program.request("GET", "/v1/changes?snapshot=true", &[("authorization", &key)], b"");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(exports(&program), before, "neither an empty page nor that of a business system");
}

#[test]
fn a_stream_of_the_feed_is_told_at_its_beginning_and_its_end() {
    let home = Home::new();
    let program = seeded(&home);
    let proof = NamedOperator::new("vera", "viewer").proof();
    let stream = crate::door::Stream::open(&program, &[("authorization", &proof)]);
    assert_eq!(acts(&log(&program, "action=export")), [["export", "vera", "secret", "begun"]]);
    drop(stream);
    until("its end is told", || exports(&program) == 2);
    assert_eq!(acts(&log(&program, "action=export"))[0], ["export", "vera", "secret", "done"]);
}

#[test]
fn a_request_for_the_head_of_an_answer_shows_nothing_and_is_not_told() {
    let home = Home::new();
    let program = seeded(&home);
    let users = format!("/v1/apps/{APP}/appusers");
    let bob = log(&program, "")[0]["_ids"][0].as_str().unwrap().to_owned();
    for (path, accept) in [
        ("/journal/2/body".to_owned(), "*/*"),
        ("/quarantine/1/body".to_owned(), "*/*"),
        (users.clone(), "text/csv"),
        (users.clone(), "application/x-ndjson"),
        ("/audit".to_owned(), "text/csv"),
        (format!("{users}/{bob}/history?include=body"), "*/*"),
        (format!("/v1/apps/{APP}/persons/{bob}"), "*/*"),
        (format!("/v1/apps/{APP}/changes?snapshot=true"), "*/*"),
        (format!("/v1/apps/{APP}/changes"), "*/*"),
    ] {
        let before = home.rows("audit");
        let head = request(program.admin, "HEAD", &path, &[("accept", accept)], b"").unwrap();
        assert_eq!((head.status, &*head.text), (200, ""), "{path}: {head:?}");
        assert_eq!(home.rows("audit"), before, "HEAD {path}");
        let whole = request(program.admin, "GET", &path, &[("accept", accept)], b"").unwrap();
        assert_eq!(whole.status, 200, "{path}: {whole:?}");
        until("it is told", || home.rows("audit") > before);
        // The end of an export is told later.
        if accept != "*/*" {
            until("its end is told", || home.rows("audit") == before + 2);
        }
    }
}
