//! A call to the REST interface: the caller, the app user it names, and the body.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, MatchedPath, OriginalUri, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest as _, Sha256};

use super::accept::{ExportFormat, OF_PAGES};
use super::addresses::OriginalAddress;
use super::answers::json;
use super::audit::{actor_of, actor_of_key};
use super::auth::Caller;
use super::error::{ApiError, IN_THE_QUERY, brand_place, no_user, refusal};
use super::middleware::BrowserAccess;
use super::parameters::BRAND_PARAMETER;
use super::paths::PathNames;
use super::state::HttpState;
use super::{body, parameters, reads};
use crate::clock::now_ms;
use crate::directory::DirectoryReader;
use crate::domain::command::{Action, Authority, Command, CommandOutcome, Name, Refusal};
use crate::domain::decide::{Access, check_access, refuse_missing};
use crate::domain::{AppId, CallMade, ShownUser, SmoochId, timestamp};
use crate::ingest::job::{CommandJob, CommandResult, IdempotencyKey};
use crate::operators::Operator;
use crate::smooch::json::{Json, is_blank};
use crate::smooch::rest::InvalidInput;
use crate::store::{Actor, How};

/// The longest `Idempotency-Key`, in bytes.
const LONGEST_KEY: usize = 255;

pub(super) struct ApiRequest {
    pub(super) shared: Arc<HttpState>,
    pub(super) caller: Caller,
    /// The operator or the key that makes the call, as the audit log has it; `None` for devices and app users.
    pub(super) by: Option<Arc<Actor>>,
    pub(super) path: PathNames,
    pub(super) query: Vec<(String, String)>,
    /// Arrival, in ms since 1970.
    pub(super) received: i64,
    method: Method,
    uri: Uri,
    /// The address as the sender wrote it, before normalisation.
    written: Uri,
    pub(super) headers: HeaderMap,
    body: Bytes,
}

impl FromRequest<Arc<HttpState>> for ApiRequest {
    type Rejection = ApiError;

    /// Authorises the caller before it reads the body.
    async fn from_request(request: Request, shared: &Arc<HttpState>) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        // The full address, without the effect of nested routers.
        let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |uri| &uri.0).clone();
        let written = parts.extensions.get::<OriginalAddress>().map_or(&uri, |written| &written.0).clone();
        let (path, received) = (PathNames::of(uri.path()), now_ms());
        let app = path.app.as_deref();
        let operator = parts.extensions.get::<Arc<Operator>>();
        let caller = match operator {
            Some(operator) => shared.apps.of_operator(operator, app)?,
            None => shared.apps.authorise(&parts.headers, app, received / 1000)?,
        };
        let by = operator.map_or_else(|| actor_of_caller(&caller), |operator| Some(actor_of(operator)));
        if uri.path().starts_with("/v2/") {
            // App tokens and JWTs of an app user belong to v1.
            caller.must_be_app()?;
        }
        if let Some(browser) = parts.extensions.get::<BrowserAccess>() {
            browser.may_read(&caller.authority);
        }
        shared.rates.take(&caller.credential)?;
        let query = parameters::read(&uri)?;
        let route = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
        let of_no_use: &[&str] = if ExportFormat::is_asked(route, &parts.headers) { &OF_PAGES } else { &[] };
        parameters::check(&parts.method, route, of_no_use, &query)?;
        let bounds = shared.body_limits(shared.settings.limits.rest_body);
        let body = if [Method::POST, Method::PUT, Method::PATCH].contains(&parts.method) {
            body::read(&parts.headers, body, bounds, &mut shared.bodies.share(true)).await?
        } else {
            // Some clients send a body with every call.
            body::pass(&parts.headers, body, bounds, |_| Ok(())).await?;
            Bytes::new()
        };
        let Parts { method, headers, .. } = parts;
        Ok(Self {
            shared: shared.clone(),
            caller,
            by: by.map(Arc::new),
            path,
            query,
            received,
            method,
            uri,
            written,
            headers,
            body,
        })
    }
}

impl ApiRequest {
    /// The operator or the key to whom the answer shows something, as the audit log has them; `None` for HEAD.
    pub(super) fn reader(&self) -> Option<&Actor> {
        self.by.as_deref().filter(|_| self.method != Method::HEAD)
    }

    /// The same of operators alone: the log has not each look of a business system.
    pub(super) fn reading_operator(&self) -> Option<&Actor> {
        self.reader().filter(|by| by.how != How::Api)
    }

    /// The app user named by the path, in the brand named by the query.
    pub(super) async fn user(&self) -> Result<Name, ApiError> {
        let name = Name::from(id_in_path(&self.path.user)?).in_brand(self.brand()?.as_deref());
        self.name(name).await
    }

