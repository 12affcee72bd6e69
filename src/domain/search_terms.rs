//! Sort keys and search terms of an app user, and the words of a text.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;
use unicode_normalization::UnicodeNormalization as _;

use super::client::Client;
use super::field::{FIELDS, Field};
use super::ids::SmoochId;
use super::json_members::JsonMembers;
use super::merge_group::MergeGroup;
use super::record::Record;
use super::timestamp;
use super::value::{JsonText, join_maps};
use super::view::{View, clients, shown_value};

/// The maximum number of words indexed for an app user.
pub const SEARCHED_WORDS: usize = 1000;

/// The maximum length of a word in bytes; the rest is cut.
const WORD_BYTES: usize = 255;

/// The words of a text, each cut to the maximum length; see [`bound_word`].
pub fn split_words(text: &str) -> Vec<String> {
    let mut words = split_long_words(text);
    words.iter_mut().for_each(|word| word.truncate(bound_word(word).len()));
    words
}

/// A word cut after its 255th byte, at a character boundary.
pub fn bound_word(word: &str) -> &str {
    let mut end = WORD_BYTES.min(word.len());
    while !word.is_char_boundary(end) {
        end -= 1;
    }
    &word[..end]
}

/// The words of a text: runs of letters and digits in lower case, without accents. Searches match the start of a
/// word, so "zoe" and "ZO" find "Zoë", and any part of an e-mail address finds it.
fn split_long_words(text: &str) -> Vec<String> {
    if text.is_ascii() {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        return words.map(str::to_ascii_lowercase).collect();
    }
    let folded: String = text.nfkd().flat_map(char::to_lowercase).filter(|c| !is_accent(*c)).collect();
    let words = folded.split(|c: char| !(c.is_alphanumeric() || is_mark(c)));
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// True for an accent: a combining mark without which the letter is the same.
fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// True for a combining mark that makes another letter, in scripts that have such marks.
fn is_mark(c: char) -> bool {
    unicode_normalization::char::is_combining_mark(c)
}

/// The searched fields, names first.
fn searched_fields() -> impl Iterator<Item = &'static Field> {
    let searched = || FIELDS.iter().filter(|spec| spec.searched).map(|spec| &spec.field);
    let names = searched().filter(|field| **field != Field::UserId);
    names.chain(searched().filter(|field| **field == Field::UserId))
}

/// The sort keys and flags of an app user, for lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortKeys {
    /// Event time of its last event, in µs since 1970.
    pub last_seen: Option<i64>,
    /// Its `signedUpAt` in µs since 1970, if it is a valid time.
    pub signed_up: Option<i64>,
    /// It shows a `userId`.
    pub identified: bool,
    /// Its conversation has started.
    pub started: bool,
}

/// The search terms of an app user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchTerms {
    /// The words of its names, or else of its display name, of its e-mail address and its `userId`.
    pub words: BTreeSet<String>,
    /// Its e-mail address, as JSON text.
    pub email: Option<JsonText>,
    /// The platforms of its clients.
    pub platforms: BTreeSet<String>,
    /// The versions of the apps of its clients.
    pub app_versions: BTreeSet<String>,
    /// The e-mail addresses among its identities.
    pub identity_emails: BTreeSet<String>,
}

/// The members of a client that lists filter by, if they are strings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientTraits<'a> {
    /// Its `platform`.
    pub platform: Option<Cow<'a, str>>,
    /// Its `appVersion`.
    pub app_version: Option<Cow<'a, str>>,
}

impl SortKeys {
    /// The sort keys of a whole group.
    pub fn of(group: &MergeGroup<'_>) -> Self {
        Self {
            last_seen: group.records().filter_map(|record| record.last_seen).max(),
            signed_up: shown_value(group, &Field::SignedUpAt)
                .and_then(|text| timestamp::parse_json_timestamp(text)),
            identified: shown_value(group, &Field::UserId).is_some(),
            started: group.records().any(|record| record.started),
        }
    }
}

