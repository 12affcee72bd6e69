//! The requirements of tests beyond rollcall itself: a program, an npm package, a right.
//!
//! A test states one with `require!`. If it is missing, the test ends there and is *skipped*: a line on stderr
//! reports it at once, and `tests/skipped`, the last target of `cargo test`, lists it again. With `CI=true` the test
//! fails.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

#[path = "../../skipped/report.rs"]
pub mod report;

/// The value of a `Result<_, Missing>`; or the end of the test, which counts as skipped.
macro_rules! require {
    ($needed:expr) => {
        match $needed {
            Ok(there) => there,
            Err(missing) => {
                fn here() {}
                $crate::support::note_skipped(std::any::type_name_of_val(&here), &missing);
                return;
            }
        }
    };
}
pub(crate) use require;

/// Something that this machine lacks.
#[must_use]
#[derive(Debug)]
pub struct Missing(String);

impl Missing {
    /// Panics under `CI=true`, where nothing may be missing.
    pub fn new(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        assert!(std::env::var_os("CI").is_none(), "nothing may be missing under CI=true: {reason}");
        Self(reason)
    }
}

/// A program, found in `PATH`.
pub fn installed(name: &str) -> Result<(), Missing> {
    let executable = |path: PathBuf| {
        path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| executable(folder.join(name)));
    found.then_some(()).ok_or_else(|| Missing::new(format!("`{name}` is not installed")))
}

/// A package of `tests/clients`, and `node` to run it; gives the folder of the scripts.
pub fn npm_package(name: &str) -> Result<PathBuf, Missing> {
    npm_package_of("tests/clients", name)
}

/// The same of another folder of scripts.
pub fn npm_package_of(scripts: &str, name: &str) -> Result<PathBuf, Missing> {
    installed("node")?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(scripts);
    if folder.join("node_modules").join(name).exists() {
        return Ok(folder);
    }
    Err(Missing::new(format!("`{name}` is not installed: npm ci --prefix {scripts} --ignore-scripts")))
}

/// Prints and records that a test is skipped; called by `require!`, with the name of a function in the test.
pub fn note_skipped(inside: &str, missing: &Missing) {
    let test = inside.trim_start_matches("it::").trim_end_matches("::here");
    // One line. libtest captures the output of macros, not direct writes to stderr.
    let reason = missing.0.split_whitespace().collect::<Vec<_>>().join(" ");
    _ = std::io::stderr().write_all(format!("skipped: {test}: {reason}\n").as_bytes());
    let file = report::file_of_run(std::os::unix::process::parent_id());
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(file).unwrap();
    file.write_all(format!("{test}\t{reason}\n").as_bytes()).unwrap();
}
