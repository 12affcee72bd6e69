//! The last target of `cargo test`. It prints which tests of this run were skipped, and why.
#![allow(unreachable_pub, reason = "shared with the tests of `it`")]

mod report;

fn main() {
    if std::env::args().any(|argument| argument == "--list") {
        return;
    }
    let file = report::file_of_run(std::os::unix::process::parent_id());
    let summary = report::summary(&file);
    if summary.is_empty() {
        println!("\nNo test was skipped.\n");
        return;
    }
    _ = std::fs::remove_file(&file);
    println!("\n{summary}");
    if std::env::var_os("CI").is_some() {
        std::process::exit(1);
    }
}
