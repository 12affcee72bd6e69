//! A request of an operator to the admin listener.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{FromRequestParts, MatchedPath};
use axum::http::Method;
use axum::http::request::Parts;

use super::audit::actor_of;
use super::error::ApiError;
use super::operator_apps::{must_see, must_see_all_apps, unknown_app};
use super::state::HttpState;
use super::{parameters, reads};
use crate::clock::now_ms;
use crate::directory::DirectoryReader;
use crate::domain::{AppId, Visibility};
use crate::operators::Operator;
use crate::store::{Actor, AuditAction, AuditEntry, Segment, Seq};

/// A request of an operator, with its parameters, all of which are known.
pub(super) struct OperatorRequest {
    pub(super) shared: Arc<HttpState>,
    pub(super) operator: Arc<Operator>,
    pub(super) query: Vec<(String, String)>,
    /// The answer has no body (HEAD): nothing is shown.
    is_head: bool,
}

impl FromRequestParts<Arc<HttpState>> for OperatorRequest {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<HttpState>) -> Result<Self, ApiError> {
        let operator = parts.extensions.get::<Arc<Operator>>().cloned();
        let operator = operator.ok_or_else(|| ApiError::unauthorized("This needs an operator"))?;
        let query = parameters::read(&parts.uri)?;
        let route = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
        parameters::check(&parts.method, route, &[], &query)?;
        let is_head = parts.method == Method::HEAD;
        let request = Self { shared: shared.clone(), operator, query, is_head };
        if let Some(app) = request.value("app") {
            request.check_app(app).await?;
        }
        Ok(request)
    }
}

impl OperatorRequest {
    /// The value of a parameter.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        parameters::value(&self.query, name)
    }

    /// Checks the app that a parameter names. 403 as of [`must_see`]; 400 for one that is not in the settings and of which
    /// nothing is stored. An app that was removed from the settings still has its entries.
    pub(super) async fn check_app(&self, named: &str) -> Result<(), ApiError> {
        let app = AppId::from(parameters::text("app", named)?.as_str());
        must_see(&self.operator, &app)?;
        let apps = &self.shared.settings.apps;
        if apps.iter().any(|known| known.id == app.as_str()) {
            return Ok(());
        }
        let is_stored = {
            let app = app.clone();
            move |reader: &mut DirectoryReader| reader.has_of_app(&app)
        };
        if reads::STORED_APP.run(&self.shared.readers, is_stored).await? {
            return Ok(());
        }
        let known = apps.iter().map(|app| AppId::from(app.id.as_str()));
        Err(unknown_app(&app, known.filter(|app| self.operator.sees(app))))
    }

    /// The apps that an answer may be about: `named`, which [`Self::check_app`] admitted, else all that the operator may
    /// see; `None` if these are all.
    pub(super) fn apps(&self, named: Option<&str>) -> Option<BTreeSet<AppId>> {
        named.map_or_else(|| self.operator.apps.clone(), |named| Some(BTreeSet::from([AppId::from(named)])))
    }

    /// The app of `user`: the one that is named, or the only one that the operator may see.
    pub(super) fn app_of_user(&self, named: Option<&str>) -> Result<AppId, ApiError> {
        if let Some(app) = named {
            return Ok(app.into());
        }
        let known = self.shared.settings.apps.iter().map(|app| AppId::from(app.id.as_str()));
        let mut seen = known.filter(|app| self.operator.sees(app));
        match (seen.next(), seen.next()) {
            (Some(only), None) => Ok(only),
            _ => Err(ApiError::bad_request("user needs app, because there are several apps")),
        }
    }

    /// As [`must_see_all_apps`].
    pub(super) fn must_see_all_apps(&self) -> Result<(), ApiError> {
        must_see_all_apps(&self.operator)
    }

    /// What an answer may show of people.
    pub(super) fn visibility(&self) -> Visibility {
        if self.operator.personal_data { Visibility::Whole } else { Visibility::Masked }
    }

    /// Adds a body of this app to the audit log before it is shown; `about` names it. HEAD shows none.
    pub(super) async fn audit_body(
        &self,
        app: &AppId,
        about: impl FnOnce(AuditEntry) -> AuditEntry,
    ) -> Result<(), ApiError> {
        let Some(by) = self.reader() else { return Ok(()) };
        let entry = AuditEntry::of(now_ms(), &by, AuditAction::ShowBody);
        let entry = AuditEntry { app: Some(app.clone()), count: Some(1), ..entry };
        Ok(self.shared.audit.add(about(entry)).await?)
    }

    /// The operator to whom the answer shows something, as the audit log has them; `None` for HEAD.
    pub(super) fn reader(&self) -> Option<Actor> {
        (!self.is_head).then(|| actor_of(&self.operator))
    }

    /// Refuses, with 403, an operator who may not see the data of people a body, which has some.
    pub(super) fn must_see_people(&self) -> Result<(), ApiError> {
        self.must_see_values("A body")
    }

    /// The same for anything else that needs them.
    pub(super) fn must_see_values(&self, what: &str) -> Result<(), ApiError> {
        if self.visibility().is_masked() { Err(ApiError::needs_people(what)) } else { Ok(()) }
    }

    /// The segment with this id. 404 if there is none that the operator may see.
    pub(super) async fn find_segment(&self, id: &str) -> Result<Segment, ApiError> {
        let id = id.to_owned();
        let read = move |reader: &mut DirectoryReader| reader.find_segment(&id);
        let found = reads::SEGMENT.run(&self.shared.readers, read).await?;
        let found = found.filter(|segment| self.operator.sees(&segment.app));
        found.ok_or_else(|| ApiError::not_found("There is no segment with this id"))
    }
}

/// A number in a path.
pub(super) fn number_in_path(text: &str) -> Result<Seq, ApiError> {
    parameters::number(text)
        .ok_or_else(|| ApiError::bad_request("The number in the path must be a whole number"))
}
