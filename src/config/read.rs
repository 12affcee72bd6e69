//! Reads typed values from the layers and collects problems. The shipped value stands in for a refused one, so that
//! the rest can be checked as well.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use strsim::levenshtein;

use super::layers::{Layers, UNTYPED};
use super::origin::SettingsOrigin;
use super::problem::{SettingLocation, SettingsProblem, SettingsProblems};
use super::values::{bytes, duration, plain_path};

/// The TOML types that a value may have, and their description for an error.
pub(super) type TomlKind = (&'static [&'static str], &'static str);
pub(super) const TEXT: TomlKind = (&["string"], "a text in quotes");
pub(super) const COUNT: TomlKind = (&["integer"], "a whole number");
pub(super) const SIZE: TomlKind = (&["string", "integer"], "a size such as \"32KiB\"");
pub(super) const FLAG: TomlKind = (&["boolean"], "true or false");

/// More of anything than one process can handle; a queue of this many slots can still be allocated.
pub(super) const MANY: usize = 1_000_000;

pub(super) struct SettingsReader {
    layers: Layers,
    single: BTreeSet<String>,
    lists: BTreeSet<String>,
    /// Keys with a problem; rules over them are skipped.
    wrong: BTreeSet<String>,
    /// Items of lists after one that is missing.
    unread: BTreeSet<String>,
}

impl SettingsReader {
    pub(super) fn new(layers: Layers) -> Self {
        let [single, lists, wrong, unread] = [const { BTreeSet::new() }; 4];
        Self { layers, single, lists, wrong, unread }
    }

    pub(super) fn origin(&self) -> &SettingsOrigin {
        &self.layers.origin
    }

    /// The value of `key` if it is set and valid.
    pub(super) fn optional<T>(
        &mut self,
        key: &str,
        kind: TomlKind,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.single.insert(key.to_owned());
        let leaf = self.layers.values.get(key)?;
        let fits = leaf.kind == UNTYPED || kind.0.contains(&leaf.kind);
        let value = if fits {
            parse(&leaf.text)
        } else {
            Err(format!("must be {}, and is of type {}", kind.1, leaf.kind))
        };
        value.map_err(|text| self.problem(key, text)).ok()
    }

