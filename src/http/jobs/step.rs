//! The next step of a job.

use std::sync::Arc;

use crate::ingest::job::JobPart;
use crate::store::{JobState, OperatorJob};

/// The most bytes of bodies in a step, half of those of a batch.
pub(super) const MOST_BYTES: usize = 4 << 20;

/// How much a step may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct StepBounds {
    /// Parts: at most half of a batch.
    pub(super) parts: usize,
    /// The parts that the job has left.
    pub(super) left: u64,
}

impl StepBounds {
    /// As many parts as the job has left, at most so many.
    pub(super) fn limit(self, most: usize) -> usize {
        usize::try_from(self.left).unwrap_or(usize::MAX).min(most).max(1)
    }
}

/// What comes next in a job.
pub(super) struct NextStep {
    pub(super) parts: Vec<Arc<JobPart>>,
    /// The cursor behind the parts.
    pub(super) cursor: String,
    /// Nothing comes behind it: the state of the job then, and what came of the whole as JSON.
    pub(super) end: Option<(JobState, Option<String>)>,
}

impl NextStep {
    /// The end of a job.
    pub(super) fn end(job: &OperatorJob, state: JobState, result: Option<String>) -> Self {
        Self { parts: Vec::new(), cursor: job.cursor.clone(), end: Some((state, result)) }
    }
}
