//! What the writer of a directory remembers between transactions.

use std::collections::BTreeSet;

use super::batch::Batch;
use super::body_bytes::BodyCounts;
use super::cache::Cache;
use super::erasure::{ErasureProgress, Tombstones};
use crate::domain::RecordKey;
use crate::format::answer_key::AnswerKey;
use crate::format::bodies::Packer;
use crate::store::tables::AnswerSecret;
use crate::store::{Committed, ReadRow as _, Result, Transaction};

/// The limits of the quarantine. The last body stays, however large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuarantineLimits {
    /// Bodies.
    pub bodies: u64,
    /// The bytes of all bodies.
    pub bytes: u64,
}

/// What is remembered between transactions. It changes only with a commit.
pub(super) struct WriterState {
    pub(super) cache: Cache,
    pub(super) packer: Packer,
    pub(super) tombstones: Tombstones,
    pub(super) answer_key: AnswerKey,
    pub(super) quarantine: QuarantineLimits,
    pub(super) erasure: ErasureProgress,
    pub(super) bodies: BodyCounts,
}

impl WriterState {
    pub(super) fn read(txn: &dyn Transaction, quarantine: QuarantineLimits) -> Result<Self> {
        Ok(Self {
            cache: Cache::default(),
            packer: Packer::new()?,
            tombstones: Tombstones::read(txn.rows())?,
            answer_key: AnswerKey(AnswerSecret::only(txn.rows())?.key),
            quarantine,
            erasure: ErasureProgress::default(),
            bodies: BodyCounts::read(txn.rows())?,
        })
    }

    pub(super) fn note_committed(
        &mut self,
        batch: &Batch,
        affected: &BTreeSet<RecordKey>,
        committed: &Committed,
    ) {
        if !committed.rows.is_empty() {
            let is_new =
                |key: &&RecordKey| batch.directory.entry(key).is_some() && self.cache.row(key).is_none();
            let new: Vec<&RecordKey> = affected.iter().filter(is_new).collect();
            new.into_iter().zip(&committed.rows).for_each(|(key, row)| self.cache.note(key, *row));
        }
        for erasure in &batch.erasures {
            self.tombstones.add(&erasure.key.0, &erasure.key.1);
            self.erasure.note_begun();
        }
    }
}
