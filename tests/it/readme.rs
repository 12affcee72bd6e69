//! The commands in README and docs work as described.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::support::{Home, Program, installed, require};

const README: &str = include_str!("../../README.md");
/// Pages with commands for people to type.
const PAGES: [(&str, &str); 6] = [
    ("README.md", README),
    ("config.toml", include_str!("../../config.toml")),
    ("docs/api.md", include_str!("../../docs/api.md")),
    ("docs/export.md", include_str!("../../docs/export.md")),
    ("docs/operations.md", include_str!("../../docs/operations.md")),
    ("fixtures/README.md", include_str!("../../fixtures/README.md")),
];

/// The part of a page below a heading.
fn section<'t>(page: &'t str, heading: &str) -> &'t str {
    let (_, part) = page.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    part.split("\n## ").next().unwrap()
}

/// The blocks of a kind in a part of a page, each with the number of bytes before it.
fn blocks<'t>(part: &'t str, kind: &str) -> Vec<(usize, &'t str)> {
    let fence = format!("```{kind}\n");
    let starts = part.match_indices(&fence).map(|(at, _)| at + fence.len());
    starts.map(|at| (at, part[at..].split("```").next().unwrap())).collect()
}

/// The commands of a block of shell, each with its continuation lines.
fn commands(block: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in block.lines().filter(|line| !line.starts_with('#')) {
        match found.last_mut().filter(|_| line.starts_with(' ')) {
            Some(command) => command.push_str(&format!("\n{line}")),
            None => found.push(line.to_owned()),
        }
    }
    found
}

