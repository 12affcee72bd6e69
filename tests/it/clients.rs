//! Smooch's own clients, unmodified, from npm. Each script in `tests/clients` drives one of them, checks
//! what it makes of our answers, and says in a line what it reported where we refuse.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{APP, Home, KEY_ID, KEY_SECRET, have};

/// The app token of the demo app.
const APP_TOKEN: &str = "demo-app-token";

/// Where the scripts are, once this package is installed with `npm ci --prefix tests/clients`.
pub fn installed(package: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    let there = folder.join("node_modules").join(package).exists();
    assert!(there || std::env::var_os("CI").is_none(), "{package} is not installed");
    if !there {
        eprintln!("skipped: {package} is not installed; npm ci --prefix tests/clients");
    }
    (there && have("node")).then_some(folder)
}

/// Runs a script against a program of its own; it must end well and report as `client`.
fn run(script: &str, client: &str) {
    let Some(folder) = installed("smooch-core-8") else { return };
    let home = Home::new();
    let program = home.start();
    let run = Command::new("node")
        .arg(folder.join(script))
        .env("ROLLCALL_URL", format!("http://{}", program.listen))
        .env("ROLLCALL_APP", APP)
        .env("ROLLCALL_KEY_ID", KEY_ID)
        .env("ROLLCALL_KEY_SECRET", KEY_SECRET)
        .env("ROLLCALL_APP_TOKEN", APP_TOKEN)
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
    run("v1.mjs", "smooch-core 4.3.0");
}

#[test]
fn smooch_core_8_merges_and_deletes() {
    run("v1_1.mjs", "smooch-core 8.11.4");
}

#[test]
fn the_v2_client_creates_patches_and_lists() {
    run("v2.mjs", "sunshine-conversations-client 14.1.0");
}