    /// A name that the caller may use: whoever sees no `userId`s cannot ask by one either, and learns of none.
    pub(super) async fn name(&self, name: Name) -> Result<Name, ApiError> {
        if self.caller.visibility.is_masked() {
            if name.brand.is_some() {
                // A brand is for `userId`s.
                self.caller.must_see_people(|| "A name with brandId".to_owned())?;
            }
            let (app, id) = (self.caller.app.clone(), SmoochId::from(&*name.text));
            let find =
                move |reader: &mut DirectoryReader| reader.find_connected(&app, std::slice::from_ref(&id));
            let known = reads::APP_USER.run(&self.shared.readers, find).await?;
            if !known.contains_key(&SmoochId::from(&*name.text)) {
                return Err(ApiError::not_found(
                    "There is no app user with this _id; a userId needs personal_data = true, which this operator does \
                     not have",
                ));
            }
        }
        Ok(name)
    }

    /// The brand in which a `userId` is resolved, if the query names one.
    pub(super) fn brand(&self) -> Result<Option<String>, ApiError> {
        let brand = parameters::value(&self.query, BRAND_PARAMETER);
        brand.map(|brand| parameters::text(BRAND_PARAMETER, brand)).transpose()
    }

    pub(super) fn path_as_written(&self) -> &str {
        self.uri.path()
    }

    /// The path segment after the app user, such as a device's id.
    pub(super) fn part(&self) -> Result<&str, ApiError> {
        id_in_path(&self.path.part)
    }

    /// Parses the body, which may have private values: 403 if the caller sees none.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Json<'_>) -> Result<T, InvalidInput>,
    ) -> Result<T, ApiError> {
        self.caller.must_see_people(|| "A call with values of people".to_owned())?;
        self.read_names(read)
    }

    /// Parses the body as an object that has only names of app users; an empty body is an empty object. The names are
    /// for [`Self::name`].
    pub(super) fn read_names<T>(
        &self,
        read: impl FnOnce(&Json<'_>) -> Result<T, InvalidInput>,
    ) -> Result<T, ApiError> {
        let body: &[u8] = if is_blank(&self.body) { b"{}" } else { &self.body };
        let document = Json::parse(body, self.shared.settings.limits.json_depth)
            .map_err(|malformed| ApiError::bad_request(format!("The body is not JSON: {malformed}")))?;
        if !matches!(document.value, Json::Object(_)) {
            return Err(ApiError::bad_request("The body must be a JSON object"));
        }
        read(&document.value).map_err(|InvalidInput(problem)| ApiError::bad_request(problem))
    }

    /// Sends a command to the worker; resolves once it is on disk.
    pub(super) async fn ask(&self, action: Action) -> Result<CommandOutcome, ApiError> {
        let place = brand_place(&action);
        let command = Command {
            action,
            authority: self.caller.authority.clone(),
            only_if: self.if_match_tags()?,
            at: timestamp::json_from_ms(self.received),
        };
        let asked = CommandJob {
            app: self.caller.app.clone(),
            command,
            received: self.received,
            idempotency_key: self.idempotency_key()?,
            by: self.by.clone(),
        };
        let call = Some(Box::new(self.made()));
        let done = match self.shared.queue.submit_command(asked, call).await? {
            CommandResult::Fresh(done) | CommandResult::Repeated(done) => *done,
            CommandResult::KeyReused => {
                let (status, code) = (StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused");
                return Err(ApiError::new(status, code, "This Idempotency-Key was used for another request"));
            }
        };
        done.map_err(|refused| refusal(refused, place))
    }

    fn made(&self) -> CallMade {
        let body = Some(&self.body).filter(|body| !body.is_empty());
        let user_id =
            if let Authority::User(user_id) = &self.caller.authority { Some(user_id) } else { None };
        CallMade {
            method: self.method.to_string(),
            path: Some(self.written.to_string()),
            key: self.caller.key.clone(),
            scope: self.caller.scope.to_owned(),
            operator: self.caller.operator.clone(),
            user_id: user_id.and_then(|text| serde_json::from_str(text).ok()),
            body: body.map(|body| String::from_utf8_lossy(body).into_owned()),
            erased: false,
        }
    }

    /// Sends a command whose answer shows an app user.
    pub(super) async fn change(&self, action: Action) -> Result<ShownUser<'static>, ApiError> {
        let changed = self.ask(action).await?.user.ok_or_else(no_user)?;
        Ok(self.caller.visibility.show_owned(changed))
    }

    /// The tags of `If-Match`: the change requires one of them. `*` matches any state; a weak tag matches
    /// none.
    fn if_match_tags(&self) -> Result<Option<Vec<String>>, ApiError> {
        if ![Method::PUT, Method::PATCH, Method::DELETE].contains(&self.method) {
            return Ok(None);
        }
        let tags = tags(&self.headers, header::IF_MATCH)?.filter(|tags| !tags.contains(&"*"));
        if tags.is_some() {
            // The tag of a masked answer is that of what it shows, and a command compares everything.
            self.caller.must_see_people(|| "If-Match".to_owned())?;
        }
        Ok(tags.map(|tags| tags.iter().map(|tag| tag.trim_matches('"').to_owned()).collect()))
    }

    fn idempotency_key(&self) -> Result<Option<IdempotencyKey>, ApiError> {
        let Some(key) = self.headers.get("idempotency-key").filter(|_| self.method == Method::POST) else {
            return Ok(None);
        };
        let key = key.to_str().ok().filter(|key| (1..=LONGEST_KEY).contains(&key.len()));
        let key = key.ok_or_else(|| {
            ApiError::bad_request(format!("Idempotency-Key must be 1 to {LONGEST_KEY} printable characters"))
        })?;
        let asked =
            Sha256::new().chain_update(self.uri.to_string()).chain_update([0]).chain_update(&self.body);
        let key = format!("{}\n{key}", self.caller.credential);
        Ok(Some(IdempotencyKey { key, fingerprint: asked.finalize().into() }))
    }

    /// The result of `show` for the app user named by the path, if the caller may see it.
    pub(super) async fn look_up<T: Send + 'static>(
        &self,
        show: impl Fn(&ShownUser<'_>) -> T + Copy + Send + 'static,
    ) -> Result<T, ApiError> {
        let (app, name, authority) =
            (self.caller.app.clone(), self.user().await?, self.caller.authority.clone());
        let visibility = self.caller.visibility;
        let found = reads::APP_USER.run(&self.shared.readers, move |reader| {
            let Some(view) = reader.find_by_name(&app, &name)? else {
                return Ok(Err(refuse_missing(&authority, &name)));
            };
            Ok(match check_access(&authority, &view) {
                Err(refused) => Err(refused),
                Ok(_) if is_shared_user_id(&authority, reader, &app)? => Err(Refusal::SeveralUsers),
                Ok(Access::FirstJwt) => Ok(Err(view.id)),
                Ok(Access::Granted) => Ok(Ok(show(&visibility.show(&view)))),
            })
        });
        match found.await? {
            Ok(Ok(shown)) => Ok(shown),
            // Secured by its `_id`, since several app users may have the userId.
            Ok(Err(id)) => Ok(show(&self.change(Action::Secure { user: id.as_str().into() }).await?)),
            Err(refused) => Err(refusal(refused, IN_THE_QUERY)),
        }
    }

    /// An answer that shows an app user, with its ETag; 304 if the caller has it already.
    pub(super) fn show(
        &self,
        status: StatusCode,
        UserRepresentation { tag, text }: UserRepresentation,
    ) -> Response {
        let known = tags(&self.headers, header::IF_NONE_MATCH).ok().flatten().unwrap_or_default();
        // A proxy that compresses weakens the tag; a weak tag is good enough for a read.
        let is_known =
            |known: &&str| *known == "*" || known.trim_start_matches("W/").trim_matches('"') == tag;
        let looks = [Method::GET, Method::HEAD].contains(&self.method);
        let mut response = if looks && known.iter().any(is_known) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            json(status, text)
        };
        if let Ok(tag) = HeaderValue::try_from(format!("\"{tag}\"")) {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }
}