/// A shell command in the project's folder, with this program in place of the demo's addresses.
fn typed(program: &Program, command: &str) -> Command {
    let target = program.listen.to_string();
    let ours = format!("{} --set server.listen={target} ", env!("CARGO_BIN_EXE_rollcall"));
    let command =
        command.replace("127.0.0.1:8787", &target).replace("127.0.0.1:8788", &program.admin.to_string());
    let mut shell = Command::new("sh");
    // curl fails where the answer is an error.
    let curl =
        "curl() { command curl --silent --show-error --fail-with-body --max-time 30 --disable \"$@\"; }";
    shell.arg("-c").arg(format!("{curl}\n{}", command.replace("cargo run -q --release -- ", &ours)));
    shell.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    shell
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn done(program: &Program, command: &str) -> String {
    let Output { status, stdout, stderr } = typed(program, command).output().unwrap();
    assert!(status.success(), "{command}\n{status}: {}{}", text(&stdout), text(&stderr));
    text(&stdout)
}

#[test]
fn the_first_session_of_the_readme_works_as_printed() {
    require!(installed("curl"));
    let home = Home::new();
    let program = home.start();
    let session = section(README, "A first session");
    let mut shown = Vec::new();
    let mut streams = 0;
    let (sh, json) = (blocks(session, "sh"), blocks(session, "json"));
    let all: Vec<String> = sh.iter().flat_map(|(_, block)| commands(block)).collect();
    assert!(sh.len() >= 4 && json.len() == 1 && all.len() >= 10, "{all:?}");
    for command in all {
        if command.contains("text/event-stream") {
            streams += 1;
            let mut child =
                typed(&program, &command).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
            let lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let found =
                lines.map_while(Result::ok).any(|line| line.contains("\"userId\":\"bob@example.com\""));
            _ = child.kill();
            _ = child.wait();
            assert!(found, "{command}: Bob is in the snapshot");
            continue;
        }
        if let Some((_, "console")) = command.split_once(" -- ") {
            // In the folder of the program: it reads the key file there.
            let admin = format!("server.admin_listen={}", program.admin);
            let Output { status, stdout, stderr } =
                home.command(&["console", "--set", &admin]).output().unwrap();
            assert!(status.success(), "{command}: {}", text(&stderr));
            let link = format!("http://{}/console/#/login/", program.admin);
            assert!(text(&stdout).starts_with(&link), "{command}: {}", text(&stdout));
            continue;
        }
        let answer = done(&program, &command);
        if command.contains("-i ") {
            assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\n{}"), "{answer}");
        } else if shown.len() < 2 {
            shown.push(serde_json::from_str::<Value>(&answer).unwrap());
        } else if command.contains(" replay ") {
            let quarantined = answer.lines().find_map(|line| line.strip_prefix("  of these in quarantine: "));
            let said = format!("{} of them", quarantined.unwrap_or("0"));
            assert!(session.contains(&said), "{answer}");
        } else {
            assert!(answer.len() > 100, "{command}: {answer}");
        }
    }
    assert_eq!(streams, 1);
    let expected: Value = serde_json::from_str(json[0].1).unwrap();
    assert_eq!(shown, [expected.clone(), expected], "by either of his names");
    // The commands in sentences.
    for line in session.split('`').filter(|span| span.starts_with("curl http")) {
        assert!(!done(&program, line).is_empty(), "{line}");
    }
    for path in ["/docs", "/openapi.json"] {
        assert!(session.contains(path), "{path}");
        assert_eq!(program.get(path).status, 200, "{path}");
    }
    program.stop();
}

#[test]
fn the_settings_that_the_pages_show_are_good() {
    let home = Home::new();
    let own = blocks(section(README, "Your own app"), "toml")[0].1.to_owned();
    let installing = section(PAGES[4].1, "Installing");
    let (_, here) = installing.split_once("config.toml <<'EOF'\n").unwrap();
    let here: String = here
        .lines()
        .take_while(|line| line.trim() != "EOF")
        .map(|line| format!("{}\n", line.trim()))
        .collect();
    for settings in [own, here] {
        let file = home.path().join("mine.toml");
        std::fs::write(&file, settings.replace("/var/lib/rollcall", home.path().to_str().unwrap())).unwrap();
        let output = home.command(&["--config", "mine.toml", "check-config"]).output().unwrap();
        assert!(output.status.success(), "{settings}\n{}", text(&output.stderr));
    }
}

/// Every step of the installation needs only the results of earlier ones.
#[test]
fn the_installation_makes_the_group_before_it_is_used() {
    let steps: String =
        blocks(section(PAGES[4].1, "Installing"), "sh").into_iter().map(|(_, block)| block).collect();
    let place = |what: &str| steps.find(what).unwrap_or_else(|| panic!("{what}"));
    let made = place("systemd-sysusers");
    assert!(made < place("-g rollcall") && made < place("runuser -u rollcall"));
    assert!(place("/usr/local/bin/rollcall") < place("check-config"));
    assert!(place("/var/lib/rollcall") < place("check-config"));
    assert!(place("config.toml <<'EOF'") < place("check-config"));
    assert!(place("check-config") < place("systemctl enable"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for word in steps.split_whitespace().filter(|word| word.starts_with("ops/")) {
        assert!(root.join(word).is_file(), "{word}");
    }
}

/// The commands of a page: the lines of its blocks, and spans within a line.
fn typed_in(page: &str) -> Vec<&str> {
    let (mut fenced, mut found) = (false, Vec::new());
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            found.push(line.trim());
        } else {
            found.extend(line.split('`').skip(1).step_by(2));
        }
    }
    found
}

/// Commands, options and their values: everything before `--help` is parsed.
#[test]
fn every_command_on_the_pages_is_one_that_the_program_takes() {
    let home = Home::new();
    let mut count = 0;
    for (page, content) in PAGES {
        for line in typed_in(content).iter().filter_map(|line| line.strip_prefix("rollcall ")) {
            // Descriptions beside a command, and redirections, are cut.
            let line = line.split("  ").next().unwrap().split(" > ").next().unwrap();
            if line.contains(['…', '|'])
                || line.split(' ').any(|word| ["COMMAND", "help"].contains(&word))
                || !line.is_ascii()
            {
                continue;
            }
            let args: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
            if !args[0].starts_with('-') && !args[0].chars().all(|c| c.is_ascii_lowercase() || c == '-') {
                continue;
            }
            let output = home.command(&[&args[..], &["--help"]].concat()).output().unwrap();
            assert!(output.status.success(), "{page}: rollcall {line}: {}", text(&output.stderr));
            count += 1;
        }
    }
    assert!(count > 30, "{count}");
}

#[test]
fn every_path_for_contributors_exists() {
    let page = include_str!("../../CONTRIBUTING.md");
    let spans = page.split('`').skip(1).step_by(2);
    let paths: Vec<&str> = spans.filter(|span| span.contains('/') && !span.contains(' ')).collect();
    assert!(paths.len() > 30, "{paths:?}");
    for path in paths {
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(path).exists(), "{path}");
    }
}
