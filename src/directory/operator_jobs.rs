//! Operator jobs and segments: their reads, and what an erasure takes out of them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::batch::Erasure;
use super::job_changes::{JobChanges, SegmentChange};
use super::reader::DirectoryReader;
use super::transaction::DirectoryTransaction;
use crate::domain::{AppId, Field, JsonText};
use crate::store::rows::Rows;
use crate::store::tables::{ForgottenJob, JobSpec, SEGMENTS};
use crate::store::{
    JobFailure, JobKind, JobState, OperatorJob, ReadRow as _, Result, RowCells, Segment, Seq, Write,
};

/// Segments that an app may have.
pub const MOST_SEGMENTS: usize = 500;

/// A name of so many characters is looked for within longer texts too.
const TELLING: usize = 6;

/// The stored jobs and segments of an app, as this batch leaves them, that name an erased app user are forgotten, and so
/// are the files of exports.
pub(super) fn forget_in_jobs(
    changes: &JobChanges,
    rows: &dyn Rows,
    erasures: &[Erasure],
) -> Result<Vec<Write<'static>>> {
    let mut writes = Vec::new();
    let apps: BTreeSet<&AppId> = erasures.iter().map(|erasure| &erasure.key.0).collect();
    for app in apps {
        let erased = erasures.iter().filter(|erasure| erasure.key.0 == *app);
        let names = ErasedNames::of(erased);
        for job in JobSpec::select().read(rows)? {
            let job = changes.jobs.iter().find(|now| now.id == job.id).map_or(job, spec_of);
            if job.app.as_ref().is_none_or(|of| of == app) {
                writes.extend(forget_job(job, &names).map(|job| Write::update(&job)));
            }
        }
        let is_named = |segment: &Segment| {
            let texts = texts_of_query(&segment.query).into_iter().chain([segment.name.clone()]);
            names.are_in(&texts.collect::<Vec<_>>())
        };
        let segments = Segment::select().is("app", app).read(rows)?;
        let put = changes.segments.iter().filter_map(|change| match change {
            SegmentChange::Put(segment) if segment.app == *app => Some(segment.clone()),
            _ => None,
        });
        let gone: BTreeSet<String> =
            segments.into_iter().chain(put).filter(is_named).map(|segment| segment.id).collect();
        if !gone.is_empty() {
            writes.push(Write::Delete(RowCells::of_keys(&SEGMENTS, &gone).into_owned()));
        }
    }
    Ok(writes)
}

fn spec_of(job: &OperatorJob) -> JobSpec {
    let OperatorJob { id, app, kind, state, spec, done, cursor, file_until, .. } = job.clone();
    JobSpec { id, app, kind, state, spec, done, cursor, file_until }
}

/// The job without what it knows of the erased; `None` if that is nothing. An export that runs begins again; an erasure that
/// runs needs its filter until it ends, and loses it then.
fn forget_job(job: JobSpec, names: &ErasedNames) -> Option<ForgottenJob> {
    let JobSpec { id, kind, state, spec, done, cursor, file_until, .. } = job.clone();
    let is_needed = kind == JobKind::Erase && state == JobState::Running;
    let kept = spec.filter(|spec| is_needed || !names.are_in(&texts_of_spec(spec)));
    let is_export = kind == JobKind::Export;
    let begins_again = is_export && state == JobState::Running;
    let (done, cursor) = if begins_again { (0, String::new()) } else { (done, cursor) };
    let file_until = file_until.filter(|_| !is_export);
    let is_changed = kept != job.spec || cursor != job.cursor || file_until != job.file_until;
    is_changed.then_some(ForgottenJob { id, spec: kept, done, cursor, file_until })
}

/// The texts that name erased app users, in lower case.
struct ErasedNames {
    /// `_id`s, `userId`s and e-mail addresses.
    texts: BTreeSet<String>,
    /// The words of whole names.
    whole: Vec<BTreeSet<String>>,
}

impl ErasedNames {
    fn of<'e>(erasures: impl Iterator<Item = &'e Erasure>) -> Self {
        let (mut texts, mut whole) = (BTreeSet::new(), Vec::new());
        for Erasure { key, known, .. } in erasures {
            texts.insert(key.1.as_str().to_lowercase());
            let said = [Field::UserId, Field::Email].map(|field| known.texts_of(&field));
            texts.extend(said.into_iter().flatten().map(|text| plain(text).trim().to_lowercase()));
            for given in known.texts_of(&Field::GivenName) {
                for surname in known.texts_of(&Field::Surname) {
                    whole.push(words(&format!("{} {}", plain(given), plain(surname))));
                }
            }
        }
        texts.remove("");
        whole.retain(|words| words.len() > 1);
        Self { texts, whole }
    }

    /// Whether one of the texts is one of these, or contains one that is long enough not to be there by chance, or has the
    /// words of a whole name, in any order.
    fn are_in(&self, texts: &[String]) -> bool {
        texts.iter().map(|text| text.trim().to_lowercase()).any(|text| {
            let is_told = |name: &String| {
                text == *name || name.chars().count() >= TELLING && text.contains(name.as_str())
            };
            let has = words(&text);
            self.texts.iter().any(is_told) || self.whole.iter().any(|whole| whole.is_subset(&has))
        })
    }
}

