//! A cursor is good for the list that it is from: of what, of which app, by which filters.

use super::{OTHER, message, ok, two_apps, webhook_of_other};
use crate::support::{APP, Program, encoded, first_message, request};

/// The lists of the admin listener, each with a page that is not the last one.
fn lists() -> Vec<String> {
    let mut lists: Vec<String> = ["/audit?limit=1", "/journal?limit=1", "/quarantine?limit=1"]
        .iter()
        .flat_map(|path| [(*path).to_owned(), format!("{path}&app={APP}"), format!("{path}&app={OTHER}")])
        .collect();
    for app in [APP, OTHER] {
        lists.push(format!("/v1/apps/{app}/appusers?limit=1"));
        lists.push(format!("/v1/apps/{app}/changes?snapshot=true&limit=1"));
    }
    lists
}

fn seeded(program: &Program) {
    for n in 0..2 {
        message(program, &format!("ours{n}"), n);
        webhook_of_other(program, &first_message(&format!("theirs{n}"), n as f64));
        assert_eq!(program.webhook("not json").status, 200);
        webhook_of_other(program, "not json either");
        // Each app has two entries of the audit log.
        for app in [APP, OTHER] {
            let path = format!("/v1/apps/{app}/appusers");
            let answer = request(program.admin, "GET", &path, &[("accept", "text/csv")], b"").unwrap();
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    }
}

#[test]
fn a_cursor_of_one_list_is_refused_by_every_other() {
    let program = two_apps("").start();
    seeded(&program);
    let lists = lists();
    let cursors: Vec<String> = lists
        .iter()
        .map(|list| {
            let page = ok(&program, list);
            encoded(page["after"].as_str().unwrap_or_else(|| panic!("{list}: {page}")))
        })
        .collect();
    for (from, cursor) in lists.iter().zip(&cursors) {
        for to in &lists {
            let answer = program.admin(&format!("{to}&after={cursor}"));
            let expected = if from == to { 200 } else { 400 };
            assert_eq!(answer.status, expected, "of {from}, to {to}: {answer:?}");
            assert!(expected == 200 || answer.text.contains("after is "), "{answer:?}");
        }
    }
    // The order of the parameters makes no other list.
    let cursor = ok(&program, &format!("/quarantine?limit=1&reason=not_json&app={APP}"));
    let cursor = encoded(cursor["after"].as_str().unwrap());
    ok(&program, &format!("/quarantine?app={APP}&after={cursor}&reason=not_json"));
}

#[test]
fn a_stream_does_not_go_on_from_the_snapshot_of_another_app() {
    let program = two_apps("").start();
    seeded(&program);
    let cursor = ok(&program, &format!("/v1/apps/{OTHER}/changes?snapshot=true&limit=1"));
    let cursor = cursor["after"].as_str().unwrap();
    let headers = [("accept", "text/event-stream"), ("last-event-id", cursor)];
    let path = format!("/v1/apps/{APP}/changes");
    let answer = request(program.admin, "GET", &path, &headers, b"").unwrap();
    assert!(answer.status == 400 && answer.text.contains("of another app"), "{answer:?}");
}
