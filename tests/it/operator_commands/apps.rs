//! An app that does not exist is a usage error of every command; the message lists the existing apps.

use super::{messages, run, run_alone};
use crate::support::Home;

const TWO: &str = "
[[apps]]
id = \"one\"
webhook_secrets = [\"first secret\"]
keys = [{ id = \"k1\", secret = \"sixteen bytes or more\" }]
[[apps]]
id = \"two\"
webhook_secrets = [\"second secret\"]
keys = [{ id = \"k2\", secret = \"sixteen other bytes\" }]
";

/// Every command that takes an app.
const COMMANDS: [&str; 19] = [
    "token --app three",
    "erase bob --app three",
    "replay --app three config.toml",
    "export --app three",
    "export --app three --format csv",
    "export --app three --user bob",
    "import --app three lines.ndjson",
    "import --app three --dry-run lines.ndjson",
    "journal list --app three",
    "journal list --app three --user bob",
    "audit list --app three",
    "audit list --app three --user bob",
    "journal replay .. --app three",
    "journal replay .. --app three --dry-run",
    "tail --app three --since 1 --until 1",
    "tail --app three --user bob",
    "quarantine list --app three",
    "quarantine redrive --app three",
    "quarantine drop --app three",
];

#[test]
fn an_app_that_does_not_exist_is_a_wrong_command_line() {
    let home = Home::with(TWO);
    let program = home.start();
    std::fs::write(home.path().join("lines.ndjson"), "{\"userId\":\"bob\"}\n").unwrap();
    for line in COMMANDS {
        let args: Vec<&str> = line.split(' ').collect();
        let ran = run(&home, &program, &args);
        assert_eq!(ran.code, Some(2), "{line}: {ran:?}");
        assert!(ran.err.contains("there is no app \"three\""), "{line}: {ran:?}");
        assert!(ran.err.contains("one, two"), "{line} names the apps there are: {ran:?}");
        assert_eq!(ran.out, "", "{line}");
    }
}

#[test]
fn an_app_that_must_be_named_and_is_not_is_a_wrong_command_line() {
    let home = Home::with(TWO);
    home.start().stop();
    for line in [
        "token",
        "erase bob",
        "export --user bob",
        "journal list --user bob",
        "audit list --user bob",
        "tail --user bob",
    ] {
        let args: Vec<&str> = line.split(' ').collect();
        let ran = run_alone(&home, &args);
        assert_eq!(ran.code, Some(2), "{line}: {ran:?}");
        assert!(ran.err.contains("name one with --app (one, two)"), "{line}: {ran:?}");
    }
}

#[test]
fn an_app_that_left_the_settings_can_still_be_looked_at() {
    let mut home = Home::new();
    let program = home.start();
    messages(&program, &["ann"]);
    program.stop();
    home.settings = TWO.to_owned();
    let app = crate::support::APP;
    let listed = run_alone(&home, &["journal", "list", "--json", "--app", app]).well();
    assert_eq!(listed.lines().len(), 1);
    assert!(run_alone(&home, &["export", "--app", app]).well().out.contains("\"ann\""));
}

/// Each command that takes the app by name, found in its own help: a new one must come into the table above.
#[test]
fn every_command_with_an_app_is_in_the_table() {
    let home = Home::new();
    let mut commands = vec![String::new()];
    let mut with_app = Vec::new();
    while let Some(command) = commands.pop() {
        let mut args: Vec<&str> = command.split_whitespace().collect();
        args.push("--help");
        let help = run_alone(&home, &args).well().out;
        if help.contains("--app <ID>") {
            with_app.push(command.clone());
        }
        let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
        let names = listed.take_while(|line| line.starts_with("  ")).filter(|line| !line.starts_with("   "));
        let names = names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
        commands.extend(names.map(|name| format!("{command} {name}").trim().to_owned()));
    }
    assert!(with_app.len() >= 9, "{with_app:?}");
    for command in with_app {
        assert!(COMMANDS.iter().any(|line| line.starts_with(&command)), "{command} is not in the table");
    }
}
