//! Enum values as text.

/// The error for a text that is not the name of a value of an enum.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be one of {known}")]
pub struct UnknownName {
    /// The valid names.
    known: String,
}

impl UnknownName {
    /// The error that lists these valid names.
    pub fn of(known: &[&str]) -> Self {
        Self { known: known.join(", ") }
    }
}
