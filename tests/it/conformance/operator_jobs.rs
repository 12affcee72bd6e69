//! Jobs of operators and segments.

use rollcall::directory::job_changes::{JOBS_KEPT, SegmentChange};
use rollcall::directory::{DirectoryReader, DirectoryWriter};
use rollcall::store::{How, JobCounts, JobFailure, JobKind, JobState, OperatorJob, Segment};

use super::upkeep::erase;
use super::{APP, batch, event, named, store};

fn job(id: u64, kind: JobKind, state: JobState, spec: &str) -> OperatorJob {
    OperatorJob {
        id,
        app: Some(APP.into()),
        kind,
        spec: Some(spec.to_owned()),
        who: Some("ann".to_owned()),
        role: Some("operator".to_owned()),
        how: How::Console,
        request: None,
        state,
        began: 5,
        ended: None,
        total: 3,
        done: 1,
        failed: 1,
        cursor: "bob".to_owned(),
        counts: JobCounts([("learned".to_owned(), 2)].into()),
        result: None,
        file_until: Some(1 << 50),
        epoch: 7,
    }
}

fn segment(id: &str, name: &str, query: &str) -> Segment {
    let (id, name, query) = (id.to_owned(), name.to_owned(), query.to_owned());
    Segment { id, app: APP.into(), name, query, who: Some("ann".to_owned()), time: 7 }
}

pub fn jobs_and_segments_are_written_and_read(mut writer: DirectoryWriter, reader: DirectoryReader) {
    let mut first = batch(&mut writer.begin().unwrap(), APP, &[]);
    let running = job(1, JobKind::Remove, JobState::Running, "{}");
    first.jobs.put_job(running.clone());
    first.jobs.failures.push(JobFailure {
        job: 1,
        n: 1,
        about: "x".to_owned(),
        reason: "not_found".to_owned(),
    });
    first.jobs.segments.push(SegmentChange::Put(segment("b", "Gold", "property.plan=gold")));
    first.jobs.segments.push(SegmentChange::Put(segment("a", "Seen", "platform=ios")));
    writer.begin().unwrap().commit(&first).unwrap();
    // It began in another database.
    assert_eq!(reader.find_running_job().unwrap(), Some((running.clone(), false)));
    assert_eq!(reader.list_jobs_with_file().unwrap(), std::slice::from_ref(&running));
    assert_eq!(reader.list_job_failures(1, 0, 9).unwrap(), first.jobs.failures);
    assert_eq!(reader.list_job_failures(1, 1, 9).unwrap(), []);
    let names: Vec<String> = reader.list_segments().unwrap().into_iter().map(|one| one.name).collect();
    assert_eq!(names, ["Gold", "Seen"]);
    let txn = writer.begin().unwrap();
    assert_eq!((txn.find_running_job().unwrap(), txn.last_operator_job().unwrap()), (Some(running), 1));
    assert_eq!(txn.find_segment("a").unwrap().map(|one| one.name).as_deref(), Some("Seen"));
    assert_eq!(txn.list_segments(&APP.into()).unwrap().len(), 2);
    drop(txn);
    // The oldest go when a new one begins.
    let mut later = batch(&mut writer.begin().unwrap(), APP, &[]);
    let newest =
        OperatorJob { cursor: String::new(), ..job(JOBS_KEPT + 1, JobKind::Drop, JobState::Done, "{}") };
    later.jobs.put_job(newest.clone());
    later.jobs.segments.push(SegmentChange::Delete("a".to_owned()));
    writer.begin().unwrap().commit(&later).unwrap();
    assert_eq!(reader.list_operator_jobs(None, 9).unwrap(), [newest]);
    assert_eq!(reader.list_operator_jobs(Some(JOBS_KEPT + 1), 9).unwrap(), []);
    assert_eq!(reader.list_job_failures(1, 0, 9).unwrap(), []);
    assert_eq!(reader.find_segment("a").unwrap(), None);
}

pub fn an_erasure_forgets_jobs_and_segments_that_name_the_person(
    mut writer: DirectoryWriter,
    reader: DirectoryReader,
) {
    store(&mut writer, APP, &[event(1, vec![named("bob-12345", "bob@work")])]);
    let mut first = batch(&mut writer.begin().unwrap(), APP, &[]);
    let by_name = r#"{"users":{"filter":"userId=bob%40work"}}"#;
    let of_others = r#"{"users":{"filter":"userId=bo"}}"#;
    first.jobs.put_job(job(1, JobKind::Remove, JobState::Done, by_name));
    first.jobs.put_job(job(2, JobKind::Export, JobState::Running, of_others));
    first.jobs.put_job(job(3, JobKind::Remove, JobState::Done, of_others));
    for (id, query) in [("a", "userId=bob%40work"), ("b", "q=BOB@WORK"), ("c", "q=bo"), ("d", "platform=ios")]
    {
        first.jobs.segments.push(SegmentChange::Put(segment(id, id, query)));
    }
    first.jobs.segments.push(SegmentChange::Put(segment("e", "of bob-12345 alone", "")));
    writer.begin().unwrap().commit(&first).unwrap();
    erase(&mut writer, &reader, 2, "bob-12345");
    let told = |id| {
        let job = reader.find_operator_job(id).unwrap().unwrap();
        (job.spec.is_some(), job.cursor, job.done, job.file_until.is_some())
    };
    assert_eq!(told(1), (false, "bob".to_owned(), 1, true));
    // An export begins again without the person, and its file goes.
    assert_eq!(told(2), (true, String::new(), 0, false));
    assert_eq!(told(3), (true, "bob".to_owned(), 1, true));
    let left: Vec<String> = reader.list_segments().unwrap().into_iter().map(|one| one.id).collect();
    assert_eq!(left, ["c", "d"]);
}
