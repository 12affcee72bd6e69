//! `rollcall journal replay`.

use std::cell::Cell;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;

use serde_json::{Value, json};

use super::{all_of_it, command, messages, post, run, run_stopped};
use crate::support::{Home, files, fixtures};

#[test]
fn a_range_replayed_twice_changes_nothing() {
    let home = Home::new();
    let program = home.start();
    for path in files(&fixtures().join("webhooks"), "json") {
        assert_eq!(program.webhook(std::fs::read(path).unwrap()).status, 200);
    }
    post(&program, "/v1/appusers", &json!({ "userId": "made here" }));
    let before = all_of_it(&home, &program);
    let replay =
        |args: &[&str]| run(&home, &program, &[&["journal", "replay", "--json"], args].concat()).well();
    let dry: Value = replay(&["..", "--dry-run"]).lines().remove(0);
    let bodies: i64 = home.find(
        "SELECT count(*) FROM (SELECT DISTINCT first_seq, body FROM journal
        JOIN bodies ON first_seq = (SELECT max(first_seq) FROM bodies WHERE first_seq <= seq)
        WHERE source = 'webhook')",
    );
    assert_eq!(dry["wouldSend"], bodies, "each body once, however many events it has");
    for range in ["..", "..", "20..60", "20..60", "7", "7..7"] {
        let told = replay(&[range]).lines().remove(0);
        let passed = u64::from(range == "..");
        assert_eq!(told["passedOver"]["made through our own API"].as_u64().unwrap_or(0), passed, "{told}");
        let sent = told["sent"].as_i64().unwrap();
        assert_eq!(told["answers"], json!({ "200": sent }));
        assert!(if range == ".." { sent == bodies } else { sent >= 1 }, "{range}: {told}");
        assert_eq!(all_of_it(&home, &program), before, "{range}");
    }
}

#[test]
fn another_directory_gets_the_same_events_and_a_filter_limits_them() {
    let home = Home::new();
    let program = home.start();
    messages(&program, &["ann", "bob", "cem", "ann"]);
    let replay = |target: &str, args: &[&str]| {
        let args = [&["journal", "replay", "--json", "--to", target], args].concat();
        run(&home, &program, &args).well().lines().remove(0)["sent"].clone()
    };
    let other = Home::new();
    let copy = other.start();
    let target = format!("http://{}/webhooks", copy.listen);
    assert_eq!(replay(&target, &["--user", "ann"]), 2);
    assert_eq!(copy.all_app_users().len(), 1);
    assert_eq!(replay(&target, &["2..3", "--trigger", "message:appUser"]), 2);
    assert_eq!(copy.all_app_users(), program.all_app_users());
    let nothing = run(&home, &program, &["journal", "replay"]);
    assert_eq!(nothing.code, Some(2), "which entries is not said: {nothing:?}");
    for (range, sent) in [("3", 1), ("2..3", 2), ("2..", 3), ("..3", 3), ("..", 4)] {
        let ran = run(&home, &program, &["journal", "replay", range, "--dry-run", "--json"]).well();
        assert_eq!(ran.lines()[0]["wouldSend"], sent, "{range}: both ends are in it");
    }
    for range in ["", "x", "1-2", "3..2", "1..x", "1...3"] {
        let ran = run(&home, &program, &["journal", "replay", range]);
        assert_eq!(ran.code, Some(2), "{range}: {ran:?}");
    }
}

