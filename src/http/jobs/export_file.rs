//! The files of exports: beside the database, one a job, readable by their owner alone. A file goes a day after its job, at
//! once if the job is cancelled, and with every erasure of an app user of its app.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{self as fs_path, PathBuf};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use futures_util::stream::unfold;
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use super::calls::find;
use super::filter::read_format;
use super::spec::{JobSpec, UsersSpec};
use super::step::NextStep;
use super::users_work::{UsersPage, UsersWork};
use crate::clock::now_ms;
use crate::domain::{AppId, Visibility};
use crate::http::accept::ExportFormat;
use crate::http::answers::{json, to_json};
use crate::http::attachment::{name_file, never_show};
use crate::http::audit::AuditedExport;
use crate::http::error::ApiError;
use crate::http::operator_request::OperatorRequest;
use crate::http::reads;
use crate::http::state::HttpState;
use crate::ingest::job::{JobPart, PartWork};
use crate::store::{JobKind, JobState, OperatorJob, Seq};

/// How long a file is kept, in ms.
const KEPT: i64 = 24 * 60 * 60 * 1000;

/// App users that are written at once.
const AT_ONCE: usize = 500;

/// Bytes that are sent at once.
const CHUNK: usize = 64 << 10;

/// A link in place of the file is not followed.
const NO_LINK: i32 = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();

/// Where an export goes on.
#[derive(Default, Serialize, Deserialize)]
struct ExportCursor {
    /// The last `_id` that was looked at.
    after: String,
    /// The length of the file so far.
    bytes: u64,
}

/// Until when the file of an export is kept that ends now, in ms since 1970.
pub(super) fn kept_until() -> i64 {
    now_ms() + KEPT
}

fn path_of(shared: &HttpState, job: Seq) -> PathBuf {
    shared.files.exports.join(job.to_string())
}

/// The next step of an export. The bytes are on disk before the step is.
pub(super) async fn next_step(
    shared: &Arc<HttpState>,
    job: &OperatorJob,
    work: &UsersWork,
    spec: &UsersSpec,
) -> Result<NextStep, ApiError> {
    let app = job.app.clone().unwrap_or_default();
    let format = read_format(spec.format.as_deref())?;
    let from: ExportCursor = serde_json::from_str(&job.cursor).unwrap_or_default();
    let UsersPage { users, next } = work.read_page(shared, &app, &from.after, AT_ONCE).await?;
    let mut text = if from.bytes == 0 { format.head() } else { Vec::new() };
    let shown: Vec<_> = users.iter().map(|user| Visibility::Whole.show(user)).collect();
    text.extend(format.text(&shown));
    let bytes = from.bytes + text.len() as u64;
    let (folder, path) = (shared.files.exports.clone(), path_of(shared, job.id));
    let written = spawn_blocking(move || write_at(&folder, &path, from.bytes, &text)).await;
    written.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(|error| {
        tracing::error!(%error, "the file of an export cannot be written: {error}");
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                ApiError::unavailable("storage_full", "No room on the disk for the file of the export")
            }
            io::ErrorKind::UnexpectedEof => ApiError::conflict("A part of the file of the export is missing"),
            _ => ApiError::conflict(format!("The file of the export cannot be written: {error}")),
        }
    })?;
    let last = users.last().map_or(from.after, |user| user.id.as_str().to_owned());
    let after = next.as_ref().map_or(last, |next| next.as_str().to_owned());
    let cursor = to_json(&ExportCursor { after, bytes });
    let exported = Some(users.len() as u64).filter(|users| *users > 0);
    let part = |users| {
        let (about, cursor) = (String::new(), cursor.clone());
        Arc::new(JobPart { about, cursor, work: PartWork::DoneOutside(users) })
    };
    let parts = exported.map(part).into_iter().collect();
    let end = next.is_none().then_some((JobState::Done, None));
    Ok(NextStep { parts, cursor, end })
}

/// Writes bytes behind the first `at` ones, in place of whatever is there. The folder and the file are of this program alone:
/// nothing is written through a link.
fn write_at(folder: &fs_path::Path, path: &fs_path::Path, at: u64, text: &[u8]) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if !is_folder(folder) {
                return Err(io::Error::other(format!("{} is no folder", folder.display())));
            }
            fs::set_permissions(folder, Permissions::from_mode(0o700))?;
        }
        made => made?,
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600).custom_flags(NO_LINK);
    let mut file = options.open(path)?;
    if file.metadata()?.len() < at {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    file.set_len(at)?;
    file.seek(SeekFrom::Start(at))?;
    file.write_all(text)?;
    file.sync_data()
}

/// Whether it is a folder, and no link to one.
fn is_folder(path: &fs_path::Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.is_dir())
}

