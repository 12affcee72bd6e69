//! Finds erased app users in unparsed bodies by the texts that they are known by.

use std::collections::BTreeSet;

use memchr::memmem;

use super::encodings::readings;
use super::ids::LONG;
use super::spellings::any_spelling;
use crate::domain::{Field, Record, SmoochId};
use crate::format::erasure_work::Needles;

impl Needles {
    /// The texts of these app users.
    pub(super) fn of<'r>(erased: impl Iterator<Item = (&'r SmoochId, &'r Record)>) -> Self {
        let mut needles = Self::default();
        for (_, record) in erased {
            needles.names.extend(record.user_ids().into_iter().filter_map(|text| string(text)));
            let clients =
                record.smooch.clients.keys().chain(record.devices.keys()).chain(record.claims.keys());
            needles.reached.extend(clients.map(|client| client.as_str().to_owned()));
            let said =
                record.smooch.fields.iter().filter_map(|(field, said)| Some((field, said.value.as_ref()?)));
            let set = record.overrides.iter().flat_map(|(field, set)| {
                [&set.value.value, &set.value.basis].into_iter().flatten().map(move |text| (field, text))
            });
            let emails = said.chain(set).filter(|(field, _)| **field == Field::Email);
            needles.reached.extend(emails.filter_map(|(_, text)| string(text)));
            let fields = record.smooch.fields.keys().chain(record.overrides.keys());
            let own = fields.filter(|field| !field.is_tagged());
            needles.fields.extend(own.map(ToString::to_string));
        }
        needles.names.remove("");
        needles.reached.remove("");
        needles
    }

    /// Whether a kept answer shows the person by one of these `_id`s or a `userId`: there, a text stands behind its
    /// length.
    pub(super) fn shown_in(&self, ids: &BTreeSet<SmoochId>, answer: &[u8]) -> bool {
        let mut names = ids.iter().map(SmoochId::as_str).chain(self.names.iter().map(String::as_str));
        names.any(|name| {
            let length = u8::try_from(name.len()).unwrap_or(0);
            let mut found = memmem::find_iter(answer, name.as_bytes());
            found.any(|at| name.len() >= LONG || answer[..at].last() == Some(&length))
        })
    }

    /// A `userId`, as JSON text, that somebody carries who stays does not tell the two apart.
    pub(super) fn spare(&mut self, user_id: &str) {
        string(user_id).iter().for_each(|user_id| _ = self.names.remove(user_id));
    }

    /// Takes in what others are looked for by.
    pub(super) fn join(&mut self, other: Self) {
        self.names.extend(other.names);
        self.reached.extend(other.reached);
        self.fields.extend(other.fields);
        self.kin.extend(other.kin);
    }

    /// Whether a text mentions the person by any of what they go by beside an `_id`, in any spelling and in whatever
    /// encoding.
    pub(super) fn mentioned_in(&self, text: &[u8]) -> bool {
        if self.names.is_empty() && self.reached.is_empty() {
            return false;
        }
        let is_in = |text: &[u8], _| {
            let plain = text.to_ascii_lowercase();
            self.names.iter().chain(&self.reached).any(|name| finds(&plain, name))
        };
        any_spelling(text, is_in) || readings(text).iter().any(|text| any_spelling(text, is_in))
    }

    /// Whether a text that is about somebody else names the person by a `userId` that is long enough to be
    /// nothing else.
    pub(super) fn named_in(&self, text: &[u8]) -> bool {
        let long = || self.names.iter().filter(|name| name.len() >= LONG);
        long().next().is_some()
            && any_spelling(text, |text, _| {
                let plain = text.to_ascii_lowercase();
                long().any(|name| finds(&plain, name))
            })
    }
}

/// Whether a text in lower case has a name in it; a short one only as the whole of a string.
fn finds(plain: &[u8], name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let sought = if name.len() >= LONG { lower } else { format!("\"{lower}\"") };
    memmem::find(plain, sought.as_bytes()).is_some()
}

fn string(json: &str) -> Option<String> {
    serde_json::from_str(json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needles(names: &[&str]) -> Needles {
        Needles { names: names.iter().map(|name| (*name).to_owned()).collect(), ..Needles::default() }
    }

    #[test]
    fn a_person_is_found_however_json_writes_the_name() {
        let needles = needles(&["zoë/42", "a \"quoted\" name"]);
        for body in [
            r#"{"userId":"zoë/42"}"#,
            r#"{"userId":"zo\u00eb/42"}"#,
            r#"{"userId":"zo\u00EB\/42"}"#,
            r#"{"userId":"\u005ao\u00eb/42"}"#,
            r#"{"x":"a \"quoted\" name"}"#,
            r#"broken {"x":"not a \"quoted\" name, but"#,
        ] {
            assert!(needles.mentioned_in(body.as_bytes()), "{body}");
        }
    }

    #[test]
    fn a_short_name_is_the_whole_of_a_string() {
        let short = needles(&["bob"]);
        assert!(short.mentioned_in(br#"{"userId": "bob"}"#));
        assert!(!short.mentioned_in(br#"{"userId": "bobby", "x": "kabob"}"#));
        assert!(!short.named_in(br#"{"userId": "bob"}"#), "too many others are called so");
        assert!(needles(&["bob@example.org"]).named_in(br#"{"text":"ask Bob@example.org"}"#));
        let ids = BTreeSet::new();
        assert!(short.shown_in(&ids, b"\x00\x03bob\x00") && !short.shown_in(&ids, b"\x05bobby"));
    }
}
