//! Import circles between the files of `src`. A file imports another if it names an item that is defined there. An item
//! named through a re-export counts as an item of the file that defines it. Test code is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

type Names = BTreeSet<String>;

/// The parsed content of a source file.
#[derive(Default)]
struct Source {
    /// Items that it defines, at its outermost level.
    items: Names,
    /// Its `use` declarations.
    uses: Vec<Import>,
    /// Paths of two or more names outside of `use`.
    paths: Vec<Vec<String>>,
    /// Every name outside of `use`.
    names: Names,
    /// Its child modules that are test code.
    tests: Names,
}

struct Import {
    /// The name that it binds; `*` for all names.
    name: String,
    path: Vec<String>,
    is_public: bool,
}

/// All files by the path of their module, such as `store::sqlite`. The crate is the empty path.
struct Tree(BTreeMap<String, Source>);

/// Names, `::`, and single characters. Comments, strings and characters are left out.
fn tokens(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_of_name = |c: char| c.is_alphanumeric() || c == '_';
        let raw =
            rest.strip_prefix('r').map(|more| more.trim_start_matches('#')).filter(|q| q.starts_with('"'));
        let len = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(quoted) = raw {
            let hashes = rest.len() - 1 - quoted.len();
            let end = format!("\"{}", "#".repeat(hashes));
            2 + hashes + quoted[1..].find(&end).map_or(quoted.len() - 1, |at| at + end.len())
        } else if first == '"' {
            quoted(rest, '"')
        } else if first == '\'' && (rest[1..].starts_with('\\') || rest.chars().nth(2) == Some('\'')) {
            quoted(rest, '\'')
        } else if is_of_name(first) {
            let len = rest.find(|c| !is_of_name(c)).unwrap_or(rest.len());
            found.push(&rest[..len]);
            len
        } else if rest.starts_with("::") {
            found.push("::");
            2
        } else {
            found.extend((!first.is_whitespace()).then(|| &rest[..first.len_utf8()]));
            first.len_utf8()
        };
        rest = &rest[len..];
    }
    found
}

/// The length of a literal in quotes that the text begins with.
fn quoted(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == quote && !is_escaped {
            return at + 1;
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    text.len()
}

/// The number of tokens up to the end of the item that they begin with.
fn item(tokens: &[&str]) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate() {
        match *token {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth -= 1,
            _ => {}
        }
        if depth == 0 && matches!(*token, ";" | "}") {
            return at + 1;
        }
    }
    tokens.len()
}

impl Source {
    fn read(text: &str) -> Self {
        let tokens = tokens(text);
        let is_name = |at: usize| {
            tokens.get(at).is_some_and(|token| token.starts_with(|c: char| c.is_alphabetic() || c == '_'))
        };
        let mut source = Self::default();
        let (mut at, mut depth, mut is_public) = (0, 0, false);
        while at < tokens.len() {
            if tokens[at..].starts_with(&["#", "[", "cfg", "(", "test", ")", "]"]) {
                let len = item(&tokens[at + 7..]);
                let mut inside = tokens[at + 7..at + 7 + len].windows(2);
                source.tests.extend(inside.find(|two| two[0] == "mod").map(|two| two[1].to_owned()));
                at += 7 + len;
                continue;
            }
            let token = tokens[at];
            match token {
                "{" => depth += 1,
                "}" => depth -= 1,
                "use" => {
                    let end = at + tokens[at..].iter().take_while(|token| **token != ";").count();
                    source.expand(&tokens[at + 1..end], &mut Vec::new(), is_public);
                    (at, is_public) = (end + 1, false);
                    continue;
                }
                "fn" | "struct" | "enum" | "trait" | "type" | "const" | "static" | "union" if depth == 0 => {
                    source.items.extend(is_name(at + 1).then(|| tokens[at + 1].to_owned()));
                }
                "macro_rules" => source.items.extend(tokens.get(at + 2).map(|&name| name.to_owned())),
                _ => {}
            }
            // `pub` or `pub(super)` before the next token.
            is_public =
                token == "pub" || (is_public && matches!(token, "(" | ")" | "crate" | "super" | "in"));
            if is_name(at) {
                source.names.insert(token.to_owned());
                let mut path = vec![token.to_owned()];
                while tokens.get(at + 1) == Some(&"::") && is_name(at + 2) {
                    path.push(tokens[at + 2].to_owned());
                    at += 2;
                }
                source.paths.extend((path.len() > 1).then_some(path));
            }
            at += 1;
        }
        source
    }

