//! Bytes that nobody has parsed, read as the text that they may be: UTF-8 is read as it stands, UTF-16 and UTF-32 in
//! either byte order, with or without a mark, and from any byte on.

/// Of text, at most one character in this many means nothing: a control, a private one, or half of one.
const FEW: usize = 32;
/// Every character of UTF-32 has a zero among its four bytes.
const WIDE: usize = 4;

/// What bytes may be beside UTF-8 or a code that has ASCII in it. Empty for plain UTF-8 text, so that a webhook
/// costs one look at its bytes.
pub(super) fn readings(bytes: &[u8]) -> Vec<Vec<u8>> {
    if is_plain(bytes) {
        return Vec::new();
    }
    let zeros = bytes.iter().filter(|byte| **byte == 0).count();
    let mut all = Vec::new();
    if zeros > 0 {
        // ASCII in any width and from any byte on, also where it changes within the bytes.
        all.push(bytes.iter().copied().filter(|byte| *byte != 0).collect());
    }
    for from in 0..2.min(bytes.len()) {
        all.push(utf16(&bytes[from..], u16::from_le_bytes));
        all.push(utf16(&bytes[from..], u16::from_be_bytes));
    }
    if zeros >= bytes.len() / WIDE {
        for from in 0..WIDE.min(bytes.len()) {
            all.push(utf32(&bytes[from..], u32::from_le_bytes));
            all.push(utf32(&bytes[from..], u32::from_be_bytes));
        }
    }
    all
}

/// Whether bytes cannot be searched: they are text in no code that is known here, so they may be compressed or
/// encrypted.
pub(super) fn is_opaque(bytes: &[u8], readings: &[Vec<u8>]) -> bool {
    let Err(_) = std::str::from_utf8(bytes) else { return false };
    let controls = bytes.iter().filter(|byte| is_control(**byte)).count();
    controls * FEW > bytes.len() && !readings.iter().any(|text| is_text(text))
}

fn is_control(byte: u8) -> bool {
    (byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r')) || byte == 0x7f
}

fn is_plain(bytes: &[u8]) -> bool {
    let controls = bytes.iter().fold(false, |any, byte| any | is_control(*byte));
    !controls && std::str::from_utf8(bytes).is_ok()
}

fn is_text(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let means_nothing = |c: &char| {
        (c.is_control() && !matches!(c, '\t' | '\n' | '\r'))
            || *c == char::REPLACEMENT_CHARACTER
            || matches!(u32::from(*c), 0xe000..=0xf8ff | 0xf_0000..)
    };
    let (all, bad) =
        text.chars().fold((0, 0), |(all, bad), c| (all + 1, bad + usize::from(means_nothing(&c))));
    bad * FEW <= all
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Vec<u8> {
    let units = bytes.as_chunks::<2>().0.iter().map(|pair| unit(*pair));
    let chars = char::decode_utf16(units).map(|found| found.unwrap_or(char::REPLACEMENT_CHARACTER));
    chars.collect::<String>().into_bytes()
}

fn utf32(bytes: &[u8], unit: fn([u8; WIDE]) -> u32) -> Vec<u8> {
    let units = bytes.as_chunks::<WIDE>().0.iter().map(|four| unit(*four));
    let chars = units.map(|found| char::from_u32(found).unwrap_or(char::REPLACEMENT_CHARACTER));
    chars.collect::<String>().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A text in every width and byte order, with and without a mark.
    fn every_way(text: &str) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        for text in [text.to_owned(), format!("\u{feff}{text}")] {
            all.push(text.encode_utf16().flat_map(u16::to_le_bytes).collect());
            all.push(text.encode_utf16().flat_map(u16::to_be_bytes).collect());
            all.push(text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect());
            all.push(text.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect());
        }
        all
    }

    #[test]
    fn a_text_is_among_the_readings_of_it_in_any_width_and_order_and_from_any_byte_on() {
        for text in ["{\"who\":\"5d7c0b3f9a1e4c2b8f6d0e17\"}", "Жданов", "zoë 日本 🦀"] {
            for (n, bytes) in every_way(text).into_iter().enumerate() {
                for before in ["", "x", "xyz"] {
                    let all = [before.as_bytes(), &bytes].concat();
                    let read = readings(&all);
                    let found = read.iter().any(|read| memchr::memmem::find(read, text.as_bytes()).is_some());
                    assert!(found, "{text} {n} behind {before:?}");
                    assert!(!is_opaque(&bytes, &readings(&bytes)), "{text} {n}");
                }
            }
        }
    }

    #[test]
    fn plain_text_has_no_other_reading_and_other_bytes_are_opaque() {
        for text in ["", "{\"a\":\n\t\"zoë\"}\r\n", "日本"] {
            assert!(readings(text.as_bytes()).is_empty(), "{text}");
        }
        // A body with one stray byte, and one in Latin-1, are searched as they stand.
        for body in [&b"{\"a\":\"\x01 and a longer text than that\"}"[..], b"{\"name\":\"Zo\xeb\"}"] {
            assert!(!is_opaque(body, &readings(body)), "{body:?}");
        }
        let mut seed = 7_u64;
        for length in [64, 200, 4000] {
            let random = (0..length).map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (seed >> 56) as u8
            });
            let mut bytes = vec![0x1f, 0x8b];
            bytes.extend(random);
            assert!(is_opaque(&bytes, &readings(&bytes)), "{length}");
        }
    }
}
