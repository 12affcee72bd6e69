//! Parses and formats times. Event times are in µs since 1970, all others in ms.

use super::value::JsonText;

/// Formats a time in ms as JSON text: ISO 8601 in UTC with three digits after the second and `Z`, as in all of
/// Smooch's examples. A time outside the years that jiff supports becomes the nearest supported one.
pub fn json_from_ms(ms: i64) -> JsonText {
    format!("\"{}\"", format_ms(ms)).into()
}

/// The text of [`json_from_ms`] without its quotes.
pub fn format_ms(ms: i64) -> String {
    let bound = if ms < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
    format!("{:.3}", jiff::Timestamp::from_millisecond(ms).unwrap_or(bound))
}

/// Formats a time in µs exactly: ISO 8601 with six digits after the second, or a number for a time outside the years
/// that jiff supports.
pub fn json_from_micros(micros: i64) -> String {
    let time = jiff::Timestamp::from_microsecond(micros);
    time.map_or_else(|_| micros.to_string(), |time| format!("\"{time:.6}\""))
}

/// Parses ISO 8601 with `Z` or an offset; `None` for other text.
pub fn parse_rfc3339_micros(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_microsecond)
}

/// As [`parse_rfc3339_micros`], in ms.
pub fn parse_rfc3339_ms(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

/// Parses a time in a parameter: ISO 8601 with `Z` or an offset; a date, which is its midnight in UTC; or a number
/// since 1970, of seconds below 100,000,000,000 and of ms from there on. `None` for other text, and for a number that
/// as ms would be after the year 9999, because its unit is shorter than ms.
pub fn parse_parameter(text: &str) -> Option<i64> {
    let number =
        text.parse::<f64>().ok().filter(|_| text.bytes().all(|byte| b"0123456789+-.eE".contains(&byte)));
    match number {
        Some(number) if number.abs() < MS => parse_unix_seconds(text.strip_prefix('+').unwrap_or(text)),
        // Below 2^53, so no ms is lost.
        Some(number) if number.abs() < LATEST_MS => {
            Some(number.trunc() as i64 * 1000 + (number.fract() * 1000.0).round() as i64)
        }
        Some(_) => None,
        // In a query, a plus that was not encoded as %2B arrives as a space.
        None if text.contains('T') && text.contains(' ') => parse_rfc3339_micros(&text.replace(' ', "+")),
        None => parse_rfc3339_micros(text).or_else(|| parse_date(text)),
    }
}

/// Larger numbers are ms: as ms this is March 1973, as seconds the year 5138.
const MS: f64 = 1e11;
/// The end of the year 9999, in ms.
const LATEST_MS: f64 = 253_402_300_800_000.0;

/// The forms that [`parse_parameter`] accepts, for error messages.
pub const PARAMETER_FORMS: &str =
    "a date, a date and time in ISO 8601 with Z or an offset, or seconds or milliseconds since 1970";

fn parse_date(text: &str) -> Option<i64> {
    let date: jiff::civil::Date = Some(text).filter(|text| text.len() == 10)?.parse().ok()?;
    Some(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_microsecond())
}

/// Parses a time in JSON text: a string in ISO 8601, or a number of seconds. `None` for other JSON.
pub fn parse_json_timestamp(text: &str) -> Option<i64> {
    match text.bytes().next()? {
        b'"' => parse_rfc3339_micros(&serde_json::from_str::<String>(text).ok()?),
        b'-' | b'0'..=b'9' => parse_unix_seconds(text),
        _ => None,
    }
}

/// Parses seconds, written as a JSON number, into µs. Works digit by digit, because a float would round. A value that
/// does not fit becomes the largest or smallest that does.
pub fn parse_unix_seconds(text: &str) -> Option<i64> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)),
        None => (text, 0),
    };
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or((1, mantissa), |rest| (-1, rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if !mantissa.bytes().any(|byte| matches!(byte, b'1'..=b'9')) {
        return Some(0);
    }
    let digits = whole.bytes().chain(fraction.bytes());
    // The number of digits before the decimal point, in µs.
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

/// Parses an exponent of ten; one that does not fit is clamped beyond any number of digits.
fn parse_exponent(text: &str) -> i64 {
    const MOST: i64 = i64::MAX / 4;
    let beyond = if text.starts_with('-') { -MOST } else { MOST };
    text.parse().map_or(beyond, |power: i64| power.clamp(-MOST, MOST))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: i64 = 1_500_000_010_500_000;

    #[test]
    fn a_moment_is_asked_for_in_many_ways() {
        for (text, expected) in [
            ("1500000010.5", Some(AT)),
            ("1500000010500", Some(AT)),
            ("1.5000000105e9", Some(AT)),
            ("1.5000000105E12", Some(AT)),
            ("+1500000010500", Some(AT)),
            ("2017-07-14T02:40:10.5Z", Some(AT)),
            ("2017-07-14T04:40:10.500+02:00", Some(AT)),
            ("2017-07-14T04:40:10.500 02:00", Some(AT)),
            ("2017-07-13T22:40:10.5-04:00", Some(AT)),
            ("2017-07-14 02:40:10.5Z", Some(AT)),
            ("2017-07-14", Some(1_499_990_400_000_000)),
            ("1969-12-31", Some(-86_400_000_000)),
            ("0", Some(0)),
            ("-1", Some(-1_000_000)),
            ("99999999999", Some(99_999_999_999_000_000)),
            ("100000000000", Some(100_000_000_000_000)),
            ("253402300799999", Some(253_402_300_799_999_000)),
            // As µs, and as ns.
            ("1500000010500000", None),
            ("1500000010500000000", None),
            ("1e300", None),
            ("-1e300", None),
            ("", None),
            (" ", None),
            ("inf", None),
            ("NaN", None),
            ("yesterday", None),
            ("2017-07-14T02:40:10", None),
            ("2017-07", None),
            ("2017-13-14", None),
            ("2017-02-29", None),
            ("2017-07-14Z", None),
            ("02:40:10Z", None),
            ("0x10", None),
            ("1_000", None),
        ] {
            assert_eq!(parse_parameter(text), expected, "{text}");
        }
    }
    #[test]
    fn a_moment_is_written_with_three_digits() {
        for (ms, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (1_582_653_997_547, "2020-02-25T18:06:37.547Z"),
            (1_582_653_997_500, "2020-02-25T18:06:37.500Z"),
            (i64::MAX, "9999-12-30T22:00:00.999Z"),
        ] {
            assert_eq!(*json_from_ms(ms), *format!("\"{expected}\""), "{ms}");
        }
    }
}
