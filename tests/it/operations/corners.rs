//! Corner cases of the command line: an output too small for anything, a file of the wrong kind, a name without an
//! app user, and another program in the place of the service.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::thread;

use super::newer::every_command;
use crate::operator_commands::{Ran, command, messages, run, run_alone};
use crate::support::{APP, Home, Program, first_message, until};

const PERSON: &str = "{\"_id\":\"x\"}\n";

/// A service with something of everything, and files to give to commands.
fn scene() -> (Home, Program) {
    let home = Home::new();
    let program = home.start();
    messages(&program, &["somebody", "else"]);
    for body in ["odd", "odder"] {
        assert_eq!(program.webhook(body).status, 200);
    }
    fs::write(home.path().join("people.ndjson"), PERSON).unwrap();
    fs::write(home.path().join("payload.json"), first_message("third", 1.0)).unwrap();
    assert_eq!(run(&home, &program, &["backup", "backup.db"]).code, Some(0));
    (home, program)
}

/// Every command that prints something, with its arguments.
const PRINTING: [(&str, &[&str]); 31] = [
    ("replay", &["payload.json"]),
    ("replay", &["--json", "payload.json"]),
    ("token", &[]),
    ("check-config", &[]),
    ("backup", &["copy.db"]),
    ("restore", &["--to", "restored.db", "backup.db"]),
    ("verify", &[]),
    ("doctor", &[]),
    ("doctor", &["--json"]),
    ("check-health", &[]),
    ("console", &[]),
    ("completions", &["bash"]),
    ("completions", &["zsh"]),
    ("man", &[]),
    ("journal list", &[]),
    ("journal list", &["--json"]),
    ("journal show", &["1"]),
    ("journal show", &["1", "--body"]),
    ("journal replay", &[".."]),
    ("quarantine list", &[]),
    ("quarantine show", &["1"]),
    ("quarantine redrive", &["1"]),
    ("quarantine drop", &["2"]),
    ("audit list", &[]),
    ("tail", &["--since", "1", "--count", "1"]),
    ("export", &[]),
    ("export", &["--format", "csv"]),
    ("export", &["--user", "somebody"]),
    ("import", &["people.ndjson"]),
    ("rebuild", &["--verify"]),
    ("erase", &["else"]),
];

#[test]
fn an_output_that_takes_nothing_is_74_in_every_command() {
    let (home, program) = scene();
    let mut table: BTreeSet<String> = PRINTING.iter().map(|(name, _)| (*name).to_owned()).collect();
    table.insert("serve".to_owned());
    assert_eq!(every_command(&home), table, "the table above names every command");
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let help: [&[&str]; 7] = [
        &["--help"],
        &["-h"],
        &["help"],
        &["--version"],
        &["help", "journal"],
        &["journal", "list", "--help"],
        &["export", "-h"],
    ];
    let calls = PRINTING.iter().map(|(name, args)| name.split(' ').chain(args.iter().copied()).collect());
    for words in calls.chain(help.iter().map(|words| words.to_vec())) {
        let words: Vec<&str> = words;
        let is_help = help.contains(&&*words);
        let mut line = if is_help { home.command(&words) } else { command(&home, &program, &words) };
        let ran = Ran::from(line.stdout(full()).output().unwrap());
        assert_eq!(ran.code, Some(74), "{words:?}: {ran:?}");
        assert!(ran.err.contains("os error 28"), "{words:?}: {ran:?}");
    }
}

