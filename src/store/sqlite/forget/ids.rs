//! The `_id`s of erased app users, recognised in text that nobody has parsed.
//!
//! A webhook is searched for them before it is journalled, so the search costs little: only strings and words
//! as long as an erased `_id` are looked up, each by its hash.

use std::borrow::Cow;
use std::hash::{BuildHasher as _, Hasher as _};

use hashbrown::{DefaultHashBuilder, HashMap, HashSet};
use memchr::{memchr, memchr_iter, memmem};
use rusqlite::Connection;

use super::encodings::{is_opaque, readings};
use crate::domain::{AppId, SmoochId};
use crate::store::sqlite::{Result, trouble};

/// A shorter `_id` counts only as the whole of a string, or as a number.
pub(super) const LONG: usize = 8;
/// Longer texts are no `_id`s.
const LONGEST: usize = 256;

/// Every erased `_id` of the database.
#[derive(Debug, Default)]
pub(in crate::store::sqlite) struct Tombstones(HashMap<AppId, IdSet>);

impl Tombstones {
    pub(in crate::store::sqlite) fn read(conn: &Connection) -> Result<Self> {
        let mut all = Self::default();
        let mut select = conn.prepare("SELECT app, id FROM erasures").map_err(trouble)?;
        let mut rows = select.query([]).map_err(trouble)?;
        while let Some(row) = rows.next().map_err(trouble)? {
            let read = || -> rusqlite::Result<_> {
                Ok((AppId::from(row.get_ref(0)?.as_str()?), SmoochId::from(row.get_ref(1)?.as_str()?)))
            };
            let (app, id) = read().map_err(trouble)?;
            all.add(&app, &id);
        }
        Ok(all)
    }

    pub(in crate::store::sqlite) fn add(&mut self, app: &AppId, id: &SmoochId) {
        self.0.entry(app.clone()).or_default().add(id.as_str());
    }

    /// Whether a text names an erased `_id` of the app.
    pub(in crate::store::sqlite) fn named_in(&self, app: &AppId, text: &[u8]) -> bool {
        self.0.get(app).is_some_and(|ids| ids.named_in(text))
    }
}

/// Some `_id`s of one app. Of hexadecimal numbers, as Smooch's are, upper and lower case are the same; any other
/// `_id` that differs in case is somebody else's.
#[derive(Debug, Default)]
pub(super) struct IdSet {
    hashes: HashSet<u64>,
    hasher: DefaultHashBuilder,
    /// A bit for each length that an `_id` has.
    lengths: [u64; LONGEST / 64 + 1],
    /// The least length of an `_id` that is found as a word of a longer text; 0 if there is none.
    shortest_word: usize,
    /// Whether an `_id` is too short to be found as a word.
    has_short: bool,
    /// Whether an `_id` is a number that is too short to be found as a word.
    has_numbers: bool,
    /// Whether an `_id` has other characters than letters and digits, which JSON may escape in many ways.
    has_others: bool,
}

impl IdSet {
    pub(super) fn of<'i>(ids: impl IntoIterator<Item = &'i SmoochId>) -> Self {
        let mut set = Self::default();
        ids.into_iter().for_each(|id| set.add(id.as_str()));
        set
    }

    fn add(&mut self, id: &str) {
        let length = id.len();
        if !(1..=LONGEST).contains(&length) {
            return;
        }
        self.lengths[length / 64] |= 1 << (length % 64);
        let is_word = id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        self.has_others |= !is_word;
        if is_word && length >= LONG && (self.shortest_word == 0 || length < self.shortest_word) {
            self.shortest_word = length;
        }
        self.has_short |= length < LONG;
        self.has_numbers |= length < LONG && id.bytes().all(|byte| byte.is_ascii_digit());
        self.hashes.insert(self.hash(id.as_bytes()));
    }

    fn hash(&self, id: &[u8]) -> u64 {
        let folds = id.len() >= LONG && id.iter().all(u8::is_ascii_hexdigit);
        let mut hasher = self.hasher.build_hasher();
        for part in id.chunks(32) {
            let mut padded = [0; 32];
            padded[..part.len()].copy_from_slice(part);
            if folds {
                padded.make_ascii_lowercase();
            }
            hasher.write(&padded);
        }
        hasher.finish()
    }

    fn contains(&self, text: &[u8]) -> bool {
        let length = text.len();
        length <= LONGEST
            && self.lengths[length / 64] >> (length % 64) & 1 == 1
            && self.hashes.contains(&self.hash(text))
    }

    /// Whether a text, which may be JSON or a part of it, names one of them: as a string, as a number, or, if
    /// it is long enough, as a word of a longer string. Bytes that are text in no code known here may name anybody.
    pub(super) fn named_in(&self, text: &[u8]) -> bool {
        if self.hashes.is_empty() {
            return false;
        }
        if self.is_named_as_it_stands(text) {
            return true;
        }
        let readings = readings(text);
        readings.iter().any(|text| self.is_named_as_it_stands(text)) || is_opaque(text, &readings)
    }

    fn is_named_as_it_stands(&self, text: &[u8]) -> bool {
        let may_be_escaped = match self.has_others {
            true => memchr(b'\\', text).is_some(),
            // A letter or a digit is escaped only by its number.
            false => memmem::find(text, b"\\u00").is_some(),
        };
        self.is_in(text) || (may_be_escaped && self.is_in(&unescaped(text)))
    }

    fn is_in(&self, text: &[u8]) -> bool {
        if !self.has_short && !self.has_others {
            return self.has_word(text);
        }
        let mut from = 0;
        for end in memchr_iter(b'"', text).chain([text.len()]) {
            let part = &text[from..end];
            if self.contains(part) || self.has_word(part) || (self.has_numbers && self.has_number(part)) {
                return true;
            }
            from = end + 1;
        }
        false
    }

    /// Looks at every byte that a word of the least length cannot avoid.
    fn has_word(&self, text: &[u8]) -> bool {
        let is_end = |byte: &u8| !byte.is_ascii_alphanumeric();
        let step = self.shortest_word;
        let mut at = step.wrapping_sub(1);
        while at < text.len() {
            if !is_end(&text[at]) {
                let start = text[..at].iter().rposition(is_end).map_or(0, |end| end + 1);
                let end = text[at..].iter().position(is_end).map_or(text.len(), |length| at + length);
                if self.contains(&text[start..end]) {
                    return true;
                }
                at = end;
            }
            at += step;
        }
        false
    }

    /// Looks at what JSON would take for a number, which no part of an address or of a longer text is.
    fn has_number(&self, text: &[u8]) -> bool {
        let mut values = text.split(|byte| byte.is_ascii_whitespace() || b",:[]{}".contains(byte));
        values.any(|value| value.iter().all(u8::is_ascii_digit) && self.contains(value))
    }
}

