//! The canonical form: sorted keys, no white space, numbers as they came.

use std::borrow::Cow;
use std::cell::RefCell;

use super::value::Json;

impl<'a> Json<'a> {
    /// Writes the value with sorted keys, no white space, numbers as received, and texts as shown.
    pub fn write(&self, out: &mut String) {
        self.write_as(false, out);
    }

    fn write_as(&self, exact: bool, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(true) => out.push_str("true"),
            Self::Bool(false) => out.push_str("false"),
            Self::Number(number) => out.push_str(number),
            // Borrowed, it came without an escape, so it needs none.
            Self::String(Cow::Borrowed(plain)) => write_plain(plain, out),
            Self::String(Cow::Owned(text)) => write_string(text, out),
            Self::Garbled(garbled) if exact => write_plain(garbled.raw, out),
            Self::Garbled(garbled) => write_string(&garbled.shown, out),
            Self::Array(items) => write_array(items, out, |item, out| item.write_as(exact, out)),
            Self::Object(members) => {
                write_object(members.iter().map(|(key, value)| (&**key, value)), exact, out);
            }
        }
    }

    /// Gives the value's canonical form to `reader`. The text lives in a buffer of the thread, since a
    /// body has dozens of them.
    pub fn canonical<T>(&self, reader: impl FnOnce(&str) -> T) -> T {
        with_buffer(|out| self.write(out), reader)
    }

    /// As [`Self::canonical`], with every text as received: different values are written differently, and parsing the
    /// result gives the same value.
    pub fn exact<T>(&self, reader: impl FnOnce(&str) -> T) -> T {
        with_buffer(|out| self.write_as(true, out), reader)
    }
}

/// Lets `writer` write into the thread's buffer, and passes the result to `reader`.
pub fn with_buffer<T>(writer: impl FnOnce(&mut String), reader: impl FnOnce(&str) -> T) -> T {
    thread_local! {
        static BUFFER: RefCell<String> = const { RefCell::new(String::new()) };
    }
    // Taken, not borrowed: a buffer that is in use already is replaced by a fresh one.
    let mut buffer = BUFFER.take();
    buffer.clear();
    writer(&mut buffer);
    let read = reader(&buffer);
    BUFFER.set(buffer);
    read
}

/// Writes an object of members that are sorted already, each as [`Json::exact`] or as [`Json::canonical`].
pub fn write_object<'v, 'a: 'v>(
    members: impl IntoIterator<Item = (&'v str, &'v Json<'a>)>,
    exact: bool,
    out: &mut String,
) {
    out.push('{');
    for (n, (key, value)) in members.into_iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        write_string(key, out);
        out.push(':');
        value.write_as(exact, out);
    }
    out.push('}');
}

/// Writes an array; `write` writes each item.
pub fn write_array<T>(items: impl IntoIterator<Item = T>, out: &mut String, write: impl Fn(T, &mut String)) {
    out.push('[');
    for (n, item) in items.into_iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        write(item, out);
    }
    out.push(']');
}

#[inline(always)]
fn write_plain(text: &str, out: &mut String) {
    out.push('"');
    out.push_str(text);
    out.push('"');
}

/// Writes a JSON string with the fewest possible escapes.
pub fn write_string(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = find_special(rest.as_bytes()) {
        out.push_str(&rest[..at]);
        match rest.as_bytes()[at] {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x08 => out.push_str("\\b"),
            0x0c => out.push_str("\\f"),
            byte => out.push_str(&format!("\\u{byte:04x}")),
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('"');
}

/// The bytes that a string must escape: control characters, quote and backslash.
static SPECIAL: [bool; 256] = {
    let mut special = [false; 256];
    let mut control = 0;
    while control < 0x20 {
        special[control] = true;
        control += 1;
    }
    special[b'"' as usize] = true;
    special[b'\\' as usize] = true;
    special
};

/// The position of the first such byte.
pub(super) fn find_special(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| SPECIAL[usize::from(*byte)])
}
