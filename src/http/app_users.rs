//! App users in v1 and v1.1: made, looked up, changed, removed, listed.

use axum::http::StatusCode;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::call::{Call, Shown};
use super::error::{ApiError, json};
use super::{export, history};
use crate::domain::command::Action;
use crate::domain::{SmoochId, View};
use crate::store::Reader;
use crate::wire::json::write_string;
use crate::wire::{rest, v1};

const DEFAULT_LIMIT: usize = 25;
const MOST: usize = 1000;

/// An answer that shows one app user.
fn one(view: &View) -> Shown {
    Shown::new(view, format!("{{\"appUser\":{}}}", v1::app_user(view)))
}

/// POST `…/appusers`: makes an app user before Smooch knows it. 201; 409 for a `userId` that is taken,
/// with the `_id` of whoever has it.
pub(super) async fn create(call: Call) -> Result<Response, ApiError> {
    call.caller.must_be_app()?;
    let rest::Created { user_id, fields, secured } = call.read(rest::v1::create)?;
    let view = call.change(Action::Create { user_id, fields, secured }).await?;
    Ok(call.show(StatusCode::CREATED, one(&view)))
}

/// GET `…/appusers/{id}`: the app user with this `_id`, also one that was merged away, or with
/// this `userId`. 404 if there is none, or if it was removed. With `asOf` or `include=provenance` what
/// [`history::then`] tells.
pub(super) async fn get(call: Call) -> Result<Response, ApiError> {
    if let Some(then) = history::Then::asked(&call.query)? {
        return history::then(&call, &then).await;
    }
    let shown = call.look_up(one).await?;
    Ok(call.show(StatusCode::OK, shown))
}

/// PUT `…/appusers/{id}`: what is given is changed, null clears, the rest stays.
pub(super) async fn update(call: Call) -> Result<Response, ApiError> {
    let (user, fields) = (call.user()?, call.read(rest::v1::update)?);
    let view = call.change(Action::Update { user, fields }).await?;
    Ok(call.show(StatusCode::OK, one(&view)))
}

/// DELETE `…/appusers/{id}`: the app user is gone, and whatever is told of it later is not heard.
pub(super) async fn delete(call: Call) -> Result<Response, ApiError> {
    call.caller.must_be_app()?;
    call.ask(Action::Delete { user: call.user()? }).await?;
    Ok(json(StatusCode::OK, "{}"))
}

/// DELETE `…/appusers/{id}/profile`: clears name, e-mail, properties and what the clients tell.
pub(super) async fn delete_profile(call: Call) -> Result<Response, ApiError> {
    call.caller.must_be_app()?;
    let view = call.change(Action::DeleteProfile { user: call.user()? }).await?;
    Ok(call.show(StatusCode::OK, one(&view)))
}

/// GET `…/appusers/{id}/channels`: the clients on channels of others.
pub(super) async fn channels(call: Call) -> Result<Response, ApiError> {
    Ok(json(StatusCode::OK, call.look_up(rest::v1::channels).await?))
}

/// POST `…/appusers/{id}/events`: kept in the app user's history. 201.
pub(super) async fn track(call: Call) -> Result<Response, ApiError> {
    let (user, (name, fields)) = (call.user()?, call.read(rest::v1::track)?);
    call.ask(Action::Track { user, name, fields }).await?;
    Ok(json(StatusCode::CREATED, "{\"conversationUpdated\":false}"))
}

/// POST `…/appusers/merge`: `discarded` is part of `surviving` from now on.
pub(super) async fn merge(call: Call) -> Result<Response, ApiError> {
    call.caller.must_be_app()?;
    let (surviving, discarded) = call.read(rest::v1::merge)?;
    call.ask(Action::Merge { surviving, discarded }).await?;
    Ok(json(StatusCode::OK, "{}"))
}

/// POST `…/appusers/{id}/unmerge`: `discarded` stands for itself again. Shows both.
pub(super) async fn unmerge(call: Call) -> Result<Response, ApiError> {
    call.caller.must_be_app()?;
    let (surviving, discarded) = (call.user()?, call.read(rest::v1::unmerge)?);
    let done = call.ask(Action::Unmerge { surviving, discarded }).await?;
    let text = |view: Option<View>| view.as_ref().map_or_else(|| "{}".to_owned(), v1::app_user);
    let both = format!("{{\"appUser\":{},\"discarded\":{}}}", text(done.user), text(done.other));
    Ok(json(StatusCode::OK, both))
}

/// GET `…/appusers`: all app users in the order of their `_id`s. `limit` is 1 to 1000, by default
/// 25; `after` is what the page before said. All of them with an [`export::Form`].
pub(super) async fn list(call: Call) -> Result<Response, ApiError> {
    call.caller.must_be_app()?;
    if let Some(form) = export::Form::accepted(&call.headers) {
        return export::open(call, form).await;
    }
    let (page, app) = (Page::read(&call.query)?, call.caller.app.clone());
    let limit = page.limit;
    // One more than asked for tells whether there is a next page.
    let read = move |reader: &mut _| Reader::list(reader, &app, page.after.as_deref(), limit + 1);
    let mut views = call.shared.readers.run(read).await?;
    let more = views.len() > limit;
    views.truncate(limit);
    let users: Vec<String> = views.iter().map(v1::app_user).collect();
    let mut text = format!("{{\"appUsers\":[{}],\"hasMore\":{more}", users.join(","));
    if let Some(last) = views.last().filter(|_| more) {
        text.push_str(",\"after\":");
        write_string(&cursor(&last.id), &mut text);
    }
    text.push('}');
    Ok(json(StatusCode::OK, text))
}

struct Page {
    limit: usize,
    after: Option<String>,
}

impl Page {
    fn read(query: &[(String, String)]) -> Result<Self, ApiError> {
        let mut page = Self { limit: DEFAULT_LIMIT, after: None };
        for (key, value) in query {
            match key.as_str() {
                "limit" => page.limit = limit(value, MOST)?,
                "after" => page.after = Some(position(value)?),
                other => return Err(unknown_parameter(other)),
            }
        }
        Ok(page)
    }
}

pub(super) fn unknown_parameter(name: &str) -> ApiError {
    ApiError::bad_request(format!("Unknown parameter: {}", name.escape_default()))
}

/// How many a page may hold.
pub(super) fn limit(value: &str, most: usize) -> Result<usize, ApiError> {
    let limit = value.parse().ok().filter(|limit| (1..=most).contains(limit));
    limit.ok_or_else(|| ApiError::bad_request(format!("limit must be from 1 to {most}")))
}

/// What begins every cursor: which list it is of.
const BY_ID: &[u8] = b"id\0";

/// Where the next page begins: after this `_id`.
pub(super) fn cursor(id: &SmoochId) -> String {
    URL_SAFE_NO_PAD.encode([BY_ID, id.as_str().as_bytes()].concat())
}

/// The `_id` in a cursor.
pub(super) fn position(cursor: &str) -> Result<String, ApiError> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
    let id = bytes.and_then(|bytes| String::from_utf8(bytes.strip_prefix(BY_ID)?.to_vec()).ok());
    id.ok_or_else(|| ApiError::bad_request("after is not a cursor of this list"))
}