/// A target that accepts this many requests and refuses all later ones.
fn takes(good: usize, requests: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for n in 0..requests {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut buffer = [0; 8192];
            // Its body is the last thing of it, and small: it ends with the object it is.
            while !request.ends_with(b"}") {
                let read = stream.read(&mut buffer).unwrap();
                request.extend_from_slice(&buffer[..read]);
            }
            let status = if n < good { "200 OK" } else { "503 Service Unavailable" };
            let answer = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{{}}");
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    format!("http://{address}/webhooks")
}

#[test]
fn an_interrupted_replay_resumes_with_the_events_not_accepted() {
    let home = Home::new();
    let program = home.start();
    messages(&program, &["ann", "bob", "cem", "dan", "eve"]);
    let state = home.path().join("replay.state");
    let args = |to: &str| {
        let args = ["journal", "replay", "..", "--json", "--concurrency", "1", "--to", to, "--resume-file"];
        run(&home, &program, &[&args[..], &[state.to_str().unwrap()]].concat())
    };
    let broke = args(&takes(2, 5));
    assert_eq!(broke.code, Some(1), "{broke:?}");
    assert!(broke.err.contains("continue with --from 3"), "{broke:?}");
    let kept = std::fs::read_to_string(&state).unwrap();
    assert!(kept.starts_with("3\nall entries, to http://"), "{kept}");
    let other = Home::new();
    let copy = other.start();
    let target = format!("http://{}/webhooks", copy.listen);
    assert_eq!(args(&target).code, Some(2), "the first two were taken by another target");
    // An operator who knows that it is the same system under another address leaves only the number in the file.
    std::fs::write(&state, "3\n").unwrap();
    assert_eq!(args(&target).well().lines()[0]["sent"], 3);
    assert_eq!(copy.all_app_users().len(), 3, "the first two were taken elsewhere");
    assert_eq!(args(&target).well().lines()[0]["sent"], 0, "nothing is left");
    messages(&program, &["fay"]);
    assert_eq!(args(&target).well().lines()[0]["sent"], 1, "what has come since");
    let from = run(&home, &program, &["journal", "replay", "..", "--json", "--from", "6", "--to", &target]);
    assert_eq!(from.well().lines()[0]["sent"], 1);
    std::fs::write(&state, "nonsense").unwrap();
    assert_eq!(args(&target).code, Some(74));
}

#[test]
fn a_replay_without_a_service_reports_it() {
    let home = Home::new();
    let program = home.start();
    messages(&program, &["ann"]);
    program.stop();
    let alone = super::run_alone(&home, &["journal", "replay", ".."]);
    assert_eq!(alone.code, Some(69), "{alone:?}");
    assert!(alone.err.contains("(server.listen): is it running?"), "{alone:?}");
    super::run_alone(&home, &["journal", "replay", "..", "--dry-run"]).well();
}

#[test]
fn an_interrupted_replay_finishes_requests_in_progress_and_prints_the_position() {
    let home = Home::new();
    let program = home.start();
    let names: Vec<String> = (0..50).map(|n| format!("user {n:02}")).collect();
    messages(&program, &names.iter().map(String::as_str).collect::<Vec<_>>());
    for signal in ["-INT", "-TERM"] {
        let other = Home::new();
        let copy = other.start();
        let target = format!("http://{}/webhooks", copy.listen);
        let args = ["journal", "replay", "..", "--rate", "2", "--concurrency", "1", "--to", &target];
        let before = Cell::new(0);
        let ran = run_stopped(command(&home, &program, &args), "", signal, || {
            before.set(copy.all_app_users().len());
            before.get() > 1
        });
        let taken = copy.all_app_users().len();
        let is_one = taken <= before.get() + 1;
        assert!(ran.code == Some(1) && is_one, "no more than the request in progress: {ran:?}");
        assert!(ran.out.starts_with(&format!("sent {taken} in ")), "{taken}: {ran:?}");
        assert!(ran.err.contains(&format!("continue with --from {}\n", taken + 1)), "{taken}: {ran:?}");
    }
}

#[test]
fn a_signal_during_the_last_request_leaves_nothing_out() {
    let home = Home::new();
    let program = home.start();
    messages(&program, &["ann"]);
    std::fs::write(home.path().join("body.json"), crate::support::first_message("bob", 1_600_000_000.0))
        .unwrap();
    std::fs::write(home.path().join("list.ndjson"), "{\"_id\":\"cem\"}\n").unwrap();
    for args in [&["replay", "body.json"][..], &["journal", "replay", ".."], &["import", "list.ndjson"]] {
        let target = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = format!("http://{}/", target.local_addr().unwrap());
        let (asked, is_asked) = mpsc::channel();
        let (release, released) = mpsc::channel();
        std::thread::spawn(move || {
            let mut stream = target.accept().unwrap().0;
            _ = stream.read(&mut [0; 64 << 10]);
            asked.send(()).unwrap();
            released.recv().unwrap();
            let body = "{\"imported\":1,\"known\":0,\"wrong\":[]}";
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}", body.len());
            stream.write_all(format!("{head}\r\nconnection: close\r\n\r\n{body}").as_bytes()).unwrap();
        });
        let is_sent = Cell::new(false);
        let command = command(&home, &program, &[args, &["--json", "--to", &to]].concat());
        let ran = run_stopped(command, "", "-INT", || {
            if is_sent.get() {
                release.send(()).unwrap();
            }
            is_sent.set(is_sent.get() || is_asked.try_recv().is_ok());
            is_sent.get()
        });
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{args:?}: {ran:?}");
        let number = if args[0] == "import" { "imported" } else { "sent" };
        assert_eq!(ran.lines()[0][number], 1, "{args:?}: {ran:?}");
    }
}
