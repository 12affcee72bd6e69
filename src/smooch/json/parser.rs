//! The parser.

use std::borrow::Cow;

use memchr::memchr2;

use super::value::{Garbled, Json, compare_keys};
use super::write::find_special;

/// The first syntax error of a body.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("{what} at byte {at}")]
pub struct Malformed {
    /// The error.
    pub what: &'static str,
    /// Offset into the body, in bytes.
    pub at: usize,
}

/// A parsed body.
#[derive(Debug)]
pub struct Document<'a> {
    /// Its value.
    pub value: Json<'a>,
    /// The number of keys that occur more than once in one object.
    pub repeated_keys: usize,
}

/// Some senders and editors write it before the text (RFC 8259, section 8.1: it may be ignored).
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A text without the byte order mark that it may begin with.
pub fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)
}

/// True if a text has nothing but white space and a byte order mark.
pub fn is_blank(text: &[u8]) -> bool {
    without_mark(text).trim_ascii().is_empty()
}

/// The error of a body that is nested deeper than allowed.
pub const TOO_DEEP: &str = "nested too deep";

impl<'a> Json<'a> {
    /// Reads a whole body, with or without a byte order mark. At most `depth` arrays and objects may be nested.
    pub fn parse(body: &'a [u8], depth: usize) -> Result<Document<'a>, Malformed> {
        let text = std::str::from_utf8(body)
            .map_err(|error| Malformed { what: "not UTF-8", at: error.valid_up_to() })?;
        let mark = body.len() - without_mark(body).len();
        let has_controls = body.iter().fold(false, |found, byte| found | (*byte < 0x20));
        let mut reader = JsonParser { text, bytes: body, at: mark, has_controls, repeated_keys: 0 };
        let value = reader.value(depth)?;
        reader.space();
        if reader.at < body.len() {
            return Err(reader.wrong("something after the value"));
        }
        Ok(Document { value, repeated_keys: reader.repeated_keys })
    }
}

struct JsonParser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// Somewhere in the body, between values most likely.
    has_controls: bool,
    repeated_keys: usize,
}

