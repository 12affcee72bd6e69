//! The words of the search index. Each begins with a few letters that stand for the app. Beside the words of names there
//! is one word for each value that is searched as a whole, such as an e-mail address.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use crate::domain::list::Filter;
use crate::domain::{AppId, SEARCHED_WORDS, SearchTerms, bound_word, json_text, split_words};

/// The first letter of a word for a whole value. No typed word contains it.
const WHOLE: char = '§';

/// How many letters stand for an app.
const APP_LETTERS: usize = 6;

/// The letters that stand for an app. If two apps share them, a search reads more rows but finds no others.
fn letters(app: &AppId) -> String {
    short(app.as_str(), APP_LETTERS / 2)
}

fn short(text: &str, bytes: usize) -> String {
    let digit = |digit: u8| char::from(b"0123456789abcdef"[usize::from(digit)]);
    Sha256::digest(text)[..bytes].iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// One word for an e-mail address as a whole, given as JSON text.
fn address(email: &str) -> String {
    format!("{WHOLE}e{}", short(email, 8))
}

/// One word for a platform. The index folds the case of letters, so a name that has capitals goes in as a hash.
fn platform(name: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let plain = !name.is_empty() && name.bytes().all(is_plain);
    if plain { format!("{WHOLE}p{name}") } else { format!("{WHOLE}q{}", short(name, 8)) }
}

/// One word for a version of an app.
fn app_version(version: &str) -> String {
    format!("{WHOLE}v{}", short(version, 8))
}

/// One word for an e-mail address among the identities, whatever the case of its letters.
fn identity(email: &str) -> String {
    format!("{WHOLE}i{}", short(&email.to_lowercase(), 8))
}

/// The words of an app user, separated by spaces.
pub fn row(app: &AppId, traits: &SearchTerms) -> String {
    let app = letters(app);
    let email = traits.email.iter().map(|email| address(email));
    let platforms = traits.platforms.iter().map(|name| platform(name));
    let versions = traits.app_versions.iter().map(|version| app_version(version));
    let identities = traits.identity_emails.iter().map(|email| identity(email));
    let mut row = String::with_capacity(256);
    let mut add = |word: &str| {
        let pieces = if row.is_empty() { ["", &app, word] } else { [" ", &app, word] };
        row.extend(pieces);
    };
    traits.words.iter().for_each(|word| add(word));
    email.chain(platforms).chain(versions).chain(identities).for_each(|word| add(&word));
    row
}

/// Whether a row stores these words as a program did that did not bound them: with longer ones, or with more.
pub fn are_unbounded(stored: &str, words: &str) -> bool {
    let bounded = |words: &'_ str| -> BTreeSet<String> { words.split(' ').map(bound).collect() };
    let has_many = stored.split(' ').filter(|word| !word.contains(WHOLE)).count() > SEARCHED_WORDS;
    let is_bounded = !has_many && stored.split(' ').all(|word| bound(word) == word);
    let (stored, words) = (bounded(stored), bounded(words));
    !is_bounded && if has_many { words.is_subset(&stored) } else { words == stored }
}

/// A word of the index as far as it counts, behind the letters of its app.
fn bound(word: &str) -> String {
    let (letters, word) = word.split_at_checked(APP_LETTERS).unwrap_or(("", word));
    format!("{letters}{}", bound_word(word))
}

/// The words that a filter asks for.
pub struct Wanted {
    /// Each begins a word of the row.
    pub beginnings: Vec<String>,
    /// Each is a word of the row.
    pub wholes: Vec<String>,
    /// The search text contains no word: no app user matches.
    pub nobody: bool,
}

impl Wanted {
    /// The words of a filter.
    pub fn of(app: &AppId, filter: &Filter) -> Self {
        let app = letters(app);
        let typed = filter.q.as_deref().map(split_words);
        let email = filter.email.iter().map(|email| address(&json_text(email)));
        let platform = filter.client.platform.iter().map(|name| platform(name));
        let version = filter.client.version.iter().map(|version| app_version(version));
        let identity = filter.identity_email.iter().map(|email| identity(email));
        Self {
            nobody: typed.as_ref().is_some_and(Vec::is_empty),
            beginnings: typed.into_iter().flatten().map(|word| format!("{app}{word}")).collect(),
            wholes: email
                .chain(platform)
                .chain(version)
                .chain(identity)
                .map(|word| format!("{app}{word}"))
                .collect(),
        }
    }

    /// Whether every row matches.
    pub fn is_empty(&self) -> bool {
        self.beginnings.is_empty() && self.wholes.is_empty()
    }

    /// Whether a row with these words matches.
    pub fn fit(&self, row: &str) -> bool {
        let begins = |word: &String| row.split(' ').any(|known| known.starts_with(&**word));
        let is = |word: &String| row.split(' ').any(|known| known == word);
        !self.nobody && self.beginnings.iter().all(begins) && self.wholes.iter().all(is)
    }
}