    /// Adds the imports of a `use` tree.
    fn expand(&mut self, tree: &[&str], before: &mut Vec<String>, is_public: bool) {
        if tree.is_empty() {
            return;
        }
        let depth = before.len();
        let mut at = 0;
        while at < tree.len() && !matches!(tree[at], "{" | "as") {
            before.extend((tree[at] != "::").then(|| tree[at].to_owned()));
            at += 1;
        }
        if tree.get(at) == Some(&"{") {
            let (mut from, mut inner) = (at + 1, 0);
            for end in at + 1..tree.len() {
                let is_end = inner == 0 && matches!(tree[end], "," | "}");
                inner += i32::from(tree[end] == "{") - i32::from(tree[end] == "}");
                if is_end {
                    self.expand(&tree[from..end], before, is_public);
                    from = end + 1;
                }
            }
        } else if let Some(last) = before.last() {
            let name = if at < tree.len() { tree[at + 1] } else { last }.to_owned();
            let is_self = last == "self" && before.len() > 1;
            let path = before[..before.len() - usize::from(is_self)].to_vec();
            let name = if name == "self" { path[path.len() - 1].clone() } else { name };
            self.uses.push(Import { name, path, is_public });
        }
        before.truncate(depth);
    }
}

impl Tree {
    /// Reads files, each given by its path below `src` and its text.
    fn read<'t>(files: impl IntoIterator<Item = (&'t str, &'t str)>) -> Self {
        let modules = files.into_iter().map(|(path, text)| {
            let path = path.trim_end_matches(".rs").trim_end_matches("/mod").replace('/', "::");
            (if path == "lib" { String::new() } else { path }, Source::read(text))
        });
        let mut modules: BTreeMap<_, _> = modules.filter(|(module, _)| module != "main").collect();
        let tests = modules.iter().flat_map(|(of, source)| source.tests.iter().map(|name| join(of, name)));
        let tests: Vec<String> = tests.collect();
        modules.retain(|module, _| {
            let is_in = |test: &String| module.strip_prefix(test.as_str());
            !tests.iter().filter_map(is_in).any(|rest| rest.is_empty() || rest.starts_with("::"))
        });
        Self(modules)
    }

    /// The module that defines a path's item, seen from a module. `None` for another crate, or for a whole module.
    fn definer(&self, from: &str, path: &[String], bound: usize) -> Option<&str> {
        let (mut module, mut rest) = (from.to_owned(), path);
        match path.first()?.as_str() {
            "crate" | "rollcall" => (module, rest) = (String::new(), &path[1..]),
            "self" => rest = &path[1..],
            "super" => {
                while rest.first().is_some_and(|name| name == "super") {
                    module.truncate(module.rfind("::").unwrap_or(0));
                    rest = &rest[1..];
                }
            }
            name if self.0.contains_key(&join(from, name)) => {}
            _ => return self.of_import(from, path, bound),
        }
        while rest.len() > 1 && self.0.contains_key(&join(&module, &rest[0])) {
            module = join(&module, &rest[0]);
            rest = &rest[1..];
        }
        let (known, source) = self.0.get_key_value(&module)?;
        let name = rest.first()?;
        if source.items.contains(name) {
            return Some(known);
        }
        let is_module = self.0.contains_key(&join(&module, name));
        // A name that no import binds is made by a macro of the module.
        self.of_import(&module, rest, bound).or_else(|| Some(known.as_str()).filter(|_| !is_module))
    }

    /// The same for a path that begins with an imported name.
    fn of_import(&self, from: &str, path: &[String], bound: usize) -> Option<&str> {
        let bound = bound.checked_sub(1)?;
        let uses = &self.0.get(from)?.uses;
        let named = uses.iter().filter(|import| import.name == path[0]).map(|import| {
            let whole = [&import.path, &path[1..]].concat();
            self.definer(from, &whole, bound)
        });
        let globs = uses.iter().filter(|import| import.name == "*").map(|import| {
            let whole = [&import.path[..import.path.len() - 1], path].concat();
            self.definer(from, &whole, bound).filter(|module| self.0[*module].items.contains(&path[0]))
        });
        named.chain(globs).flatten().next()
    }

    /// The modules that each module imports from.
    fn edges(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let of = |(from, source): (&'_ String, &'_ Source)| {
            let uses =
                source.uses.iter().filter(|import| !import.is_public || source.names.contains(&import.name));
            let paths = uses.map(|import| &import.path).chain(&source.paths);
            let to = paths.filter_map(|path| self.definer(from, path, 8));
            to.filter(|to| to != from && !to.is_empty()).collect()
        };
        self.0.iter().map(|(from, source)| (from.as_str(), of((from, source)))).collect()
    }

    /// The circles of imports.
    fn circles(&self) -> Vec<Vec<&str>> {
        let edges = self.edges();
        let modules: Vec<&str> = edges.keys().copied().collect();
        let mut search = Search { edges, visited: BTreeMap::new(), stack: Vec::new(), circles: Vec::new() };
        modules.into_iter().for_each(|module| _ = search.visit(module));
        search.circles
    }
}

