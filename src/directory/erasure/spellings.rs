//! The ways in which a text is written inside another: with escapes of JSON and of programming languages, encoded for
//! an address, with character references of HTML, broken into lines; and each of these inside another.

use memchr::{memchr, memchr_iter};

/// So many readings of one text are searched, beside the text itself.
const MOST: usize = 16;

/// Whether something is true of a text as it stands or of any reading of it; of each it is said whether no escape is
/// left in it. A text without escapes costs a look for the bytes that begin one.
pub(super) fn any_spelling(text: &[u8], found: impl Fn(&[u8], bool) -> bool) -> bool {
    let mut all: Vec<Vec<u8>> = Vec::new();
    for next in 0..=MOST {
        let from = match next.checked_sub(1) {
            None => text,
            Some(next) => match all.get(next) {
                None => return false,
                Some(from) => from,
            },
        };
        let readings = [unescaped, percent_decoded, dereferenced, joined].map(|read| read(from));
        let mut readings = readings.into_iter().flatten().filter(|plain| plain != from).peekable();
        if found(from, readings.peek().is_none()) {
            return true;
        }
        let fresh = readings.filter(|plain| !all.contains(plain)).take(MOST - all.len());
        let fresh: Vec<_> = fresh.collect();
        all.extend(fresh);
    }
    false
}

/// Replaces what `read` takes for a spelling, each of which begins with `first`: it writes what that means and
/// says how many bytes it has, or 0.
fn replaced(text: &[u8], first: u8, read: fn(&[u8], &mut Vec<u8>) -> usize) -> Option<Vec<u8>> {
    memchr(first, text)?;
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr(first, rest) {
        plain.extend_from_slice(&rest[..at]);
        let length = read(&rest[at..], &mut plain);
        if length == 0 {
            plain.push(first);
        }
        rest = &rest[at + length.max(1)..];
    }
    plain.extend_from_slice(rest);
    Some(plain)
}

/// The text with backslash escapes read.
fn unescaped(text: &[u8]) -> Option<Vec<u8>> {
    replaced(text, b'\\', escape)
}

fn escape(text: &[u8], plain: &mut Vec<u8>) -> usize {
    let simple = match text.get(1) {
        Some(b'u') => return unicode(text, plain),
        Some(b'U') => {
            return [8, 4].iter().map(|most| code(text, 2, *most, plain)).find(|read| *read > 0).unwrap_or(0);
        }
        Some(b'x') => return byte(text, 2, 2, 16, plain),
        Some(b'n') => b'\n',
        Some(b'r') => b'\r',
        Some(b't') => b'\t',
        Some(b'b') => 8,
        Some(b'f') => 12,
        Some(byte @ (b'"' | b'\\' | b'/' | b'\'')) => *byte,
        _ => return byte(text, 1, 3, 8, plain),
    };
    plain.push(simple);
    2
}

/// `\uHHHH`, of which two may be one character, and `\u{H…}`.
fn unicode(text: &[u8], plain: &mut Vec<u8>) -> usize {
    if text.get(2) == Some(&b'{') {
        let digits = text[3..].iter().take(7).take_while(|byte| byte.is_ascii_hexdigit()).count();
        let is_closed = text.get(3 + digits) == Some(&b'}');
        return if is_closed && code(text, 3, digits, plain) > 0 { 4 + digits } else { 0 };
    }
    let unit = |at: usize| number(text, at, 4, 16).and_then(|unit| u16::try_from(unit).ok());
    let Some(first) = unit(2) else { return 0 };
    let second = text.get(6..8).filter(|next| *next == b"\\u").and_then(|_| unit(8));
    let char = char::decode_utf16([first].into_iter().chain(second)).next();
    let char = char.and_then(Result::ok).unwrap_or(char::REPLACEMENT_CHARACTER);
    push(char, plain);
    if char.len_utf16() == 2 { 12 } else { 6 }
}

/// The text with `%HH` and `%uHHHH` read.
fn percent_decoded(text: &[u8]) -> Option<Vec<u8>> {
    replaced(text, b'%', |text, plain| match text.get(1) {
        Some(b'u' | b'U') => code(text, 2, 4, plain),
        _ => byte(text, 1, 2, 16, plain),
    })
}

