//! Events of the process: signals, panics, hang-ups, no file descriptors left, a failed start (F16 to F20).

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::crash::traffic::webhook;
use crate::storage_faults::strace;
use crate::support::{
    APP, Connection, Home, KEY_ID, KEY_SECRET, Program, basic, first_message, installed, require, until,
};

fn message(n: usize) -> String {
    first_message(&format!("{n:024x}"), 1_600_000_000.5 + n as f64)
}

fn found(program: &Program, n: usize) -> bool {
    program.app_user(&format!("{n:024x}")).status == 200
}

/// A webhook of which all but the last byte is sent: under way, and not yet whole.
fn begun(program: &Program, n: usize) -> (TcpStream, Vec<u8>) {
    let mut bytes = webhook(&message(n));
    let last = bytes.split_off(bytes.len() - 1);
    let mut stream = TcpStream::connect(program.listen).unwrap();
    stream.set_read_timeout(Some(crate::support::PATIENCE)).unwrap();
    stream.write_all(&bytes).unwrap();
    until("the request is under way", || program.metric("rollcall_connections") >= 1.0);
    (stream, last)
}

#[test]
fn on_a_stop_signal_it_answers_requests_in_progress_accepts_no_others_and_exits_0() {
    for signal in ["TERM", "INT"] {
        let home = Home::new();
        let program = home.start();
        let to = program.listen;
        assert_eq!(program.webhook(message(1)).status, 200);
        let (mut stream, last) = begun(&program, 2);
        program.signal(signal);
        program.wait_for_log("finishing requests in progress");
        until("the port is closed", || TcpStream::connect(to).is_err());
        assert_eq!(program.admin("/readyz").status, 503);
        stream.write_all(&last).unwrap();
        let mut answer = String::new();
        _ = stream.read_to_string(&mut answer);
        // Complete before the drain was seen, or after it: stored or refused with a retry, never ignored.
        let stored = answer.starts_with("HTTP/1.1 200");
        assert!(stored || answer.starts_with("HTTP/1.1 503"), "{signal}: {answer:?}");
        let (status, log) = program.wait();
        assert_eq!(status.code(), Some(0), "{signal}: {log}");
        let program = home.start();
        assert!(found(&program, 1) && found(&program, 2) == stored, "{signal}");
    }
}

/// The first sync of a new database takes a second.
#[test]
fn while_the_database_is_being_opened_it_is_503_and_a_stop_ends_that() {
    require!(installed("strace"));
    let mut home = Home::new();
    home.wrapper = strace(&home, "fsync,fdatasync", "fsync,fdatasync:delay_enter=2000000:when=1", &[]);
    let program = home.start_until("\"starting on ").map_err(|(_, log)| log).unwrap();
    for _ in 0..3 {
        let answer = program.webhook(message(1));
        assert_eq!((answer.status, answer.code().as_str()), (503, "starting"), "{answer:?}");
        assert!(answer.header("retry-after").is_some());
        assert_eq!((program.admin("/readyz").status, program.admin("/livez").status), (503, 200));
    }
    program.wait_for_log("\"ready on ");
    assert_eq!(program.webhook(message(1)).status, 200);
    let turned_away = "rollcall_http_turned_away_total{reason=\"starting\"}";
    assert_eq!(program.metric(turned_away), 3.0);
    program.stop();
    std::fs::remove_file(home.database()).unwrap();
    let program = home.start_until("\"starting on ").map_err(|(_, log)| log).unwrap();
    let log = program.stop();
    assert!(log.contains("before the database was open"), "{log}");
    home.wrapper.clear();
    assert_eq!(home.start().webhook(message(2)).status, 200, "what was begun is no obstacle");
}

#[test]
fn on_a_second_stop_signal_it_stops_at_once_and_loses_nothing_acknowledged() {
    for second in ["TERM", "INT"] {
        let home = Home::new();
        let program = home.start();
        assert_eq!(program.webhook(message(1)).status, 200);
        let (_stream, _) = begun(&program, 2);
        program.signal("TERM");
        program.wait_for_log("finishing requests in progress");
        let began = Instant::now();
        program.signal(second);
        let (status, log) = program.wait();
        // drain_within is 10 s, and the request under way would have taken all of it.
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(found(&home.start(), 1));
    }
}

