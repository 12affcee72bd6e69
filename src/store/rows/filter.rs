//! The filter of numbered rows: journal entries and quarantined bodies.

use std::collections::BTreeSet;

use crate::domain::AppId;
use crate::store::entry::Seq;

/// Conditions on journal entries or quarantined bodies. All must hold.
#[derive(Clone, Debug, PartialEq)]
pub struct RowFilter {
    /// The app.
    pub app: Option<AppId>,
    /// The trigger of an entry, or the reason of a quarantined body.
    pub label: Option<String>,
    /// The least number.
    pub from: Seq,
    /// The greatest number.
    pub to: Seq,
    /// The earliest time of receipt, in ms since 1970.
    pub since: Option<i64>,
    /// The latest time of receipt, in ms since 1970.
    pub until: Option<i64>,
    /// The only numbers.
    pub seqs: Option<BTreeSet<Seq>>,
    /// The order of the result.
    pub newest_first: bool,
}

impl Default for RowFilter {
    /// All rows, the oldest first.
    fn default() -> Self {
        let (from, to) = (0, i64::MAX as Seq);
        Self { app: None, label: None, from, to, since: None, until: None, seqs: None, newest_first: false }
    }
}

impl RowFilter {
    /// Narrows the filter to the rows after this number, in its order.
    pub fn continue_after(&mut self, seq: Seq) {
        if self.newest_first {
            self.to = seq.saturating_sub(1);
        } else {
            self.from = seq + 1;
        }
    }
}
