//! Reading what is kept of a client, and writing objects.

use crate::smooch::json::{Json, write_string};

/// What is kept of a client, read again. What cannot be read has no members.
pub(super) fn members(rest: &str) -> Json<'_> {
    // It was written by us, no deeper than the body it came in.
    Json::parse(rest.as_bytes(), usize::MAX).map_or(Json::Null, |document| document.value)
}

/// An object, written member by member.
pub(super) struct Members(String);

impl Members {
    pub(super) fn new() -> Self {
        Self("{".to_owned())
    }

    pub(super) fn put(&mut self, name: &str, value: &Json<'_>) {
        value.canonical(|text| self.text(name, text));
    }

    /// A member whose value is JSON text already.
    pub(super) fn text(&mut self, name: &str, text: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        write_string(name, &mut self.0);
        self.0.push(':');
        self.0.push_str(text);
    }

    pub(super) fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}
