//! The file in which the tests of one `cargo test` record skipped tests, for the summary at its end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The file of the run that this process starts, or that started it. Cargo starts every test target, so its process
/// stands for the run. The start time distinguishes it from an older process with the same number.
pub fn file_of_run(pid: u32) -> PathBuf {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name of the program, which may have blanks in it, ends with the last parenthesis.
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let started = after_name.split_whitespace().nth(19).unwrap_or("0");
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("skipped").join(format!("{pid}-{started}"))
}

/// The skipped tests of a run: each reason, with its tests. Empty if nothing was skipped.
pub fn summary(file: &Path) -> String {
    let notes = std::fs::read_to_string(file).unwrap_or_default();
    let mut by_reason: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (test, reason) in notes.lines().filter_map(|line| line.split_once('\t')) {
        by_reason.entry(reason).or_default().insert(test);
    }
    let count: usize = by_reason.values().map(BTreeSet::len).sum();
    if count == 0 {
        return String::new();
    }
    let mut text = format!("Skipped tests: {count}. With CI=true each of them fails.\n");
    for (reason, tests) in by_reason {
        text.push_str(&format!("\n  {reason}:\n"));
        text.extend(tests.into_iter().map(|test| format!("      {test}\n")));
    }
    text
}
