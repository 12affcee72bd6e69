//! What a batch changes of operator jobs and segments.

use crate::store::select::{Comparison, Condition};
use crate::store::tables::{JOB_FAILURES, JOBS, SEGMENTS};
use crate::store::{JobFailure, OperatorJob, RowCells, Segment, Write};

/// Jobs that are kept.
pub const JOBS_KEPT: u64 = 1000;

/// A change of the stored segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SegmentChange {
    /// One is created or changed.
    Put(Segment),
    /// The one with this id is deleted.
    Delete(String),
}

/// What a batch changes of operator jobs and segments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobChanges {
    /// The jobs as they are now.
    pub jobs: Vec<OperatorJob>,
    /// What failed in them.
    pub failures: Vec<JobFailure>,
    /// Changes of segments, in their order.
    pub segments: Vec<SegmentChange>,
}

impl JobChanges {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty() && self.failures.is_empty() && self.segments.is_empty()
    }

    /// Puts a job in place of the one with its number.
    pub fn put_job(&mut self, job: OperatorJob) {
        match self.jobs.iter_mut().find(|known| known.id == job.id) {
            Some(known) => *known = job,
            None => self.jobs.push(job),
        }
    }

    /// Appends the writes. The oldest jobs beyond [`JOBS_KEPT`] go.
    pub(super) fn append_to<'a>(&'a self, writes: &mut Vec<Write<'a>>) {
        if !self.jobs.is_empty() {
            writes.push(Write::Put(RowCells::of(&self.jobs)));
        }
        if !self.failures.is_empty() {
            writes.push(Write::Put(RowCells::of(&self.failures)));
        }
        let newest = self.jobs.iter().map(|job| job.id).max().unwrap_or(0);
        let outdated = newest.checked_sub(JOBS_KEPT).filter(|outdated| *outdated > 0);
        if let Some(outdated) = outdated.filter(|_| self.jobs.iter().any(|job| job.cursor.is_empty())) {
            let up_to = |column| vec![Condition::new(column, Comparison::UpTo, &outdated).into_owned()];
            writes.push(Write::DeleteWhere(&JOB_FAILURES, up_to("job")));
            writes.push(Write::DeleteWhere(&JOBS, up_to("id")));
        }
        writes.extend(self.segments.iter().map(|change| match change {
            SegmentChange::Put(segment) => Write::Put(RowCells::of([segment])),
            SegmentChange::Delete(id) => Write::Delete(RowCells::of_keys(&SEGMENTS, [id])),
        }));
    }
}