fn join(module: &str, name: &str) -> String {
    if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") }
}

/// Tarjan's search for strongly connected components.
struct Search<'t> {
    edges: BTreeMap<&'t str, BTreeSet<&'t str>>,
    /// The number of each module in the order of visits, and the lowest that it leads back to.
    visited: BTreeMap<&'t str, (usize, usize)>,
    stack: Vec<&'t str>,
    circles: Vec<Vec<&'t str>>,
}

impl<'t> Search<'t> {
    fn visit(&mut self, module: &'t str) -> usize {
        if let Some((_, lowest)) = self.visited.get(module) {
            return *lowest;
        }
        let number = self.visited.len();
        self.visited.insert(module, (number, number));
        self.stack.push(module);
        for next in self.edges.get(module).cloned().unwrap_or_default() {
            let lowest = self.visit(next).min(self.visited[module].1);
            self.visited.insert(module, (number, lowest));
        }
        if self.visited[module].1 == number {
            let from = self.stack.iter().position(|other| *other == module).unwrap();
            let component = self.stack.split_off(from);
            // No later visit reaches back beyond a finished component.
            component.iter().for_each(|done| _ = self.visited.insert(done, (number, usize::MAX)));
            self.circles.extend((component.len() > 1).then_some(component));
            return usize::MAX;
        }
        self.visited[module].1
    }
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let read = |path: &Path| {
        let name = path.strip_prefix(&src).unwrap().to_string_lossy().into_owned();
        (name, std::fs::read_to_string(path).unwrap())
    };
    let files: Vec<_> = crate::support::files(&src, "rs").iter().map(|path| read(path)).collect();
    let tree = Tree::read(files.iter().map(|(path, text)| (path.as_str(), text.as_str())));
    let circles = tree.circles();
    assert!(circles.is_empty(), "{circles:?}");
}

fn circles(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    let tree = Tree::read(files.iter().copied());
    tree.circles().iter().map(|circle| circle.iter().map(|&module| module.to_owned()).collect()).collect()
}

#[test]
fn circles_are_found_however_an_item_is_named() {
    let one = "pub mod one; pub struct Shared; fn run() { one::f() }";
    for two in [
        "use super::Shared; pub fn f(_: Shared) {}",
        "use crate::a::{self, Shared as Own}; pub fn f(_: Own) {}",
        "use super::*; pub fn f(_: Shared) {}",
        "use crate::a; pub fn f(_: a::Shared) {}",
        "pub fn f(_: super::Shared) {}",
        "pub fn f(_: char) { let (_, _) = ('\"', \"\\\"\"); rollcall::a::Shared; }",
    ] {
        assert_eq!(circles(&[("a.rs", one), ("a/one.rs", two)]), [["a", "a::one"]], "{two}");
    }
    let three = [
        ("a.rs", "use crate::b::B;"),
        ("b/mod.rs", "use crate::c::C; pub struct B;"),
        ("c.rs", "pub struct C;"),
    ];
    assert!(circles(&three).is_empty());
    let tied = [three[0], three[1], ("c.rs", "pub struct C(crate::a::made_by_a_macro);")];
    assert_eq!(circles(&tied), [["a", "b", "c"]]);
}

#[test]
fn a_re_export_counts_as_the_item_of_the_file_that_defines_it() {
    let parent = "mod one; mod two; pub use one::One; pub(crate) use two::{Two, Three as Third};";
    let two = "use super::One; pub struct Two(One); pub struct Three;";
    assert!(circles(&[("a.rs", parent), ("a/one.rs", "pub struct One;"), ("a/two.rs", two)]).is_empty());
    let one = "pub struct One(super::Third);";
    assert_eq!(circles(&[("a.rs", parent), ("a/one.rs", one), ("a/two.rs", two)]), [["a::one", "a::two"]]);
}

#[test]
fn tests_comments_and_strings_are_no_imports() {
    let parent = "mod one; #[cfg(test)] mod tests; pub struct Shared; fn run() { one::f() }";
    let one = "// super::Shared\npub fn f() { print(\"super::Shared\", r#\"super::Shared \"\"#) }
        #[cfg(test)]\n#[allow(unused)] mod tests { use super::super::Shared; fn x() {} }";
    let tests = "use super::Shared; use super::one::f;";
    assert!(circles(&[("a.rs", parent), ("a/one.rs", one), ("a/tests.rs", tests)]).is_empty());
}
