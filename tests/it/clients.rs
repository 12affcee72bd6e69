//! Smooch's own clients, unmodified, from npm. Each script in `tests/clients` drives one of them, checks how it
//! handles our answers, and prints in a line the error it reported where we refuse. A browser is a client too.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{
    APP, Home, KEY_ID, KEY_SECRET, SECRET, installed, npm_package, npm_package_of, require,
};

/// The app token of the demo app.
const APP_TOKEN: &str = "demo-app-token";

/// Runs a script of the folder against a program of its own; it must end well and report as `client`.
fn run(folder: &Path, script: &str, client: &str) {
    let home = Home::new();
    let program = home.start();
    let run = Command::new("node")
        .arg(folder.join(script))
        .env("ROLLCALL_URL", format!("http://{}", program.listen))
        .env("ROLLCALL_APP", APP)
        .env("ROLLCALL_KEY_ID", KEY_ID)
        .env("ROLLCALL_KEY_SECRET", KEY_SECRET)
        .env("ROLLCALL_APP_TOKEN", APP_TOKEN)
        .env("ROLLCALL_WEBHOOK_SECRET", SECRET)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (said, wrong) = (text(&run.stdout), text(&run.stderr));
    assert!(run.status.success(), "{script}: {}\n{said}{wrong}\n{}", run.status, program.log());
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(report["client"], client, "{report}");
    program.stop();
}

#[test]
fn smooch_core_4_creates_inits_and_tracks() {
    run(&require!(npm_package("smooch-core-4")), "v1.mjs", "smooch-core 4.3.0");
}

#[test]
fn smooch_core_8_merges_and_deletes() {
    run(&require!(npm_package("smooch-core-8")), "v1_1.mjs", "smooch-core 8.11.4");
}

#[test]
fn the_v2_client_creates_patches_and_lists() {
    run(
        &require!(npm_package("sunshine-conversations-client")),
        "v2.mjs",
        "sunshine-conversations-client 14.1.0",
    );
}

/// `/docs` in a real browser: every call opened, at several widths, light and dark, by keyboard, and tried.
#[test]
fn chromium_shows_and_tries_every_call_of_the_page() {
    require!(installed("chromium"));
    require!(npm_package_of("tests/browser", "axe-core"));
    run(&require!(npm_package_of("tests/browser", "playwright-core")), "docs_page.mjs", "docs page");
}
