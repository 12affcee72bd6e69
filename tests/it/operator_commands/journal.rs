//! `rollcall journal list` and `show`.

use serde_json::json;

use super::{messages, post, run, run_alone};
use crate::support::{Home, SECRET, first_message};

fn seqs(ran: &super::Ran) -> Vec<u64> {
    ran.lines().iter().map(|line| line["seq"].as_u64().unwrap()).collect()
}

#[test]
fn the_journal_is_listed_by_app_user_trigger_number_and_time() {
    let home = Home::new();
    let program = home.start();
    messages(&program, &["ann", "bob", "cem"]);
    post(&program, "/v1/appusers", &json!({ "userId": "dora" }));
    post(
        &program,
        "/v1/appusers/merge",
        &json!({ "surviving": { "_id": "ann" }, "discarded": { "_id": "bob" } }),
    );
    messages(&program, &["eve"]);
    let list = |args: &[&str]| run(&home, &program, &[&["journal", "list", "--json"], args].concat()).well();
    assert_eq!(seqs(&list(&[])), [6, 5, 4, 3, 2, 1]);
    assert_eq!(seqs(&list(&["--oldest-first"])), [1, 2, 3, 4, 5, 6]);
    for name in ["ann", "bob"] {
        assert_eq!(seqs(&list(&["--user", name])), [5, 2, 1], "{name}: both are one");
        assert_eq!(seqs(&list(&["--user", name, "--oldest-first", "--since", "2"])), [2, 5]);
    }
    assert_eq!(seqs(&list(&["--user", "dora"])), [4], "by userId");
    assert_eq!(seqs(&list(&["--trigger", "message:appUser"])), [6, 3, 2, 1]);
    assert_eq!(seqs(&list(&["--since", "2", "--until", "3"])), [3, 2]);
    assert_eq!(seqs(&list(&["--since", "1h"])), [6, 5, 4, 3, 2, 1]);
    assert_eq!(seqs(&list(&["--until", "1h"])), [0; 0]);
    for (before, after) in [
        ("2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"),
        ("2020-01-01", "2999-01-01"),
        ("1500000010500", "32472144000000"),
    ] {
        assert_eq!(seqs(&list(&["--until", before])), [0; 0], "{before}");
        assert_eq!(seqs(&list(&["--since", before, "--until", after])), [6, 5, 4, 3, 2, 1], "{before}");
    }
    let received =
        list(&["--since", "3", "--until", "3"]).lines()[0]["received"].as_str().unwrap().to_owned();
    assert!(
        seqs(&list(&["--until", &received])).contains(&3)
            && seqs(&list(&["--since", &received])).contains(&3)
    );

    let two = list(&["--limit", "2"]);
    assert_eq!(seqs(&two), [6, 5]);
    assert!(two.err.contains("there are more"), "{}", two.err);
    let text = run(&home, &program, &["journal", "list", "--limit", "0"]).well();
    assert_eq!((text.out.lines().count(), &*text.err), (7, ""), "a heading and a line each: {}", text.out);
    assert!(text.out.lines().nth(2).unwrap().contains("ann,bob"), "{}", text.out);
    let nobody = run(&home, &program, &["journal", "list", "--user", "nobody"]);
    assert_eq!(nobody.code, Some(1), "{nobody:?}");

    program.stop();
    assert_eq!(
        seqs(&run_alone(&home, &["journal", "list", "--json"]).well()),
        [6, 5, 4, 3, 2, 1],
        "no service"
    );
}

#[test]
fn an_entry_is_shown_with_its_body_as_received_or_with_the_decided_facts() {
    let home = Home::new();
    let program = home.start();
    let body = first_message("ann", 1.0).replace('{', "{ ");
    assert_eq!(program.webhook(&body).status, 200);
    post(&program, "/v1/appusers", &json!({ "userId": "dora" }));
    let show = |args: &[&str]| run(&home, &program, &[&["journal", "show"], args].concat());
    assert_eq!(show(&["1", "--body"]).well().out, body);
    assert_eq!(show(&["1", "--json"]).well().lines()[0]["body"], body.as_str());
    let text = show(&["1"]).well().out;
    assert!(text.ends_with(&format!("\n\n{body}\n")) && text.contains("message:appUser"), "{text}");
    let own = &show(&["2", "--json"]).well().lines()[0];
    assert_eq!(own["source"], "api");
    assert!(own["decided"]["facts"].to_string().contains("dora"), "{own}");
    assert_eq!(show(&["3"]).code, Some(1));
    let elsewhere = Home::new();
    let none = run_alone(&elsewhere, &["journal", "show", "1"]);
    assert_eq!(none.code, Some(74), "{none:?}");
    assert!(!elsewhere.database().exists(), "looking makes nothing");
}

/// Names and triggers come from anybody: a line of them neither moves the cursor nor hides a part of itself.
#[test]
fn foreign_text_is_visible_in_lines() {
    let home = Home::new();
    let program = home.start();
    let hostile = "\\u001b[2J\\u202e\\u0007\\nforged";
    let body = first_message("ann", 1.0).replace("message:appUser", &format!("trigger {hostile}"));
    assert_eq!(program.webhook(&body).status, 200);
    let headers = [("x-api-key", SECRET), ("user-agent", "agent \u{202e}\u{9b}31m")];
    assert_eq!(program.request("POST", "/webhooks", &headers, b"not json").status, 200);
    for args in [
        &["journal", "list"][..],
        &["journal", "show", "1"],
        &["tail", "--since", "1", "--until", "1"],
        &["quarantine", "list"],
        &["quarantine", "show", "1"],
    ] {
        let out = run(&home, &program, args).well().out;
        let hidden = out.chars().find(|c| *c != '\n' && (c.is_control() || *c == '\u{202e}'));
        assert!(hidden.is_none() && !out.lines().any(|line| line.starts_with("forged")), "{args:?}: {out:?}");
        assert!(args[0] == "quarantine" || out.contains("trigger \\u{1b}[2J\\u{202e}"), "{args:?}: {out}");
    }
}