/// Deletes the files that no job keeps.
pub(in crate::http) async fn delete_outdated_files(shared: &HttpState) {
    let folder = shared.files.exports.clone();
    if !is_folder(&folder) {
        return;
    }
    let Ok(jobs) = reads::JOB.run_beside(&shared.readers, |reader| reader.list_jobs_with_file()).await else {
        return;
    };
    let now = now_ms();
    let is_kept = |job: &&OperatorJob| {
        job.kind == JobKind::Export && (job.is_running() || job.file_until.is_some_and(|until| until > now))
    };
    let kept: Vec<Seq> = jobs.iter().filter(is_kept).map(|job| job.id).collect();
    let delete = move || {
        for file in fs::read_dir(&folder).into_iter().flatten().flatten() {
            // Whatever has another name is not of a job.
            let job = file.file_name().to_str().and_then(|name| name.parse::<Seq>().ok());
            let is_outdated = job.is_some_and(|job| !kept.contains(&job));
            if is_outdated && let Err(error) = fs::remove_file(file.path()) {
                tracing::warn!(%error, "the file of an export cannot be deleted, and holds personal data: {error}");
            }
        }
        if kept.is_empty() {
            // Fails as long as it is not empty.
            _ = fs::remove_dir(&folder);
        }
    };
    _ = spawn_blocking(delete).await;
}

/// GET `/jobs/{id}/file`: the file of an export, as a download. 404 if the job has none, 410 once it is deleted.
pub(in crate::http) async fn send(
    request: OperatorRequest,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    request.must_see_values("An export")?;
    let job = find(&request, &id).await?;
    if job.kind != JobKind::Export {
        return Err(ApiError::not_found("A job of this kind has no file"));
    }
    if job.is_running() {
        return Err(ApiError::conflict("The job still runs: its file is complete when it is done"));
    }
    let gone =
        || ApiError::expired("The file is deleted: it is kept for a day, and until an app user is erased");
    let until = job.file_until.filter(|until| *until > now_ms()).ok_or_else(gone)?;
    tracing::debug!(job = job.id, until, "the file of an export is sent");
    let spec = job.spec.as_deref().ok_or_else(gone).and_then(JobSpec::read)?;
    let JobSpec::Users(UsersSpec { format, .. }) = spec else { return Err(gone()) };
    let format = read_format(format.as_deref())?;
    let path = path_of(&request.shared, job.id);
    let open = move || OpenOptions::new().read(true).custom_flags(NO_LINK).open(path);
    let file = spawn_blocking(open).await.map_err(|_| gone())?.map_err(|_| gone())?;
    let found = file.metadata().map_err(|_| gone())?;
    let ExportCursor { bytes, .. } = serde_json::from_str(&job.cursor).unwrap_or_default();
    if !found.is_file() || found.len() != bytes {
        tracing::error!(job = job.id, "the file of an export is not as it was written");
        return Err(ApiError::expired("The file is damaged: export again"));
    }
    let app = job.app.clone().unwrap_or_default();
    let what = format!("file of job {}", job.id);
    let mut audited =
        AuditedExport::begin(&request.shared.audit, request.reader().as_ref(), Some(&app), &what).await?;
    let rows = usize::try_from(job.done).unwrap_or(usize::MAX);
    audited.iter_mut().for_each(|audited| audited.count(rows));
    let sending = SentFile { file, left: bytes, audited };
    let mut response = answer(format, &app, sending);
    response.headers_mut().insert(header::CONTENT_LENGTH, bytes.into());
    Ok(response)
}

/// A file that is sent.
struct SentFile {
    file: File,
    /// Bytes that are left to send. The connection takes no more than the length of the answer, and so sees no end.
    left: u64,
    audited: Option<AuditedExport>,
}

impl SentFile {
    /// The next bytes; `None` at the end.
    async fn next(mut self) -> Option<(io::Result<Bytes>, Option<Self>)> {
        if self.left == 0 {
            self.audited.iter_mut().for_each(AuditedExport::finish);
            return None;
        }
        let read = spawn_blocking(move || {
            let mut chunk = vec![0; CHUNK];
            let read = self.file.read(&mut chunk);
            read.map(|read| {
                chunk.truncate(read);
                (self, Bytes::from(chunk))
            })
        });
        match read.await.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok((_, chunk)) if chunk.is_empty() => Some((Err(io::ErrorKind::UnexpectedEof.into()), None)),
            Ok((mut sent, chunk)) => {
                sent.left = sent.left.saturating_sub(chunk.len() as u64);
                if sent.left == 0 {
                    sent.audited.iter_mut().for_each(AuditedExport::finish);
                }
                Some((Ok(chunk), Some(sent)))
            }
            Err(error) => Some((Err(error), None)),
        }
    }
}

fn answer(format: ExportFormat, app: &AppId, sending: SentFile) -> Response {
    let stream = unfold(Some(sending), |sending| async { sending?.next().await });
    let mut response = json(StatusCode::OK, Body::from_stream(stream));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    name_file(&mut response, &format.file_name(app));
    never_show(&mut response);
    response
}