impl<'a> JsonParser<'a> {
    fn wrong(&self, what: &'static str) -> Malformed {
        Malformed { what, at: self.at }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self, depth: usize) -> Result<Json<'a>, Malformed> {
        self.space();
        match self.peek() {
            Some(b'{' | b'[') if depth == 0 => Err(self.wrong(TOO_DEEP)),
            Some(b'{') => self.object(depth - 1),
            Some(b'[') => self.array(depth - 1),
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'n') => self.word("null", Json::Null),
            Some(_) => Err(self.wrong("not a JSON value")),
            None => Err(self.wrong("the body ends too early")),
        }
    }

    fn word(&mut self, word: &str, value: Json<'a>) -> Result<Json<'a>, Malformed> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return Err(self.wrong("not a JSON value"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn array(&mut self, depth: usize) -> Result<Json<'a>, Malformed> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.eat(b']') {
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value(depth)?);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err(self.wrong("expected , or ]")),
            }
        }
        self.at += 1;
        Ok(Json::Array(items))
    }

    fn object(&mut self, depth: usize) -> Result<Json<'a>, Malformed> {
        self.at += 1;
        let mut members: Vec<(Cow<'a, str>, Json<'a>)> = Vec::new();
        self.space();
        if self.eat(b'}') {
            return Ok(Json::Object(members));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.wrong("expected a key"));
            }
            let key = match self.string()? {
                Json::String(text) => text,
                Json::Garbled(garbled) => Cow::Owned(garbled.name),
                _ => return Err(self.wrong("expected a key")),
            };
            self.space();
            if !self.eat(b':') {
                return Err(self.wrong("expected :"));
            }
            if members.capacity() == 0 {
                members.reserve(8);
            }
            members.push((key, self.value(depth)?));
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(self.wrong("expected , or }")),
            }
        }
        self.at += 1;
        if !members.is_sorted_by(|(a, _), (b, _)| compare_keys(a, b).is_lt()) {
            self.put_in_order(&mut members);
        }
        Ok(Json::Object(members))
    }

    /// Sorts members by key and keeps the last of those with one key.
    fn put_in_order(&mut self, members: &mut Vec<(Cow<'a, str>, Json<'a>)>) {
        members.sort_by(|(a, _), (b, _)| compare_keys(a, b)); // stable: equal keys stay in the order written
        let written = members.len();
        members.dedup_by(|later, earlier| {
            let same = later.0 == earlier.0;
            if same {
                std::mem::swap(later, earlier);
            }
            same
        });
        self.repeated_keys += written - members.len();
    }

    fn number(&mut self) -> Result<Json<'a>, Malformed> {
        let start = self.at;
        self.eat(b'-');
        let digits = |reader: &mut Self| {
            let from = reader.at;
            while matches!(reader.peek(), Some(b'0'..=b'9')) {
                reader.at += 1;
            }
            if reader.at > from { Ok(()) } else { Err(reader.wrong("expected a digit")) }
        };
        if !self.eat(b'0') {
            digits(self)?;
        }
        if self.eat(b'.') {
            digits(self)?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            _ = self.eat(b'+') || self.eat(b'-');
            digits(self)?;
        }
        Ok(Json::Number(&self.text[start..self.at]))
    }

    fn string(&mut self) -> Result<Json<'a>, Malformed> {
        self.at += 1;
        let start = self.at;
        if self.end_of_plain()? == b'\\' {
            return self.string_with_escapes(start);
        }
        self.at += 1;
        Ok(Json::String(Cow::Borrowed(&self.text[start..self.at - 1])))
    }

    /// Moves to the quote that ends a string or to the next backslash, and returns that byte.
    fn end_of_plain(&mut self) -> Result<u8, Malformed> {
        let rest = &self.bytes[self.at..];
        let step = if self.has_controls { find_special(rest) } else { memchr2(b'"', b'\\', rest) };
        let Some(step) = step else {
            self.at = self.bytes.len();
            return Err(self.wrong("the body ends inside a string"));
        };
        self.at += step;
        match self.bytes[self.at] {
            end @ (b'"' | b'\\') => Ok(end),
            _ => Err(self.wrong("a control character inside a string")),
        }
    }

    /// The string that began at `start` and has a backslash here.
    fn string_with_escapes(&mut self, start: usize) -> Result<Json<'a>, Malformed> {
        // For a name, the positions in the shown text after which a replaced code unit belongs, and these code units.
        let (mut shown, mut bad) = (String::new(), Vec::new());
        let mut from = start;
        while self.end_of_plain()? == b'\\' {
            shown.push_str(&self.text[from..self.at]);
            self.at += 1;
            let read = self.escape()?;
            shown.push(read.unwrap_or(char::REPLACEMENT_CHARACTER));
            bad.extend(read.err().map(|unit| (shown.len(), unit)));
            from = self.at;
        }
        shown.push_str(&self.text[from..self.at]);
        let raw = &self.text[start..self.at];
        self.at += 1;
        if bad.is_empty() {
            return Ok(Json::String(Cow::Owned(shown)));
        }
        let (mut name, mut from) = (String::new(), 0);
        for (at, unit) in bad {
            name.push_str(&shown[from..at]);
            name.push_str(&format!("{unit:04x}"));
            from = at;
        }
        name.push_str(&shown[from..]);
        Ok(Json::Garbled(Box::new(Garbled { shown, name, raw })))
    }

    /// The character of an escape, or the code unit that is not one.
    fn escape(&mut self) -> Result<Result<char, u32>, Malformed> {
        let Some(byte) = self.peek() else { return Err(self.wrong("the body ends inside a string")) };
        self.at += 1;
        match byte {
            b'"' | b'\\' | b'/' => Ok(Ok(char::from(byte))),
            b'b' => Ok(Ok('\u{8}')),
            b'f' => Ok(Ok('\u{c}')),
            b'n' => Ok(Ok('\n')),
            b'r' => Ok(Ok('\r')),
            b't' => Ok(Ok('\t')),
            b'u' => self.code_point(),
            _ => Err(self.wrong("no such escape")),
        }
    }

    fn code_point(&mut self) -> Result<Result<char, u32>, Malformed> {
        let first = self.hex()?;
        if (0xD800..0xDC00).contains(&first) && self.bytes[self.at..].starts_with(b"\\u") {
            let back = self.at;
            self.at += 2;
            let second = self.hex()?;
            if (0xDC00..0xE000).contains(&second) {
                let whole = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                return Ok(char::from_u32(whole).ok_or(first));
            }
            self.at = back;
        }
        Ok(char::from_u32(first).filter(|char| *char != '\0').ok_or(first))
    }

    fn hex(&mut self) -> Result<u32, Malformed> {
        let digits = self.bytes.get(self.at..self.at + 4).and_then(|digits| {
            let digit = |value: u32, byte: &u8| Some(value * 16 + char::from(*byte).to_digit(16)?);
            digits.iter().try_fold(0, digit)
        });
        let Some(value) = digits else { return Err(self.wrong("expected four hex digits")) };
        self.at += 4;
        Ok(value)
    }
}
