//! A log that cannot be written: lines are lost and counted, and nothing else is.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::backup::{backed_up, message};
use crate::support::{APP, Answer, Connection, Home, KEY_ID, KEY_SECRET, SECRET, basic, request, until};

const LOST: &str = "rollcall_log_lines_lost_total ";

/// A running service of which only the addresses are known.
struct Silent {
    child: Child,
    listen: SocketAddr,
    admin: SocketAddr,
}

impl Silent {
    /// On ports that were free a moment ago, because it cannot say which it took.
    fn start(home: &Home, stderr: impl Into<Stdio>, level: &str) -> Self {
        let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (listen, admin) = (free(), free());
        let (at, admin_at) = (format!("server.listen={listen}"), format!("server.admin_listen={admin}"));
        let level = format!("log.level={level}");
        let mut command = home.command(&["--set", &at, "--set", &admin_at, "--set", &level]);
        let child = command.stdout(Stdio::null()).stderr(stderr).spawn().unwrap();
        crate::support::listeners(listen, admin, home.path());
        let silent = Self { child, listen, admin };
        until("it is ready", || {
            request(admin, "GET", "/readyz", &[], b"").is_ok_and(|ready| ready.status == 200)
        });
        silent
    }

    fn webhook(&self, body: &str) -> Answer {
        request(self.listen, "POST", "/webhooks", &[("x-api-key", SECRET)], body.as_bytes()).unwrap()
    }

    fn lost(&self) -> f64 {
        let text = request(self.admin, "GET", "/metrics", &[], b"").unwrap().text;
        let line = text.lines().find_map(|line| line.strip_prefix(LOST)).unwrap();
        line.parse().unwrap()
    }

    fn stop(mut self) {
        let sent = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status().unwrap();
        assert!(sent.success());
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Webhooks that are logged of, among them one over which the worker panics, are answered as ever.
fn check_service_works(silent: &Silent) {
    for n in 0..20 {
        assert_eq!(silent.webhook(&message(n)).status, 200, "{n}");
        assert_eq!(silent.webhook("no JSON").status, 200, "quarantined, with a line");
        let refused = request(silent.listen, "POST", "/webhooks", &[("x-api-key", "wrong")], b"{}").unwrap();
        assert_eq!(refused.status, 401);
    }
    let poison = json!({ "trigger": "conversation:referral", "app": { "_id": APP }, "timestamp": 1_600_000_000,
                         "appUser": { "_id": "00000000000000000000dead" } });
    assert_eq!(silent.webhook(&poison.to_string()).status, 200);
    assert_eq!(silent.webhook(&message(20)).status, 200);
}

fn home() -> Home {
    let mut home = Home::new();
    home.env.push(("ROLLCALL_PANIC_ON".to_owned(), "conversation:referral".to_owned()));
    home
}

#[test]
fn on_a_full_device_lines_are_lost_and_nothing_else() {
    let home = home();
    let silent = Silent::start(&home, File::options().write(true).open("/dev/full").unwrap(), "debug");
    check_service_works(&silent);
    until("lines are counted", || silent.lost() >= 20.0);
    silent.stop();
    assert_eq!(home.rows("quarantine"), 21);
}

#[test]
fn without_a_reader_lines_are_lost_and_nothing_else() {
    let home = home();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let silent = Silent::start(&home, writer, "debug");
    check_service_works(&silent);
    until("lines are counted", || silent.lost() >= 20.0);
    silent.stop();
}

/// Its pipe is full after some hundred lines; the process at the other end does not read.
#[test]
fn a_reader_that_reads_nothing_holds_nothing_up() {
    let home = home();
    let (reader, writer) = std::io::pipe().unwrap();
    let silent = Silent::start(&home, writer, "trace");
    check_service_works(&silent);
    let auth = basic(KEY_ID, KEY_SECRET);
    let mut line = Connection::open(silent.listen);
    until("more is lost than waits", || {
        for _ in 0..50 {
            let answer = line.ask("GET", "/v1/appusers", &[("authorization", &auth)], b"");
            assert_eq!(answer.status, 200);
        }
        silent.lost() > 10.0
    });
    assert_eq!(silent.webhook(&message(21)).status, 200);
    // Once it reads again, it gets whole lines.
    let mut lines = BufReader::new(reader).lines();
    for _ in 0..100 {
        let text = lines.next().unwrap().unwrap();
        assert!(serde_json::from_str::<Value>(&text).is_ok(), "{text}");
    }
    let rest = std::thread::spawn(move || lines.for_each(drop));
    silent.stop();
    rest.join().unwrap();
}

/// Every command that prints, and its exit code when its reader is closed: that of its result, or 0.
#[test]
fn a_command_whose_output_is_closed_ends_quietly() {
    let (home, _) = backed_up(300);
    for args in [
        &["export"][..],
        &["export", "--format", "csv"],
        &["export", "--user", "000000000000000000000001"],
        &["journal", "list"],
        &["journal", "show", "1"],
        &["journal", "replay", "..", "--dry-run"],
        &["quarantine", "list"],
        &["tail", "--since", "2h", "--count", "5"],
        &["verify"],
        &["backup", "b.db"],
        &["restore", "--to", "r.db", "backup.db"],
        &["rebuild", "--verify"],
        &["doctor"],
        &["token"],
        &["man"],
        &["completions", "bash"],
        &["check-config"],
        &["--help"],
        &["--version"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = home.command(args).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        let output = output.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!([Some(0), Some(1)].contains(&output.status.code()), "{args:?}: {:?} {said}", output.status);
        assert!(!said.contains("panicked") && !said.contains("Broken pipe"), "{args:?}: {said}");
        assert!(output.status.code() == Some(0) || args == ["doctor"], "{args:?}: {said}");
        // Nothing takes anything at all: that is a failure to write, but no crash.
        let full = || File::options().write(true).open("/dev/full").unwrap();
        let status = home.command(args).stdout(full()).stderr(full()).status().unwrap();
        assert!([Some(0), Some(1), Some(74)].contains(&status.code()), "{args:?} > /dev/full: {status:?}");
    }
}

#[test]
fn a_reader_may_take_only_the_first_lines() {
    let (home, _) = backed_up(600);
    for args in [&["export"][..], &["journal", "list"], &["export", "--format", "csv"]] {
        let mut command = home.command(args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut first = String::new();
        BufReader::with_capacity(16, child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        assert!(!first.is_empty());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{args:?}: {said}");
        assert!(!said.contains("pipe") && !said.contains("panicked"), "{args:?}: {said}");
    }
}

/// Invalid settings without a readable stderr: the exit code still reports it.
#[test]
fn the_exit_code_is_the_same_without_a_stderr() {
    let home = Home::with("no_such_key = 1");
    let full = || File::options().write(true).open("/dev/full").unwrap();
    for (args, code) in
        [(&["serve"][..], 78), (&["check-config"], 78), (&["verify"], 78), (&["no-such-command"], 2)]
    {
        let status = home.command(args).stdout(full()).stderr(full()).status().unwrap();
        assert_eq!(status.code(), Some(code), "{args:?}");
    }
    let home = Home::with("[store]\nurl = \"sqlite://nowhere/rollcall.db\"");
    for args in [&["serve"][..], &["verify"], &["export"]] {
        let ports = ["--set", "server.listen=127.0.0.1:0", "--set", "server.admin_listen=127.0.0.1:0"];
        let status = home.command(&[&ports[..], args].concat()).stderr(full()).status().unwrap();
        assert_eq!(status.code(), Some(74), "{args:?}");
    }
}
