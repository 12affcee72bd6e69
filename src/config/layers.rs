//! The four sources, laid over one another as dotted keys: `server.listen`, `apps.0.keys.1.id`.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::origin::SettingsOrigin;
use super::problem::{SettingLocation, SettingsProblem, SettingsProblems};
use super::source_file::read_text;

/// The shipped defaults: documentation and a working demo.
pub(super) const SHIPPED: &str = include_str!("../../config.toml");

pub(super) const ENVIRONMENT: &str = "ROLLCALL__";

/// The type of a value from a flag or a variable: its text is parsed as the key requires.
pub(super) const UNTYPED: &str = "untyped";

/// A single value, or a list or table without anything in it.
pub(super) struct Leaf {
    /// The TOML type, or [`UNTYPED`].
    pub(super) kind: &'static str,
    /// The value; nothing for what is empty.
    pub(super) text: String,
    pub(super) place: SettingLocation,
}

pub(super) struct Layers {
    /// By key: the effective value.
    pub(super) values: BTreeMap<String, Leaf>,
    /// By key: the shipped value.
    pub(super) shipped: BTreeMap<String, Leaf>,
    /// By key: where tables and lists that are not empty begin; none that is shipped.
    pub(super) parents: BTreeMap<String, SettingLocation>,
    pub(super) origin: SettingsOrigin,
    /// Problems of the sources themselves.
    pub(super) problems: Vec<SettingsProblem>,
}

impl Layers {
    /// Fails at once on a syntax error, which makes the rest of a file unreliable.
    pub(super) fn of(
        text: &str,
        file_name: &str,
        env: &BTreeMap<String, String>,
        overrides: &[(String, String)],
    ) -> Result<Self, SettingsProblems> {
        let line_of = |span: Range<usize>| {
            SettingLocation::File(file_name.to_owned(), Some(line_number(text, span.start)))
        };
        let file = Tree::parse(without_mark(text), &line_of)?;
        let shipped = Tree::parse(SHIPPED, &|_| SettingLocation::Shipped)?.values;
        let mut problems = Vec::new();
        let variables = read_variables(env, &mut problems);
        let flags = overrides
            .iter()
            .map(|(key, value)| (key.clone(), untyped_leaf(value, SettingLocation::CommandLine)));

        let mut above = file.values;
        let keys = above.len();
        let app_in_file = above.keys().any(|key| key == "apps" || key.starts_with("apps."));
        above.extend(variables);
        above.extend(flags);
        let mut values = Tree::parse(SHIPPED, &|_| SettingLocation::Shipped)?.values;
        // Another app must not inherit what is left of the demo's credentials.
        let demo_app = !app_in_file && !above.contains_key("apps") && !above.contains_key("apps.0.id");
        if !demo_app {
            values.retain(|key, _| !key.starts_with("apps."));
        }
        values.extend(above);
        let place = |key| values.get(key).map_or(SettingLocation::Shipped, |leaf: &Leaf| leaf.place.clone());
        let (store_url, backup_folder) = (place("store.url"), place("backup.folder"));
        let name = file_name.to_owned();
        let origin = SettingsOrigin { file: name, exists: true, keys, store_url, backup_folder, demo_app };
        Ok(Self { values, shipped, parents: file.parents, origin, problems })
    }
}

impl Layers {
    /// Replaces a list that a flag or a variable writes as TOML, such as `["a", "b"]`, by its items. They replace
    /// the whole list of a source that it goes before.
    pub(super) fn expand(&mut self, list: &str) {
        let Some(leaf) = self.values.get(list).filter(|leaf| leaf.kind == UNTYPED) else { return };
        let place = leaf.place.clone();
        let text = if leaf.text.trim().is_empty() { "[]" } else { leaf.text.trim() };
        if !text.starts_with('[') {
            return;
        }
        let here = |_| place.clone();
        let Ok(mut tree) = Tree::parse(&format!("{list} = {text}"), &here) else { return };
        let below = format!("{list}.");
        let is_inside = |key: &str| key == list || key.starts_with(&below);
        // An item of a source with higher precedence stays.
        self.values.retain(|key, leaf| !is_inside(key) || (key != list && leaf.place > place));
        tree.values.retain(|key, _| is_inside(key) && !self.values.contains_key(key));
        self.values.append(&mut tree.values);
        self.parents.retain(|key, _| !is_inside(key));
        tree.parents.retain(|key, _| is_inside(key));
        self.parents.append(&mut tree.parents);
    }

