//! The words by which an app user is searched for.

use unicode_normalization::UnicodeNormalization as _;

/// The most bytes of a word that count.
const WORD_BYTES: usize = 255;

/// The words of a text as far as they count; see [`bound_word`].
pub fn split_words(text: &str) -> Vec<String> {
    let mut words = split_long_words(text);
    words.iter_mut().for_each(|word| word.truncate(bound_word(word).len()));
    words
}

/// A word as far as it counts: up to its 255th byte, without a part of a character.
pub fn bound_word(word: &str) -> &str {
    let mut end = WORD_BYTES.min(word.len());
    while !word.is_char_boundary(end) {
        end -= 1;
    }
    &word[..end]
}

/// The words of a text: runs of letters and digits in lower case, without accents. Searched for by how they
/// begin, so "Zoë" is found by "zoe" and by "ZO", and an e-mail address by any of its parts.
fn split_long_words(text: &str) -> Vec<String> {
    if text.is_ascii() {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        return words.map(str::to_ascii_lowercase).collect();
    }
    let folded: String = text.nfkd().flat_map(char::to_lowercase).filter(|c| !is_accent(*c)).collect();
    let words = folded.split(|c: char| !(c.is_alphanumeric() || is_mark(c)));
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// What stands over or under a letter that is the same letter without it.
fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// What belongs to a letter of a script in which it makes another letter of it.
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