/// The text with `&#D…;`, `&#xH…;` and `&amp;` read.
fn dereferenced(text: &[u8]) -> Option<Vec<u8>> {
    replaced(text, b'&', |text, plain| {
        if text.starts_with(b"&amp;") {
            plain.push(b'&');
            return 5;
        }
        if text.get(1) != Some(&b'#') {
            return 0;
        }
        let (radix, from) = if matches!(text.get(2), Some(b'x' | b'X')) { (16, 3) } else { (10, 2) };
        let rest = &text[from..];
        let end = rest.iter().take(9).position(|byte| *byte == b';');
        let value = end.and_then(|end| std::str::from_utf8(&rest[..end]).ok());
        let value = value.and_then(|digits| u32::from_str_radix(digits, radix).ok());
        let Some(char) = value.and_then(char::from_u32) else { return 0 };
        push(char, plain);
        from + end.unwrap_or(0) + 1
    })
}

/// The text without the ends of lines that stand between two hexadecimal digits.
fn joined(text: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    let mut from = 0;
    for at in memchr_iter(b'\n', text) {
        let start = if at > 0 && text[at - 1] == b'\r' { at - 1 } else { at };
        let beside = [start.checked_sub(1), Some(at + 1)];
        let breaks = |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(u8::is_ascii_hexdigit);
        if start >= from && beside.into_iter().all(breaks) {
            plain.extend_from_slice(&text[from..start]);
            from = at + 1;
        }
    }
    (from > 0).then(|| {
        plain.extend_from_slice(&text[from..]);
        plain
    })
}

/// Writes the byte that so many digits mean: how long its spelling is.
fn byte(text: &[u8], at: usize, digits: usize, radix: u32, plain: &mut Vec<u8>) -> usize {
    let value = number(text, at, digits, radix);
    let Some(byte) = value.and_then(|value| u8::try_from(value).ok()) else { return 0 };
    plain.push(byte);
    at + digits
}

/// Writes the character that so many hexadecimal digits mean: how long its spelling is.
fn code(text: &[u8], at: usize, digits: usize, plain: &mut Vec<u8>) -> usize {
    let Some(char) = number(text, at, digits, 16).and_then(char::from_u32) else { return 0 };
    push(char, plain);
    at + digits
}

fn number(text: &[u8], at: usize, digits: usize, radix: u32) -> Option<u32> {
    let is_digit = |byte: &u8| char::from(*byte).is_digit(radix);
    let digits = text.get(at..at + digits).filter(|digits| digits.iter().all(is_digit))?;
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()
}

fn push(char: char, plain: &mut Vec<u8>) {
    plain.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_and_other_text_stays() {
        let read = |text: &str| String::from_utf8(unescaped(text.as_bytes()).unwrap()).unwrap();
        assert_eq!(read("a\\u00e9\\/\\n\\\"\\ud83d\\ude00."), "a\u{e9}/\n\"\u{1f600}.");
        assert_eq!(read("\\ud83d \\u12 \\x \\"), "\u{fffd} \\u12 \\x \\");
        assert_eq!(
            read("\\x63\\U00000063\\U0063\\u{63}\\143 \\u{} \\U006 \\u{63"),
            "ccccc \\u{} \\U006 \\u{63"
        );
        let read = |text: &str| String::from_utf8(percent_decoded(text.as_bytes()).unwrap()).unwrap();
        assert_eq!(read("%63%7a%C3%a9%u0063 %6 100% %zz %"), "cz\u{e9}c %6 100% %zz %");
        let read = |text: &str| String::from_utf8(dereferenced(text.as_bytes()).unwrap()).unwrap();
        assert_eq!(read("&#99;&#x63;&amp;#99; &lt; &#; &#x; & &#99"), "cc&#99; &lt; &#; &#x; & &#99");
        assert_eq!(joined(b"{\n \"a\n1\r\nb\n\"}\n").as_deref(), Some(&b"{\n \"a1b\n\"}\n"[..]));
        for text in ["", "plain", "{\n}\n", "\n", "a\n"] {
            for read in [unescaped, percent_decoded, dereferenced, joined] {
                assert_eq!(read(text.as_bytes()), None, "{text:?}");
            }
        }
    }

    #[test]
    fn a_spelling_inside_another_is_read_and_the_search_ends() {
        let finds = |text: &str| any_spelling(text.as_bytes(), |text, _| text == b"c");
        for text in ["c", "\\\\u0063", "%2563", "%5Cu0063", "\\u002563", "&amp;#x25;63", "\\\\\\\\x63"] {
            assert!(finds(text), "{text}");
        }
        assert!(!finds(&format!("{}u0063x%25&amp;amp;", "\\".repeat(1 << 20))));
    }
}
