//! `rollcall replay`, the command.

use std::process::Output;

use serde_json::Value;

use super::{all_bodies, body, events, picture};
use crate::operator_commands::run_stopped;
use crate::support::{APP, Home, Program, first_message, fixtures};

/// `rollcall replay … --to` a running program.
fn replay(home: &Home, program: &Program, args: &[&str]) -> Output {
    let target = format!("http://{}/webhooks", program.listen);
    home.command(&[&["replay", "--to", &target], args].concat()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn the_fixtures_replayed_by_the_command_are_all_answered_200_and_it_ends_with_0() {
    let home = Home::new();
    let program = home.start();
    let ran = replay(&home, &program, &[fixtures().to_str().unwrap()]);
    let (out, err) = (text(&ran.stdout), text(&ran.stderr));
    assert_eq!(ran.status.code(), Some(0), "{out}{err}");
    let sent = all_bodies().len();
    assert!(out.starts_with(&format!("sent {sent} in ")), "{out}");
    let odd = home.rows("quarantine");
    assert!(odd > 10, "{odd}");
    assert!(out.contains(&format!("\n  200: {sent}\n  of these in quarantine: {odd}\n")), "{out}");
    assert!(!out.contains("not sent") && err.is_empty(), "{out}{err}");
}

#[test]
fn however_the_command_posts_the_directory_and_the_journal_are_the_same() {
    let plain = Home::new();
    let program = plain.start();
    all_bodies().iter().for_each(|body| assert_eq!(program.webhook(body).status, 200));
    let expected = (picture(&plain, &program), plain.rows("journal"));
    let sent = all_bodies().len();
    for (args, rounds) in [
        (&["--concurrency", "1"][..], 1),
        (&["--concurrency", "64"], 1),
        (&["--concurrency", "8", "--repeat", "3"], 3),
        (&["--sign", "hmac"], 1),
        (&["--sign", "standard-webhooks"], 1),
        (&["--sign", "svix", "--repeat", "2"], 2),
        (&["--sign", "hmac", "--app", APP, "--rate", "5000"], 1),
    ] {
        let home = Home::new();
        let program = home.start();
        let ran = replay(&home, &program, &[args, &["--json", fixtures().to_str().unwrap()]].concat());
        assert_eq!(ran.status.code(), Some(0), "{args:?}: {}", text(&ran.stderr));
        let summary: Value = serde_json::from_slice(&ran.stdout).unwrap();
        assert_eq!(summary["sent"], sent * rounds, "{args:?}");
        assert_eq!(summary["answers"], serde_json::json!({ "200": sent * rounds }), "{args:?}");
        assert_eq!(summary["quarantined"], 16 * rounds, "{args:?}");
        assert_eq!((picture(&home, &program), home.rows("journal")), expected, "{args:?}");
    }
}

#[test]
fn a_secret_of_standard_webhooks_signs_as_it_is_meant() {
    let settings =
        format!("[[apps]]\nid = \"{APP}\"\nwebhook_secrets = [\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"]\n");
    let home = Home::with(&settings);
    let program = home.start();
    std::fs::write(home.path().join("body.json"), first_message("a", 1.0)).unwrap();
    for scheme in ["api-key", "hmac", "standard-webhooks", "svix"] {
        let ran = replay(&home, &program, &["--sign", scheme, "body.json"]);
        assert_eq!(ran.status.code(), Some(0), "{scheme}: {}", text(&ran.stderr));
        let target = format!("http://{}/webhooks", program.listen);
        let ran =
            home.command(&["journal", "replay", "..", "--sign", scheme, "--to", &target]).output().unwrap();
        assert_eq!(ran.status.code(), Some(0), "{scheme}: {}", text(&ran.stderr));
    }
    assert_eq!(home.rows("journal"), 1);
}

#[test]
fn files_that_are_missing_or_no_json_are_named_and_counted_and_the_others_are_sent() {
    let home = Home::new();
    let program = home.start();
    let write = |name: &str, text: &str| std::fs::write(home.path().join(name), text).unwrap();
    write("good.json", &first_message("a", 1.0));
    write("broken.json", "{\"trigger\":");
    let lines = [first_message("b", 1.0), "no json".to_owned(), String::new(), first_message("c", 1.0)];
    write("lines.jsonl", &lines.join("\n"));
    write("other.json", r#"{"trigger":"message:appUser","app":{"_id":"another app"},"appUser":{"_id":"d"}}"#);
    std::fs::create_dir(home.path().join("empty")).unwrap();
    let paths = ["missing.json", "good.json", "broken.json", "lines.jsonl", "other.json", "empty"];
    let ran = replay(&home, &program, &paths);
    let (out, err) = (text(&ran.stdout), text(&ran.stderr));
    assert_eq!(ran.status.code(), Some(1), "{out}{err}");
    for (place, why) in [
        ("missing.json", "cannot be read"),
        ("broken.json", "not JSON"),
        ("lines.jsonl:2", "not JSON"),
        ("other.json", "not in the settings"),
        ("empty", "no .json"),
    ] {
        let told = err.lines().find(|line| line.starts_with(&format!("{place}: not sent: ")));
        assert!(told.is_some_and(|line| line.contains(why)), "{place}: {why}\n{err}");
    }
    assert_eq!(err.lines().count(), 5, "{err}");
    for line in ["sent 3 in ", "200: 3", "not sent, not JSON: 2", "not sent, unreadable: 1"] {
        assert!(out.contains(line), "{line}\n{out}");
    }
    assert_eq!(program.all_app_users().len(), 3);
    assert!(!format!("{out}{err}").contains(crate::support::SECRET));
}

#[test]
fn a_folder_is_read_with_names_in_any_case_and_skipped_files_are_counted() {
    let home = Home::new();
    let program = home.start();
    let folder = home.path().join("recorded");
    std::fs::create_dir(&folder).unwrap();
    let lines = [first_message("b", 1.0), first_message("c", 1.0)].join("\n");
    for (name, text) in [
        ("UP.JSON", &*first_message("a", 1.0)),
        ("Many.JSONL", &lines),
        ("README.md", "no payload"),
        ("payload", "no payload"),
        (".hidden.json", "no payload"),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let ran = replay(&home, &program, &["recorded"]);
    let out = text(&ran.stdout);
    assert_eq!(ran.status.code(), Some(0), "{out}{}", text(&ran.stderr));
    let passed_over = "\n  passed over, hidden: 1\n  passed over, neither .json nor .jsonl: 2\n";
    assert!(out.starts_with("sent 3 in ") && out.contains(passed_over), "{out}");
    let ran = replay(&home, &program, &["--json", "--repeat", "2", "recorded", "recorded/Many.JSONL"]);
    let summary: Value = serde_json::from_slice(&ran.stdout).unwrap();
    let passed_over = serde_json::json!({ "hidden": 1, "neither .json nor .jsonl": 2 });
    assert_eq!((&summary["sent"], &summary["passedOver"]), (&10.into(), &passed_over), "{summary}");
    assert_eq!(program.all_app_users().len(), 3);
}

#[test]
fn refusals_and_silence_are_named_and_counted_and_it_ends_with_1() {
    let home = Home::new();
    let program = home.start();
    std::fs::write(home.path().join("body.json"), first_message("a", 1.0)).unwrap();
    let nowhere = format!("http://{}/nowhere", program.listen);
    let ran = home.command(&["replay", "--to", &nowhere, "body.json"]).output().unwrap();
    assert_eq!(ran.status.code(), Some(1));
    assert!(text(&ran.stderr).starts_with("body.json: 404 Not Found"), "{}", text(&ran.stderr));
    assert!(text(&ran.stdout).contains("  404: 1"), "{}", text(&ran.stdout));

    let gone = format!("http://{}/webhooks", program.listen);
    program.stop();
    let ran = home.command(&["replay", "--to", &gone, "body.json"]).output().unwrap();
    assert_eq!(ran.status.code(), Some(1));
    assert!(text(&ran.stdout).contains("no answer, no connection: 1"), "{}", text(&ran.stdout));
}

#[test]
fn a_retry_sent_twice_in_one_replay_is_one_journal_entry() {
    let home = Home::new();
    let program = home.start();
    let path = fixtures().join("webhooks/v2/conversation.message-several-events.json");
    let ran = replay(&home, &program, &["--repeat", "4", "--concurrency", "4", path.to_str().unwrap()]);
    assert_eq!(ran.status.code(), Some(0));
    assert_eq!(home.rows("journal"), events(&body(&path)));
}

#[test]
fn mistakes_on_the_command_line_are_usage_errors() {
    let home = Home::new();
    for args in
        [&["replay"][..], &["replay", "--concurrency", "0", "x"], &["replay", "--to", "ftp://x/", "x"]]
    {
        let ran = home.command(args).output().unwrap();
        assert_eq!(ran.status.code(), Some(2), "{args:?}");
    }
    let ran = home.command(&["replay", "--app", "nobody", "x"]).output().unwrap();
    assert_eq!(ran.status.code(), Some(2));
    assert!(text(&ran.stderr).contains("no app"), "{}", text(&ran.stderr));
}

#[test]
fn a_stopped_replay_prints_the_summary_of_what_it_sent() {
    let lines: Vec<String> =
        (0..50).map(|n| first_message(&format!("user {n}"), 1_600_000_000.0) + "\n").collect();
    // All is sent, and more may come on stdin; or most still waits.
    for (signal, rate, some) in [("-INT", "1000", 50), ("-TERM", "2", 2)] {
        let home = Home::new();
        let program = home.start();
        let target = format!("http://{}/webhooks", program.listen);
        let args = ["replay", "--json", "--concurrency", "1", "--rate", rate, "--to", &target, "-"];
        let sent = || home.rows("journal");
        let ran = run_stopped(home.command(&args), &lines.concat(), signal, || sent() >= some);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert_eq!(ran.lines()[0]["sent"], sent(), "{ran:?}");
        assert_eq!(sent() == 50, some == 50, "{ran:?}");
        assert_eq!(ran.err, "stopped by a signal; the rest was not posted\n");
    }
}
