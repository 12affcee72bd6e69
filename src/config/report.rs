//! The settings as an operator sees them: each key with its value, its source and its meaning, and no secret.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use super::layers::{Layers, SHIPPED};
use super::origin::read_complete;
use super::problem::{SettingLocation, SettingsProblem, SettingsProblems};
use super::read::SettingsReader;
use super::settings::{Settings, named_for_restart};
use super::{DEFAULT_FILE, read_environment, rules};

/// The endings of the names of keys whose values are never shown.
const SECRET: [&str; 4] = ["password", "secret", "secrets", "token"];

/// The sources of a process: the file that the command line names, and its flags. The environment is the process's.
#[derive(Clone, Debug)]
pub struct SettingsSources {
    /// The settings file; `config.toml` in the working directory if none is named.
    pub path: Option<PathBuf>,
    /// Dotted keys and values, from flags.
    pub overrides: Vec<(String, String)>,
}

/// A key of the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportedSetting {
    /// The dotted key; of a list the key of the whole.
    pub key: String,
    /// Its value.
    pub value: ReportedValue,
    /// The location of the value.
    pub place: SettingLocation,
    /// The shipped value; none of a secret, and of a key that is not shipped.
    pub default: Option<ReportedValue>,
    /// A change takes effect with a restart only.
    pub restart: bool,
    /// What the key means, as `config.toml` says it; empty if it says nothing.
    pub means: String,
}

/// The value of a key, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReportedValue {
    /// One value.
    One(String),
    /// A list.
    List(Vec<String>),
    /// So many secrets.
    Secrets(usize),
}

/// The settings of these sources, and every problem of them. Without a readable file there are only problems.
#[derive(Clone, Debug, Default)]
pub struct SettingsReport {
    /// Every key, in the order of their names.
    pub settings: Vec<ReportedSetting>,
    /// Every problem.
    pub problems: Vec<SettingsProblem>,
}

impl SettingsSources {
    /// As [`Settings::load_again`] for these sources.
    ///
    /// # Errors
    /// As [`Settings::load_again`].
    pub fn load_again(&self) -> Result<Settings, SettingsProblems> {
        Settings::load_again(self.path.as_deref(), &self.overrides)
    }

    /// Reads these sources as they are now.
    pub fn report(&self) -> SettingsReport {
        let file = self.path.as_deref().unwrap_or(Path::new(DEFAULT_FILE));
        // Why it cannot be read is among the problems.
        let text = read_complete(file).unwrap_or_default();
        let mut report = report(&text, &file.display().to_string(), &self.overrides);
        // The problems of a reload, those of the file itself included.
        report.problems =
            self.load_again().err().map_or_else(Vec::new, |found| found.iter().cloned().collect());
        report
    }
}

fn report(text: &str, file_name: &str, overrides: &[(String, String)]) -> SettingsReport {
    let environment = read_environment().unwrap_or_default();
    let layers = match Layers::of(text, file_name, &environment, overrides) {
        Ok(layers) => layers,
        Err(problems) => {
            return SettingsReport { settings: Vec::new(), problems: problems.iter().cloned().collect() };
        }
    };
    // Reading takes lists apart.
    let mut reader = SettingsReader::new(layers);
    let settings = Settings::from_reader(&mut reader);
    rules::check(&settings, &mut reader);
    let hidden = reader.unreadable_keys();
    let layers = reader.into_layers();
    let shipped = layers.shipped.iter().map(|(key, leaf)| (key.as_str(), (leaf.kind, leaf.text.as_str())));
    let shipped = group(shipped, &BTreeSet::new());
    let mut places: BTreeMap<String, SettingLocation> = BTreeMap::new();
    // The items of a list before the list, which may be the empty one of a source below.
    let (items, others): (Vec<_>, Vec<_>) = layers.values.iter().partition(|(key, _)| list_of(key) != *key);
    for (key, leaf) in items.into_iter().chain(others) {
        places.entry(list_of(key).to_owned()).or_insert_with(|| leaf.place.clone());
    }
    let values = layers.values.iter().map(|(key, leaf)| (key.as_str(), (leaf.kind, leaf.text.as_str())));
    let reported = group(values, &hidden).into_iter().map(|(key, value)| {
        let like = general(&key);
        ReportedSetting {
            place: places.get(&key).cloned().unwrap_or(SettingLocation::Shipped),
            default: shipped.get(&like).filter(|value| !matches!(value, ReportedValue::Secrets(_))).cloned(),
            restart: named_for_restart(&key).is_some(),
            means: MEANINGS.get(&like).cloned().unwrap_or_default(),
            key,
            value,
        }
    });
    SettingsReport { settings: reported.collect(), problems: Vec::new() }
}

