//! The doctor finds each fault that is planted, names it, and gives a remedy.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use crate::support::{Home, Missing, Program, first_message, require};

const MINE: &str = "[[apps]]\nid = \"one\"\nwebhook_secrets = [\"first\"]\n";

/// A healthy service, and the arguments with which the doctor finds it.
struct Patient {
    home: Home,
    program: Option<Program>,
    args: Vec<String>,
}

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

impl Patient {
    fn well() -> Self {
        let home = Home::with(&format!("[backup]\nfolder = \"kept\"\n{MINE}"));
        let program = home.start();
        let body = first_message("user-1", 1_600_000_000.0).replace(crate::support::APP, "one");
        let answer = program.request("POST", "/webhooks", &[("x-api-key", "first")], body.as_bytes());
        assert_eq!(answer.status, 200);
        program.wait_for_log("backup completed");
        let args = [("server.listen", program.listen), ("server.admin_listen", program.admin)];
        let args = args.iter().flat_map(|(key, at)| ["--set".to_owned(), format!("{key}={at}")]).collect();
        Self { home, program: Some(program), args }
    }

    fn set(&mut self, key_value: &str) {
        self.args.extend(["--set".to_owned(), key_value.to_owned()]);
    }

    /// The findings, and the exit code.
    fn examine(&self) -> (Vec<Value>, Option<i32>) {
        let mut args: Vec<&str> = self.args.iter().map(String::as_str).collect();
        args.extend(["doctor", "--json"]);
        let mut command = self.home.command(&args);
        mode(&self.home.path().join("config.toml"), 0o600);
        let output = command.output().unwrap();
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        (found.as_array().unwrap().clone(), output.status.code())
    }

    /// The doctor must find nothing wrong here, and say so in these words.
    fn has_fine(&self, check: &str, says: &str) {
        let (found, _) = self.examine();
        let named = found.iter().any(|finding| {
            finding["check"] == check
                && finding["state"] == "fine"
                && finding["said"].as_str().unwrap().contains(says)
        });
        assert!(named, "{check}, {says}: {found:#?}");
    }

    /// The doctor must find this, in this state, say so in these words, and know a remedy.
    fn has(&self, check: &str, state: &str, says: &str) {
        let (found, code) = self.examine();
        let named = found.iter().any(|finding| {
            let text = |key: &str| finding[key].as_str().unwrap();
            (text("check"), text("state")) == (check, state)
                && text("said").contains(says)
                && !text("remedy").is_empty()
        });
        assert!(named, "{check}, {state}, {says}: {found:#?}");
        let wrong = found.iter().any(|finding| finding["state"] == "wrong");
        assert_eq!(code, Some(i32::from(wrong)));
    }
}

#[test]
fn of_a_service_that_is_well_nothing_is_wrong() {
    let patient = Patient::well();
    let (found, code) = patient.examine();
    assert_eq!(code, Some(0), "{found:#?}");
    let checks: Vec<&str> = found.iter().map(|finding| finding["check"].as_str().unwrap()).collect();
    assert_eq!(
        checks,
        [
            "sqlite",
            "settings",
            "file rights",
            "key file",
            "disk space",
            "file system",
            "database",
            "journal",
            "clock",
            "last event",
            "quarantine",
            "feed",
            "erasures",
            "last backup",
            "unfinished files",
            "listen",
            "admin listen"
        ]
    );
    // The test may run in the layers of a container, on a disk that is nearly full.
    let here = ["disk space", "file system"];
    let others = found.iter().filter(|finding| !here.contains(&finding["check"].as_str().unwrap()));
    for finding in others {
        assert_eq!((&finding["state"], &finding["remedy"]), (&"fine".into(), &"".into()), "{finding}");
    }
    let text = patient.home.command(&["doctor"]).output().unwrap().stdout;
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("fine    sqlite: version 3.") && text.lines().count() >= checks.len(), "{text}");
}

