//! The `_id`s of erased app users, recognised in text that nobody has parsed.
//!
//! One search serves the bodies that are stored when somebody is erased and those that come later. A webhook is searched
//! before it is journalled, so the search costs little: only strings and words as long as an erased `_id` are looked up,
//! each by its hash.

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, Hasher as _};

use hashbrown::{DefaultHashBuilder, HashMap, HashSet};
use memchr::memchr_iter;

use super::encodings::{is_opaque, readings};
use super::spellings::any_spelling;
use crate::domain::{AppId, SmoochId};
use crate::store::rows::Rows;
use crate::store::tables::Tombstone;
use crate::store::{ReadRow as _, Result};

/// A shorter `_id` counts only as the whole of a string, or as a number.
pub(super) const LONG: usize = 8;
/// A hexadecimal number of so many digits is part of a longer word only if that word names it.
const SURE: usize = 16;
const PAGE: usize = 4096;
/// Longer texts are no `_id`s.
const LONGEST: usize = 256;

/// Every erased `_id` of the database.
#[derive(Debug, Default)]
pub struct Tombstones(HashMap<AppId, IdSet>);

impl Tombstones {
    /// Reads all tombstones.
    pub fn read(rows: &dyn Rows) -> Result<Self> {
        let mut all = Self::default();
        let mut after = None;
        loop {
            let page = Tombstone::select().after_last(after.as_ref()).limit(PAGE).read(rows)?;
            page.iter().for_each(|erased| all.add(&erased.app, &erased.id));
            match page.into_iter().next_back() {
                Some(last) => after = Some((last.app, last.id)),
                None => return Ok(all),
            }
        }
    }

    /// Adds an erased app user.
    pub fn add(&mut self, app: &AppId, id: &SmoochId) {
        self.0.entry(app.clone()).or_default().add(id.as_str());
    }

    /// Whether a text names an erased `_id` of the app.
    pub fn named_in(&self, app: &AppId, text: &[u8]) -> bool {
        self.0.get(app).is_some_and(|ids| ids.named_in(text))
    }

    /// Whether an `_id` is an erased one of the app, however it is written.
    pub fn mean(&self, app: &AppId, id: &SmoochId) -> bool {
        self.0.get(app).is_some_and(|ids| ids.mean(id.as_str().as_bytes()))
    }
}

/// What an `_id` is looked for within.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    /// Strings and words: it is the whole of one.
    Nothing,
    /// Longer texts as well.
    Texts,
    /// Longer words as well: only where no escape is left, whose letter would seem to begin one.
    Anything,
}

/// Whether the bytes beside an `_id` make it part of a longer one.
fn joins<'b>(mut beside: impl Iterator<Item = &'b u8>) -> bool {
    match beside.next() {
        Some(b'-' | b'_' | b'.' | b'@') => beside.next().is_some_and(u8::is_ascii_alphanumeric),
        Some(byte) => byte.is_ascii_alphanumeric(),
        None => false,
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
    /// The lengths of hexadecimal numbers that are found inside a longer word.
    sure: BTreeSet<usize>,
    /// The lengths of long `_id`s with other characters than letters and digits.
    others: BTreeSet<usize>,
    /// The bytes that these begin with.
    firsts: HashSet<u8>,
    /// Whether an `_id` has other characters than letters and digits.
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
        if length >= SURE && id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            self.sure.insert(length);
        }
        if !is_word && length >= LONG {
            self.others.insert(length);
            self.firsts.extend(id.bytes().next());
        }
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

    /// Whether a text, which may be JSON or a part of it, names one of them in any spelling: as a string, as a
    /// number, or, if it is long enough, as a word of a longer string. Bytes that are text in no code known here may
    /// name anybody.
    pub(super) fn named_in(&self, text: &[u8]) -> bool {
        if self.hashes.is_empty() {
            return false;
        }
        let readings = readings(text);
        self.is_read_in(text, &readings) || is_opaque(text, &readings)
    }

    /// As [`Self::named_in`], without bytes that are text in no code known here.
    pub(super) fn read_in(&self, text: &[u8]) -> bool {
        self.is_read_in(text, &readings(text))
    }

    fn is_read_in(&self, text: &[u8], readings: &[Vec<u8>]) -> bool {
        let is_named = |text: &[u8]| {
            any_spelling(text, |text, is_plain| {
                self.is_in(text, if is_plain { Within::Anything } else { Within::Texts })
            })
        };
        is_named(text) || readings.iter().any(|text| is_named(text))
    }

    /// Whether an `_id` is one of them in any spelling. One that only has one of them in it is somebody else's.
    fn mean(&self, id: &[u8]) -> bool {
        !self.hashes.is_empty() && any_spelling(id, |id, _| self.is_in(id, Within::Nothing))
    }

    fn is_in(&self, text: &[u8], within: Within) -> bool {
        if !self.has_short && !self.has_others {
            return self.has_word(text, within);
        }
        let mut from = 0;
        for end in memchr_iter(b'"', text).chain([text.len()]) {
            let part = &text[from..end];
            if self.contains(part)
                || self.has_word(part, within)
                || (self.has_numbers && self.has_number(part))
                || (within != Within::Nothing && self.has_other(part))
            {
                return true;
            }
            from = end + 1;
        }
        false
    }

    /// Looks at every byte that a word of the least length cannot avoid.
    fn has_word(&self, text: &[u8], within: Within) -> bool {
        let is_end = |byte: &u8| !byte.is_ascii_alphanumeric();
        let step = self.shortest_word;
        let mut at = step.wrapping_sub(1);
        while at < text.len() {
            if !is_end(&text[at]) {
                let start = text[..at].iter().rposition(is_end).map_or(0, |end| end + 1);
                let end = text[at..].iter().position(is_end).map_or(text.len(), |length| at + length);
                let word = &text[start..end];
                if self.contains(word) || (within == Within::Anything && self.has_part(word)) {
                    return true;
                }
                at = end;
            }
            at += step;
        }
        false
    }

    /// Looks into a longer word, such as one that begins with what is left of an escape. A longer hexadecimal number is
    /// the id of something else.
    fn has_part(&self, word: &[u8]) -> bool {
        let Some(least) = self.sure.first() else { return false };
        if word.len() <= *least || word.iter().all(u8::is_ascii_hexdigit) {
            return false;
        }
        let runs = word.split(|byte| !byte.is_ascii_hexdigit()).filter(|run| run.len() >= *least);
        let mut parts = runs.flat_map(|run| self.sure.iter().flat_map(|length| run.windows(*length)));
        parts.any(|part| self.contains(part))
    }

    /// Looks for `_id`s of several words, where no letter, no digit and no hyphen makes them part of a longer one.
    fn has_other(&self, text: &[u8]) -> bool {
        let Some(least) = self.others.first() else { return false };
        let begins = |at: usize| self.firsts.contains(&text[at]) && !joins(text[..at].iter().rev());
        let mut starts = (0..(text.len() + 1).saturating_sub(*least)).filter(|at| begins(*at));
        starts.any(|at| {
            let ends = self.others.iter().map(|length| at + length).take_while(|end| *end <= text.len());
            let mut ends = ends.filter(|end| !joins(text[*end..].iter()));
            ends.any(|end| self.contains(&text[at..end]))
        })
    }

    /// Looks at what JSON would take for a number, which no part of an address or of a longer text is.
    fn has_number(&self, text: &[u8]) -> bool {
        let mut values = text.split(|byte| byte.is_ascii_whitespace() || b",:[]{}".contains(byte));
        values.any(|value| value.iter().all(u8::is_ascii_digit) && self.contains(value))
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
}