/// The representation of an app user in an answer.
pub(super) struct UserRepresentation {
    tag: String,
    text: String,
}

impl UserRepresentation {
    /// `text` is the whole answer.
    pub(super) fn new(view: &ShownUser<'_>, text: String) -> Self {
        Self { tag: view.tag(), text }
    }
}

/// A key of the app or the account, as the audit log has it; `None` for other callers.
fn actor_of_caller(caller: &Caller) -> Option<Actor> {
    let key = caller.key.as_deref().filter(|_| caller.authority == Authority::App)?;
    Some(actor_of_key(key, caller.scope))
}

fn id_in_path(id: &Option<String>) -> Result<&str, ApiError> {
    let why = "The id in the path is not percent-encoded UTF-8 without NUL";
    id.as_deref().ok_or_else(|| ApiError::bad_request(why))
}

/// True if several app users carry a JWT's `userId`: the token must reach none of them then.
fn is_shared_user_id(
    authority: &Authority,
    reader: &mut DirectoryReader,
    app: &AppId,
) -> crate::store::Result<bool> {
    let Authority::User(own) = authority else { return Ok(false) };
    let own: String = serde_json::from_str(own).unwrap_or_default();
    Ok(reader.find_carriers(app, &own)?.len() > 1)
}

/// The tags in a header of a conditional request, each as written.
fn tags(headers: &HeaderMap, name: header::HeaderName) -> Result<Option<Vec<&str>>, ApiError> {
    let mut all = None;
    for value in headers.get_all(&name) {
        let text = value.to_str().map_err(|_| ApiError::bad_request(format!("{name} is not text")))?;
        all.get_or_insert_with(Vec::new).extend(text.split(',').map(str::trim));
    }
    Ok(all)
}