    /// The value of a key with a shipped default.
    pub(super) fn fixed<T>(
        &mut self,
        key: &str,
        kind: TomlKind,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> T {
        self.optional(key, kind, &parse).unwrap_or_else(|| {
            let shipped = self.layers.shipped.get(key).map(|leaf| parse(&leaf.text));
            shipped.and_then(Result::ok).expect("the shipped file has every key, and is right")
        })
    }

    /// The value of a required key of an app; empty if it is missing or wrong.
    pub(super) fn required(&mut self, key: &str, parse: impl Fn(&str) -> Result<String, String>) -> String {
        let value = self.optional(key, TEXT, parse);
        let below = format!("{key}.");
        if value.is_none()
            && !self.wrong.contains(key)
            && !self.layers.values.keys().any(|k| k.starts_with(&below))
        {
            self.problem(key, "is missing");
        }
        value.unwrap_or_default()
    }

    pub(super) fn unless_empty(
        &mut self,
        key: &str,
        parse: impl Fn(&str) -> Result<String, String>,
    ) -> Option<String> {
        let parse = |text: &str| if text.is_empty() { Ok(String::new()) } else { parse(text) };
        self.optional(key, TEXT, parse).filter(|text| !text.is_empty())
    }

    /// A bound; 0 is no bound.
    pub(super) fn unless_zero<T>(
        &mut self,
        key: &str,
        kind: TomlKind,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.fixed(key, kind, |text| match text.trim_start_matches('0') {
            "" | "s" => Ok(None),
            _ => parse(text).map(Some),
        })
    }

    /// A path; empty is none.
    pub(super) fn path(&mut self, key: &str) -> Option<PathBuf> {
        self.unless_empty(key, plain_path).map(Into::into)
    }

    pub(super) fn duration(&mut self, key: &str) -> Duration {
        self.fixed(key, TEXT, duration)
    }

    pub(super) fn size(&mut self, key: &str) -> usize {
        self.fixed(key, SIZE, |text| {
            bytes(text).and_then(|size| size.try_into().map_err(|_| "too large".to_owned()))
        })
    }

    pub(super) fn count(&mut self, key: &str, range: RangeInclusive<usize>) -> usize {
        self.fixed(key, COUNT, |text| match text.parse() {
            Ok(count) if range.contains(&count) => Ok(count),
            _ => Err(format!("must be a whole number from {} to {}", range.start(), range.end())),
        })
    }

    /// A number that may be 0.
    pub(super) fn number(&mut self, key: &str) -> u32 {
        u32::try_from(self.count(key, 0..=MANY)).unwrap_or(u32::MAX)
    }

    pub(super) fn texts(
        &mut self,
        list: &str,
        parse: impl Fn(&str) -> Result<String, String>,
    ) -> Vec<String> {
        self.layers.split(list);
        self.items(list).iter().map(|key| self.required(key, &parse)).collect()
    }

    /// Whether a source sets a key, or one below it.
    pub(super) fn is_set(&self, key: &str) -> bool {
        let below = format!("{key}.");
        self.layers.values.keys().any(|set| set == key || set.starts_with(&below))
    }

    /// The keys of the items of a list, in order.
    pub(super) fn items(&mut self, list: &str) -> Vec<String> {
        self.lists.insert(list.to_owned());
        self.layers.expand(list);
        if self.layers.values.get(list).is_some_and(|leaf| leaf.kind != "array") {
            self.problem(
                list,
                "must be a list, such as [\"a\", \"b\"], or [{ id = \"a\" }] where each item has keys",
            );
        }
        let below = format!("{list}.");
        let names = self.layers.values.keys().filter_map(|key| key.strip_prefix(&below)?.split('.').next());
        let numbers: Vec<Option<usize>> = names.map(|name| name.parse().ok()).collect();
        if numbers.contains(&None) {
            // It is a table: reported with the unknown keys.
            self.wrong.insert(list.to_owned());
        }
        let numbers: BTreeSet<usize> = numbers.into_iter().flatten().collect();
        let mut items: Vec<String> = numbers.iter().map(|number| format!("{list}.{number}")).collect();
        let in_order = (0..).zip(&numbers).take_while(|(expected, found)| expected == *found).count();
        if let Some(found) = items.get(in_order) {
            self.problem(found, format!("there is no {list}.{in_order} before it"));
        }
        self.unread.extend(items.split_off(in_order));
        items
    }

    /// The location of `key`, else of the nearest table around it that is in a source, or of a key in that table.
    fn place(&self, key: &str) -> SettingLocation {
        if let Some(leaf) = self.layers.values.get(key) {
            return leaf.place.clone();
        }
        let mut around =
            std::iter::successors(Some(key), |key| key.rsplit_once('.').map(|(parent, _)| parent));
        let place = around.find_map(|table| {
            let below = format!("{table}.");
            let mut inside = self.layers.values.iter().filter(|(key, _)| key.starts_with(&below));
            self.layers.parents.get(table).or_else(|| inside.next().map(|(_, leaf)| &leaf.place))
        });
        place.cloned().unwrap_or(SettingLocation::Shipped)
    }

    pub(super) fn problem(&mut self, key: &str, text: impl Into<String>) {
        self.wrong.insert(key.to_owned());
        let problem = SettingsProblem::of_key(&self.place(key), key, text);
        self.layers.problems.push(problem);
    }

    /// A rule over several keys. A violation is reported at the key set last.
    pub(super) fn rule(&mut self, keys: &[&str], holds: bool, text: &str) {
        if holds || keys.iter().any(|key| self.wrong.contains(*key)) {
            return;
        }
        if let Some(key) = keys.iter().rev().max_by_key(|key| self.place(key)) {
            let problem = SettingsProblem::of_key(&self.place(key), key, text);
            self.layers.problems.push(problem);
        }
    }

    /// The keys whose values are not understood: unknown ones, and those with a problem.
    pub(super) fn unreadable_keys(&self) -> BTreeSet<String> {
        let is_read = |key: &String| {
            (self.single.contains(key) || self.lists.contains(key)) && !self.wrong.contains(key)
        };
        self.layers.values.keys().filter(|key| !is_read(key)).cloned().collect()
    }

    /// Reports every problem, unknown keys included.
    pub(super) fn finish(mut self) -> Result<(), SettingsProblems> {
        let asked = self.single.iter().chain(&self.lists);
        let known: BTreeSet<&str> = asked.flat_map(|key| key_prefixes(key)).collect();
        let unasked: Vec<SettingsProblem> = self
            .layers
            .values
            .iter()
            .filter_map(|(key, leaf)| self.unasked(&known, key, leaf.kind))
            .collect();
        self.layers.problems.extend(unasked);
        SettingsProblems::from_list(self.layers.problems)
    }

    /// The sources, as far as they were read.
    pub(super) fn into_layers(self) -> Layers {
        self.layers
    }

    /// The problem of a value that was not read. Of an unknown table only the table is reported.
    fn unasked(&self, known: &BTreeSet<&str>, key: &str, kind: &str) -> Option<SettingsProblem> {
        let problem =
            |place: SettingLocation, key: &str, text: &str| Some(SettingsProblem::of_key(&place, key, text));
        if self.single.contains(key) || self.lists.contains(key) || (known.contains(key) && kind == "table") {
            return None;
        }
        if key_prefixes(key).any(|prefix| self.unread.contains(prefix)) {
            return None;
        }
        if known.contains(key) {
            return problem(self.place(key), key, "must be a table");
        }
        let unknown = key_prefixes(key).find(|prefix| !known.contains(prefix))?;
        let place = self.place(unknown);
        match unknown.rsplit_once('.') {
            Some((parent, _)) if self.single.contains(parent) => {
                return problem(place, parent, "must be a single value");
            }
            Some((parent, _)) if self.lists.contains(parent) => {
                return problem(place, parent, "must be a list");
            }
            _ => {}
        }
        match known.iter().map(|known| (levenshtein(known, unknown), known)).min() {
            Some((1..=2, known)) => problem(place, unknown, &format!("unknown key; did you mean {known}?")),
            _ => problem(place, unknown, "unknown key"),
        }
    }
}

/// `a`, `a.b` and `a.b.c` of `a.b.c`. A dot between quotes is no separator.
fn key_prefixes(key: &str) -> impl Iterator<Item = &str> {
    let outside = |at: usize| key[..at].matches('"').count().is_multiple_of(2);
    let dots = key.match_indices('.').map(|(at, _)| at).filter(move |at| outside(*at));
    dots.chain([key.len()]).map(|at| &key[..at])
}
