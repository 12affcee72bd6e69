//! What a check found.

use jiff::SignedDuration;
use serde::Serialize;

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing is wrong.
    Fine,
    /// May go wrong, or is a choice of the operator.
    Warning,
    /// Something must be done.
    Wrong,
}

/// The check, its result and a remedy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The name of the check.
    pub check: &'static str,
    /// Its result.
    pub state: Severity,
    /// What was found.
    pub said: String,
    /// What to do; empty if nothing is to be done.
    pub remedy: String,
}

impl Finding {
    /// The result of a check: nothing is wrong.
    pub fn fine(check: &'static str, said: impl Into<String>) -> Self {
        Self { check, state: Severity::Fine, said: said.into(), remedy: String::new() }
    }

    /// The result of a check: something may go wrong.
    pub fn warning(check: &'static str, said: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, state: Severity::Warning, said: said.into(), remedy: remedy.into() }
    }

    /// The result of a check: something is wrong.
    pub fn wrong(check: &'static str, said: impl Into<String>, remedy: impl Into<String>) -> Self {
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
