//! Runs the jobs of operators: one task, which reads what comes next and hands it to the worker as one step. The worker
//! stores the progress with what it did, so a job goes on after a crash where it stopped.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;
use tokio::time::sleep;

use super::spec::JobSpec;
use super::step::{NextStep, StepBounds};
use super::users_work::UsersWork;
use super::{backup_work, bodies_work, export_file, replay_work};
use crate::http::error::ApiError;
use crate::http::reads;
use crate::http::state::HttpState;
use crate::ingest::job::{JobEnd, JobPart, JobStep, OperatorReply, OperatorTask, PartWork};
use crate::store::{JobKind, JobState, OperatorJob};

/// Between two looks for files that are no longer kept.
const LOOK: Duration = Duration::from_secs(5);

/// Before a step is tried again that did not succeed.
const RETRY: Duration = Duration::from_millis(500);

/// Before a step is tried again for which the queue had no room.
const PAUSE: Duration = Duration::from_millis(50);

/// The most parts of a step, beside half of a batch.
const MOST_PARTS: usize = 64;

/// After so many attempts at an app user that changes all the time, it counts as failed.
const ATTEMPTS: usize = 20;

/// Runs the jobs of operators, with the settings that are in force, until the service stops.
pub async fn run_operator_jobs(states: watch::Receiver<Arc<HttpState>>) {
    let mut may_run = true;
    loop {
        let shared = states.borrow().clone();
        let mut draining = shared.draining.subscribe();
        if *draining.borrow() {
            return;
        }
        export_file::delete_outdated_files(&shared).await;
        if may_run {
            match reads::JOB.run_beside(&shared.readers, |reader| reader.find_running_job()).await {
                Ok(Some((job, true))) => run(&states, job).await,
                Ok(Some((job, false))) => end_restored(&shared, &job).await,
                Ok(None) => may_run = false,
                Err(_) => sleep(RETRY).await,
            }
            continue;
        }
        tokio::select! {
            () = shared.job_begun.notified() => may_run = true,
            () = sleep(LOOK) => {}
            _ = draining.wait_for(|draining| *draining) => return,
        }
    }
}

/// Ends a job that ran when the database was copied from which this one was restored: whoever restores it may do so because
/// of that job.
async fn end_restored(shared: &HttpState, job: &OperatorJob) {
    let why = ApiError::conflict(
        "The database was restored while the job ran; start it again if it is still wanted",
    );
    let step = step_of(job, fail(job, &why));
    tracing::warn!(
        job = job.id,
        "the job of an operator ran when the restored database was copied, and is ended"
    );
    if shared.queue.submit_operator(OperatorTask::Step(step)).await.is_err() {
        sleep(RETRY).await;
    }
}

/// Takes the steps of a job until it ends, or the service stops.
async fn run(states: &watch::Receiver<Arc<HttpState>>, mut job: OperatorJob) {
    let mut attempts = 0;
    while job.is_running() {
        let shared = states.borrow().clone();
        if *shared.draining.borrow() {
            return;
        }
        let next = match next_step(&shared, &job).await {
            Ok(Some(next)) => next,
            // The service stops.
            Ok(None) => return,
            Err(error) if error.is_temporary() => {
                sleep(RETRY).await;
                let Some(now) = read_again(&shared, job).await else { return };
                job = now;
                continue;
            }
            Err(error) => fail(&job, &error),
        };
        let mut step = step_of(&job, next);
        if attempts >= ATTEMPTS
            && let Some(part) = step.parts.first().cloned()
        {
            step = give_up(step, &part);
        }
        let has_parts = !step.parts.is_empty();
        match shared.queue.submit_operator(OperatorTask::Step(step)).await {
            Ok(OperatorReply::Job(Some(now))) => {
                attempts = if has_parts && now.cursor == job.cursor { attempts + 1 } else { 0 };
                job = *now;
            }
            Ok(_) => {
                tracing::warn!(job = job.id, "the job of an operator is lost");
                return;
            }
            Err(refused) => {
                sleep(if refused.code() == "too_busy" { PAUSE } else { RETRY }).await;
                // The step may be stored all the same.
                let Some(now) = read_again(&shared, job).await else { return };
                job = now;
            }
        }
    }
    let OperatorJob { id, kind, state, done, failed, .. } = job;
    let (kind, state) = (kind.as_str(), state.as_str());
    tracing::info!(job = id, kind, state, done, failed, "a job of an operator has ended");
}

/// The job as it is stored now: while the runner waited it may have been cancelled, or an erasure may have it begin again.
/// `None` if it is gone; as it was if it cannot be read.
async fn read_again(shared: &HttpState, job: OperatorJob) -> Option<OperatorJob> {
    let id = job.id;
    let found = reads::JOB.run_beside(&shared.readers, move |reader| reader.find_operator_job(id)).await;
    found.unwrap_or(Some(job))
}

/// The step that gives up an app user which changes all the time.
fn give_up(step: JobStep, part: &JobPart) -> JobStep {
    let (about, cursor) = (part.about.clone(), part.cursor.clone());
    let failed = JobPart { about, cursor, work: PartWork::Failed("changes_constantly".to_owned()) };
    JobStep { parts: vec![Arc::new(failed)], cursor: part.cursor.clone(), end: None, ..step }
}

/// The end of a job that cannot be continued.
fn fail(job: &OperatorJob, error: &ApiError) -> NextStep {
    let result = json!({ "error": { "code": error.code, "description": error.description } });
    NextStep::end(job, JobState::Failed, Some(result.to_string()))
}

fn step_of(job: &OperatorJob, next: NextStep) -> JobStep {
    let NextStep { parts, cursor, end } = next;
    let end = end.map(|(state, result)| {
        let has_file = job.kind == JobKind::Export && state == JobState::Done;
        JobEnd { state, result, file_until: has_file.then(export_file::kept_until) }
    });
    JobStep { job: job.id, from: job.cursor.clone(), parts, cursor, end }
}

/// What comes next; `None` if the service stops first.
async fn next_step(shared: &Arc<HttpState>, job: &OperatorJob) -> Result<Option<NextStep>, ApiError> {
    let left = job.total.saturating_sub(job.done + job.failed);
    let half = shared.settings.ingest.batch_jobs / 2;
    let bounds = StepBounds { parts: half.clamp(1, MOST_PARTS), left };
    let spec = job.spec.as_deref().ok_or_else(|| {
        ApiError::bad_request("What the job is to be done with named an app user who was erased meanwhile")
    })?;
    let spec = JobSpec::read(spec)?;
    let is_over = left == 0 && job.kind != JobKind::Export;
    if is_over {
        return Ok(Some(NextStep::end(job, JobState::Done, None)));
    }
    match &spec {
        JobSpec::Users(users) => {
            let work = UsersWork::new(job.kind, users)?;
            if job.kind == JobKind::Export {
                export_file::next_step(shared, job, &work, users).await.map(Some)
            } else {
                work.next_step(shared, job, bounds).await.map(Some)
            }
        }
        JobSpec::Bodies(selection) => bodies_work::next_step(shared, job, selection, bounds).await.map(Some),
        JobSpec::Entries(selection) => replay_work::next_step(shared, job, selection, bounds).await.map(Some),
        JobSpec::Backup {} => backup_work::make(shared, job).await,
        JobSpec::VerifyBackup { name } => backup_work::verify(shared, job, name).await,
    }
}