/// The key of a list that an item is of; else the key itself.
fn list_of(key: &str) -> &str {
    match key.rsplit_once('.') {
        Some((list, item)) if item.bytes().all(|byte| byte.is_ascii_digit()) => list,
        _ => key,
    }
}

/// The key of the first item, which is the one that is shipped.
fn general(key: &str) -> String {
    let parts =
        key.split('.').map(|part| if part.bytes().all(|byte| byte.is_ascii_digit()) { "0" } else { part });
    parts.collect::<Vec<_>>().join(".")
}

/// The values by key, those of a list under its key. A value under a `hidden` key may be a secret that stands in a wrong
/// place.
fn group<'a>(
    leaves: impl Iterator<Item = (&'a str, (&'static str, &'a str))>,
    hidden: &BTreeSet<String>,
) -> BTreeMap<String, ReportedValue> {
    let mut grouped = BTreeMap::new();
    for (key, (kind, text)) in leaves {
        let list = list_of(key);
        let is_secret = hidden.contains(key)
            || list.rsplit('.').next().is_some_and(|name| SECRET.iter().any(|part| name.ends_with(part)));
        let is_list = list != key || kind == "array";
        let is_item = list != key || (kind != "array" && !text.is_empty());
        let value = grouped.entry(list.to_owned()).or_insert_with(|| match (is_secret, is_list) {
            (true, _) => ReportedValue::Secrets(0),
            (false, true) => ReportedValue::List(Vec::new()),
            (false, false) => ReportedValue::One(without_password(text)),
        });
        match value {
            ReportedValue::Secrets(count) => *count += usize::from(is_item),
            ReportedValue::List(items) if is_item => items.push(without_password(text)),
            _ => {}
        }
    }
    grouped
}

/// The address without the user and the password in it; any other text as it is.
fn without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://{host}{}", &rest[end..]),
        None => text.to_owned(),
    }
}

/// What `config.toml` says before each key.
static MEANINGS: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let (mut found, mut section, mut said) = (BTreeMap::new(), String::new(), Vec::new());
    for line in SHIPPED.lines() {
        if let Some(comment) = line.strip_prefix('#') {
            said.push(comment.trim());
        } else if let Some(name) = line.strip_prefix('[') {
            let is_list = name.starts_with('[');
            let name = name.trim_matches(['[', ']']);
            section = if is_list { format!("{name}.0.") } else { format!("{name}.") };
            said.clear();
        } else if let Some((key, _)) = line.split_once(" = ") {
            let means = said.join(" ");
            for key in [format!("{section}{key}"), format!("{section}{key}.0")] {
                found.insert(key, means.clone());
            }
            said.clear();
        } else {
            said.clear();
        }
    }
    found
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        for (text, shown) in [
            ("postgres://ann:s3cret@db.example/x?y=a@b", "postgres://db.example/x?y=a@b"),
            ("https://user@host", "https://host"),
            ("sqlite://rollcall.db", "sqlite://rollcall.db"),
            ("https://host/a@b", "https://host/a@b"),
            ("a@b", "a@b"),
        ] {
            assert_eq!(without_password(text), shown);
        }
    }

    #[test]
    fn a_value_that_is_not_understood_is_not_shown() {
        for text in [
            "[console.proxy]\nsecrt = \"a canary of a secret\"",
            "[[console.operators]]\nname = \"ann\"\nsecrets = [{ a = \"a canary of a secret\" }]",
            "[[console.operators]]\nname = \"ann\"\nrole = \"a canary of a secret\"",
            "[server]\nlisten = \"a canary of a secret\"",
        ] {
            let shown = format!("{:?}", report(text, "config.toml", &[]));
            assert!(!shown.contains("canary"), "{text}: {shown}");
        }
        let shown = format!("{:?}", report("[server]\nlisten = \"127.0.0.1:9\"", "config.toml", &[]));
        assert!(shown.contains("127.0.0.1:9"), "{shown}");
    }

    #[test]
    fn every_shipped_key_has_a_meaning_and_no_secret_is_shown() {
        let report = report("", "config.toml", &[]);
        assert!(report.settings.len() > 40);
        for setting in &report.settings {
            let key = general(&setting.key);
            let above = key.rsplit_once('.').map_or(key.as_str(), |(above, _)| above);
            assert!(!setting.means.is_empty() || MEANINGS.contains_key(above), "{}: no meaning", setting.key);
        }
        let shown = format!("{report:?}");
        assert!(!shown.contains("change-me") && !shown.contains("demo-webhook"), "{shown}");
    }
}
