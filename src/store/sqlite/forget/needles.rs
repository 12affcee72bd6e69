//! What a person is looked for by, in bodies that nobody has read.

use std::collections::BTreeSet;

use memchr::memmem;
use serde::{Deserialize, Serialize};

use crate::domain::{Field, Record, SmoochId};

/// A shorter text is only looked for between quotes, where it is the whole of a string.
const LONG: usize = 8;
/// Longer strings are no `_id`s.
const LONGEST_ID: usize = 256;

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Needles {
    /// `_id`s and `userId`s.
    names: BTreeSet<String>,
    /// Client ids and e-mail addresses.
    reached: BTreeSet<String>,
    /// The names of properties, as the feed has them.
    pub(super) fields: BTreeSet<String>,
    /// Everybody whom merges connected with them.
    pub(super) kin: BTreeSet<SmoochId>,
}

impl Needles {
    pub(super) fn of<'r>(erased: impl Iterator<Item = (&'r SmoochId, &'r Record)>) -> Self {
        let mut needles = Self::default();
        for (id, record) in erased {
            needles.names.insert(id.as_str().to_owned());
            needles.names.extend(record.user_ids().into_iter().filter_map(|text| string(text)));
            let clients =
                record.smooch.clients.keys().chain(record.devices.keys()).chain(record.claims.keys());
            needles.reached.extend(clients.map(|client| client.as_str().to_owned()));
            let said =
                record.smooch.fields.iter().filter_map(|(field, said)| Some((field, said.value.as_ref()?)));
            let set = record.ours.iter().flat_map(|(field, set)| {
                [&set.value.value, &set.value.basis].into_iter().flatten().map(move |text| (field, text))
            });
            let emails = said.chain(set).filter(|(field, _)| **field == Field::Email);
            needles.reached.extend(emails.filter_map(|(_, text)| string(text)));
            let fields = record.smooch.fields.keys().chain(record.ours.keys());
            let own = fields.filter(|field| matches!(field, Field::Property(_) | Field::Other(_)));
            needles.fields.extend(own.map(ToString::to_string));
        }
        needles.names.remove("");
        needles.reached.remove("");
        needles
    }

    /// Whether an `_id` or a `userId` is a word of it.
    pub(super) fn named_in(&self, text: &str) -> bool {
        let ends = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
        let is_word = |at: usize, name: &str| {
            ends(text[..at].chars().next_back()) && ends(text[at + name.len()..].chars().next())
        };
        self.names
            .iter()
            .any(|name| text.match_indices(&**name).any(|(at, _)| name.len() >= LONG || is_word(at, name)))
    }

    /// Whether a kept answer shows any of the `_id`s: there, a text stands behind its length.
    pub(super) fn shown_in(&self, answer: &[u8]) -> bool {
        self.names.iter().any(|name| {
            let length = u8::try_from(name.len()).unwrap_or(0);
            let mut found = memmem::find_iter(answer, name.as_bytes());
            found.any(|at| name.len() >= LONG || answer[..at].last() == Some(&length))
        })
    }

    /// Whether it mentions the person by any of what they go by, however JSON writes it.
    pub(super) fn mentioned_in(&self, bytes: &[u8]) -> bool {
        self.names.iter().chain(&self.reached).any(|name| {
            forms(name).iter().any(|quoted| {
                let form = if name.len() >= LONG { &quoted[1..quoted.len() - 1] } else { quoted };
                memmem::find(bytes, form.as_bytes()).is_some()
            })
        })
    }
}

fn string(json: &str) -> Option<String> {
    serde_json::from_str(json).ok()
}

/// A string as different writers of JSON write it, with its quotes.
fn forms(text: &str) -> BTreeSet<String> {
    let plain = serde_json::Value::from(text).to_string();
    let escaped = |upper: bool| -> String {
        let unit = |unit: u16| if upper { format!("\\u{unit:04X}") } else { format!("\\u{unit:04x}") };
        let one = |c: char| -> String {
            if c.is_ascii() {
                c.to_string()
            } else {
                c.encode_utf16(&mut [0; 2]).iter().map(|u| unit(*u)).collect()
            }
        };
        plain.chars().map(one).collect()
    };
    let all = [escaped(false), escaped(true), plain.clone()];
    all.into_iter().flat_map(|form| [form.replace('/', "\\/"), form]).collect()
}

/// Whatever stands between two quotes of a body, as it is, each as long as an `_id` may be.
pub(super) fn strings(body: &[u8]) -> impl Iterator<Item = &str> {
    let between = body.split(|byte| *byte == b'"').filter(|text| (1..=LONGEST_ID).contains(&text.len()));
    between.filter_map(|text| std::str::from_utf8(text).ok())
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
        assert!(short.named_in("app_demo \"bob\"\nretry-1") && short.named_in("bob\n1"));
        assert!(!short.named_in("bobby") && !short.named_in("kabob\nx"));
        assert!(short.shown_in(b"\x00\x03bob\x00") && !short.shown_in(b"\x05bobby"));
    }

    #[test]
    fn the_strings_of_a_body_are_what_is_between_quotes() {
        let all: Vec<&str> = strings(br#"{"a":"b"#).collect();
        assert!(["a", "b"].iter().all(|text| all.contains(text)), "{all:?}");
    }
}