impl SearchTerms {
    /// The search terms of a whole group: the first [`SEARCHED_WORDS`] words of its texts.
    pub fn of(group: &MergeGroup<'_>) -> Self {
        let has_name =
            [Field::GivenName, Field::Surname].iter().any(|field| shown_value(group, field).is_some());
        let searched = searched_fields().filter(|field| !has_name || **field != Field::DisplayName);
        let texts = searched.filter_map(|field| shown_value(group, field));
        // A value that is not a string is searched by its JSON text.
        let texts =
            texts.map(|text| serde_json::from_str::<Cow<'_, str>>(text).unwrap_or(Cow::Borrowed(text)));
        let (mut platforms, mut app_versions) = (BTreeSet::new(), BTreeSet::new());
        for client in clients::shown_clients(group, |_| true).values() {
            let ClientTraits { platform, app_version } = client.traits();
            platforms.extend(platform.map(Cow::into_owned));
            app_versions.extend(app_version.map(Cow::into_owned));
        }
        Self {
            words: texts.flat_map(|text| split_words(&text)).take(SEARCHED_WORDS).collect(),
            email: shown_value(group, &Field::Email).cloned(),
            platforms,
            app_versions,
            identity_emails: shown_value(group, &Field::Identities)
                .map(|text| parse_emails(text))
                .unwrap_or_default(),
        }
    }

    /// True if a record certainly has the same terms and keys as before, except the time last seen and the flags that
    /// are never reset. Cheap, and true for nearly every event.
    pub fn are_the_same(before: &Record, now: &Record) -> bool {
        let (was, is) = (&before.smooch, &now.smooch);
        let listed = |(_, was): clients::ClientValues<'_>, (_, is): clients::ClientValues<'_>| {
            was == is || ClientTraits::among(was) == ClientTraits::among(is)
        };
        let clients = || clients::are_the_same(&SmoochId::from(SmoochId::APP), before, now, listed);
        let is_listed = |field: &Field| {
            matches!(field, Field::SignedUpAt | Field::Identities)
                || field.spec().is_some_and(|spec| spec.searched)
        };
        let fields = || {
            join_maps(&was.fields, &is.fields).all(|(field, was, is)| {
                let [was, is] =
                    [was, is].map(|reported| reported.and_then(|reported| reported.value.as_ref()));
                was == is || !is_listed(field)
            })
        };
        before.is_plain() && now.is_plain() && fields() && clients()
    }
}

impl Client {
    /// The members that lists filter by.
    pub fn traits(&self) -> ClientTraits<'_> {
        ClientTraits::among(&self.rest)
    }
}

impl<'a> ClientTraits<'a> {
    /// The traits of a client with these members.
    fn among(rest: &'a str) -> Self {
        let (mut traits, mut members) = (Self::default(), JsonMembers::of(rest));
        while let Some((key, value)) = members.next_up_to("\"platform\"") {
            match key {
                "\"platform\"" => traits.platform = unescape_text(value),
                "\"appVersion\"" => traits.app_version = unescape_text(value),
                _ => {}
            }
        }
        traits
    }
}

/// The unescaped text of a JSON string; copied only if it has escapes.
fn unescape_text(quoted: &str) -> Option<Cow<'_, str>> {
    let plain = quoted.strip_prefix('"')?.strip_suffix('"')?;
    if plain.contains('\\') {
        serde_json::from_str(quoted).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(plain))
    }
}

/// The addresses of all identities of type `email` in a JSON list of identities.
fn parse_emails(identities: &str) -> BTreeSet<String> {
    #[derive(Deserialize)]
    struct Identity {
        #[serde(default)]
        r#type: Value,
        #[serde(default)]
        value: Value,
    }
    let identities: Vec<Identity> = serde_json::from_str::<Vec<Value>>(identities)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|identity| serde_json::from_value(identity).ok())
        .collect();
    let email = |identity: Identity| match identity.value {
        Value::String(email) if identity.r#type == "email" => Some(email),
        _ => None,
    };
    identities.into_iter().filter_map(email).collect()
}

