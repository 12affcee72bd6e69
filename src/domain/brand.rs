//! Brands: a `userId` (v2's `externalId`) is unique within a brand, not within an app.

use std::borrow::Cow;

/// An app user's `_id` or `userId` in a path or a body. The `_id` is tried first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The `_id` or `userId`.
    pub text: Box<str>,
    /// The only brand in which the `userId` is looked up. `None`: all brands; of several app users the one that got
    /// the `userId` last is selected.
    pub brand: Option<Box<str>>,
}

impl Name {
    /// The same name in a brand, or in all brands.
    pub fn in_brand(self, brand: Option<&str>) -> Self {
        Self { brand: brand.map(Into::into), ..self }
    }

    /// The same name; if it has no brand, in this one.
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

/// The error text for a `userId` that exists in several brands; `parameter` is the request member that selects a
/// brand.
pub fn several_brands(brands: &[Option<String>], parameter: &str) -> String {
    let named: Vec<&str> = brands.iter().flatten().map(String::as_str).collect();
    let beside = if brands.contains(&None) { ", and by an app user without a brand" } else { "" };
    format!(
        "The userId is carried in several brands: {}{beside}. Nothing was done: name one with {parameter}, or name \
         the app user by its _id",
        named.join(", ")
    )
}

/// Parses a brand from JSON text: a string that is not empty, or a number as written.
pub fn parse_brand(text: &str) -> Option<Cow<'_, str>> {
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
    fn a_brand_is_a_text_that_is_not_empty_or_a_number() {
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
            assert_eq!(parse_brand(text).as_deref(), expected, "{text}");
        }
    }
}
