//! `--set` and `--config` are valid at every position: before the command, after it, and between its words.

use crate::backup::refused;
use crate::support::Home;

/// Every command, first the words of its name, then its required arguments.
const COMMANDS: [(&[&str], &[&str]); 26] = [
    (&["serve"], &[]),
    (&["replay"], &["payload.json"]),
    (&["erase"], &["ann"]),
    (&["token"], &[]),
    (&["check-config"], &[]),
    (&["backup"], &["backup.db"]),
    (&["restore"], &["backup.db"]),
    (&["verify"], &[]),
    (&["doctor"], &[]),
    (&["check-health"], &[]),
    (&["console"], &[]),
    (&["completions"], &["bash"]),
    (&["man"], &[]),
    (&["journal", "list"], &[]),
    (&["journal", "show"], &["1"]),
    (&["journal", "replay"], &["1"]),
    (&["quarantine", "list"], &[]),
    (&["quarantine", "show"], &["1"]),
    (&["quarantine", "redrive"], &["1"]),
    (&["quarantine", "drop"], &["1"]),
    (&["audit", "list"], &[]),
    (&["tail"], &[]),
    (&["export"], &[]),
    (&["import"], &["list.jsonl"]),
    (&["rebuild"], &[]),
    (&[], &[]),
];

/// These do without settings.
const WITHOUT: [&str; 2] = ["completions", "man"];

/// The names of the commands that a help lists.
fn listed(home: &Home, of: &[&str]) -> Vec<String> {
    let output = home.command(&[of, &["--help"]].concat()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = lines.take_while(|line| !line.is_empty()).filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

/// A command line with one of these values before each of its words, and after the last.
fn line<'a>((words, rest): (&[&'a str], &[&'a str]), flag: &'a str, values: &[&'a str]) -> Vec<&'a str> {
    let mut line = vec![flag, values[0]];
    for (word, value) in words.iter().zip(&values[1..]) {
        line.extend([*word, flag, *value]);
    }
    line.extend(rest);
    line
}

#[test]
fn the_table_has_every_command() {
    let home = Home::new();
    for name in listed(&home, &[]) {
        let below = listed(&home, &[&name]);
        let has = |words: &[&str]| COMMANDS.iter().any(|(command, _)| *command == words);
        assert!(if below.is_empty() { has(&[&name]) } else { true }, "{name}");
        for sub in below {
            assert!(has(&[&name, &sub]), "{name} {sub}");
        }
    }
}

#[test]
fn each_set_counts_wherever_it_stands() {
    let home = Home::new();
    let sets = ["first=1", "second=1", "third=1"];
    for command in COMMANDS {
        let (code, said) = refused(&home, &line(command, "--set", &sets));
        if command.0.first().is_some_and(|name| WITHOUT.contains(name)) {
            assert_eq!(code, Some(0), "{command:?}: {said}");
            continue;
        }
        let output = home.command(&line(command, "--set", &sets)).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(matches!(output.status.code(), Some(78 | 1)), "{command:?}: {said}");
        for key in &["first", "second", "third"][..=command.0.len()] {
            assert!(said.contains(&format!("{key}: unknown key")), "{command:?}: {key} in {said}");
        }
    }
}

#[test]
fn of_two_sets_of_a_key_the_later_holds() {
    let home = Home::new();
    for (sets, code) in
        [(["log.level=no such", "log.level=info"], 0), (["log.level=info", "log.level=no such"], 78)]
    {
        let args = ["--set", sets[0], "check-config", "--set", sets[1]];
        let (found, said) = refused(&home, &args);
        assert_eq!(found, Some(code), "{args:?}: {said}");
    }
}

#[test]
fn one_file_of_settings_is_taken_anywhere_and_two_are_refused() {
    let mut home = Home::new();
    for name in ["one.toml", "two.toml", "three.toml"] {
        std::fs::write(home.path().join(name), format!("{} = 1", name.trim_end_matches(".toml"))).unwrap();
    }
    for command in COMMANDS {
        let two = line(command, "--config", &["one.toml", "two.toml", "three.toml"]);
        if !command.0.is_empty() {
            let (code, said) = refused(&home, &two);
            assert_eq!(code, Some(2), "{two:?}: {said}");
            assert!(said.contains("'--config <PATH>' cannot be used multiple times"), "{two:?}: {said}");
        }
    }
    // The environment names one as well; the command line overrides it.
    home.env.push(("ROLLCALL_CONFIG".to_owned(), "three.toml".to_owned()));
    for (args, key) in [
        (&["--config", "one.toml", "verify"][..], "one"),
        (&["verify", "--config", "two.toml"], "two"),
        (&["-c", "one.toml", "journal", "list"], "one"),
        (&["journal", "-c", "two.toml", "list"], "two"),
        (&["journal", "list", "-c", "two.toml"], "two"),
        (&["journal", "list"], "three"),
    ] {
        let (code, said) = refused(&home, args);
        assert_eq!(code, Some(78), "{args:?}: {said}");
        assert!(said.contains(&format!("{key}: unknown key")), "{args:?}: {said}");
    }
}
