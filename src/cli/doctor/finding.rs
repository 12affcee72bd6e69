//! The result of a check.

use jiff::SignedDuration;
use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Severity {
    Fine,
    /// May go wrong, or is a choice of the operator.
    Warning,
    Wrong,
}

/// The check, its result and a remedy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) check: &'static str,
    pub(super) state: Severity,
    pub(super) said: String,
    /// Empty if nothing is to be done.
    pub(super) remedy: String,
}

impl Finding {
    pub(super) fn fine(check: &'static str, said: impl Into<String>) -> Self {
        Self { check, state: Severity::Fine, said: said.into(), remedy: String::new() }
    }

    pub(super) fn warning(check: &'static str, said: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, state: Severity::Warning, said: said.into(), remedy: remedy.into() }
    }

    pub(super) fn wrong(check: &'static str, said: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, state: Severity::Wrong, said: said.into(), remedy: remedy.into() }
    }
}

/// Formats a duration in its two largest units.
pub(super) fn span(length: SignedDuration) -> String {
    let seconds = length.as_secs().max(0);
    match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, s) => format!("{s} s"),
        (0, 0, m, s) => format!("{m} min {s} s"),
        (0, h, m, _) => format!("{h} h {m} min"),
        (d, h, ..) => format!("{d} d {h} h"),
    }
}
