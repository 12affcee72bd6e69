//! The time of day.

use jiff::Timestamp;

/// The time, in ms since 1970.
pub fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// The time, in µs since 1970.
pub fn now_micros() -> i64 {
    Timestamp::now().as_microsecond()
}

/// The time, in s since 1970.
pub fn now_seconds() -> i64 {
    Timestamp::now().as_second()
}