impl View {
    /// True if the property has this value: a string with these characters, or a number, boolean or other value
    /// written like this.
    pub fn has_property(&self, key: &str, value: &str) -> bool {
        let shown = self.get(&Field::Property(key.into()));
        shown.is_some_and(|shown| **shown == *value || *shown == super::json_text(value))
    }

    /// True if an identity has this e-mail address, compared without case.
    pub fn has_identity_email(&self, email: &str) -> bool {
        let (identities, email) = (self.get(&Field::Identities), email.to_lowercase());
        identities.is_some_and(|text| parse_emails(text).iter().any(|known| known.to_lowercase() == email))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_the_platform_and_version_of_its_members() {
        for (rest, platform, version) in [
            (r#"{"lastSeen":1,"platform":"ios"}"#, Some("ios"), None),
            (r#"{"appVersion":"1.10","platform":"a\"b"}"#, Some("a\"b"), Some("1.10")),
            (r#"{"appVersion":"1","platform":7}"#, None, Some("1")),
            (r#"{"appVersion":1,"platform":"ios"}"#, Some("ios"), None),
            (r#"{"appVersion":null,"platform":null}"#, None, None),
            (r#"{"appVersion":"","platform":"ios"}"#, Some("ios"), Some("")),
            (r#"{"info":{"platform":"ios","appVersion":"1"}}"#, None, None),
            ("{}", None, None),
        ] {
            let client = Client { active: true, rest: rest.into() };
            let traits = client.traits();
            assert_eq!(
                (traits.platform.as_deref(), traits.app_version.as_deref()),
                (platform, version),
                "{rest}"
            );
        }
    }

    #[test]
    fn only_addresses_of_type_email_are_found() {
        for (identities, expected) in [
            (r#"[{"type":"email","value":"a@x"},{"type":"phoneNumber","value":"+1"}]"#, &["a@x"][..]),
            (
                r#"[{"type":"email","value":"a@x"},{"type":"email","value":"B@x","verification":"verified"}]"#,
                &["B@x", "a@x"],
            ),
            (r#"[{"type":"email","value":7},{"value":"a@x"},7,null,{"type":"email"}]"#, &[]),
            ("[]", &[]),
            ("null", &[]),
            (r#"{"type":"email","value":"a@x"}"#, &[]),
        ] {
            let found = parse_emails(identities);
            assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), expected, "{identities}");
        }
    }

    #[test]
    fn words_are_letters_and_digits_in_lower_case_without_accents() {
        for (text, expected) in [
            ("", ""),
            ("!\"*():^ -+ \u{0}\n", ""),
            ("Zoë  O'Neill-Ångström", "zoe o neill angstrom"),
            ("zoe\u{308}", "zoe"),
            ("ann.lee+x@Example.COM", "ann lee x example com"),
            ("İstanbul", "istanbul"),
            ("STRASSE straße", "strasse straße"),
            ("Ｆｕｌｌ ①", "full 1"),
            ("५ हिन्दी", "५ हिन्दी"),
            ("日本 語", "日本 語"),
            ("NEAR and OR a*b", "near and or a b"),
            ("№ ℡", "no tel"),
        ] {
            assert_eq!(split_words(text), expected.split_whitespace().collect::<Vec<_>>(), "{text}");
        }
    }

    #[test]
    fn a_word_counts_up_to_its_255th_byte() {
        let long = |letter: char, letters: usize| std::iter::repeat_n(letter, letters).collect::<String>();
        for (text, expected) in [
            (long('a', 255), long('a', 255)),
            (long('a', 256), long('a', 255)),
            (long('ß', 127) + "a", long('ß', 127) + "a"),
            (long('ß', 127) + "aß", long('ß', 127) + "a"),
            (long('ß', 128), long('ß', 127)),
        ] {
            assert_eq!(split_words(&text), [expected], "{text}");
        }
        assert_eq!(split_long_words(&long('a', 256)), [long('a', 256)]);
    }
}