#[test]
fn a_wrong_command_line_is_2() {
    let (home, program) = scene();
    for args in [
        &["token", "--key", "nobody"][..],
        &["token", "--user-id", "bob"],
        &["token", "--scope", "appUser", "--user-id", ""],
        &["token", "--app", "nobody"],
        &["replay", "-", "-"],
        &["replay", "--repeat", "2", "-"],
        &["replay", "--sign", "nothing", "payload.json"],
        &["import", "-", "-"],
        &["import", "--app", "nobody", "people.ndjson"],
        &["import", "--app", "nobody", "nowhere.ndjson"],
        &["import", "--app", "nobody", "/dev/null"],
        &["import", "--dry-run", "--app", "nobody", "nowhere.ndjson"],
        &["export", "--app", "nobody"],
        &["export", "--filter", "colour=red"],
        &["journal", "list", "--app", "nobody"],
        &["journal", "list", "--since", "5", "--until", "1"],
        &["journal", "list", "--since", "sometime"],
        &["journal", "list", "--since", ""],
        &["journal", "list", "--since=-1"],
        &["journal", "list", "--since", "2026-03-01T08:00:00"],
        &["journal", "list", "--since", "1500000010500000"],
        &["journal", "replay", ".."],
        &["tail", "--app", "nobody"],
        &["tail", "--count", "0"],
        &["tail", "--brand", "b"],
        &["quarantine", "list", "--app", "nobody"],
        &["quarantine", "redrive"],
        &["quarantine", "drop", "--all", "1"],
        &["erase", "--app", "nobody", "bob"],
        &["erase", "--brand", "", "bob"],
        &["--set", "server.listen", "verify"],
    ] {
        let home = if args == ["journal", "replay", ".."] { &Home::new() } else { &home };
        let ran = if args[0] == "journal" && args[1] == "replay" {
            let mut line = home.command(&["--set", "server.listen=127.0.0.1:0", "journal", "replay"]);
            Ran::from(line.output().unwrap())
        } else {
            run(home, &program, args)
        };
        assert_eq!(ran.code, Some(2), "{args:?}: {ran:?}");
        assert!(!ran.err.is_empty() && ran.out.is_empty(), "{args:?}: {ran:?}");
    }
    for args in [&["replay", "payload.json"][..], &["check-health"], &["import", "people.ndjson"]] {
        let any = ["--set", "server.listen=127.0.0.1:0", "--set", "server.admin_listen=127.0.0.1:0"];
        let ran = Ran::from(home.command(&[args, &any].concat()).output().unwrap());
        assert_eq!(ran.code, Some(2), "{args:?}: {ran:?}");
        assert!(ran.err.contains("port 0"), "{args:?}: {ran:?}");
    }
}

fn fifo(home: &Home, name: &str) {
    let path = home.path().join(name);
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
}

#[test]
fn an_import_reads_all_readable_lines_and_names_the_others() {
    let (home, program) = scene();
    fs::create_dir(home.path().join("folder")).unwrap();
    drop(UnixListener::bind(home.path().join("socket")).unwrap());
    for (file, said) in [
        ("folder", "folder: is a folder"),
        ("socket", "socket: is no file"),
        ("nowhere.ndjson", "nowhere.ndjson: "),
    ] {
        for more in [&[][..], &["--dry-run"]] {
            let ran = run(&home, &program, &[&["import", file], more].concat());
            assert_eq!(ran.code, Some(74), "{file}: {ran:?}");
            assert!(ran.err.contains(said), "{file}: {ran:?}");
        }
    }
    fifo(&home, "pipe.ndjson");
    for (command_line, done) in [
        (&["import", "pipe.ndjson"][..], "imported 1 "),
        (&["import", "--dry-run", "pipe.ndjson"], "1 lines could be imported"),
    ] {
        let child = command(&home, &program, command_line);
        let (mut child, path) = (child, home.path().join("pipe.ndjson"));
        let child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        fs::write(&path, "{\"_id\":\"by-pipe\"}\n").unwrap();
        let ran = Ran::from(child.wait_with_output().unwrap()).well();
        assert!(ran.out.contains(done), "{ran:?}");
    }
    fifo(&home, "pipe.jsonl");
    let mut child = command(&home, &program, &["replay", "pipe.jsonl"]);
    let child = child.stdout(Stdio::piped()).spawn().unwrap();
    fs::write(home.path().join("pipe.jsonl"), first_message("piped", 1.0)).unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap()).well();
    assert!(ran.out.starts_with("sent 1 "), "{ran:?}");
    assert_eq!(run(&home, &program, &["replay", "--repeat", "2", "pipe.jsonl"]).code, Some(2));
}

