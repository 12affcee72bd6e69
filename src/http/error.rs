//! Refusals in Smooch's shape: `{"error":{"code","description"}}`.

use std::borrow::Cow;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::answers::answer;
use crate::clock::now_micros;
use crate::domain::brand::several_brands;
use crate::domain::command::{Action, Refusal};
use crate::domain::decide::PROPERTIES_BYTES;
use crate::ingest::queue::SubmitError;
use crate::store::{self, Epoch};

/// A refusal. Its text is shown to the caller, so it never exposes internals.
#[derive(Clone, Debug)]
pub(super) struct ApiError {
    pub(super) status: StatusCode,
    /// In the answer and in the metrics.
    pub(super) code: &'static str,
    pub(super) description: Cow<'static, str>,
    pub(super) beside: Option<ErrorMember>,
    /// `Retry-After`, in s.
    pub(super) after: Option<u64>,
    /// The status and code in v2, where they differ: it has one code for every problem with a credential, an app in
    /// the path that is not the credential's does not exist there, and a 404 names the kind of the missing object.
    pub(super) v2: Option<(StatusCode, &'static str)>,
}

#[derive(Clone, Debug)]
pub(super) enum ErrorMember {
    /// The `_id` of the app user concerned.
    User(String),
    /// How many there are.
    Count(u64),
    /// The number of the job that runs.
    Job(u64),
    /// The oldest retained change, and the epoch of the feed.
    Oldest(u64, Option<Epoch>),
}

impl ApiError {
    pub(super) fn new(
        status: StatusCode,
        code: &'static str,
        description: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { status, code, description: description.into(), beside: None, after: None, v2: None }
    }

    /// The oldest retained change, if the requested one was deleted.
    pub(super) fn oldest(&self) -> Option<(u64, Option<Epoch>)> {
        if let Some(ErrorMember::Oldest(oldest, epoch)) = self.beside { Some((oldest, epoch)) } else { None }
    }

    /// True if the same request may succeed shortly after.
    pub(super) fn is_temporary(&self) -> bool {
        self.status == StatusCode::SERVICE_UNAVAILABLE
    }

    pub(super) fn bad_request(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", description)
    }

    pub(super) fn method_not_allowed() -> Self {
        let why = "This address does not allow that method";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", why)
    }

    pub(super) fn forbidden(description: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", description)
    }

    /// What an operator without `personal_data` asked for and may not have.
    pub(super) fn needs_people(what: &str) -> Self {
        let why = format!("{what} needs personal_data = true, which this operator does not have");
        Self::new(StatusCode::FORBIDDEN, "forbidden", why)
    }

    pub(super) fn conflict(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", description)
    }

    pub(super) fn not_found(description: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", description)
    }

    /// A 404 with this code in v2.
    pub(super) fn missing(code: &'static str, description: &'static str) -> Self {
        Self { v2: Some((StatusCode::NOT_FOUND, code)), ..Self::not_found(description) }
    }

    /// A look-up of the past resolves today's names only: an unknown name may be a former `userId`.
    pub(super) fn mention_former_user_ids(mut self) -> Self {
        if self.status == StatusCode::NOT_FOUND {
            self.description =
                "There is no app user with this _id or userId. A userId is looked up as it is now, also \
                                with asOf: whoever had it before is found by the _id"
                    .into();
        }
        self
    }

    /// The requested entry was deleted by retention; `oldest` is the first that remains.
    pub(super) fn gone(description: impl Into<Cow<'static, str>>, oldest: u64, epoch: Option<Epoch>) -> Self {
        Self { beside: Some(ErrorMember::Oldest(oldest, epoch)), ..Self::expired(description) }
    }

    pub(super) fn expired(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::GONE, "gone", description)
    }

    /// No credential, or one with too little authority.
    pub(super) fn unauthorized(description: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", description)
    }

    /// A temporary failure: never one of the codes after which Smooch gives up.
    pub(super) fn unavailable(code: &'static str, description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, description)
    }
}

impl From<SubmitError> for ApiError {
    fn from(refused: SubmitError) -> Self {
        if refused == SubmitError::Internal {
            let (status, why) = (StatusCode::INTERNAL_SERVER_ERROR, "An internal error; it is logged");
            return Self::new(status, refused.code(), why);
        }
        Self::unavailable(refused.code(), refused.to_string())
    }
}

