//! The imports allowed between modules, and the length of files.

mod circles;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Each module of the crate, and the modules of the crate it may name, as `docs/architecture.md` has them.
fn allowed() -> BTreeMap<String, Vec<String>> {
    let text = include_str!("../../docs/architecture.md");
    let rows = text.lines().skip_while(|line| *line != "| module | what | may import |").skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let module = cells[0].trim_matches('`').trim_end_matches('/').trim_end_matches(".rs");
        (module.to_owned(), cells[2].split(", ").map(str::to_owned).collect())
    })
    .collect()
}

fn sources() -> Vec<(String, PathBuf)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = crate::support::files(&src, "rs").into_iter();
    let named = files.map(|path| {
        let first = path.strip_prefix(&src).unwrap().iter().next().unwrap().to_string_lossy();
        (first.trim_end_matches(".rs").to_owned(), path)
    });
    named.filter(|(module, _)| module != "lib").collect()
}

/// The modules of the crate that a file names, comments left out: as `crate::module` or
/// `rollcall::module`, in braces, or as many times `super::` as the file is deep.
fn named(text: &str, depth: usize) -> BTreeSet<String> {
    let code =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut found = BTreeSet::new();
    for root in ["crate::", "rollcall::"] {
        found.extend(code.match_indices(root).flat_map(|(at, _)| heads(&code[at + root.len()..])));
    }
    // Tests at the end of a file are a module of their own, one step deeper.
    let inner = code.find("mod tests {").unwrap_or(code.len());
    for (code, depth) in [(&code[..inner], depth), (&code[inner..], depth + 1)] {
        let up = "super::".repeat(depth);
        found.extend(code.match_indices(&up).flat_map(|(at, _)| heads(&code[at + up.len()..])));
    }
    found
}

/// The first name of each path that begins here: of one, or of all between braces.
fn heads(code: &str) -> Vec<String> {
    let word =
        |code: &str| code.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let Some(group) = code.strip_prefix('{') else { return vec![word(code)] };
    let mut found = vec![word(group)];
    let mut depth = 0;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => found.push(word(&group[at + 1..])),
            _ => {}
        }
    }
    // After the last comma of a group there may be nothing.
    if found.last().is_some_and(String::is_empty) {
        found.pop();
    }
    found
}

#[test]
fn no_layer_reaches_further_than_it_may() {
    let allowed = allowed();
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut seen = BTreeSet::new();
    for (module, path) in sources() {
        let may = allowed.get(&module).unwrap_or_else(|| panic!("{module}: which layer?"));
        let inside = path.strip_prefix(&src).unwrap().components().count();
        let depth = inside - usize::from(path.ends_with("mod.rs"));
        for name in named(&std::fs::read_to_string(&path).unwrap(), depth) {
            assert!(name == module || may.contains(&name), "{} names {name}", path.display());
        }
        seen.insert(module);
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), allowed.into_keys().collect::<Vec<_>>());
}

#[test]
fn the_reader_of_imports_sees_imports() {
    let text = "use crate::store::Txn;\n// crate::http\nlet x = rollcall::smooch::parse_webhook;
        use crate::{domain::{AppId, Fact}, x,\n    ingest::queue,\n};
        use super::super::{metrics, log};\nuse super::own;\nfn f(x: super::super::serve::Failure) {}
        mod tests {\n    use super::super::own_as_well;\n    use super::super::super::command;\n}";
    assert_eq!(
        named(text, 2).into_iter().collect::<Vec<_>>(),
        ["command", "domain", "ingest", "log", "metrics", "serve", "smooch", "store", "x"]
    );
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
