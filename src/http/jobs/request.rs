//! The request for a job about the app users of a list.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::begin::{Asked, SAMPLE};
use super::spec::{JobSpec, UsersSpec};
use super::users_work::{UsersPage, UsersWork};
use crate::directory::DirectoryReader;
use crate::domain::AppId;
use crate::http::error::ApiError;
use crate::http::list_request::MOST_ROWS_SCANNED;
use crate::http::operator_request::OperatorRequest;
use crate::http::reads;
use crate::smooch::v1;
use crate::store::JobKind;

/// The most app users that one job erases.
pub(super) const MOST_ERASED: u64 = 10_000;

/// What a job is asked for with. An unknown member is refused: without it, more might be meant.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct UsersRequest {
    kind: String,
    app: Option<String>,
    filter: Option<String>,
    segment: Option<String>,
    property: Option<String>,
    value: Option<Box<RawValue>>,
    format: Option<String>,
    #[serde(default)]
    dry_run: bool,
    expect: Option<u64>,
}

/// A job about app users that may be started.
pub(super) struct UsersJob {
    pub(super) kind: JobKind,
    pub(super) app: AppId,
    pub(super) asked: Asked,
    spec: UsersSpec,
    work: UsersWork,
}

impl UsersJob {
    /// Checks what is asked for. A segment is resolved to the query that it has now.
    pub(super) async fn read(request: &OperatorRequest, asked: UsersRequest) -> Result<Self, ApiError> {
        let UsersRequest { kind, app, filter, segment, property, value, format, dry_run, expect } = asked;
        let kind = read_kind(&kind)?;
        let (app, filter) = match (filter, &segment) {
            (Some(filter), None) => {
                let app = app.ok_or_else(|| ApiError::bad_request("app is missing"))?;
                (app, filter)
            }
            (None, Some(id)) => {
                let found = request.find_segment(id).await?;
                if app.is_some_and(|app| app != found.app.as_str()) {
                    return Err(ApiError::bad_request("The segment is of another app"));
                }
                (found.app.as_str().to_owned(), found.query)
            }
            _ => return Err(ApiError::bad_request("Give either filter or segment")),
        };
        request.check_app(&app).await?;
        let app = AppId::from(app.as_str());
        let spec = UsersSpec { filter, segment, property, value, format };
        let work = UsersWork::new(kind, &spec)?;
        let private = work.query.filter.private_parameter();
        private.map_or(Ok(()), |name| request.must_see_values(&format!("A filter by {name}")))?;
        if matches!(kind, JobKind::Export | JobKind::SetProperty | JobKind::ClearProperty) {
            request.must_see_values("A job with values of people")?;
        }
        Ok(Self { kind, app, asked: Asked { dry_run, expect }, spec, work })
    }

    pub(super) fn spec(&self) -> JobSpec {
        JobSpec::Users(self.spec.clone())
    }

    /// How many app users match, counted in pieces, so that other reads get their turn.
    pub(super) async fn count(&self, request: &OperatorRequest) -> Result<u64, ApiError> {
        let read = reads::JOB_USERS.begin(&request.shared.readers)?;
        let (mut count, mut after) = (0, None);
        loop {
            let (app, filter) = (self.app.clone(), self.work.query.filter.clone());
            let piece = move |reader: &mut DirectoryReader| {
                reader.count_list(&app, &filter, after.as_ref(), MOST_ROWS_SCANNED)
            };
            let counted = read.run(piece).await?;
            count += counted.fit;
            after = counted.next;
            if after.is_none() {
                return Ok(count);
            }
        }
    }

    /// Some of them, each as the list shows it.
    pub(super) async fn sample(&self, request: &OperatorRequest) -> Result<Vec<String>, ApiError> {
        let visibility = request.visibility();
        let (mut sample, mut after) = (Vec::new(), String::new());
        loop {
            let limit = SAMPLE - sample.len();
            let UsersPage { users, next } =
                self.work.read_page(&request.shared, &self.app, &after, limit).await?;
            sample.extend(users.iter().map(|user| v1::app_user(&visibility.show(user))));
            match next {
                Some(next) if sample.len() < SAMPLE => after = next.as_str().to_owned(),
                _ => return Ok(sample),
            }
        }
    }

    /// Refuses a job that is too large.
    pub(super) fn may_be_of(&self, count: u64) -> Result<(), ApiError> {
        if self.kind == JobKind::Erase && count > MOST_ERASED {
            let why =
                format!("At most {MOST_ERASED} app users are erased at a time, and {count} meet the filter");
            return Err(ApiError::bad_request(why));
        }
        Ok(())
    }
}

/// The kinds that are about app users.
fn read_kind(text: &str) -> Result<JobKind, ApiError> {
    let kind = text.parse().ok().filter(|kind| {
        matches!(
            kind,
            JobKind::Export
                | JobKind::SetProperty
                | JobKind::ClearProperty
                | JobKind::Remove
                | JobKind::Erase
        )
    });
    kind.ok_or_else(|| {
        ApiError::bad_request("kind must be export, setProperty, clearProperty, remove or erase")
    })
}
