//! Measures the bodies of the journal, for the limit of their bytes.

use crate::store::rows::Rows;
use crate::store::{Result, Seq};

/// Rows of bodies that one step measures.
const MEASURED: usize = 256;

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
    pub(super) fn measure(&mut self, rows: &dyn Rows) -> Result<bool> {
        let sizes = rows.body_sizes(self.up_to, MEASURED)?;
        self.up_to = sizes.last().map_or(self.up_to, |(first, _)| *first);
        self.bytes += sizes.iter().map(|(_, bytes)| bytes).sum::<u64>();
        Ok(sizes.len() == MEASURED)
    }

    /// The bytes that are measured.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}
