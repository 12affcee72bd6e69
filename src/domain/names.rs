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

/// Gives each value of an enum its name, and the enum a parser of the names.
macro_rules! value_names {
    ($type:ident { $($value:ident: $name:literal),+ $(,)? }) => {
        impl $type {
            /// Its name in the journal, in answers and in exports.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => $name,)+
                }
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::domain::UnknownName;

            fn from_str(name: &str) -> Result<Self, Self::Err> {
                match name {
                    $($name => Ok(Self::$value),)+
                    _ => Err($crate::domain::UnknownName::of(&[$($name),+])),
                }
            }
        }
    };
}

pub(crate) use value_names;
