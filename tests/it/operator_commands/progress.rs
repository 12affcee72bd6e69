//! Progress of long commands: on stderr, in whole numbers, and never between the data.

use std::process::Command;

use super::{messages, run_alone};
use crate::support::{Home, installed, require};

/// The output of a command line on a terminal, as the terminal receives it.
fn on_a_terminal(home: &Home, line: &str) -> String {
    let program = env!("CARGO_BIN_EXE_rollcall");
    let mut command = Command::new("script");
    command.args(["-qec", &line.replace("rollcall", program), "/dev/null"]);
    let output = command.current_dir(home.path()).env("TERM", "xterm").output().unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn home(users: usize) -> Home {
    let home = Home::new();
    let program = home.start();
    let names: Vec<String> = (0..users).map(|n| format!("user {n}")).collect();
    messages(&program, &names.iter().map(String::as_str).collect::<Vec<_>>());
    program.stop();
    home
}

#[test]
fn data_on_a_terminal_is_nothing_but_data() {
    require!(installed("script"));
    let home = home(300);
    let shown = on_a_terminal(&home, "rollcall export");
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines.len(), 300);
    for line in lines {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line:?}");
    }
    let shown = on_a_terminal(&home, "rollcall export --format csv");
    assert!(!shown.contains('\x1b') && shown.lines().count() == 301, "{shown:?}");
    let through = on_a_terminal(&home, "rollcall export | cat > data; cat data");
    assert_eq!(through.lines().filter(|line| line.contains("{\"rollcall\"")).count(), 300, "{through:?}");
    let saved = std::fs::read_to_string(home.path().join("data")).unwrap();
    assert!(saved.lines().count() == 300 && !saved.contains('\x1b'), "data alone went through the pipe");
}

#[test]
fn a_bar_names_its_steps_and_never_counts_beyond_its_end() {
    require!(installed("script"));
    let home = home(300);
    for line in [
        "rollcall verify",
        "rollcall backup --overwrite copy.db",
        "rollcall rebuild --verify",
        "rollcall export -o all",
    ] {
        let shown = on_a_terminal(&home, line);
        for part in shown.split(['\r', '\n']) {
            assert!(!part.contains("/0"), "{line}: {part:?}");
            let rate = part.split(", ").find_map(|part| part.strip_suffix("/s"));
            assert!(rate.is_none_or(|rate| !rate.contains('.')), "{line}: {part:?}");
        }
    }
}

#[test]
fn verify_ends_with_its_verdict_and_an_export_with_its_counts() {
    let home = home(3);
    let ran = run_alone(&home, &["verify"]).well();
    assert_eq!(ran.out.lines().last(), Some("verdict whole"), "{ran:?}");
    let ran = run_alone(&home, &["verify", "--json"]).well();
    assert_eq!(ran.lines()[0]["verdict"], "whole");
    let mut bytes = std::fs::read(home.database()).unwrap();
    for byte in &mut bytes[4096..9000] {
        *byte = 0xaa;
    }
    std::fs::write(home.path().join("broken.db"), bytes).unwrap();
    let ran = run_alone(&home, &["verify", "broken.db"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), "verdict damaged\n"), "{ran:?}");
    let ran = run_alone(&home, &["verify", "nowhere.db"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(74), "verdict unknown\n"), "{ran:?}");
    let ran = run_alone(&home, &["export", "-o", "all.ndjson"]).well();
    let size = std::fs::metadata(home.path().join("all.ndjson")).unwrap().len();
    assert!(ran.out.is_empty() && ran.err.starts_with("exported 3 app users, "), "{ran:?}");
    assert!(size > 0 && ran.err.ends_with(" s to all.ndjson\n"), "{ran:?}");
}

/// Each names the unusable file, in words.
#[test]
fn an_unusable_file_is_named_with_its_fault() {
    let home = home(1);
    std::fs::create_dir(home.path().join("folder")).unwrap();
    std::fs::write(home.path().join("letter"), "Dear Sir").unwrap();
    for (line, names) in [
        ("export -o nowhere/all.ndjson", "nowhere"),
        ("export -o folder", "folder: is a folder"),
        ("backup nowhere/copy.db", "nowhere"),
        ("backup letter/copy.db", "letter"),
        ("restore nowhere.db --replace", "nowhere.db: there is no such file"),
        ("restore folder --replace", "folder"),
        ("verify nowhere.db", "nowhere.db: there is no such file"),
        ("import nowhere.ndjson", "nowhere.ndjson: there is no such file"),
        ("import folder", "folder"),
        ("journal replay .. --dry-run --from 1 --set store.url=sqlite://nowhere.db", "nowhere.db"),
        ("tail --set store.url=sqlite://nowhere.db", "nowhere.db"),
        ("man --to letter/man", "letter"),
        ("--config nowhere.toml check-config", "nowhere.toml"),
    ] {
        let ran = run_alone(&home, &line.split(' ').collect::<Vec<_>>());
        assert!(ran.code != Some(0), "{line}: {ran:?}");
        assert!(ran.err.contains(names), "{line}: {ran:?}");
        assert!(
            !ran.err.contains("entity not found") && !ran.err.contains("invalid input"),
            "{line}: {ran:?}"
        );
    }
}

/// A line of a paragraph is broken where the terminal ends, not where the source does.
#[test]
fn no_help_has_a_paragraph_that_is_broken_in_the_middle() {
    let home = Home::new();
    let mut commands = vec![String::new()];
    while let Some(command) = commands.pop() {
        let mut args: Vec<&str> = command.split_whitespace().collect();
        args.push("--help");
        let mut help = home.command(&args);
        let help = help.env("COLUMNS", "4000").output().unwrap();
        let help = String::from_utf8(help.stdout).unwrap();
        let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
        let names = listed.take_while(|line| line.starts_with("  ")).filter(|line| !line.starts_with("   "));
        let names = names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
        commands.extend(names.map(|name| format!("{command} {name}").trim().to_owned()));
        for lines in help.lines().collect::<Vec<_>>().windows(2) {
            let [line, next] = lines else { continue };
            let is_prose = |line: &str| line.starts_with(char::is_alphabetic) && line.len() > 60;
            let ends = line.ends_with(['.', ':', '?']);
            assert!(!is_prose(line) || next.is_empty() || ends, "{command}: {line:?} {next:?}");
        }
    }
}