#[test]
fn where_there_is_nothing_to_send_or_to_import_that_is_the_error() {
    let (home, program) = scene();
    fs::write(home.path().join("empty.jsonl"), "").unwrap();
    fs::write(home.path().join("blank.jsonl"), "\n \r\n").unwrap();
    fs::write(home.path().join("header.csv"), "_id,givenName\n\n").unwrap();
    for (command_line, said) in [
        (&["replay", "-"][..], "nothing was sent: there is no payload in stdin"),
        (&["replay", "--json", "empty.jsonl"], "nothing was sent: there is no payload in empty.jsonl"),
        (
            &["replay", "--repeat", "2", "empty.jsonl", "blank.jsonl"],
            "no payload in empty.jsonl, blank.jsonl",
        ),
        (&["import", "-"], "nothing was imported: there is nothing to import in stdin"),
        (&["import", "--format", "csv", "-"], "there is nothing to import in stdin"),
        (&["import", "/dev/null"], "there is nothing to import in /dev/null"),
        (&["import", "blank.jsonl", "header.csv"], "there is nothing to import in blank.jsonl, header.csv"),
        (&["import", "--json", "--dry-run", "header.csv"], "there is nothing to import in header.csv"),
        (&["journal", "replay", "4711..4712"], "no entry matches"),
    ] {
        let ran = run(&home, &program, command_line);
        assert_eq!(ran.code, Some(1), "{command_line:?}: {ran:?}");
        assert!(ran.err.contains(said) && ran.out.is_empty(), "{command_line:?}: {ran:?}");
    }
}

#[test]
fn a_backup_replaces_no_empty_file_and_no_pipe() {
    let (home, program) = scene();
    fs::write(home.path().join("empty"), "").unwrap();
    for more in [&["--overwrite"][..], &[]] {
        let ran = run(&home, &program, &[&["backup", "empty"], more].concat());
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert_eq!(fs::read(home.path().join("empty")).unwrap(), b"", "{ran:?}");
        let ran = run(&home, &program, &[&["backup", "/dev/stdout"], more].concat());
        assert_eq!(ran.code, Some(74), "{ran:?}");
        assert!(ran.err.contains("/dev/stdout: leads to a pipe") && ran.out.is_empty(), "{ran:?}");
    }
    run(&home, &program, &["backup", "--overwrite", "backup.db"]).well();
}

#[test]
fn a_restore_replaces_a_database_of_a_newer_program_and_keeps_it_aside() {
    let (home, program) = scene();
    program.stop();
    home.sql().pragma_update(None, "user_version", 99).unwrap();
    let ran = run_alone(&home, &["restore", "--replace", "backup.db"]).well();
    let aside = ran.out.lines().find_map(|line| line.strip_prefix("the database it replaced is ")).unwrap();
    let aside = rusqlite::Connection::open(home.path().join(aside)).unwrap();
    assert_eq!(aside.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0)), Ok(99));
    drop(aside);
    assert!(home.start().app_user("somebody").status == 200);
}