impl From<store::Error> for ApiError {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Busy => {
                return Self::unavailable("busy", "Too many reads of this kind are waiting; try again");
            }
            store::Error::Interrupted => {
                return Self::unavailable("too_slow", "The read took too long; ask for less, or try again");
            }
            store::Error::Remaking(name) | store::Error::Derived { name, .. } => {
                let why = format!("The derived table {name} is being rebuilt; try again later");
                return Self::unavailable("unavailable", why);
            }
            _ => tracing::error!(%error, "look-up failed: {error}"),
        }
        match error {
            store::Error::Unreadable { .. } => {
                let why = "A record is damaged and is being restored from the journal; try again later";
                Self::unavailable("unavailable", why)
            }
            store::Error::Hole(_) => Self::unavailable("unavailable", error.to_string()),
            _ => Self::unavailable("unavailable", "The database is not available; try again"),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut answer = json!({ "error": { "code": self.code, "description": self.description } });
        match &self.beside {
            Some(ErrorMember::User(user)) => answer["appUser"] = json!({ "_id": user }),
            Some(ErrorMember::Oldest(oldest, epoch)) => {
                answer["oldest"] = (*oldest).into();
                epoch.iter().for_each(|epoch| answer["epoch"] = epoch.to_string().into());
            }
            Some(ErrorMember::Count(count)) => answer["count"] = (*count).into(),
            Some(ErrorMember::Job(job)) => answer["job"] = (*job).into(),
            None => {}
        }
        let mut response = self.respond(self.status, &answer);
        // Lets the middleware rewrite the refusal for another version.
        response.extensions_mut().insert(self);
        response
    }
}

impl ApiError {
    /// The refusal in v2's shape: `{"errors":[{"code","title"}]}`.
    pub(super) fn in_v2(&self) -> Response {
        let (status, code) = self.v2.unwrap_or((self.status, self.code));
        let mut answer = json!({ "errors": [{ "code": code, "title": self.description }] });
        if let Some(ErrorMember::User(user)) = &self.beside {
            answer["user"] = json!({ "id": user });
        }
        self.respond(status, &answer)
    }

    fn respond(&self, status: StatusCode, refusal: &Value) -> Response {
        let mut response = answer(status, refusal);
        // 1 to 3 s, so that senders refused together do not return together.
        let soon = || 1 + now_micros().unsigned_abs() % 3;
        if let Some(seconds) = self.after.or_else(|| self.is_temporary().then(soon)) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

pub(super) fn no_user() -> ApiError {
    ApiError::missing("user_not_found", "There is no app user with this _id or userId")
}

/// The place of the brand in a request that names it in the query.
pub(crate) const IN_THE_QUERY: &str = "`brandId` in the query";

/// The place of the brand in a call that changes an app user.
pub(super) fn brand_place(action: &Action) -> &'static str {
    match action {
        Action::Init { .. } => "`brandId` in the body",
        Action::Merge { .. } => "`brandId` beside its `_id` in the body",
        _ => IN_THE_QUERY,
    }
}

/// The answer to a refused command. `place` is where the call takes a brand.
pub(super) fn refusal(refusal: Refusal, place: &str) -> ApiError {
    match refusal {
        Refusal::NoUser => no_user(),
        Refusal::NoClient => ApiError::missing("device_not_found", "The app user has no device with this id"),
        Refusal::NoMember => ApiError::not_found("The app user has no such part; it may be unmerged already"),
        Refusal::Taken(id) => {
            let beside = Some(ErrorMember::User(id.as_str().to_owned()));
            ApiError { beside, ..ApiError::conflict("User already exists") }
        }
        Refusal::Secured => {
            ApiError::unauthorized("A JWT was used for this app user; app tokens no longer reach it")
        }
        Refusal::NotYours => ApiError::forbidden("The JWT's userId is not this app user's"),
        Refusal::Stale => ApiError::new(
            StatusCode::PRECONDITION_FAILED,
            "precondition_failed",
            "The app user has changed: its ETag is not the one in If-Match",
        ),
        Refusal::TooManyProperties => {
            ApiError::bad_request(format!("The properties would have more than {PROPERTIES_BYTES} bytes"))
        }
        Refusal::TooManyMembers => ApiError::bad_request("The merged app user would have too many _ids"),
        Refusal::SameUser => ApiError::bad_request("The app users are merged already"),
        Refusal::SeveralBrands(brands) => ApiError::conflict(several_brands(&brands, place)),
        Refusal::Unchangeable(name) => ApiError::bad_request(format!(
            "{name} cannot be changed by this call, and is another; leave it out, or say it as it is"
        )),
        Refusal::SeveralUsers => ApiError::conflict(
            "Several app users carry the JWT's userId, and a JWT speaks for one. Nothing was done: a JWT of scope app can \
             name each by its _id",
        ),
        Refusal::NamesErased => ApiError::bad_request(
            "The userId (v2: externalId) is, or contains, the _id of an erased app user",
        ),
        Refusal::SeveralCarriers => ApiError::conflict(
            "Several app users carry the userId. Nothing was done: name the app user by its _id",
        ),
        Refusal::BrandByToken => ApiError::unauthorized(
            "An app token cannot create an app user in a brand that it names, nor with a userId that another brand has. \
             Nothing was done: use a JWT of scope app",
        ),
        Refusal::BrandByUser => ApiError::forbidden(
            "The JWT's app user is not of this brand. Nothing was done: leave `brandId` out, or ask with a JWT of scope app",
        ),
    }
}
