//! SIGHUP with a file that was emptied, truncated or removed: the settings in force stay, and the log reports it.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use crate::storage_faults::strace;
use crate::support::{APP, Home, KEY_SECRET, Program, SECRET, first_message, installed, require, until};

const APPLIED: &str = "rollcall_reloads_total{outcome=\"applied\"}";
const REFUSED: &str = "rollcall_reloads_total{outcome=\"refused\"}";

fn own(id: &str) -> String {
    format!("[server]\nidle_timeout = \"50s\"\n[[apps]]\nid = \"{id}\"\nwebhook_secrets = [\"first\"]\n")
}

/// A file that is completely written.
fn write(path: &Path, text: impl AsRef<[u8]>) {
    fs::write(path, text).unwrap();
    let before = SystemTime::now() - Duration::from_secs(60);
    File::options().write(true).open(path).unwrap().set_modified(before).unwrap();
}

fn post(program: &Program, app: &str, secret: &str) -> u16 {
    let body = first_message("user-1", 1_600_000_000.0).replace(APP, app);
    program.request("POST", "/webhooks", &[("x-api-key", secret)], body.as_bytes()).status
}

/// The service on every address of this machine, with its settings in a file that is named.
fn everywhere(home: &mut Home, text: &str) -> Program {
    write(&home.path().join("mine.toml"), text);
    let args =
        ["--config", "mine.toml", "--set", "server.admin_listen=127.0.0.1:0", "--set", "log.level=debug"];
    home.start_with(&args, "\"ready on ").unwrap_or_else(|(_, log)| panic!("{log}"))
}

/// Reloads, and gives whether that was applied.
fn reload(program: &Program) -> bool {
    let before = (program.metric(APPLIED), program.metric(REFUSED));
    program.signal("HUP");
    until("the reload is counted", || (program.metric(APPLIED), program.metric(REFUSED)) != before);
    program.metric(APPLIED) > before.0
}

#[test]
fn settings_that_a_start_would_refuse_change_nothing() {
    let listen = "[server]\nlisten = \"0.0.0.0:0\"\n";
    let own = format!("{listen}[[apps]]\nid = \"one\"\nwebhook_secrets = [\"first\"]\n");
    let secret = |app: &str| format!("[[apps]]\nid = \"{app}\"\nwebhook_secrets = [\"first\"]\n");
    let key = "keys = [{ id = \"k\", secret = \"demo-key-secret-change-me\" }]";
    let mut home = Home::new();
    let program = everywhere(&mut home, &own);
    let file = home.path().join("mine.toml");
    for (what, text, says) in [
        ("empty", String::new(), "mine.toml: is empty"),
        ("blank", " \n\n".to_owned(), "mine.toml: is empty"),
        ("comments only", "# The settings\n# of rollcall\n".to_owned(), "no longer sets any key"),
        ("cut off before the apps", listen.to_owned(), "which would put the demo in force"),
        ("cut off in a name", own[..own.len() - 20].to_owned(), "mine.toml:"),
        ("not TOML", "\u{0}\u{0}\u{0}".to_owned(), "mine.toml:"),
        ("another app", secret("other"), "has none of the apps in force (one)"),
        (
            "a demo secret, on loopback as it seems",
            secret("one").replace("first", SECRET),
            "listens on 0.0.0.0",
        ),
        ("a demo key, on loopback as it seems", secret("one") + key, "apps.0.keys.0.secret: is the demo's"),
        ("a demo key for all apps", format!("account_{key}\n{}", secret("one")), "account_keys.0.secret"),
        ("a value out of range", format!("{own}[limits]\njson_depth = 0\n"), "limits.json_depth"),
    ] {
        write(&file, &text);
        assert!(!reload(&program), "{what}");
        let line = program.wait_for_log(says);
        assert!(line.contains("\"ERROR\"") && line.contains("SIGHUP"), "{what}: {line}");
        assert!(!line.contains(KEY_SECRET), "{what}: {line}");
        assert_eq!((post(&program, "one", "first"), post(&program, APP, SECRET)), (200, 401), "{what}");
    }
    fs::write(&file, [0xff, 0xfe]).unwrap();
    assert!(!reload(&program), "not UTF-8");
    fs::remove_file(&file).unwrap();
    assert!(!reload(&program), "missing");
    program.wait_for_log("mine.toml: cannot be read");
    fs::create_dir(&file).unwrap();
    assert!(!reload(&program), "a folder");
    fs::remove_dir(&file).unwrap();
    assert_eq!(post(&program, "one", "first"), 200);
    write(&file, own.replace("\"first\"", "\"first\", \"second\""));
    assert!(reload(&program), "and whole again");
    assert_eq!((post(&program, "one", "first"), post(&program, "one", "second")), (200, 200));
    assert!(program.log().matches("the previous settings stay in force").count() >= 14);
    program.stop();
}