#[test]
fn settings_without_apps_beside_a_database_of_others_are_wrong_as_they_are_for_the_service() {
    let mut home = Home::with("[[apps]]\nid = \"mine\"\nwebhook_secrets = [\"a secret, long enough\"]\n");
    assert_eq!(run_alone(&home, &["check-config"]).code, Some(0), "there is no database yet");
    let program = home.start();
    let body = first_message("bob", 1.0).replace(APP, "mine");
    assert_eq!(
        program
            .request("POST", "/webhooks", &[("x-api-key", "a secret, long enough")], body.as_bytes())
            .status,
        200
    );
    assert_eq!(run_alone(&home, &["check-config"]).code, Some(0));
    home.settings.clear();
    let before = program.stop();
    drop(before);
    let checked = run_alone(&home, &["check-config"]);
    assert_eq!(checked.code, Some(78), "{checked:?}");
    assert!(checked.err.contains("of the apps mine") && checked.out.is_empty(), "{checked:?}");
    let Err((status, said)) = home.try_start() else { panic!("the service starts") };
    assert_eq!(status.code(), Some(78));
    assert!(said.contains("of the apps mine"), "{said}");
    fs::write(home.database(), "no database at all").unwrap();
    assert_eq!(run_alone(&home, &["check-config"]).code, Some(0), "that is not for the settings to say");
}

#[test]
fn a_tail_of_an_unknown_user_reports_it() {
    let (home, program) = scene();
    let ran = run(&home, &program, &["tail", "--user", "nosuch", "--until", "1"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{ran:?}");
    assert!(ran.err.contains("no app user with that _id or userId"), "{ran:?}");
    run(&home, &program, &["tail", "--user", "somebody", "--since", "1", "--until", "1"]).well();
    // The request may come this early.
    let mut waits = command(&home, &program, &["tail", "--user", "late", "--count", "1"]);
    let mut waits = waits.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(waits.stderr.take().unwrap()).read_line(&mut said).unwrap();
    assert!(said.contains("no app user with that _id or userId; waiting"), "{said}");
    messages(&program, &["late"]);
    let ran = Ran::from(waits.wait_with_output().unwrap()).well();
    assert!(ran.out.contains("late"), "{ran:?}");
}

/// Another HTTP server, which answers everything with this.
fn foreign(status: &'static str, body: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if stream.read(&mut byte).unwrap_or(0) == 0 {
                    break;
                }
                head.push(byte[0]);
            }
            let length = body.len();
            let answer =
                format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    at
}

#[test]
fn another_program_where_the_service_should_be_is_no_service() {
    let (home, program) = scene();
    let page = "<html><body>A page of somebody</body></html>";
    for (status, body) in [
        ("200 OK", page),
        ("200 OK", "{}"),
        ("200 OK", "[]"),
        ("200 OK", "{\"status\":\"ok\"}"),
        ("404 Not Found", page),
        ("404 Not Found", "{\"message\":\"no\"}"),
        ("401 Unauthorized", ""),
        ("301 Moved Permanently", page),
        ("500 Internal Server Error", page),
    ] {
        let at = foreign(status, body);
        let admin = format!("server.admin_listen={at}");
        let listen = format!("server.listen={at}");
        let elsewhere = format!("server.admin_listen={}", program.admin);
        let to = format!("http://{at}");
        for args in [
            &["check-health"][..],
            &["quarantine", "redrive", "--all"],
            &["quarantine", "redrive", "1"],
            &["quarantine", "drop", "1"],
            &["import", "people.ndjson"],
            &["import", "--to", &to, "people.ndjson"],
            &["rebuild"],
            &["erase", "--to", &to, "somebody"],
            &["erase", "somebody"],
        ] {
            // The answer for a deleted body has no other content.
            if args[1..].first() == Some(&"drop") && body == "{}" {
                continue;
            }
            let places = if args[0] == "erase" {
                ["--set", &listen, "--set", &elsewhere]
            } else {
                ["--set", &admin, "--set", "log.level=info"]
            };
            let ran = Ran::from(home.command(&[args, &places].concat()).output().unwrap());
            assert_eq!(ran.code, Some(69), "{status} {body} {args:?}: {ran:?}");
            assert!(!ran.err.contains("html") && ran.out.is_empty(), "{status} {body} {args:?}: {ran:?}");
        }
    }
    assert_eq!(home.rows("quarantine"), 2);
    until("the service is still whole", || program.app_user("somebody").status == 200);
}
