//! Operator jobs and segments in a batch: their steps, each in one transaction with its progress.

use std::sync::Arc;

use super::batch::BatchBuilder;
use super::job::{
    BatchError, CommandResult, JobEnd, JobPart, JobStep, OperatorReply, OperatorTask, PartWork, Reply, Task,
    WebhookResult,
};
use super::queue::SubmitError;
use super::worker::{JobResult, Worker};
use crate::directory::DirectoryTransaction;
use crate::directory::job_changes::SegmentChange;
use crate::directory::operator_jobs::MOST_SEGMENTS;
use crate::domain::command::Refusal;
use crate::store::{
    Actor, AuditAction, AuditEntry, AuditOutcome, Error, JobFailure, JobKind, JobState, OperatorJob, Segment,
    Seq,
};

/// What came of a part.
enum PartResult {
    Done,
    Failed(String),
    /// The app user changed after it was read.
    Changed,
}

impl BatchBuilder<'_> {
    pub(super) fn add_operator_task(
        &mut self,
        txn: &mut DirectoryTransaction<'_>,
        task: &OperatorTask,
    ) -> Result<OperatorReply, BatchError> {
        match task {
            OperatorTask::Begin(job) => Ok(self.begin_job(txn, job)?),
            OperatorTask::Step(step) => self.take_step(txn, step),
            OperatorTask::Cancel(id, by) => Ok(self.cancel_job(txn, *id, by)?),
            OperatorTask::PutSegment(segment, by) => Ok(self.put_segment(txn, segment, by)?),
            OperatorTask::DeleteSegment(id, by) => Ok(self.delete_segment(txn, id, by)?),
        }
    }

    fn begin_job(
        &mut self,
        txn: &DirectoryTransaction<'_>,
        job: &OperatorJob,
    ) -> Result<OperatorReply, Error> {
        let stored = txn.find_running_job()?;
        let is_over = |id: Seq| self.batch.jobs.jobs.iter().any(|job| job.id == id && !job.is_running());
        let here = self.batch.jobs.jobs.iter().find(|job| job.is_running()).map(|job| job.id);
        if let Some(running) = here.or(stored.map(|job| job.id).filter(|id| !is_over(*id))) {
            return Ok(OperatorReply::Busy(running));
        }
        let here = self.batch.jobs.jobs.iter().map(|job| job.id).max();
        let id = txn.last_operator_job()?.max(here.unwrap_or(0)) + 1;
        let job = OperatorJob { id, epoch: txn.epoch()?, ..job.clone() };
        self.audit_job(&job, AuditOutcome::Begun, job.total);
        self.batch.jobs.put_job(job.clone());
        Ok(OperatorReply::Job(Some(job.into())))
    }

    /// The job, as this batch has it so far.
    fn find_job(&self, txn: &DirectoryTransaction<'_>, id: Seq) -> Result<Option<OperatorJob>, Error> {
        match self.batch.jobs.jobs.iter().find(|job| job.id == id) {
            Some(job) => Ok(Some(job.clone())),
            None => txn.find_operator_job(id),
        }
    }

    fn cancel_job(
        &mut self,
        txn: &DirectoryTransaction<'_>,
        id: Seq,
        by: &Actor,
    ) -> Result<OperatorReply, Error> {
        let Some(mut job) = self.find_job(txn, id)? else { return Ok(OperatorReply::Job(None)) };
        if job.is_running() {
            let entry = AuditEntry::of(self.batch.now, by, AuditAction::CancelJob);
            let (app, detail) = (job.app.clone(), Some(format!("job {id}")));
            self.batch.audit.push(AuditEntry { app, detail, count: Some(job.done), ..entry });
            self.end_job(&mut job, &JobEnd { state: JobState::Cancelled, result: None, file_until: None });
            self.batch.jobs.put_job(job.clone());
        }
        Ok(OperatorReply::Job(Some(job.into())))
    }

    fn end_job(&mut self, job: &mut OperatorJob, end: &JobEnd) {
        job.state = end.state;
        job.ended = Some(self.batch.now);
        job.file_until = end.file_until;
        if job.kind == JobKind::Erase {
            // Its filter may name those whom it erased.
            job.spec = None;
        }
        if end.result.is_some() {
            job.result = end.result.clone();
        }
        let outcome = if end.state == JobState::Done { AuditOutcome::Done } else { AuditOutcome::Failed };
        self.audit_job(job, outcome, job.done);
    }

    fn audit_job(&mut self, job: &OperatorJob, outcome: AuditOutcome, count: u64) {
        let entry = AuditEntry::of(self.batch.now, &job.by(), job.kind.audit_action());
        let detail = Some(format!("job {}: {}", job.id, job.kind.as_str()));
        self.batch.audit.push(AuditEntry {
            app: job.app.clone(),
            detail,
            count: Some(count),
            outcome,
            ..entry
        });
    }

    fn take_step(
        &mut self,
        txn: &mut DirectoryTransaction<'_>,
        step: &JobStep,
    ) -> Result<OperatorReply, BatchError> {
        let Some(mut job) = self.find_job(txn, step.job)? else { return Ok(OperatorReply::Job(None)) };
        if !job.is_running() || job.cursor != step.from {
            return Ok(OperatorReply::Job(Some(job.into())));
        }
        let first = self.batch.audit.len();
        let mut is_whole = true;
        for part in &step.parts {
            match self.do_part(txn, &mut job, &part.work)? {
                PartResult::Done => job.done += 1,
                PartResult::Failed(reason) => {
                    job.failed += 1;
                    let (n, about) = (job.failed, part.about.clone());
                    self.batch.jobs.failures.push(JobFailure { job: job.id, n, about, reason });
                }
                PartResult::Changed => {
                    is_whole = false;
                    break;
                }
            }
            job.cursor.clone_from(&part.cursor);
        }
        self.unite_audit(first, job.id);
        if is_whole {
            job.cursor.clone_from(&step.cursor);
            if let Some(end) = &step.end {
                self.end_job(&mut job, end);
            }
        }
        self.batch.jobs.put_job(job.clone());
        Ok(OperatorReply::Job(Some(job.into())))
    }

    fn do_part(
        &mut self,
        txn: &mut DirectoryTransaction<'_>,
        job: &mut OperatorJob,
        work: &PartWork,
    ) -> Result<PartResult, BatchError> {
        Ok(match work {
            PartWork::Command(command) => match self.add_command(txn, &command.0, Some(&command.1))? {
                CommandResult::Fresh(done) | CommandResult::Repeated(done) => match *done {
                    Ok(_) => PartResult::Done,
                    Err(Refusal::Stale) => PartResult::Changed,
                    Err(refusal) => PartResult::Failed(reason_of(&refusal).to_owned()),
                },
                CommandResult::KeyReused => PartResult::Failed("idempotency_key_reused".to_owned()),
            },
            PartWork::Replay(webhook, received) => {
                let result = self.add_replay(txn, webhook, *received)?;
                self.count_webhook(job, result);
                PartResult::Done
            }
            PartWork::Redrive(retry) => match self.add_retry(txn, retry)? {
                None => PartResult::Failed("not_there".to_owned()),
                Some(result) => {
                    self.count_webhook(job, result);
                    let reason = retry.webhook.unusable.first().map_or("cannot_apply", |(reason, _)| reason);
                    if result.quarantined > 0 {
                        PartResult::Failed(reason.to_owned())
                    } else {
                        PartResult::Done
                    }
                }
            },
            PartWork::Drop(seq, by) => match self.add_drop(txn, &[*seq], by)? {
                0 => PartResult::Failed("not_there".to_owned()),
                _ => PartResult::Done,
            },
            PartWork::DoneOutside(users) => {
                // The part itself counts as one.
                job.done += users.saturating_sub(1);
                PartResult::Done
            }
            PartWork::Failed(reason) => PartResult::Failed(reason.clone()),
        })
    }

    fn put_segment(
        &mut self,
        txn: &DirectoryTransaction<'_>,
        segment: &Segment,
        by: &Actor,
    ) -> Result<OperatorReply, Error> {
        let mut known = txn.list_segments(&segment.app)?;
        for change in &self.batch.jobs.segments {
            match change {
                SegmentChange::Put(put) => {
                    known.retain(|known| known.id != put.id);
                    known.extend((put.app == segment.app).then(|| put.clone()));
                }
                SegmentChange::Delete(id) => known.retain(|known| known.id != *id),
            }
        }
        if known.iter().any(|known| known.id != segment.id && known.name == segment.name) {
            return Ok(OperatorReply::NameTaken);
        }
        let is_new = known.iter().all(|known| known.id != segment.id);
        if is_new && known.len() >= MOST_SEGMENTS {
            return Ok(OperatorReply::TooManySegments);
        }
        self.audit_segment(segment, by, if is_new { "created" } else { "changed" });
        self.batch.jobs.segments.push(SegmentChange::Put(segment.clone()));
        Ok(OperatorReply::Segment(true))
    }

    fn delete_segment(
        &mut self,
        txn: &DirectoryTransaction<'_>,
        id: &str,
        by: &Actor,
    ) -> Result<OperatorReply, Error> {
        let Some(segment) = txn.find_segment(id)? else { return Ok(OperatorReply::Segment(false)) };
        self.audit_segment(&segment, by, "deleted");
        self.batch.jobs.segments.push(SegmentChange::Delete(id.to_owned()));
        Ok(OperatorReply::Segment(true))
    }

    fn audit_segment(&mut self, segment: &Segment, by: &Actor, what: &str) {
        let entry = AuditEntry::of(self.batch.now, by, AuditAction::Segment);
        let detail = Some(format!("{} {what}", segment.id));
        self.batch.audit.push(AuditEntry { app: Some(segment.app.clone()), detail, ..entry });
    }

    fn count_webhook(&mut self, job: &mut OperatorJob, result: WebhookResult) {
        let WebhookResult { learned, kept, repeated, erased, .. } = result;
        for (name, count) in
            [("learned", learned), ("kept", kept), ("repeated", repeated), ("erased", erased)]
        {
            job.counts.add(name, count);
        }
        self.applied.push(result);
    }
}

