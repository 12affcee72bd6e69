//! Brands: a `userId` (v2's `externalId`) is unique within a brand, not within an app.

use std::borrow::Cow;

/// An app user's `_id` or `userId`, as a path or a body names it: an `_id` is looked for first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The `_id` or `userId`.
    pub text: Box<str>,
    /// The brand in which the `userId` is looked for: only in that one. Nothing: in all, and the app user that was
    /// given it last is meant.
    pub brand: Option<Box<str>>,
}

impl Name {
    /// The same name in a brand, or in all.
    pub fn in_brand(self, brand: Option<&str>) -> Self {
        Self { brand: brand.map(Into::into), ..self }
    }

    /// The same name, if it is of no brand in this one.
    pub fn or_in_brand(self, brand: Option<&str>) -> Self {
        let brand = self.brand.or_else(|| brand.map(Into::into));
        Self { brand, ..self }
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self { text: text.into(), brand: None }
    }
}

/// Why a `userId` alone is not enough, and what to do; `parameter` is what names a brand.
pub fn several_brands(brands: &[Option<String>], parameter: &str) -> String {
    let named: Vec<&str> = brands.iter().flatten().map(String::as_str).collect();
    let beside = if brands.contains(&None) { ", and somebody without a brand" } else { "" };
    format!(
        "The userId is carried in several brands: {}{beside}. Nothing was done: name one with {parameter}, or name \
         the app user by its _id",
        named.join(", ")
    )
}

/// The brand that a JSON text names: a string that says something, or a number as it is written.
pub fn brand(text: &str) -> Option<Cow<'_, str>> {
    match text.as_bytes().first()? {
        b'"' => serde_json::from_str::<String>(text).ok().filter(|brand| !brand.is_empty()).map(Cow::Owned),
        b'-' | b'0'..=b'9' => Some(Cow::Borrowed(text)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brand_is_a_text_that_says_something_or_a_number() {
        for (text, expected) in [
            (r#""811""#, Some("811")),
            ("811", Some("811")),
            (r#""a\"b""#, Some("a\"b")),
            (r#""""#, None),
            ("null", None),
            ("true", None),
            ("{}", None),
            ("", None),
        ] {
            assert_eq!(brand(text).as_deref(), expected, "{text}");
        }
    }
}
