//! What lists and searches go by, of an app user as the world sees it.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::Deserialize;

use super::app_user::{Client, Record, Text};
use super::fact::Field;
use super::group::Group;
use super::moment;
use super::view::{View, clients, value};
use super::words::words;

/// The texts that are searched for by their words.
const SEARCHED: [Field; 4] = [Field::GivenName, Field::Surname, Field::Email, Field::UserId];

/// What an app user is sorted and filtered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Event time of its last event, in µs since 1970.
    pub last_seen: Option<i64>,
    /// Its `signedUpAt` in µs since 1970, if that is a moment.
    pub signed_up: Option<i64>,
    /// It shows a `userId`.
    pub identified: bool,
    /// Its conversation has started.
    pub started: bool,
}

/// What an app user is searched by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traits {
    /// The words of its names, its e-mail address and its `userId`.
    pub words: BTreeSet<String>,
    /// Its e-mail address, as JSON text.
    pub email: Option<Text>,
    /// The platforms of its clients.
    pub platforms: BTreeSet<String>,
}

impl Summary {
    /// Of everybody in a group.
    pub fn of(group: &Group<'_>) -> Self {
        Self {
            last_seen: group.records().filter_map(|record| record.last_seen).max(),
            signed_up: value(group, &Field::SignedUpAt).and_then(|text| moment::told(text)),
            identified: value(group, &Field::UserId).is_some(),
            started: group.records().any(|record| record.started),
        }
    }
}

impl Traits {
    /// Of everybody in a group.
    pub fn of(group: &Group<'_>) -> Self {
        let texts = SEARCHED.iter().filter_map(|field| value(group, field));
        // A name that is no text is searched for by what it looks like.
        let texts =
            texts.map(|text| serde_json::from_str::<Cow<'_, str>>(text).unwrap_or(Cow::Borrowed(text)));
        Self {
            words: texts.flat_map(|text| words(&text)).collect(),
            email: value(group, &Field::Email).cloned(),
            platforms: clients(group, |_| true)
                .values()
                .filter_map(Client::platform)
                .map(Cow::into_owned)
                .collect(),
        }
    }

    /// Whether a record certainly shows what it showed before, all of it but when it was seen and the flags that
    /// only rise. Cheap, and true of nearly every event.
    pub fn are_the_same(before: &Record, now: &Record) -> bool {
        let (was, is) = (&before.smooch, &now.smooch);
        let shown = |field: &Field| [was, is].map(|layer| layer.fields.get(field).map(|said| &said.value));
        let same = |field: &Field| {
            let [was, is] = shown(field);
            was == is
        };
        let platforms = || {
            was.clients.len() == is.clients.len()
                && was.clients.iter().zip(&is.clients).all(|((_, was), (_, is))| {
                    let platform = |client: &'_ Option<Client>| {
                        client.as_ref().and_then(Client::platform).map(Cow::into_owned)
                    };
                    was.value == is.value || platform(&was.value) == platform(&is.value)
                })
        };
        let fields = SEARCHED.iter().chain([&Field::SignedUpAt]).all(same);
        before.is_plain() && now.is_plain() && fields && platforms()
    }
}

impl Client {
    /// Its `platform`, if it is a string.
    pub fn platform(&self) -> Option<Cow<'_, str>> {
        #[derive(Deserialize)]
        struct Rest<'a> {
            #[serde(borrow, default)]
            platform: Option<Cow<'a, str>>,
        }
        serde_json::from_str::<Rest<'_>>(&self.rest).ok()?.platform
    }
}

impl View {
    /// Whether it has a property with this value: a string with these characters, or a number, a boolean or
    /// anything else that is written like this.
    pub fn has_property(&self, key: &str, value: &str) -> bool {
        let told = self.get(&Field::Property(key.into()));
        told.is_some_and(|told| **told == *value || *told == super::json_text(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_the_platform_that_it_says() {
        for (rest, expected) in [
            (r#"{"lastSeen":1,"platform":"ios"}"#, Some("ios")),
            (r#"{"platform":"a\"b"}"#, Some("a\"b")),
            (r#"{"platform":7}"#, None),
            (r#"{"platform":null}"#, None),
            (r#"{"info":{"platform":"ios"}}"#, None),
            ("{}", None),
        ] {
            let client = Client { active: true, rest: rest.into() };
            assert_eq!(client.platform().as_deref(), expected, "{rest}");
        }
    }
}
