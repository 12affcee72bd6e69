//! What may import what. A layer that reaches further than this cannot be read on its own.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Each module of the crate, and the modules of the crate it may name.
const ALLOWED: [(&str, &[&str]); 11] = [
    ("config", &[]),
    ("domain", &[]),
    ("log", &["config"]),
    ("metrics", &[]),
    ("wire", &["domain"]),
    ("store", &["domain"]),
    ("ingest", &["domain", "store", "metrics"]),
    ("http", &["config", "domain", "wire", "store", "ingest", "metrics"]),
    ("serve", &["config", "http", "ingest", "metrics", "store"]),
    ("command", &["config", "http"]),
    ("main", &["command", "config", "log", "serve"]),
];

fn sources() -> Vec<(String, PathBuf)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = crate::support::files(&src, "rs").into_iter();
    let named = files.map(|path| {
        let first = path.strip_prefix(&src).unwrap().iter().next().unwrap().to_string_lossy();
        (first.trim_end_matches(".rs").to_owned(), path)
    });
    named.filter(|(module, _)| module != "lib").collect()
}

/// The modules that a file names as `crate::module` or `rollcall::module`, comments left out.
fn named(text: &str) -> BTreeSet<String> {
    let code =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut found = BTreeSet::new();
    for prefix in ["crate::", "rollcall::"] {
        for (at, _) in code.match_indices(prefix) {
            let rest = code[at + prefix.len()..].trim_start_matches('{');
            let word: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            found.insert(word);
        }
    }
    found
}

#[test]
fn no_layer_reaches_further_than_it_may() {
    let mut seen = BTreeSet::new();
    for (module, path) in sources() {
        let (_, allowed) = ALLOWED
            .iter()
            .find(|(name, _)| *name == module)
            .unwrap_or_else(|| panic!("{module}: which layer?"));
        for name in named(&std::fs::read_to_string(&path).unwrap()) {
            assert!(name == module || allowed.contains(&name.as_str()), "{} names {name}", path.display());
        }
        seen.insert(module);
    }
    assert_eq!(seen.len(), ALLOWED.len(), "every layer of the table is there: {seen:?}");
}

#[test]
fn the_reader_of_imports_sees_imports() {
    let text =
        "use crate::store::Txn;\n// crate::http\nlet x = rollcall::wire::read;\nuse crate::{domain, x};";
    assert_eq!(named(text).into_iter().collect::<Vec<_>>(), ["domain", "store", "wire"]);
}

#[test]
fn no_file_is_longer_than_a_reader_can_hold() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["src", "tests", "benches"] {
        for path in crate::support::files(&root.join(folder), "rs") {
            let lines = std::fs::read_to_string(&path).unwrap().lines().count();
            assert!(lines <= 400, "{} has {lines} lines", path.display());
        }
    }
}