    /// As [`Self::expand`], also for a list of texts that is written with commas, such as `a,b`.
    pub(super) fn split(&mut self, list: &str) {
        if let Some(leaf) = self.values.get_mut(list).filter(|leaf| leaf.kind == UNTYPED) {
            let text = leaf.text.trim();
            if !text.is_empty() && !text.starts_with('[') {
                let items: Vec<&str> = text.split(',').map(str::trim).collect();
                leaf.text = toml::Value::from(items).to_string();
            }
        }
        self.expand(list);
    }
}

/// The line that byte `at` is on, counted from 1.
fn line_number(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

fn untyped_leaf(value: &str, place: SettingLocation) -> Leaf {
    Leaf { kind: UNTYPED, text: value.to_owned(), place }
}

/// Our variables by key, those whose value is in a file included.
fn read_variables(
    env: &BTreeMap<String, String>,
    problems: &mut Vec<SettingsProblem>,
) -> BTreeMap<String, Leaf> {
    let mut leaves = BTreeMap::new();
    for (name, value) in env {
        let Some(path) = name.strip_prefix(ENVIRONMENT) else { continue };
        let (path, value) = match path.strip_suffix("_FILE") {
            None => (path, Ok(value.clone())),
            Some(path) => (path, read_text(Path::new(value))),
        };
        let key = path.to_lowercase().replace("__", ".");
        let value = match value {
            Ok(value) => value,
            Err(error) => {
                problems
                    .push(SettingsProblem::of_variable(name, format!("its file cannot be read: {error}")));
                continue;
            }
        };
        let value = if name.ends_with("_FILE") { without_mark(&value) } else { &value };
        if name.ends_with("_FILE") && value.trim().is_empty() {
            problems.push(SettingsProblem::of_variable(name, "its file is empty"));
            continue;
        }
        let leaf = untyped_leaf(without_newline(value), SettingLocation::Environment(name.clone()));
        if leaves.insert(key, leaf).is_some() {
            problems.push(SettingsProblem::of_variable(name, "another variable sets the same key"));
        }
    }
    leaves
}

/// Some editors write a byte order mark before a text.
pub(super) fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Files with a secret are written by editors and `echo`, which end them with a newline.
fn without_newline(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

/// One TOML text as dotted keys.
struct Tree<'a> {
    values: BTreeMap<String, Leaf>,
    parents: BTreeMap<String, SettingLocation>,
    place: &'a dyn Fn(Range<usize>) -> SettingLocation,
}

impl<'a> Tree<'a> {
    fn parse(
        text: &str,
        place: &'a dyn Fn(Range<usize>) -> SettingLocation,
    ) -> Result<Self, SettingsProblems> {
        let (table, errors) = DeTable::parse_recoverable(text);
        let problem = |error: &toml::de::Error| SettingsProblem {
            place: place(error.span().unwrap_or_default()),
            key: None,
            text: error.message().replace('\n', ", "),
        };
        SettingsProblems::from_list(errors.iter().map(problem).collect())?;
        let mut tree = Self { values: BTreeMap::new(), parents: BTreeMap::new(), place };
        tree.table("", table.get_ref());
        Ok(tree)
    }

    fn table(&mut self, prefix: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let name = name.get_ref();
            // Quoted, a name with a dot in it cannot pass for a path, nor one with a newline for a line.
            let bare = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
            let name = if bare { name.to_string() } else { format!("{name:?}") };
            self.value(if prefix.is_empty() { name } else { format!("{prefix}.{name}") }, value);
        }
    }

    fn value(&mut self, key: String, value: &Spanned<DeValue<'_>>) {
        let place = (self.place)(value.span());
        let text = match value.get_ref() {
            DeValue::Table(table) if !table.is_empty() => {
                self.table(&key, table);
                self.parents.insert(key, place);
                return;
            }
            DeValue::Array(items) if !items.is_empty() => {
                for (number, item) in items.iter().enumerate() {
                    self.value(format!("{key}.{number}"), item);
                }
                self.parents.insert(key, place);
                return;
            }
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or_else(|_| number.to_string(), |number| number.to_string()),
            DeValue::Boolean(flag) => flag.to_string(),
            _ => String::new(),
        };
        self.values.insert(key, Leaf { kind: value.get_ref().type_str(), text, place });
    }
}
