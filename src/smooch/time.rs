//! The two ways Smooch writes a moment, both read into µs since 1970.

use super::json::Json;
use crate::domain::{JsonText, timestamp};

/// A moment in ms since 1970 as JSON text: ISO 8601 in UTC with three digits after the second and
/// `Z`, as all of Smooch's examples have it. What is too far away is as far away as can be written.
pub fn iso(ms: i64) -> JsonText {
    let bound = if ms < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
    let moment = jiff::Timestamp::from_millisecond(ms).unwrap_or(bound);
    format!("\"{moment:.3}\"").into()
}

/// Unix seconds as a decimal number, or ISO 8601 with an offset. `None` for anything else.
pub fn micros(value: &Json<'_>) -> Option<i64> {
    match value {
        Json::Number(text) => timestamp::parse_unix_seconds(text),
        Json::String(text) => timestamp::parse_rfc3339_micros(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_with_three_digits() {
        for (ms, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (1_582_653_997_547, "2020-02-25T18:06:37.547Z"),
            (1_582_653_997_500, "2020-02-25T18:06:37.500Z"),
            (i64::MAX, "9999-12-30T22:00:00.999Z"),
        ] {
            assert_eq!(*iso(ms), *format!("\"{expected}\""), "{ms}");
        }
    }

    #[test]
    fn seconds_and_iso_give_exact_microseconds() {
        for (text, expected) in [
            ("1444348338.704", 1_444_348_338_704_000),
            ("1444348338", 1_444_348_338_000_000),
            ("1444348338.7041234567", 1_444_348_338_704_123),
            ("1.444348338704e9", 1_444_348_338_704_000),
            ("14443483387040E-4", 1_444_348_338_704_000),
            ("0.000001", 1),
            ("-0", 0),
            ("0e99999", 0),
            ("-1.5", -1_500_000),
            ("1e999", i64::MAX),
            ("-1e999", -i64::MAX),
            ("1e-999", 0),
            ("1e-99999999999", 0),
            ("-1e-99999999999", 0),
            ("1e-99999999999999999999999", 0),
            ("1e-9223372036854775808", 0),
            ("1e99999999999", i64::MAX),
            ("1e+99999999999999999999999", i64::MAX),
            ("1e9223372036854775807", i64::MAX),
            ("-1E+99999999999", -i64::MAX),
            ("0e-99999999999", 0),
            ("0.0e99999999999999999999999", 0),
            ("1e-6", 1),
            ("1e-7", 0),
            ("1e+00000000000000000000003", 1_000_000_000),
            ("1444348338704000000000e-12", 1_444_348_338_704_000),
            ("0.000000001444348338704e+18", 1_444_348_338_704_000),
            ("9223372036854775807", i64::MAX),
        ] {
            assert_eq!(micros(&Json::Number(text)), Some(expected), "{text}");
        }
        for (text, expected) in [
            ("2020-02-25T18:06:37.547Z", Some(1_582_653_997_547_000)),
            ("2020-02-25T18:06:37Z", Some(1_582_653_997_000_000)),
            ("2020-02-25T19:06:37.547+01:00", Some(1_582_653_997_547_000)),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(micros(&Json::String(text.into())), expected, "{text}");
        }
        assert_eq!(micros(&Json::Null), None);
    }
}
