//! The conditions on journal entries in the body of a request for a job.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::spec::EntrySelection;
use crate::directory::entries::EntrySpan;
use crate::http::error::{ApiError, no_user};
use crate::http::journal::{UserFilter, bound};
use crate::http::operator_request::OperatorRequest;
use crate::http::parameters::{TextOrNumber, text};
use crate::http::reads;
use crate::store::{Outcome, Seq};

/// Conditions as in the parameters of GET `/journal`, and numbers. An unknown member is refused: without it, more entries
/// might be meant.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EntryFilter {
    app: Option<String>,
    user: Option<String>,
    trigger: Option<String>,
    outcome: Option<String>,
    since: Option<TextOrNumber>,
    until: Option<TextOrNumber>,
    seqs: Option<BTreeSet<Seq>>,
}

impl EntryFilter {
    /// The selection, with the app users by the present merges. 400 names the condition that is wrong; 404 if there is no
    /// such app user.
    pub(super) async fn select(self, request: &OperatorRequest) -> Result<EntrySelection, ApiError> {
        let Self { app, user, trigger, outcome, since, until, seqs } = self;
        let [since, until] = [("since", since), ("until", until)]
            .map(|(name, value)| value.map(|value| bound(name, &value.text())).transpose());
        let span = EntrySpan::between(since?, until?);
        let span = span.ok_or_else(|| ApiError::bad_request("until is before since"))?;
        if outcome.as_ref().is_some_and(|outcome| outcome.parse::<Outcome>().is_err()) {
            return Err(ApiError::bad_request("outcome must be learned or kept"));
        }
        let trigger = trigger.map(|trigger| text("trigger", &trigger)).transpose()?;
        if let Some(app) = &app {
            request.check_app(app).await?;
        }
        let apps = request.apps(app.as_deref());
        let users = match user {
            None => None,
            Some(user) => {
                let app = request.app_of_user(app.as_deref())?;
                let filter = UserFilter::new(app.clone(), &user, request.visibility())?;
                let ids = reads::REPLAY_SELECTION
                    .run(&request.shared.readers, move |reader| Ok(filter.ids(reader)));
                let ids = ids.await??;
                if ids.is_empty() {
                    return Err(no_user());
                }
                Some((app, ids))
            }
        };
        Ok(EntrySelection { apps, users, trigger, outcome, span, seqs })
    }
}
