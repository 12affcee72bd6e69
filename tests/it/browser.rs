//! The pages in a real browser. Each script in `tests/browser` starts the program, opens its pages in Chromium, and does
//! what a person would.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Missing, installed, npm_package_of, require};

/// What the scripts need.
fn needed() -> Result<(), Missing> {
    installed("chromium")?;
    npm_package_of("tests/browser", "axe-core")?;
    npm_package_of("tests/browser", "playwright-core").map(drop)
}

/// Runs a script; it must end well.
fn run(script: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
    let run = Command::new("node")
        .arg(folder.join(script))
        .env("ROLLCALL_PROGRAM", env!("CARGO_BIN_EXE_rollcall"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(run.status.success(), "{script}: {}\n{}{}", run.status, text(&run.stdout), text(&run.stderr));
}

#[test]
fn the_way_from_a_link_to_the_first_event_and_through_the_changes_of_a_user() {
    require!(needed());
    run("users.mjs");
}

#[test]
fn sessions_streams_and_tabs_outlive_what_happens_to_the_program() {
    require!(needed());
    run("streams.mjs");
}

#[test]
fn every_page_is_accessible_with_and_without_anything_on_it() {
    require!(needed());
    run("pages.mjs");
}

#[test]
fn every_page_is_accessible_when_its_calls_fail_and_without_personal_data() {
    require!(needed());
    run("states.mjs");
}

#[test]
fn every_screen_is_in_its_address_behind_a_prefix_and_for_each_app() {
    require!(needed());
    run("addresses.mjs");
}

#[test]
fn text_of_strangers_is_shown_as_text_and_nothing_of_it_is_hidden_or_run() {
    require!(needed());
    run("hostile.mjs");
}

#[test]
fn every_file_that_a_page_offers_is_saved_by_the_browser() {
    require!(needed());
    run("files.mjs");
}

#[test]
fn segments_and_the_jobs_for_all_of_a_list_from_the_dialog_to_the_end() {
    require!(needed());
    run("jobs.mjs");
}
