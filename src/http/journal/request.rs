//! The conditions on journal entries in the parameters of a call.

use std::collections::BTreeSet;

use crate::directory::DirectoryReader;
use crate::directory::entries::{EntryBound, EntryPlace, EntryQuery, EntrySpan};
use crate::domain::brand::Name;
use crate::domain::{AppId, SmoochId, Visibility, timestamp};
use crate::http::error::{ApiError, no_user};
use crate::http::list_cursor::{self, OperatorList};
use crate::http::operator_request::OperatorRequest;
use crate::http::parameters::{limit, text, word};
use crate::http::state::HttpState;
use crate::ingest::app_activity::DeliveryCounts;
use crate::store::{Outcome, Source};

const DEFAULT_LIMIT: usize = 50;
const MOST: usize = 200;

/// A list of entries that an operator asks for.
pub(super) struct JournalRequest {
    /// Without the app users, which are looked up when it is read.
    query: EntryQuery,
    user: Option<UserFilter>,
    pub(super) limit: usize,
    pub(super) after: Option<EntryPlace>,
    asked: OperatorList,
}

/// The app user that entries must be about.
pub(in crate::http) struct UserFilter {
    app: AppId,
    name: Name,
    /// The name may be a `userId`; else it is an `_id` alone, so that nothing is learned of `userId`s.
    by_user_id: bool,
}

impl JournalRequest {
    /// Reads the parameters. 400 names the one with an invalid value.
    pub(super) fn read(request: &OperatorRequest) -> Result<Self, ApiError> {
        let mut query = EntryQuery { apps: request.apps(request.value("app")), ..EntryQuery::default() };
        let (mut since, mut until, mut size) = (None, None, DEFAULT_LIMIT);
        for (name, value) in &request.query {
            match name.as_str() {
                "trigger" => query.trigger = Some(text(name, value)?),
                "source" => query.source = Some(source(value)?),
                "outcome" => query.outcome = Some(word::<Outcome>(name, value)?),
                "since" => since = Some(bound(name, value)?),
                "until" => until = Some(bound(name, value)?),
                "order" => query.oldest_first = order(value)?,
                "limit" => size = limit(name, value, MOST)?,
                _ => {}
            }
        }
        let span = EntrySpan::between(since, until);
        query.span = span.ok_or_else(|| ApiError::bad_request("until is before since"))?;
        let user = request.value("user").map(|user| {
            UserFilter::new(request.app_of_user(request.value("app"))?, user, request.visibility())
        });
        let asked = list_cursor::list_of("journal", &request.query);
        let after = request.value("after").map(|after| list_cursor::place(&asked, "after", after));
        Ok(Self { query, user: user.transpose()?, limit: size, after: after.transpose()?, asked })
    }

    /// The query with its app users, by the present merges. 404 if there is none with that name.
    pub(super) fn resolve(&self, reader: &DirectoryReader) -> Result<EntryQuery, ApiError> {
        let Some(user) = &self.user else { return Ok(self.query.clone()) };
        let ids = user.ids(reader)?;
        if ids.is_empty() {
            return Err(no_user());
        }
        Ok(EntryQuery { users: Some((user.app.clone(), ids)), ..self.query.clone() })
    }

    /// The same for entries to come: an app user that is not known yet is taken by its `_id`.
    pub(super) fn resolve_coming(&self, reader: &DirectoryReader) -> Result<EntryQuery, ApiError> {
        let Some(user) = &self.user else { return Ok(self.query.clone()) };
        let mut ids = user.ids(reader)?;
        if ids.is_empty() {
            ids.insert(SmoochId::from(&*user.name.text));
        }
        Ok(EntryQuery { users: Some((user.app.clone(), ids)), ..self.query.clone() })
    }

    /// The deliveries of the apps that the entries are of.
    pub(super) fn deliveries(&self, shared: &HttpState) -> DeliveryCounts {
        shared.app_activity.deliveries(|app| self.query.apps.as_ref().is_none_or(|apps| apps.contains(app)))
    }

    /// The cursor of the page that begins behind this place.
    pub(super) fn cursor(&self, place: &EntryPlace) -> String {
        list_cursor::cursor(&self.asked, place)
    }
}

impl UserFilter {
    /// The app user with this name. Of an operator who sees no `userId`s it is an `_id`.
    pub(in crate::http) fn new(app: AppId, user: &str, visibility: Visibility) -> Result<Self, ApiError> {
        let name = Name::from(text("user", user)?.as_str());
        Ok(Self { app, name, by_user_id: !visibility.is_masked() })
    }

    pub(in crate::http) fn ids(&self, reader: &DirectoryReader) -> Result<BTreeSet<SmoochId>, ApiError> {
        Ok(if self.by_user_id {
            reader.resolve_ids(&self.app, &self.name)?
        } else {
            reader.resolve_id(&self.app, &SmoochId::from(&*self.name.text))?
        })
    }
}

pub(in crate::http) fn bound(name: &str, value: &str) -> Result<EntryBound, ApiError> {
    EntryBound::parse(value).ok_or_else(|| {
        let forms = timestamp::PARAMETER_FORMS;
        ApiError::bad_request(format!("{name} must be a journal number, or {forms}"))
    })
}

fn order(value: &str) -> Result<bool, ApiError> {
    match value {
        "asc" => Ok(true),
        "desc" => Ok(false),
        _ => Err(ApiError::bad_request("order must be asc or desc")),
    }
}

/// A source as answers show it.
fn source(value: &str) -> Result<&'static str, ApiError> {
    let shown =
        [Source::Webhook, Source::Api].map(Source::as_shown).into_iter().find(|shown| *shown == value);
    shown.ok_or_else(|| ApiError::bad_request("source must be webhook or api"))
}
