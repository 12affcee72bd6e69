//! Tests that are skipped say so: none does nothing in silence, and none is skipped under `CI=true`.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::support::{files, report};

/// Every test of this target: its path, and its source.
fn tests() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let mut found = Vec::new();
    for file in files(&folder, "rs") {
        let text = std::fs::read_to_string(&file).unwrap();
        let module = file.strip_prefix(&folder).unwrap().with_extension("");
        let module = module.to_str().unwrap().replace('/', "::");
        for part in text.split("#[test]\n").skip(1) {
            let Some((_, part)) = part.split_once("fn ") else { continue };
            let name = part.split('(').next().unwrap();
            let source = part.split_inclusive("\n}\n").next().unwrap();
            found.push((format!("{module}::{name}"), source.to_owned()));
        }
    }
    assert!(found.len() > 300, "the tests are found: {}", found.len());
    found
}

/// The tests that need programs, at once.
fn demanding() -> Vec<String> {
    let needs = ["installed(", "npm_package(", "Mounted::new(", "cases("];
    let demanding = tests().into_iter().filter(|(_, source)| {
        source.split("require!(").nth(1).is_some_and(|need| needs.iter().any(|by| need.starts_with(by)))
    });
    demanding.map(|(name, _)| name).collect()
}

/// Runs tests of this target where no program is installed.
fn run_without_programs(tests: &[String], ci: Option<&str>) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("--exact").args(tests).env("PATH", "/nowhere").env_remove("CI").stdin(Stdio::null());
    command.envs(ci.map(|ci| ("CI", ci))).output().unwrap()
}

#[test]
fn skipped_tests_are_printed_past_the_capture_and_listed_at_the_end() {
    let tests = demanding();
    assert!(tests.len() > 25, "{tests:?}");
    let run = run_without_programs(&tests, None);
    let (stdout, stderr) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success() && stdout.contains("0 failed"), "{stdout}\n{stderr}");
    let file = report::file_of_run(std::process::id());
    let summary = report::summary(&file);
    std::fs::remove_file(&file).unwrap();
    let count = format!("Skipped tests: {}.", tests.len());
    assert!(summary.starts_with(&count), "{count}\n{summary}");
    for test in &tests {
        assert!(stderr.contains(&format!("skipped: {test}: `")), "{test} does not say so:\n{stderr}");
        assert!(summary.contains(&format!("      {test}\n")), "{test} is not listed:\n{summary}");
    }
    assert!(summary.contains("\n  `strace` is not installed:\n"), "{summary}");
    assert_eq!(report::summary(&file), "", "a run that skipped nothing has nothing to list");
}

#[test]
fn under_ci_skipped_tests_fail() {
    let tests = demanding();
    let run = run_without_programs(&tests, Some("true"));
    let stdout = String::from_utf8_lossy(&run.stdout);
    assert_eq!(run.status.code(), Some(101), "{stdout}");
    assert!(stdout.contains(&format!(" 0 passed; {} failed;", tests.len())), "{stdout}");
}

/// `require!` is the only way to leave a test before its end, and the only place that checks for installed programs.
#[test]
fn no_test_can_do_nothing_in_silence() {
    for (name, source) in tests() {
        let early = ["return;", "return }"].iter().any(|end| source.contains(end));
        assert!(
            !early || name == "skips::no_test_can_do_nothing_in_silence",
            "{name}: end early with `require!`"
        );
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    for file in files(&folder, "rs").iter().filter(|file| !file.ends_with("it/skips.rs")) {
        let text = std::fs::read_to_string(file).unwrap();
        let own = file.ends_with("support/skip.rs") || file.starts_with(folder.join("skipped"));
        assert!(!text.contains("#[ignore"), "{} ignores a test", file.display());
        for sign in ["\"CI\"", "skipped:", "not installed"] {
            assert!(own || !text.contains(sign), "{} skips on its own: {sign}", file.display());
        }
    }
    let main = std::fs::read_to_string(folder.join("skipped/main.rs")).unwrap();
    assert!(main.contains("report::summary"));
}
