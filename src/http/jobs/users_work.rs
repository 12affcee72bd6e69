//! The steps of a job about app users: they are read in the order of their `_id`s, and each is changed only if it is still
//! as it was read.

use std::sync::Arc;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::value::RawValue;

use super::filter::{read_filter, read_format};
use super::spec::UsersSpec;
use super::step::{NextStep, StepBounds};
use crate::clock::now_ms;
use crate::directory::DirectoryReader;
use crate::directory::list_page::{ListCursor, ListResult, ScanLimits};
use crate::domain::command::{Action, Authority, Command, Fields, Name};
use crate::domain::decide::check_properties;
use crate::domain::list::Query;
use crate::domain::{AppId, CallMade, SmoochId, View, timestamp};
use crate::http::answers::to_json;
use crate::http::error::{ApiError, refusal};
use crate::http::list_request::{LONGEST_SCAN, MOST_ROWS_SCANNED};
use crate::http::reads;
use crate::http::state::HttpState;
use crate::ingest::job::{CommandJob, JobPart, PartWork};
use crate::smooch::json::Json;
use crate::smooch::rest;
use crate::store::{Actor, JobKind, JobState, OperatorJob};

/// App users that one step erases: each is searched for in everything.
const ERASED_AT_ONCE: usize = 8;

/// The nesting of a value, which is flat.
const DEPTH: usize = 8;

/// What is done with each app user.
pub(super) struct UsersWork {
    pub(super) query: Query,
    change: UserChange,
}

/// A change of one app user.
enum UserChange {
    /// None: it is written to a file.
    Export,
    /// The fields, and the body of the call that sets them.
    Set(Fields, String),
    Remove,
    Erase,
}

/// A page of the app users of a job.
pub(super) struct UsersPage {
    pub(super) users: Vec<View>,
    /// The last `_id` that was looked at; `None` at the end.
    pub(super) next: Option<SmoochId>,
}

impl UsersWork {
    /// Checks what a job is to be done with. 400 names the member that is missing, wrong, or of another kind.
    pub(super) fn new(kind: JobKind, spec: &UsersSpec) -> Result<Self, ApiError> {
        let UsersSpec { filter, segment: _, property, value, format } = spec;
        let query = read_filter(filter)?;
        let refuse = |name: &str, given: bool| match given {
            true => Err(ApiError::bad_request(format!("{name} is not for a job of this kind"))),
            false => Ok(()),
        };
        let is_of_property = matches!(kind, JobKind::SetProperty | JobKind::ClearProperty);
        refuse("property", property.is_some() && !is_of_property)?;
        refuse("value", value.is_some() && kind != JobKind::SetProperty)?;
        refuse("format", format.is_some() && kind != JobKind::Export)?;
        let change = match kind {
            JobKind::SetProperty => {
                let value = value.as_deref().filter(|value| value.get() != "null");
                let value = value.ok_or_else(|| ApiError::bad_request("value is missing"))?;
                set_property(property.as_deref(), value.get())?
            }
            JobKind::ClearProperty => set_property(property.as_deref(), "null")?,
            JobKind::Remove => UserChange::Remove,
            JobKind::Erase => UserChange::Erase,
            _ => {
                read_format(format.as_deref())?;
                UserChange::Export
            }
        };
        Ok(Self { query, change })
    }

    /// The app users of the job behind an `_id`: at most `limit`, and none if few rows match.
    pub(super) async fn read_page(
        &self,
        shared: &HttpState,
        app: &AppId,
        after: &str,
        limit: usize,
    ) -> Result<UsersPage, ApiError> {
        let (app, query) = (app.clone(), self.query.clone());
        let from = (!after.is_empty()).then(|| ListCursor::behind_id(SmoochId::from(after)));
        let read = move |reader: &mut DirectoryReader| {
            let limits = ScanLimits { limit, looks: MOST_ROWS_SCANNED, time: LONGEST_SCAN };
            reader.read_list(&app, &query, from.as_ref(), limits)
        };
        match reads::JOB_USERS.run(&shared.readers, read).await? {
            ListResult::Page(page) => {
                Ok(UsersPage { users: page.users, next: page.next.map(ListCursor::into_id) })
            }
            ListResult::Expired => Err(ApiError::bad_request("The list cannot be continued")),
        }
    }

    /// The next step of a job that changes app users.
    pub(super) async fn next_step(
        &self,
        shared: &HttpState,
        job: &OperatorJob,
        bounds: StepBounds,
    ) -> Result<NextStep, ApiError> {
        let app = job.app.clone().unwrap_or_default();
        let most = if matches!(self.change, UserChange::Erase) { ERASED_AT_ONCE } else { bounds.parts };
        let UsersPage { users, next } = self.read_page(shared, &app, &job.cursor, bounds.limit(most)).await?;
        let by = Arc::new(job.by());
        let last = users.last().map_or(&*job.cursor, |user| user.id.as_str()).to_owned();
        let parts = users.into_iter().map(|user| Arc::new(self.part(&app, &user, &by))).collect();
        let cursor = next.as_ref().map_or(last, |next| next.as_str().to_owned());
        let end = next.is_none().then_some((JobState::Done, None));
        Ok(NextStep { parts, cursor, end })
    }

    fn part(&self, app: &AppId, user: &View, by: &Arc<Actor>) -> JobPart {
        let id = user.id.as_str();
        let name = Name::from(id);
        let (action, method, query, body) = match &self.change {
            UserChange::Set(fields, body) => {
                let action = Action::Update { user: name, fields: fields.clone(), repeated: Vec::new() };
                (action, "PUT", "", Some(body.clone()))
            }
            UserChange::Erase => (Action::Erase { user: name, only: false }, "DELETE", "?erase=true", None),
            UserChange::Remove | UserChange::Export => (Action::Delete { user: name }, "DELETE", "", None),
        };
        let received = now_ms();
        let command = Command {
            action,
            authority: Authority::App,
            only_if: Some(vec![user.tag()]),
            at: timestamp::json_from_ms(received),
        };
        let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
        let call = CallMade {
            method: method.to_owned(),
            path: Some(format!("/v1/apps/{}/appusers/{}{query}", encoded(app.as_str()), encoded(id))),
            key: None,
            scope: "operator".to_owned(),
            operator: by.who.clone(),
            user_id: None,
            body,
            erased: false,
        };
        let command =
            CommandJob { app: app.clone(), command, received, idempotency_key: None, by: Some(by.clone()) };
        JobPart {
            about: id.to_owned(),
            cursor: id.to_owned(),
            work: PartWork::Command(Box::new((command, call))),
        }
    }
}

/// The change that sets a property to a value in JSON, by the rules of the users API.
fn set_property(property: Option<&str>, value: &str) -> Result<UserChange, ApiError> {
    let property = property.filter(|property| !property.is_empty());
    let property = property.ok_or_else(|| ApiError::bad_request("property is missing"))?;
    let raw = RawValue::from_string(value.to_owned());
    let raw = raw.map_err(|_| ApiError::bad_request("value is not JSON"))?;
    let body = to_json(&std::collections::BTreeMap::from([(
        "properties",
        std::collections::BTreeMap::from([(property, raw)]),
    )]));
    let document = Json::parse(body.as_bytes(), DEPTH)
        .map_err(|malformed| ApiError::bad_request(format!("The value cannot be read: {malformed}")))?;
    let fields = rest::v1::update(&document.value);
    let fields = fields.map_err(|rest::InvalidInput(problem)| ApiError::bad_request(problem))?;
    check_properties(&fields).map_err(|refused| refusal(refused, ""))?;
    Ok(UserChange::Set(fields, body))
}