/// A text with the escapes of JSON read, wherever they stand.
pub(super) fn unescaped(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr(b'\\', text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr(b'\\', rest) {
        plain.extend_from_slice(&rest[..at]);
        let (read, escaped) = escape(&rest[at + 1..]);
        plain.extend_from_slice(escaped.encode_utf8(&mut [0; 4]).as_bytes());
        rest = &rest[at + 1 + read..];
    }
    plain.extend_from_slice(rest);
    Cow::Owned(plain)
}

/// What stands behind a backslash: how many bytes of it, and the character that they mean.
fn escape(text: &[u8]) -> (usize, char) {
    let unit = |at: usize| -> Option<u16> {
        let digits = text.get(at..at + 4).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    match text.first() {
        Some(b'u') => {
            let Some(first) = unit(1) else { return (0, '\\') };
            let second = text.get(5..7).filter(|next| *next == b"\\u").and_then(|_| unit(7));
            match char::decode_utf16([first].into_iter().chain(second)).next() {
                Some(Ok(char)) if char.len_utf16() == 2 => (11, char),
                Some(Ok(char)) => (5, char),
                _ => (5, char::REPLACEMENT_CHARACTER),
            }
        }
        Some(b'n') => (1, '\n'),
        Some(b'r') => (1, '\r'),
        Some(b't') => (1, '\t'),
        Some(b'b') => (1, '\u{8}'),
        Some(b'f') => (1, '\u{c}'),
        Some(byte @ (b'"' | b'\\' | b'/')) => (1, char::from(*byte)),
        _ => (0, '\\'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(ids: &[&str]) -> IdSet {
        IdSet::of(&ids.iter().map(|id| SmoochId::from(*id)).collect::<Vec<_>>())
    }

    const HEX: &str = "5d7c0b3f9a1e4c2b8f6d0e17";

    #[test]
    fn an_id_is_found_wherever_and_however_it_is_written() {
        let hex = ids(&[HEX, "1234567890ab"]);
        for text in [
            format!("{{\"x\":\"{HEX}\"}}"),
            format!("{{\"{HEX}\":1}}"),
            format!("{{\"url\":\"https://example.com/appusers/{HEX}/messages\"}}"),
            format!("{{\"x\":\"{}\"}}", HEX.to_uppercase()),
            format!("{{\"x\":\"see {HEX}, {HEX}\"}}"),
            format!("{{\"x\":\"{}\"}}", HEX.replace('c', "\\u0063")),
            format!("{{\"x\":\"a \\\"{HEX}\\\" b\"}}"),
            format!("{{\"x\":\"{HEX}"),
            format!("x-user: {HEX}\n"),
            HEX.to_owned(),
            "{\"x\":\"1234567890aB\"}".to_owned(),
        ] {
            assert!(hex.named_in(text.as_bytes()), "{text}");
        }
        for text in [
            format!("{{\"x\":\"{HEX}0\"}}"),
            format!("{{\"x\":\"{}\"}}", &HEX[1..]),
            format!("{{\"x\":\"{}\"}}", HEX.replace('c', "d")),
            "{}".to_owned(),
            String::new(),
        ] {
            assert!(!hex.named_in(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn a_short_id_is_a_whole_string_or_a_number() {
        let short = ids(&["p1", "42"]);
        for text in ["{\"x\":\"p1\"}", "{\"x\":42}", "[42,1]", "{\"x\":\"\\u00701\"}"] {
            assert!(short.named_in(text.as_bytes()), "{text}");
        }
        for text in [
            "{\"x\":\"p10\"}",
            "{\"x\":\"P1\"}",
            "{\"x\":421}",
            "{\"x\":\"a p1 b\"}",
            "host: 10.42.0.1",
            "a-42",
        ] {
            assert!(!short.named_in(text.as_bytes()), "{text}");
        }
        assert!(!ids(&[]).named_in(b"\"p1\""));
        let odd = ids(&["kan/arie-\u{e9}"]);
        for text in ["\"kan/arie-\u{e9}\"", "\"kan\\/arie-\\u00e9\""] {
            assert!(odd.named_in(text.as_bytes()), "{text}");
        }
        assert!(!odd.named_in("\"Kan/arie-\u{e9}\"".as_bytes()), "somebody else");
    }

    #[test]
    fn escapes_are_read_and_whatever_is_none_stays() {
        let read = |text: &str| String::from_utf8(unescaped(text.as_bytes()).into_owned()).unwrap();
        assert_eq!(read("a\\u00e9\\/\\n\\\"\\ud83d\\ude00."), "a\u{e9}/\n\"\u{1f600}.");
        assert_eq!(read("\\ud83d \\u12 \\x \\"), "\u{fffd} \\u12 \\x \\");
    }
}
