//! Splits texts into search words.

use unicode_normalization::UnicodeNormalization as _;

/// The maximum length of a word in bytes; the rest is cut.
const WORD_BYTES: usize = 255;

/// The words of a text, each cut to the maximum length; see [`bound_word`].
pub fn split_words(text: &str) -> Vec<String> {
    let mut words = split_long_words(text);
    words.iter_mut().for_each(|word| word.truncate(bound_word(word).len()));
    words
}

/// A word cut after its 255th byte, at a character boundary.
pub fn bound_word(word: &str) -> &str {
    let mut end = WORD_BYTES.min(word.len());
    while !word.is_char_boundary(end) {
        end -= 1;
    }
    &word[..end]
}

/// The words of a text: runs of letters and digits in lower case, without accents. Searches match the start of a
/// word, so "zoe" and "ZO" find "Zoë", and any part of an e-mail address finds it.
fn split_long_words(text: &str) -> Vec<String> {
    if text.is_ascii() {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        return words.map(str::to_ascii_lowercase).collect();
    }
    let folded: String = text.nfkd().flat_map(char::to_lowercase).filter(|c| !is_accent(*c)).collect();
    let words = folded.split(|c: char| !(c.is_alphanumeric() || is_mark(c)));
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// True for an accent: a combining mark without which the letter is the same.
fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// True for a combining mark that makes another letter, in scripts that have such marks.
fn is_mark(c: char) -> bool {
    unicode_normalization::char::is_combining_mark(c)
}

#[cfg(test)]
mod tests {
    use super::{split_long_words, split_words};

    #[test]
    fn words_are_letters_and_digits_in_lower_case_without_accents() {
        for (text, expected) in [
            ("", ""),
            ("!\"*():^ -+ \u{0}\n", ""),
            ("Zoë  O'Neill-Ångström", "zoe o neill angstrom"),
            ("zoe\u{308}", "zoe"),
            ("ann.lee+x@Example.COM", "ann lee x example com"),
            ("İstanbul", "istanbul"),
            ("STRASSE straße", "strasse straße"),
            ("Ｆｕｌｌ ①", "full 1"),
            ("५ हिन्दी", "५ हिन्दी"),
            ("日本 語", "日本 語"),
            ("NEAR and OR a*b", "near and or a b"),
            ("№ ℡", "no tel"),
        ] {
            assert_eq!(split_words(text), expected.split_whitespace().collect::<Vec<_>>(), "{text}");
        }
    }

    #[test]
    fn a_word_counts_up_to_its_255th_byte() {
        let long = |letter: char, letters: usize| std::iter::repeat_n(letter, letters).collect::<String>();
        for (text, expected) in [
            (long('a', 255), long('a', 255)),
            (long('a', 256), long('a', 255)),
            (long('ß', 127) + "a", long('ß', 127) + "a"),
            (long('ß', 127) + "aß", long('ß', 127) + "a"),
            (long('ß', 128), long('ß', 127)),
        ] {
            assert_eq!(split_words(&text), [expected], "{text}");
        }
        assert_eq!(split_long_words(&long('a', 256)), [long('a', 256)]);
    }
}
