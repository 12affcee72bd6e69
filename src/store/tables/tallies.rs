//! Counts of events and changes over time.

use crate::domain::AppId;
use crate::store::select::row;
use crate::store::table::Table;

/// The tallies.
pub static TALLIES: Table =
    Table { remade: Some("tallies"), ..Table::new("tallies", &["step", "start", "app"], &["counts"]) };

/// The tally of an app in one minute or one hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTally {
    /// The length of the time, in ms.
    pub step: i64,
    /// Its start, in ms since 1970.
    pub start: i64,
    /// The app.
    pub app: AppId,
    /// The counts, as [`crate::format::tally`] writes them.
    pub counts: Vec<u8>,
}

row! { StoredTally => TALLIES { step, start, app, counts } }

/// Which time a tally is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TallyTime {
    /// The length of the time, in ms.
    pub step: i64,
    /// Its start, in ms since 1970.
    pub start: i64,
}

row! { read TallyTime => TALLIES { step, start } }
