//! Foreign text on a terminal.

use crate::config::is_hidden;

/// The text of a line, with each character that a terminal would obey or hide written as `\u{1b}`: names and triggers come
/// from anybody.
pub(super) fn make_visible(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) { visible.extend(c.escape_unicode()) } else { visible.push(c) }
    }
    visible
}

#[cfg(test)]
mod tests {
    use super::make_visible;

    #[test]
    fn what_a_terminal_would_obey_or_hide_is_shown() {
        for (text, shown) in [
            ("Zofia Łęcka 田中 👩‍👩", "Zofia Łęcka 田中 👩\\u{200d}👩"),
            ("a\u{1b}[2Jb\u{9b}31m", "a\\u{1b}[2Jb\\u{9b}31m"),
            ("one\ntwo\r\u{7}", "one\\u{a}two\\u{d}\\u{7}"),
            ("\u{202e}evil\u{2069}\u{feff}", "\\u{202e}evil\\u{2069}\\u{feff}"),
        ] {
            assert_eq!(make_visible(text), shown);
        }
    }
}
