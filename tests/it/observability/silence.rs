//! Apps without webhooks, as `/readyz` shows them.

use crate::support::{APP, Home, Program, first_message, until};

/// Two apps of which only the second may not be silent for long.
const TWO: &str = r#"
[[apps]]
id = "5698edbf2a43bd081be982f1"
webhook_secrets = ["demo-webhook-secret"]
[[apps]]
id = "other"
webhook_secrets = ["the-secret-of-the-other"]
silent_after = "500ms"
"#;

fn silent(program: &Program, app: &str) -> bool {
    program.metric(&format!("rollcall_app_silent{{app=\"{app}\"}}")) == 1.0
}

fn send(program: &Program, n: u32) {
    let body = first_message(&format!("theirs-{n}"), 1_444_348_338.0).replace(APP, "other");
    let secret = [("x-api-key", "the-secret-of-the-other")];
    assert_eq!(program.request("POST", "/webhooks", &secret, body.as_bytes()).status, 200);
}

fn lines_with(program: &Program, text: &str) -> usize {
    program.log().matches(text).count()
}

#[test]
fn a_silent_app_is_logged_once_and_once_at_its_next_webhook() {
    let home = Home::with(TWO);
    let program = home.start();
    let (falls, again) = ("app other is silent: no webhook for", "app other sends webhooks again");
    until("it is silent from the start", || silent(&program, "other"));
    until("and that is said", || lines_with(&program, falls) == 1);
    assert_eq!(lines_with(&program, again), 0);
    for round in 1..=2 {
        send(&program, round);
        until("it sends webhooks again", || lines_with(&program, again) == round as usize);
        until("it falls silent again", || lines_with(&program, falls) == 1 + round as usize);
        until("the metric says so", || silent(&program, "other"));
    }
    let ready = program.admin("/readyz?verbose");
    assert_eq!(ready.status, 200, "a silent app keeps nobody from sending: {ready:?}");
    let lines: Vec<&str> = ready.text.lines().collect();
    assert!(lines.iter().any(|line| line.starts_with("[!]app other: silent, last webhook 2")), "{lines:?}");
    assert!(lines.contains(&format!("[+]app {APP}: no webhook yet").as_str()), "{lines:?}");
    assert_eq!(program.admin("/readyz").text, "{\"ready\":true}");
    assert!(!silent(&program, APP) && lines_with(&program, &format!("app {APP} is silent")) == 0);
    let log = program.stop();
    let line = log.lines().find(|line| line.contains(falls)).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!((&line["level"], &line["app"]), (&"WARN".into(), &"other".into()));

    // The time of the last webhook is stored across a start, and so is the silence since.
    let program = home.start();
    until("it is known when it was heard", || {
        program.metric("rollcall_last_event_timestamp_seconds{app=\"other\"}") > 1e9
    });
    until("it is silent", || silent(&program, "other"));
}

#[test]
fn the_time_of_all_apps_counts_where_an_app_has_none() {
    let settings = format!("[ingest]\nsilent_after = \"300ms\"\n{}", TWO.replace("500ms", "never"));
    let program = Home::with(&settings).start();
    until("it is silent", || silent(&program, APP));
    assert_eq!(program.webhook("no JSON at all").status, 200);
    until("also what cannot be understood is heard", || {
        lines_with(&program, &format!("app {APP} sends webhooks again")) == 1
    });
    assert!(!silent(&program, "other"));
}

#[test]
fn by_default_no_app_is_silent() {
    let program = Home::new().start();
    let ready = program.admin("/readyz?verbose");
    assert_eq!((ready.status, ready.header("cache-control")), (200, Some("no-store")));
    // The worker's own timer may have a job in the queue for a moment.
    let expected = format!(
        "[+]serving ok\n[+]queue ok\n[+]storing ok\n[+]database ok\n    0 of 4096 deliveries wait\n\
         [+]app {APP}: no webhook yet\nready\n"
    );
    until("nothing waits", || program.admin("/readyz?verbose").text == expected);
    assert!(!silent(&program, APP));
}
