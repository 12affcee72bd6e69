//! Objects that are written: member by member where a list of answers is on the way, else as a serde type.

use std::borrow::BorrowMut;

use serde::Serialize;
use serde_json::value::RawValue;

use super::value::Json;
use super::write::{write_array, write_string};

/// An object that is written member by member into a text, its own or another's.
pub struct ObjectWriter<S = String> {
    out: S,
    is_empty: bool,
}

impl ObjectWriter {
    /// An object with a text of its own.
    pub fn new() -> Self {
        Self::begin(String::new())
    }
}

impl Default for ObjectWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: BorrowMut<String>> ObjectWriter<S> {
    /// Begins an object at the end of a text.
    pub fn begin(mut out: S) -> Self {
        out.borrow_mut().push('{');
        Self { out, is_empty: true }
    }

    /// The text, for the value of a member.
    pub fn key(&mut self, key: &str) -> &mut String {
        let out = self.out.borrow_mut();
        if !std::mem::replace(&mut self.is_empty, false) {
            out.push(',');
        }
        write_string(key, out);
        out.push(':');
        out
    }

    /// Writes a member whose value is JSON text already.
    pub fn raw(&mut self, key: &str, json: &str) {
        self.key(key).push_str(json);
    }

    /// A member with the canonical text of a value.
    pub fn json(&mut self, key: &str, value: &Json<'_>) {
        value.write(self.key(key));
    }

    /// The members of an object that is JSON text without white space.
    pub fn members(&mut self, object: &str) {
        let members = object.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or_default();
        let out = self.out.borrow_mut();
        if !members.is_empty() && !std::mem::replace(&mut self.is_empty, false) {
            out.push(',');
        }
        out.push_str(members);
    }

    /// Writes a member whose value is a string.
    pub fn string(&mut self, key: &str, text: &str) {
        write_string(text, self.key(key));
    }

    /// Writes a member whose value is a boolean.
    pub fn bool(&mut self, key: &str, value: bool) {
        self.raw(key, if value { "true" } else { "false" });
    }

    /// Writes a member whose value is an array; `write` writes each item.
    pub fn array<T>(
        &mut self,
        key: &str,
        items: impl IntoIterator<Item = T>,
        write: impl Fn(T, &mut String),
    ) {
        write_array(items, self.key(key), write);
    }

    /// The text with the object in it.
    pub fn end(mut self) -> S {
        self.out.borrow_mut().push('}');
        self.out
    }
}

/// JSON text as a member of a serde type: its bytes stay, so that no digit of a number is lost.
pub fn raw(text: impl Into<String>) -> Box<RawValue> {
    RawValue::from_string(text.into()).unwrap_or_default()
}

/// The JSON text of an answer. Answers have string keys and valid members, so none fails.
pub fn to_json(answer: &impl Serialize) -> String {
    serde_json::to_string(answer).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_members_keep_their_bytes() {
        for text in ["1.50", "1e400", "\"\\u00e9\u{e9}\"", "{\"b\":[1,{}],\"a\":null}"] {
            assert_eq!(to_json(&[raw(text)]), format!("[{text}]"));
        }
    }

    #[test]
    fn both_ways_of_writing_escape_alike() {
        let text: String =
            (0..0x100_u32).filter_map(char::from_u32).chain("\u{2028}\u{ffff}😀".chars()).collect();
        let mut object = ObjectWriter::new();
        object.string(&text, &text);
        assert_eq!(object.end(), to_json(&std::collections::BTreeMap::from([(&text, &text)])));
    }
}
