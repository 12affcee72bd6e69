//! The filter of numbered rows: journal entries and quarantined bodies.

use std::collections::BTreeSet;

use crate::domain::AppId;
use crate::store::entry::Seq;
use crate::store::error::Result;
use crate::store::select::{ReadRow, Select, TableRows};

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

    /// At most `limit` matching rows of a table whose column of [`RowFilter::label`] is this one.
    ///
    /// # Errors
    /// The database cannot be read, or a row.
    pub fn read<R: ReadRow>(
        &self,
        rows: &dyn TableRows,
        label: &'static str,
        limit: usize,
    ) -> Result<Vec<R>> {
        let Some(seqs) = &self.seqs else {
            return self.select(label, &self.from, &self.to).limit(limit).read(rows);
        };
        let mut seqs: Vec<&Seq> = seqs.iter().filter(|seq| (self.from..=self.to).contains(*seq)).collect();
        if self.newest_first {
            seqs.reverse();
        }
        let found = seqs.into_iter().map(|seq| self.select(label, seq, seq).first(rows));
        found.filter_map(Result::transpose).take(limit).collect()
    }

    fn select<'a, R: ReadRow>(&'a self, label: &'static str, from: &'a Seq, to: &'a Seq) -> Select<'a, R> {
        let mut select = Select::all().from("seq", from).up_to("seq", to);
        if let Some(app) = &self.app {
            select = select.is("app", app);
        }
        if let Some(text) = &self.label {
            select = select.is(label, text);
        }
        if let Some(since) = &self.since {
            select = select.from("received", since);
        }
        if let Some(until) = &self.until {
            select = select.up_to("received", until);
        }
        if self.newest_first { select.descending() } else { select }
    }
}
