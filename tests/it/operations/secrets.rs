//! Secrets of the settings: files that hold them, and messages that do not.

use std::io::Write as _;
use std::process::Command;
use std::thread;

use serde_json::json;

use crate::backup::refused;
use crate::operator_commands::run_alone;
use crate::support::{Home, request};

fn pipe(home: &Home, name: &str) -> std::path::PathBuf {
    let path = home.path().join(name);
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

const SECRET: &str = "ROLLCALL__CONSOLE__OPERATORS__0__SECRETS__0_FILE";

/// The settings of an operator whose secret is in a file.
fn with_secret_in(file: &str) -> Home {
    let mut home = Home::with("[[console.operators]]\nname = \"ops\"\nrole = \"viewer\"\n");
    home.env.push((SECRET.to_owned(), file.to_owned()));
    home
}

#[test]
fn a_pipe_gives_a_secret_and_holds_up_nothing_if_nobody_writes_to_it() {
    let home = with_secret_in("pipe");
    let path = pipe(&home, "pipe");
    let writer = thread::spawn(move || {
        let mut pipe = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        pipe.write_all(b"a secret of ").unwrap();
        pipe.write_all(b"sixteen bytes\n").unwrap();
    });
    assert_eq!(refused(&home, &["check-config"]).0, Some(0));
    writer.join().unwrap();
    let (code, said) = refused(&home, &["check-config"]);
    assert_eq!(code, Some(78), "{said}");
    assert!(
        said.contains(&format!("{SECRET}: its file cannot be read: nothing was written to it")),
        "{said}"
    );
    // The settings file itself, which would else be the demo.
    pipe(&home, "settings");
    let (code, said) = refused(&home, &["--config", "settings", "check-config"]);
    assert!(
        code == Some(78) && said.contains("settings: cannot be read: nothing was written to it"),
        "{said}"
    );
}

#[test]
fn whatever_is_no_file_with_a_secret_is_named() {
    for (file, why) in [
        ("folder", "Is a directory"),
        ("nothing", "No such file"),
        ("link", "No such file"),
        ("/dev/zero", "it is larger than 1 MiB"),
        ("bytes", "it is not UTF-8"),
        ("/dev/null", "its file is empty"),
    ] {
        let home = with_secret_in(file);
        std::fs::create_dir(home.path().join("folder")).unwrap();
        std::os::unix::fs::symlink("nowhere", home.path().join("link")).unwrap();
        std::fs::write(home.path().join("bytes"), [0xFF; 32]).unwrap();
        let (code, said) = refused(&home, &["check-config"]);
        assert_eq!(code, Some(78), "{file}: {said}");
        assert!(said.contains(SECRET) && said.contains(why), "{file}: {said}");
    }
}

#[test]
fn a_password_in_an_address_that_is_none_reaches_neither_an_answer_nor_the_log() {
    for line in [
        "[store]\nurl = \"sqlite://ann:hunter2@db.example/rollcall.db\"",
        "[store]\nurl = \"sqlite:///ann:hunter2@db.example/rollcall.db\"",
        "[backup]\nfolder = \"s3://ann:hunter2@bucket/x\"",
        "[backup]\nfolder = \"ann:hunter2@host:/x\"",
        "[store]\nurl = postgres://ann:hunter2@db.example/x",
    ] {
        let home = Home::new();
        let program = home.start();
        let settings = home.path().join("config.toml");
        let before = std::fs::read_to_string(&settings).unwrap();
        std::fs::write(&settings, format!("{before}\n{line}\n")).unwrap();
        let json = [("content-type", "application/json")];
        let answer = request(program.admin, "POST", "/reload", &json, b"{}").unwrap();
        assert_eq!(answer.status, 400, "{line}: {answer:?}");
        let shown = program.admin("/settings");
        assert_ne!(shown.json()["problems"], json!([]), "{line}: {shown:?}");
        let doctor = run_alone(&home, &["doctor"]);
        let check = run_alone(&home, &["check-config"]);
        for said in [answer.text, shown.text, program.log(), doctor.out, doctor.err, check.out, check.err] {
            assert!(!said.contains("hunter2"), "{line}: {said}");
        }
    }
}

#[test]
fn an_argument_that_may_hold_a_secret_is_not_repeated() {
    let home = Home::new();
    for args in [
        &["--set", "store.url:hunter2", "doctor"][..],
        &["doctor", "--set", "hunter2"],
        &["import", "--to", "http://ann:hunter2@host:port", "-"],
        &["replay", "--to", "ann:hunter2@", "-"],
    ] {
        let ran = run_alone(&home, args);
        assert_eq!(ran.code, Some(2), "{args:?}: {ran:?}");
        assert!(!ran.err.contains("hunter2") && ran.err.contains("invalid value for '--"), "{ran:?}");
    }
}
