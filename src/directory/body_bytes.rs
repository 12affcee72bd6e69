//! Counts stored bodies, for the limits of their number and their bytes.

use crate::store::select::TableRows;
use crate::store::tables::{BodySize, QUARANTINE};
use crate::store::{ReadRow as _, Result, Seq};

/// Rows of bodies that one step measures.
const MEASURED: usize = 256;

/// Counts of stored bodies. They change with a commit.
#[derive(Clone, Copy, Debug)]
pub(super) struct BodyCounts {
    pub(super) journal: BodyBytes,
    pub(super) quarantine: QuarantineCount,
}

impl BodyCounts {
    /// Counts the quarantine; the journal is measured later.
    pub(super) fn read(rows: &dyn TableRows) -> Result<Self> {
        let (bodies, bytes) = rows.count(&QUARANTINE, Some("body"))?;
        Ok(Self { journal: BodyBytes::default(), quarantine: QuarantineCount { bodies, bytes } })
    }
}

/// The bodies in quarantine, and their bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct QuarantineCount {
    pub(super) bodies: u64,
    pub(super) bytes: u64,
}

impl QuarantineCount {
    pub(super) fn add(&mut self, bytes: u64) {
        *self = Self { bodies: self.bodies + 1, bytes: self.bytes + bytes };
    }

    pub(super) fn remove(&mut self, bytes: u64) {
        *self = Self { bodies: self.bodies.saturating_sub(1), bytes: self.bytes.saturating_sub(bytes) };
    }
}

/// The bytes of the bodies of the journal, as far as they are measured.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BodyBytes {
    /// The last batch that is measured.
    up_to: Seq,
    /// The bytes of all batches up to there.
    bytes: u64,
}

impl BodyBytes {
    /// Notes that the bodies of a batch take other bytes now.
    pub(super) fn resize(&mut self, first: Seq, before: u64, after: u64) {
        if first <= self.up_to {
            self.bytes = (self.bytes + after).saturating_sub(before);
        }
    }

    /// Measures more bodies. Returns whether there are more of them.
    pub(super) fn measure(&mut self, rows: &dyn TableRows) -> Result<bool> {
        let sizes = BodySize::select().after(&self.up_to).limit(MEASURED).read(rows)?;
        self.up_to = sizes.last().map_or(self.up_to, |batch| batch.first);
        self.bytes += sizes.iter().map(|batch| batch.bytes).sum::<u64>();
        Ok(sizes.len() == MEASURED)
    }

    /// The bytes that are measured.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}
