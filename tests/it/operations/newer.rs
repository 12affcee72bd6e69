//! Databases of another version: every command, as the command line itself lists them, refuses a newer one, and
//! reports the steps that an older one needs.

use std::collections::BTreeSet;

use crate::operator_commands::{Ran, messages, run_alone};
use crate::support::Home;

/// The arguments with which each command would open the database of the settings, and its exit code if that is newer;
/// `None` for commands that open no database. A missing command fails the test.
const COMMANDS: [(&str, &[&str], Option<i32>); 25] = [
    ("serve", &[], Some(1)),
    ("replay", &["payload.json"], None),
    ("erase", &["somebody"], Some(1)),
    ("token", &[], None),
    ("check-config", &[], None),
    ("backup", &["copy.db"], Some(1)),
    ("restore", &["--to", "restored.db", "rollcall.db"], Some(1)),
    ("verify", &[], Some(1)),
    ("doctor", &[], Some(1)),
    ("check-health", &[], None),
    ("console", &[], Some(1)),
    ("completions", &["bash"], None),
    ("man", &[], None),
    ("journal list", &[], Some(1)),
    ("journal show", &["1"], Some(1)),
    ("journal replay", &[".."], Some(1)),
    ("quarantine list", &[], Some(1)),
    ("quarantine show", &["1"], Some(1)),
    ("quarantine redrive", &["1"], Some(1)),
    ("quarantine drop", &["1"], Some(1)),
    ("audit list", &[], Some(1)),
    ("tail", &["--count", "1"], Some(1)),
    ("export", &[], Some(1)),
    ("import", &["people.ndjson"], Some(1)),
    ("rebuild", &["--verify"], Some(1)),
];

/// The subcommands that a command lists in its help.
fn listed(home: &Home, command: &[&str]) -> Vec<String> {
    let help = run_help(home, command);
    let list = help.split_once("\nCommands:\n").map_or("", |(_, list)| list);
    let list = list.split("\n\n").next().unwrap_or_default();
    let names = list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

fn run_help(home: &Home, command: &[&str]) -> String {
    let output = home.command(&[command, &["-h"]].concat()).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Every command that does something, with the one it belongs to before it.
pub(super) fn every_command(home: &Home) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for name in listed(home, &[]) {
        let below = listed(home, &[&name]);
        if below.is_empty() {
            found.insert(name);
        } else {
            found.extend(below.iter().map(|sub| format!("{name} {sub}")));
        }
    }
    found
}

fn with_schema(version: i64) -> Home {
    let home = Home::new();
    let program = home.start();
    messages(&program, &["somebody"]);
    program.stop();
    home.sql().pragma_update(None, "user_version", version).unwrap();
    std::fs::write(home.path().join("payload.json"), "{}").unwrap();
    std::fs::write(home.path().join("people.ndjson"), "{\"_id\":\"x\"}\n").unwrap();
    home
}

fn call(home: &Home, name: &str, args: &[&str]) -> Ran {
    let words: Vec<&str> = name.split(' ').chain(args.iter().copied()).collect();
    if name == "serve" {
        let ports = ["--set", "server.listen=127.0.0.1:0", "--set", "server.admin_listen=127.0.0.1:0"];
        return home.command(&[&words[..], &ports].concat()).output().unwrap().into();
    }
    run_alone(home, &words)
}

#[test]
pub(super) fn every_command_that_opens_a_database_refuses_one_that_is_newer_than_it_knows() {
    let home = with_schema(99);
    let table: BTreeSet<String> = COMMANDS.iter().map(|(name, ..)| (*name).to_owned()).collect();
    assert_eq!(every_command(&home), table, "the table above names every command");
    let before = std::fs::read(home.database()).unwrap();
    for (name, args, code) in COMMANDS {
        let Some(code) = code else { continue };
        let ran = call(&home, name, args);
        assert_eq!(ran.code, Some(code), "{name}: {ran:?}");
        let said = format!("{}{}", ran.out, ran.err);
        assert!(said.contains("schema 99") && said.contains("newer program"), "{name} says why: {ran:?}");
        assert!(!ran.out.contains("somebody") && !ran.out.contains("is what the journal"), "{name}: {ran:?}");
    }
    for more in [&["rebuild"][..], &["export", "--format", "csv"], &["export", "--user", "somebody"]] {
        let ran = run_alone(&home, more);
        assert!(ran.code == Some(1) && ran.err.contains("schema 99"), "{more:?}: {ran:?}");
    }
    assert!(std::fs::read(home.database()).unwrap() == before, "nothing was changed");
    for made in ["copy.db", "restored.db", "copy.db.partial", "rollcall.db.rebuild"] {
        assert!(!home.path().join(made).exists(), "{made}");
    }
}

#[test]
fn every_command_reports_the_steps_that_an_older_database_needs() {
    for name in
        ["journal list", "journal show", "journal replay", "quarantine list", "tail", "export", "rebuild"]
    {
        let home = with_schema(3);
        let (_, args, _) = COMMANDS.iter().find(|(known, ..)| *known == name).unwrap();
        let ran = call(&home, name, args);
        assert_eq!(ran.code, Some(1), "{name}: {ran:?}");
        assert!(
            ran.err.contains("schema 3") && ran.err.contains("start the service once"),
            "{name}: {ran:?}"
        );
        assert_eq!(home.find::<i64>("PRAGMA user_version"), 3, "{name} changes nothing");
    }
    // These can use it unchanged, and report the consequences.
    let home = with_schema(3);
    for args in [&["verify"][..], &["backup", "copy.db"], &["doctor"]] {
        let ran = run_alone(&home, args);
        assert!(ran.out.contains("schema 3"), "{args:?}: {ran:?}");
    }
}

#[test]
fn a_foreign_database_is_refused_as_such() {
    let home = Home::new();
    home.sql().execute_batch("CREATE TABLE notes (a); INSERT INTO notes VALUES (1)").unwrap();
    std::fs::write(home.path().join("people.ndjson"), "{\"_id\":\"x\"}\n").unwrap();
    for name in ["journal list", "quarantine list", "tail", "export", "rebuild", "verify", "backup"] {
        let (_, args, _) = COMMANDS.iter().find(|(known, ..)| *known == name).unwrap();
        let ran = call(&home, name, args);
        assert_eq!(ran.code, Some(1), "{name}: {ran:?}");
        assert!(ran.err.contains("is not a rollcall database"), "{name}: {ran:?}");
    }
}