/// One has begun a request and does not end it; the other does not take its answer.
#[test]
fn peers_that_neither_end_nor_take_anything_hold_no_stop_up() {
    let home = Home::with("[server]\ndrain_within = \"2s\"");
    let program = home.start();
    let property = "x".repeat(500_000);
    for n in 0..24 {
        let body = json!({ "trigger": "message:appUser", "app": { "_id": APP },
            "appUser": { "_id": format!("user-{n}"), "properties": { "long": property } } });
        assert_eq!(program.webhook(body.to_string()).status, 200);
    }
    let (_stream, _) = begun(&program, 1);
    let auth = basic(KEY_ID, KEY_SECRET);
    let mut deaf = Connection::open(program.listen);
    deaf.send(format!("GET /v1/appusers?limit=100 HTTP/1.1\r\nhost: x\r\nauthorization: {auth}\r\n\r\n"));
    let answered = "rollcall_http_requests_total{route=\"/v1/appusers\",status=\"200\"}";
    until("it is answered", || program.metric(answered) == 1.0);
    let began = Instant::now();
    program.signal("TERM");
    let (status, log) = program.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!((Duration::from_secs(1)..Duration::from_secs(6)).contains(&began.elapsed()));
    assert!(log.contains("everything acknowledged is on disk"), "{log}");
    let wal = std::fs::metadata(home.path().join("rollcall.db-wal")).map_or(0, |wal| wal.len());
    assert_eq!(wal, 0, "the log is checkpointed");
    assert_eq!(home.start().all_app_users().len(), 24);
}

#[test]
fn hang_ups_and_broken_pipes_do_not_end_it() {
    let home = Home::new();
    let program = home.start();
    for signal in ["HUP", "PIPE", "HUP"] {
        program.signal(signal);
    }
    program.wait_for_log("SIGHUP");
    assert_eq!(program.webhook(message(1)).status, 200);
    assert!(found(&program, 1));
    program.stop();
}

#[test]
fn after_a_freeze_it_works_and_a_retry_is_a_repetition() {
    let home = Home::new();
    let program = home.start();
    assert_eq!(program.webhook(message(1)).status, 200);
    program.signal("STOP");
    // The kernel accepts the connections and the bytes; the program does not answer, and the senders give up.
    for n in [2, 2, 3] {
        let mut stream = TcpStream::connect(program.listen).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        stream.write_all(&webhook(&message(n))).unwrap();
        assert!(stream.read(&mut [0; 1]).is_err(), "no answer while it is stopped");
    }
    program.signal("CONT");
    for n in [2, 3] {
        assert_eq!(program.webhook(message(n)).status, 200);
        assert!(found(&program, n));
    }
    program.stop();
    assert_eq!(home.rows("journal"), 3);
}

/// The sender disconnected before the answer: its event is stored, and its retry is a repetition.
#[test]
fn senders_that_disconnect_before_the_answer_lose_nothing_and_duplicate_nothing() {
    const SENDERS: usize = 2000;
    let home = Home::new();
    let program = home.start();
    std::thread::scope(|scope| {
        for part in 0..8 {
            let to = program.listen;
            scope.spawn(move || {
                for n in (part..SENDERS).step_by(8) {
                    let mut stream = TcpStream::connect(to).unwrap();
                    stream.write_all(&webhook(&message(n))).unwrap();
                    // Half of them say so, the other half just go.
                    if n % 2 == 0 {
                        stream.shutdown(Shutdown::Both).unwrap();
                    }
                }
            });
        }
    });
    until("nothing is under way", || program.metric("rollcall_connections") == 0.0);
    let mut line = Connection::open(program.listen);
    assert!(line.send(webhook(&message(SENDERS))) && line.answer().unwrap().status == 200);
    let before = home.rows("journal") - 1;
    for n in 0..SENDERS {
        assert!(line.send(webhook(&message(n))));
        assert_eq!(line.answer().unwrap().status, 200, "{n}");
    }
    assert_eq!(home.rows("journal"), SENDERS as i64 + 1, "each once");
    println!("{before} of {SENDERS} were stored without their senders");
    assert!(before > 0, "a commit goes on without whoever waited for it");
}

