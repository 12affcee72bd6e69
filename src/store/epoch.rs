//! The epoch of the change feed's numbers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The epoch of a database: random, and replaced as soon as the numbers may mean something else than before, as
/// after a restore. Written as twelve hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch(u64);

/// Bits of an epoch.
const BITS: u32 = 48;
/// Hex digits of an epoch.
const DIGITS: usize = BITS as usize / 4;

impl Epoch {
    /// The epoch from its number in a database.
    pub fn of_number(number: i64) -> Option<Self> {
        u64::try_from(number).ok().filter(|number| number >> BITS == 0).map(Self)
    }

    /// Its number in a database.
    pub fn number(self) -> i64 {
        self.0 as i64
    }

    /// A new random epoch.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn random() -> Result<Self, getrandom::Error> {
        getrandom::u64().map(|random| Self(random >> (u64::BITS - BITS)))
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0DIGITS$x}", self.0)
    }
}

/// The text is not an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnEpoch;

impl FromStr for Epoch {
    type Err = NotAnEpoch;

    fn from_str(text: &str) -> Result<Self, NotAnEpoch> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != DIGITS || !text.bytes().all(is_digit) {
            return Err(NotAnEpoch);
        }
        u64::from_str_radix(text, 16).map(Self).map_err(|_| NotAnEpoch)
    }
}

/// The epoch of a feed, and whether it is the first at its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedEpoch {
    /// The epoch.
    pub epoch: Epoch,
    /// No other database was opened at this path: a number without an epoch belongs to this one.
    pub is_first: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_is_read_as_it_is_written_and_nothing_else_is() {
        for number in [0, 1, 0x3f9a_1c0b_7d24, (1 << BITS) - 1] {
            let epoch = Epoch::of_number(number).unwrap();
            assert_eq!(epoch.to_string().parse(), Ok(epoch));
            assert_eq!(epoch.number(), number);
        }
        assert_eq!(Epoch::of_number(1 << BITS), None);
        assert_eq!(Epoch::of_number(-1), None);
        for text in ["", "15", "3f9a1c0b7d2", "3F9A1C0B7D24", "+f9a1c0b7d24", "3f9a1c0b7d24-", "3f9a1c0b7d2é"]
        {
            assert_eq!(text.parse::<Epoch>(), Err(NotAnEpoch), "{text}");
        }
        assert_ne!(Epoch::random(), Epoch::random());
    }
}