/// The code of a refusal among the failures of a job.
fn reason_of(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::NoUser => "not_found",
        Refusal::TooManyProperties => "too_many_properties",
        Refusal::SeveralCarriers | Refusal::SeveralBrands(_) | Refusal::SeveralUsers => "ambiguous",
        Refusal::TooManyMembers => "too_many_members",
        _ => "refused",
    }
}

impl Worker<'_> {
    /// Takes a step that cannot be committed as a whole part by part. A part that can never be done fails, and the job goes
    /// on behind it.
    pub(super) fn split_step(
        &mut self,
        task: &OperatorTask,
        error: BatchError,
    ) -> Result<Vec<JobResult>, BatchError> {
        let reason = if matches!(error, BatchError::Group(_)) { "too_many_members" } else { "cannot_apply" };
        let why = error.about_the_job()?;
        tracing::error!(why, "a task of an operator cannot be carried out as a whole: {why}");
        let OperatorTask::Step(step) = task else { return Ok(vec![Err(SubmitError::Internal)]) };
        if let [part] = &*step.parts {
            let (about, cursor) = (part.about.clone(), part.cursor.clone());
            let failed = JobPart { about, cursor, work: PartWork::Failed(reason.to_owned()) };
            let step = JobStep { parts: vec![Arc::new(failed)], ..step.clone() };
            return self.commit_or_remake(&[&Task::Operator(OperatorTask::Step(step).into())]);
        }
        let mut from = step.from.clone();
        for part in &step.parts {
            let (parts, cursor) = (vec![part.clone()], part.cursor.clone());
            let single = JobStep { parts, cursor, from, end: None, job: step.job };
            let task = Task::Operator(OperatorTask::Step(single).into());
            let done = match (self.commit_or_remake(&[&task]), &task) {
                (Err(error), Task::Operator(task)) if error.may_be_of_one_job() => {
                    self.split_step(task, error)?
                }
                (done, _) => done?,
            };
            from = part.cursor.clone();
            let is_taken = matches!(
                &done[..],
                [Ok(Reply::Operator(OperatorReply::Job(Some(job))))] if job.is_running() && job.cursor == from
            );
            if !is_taken {
                return Ok(done);
            }
        }
        let rest = JobStep { parts: Vec::new(), from, ..step.clone() };
        self.commit_or_remake(&[&Task::Operator(OperatorTask::Step(rest).into())])
    }
}