fn words(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

fn plain(text: &JsonText) -> String {
    serde_json::from_str(text).unwrap_or_default()
}

/// The texts of a query string, as they are read from it.
fn texts_of_query(query: &str) -> Vec<String> {
    let read: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap_or_default();
    read.into_iter().flat_map(|(key, value)| [key, value]).collect()
}

/// The texts in a JSON document, those of query strings as they are read from these.
fn texts_of_spec(spec: &str) -> Vec<String> {
    let (mut texts, mut todo) = (Vec::new(), vec![serde_json::from_str(spec).unwrap_or(Value::Null)]);
    while let Some(value) = todo.pop() {
        match value {
            Value::String(text) => {
                texts.extend(texts_of_query(&text));
                texts.push(text);
            }
            Value::Array(values) => todo.extend(values),
            Value::Object(members) => {
                texts.extend(members.keys().cloned());
                todo.extend(members.into_iter().map(|(_, value)| value));
            }
            _ => {}
        }
    }
    texts
}

impl DirectoryTransaction<'_> {
    /// The stored job with this number.
    pub fn find_operator_job(&self, id: Seq) -> Result<Option<OperatorJob>> {
        OperatorJob::find(self.txn.rows(), &id)
    }

    /// The stored job that runs.
    pub fn find_running_job(&self) -> Result<Option<OperatorJob>> {
        OperatorJob::select().is("state", &JobState::Running).first(self.txn.rows())
    }

    /// The greatest number of a stored job; 0 without one.
    pub fn last_operator_job(&self) -> Result<Seq> {
        Ok(OperatorJob::select().descending().first(self.txn.rows())?.map_or(0, |job| job.id))
    }

    /// The number of the database's epoch.
    pub fn epoch(&self) -> Result<i64> {
        Ok(self.txn.rows().feed_epoch()?.epoch.number())
    }

    /// The stored segments of an app.
    pub fn list_segments(&self, app: &AppId) -> Result<Vec<Segment>> {
        Segment::select().is("app", app).read(self.txn.rows())
    }

    /// The stored segment with this id.
    pub fn find_segment(&self, id: &str) -> Result<Option<Segment>> {
        Segment::find(self.txn.rows(), id)
    }
}

impl DirectoryReader {
    /// The job with this number.
    pub fn find_operator_job(&self, id: Seq) -> Result<Option<OperatorJob>> {
        OperatorJob::find(&*self.snapshot()?, &id)
    }

    /// The job that runs, and whether it began in this database: a restored one may have a job that ran when it was copied.
    pub fn find_running_job(&self) -> Result<Option<(OperatorJob, bool)>> {
        let rows = self.snapshot()?;
        let running = OperatorJob::select().is("state", &JobState::Running).first(&*rows)?;
        let epoch = rows.feed_epoch()?.epoch.number();
        Ok(running.map(|job| {
            let is_own = job.epoch == epoch;
            (job, is_own)
        }))
    }

    /// The jobs with lower numbers than `before`, the newest first, at most `limit`.
    pub fn list_operator_jobs(&self, before: Option<Seq>, limit: usize) -> Result<Vec<OperatorJob>> {
        let last = before.map_or(i64::MAX as Seq, |before| before.saturating_sub(1));
        OperatorJob::select().up_to("id", &last).descending().limit(limit).read(&*self.snapshot()?)
    }

    /// The jobs that have a file.
    pub fn list_jobs_with_file(&self) -> Result<Vec<OperatorJob>> {
        let jobs = OperatorJob::select().read(&*self.snapshot()?)?.into_iter();
        Ok(jobs.filter(|job| job.file_until.is_some() || job.is_running()).collect())
    }

    /// What failed in a job behind the failure `after`, at most `limit`.
    pub fn list_job_failures(&self, job: Seq, after: u64, limit: usize) -> Result<Vec<JobFailure>> {
        let first = after.saturating_add(1);
        JobFailure::select().is("job", &job).from("n", &first).limit(limit).read(&*self.snapshot()?)
    }

    /// All segments, in the order of their names.
    pub fn list_segments(&self) -> Result<Vec<Segment>> {
        let mut segments = Segment::select().read(&*self.snapshot()?)?;
        segments.sort_by(|one, other| (&one.app, &one.name).cmp(&(&other.app, &other.name)));
        Ok(segments)
    }

    /// The segment with this id.
    pub fn find_segment(&self, id: &str) -> Result<Option<Segment>> {
        Segment::find(&*self.snapshot()?, id)
    }
}
