//! Problems of the settings, with their locations.

use std::fmt;

/// The location of a setting, in the order of a report: the file first, line by line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SettingLocation {
    /// The shipped default.
    Shipped,
    /// A line of the user's file, counted from 1; `None` for the whole file.
    File(String, Option<usize>),
    /// The environment variable of this name.
    Environment(String),
    /// A flag.
    CommandLine,
}

impl fmt::Display for SettingLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shipped => f.write_str("defaults"),
            Self::File(name, Some(line)) => write!(f, "{name}:{line}"),
            Self::File(name, None) => f.write_str(name),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::CommandLine => f.write_str("command line"),
        }
    }
}

/// A problem of the settings. It never holds the value of a setting, which may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SettingsProblem {
    /// The location.
    pub place: SettingLocation,
    /// The dotted key (`apps.0.id`), if there is one.
    pub key: Option<String>,
    /// The fault and, if needed, the remedy.
    pub text: String,
}

impl SettingsProblem {
    pub(super) fn of_file(name: &str, text: impl Into<String>) -> Self {
        Self { place: SettingLocation::File(name.to_owned(), None), key: None, text: text.into() }
    }

    pub(super) fn of_key(place: &SettingLocation, key: &str, text: impl Into<String>) -> Self {
        Self { place: place.clone(), key: Some(key.to_owned()), text: text.into() }
    }

    pub(super) fn of_variable(name: &str, text: impl Into<String>) -> Self {
        Self { place: SettingLocation::Environment(name.to_owned()), key: None, text: text.into() }
    }
}

impl fmt::Display for SettingsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(f, "{}: {key}: {}", self.place, self.text),
            None => write!(f, "{}: {}", self.place, self.text),
        }
    }
}

/// All problems of the settings, at least one, in the order of the file. Displayed one a line, without a final
/// newline.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct SettingsProblems(Vec<SettingsProblem>);

impl SettingsProblems {
    pub(super) fn from_list(mut list: Vec<SettingsProblem>) -> Result<(), Self> {
        list.sort();
        list.dedup();
        if list.is_empty() { Ok(()) } else { Err(Self(list)) }
    }

    /// The problems in order.
    pub fn iter(&self) -> impl Iterator<Item = &SettingsProblem> {
        self.0.iter()
    }
}

impl From<SettingsProblem> for SettingsProblems {
    fn from(problem: SettingsProblem) -> Self {
        Self(vec![problem])
    }
}