#[test]
#[cfg(debug_assertions)]
fn a_worker_that_dies_takes_the_process_with_it() {
    let mut home = Home::new();
    home.env.push(("ROLLCALL_PANIC_ON".to_owned(), "worker".to_owned()));
    let (status, log) = home.try_start().map_or_else(|ended| ended, Program::wait);
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("the worker panicked; this process cannot store any more"), "{log}");
    home.env.clear();
    assert_eq!(home.start().webhook(message(1)).status, 200, "the next one can");
}

#[test]
#[cfg(debug_assertions)]
fn a_panic_over_one_delivery_leaves_its_neighbours_alone() {
    let mut home = Home::new();
    home.env.push(("ROLLCALL_PANIC_ON".to_owned(), "conversation:referral".to_owned()));
    let program = home.start();
    let poison =
        json!({ "trigger": "conversation:referral", "app": { "_id": APP }, "timestamp": 1_600_000_000,
                         "appUser": { "_id": "00000000000000000000dead" } })
        .to_string();
    let rounds = 10;
    for round in 0..rounds {
        std::thread::scope(|scope| {
            for n in 0..24 {
                let (program, poison) = (&program, &poison);
                scope.spawn(move || {
                    let body = if n % 12 == 5 { poison.clone() } else { message(round * 100 + n) };
                    let answer = program.webhook(body);
                    assert_eq!(answer.status, 200, "{answer:?}");
                });
            }
        });
    }
    assert!((0..rounds).all(|round| (0..24).all(|n| n % 12 == 5 || found(&program, round * 100 + n))));
    assert_eq!(home.rows("journal"), 22 * rounds as i64);
    let quarantined = "SELECT count(*) FROM quarantine WHERE reason = 'cannot_apply'";
    assert_eq!(home.find::<i64>(quarantined), 2 * rounds as i64, "each delivery of it");
    assert_eq!(program.app_user("00000000000000000000dead").status, 404);
    assert_eq!(program.admin("/readyz").status, 200);
    program.stop();
}

/// Time of processor used so far, in ticks of 10 ms.
fn ticks(program: &Program) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", program.pid())).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[test]
fn without_file_handles_it_waits_for_one_without_spinning_and_recovers() {
    require!(installed("prlimit"));
    let mut home = Home::new();
    home.wrapper = ["prlimit", "--nofile=64"].map(String::from).into();
    let program = home.start();
    assert_eq!(program.webhook(message(1)).status, 200);
    let mut held: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(program.listen).unwrap()).collect();
    program.wait_for_log("cannot accept a connection");
    let (before, began) = (ticks(&program), Instant::now());
    let complaints = |log: &str| log.matches("cannot accept a connection").count();
    until("it has tried some times", || complaints(&program.log()) >= 10);
    let (used, took) = (ticks(&program) - before, began.elapsed());
    assert!(took > Duration::from_millis(500), "ten tries took {took:?}");
    assert!(used * 10 * 4 < took.as_millis() as u64, "{used} ticks in {took:?}");
    // Open connections are still served.
    held[0].write_all(&webhook(&message(2))).unwrap();
    let mut answer = [0; 12];
    held[0].read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    held.clear();
    assert_eq!(program.webhook(message(3)).status, 200, "handles are given back");
    assert!((1..=3).all(|n| found(&program, n)));
    program.stop();
}

