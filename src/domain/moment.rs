//! The two ways a moment is written, both read into µs since 1970.

/// ISO 8601 with `Z` or an offset. `None` for anything else.
pub fn iso(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_microsecond)
}

/// The moment that a JSON text says: a string in ISO 8601, or a number of seconds. `None` for anything else.
pub fn told(text: &str) -> Option<i64> {
    match text.bytes().next()? {
        b'"' => iso(&serde_json::from_str::<String>(text).ok()?),
        b'-' | b'0'..=b'9' => seconds(text),
        _ => None,
    }
}

/// Seconds, written as JSON writes a number, into µs, digit by digit: a float would round. What does not
/// fit is as far away as fits.
pub fn seconds(text: &str) -> Option<i64> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, power(exponent)),
        None => (text, 0),
    };
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or((1, mantissa), |rest| (-1, rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if !mantissa.bytes().any(|byte| matches!(byte, b'1'..=b'9')) {
        return Some(0);
    }
    let digits = whole.bytes().chain(fraction.bytes());
    // How many digits stand before the decimal point once seconds have become µs.
    let places = exponent + whole.len() as i64 + 6;
    let mut micros = 0i64;
    for digit in digits.map(Some).chain(std::iter::repeat(None)).take(usize::try_from(places).unwrap_or(0)) {
        let digit = i64::from(digit.unwrap_or(b'0') - b'0');
        match micros.checked_mul(10).and_then(|micros| micros.checked_add(digit)) {
            Some(more) => micros = more,
            None => return Some(sign * i64::MAX),
        }
    }
    Some(sign * micros)
}

/// An exponent of ten. One that does not fit is as large, or as small, as no digits can outweigh.
fn power(text: &str) -> i64 {
    const MOST: i64 = i64::MAX / 4;
    let beyond = if text.starts_with('-') { -MOST } else { MOST };
    text.parse().map_or(beyond, |power: i64| power.clamp(-MOST, MOST))
}
