//! Names of enums in text.

/// A text that names no value of an enum.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be one of {known}")]
pub struct UnknownName {
    /// The names that there are.
    known: String,
}

impl UnknownName {
    /// The error where only these names are known.
    pub fn of(known: &[&str]) -> Self {
        Self { known: known.join(", ") }
    }
}