#[test]
fn wrong_settings_and_a_demo_that_was_left_in_are_found() {
    let mut patient = Patient::well();
    patient.set("limits.json_depth=0");
    patient.has("settings", "wrong", "limits.json_depth");
    let home = Home::new();
    let output = home.command(&["doctor", "--json"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("a secret of the shipped demo"), "{text}");
}

#[test]
fn rights_that_are_too_wide_are_found() {
    let patient = Patient::well();
    for (name, wide, narrow) in
        [("rollcall.db", 0o644, 0o600), ("rollcall.db-wal", 0o666, 0o600), ("kept", 0o755, 0o700)]
    {
        let path = patient.home.path().join(name);
        mode(&path, wide);
        patient.has("file rights", "wrong", name);
        mode(&path, narrow);
    }
    let open = patient.home.path().join("open.toml");
    std::fs::write(&open, &patient.home.settings).unwrap();
    mode(&open, 0o644);
    let output = patient.home.command(&["--config", "open.toml", "doctor"]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("chmod 600 open.toml"));
    assert_eq!(patient.examine().1, Some(0), "and all is well again");
}

#[test]
fn a_disk_that_is_full_is_found() {
    let mut patient = Patient::well();
    patient.set("store.wal_limit=9000000GB");
    patient.has("disk space", "wrong", "less than the log may grow to");
}

#[test]
fn a_database_in_memory_is_found() {
    let memory = require!(tempfile::tempdir_in("/dev/shm").map_err(|_| Missing::new("there is no /dev/shm")));
    let mut patient = Patient::well();
    patient.set(&format!("store.url=sqlite://{}/rollcall.db", memory.path().display()));
    patient.has("file system", "wrong", "in memory (tmpfs)");
    patient.has("database", "wrong", "does not exist");
}

#[test]
fn a_database_that_is_missing_foreign_newer_doubted_or_damaged_is_found() {
    let mut patient = Patient::well();
    patient.program.take().unwrap().stop();
    let database = patient.home.database();
    let whole = std::fs::read(&database).unwrap();
    std::fs::write(patient.home.path().join("rollcall.db.verify"), "").unwrap();
    patient.has("database", "warning", "a sync failed");
    std::fs::remove_file(patient.home.path().join("rollcall.db.verify")).unwrap();
    let known: i64 = patient.home.find("PRAGMA user_version");
    patient.home.sql().pragma_update(None, "user_version", known + 1).unwrap();
    patient.has("database", "wrong", "newer program");
    patient.home.sql().pragma_update(None, "application_id", 77).unwrap();
    patient.has("database", "wrong", "not a rollcall database");
    for suffix in ["-wal", "-shm"] {
        _ = std::fs::remove_file(patient.home.path().join(format!("rollcall.db{suffix}")));
    }
    std::fs::write(&database, "A letter to somebody.\n".repeat(400)).unwrap();
    patient.has("database", "wrong", "is damaged");
    std::fs::remove_file(&database).unwrap();
    patient.has("database", "wrong", "does not exist");
    std::fs::write(&database, &whole).unwrap();
    mode(&database, 0o600);
    let (found, _) = patient.examine();
    let database = found.iter().find(|finding| finding["check"] == "database").unwrap();
    assert_eq!(database["state"], "fine", "{database}");
}

#[test]
fn a_clock_that_is_wrong_and_events_that_stopped_are_found() {
    let patient = Patient::well();
    let sql = patient.home.sql();
    let set = |what: &str| sql.execute_batch(&format!("UPDATE journal SET {what}")).unwrap();
    let received: i64 = patient.home.find("SELECT received FROM journal");
    set("received = received + 3600000");
    patient.has("clock", "wrong", "the clock was set back");
    set(&format!("received = {received}, event_time = ({received} + 3600000) * 1000"));
    patient.has("clock", "wrong", "this clock is slow");
    set(&format!("received = {received} - 3 * 86400000, event_time = NULL"));
    patient.has("last event", "warning", "app one: 3 d 0 h ago");
    sql.execute_batch("UPDATE clock SET time = 4102444800000000").unwrap();
    patient.has("clock", "wrong", "the clock was set back");
    sql.execute_batch("UPDATE clock SET time = 0; DELETE FROM journal").unwrap();
    patient.has("last event", "warning", "app one: none yet");
}

#[test]
fn backups_that_stopped_or_never_were_are_found() {
    let mut patient = Patient::well();
    // Or it makes another one at once.
    patient.program.take().unwrap().stop();
    let kept = patient.home.path().join("kept");
    let newest = std::fs::read_dir(&kept).unwrap().next().unwrap().unwrap().path();
    let old = newest.with_file_name("rollcall-2020-01-01T00-00-00.000Z.db");
    std::fs::rename(&newest, &old).unwrap();
    patient.has("last backup", "wrong", "was made");
    std::fs::remove_file(&old).unwrap();
    patient.has("last backup", "wrong", "kept has none");
    patient.set("backup.folder=");
    patient.has("last backup", "warning", "the service makes none");
}

#[test]
fn listeners_that_do_not_answer_or_belong_to_another_program_are_found() {
    let mut patient = Patient::well();
    let program = patient.program.take().unwrap();
    let (listen, admin) = (program.listen, program.admin);
    // Each where the other should be.
    patient.set(&format!("server.listen={admin}"));
    patient.set(&format!("server.admin_listen={listen}"));
    patient.has("listen", "wrong", "answers 404 to GET /webhooks");
    patient.has("admin listen", "wrong", "answers 404 to GET /readyz");
    program.stop();
    patient.has("listen", "wrong", "takes no connection");
    patient.has("admin listen", "wrong", "takes no connection");
    patient.set("server.listen=127.0.0.1:0");
    patient.has("listen", "warning", "port 0");
}

#[test]
fn a_folder_that_others_may_write_is_found() {
    let patient = Patient::well();
    let folder = patient.home.path().to_owned();
    for wide in [0o777, 0o702, 0o1777] {
        mode(&folder, wide);
        patient.has("file rights", "wrong", "is writable by all users");
    }
    mode(&folder, 0o755);
    assert_eq!(patient.examine().1, Some(0));
}

#[test]
fn an_app_that_is_silent_is_found_however_busy_our_own_api_is() {
    let mut patient = Patient::well();
    let sql = patient.home.sql();
    let old = jiff::Timestamp::now().as_millisecond() - 2 * 3_600_000;
    sql.execute("UPDATE journal SET received = ?1", [old]).unwrap();
    patient.has_fine("last event", "app one: 2 h 0 min ago");
    patient.set("ingest.silent_after=1h");
    patient.has("last event", "wrong", "app one: 2 h 0 min ago, and silent_after is 1 h 0 min");
    let copy =
        "INSERT INTO journal SELECT seq + 1, app, 'api', received + 7000000, event_time, trigger, outcome,
                    digest, users, body, place FROM journal";
    sql.execute_batch(copy).unwrap();
    patient.has("last event", "wrong", "app one: 2 h 0 min ago");
}

#[test]
fn pending_work_in_the_database_is_reported() {
    let patient = Patient::well();
    patient.has_fine("quarantine", "is empty");
    patient.has_fine("feed", "app one: 1 change, all kept");
    patient.has_fine("erasures", "all are complete");
    let program = patient.program.as_ref().unwrap();
    assert_eq!(program.request("POST", "/webhooks", &[("x-api-key", "first")], b"{").status, 200);
    patient.has("quarantine", "warning", "1 body, the newest received");
    let sql = patient.home.sql();
    let work = r#"{"ids":[],"needles":{"names":[],"reached":[],"fields":[],"kin":[]},"stage":"Base"}"#;
    // Of an app that the worker does not know, so that it stays.
    sql.execute("INSERT INTO receipts (seq, app, time, counts, work) VALUES (99, 'x', 0, '?', ?1)", [work])
        .unwrap();
    patient.has("erasures", "warning", "is not complete");
    sql.execute_batch("DELETE FROM receipts; UPDATE feeds SET seq = 9; UPDATE changes SET seq = 9").unwrap();
    patient.has_fine("feed", "app one: 9 changes, kept from 9 on");
}

#[test]
fn bytes_are_shown_in_readable_units() {
    let patient = Patient::well();
    let (found, _) = patient.examine();
    for check in ["disk space", "last backup"] {
        let finding = found.iter().find(|finding| finding["check"] == check).unwrap();
        let said = finding["said"].as_str().unwrap();
        let has_unit = ["B left", "KiB", "MiB", "GiB", "TiB"].iter().any(|unit| said.contains(unit));
        assert!(has_unit && !said.contains("bytes"), "{said}");
    }
}

#[test]
fn a_backup_that_is_none_is_found() {
    let mut patient = Patient::well();
    patient.program.take().unwrap().stop();
    std::fs::write(patient.home.path().join("kept/rollcall-2099-01-01T00-00-00.000Z.db"), "").unwrap();
    patient.has("last backup", "wrong", "is no database of rollcall");
}

#[test]
fn another_web_server_is_not_mistaken_for_ours() {
    let mut patient = Patient::well();
    patient.set(&format!("server.listen={}", stranger()));
    patient.set(&format!("server.admin_listen={}", stranger()));
    patient.has("listen", "wrong", "answers, but not as rollcall does");
    patient.has("admin listen", "wrong", "answers, but not as rollcall does");
}

/// A web server that gives the same page to all requests.
fn stranger() -> std::net::SocketAddr {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            _ = stream.read(&mut [0; 4096]);
            let page = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 15\r\n\r\n<h1>Hello</h1>\n";
            _ = stream.write_all(page.as_bytes());
        }
    });
    at
}