/// The app has the id of the demo, so only its secrets differ.
#[test]
fn cut_off_anywhere_a_file_never_turns_a_sender_away() {
    for app in ["one", APP] {
        let mut home = Home::with(&own(app));
        let program = home.start();
        let text = own(app);
        for end in 0..text.len() {
            write(&home.path().join("config.toml"), &text[..end]);
            let applied = reload(&program);
            assert_eq!(post(&program, app, "first"), 200, "{app}, {end} bytes, applied: {applied}");
        }
        fs::remove_file(home.path().join("config.toml")).unwrap();
        assert!(!reload(&program), "gone");
        assert_eq!(post(&program, app, "first"), 200);
        home.settings = text;
        program.stop();
    }
}

#[test]
fn a_secret_whose_file_was_emptied_stays_in_force() {
    let mut home = Home::new();
    let (secret, token) = (home.path().join("secret"), home.path().join("token"));
    write(&secret, "first\n");
    write(&token, "token\n");
    for (key, value) in [
        ("ID", "one"),
        ("WEBHOOK_SECRETS__0_FILE", secret.to_str().unwrap()),
        ("APP_TOKEN_FILE", token.to_str().unwrap()),
    ] {
        home.env.push((format!("ROLLCALL__APPS__0__{key}"), value.to_owned()));
    }
    let program = home.start();
    let init = |program: &Program| {
        let headers = [("app-token", "token"), ("content-type", "application/json")];
        let body = br#"{"device":{"id":"d","platform":"web"}}"#;
        program.request("POST", "/v1/init", &headers, body).status
    };
    for (file, name) in [(&secret, "WEBHOOK_SECRETS__0_FILE"), (&token, "APP_TOKEN_FILE")] {
        for text in ["", "\n", "  \n"] {
            let before = fs::read(file).unwrap();
            write(file, text);
            assert!(!reload(&program), "{name}: {text:?}");
            program.wait_for_log(&format!("{name}: its file is empty"));
            assert_eq!((post(&program, "one", "first"), init(&program)), (200, 200), "{name}");
            write(file, before);
        }
    }
    write(&secret, "second\n");
    assert!(reload(&program));
    assert_eq!((post(&program, "one", "first"), post(&program, "one", "second")), (401, 200));
    program.stop();
    // The same at a start.
    write(&token, "");
    let (status, log) = home.try_start().map(|_| ()).unwrap_err();
    assert_eq!(status.code(), Some(78), "{log}");
}

#[test]
fn a_file_that_is_being_written_is_read_once_it_is_complete() {
    let mut home = Home::with(&own("one"));
    let program = home.start();
    let mut file = File::create(home.path().join("config.toml")).unwrap();
    file.write_all(own("one").as_bytes()).unwrap();
    program.signal("HUP");
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(400) {
        file.write_all(b"#\n").unwrap();
        file.sync_all().unwrap();
    }
    file.write_all(
        own("two").replace("[server]\nidle_timeout = \"50s\"", "").replace("first", "other").as_bytes(),
    )
    .unwrap();
    drop(file);
    until("it was read", || program.metric(APPLIED) == 1.0);
    assert_eq!((post(&program, "one", "first"), post(&program, "two", "other")), (200, 200));
    // One removed app of several is reported.
    home.settings = own("one");
    home.command(&["check-config"]).output().unwrap();
    assert!(reload(&program));
    program.wait_for_log("app two was removed from the settings");
    program.stop();
}

#[test]
fn a_reload_asked_for_during_the_start_is_done_after_it() {
    require!(installed("strace"));
    let mut home = Home::with(&own("one"));
    home.wrapper = strace(&home, "fsync,fdatasync", "fsync,fdatasync:delay_enter=1500000:when=1", &[]);
    let program = home.start_until("\"starting on ").map_err(|(_, log)| log).unwrap();
    write(&home.path().join("config.toml"), own("one").replace("\"first\"", "\"first\", \"second\""));
    program.signal("HUP");
    program.wait_for_log("\"ready on ");
    until("it is done", || program.metric(APPLIED) == 1.0);
    assert_eq!(post(&program, "one", "second"), 200);
    program.stop();
}

#[test]
fn a_named_file_that_is_empty_is_no_reason_to_run_the_demo() {
    let home = Home::new();
    write(&home.path().join("mine.toml"), "");
    for command in ["serve", "check-config", "verify"] {
        let output = home.command(&["--config", "mine.toml", command]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(78), "{command}: {said}");
        assert!(said.contains("mine.toml: is empty"), "{command}: {said}");
    }
    // A path that is not a regular file may be empty.
    let output = home.command(&["--config", "/dev/null", "check-config"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
}

/// A file truncated before its apps would enable the demo, and every sender would get a permanent 401.
#[test]
fn a_start_without_the_apps_of_the_database_is_refused() {
    let mut home = Home::with(&own("one"));
    let program = home.start();
    assert_eq!(post(&program, "one", "first"), 200);
    program.stop();
    for cut in ["", "[server]\nidle_timeout = \"50s\"\n"] {
        home.settings = cut.to_owned();
        let (status, log) = home.try_start().map(|_| ()).unwrap_err();
        assert_eq!(status.code(), Some(78), "{log}");
        assert!(log.contains("the database is of the apps one"), "{log}");
    }
    // Another app of one's own is added to it, as to any.
    home.settings = own("two");
    assert_eq!(post(&home.start(), "two", "first"), 200);
}
