//! Tables of one row.

use crate::store::entry::Seq;
use crate::store::select::row;
use crate::store::table::Table;

/// The clock.
pub static CLOCK: Table = Table::new("clock", &[], &["time"]);

/// The compaction point.
pub static HORIZON: Table = Table::new("horizon", &[], &["seq", "received"]);

/// The version of the rules.
pub static UPKEEP: Table = Table::new("upkeep", &[], &["rules"]);

/// The clock of the API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// In µs since 1970. It never runs back.
    pub time: i64,
}

row! { Clock => CLOCK { time } }

/// The last entry in the compacted records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Horizon {
    /// Its number; 0 if there is none.
    pub seq: Seq,
    /// When it was received, in ms since 1970.
    pub received: i64,
}

row! { Horizon => HORIZON { seq, received } }

/// By which version of the rules the directory was built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// The version; see [`crate::domain::RULES_VERSION`].
    pub rules: i64,
}

row! { Rules => UPKEEP { rules } }