#[test]
fn a_second_process_on_one_database_is_refused_and_the_first_keeps_running() {
    let home = Home::new();
    let first = home.start();
    assert_eq!(first.webhook(message(1)).status, 200);
    for _ in 0..3 {
        let (status, log) = home.try_start().map(|_| ()).unwrap_err();
        assert_eq!(status.code(), Some(1), "{log}");
        assert!(log.contains("in use by another process"), "{log}");
    }
    assert_eq!(first.webhook(message(2)).status, 200);
    first.kill();
    let second = home.start();
    assert!(found(&second, 1) && found(&second, 2), "the lock went with its holder");
}

/// Both a link to the file and a link to its folder are other names of the same file.
#[test]
fn a_second_process_under_another_name_of_the_database_is_refused() {
    for existed in [true, false] {
        let mut home = Home::new();
        std::fs::create_dir(home.path().join("real")).unwrap();
        std::os::unix::fs::symlink("real", home.path().join("folder")).unwrap();
        std::os::unix::fs::symlink("real/rollcall.db", home.path().join("file.db")).unwrap();
        let named = |name: &str| format!("[store]\nurl = \"sqlite://{name}\"");
        let names = ["real/rollcall.db", "folder/rollcall.db", "file.db"].map(named);
        if existed {
            home.settings = names[0].clone();
            home.start().stop();
        }
        for first in names.iter().rev() {
            home.settings.clone_from(first);
            let holder = home.start();
            for second in &names {
                home.settings.clone_from(second);
                let (status, log) = home.try_start().map(|_| ()).unwrap_err();
                assert_eq!(status.code(), Some(1), "{first}, then {second}: {log}");
                assert!(log.contains("in use by another process"), "{log}");
            }
            assert_eq!(holder.webhook(message(1)).status, 200);
            holder.stop();
        }
        let left = std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let beside: Vec<_> = left.filter(|name| name.to_string_lossy().starts_with("file.db")).collect();
        assert_eq!(beside, ["file.db"], "what belongs to the database lies beside the file itself");
    }
}

/// Through a hard link SQLite finds no log, and this program no lock, of the process that opened the file by its
/// other name.
#[test]
fn a_database_with_a_hard_link_is_refused_by_both_names_until_one_is_removed() {
    let mut home = Home::new();
    let holder = home.start();
    assert_eq!(holder.webhook(message(1)).status, 200);
    let (file, link) = (home.database(), home.path().join("link.db"));
    std::fs::hard_link(&file, &link).unwrap();
    home.settings = "[store]\nurl = \"sqlite://link.db\"".to_owned();
    let refused = |home: &Home| {
        let (status, log) = home.try_start().map(|_| ()).unwrap_err();
        assert_eq!(status.code(), Some(1), "{log}");
        assert!(log.contains("a hard link"), "{log}");
    };
    refused(&home);
    let output = home.command(&["rebuild"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(holder.webhook(message(2)).status, 200);
    holder.stop();
    home.settings.clear();
    refused(&home);
    std::fs::remove_file(&link).unwrap();
    let again = home.start();
    assert!(found(&again, 1) && found(&again, 2));
}

#[test]
fn wrong_settings_are_78_and_a_wrong_command_line_is_2() {
    let home = Home::with("[server]\nlisten = 5\nno_such_key = 1");
    let output = home.command(&[]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(said.contains("server.listen") && said.contains("no_such_key"), "every problem at once: {said}");
    assert!(!home.database().exists(), "nothing is opened");
    let home = Home::new();
    for wrong in [&["--no-such-flag"][..], &["no-such-command"], &["--set", "server.listen"]] {
        let output = home.command(wrong).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{wrong:?}: {output:?}");
    }
    assert_eq!(home.command(&["--help"]).output().unwrap().status.code(), Some(0));
}

#[test]
fn a_port_in_use_is_74_and_names_the_address() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (key, other) in [("server.listen", "server.admin_listen"), ("server.admin_listen", "server.listen")] {
        let home = Home::new();
        let (taken, free) = (format!("{key}={address}"), format!("{other}=127.0.0.1:0"));
        let output = home.command(&["--set", &taken, "--set", &free]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(74), "{key}: {said}");
        assert!(said.contains(&address), "{key}: {said}");
        home.start().stop();
    }
}
