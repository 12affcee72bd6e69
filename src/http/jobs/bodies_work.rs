//! The steps of a job about bodies in quarantine, the oldest first.

use std::sync::Arc;

use super::step::{MOST_BYTES, NextStep, StepBounds};
use crate::directory::DirectoryReader;
use crate::http::admin_actions::prepare_redrive;
use crate::http::error::ApiError;
use crate::http::quarantine::{QuarantineSelection, SelectedBodies};
use crate::http::reads;
use crate::http::state::HttpState;
use crate::ingest::job::{JobPart, PartWork};
use crate::store::{JobKind, JobState, OperatorJob, Seq};

/// The next step of a redrive or a drop.
pub(super) async fn next_step(
    shared: &Arc<HttpState>,
    job: &OperatorJob,
    selection: &QuarantineSelection,
    bounds: StepBounds,
) -> Result<NextStep, ApiError> {
    let (after, limit) = (job.cursor.parse::<Seq>().ok(), bounds.limit(bounds.parts));
    let find = selection.clone();
    let read = move |reader: &mut DirectoryReader| find.ahead(reader, after, limit);
    let SelectedBodies { bodies, next, .. } = reads::JOB_BODIES.run(&shared.readers, read).await?;
    let by = Arc::new(job.by());
    let (mut parts, mut bytes) = (Vec::new(), 0);
    let mut is_whole = true;
    for held in bodies {
        let size = usize::try_from(held.bytes).unwrap_or(usize::MAX);
        if !parts.is_empty() && job.kind == JobKind::Redrive && bytes + size > MOST_BYTES {
            is_whole = false;
            break;
        }
        bytes += size;
        let seq = held.seq;
        let work = match job.kind {
            JobKind::Redrive => match prepare_redrive(shared, seq, by.clone(), |_| true).await? {
                Some(retry) => PartWork::Redrive(retry),
                None => PartWork::Failed("not_there".to_owned()),
            },
            _ => PartWork::Drop(seq, by.clone()),
        };
        let about = seq.to_string();
        parts.push(Arc::new(JobPart { cursor: about.clone(), about, work }));
    }
    let last = parts.last().map_or(&*job.cursor, |part| &*part.cursor).to_owned();
    let next = next.filter(|_| is_whole);
    let end = (is_whole && next.is_none()).then_some((JobState::Done, None));
    Ok(NextStep { cursor: next.map_or(last, |next| next.to_string()), parts, end })
}
