//! SIGHUP: new secrets, keys and limits from one request to the next, and no request refused meanwhile.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::support::{Connection, Home, Program, SetOnDrop, basic, first_message, until};

fn settings(secrets: &str, more: &str) -> String {
    format!(
        "[[apps]]\nid = \"one\"\nwebhook_secrets = [{secrets}]\nkeys = [{{ id = \"k\", secret = \"sixteen bytes or more\" }}]\n{more}"
    )
}

/// Puts settings in the home and has the program read them; gives the line it ends with.
fn reload(home: &mut Home, program: &Program, text: String, ends_with: &str) {
    home.settings = text;
    home.command(&["check-config"]).output().unwrap();
    let before = program.log().matches(ends_with).count();
    program.signal("HUP");
    until(ends_with, || program.log().matches(ends_with).count() > before);
}

const TAKEN: &str = "SIGHUP: reloaded credentials and limits";
const REFUSED: &str = "the previous settings stay in force";

fn post(line: &mut Connection, secret: &str, n: usize) -> u16 {
    let body =
        first_message(&format!("user-{n}"), 1_600_000_000.0 + n as f64).replace(crate::support::APP, "one");
    line.ask("POST", "/webhooks", &[("x-api-key", secret)], body.as_bytes()).status
}

#[test]
fn a_secret_is_swapped_under_load_without_a_refused_delivery() {
    let mut home = Home::with(&settings("\"first\"", ""));
    let program = home.start();
    let (now, sent, done) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
    let secrets = ["first", "second", "third"];
    std::thread::scope(|scope| {
        let _end = SetOnDrop(&done);
        for part in 0..6 {
            let (program, now, sent, done) = (&program, &now, &sent, &done);
            scope.spawn(move || {
                let mut line = Connection::open(program.listen);
                while !done.load(Ordering::SeqCst) {
                    let n = sent.fetch_add(1, Ordering::SeqCst);
                    let secret = secrets[now.load(Ordering::SeqCst)];
                    assert_eq!(post(&mut line, secret, n), 200, "{part}: {secret}");
                }
            });
        }
        let more = || {
            let before = sent.load(Ordering::SeqCst);
            until("they send on", || sent.load(Ordering::SeqCst) > before + 100);
        };
        for (at, pair) in secrets.windows(2).enumerate() {
            more();
            // Both are valid, then the sender changes, then the old one is removed.
            let both = format!("\"{}\", \"{}\"", pair[0], pair[1]);
            reload(&mut home, &program, settings(&both, ""), TAKEN);
            more();
            now.store(at + 1, Ordering::SeqCst);
            more();
            reload(&mut home, &program, settings(&format!("\"{}\"", pair[1]), ""), TAKEN);
        }
        more();
    });
    let mut line = Connection::open(program.listen);
    assert_eq!(post(&mut line, "first", 0), 401);
    assert_eq!(post(&mut line, "third", 0), 200);
    let rejected = program.metric("rollcall_webhook_rejected_total{reason=\"wrong_secret\"}");
    assert_eq!(rejected, 1.0, "mine alone");
    program.stop();
    println!("{} deliveries over four reloads", sent.into_inner());
}

#[test]
fn with_anything_wrong_in_the_settings_nothing_changes_and_every_problem_is_logged() {
    let mut home = Home::with(&settings("\"first\"", ""));
    let program = home.start();
    let wrong = settings("\"second\"", "[limits]\nwebhook_body = \"much\"\n[server]\nno_such_key = 1\n");
    reload(&mut home, &program, wrong, REFUSED);
    let log = program.log();
    assert!(log.contains("limits.webhook_body") && log.contains("server.no_such_key"), "{log}");
    assert!(!log.contains("second"), "no value is logged: {log}");
    let mut line = Connection::open(program.listen);
    assert_eq!((post(&mut line, "first", 1), post(&mut line, "second", 1)), (200, 401));
    program.stop();
}

#[test]
fn keys_tokens_origins_and_limits_change_and_other_changes_are_named() {
    let mut home = Home::with(&settings("\"first\"", ""));
    let program = home.start();
    let get = |secret: &str| {
        program.request("GET", "/v1/appusers", &[("authorization", &basic("k", secret))], b"").status
    };
    let mut line = Connection::open(program.listen);
    assert_eq!((post(&mut line, "first", 1), get("sixteen bytes or more")), (200, 200));
    let text = settings("\"first\"", "app_token = \"token\"\n[limits]\nrequests_per_second = 1\n")
        .replace("sixteen bytes or more", "another sixteen bytes")
        + "[server]\ncors_origins = [\"https://example.org\"]\nmax_connections = 7\n[log]\nlevel = \"error\"\n\
           [store]\nurl = \"sqlite://elsewhere.db\"\n[ingest]\nqueue_jobs = 2000\n";
    reload(&mut home, &program, text.clone(), TAKEN);
    assert_eq!(get("sixteen bytes or more"), 401);
    let statuses: Vec<u16> = (0..4).map(|_| get("another sixteen bytes")).collect();
    assert_eq!((statuses[0], statuses.contains(&429)), (200, true), "{statuses:?}");
    let init = r#"{"device":{"id":"d","platform":"web"}}"#;
    let headers =
        [("app-token", "token"), ("origin", "https://example.org"), ("content-type", "application/json")];
    let answer = program.request("POST", "/v1/init", &headers, init.as_bytes());
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://example.org"));
    for key in ["server.max_connections", "log.level", "store.url", "ingest.queue_jobs"] {
        program.wait_for_log(&format!("{key} changed; restart the service to apply it"));
    }
    assert!(!home.path().join("elsewhere.db").exists());
    // A body that is too large now; and one that was not is under way on a connection from before.
    reload(&mut home, &program, text.replace("[limits]", "[limits]\nwebhook_body = 200"), TAKEN);
    assert_eq!(post(&mut line, "first", 2), 413);
    let mut line = Connection::open(program.listen);
    assert_eq!(post(&mut line, "first", 2), 413);
    program.stop();
}

/// It started with the secret that was removed since, and with the old body limit.
#[test]
fn a_request_under_way_ends_with_the_settings_it_began_with() {
    let mut home = Home::with(&settings("\"first\"", ""));
    let program = home.start();
    let body = first_message("user-1", 1_600_000_000.0).replace(crate::support::APP, "one");
    let head = format!(
        "POST /webhooks HTTP/1.1\r\nhost: x\r\nx-api-key: first\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut line = Connection::open(program.listen);
    let (begin, end) = body.split_at(body.len() - 1);
    assert!(line.send(format!("{head}{begin}")));
    until("it is being received", || program.metric("rollcall_bodies_bytes") > 0.0);
    reload(&mut home, &program, settings("\"second\"", "[limits]\nwebhook_body = 100\n"), TAKEN);
    assert!(line.send(end));
    assert_eq!(line.answer().unwrap().status, 200);
    let next = line.ask("POST", "/webhooks", &[("x-api-key", "first")], b"{}").status;
    assert_eq!(next, 401, "the next one is another request");
    let log = program.stop();
    assert!(log.contains("everything acknowledged is on disk"), "{log}");
}
