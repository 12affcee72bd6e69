//! The tree.

use std::borrow::Cow;
use std::cmp::Ordering;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum Json<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as written.
    Number(&'a str),
    /// A string, unescaped.
    String(Cow<'a, str>),
    /// A string with NUL or half of a surrogate pair in it.
    Garbled(Box<Garbled<'a>>),
    /// An array.
    Array(Vec<Self>),
    /// An object, sorted by key; of a repeated key the last one counts.
    Object(Vec<(Cow<'a, str>, Self)>),
}

/// A string that no database can hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Garbled<'a> {
    /// With U+FFFD for unstorable characters.
    pub shown: String,
    /// With the code unit behind each U+FFFD, so that different texts stay different.
    pub name: String,
    /// As received, with its escapes.
    pub(super) raw: &'a str,
}

impl Json<'_> {
    /// A member of an object.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Self::Object(members) = self else { return None };
        let at = members.binary_search_by(|(name, _)| compare_keys(name, key)).ok()?;
        Some(&members[at].1)
    }

    /// The items of an array; nothing for anything else.
    pub fn items(&self) -> &[Self] {
        if let Self::Array(items) = self { items } else { &[] }
    }

    /// The text of a string, as shown.
    pub fn str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            Self::Garbled(garbled) => Some(&garbled.shown),
            _ => None,
        }
    }
}

/// The order of keys. Most differ in their first byte, which takes no call.
pub(super) fn compare_keys(one: &str, other: &str) -> Ordering {
    let first = |key: &str| key.as_bytes().first().copied();
    first(one).cmp(&first(other)).then_with(|| one.cmp(other))
}
