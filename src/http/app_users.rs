//! The app user calls of v1 and v1.1: create, get, update, delete, list.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use serde_json::value::RawValue;

use super::accept::ExportFormat;
use super::answers::{EMPTY, answer, json, member, raw, raw_array};
use super::api_request::{ApiRequest, UserRepresentation};
use super::error::ApiError;
use super::list_request::FitCount;
use super::page_links::PageLinks;
use super::{erasure, export, history, list_request, reads};
use crate::domain::command::Action;
use crate::domain::{ShownUser, View};
use crate::smooch::{rest, v1};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AppUsersAnswer<'a> {
    app_users: Box<RawValue>,
    has_more: bool,
    looked: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<&'a str>,
    #[serde(flatten)]
    count: Option<FitCount>,
    links: &'a PageLinks,
}

fn one(view: &ShownUser<'_>) -> UserRepresentation {
    UserRepresentation::new(view, member("appUser", raw(v1::app_user(view))))
}

/// POST `…/appusers`: creates an app user before Smooch reports it. 201; 409 for a `userId` that is
/// taken, with the `_id` of its holder.
pub(super) async fn create(request: ApiRequest) -> Result<Response, ApiError> {
    request.caller.must_be_app()?;
    let rest::CreateRequest { user_id, fields, secured } = request.read(rest::v1::create)?;
    let view = request.change(Action::Create { user_id, fields, secured }).await?;
    Ok(request.show(StatusCode::CREATED, one(&view)))
}

/// GET `…/appusers/{id}`: the app user with this `_id`, also a merged one, or with this `userId`. 404 if
/// there is none, or if it was removed. With `asOf` or `include=provenance` the answer of
/// [`history::then`].
pub(super) async fn get(request: ApiRequest) -> Result<Response, ApiError> {
    if let Some(then) = history::PastRequest::asked(&request.query)? {
        return history::then(&request, &then).await;
    }
    let shown = request.look_up(one).await?;
    Ok(request.show(StatusCode::OK, shown))
}

/// PUT `…/appusers/{id}`: changes the given members; null clears one, the others stay.
pub(super) async fn update(request: ApiRequest) -> Result<Response, ApiError> {
    let (user, fields) = (request.user().await?, request.read(rest::v1::update)?);
    let view = request.change(Action::Update { user, fields, repeated: Vec::new() }).await?;
    Ok(request.show(StatusCode::OK, one(&view)))
}

/// DELETE `…/appusers/{id}`: removes the app user; later events about it have no effect. With
/// `erase=true` see [`erasure::erase`].
pub(super) async fn delete(request: ApiRequest) -> Result<Response, ApiError> {
    request.caller.must_be_app()?;
    if let erasure::DeleteMode::Erasure { only } = erasure::DeleteMode::read(&request.query)? {
        return erasure::erase(&request, only).await;
    }
    request.ask(Action::Delete { user: request.user().await? }).await?;
    Ok(json(StatusCode::OK, EMPTY))
}

/// DELETE `…/appusers/{id}/profile`: clears name, e-mail, properties and the data of the clients.
pub(super) async fn delete_profile(request: ApiRequest) -> Result<Response, ApiError> {
    request.caller.must_be_app()?;
    let view = request.change(Action::DeleteProfile { user: request.user().await? }).await?;
    Ok(request.show(StatusCode::OK, one(&view)))
}

/// GET `…/appusers/{id}/channels`: the clients on third-party channels.
pub(super) async fn channels(request: ApiRequest) -> Result<Response, ApiError> {
    Ok(json(StatusCode::OK, request.look_up(rest::v1::channels).await?))
}

/// POST `…/appusers/{id}/events`: stores an event in the app user's history. 201.
pub(super) async fn track(request: ApiRequest) -> Result<Response, ApiError> {
    let (user, (name, fields)) = (request.user().await?, request.read(rest::v1::track)?);
    request.ask(Action::Track { user, name, fields }).await?;
    Ok(json(StatusCode::CREATED, member("conversationUpdated", false)))
}

/// POST `…/appusers/merge`: merges `discarded` into `surviving`.
pub(super) async fn merge(request: ApiRequest) -> Result<Response, ApiError> {
    request.caller.must_be_app()?;
    let (surviving, discarded) = request.read_names(rest::v1::merge)?;
    let brand = request.brand()?;
    let surviving = request.name(surviving.or_in_brand(brand.as_deref())).await?;
    let discarded = request.name(discarded.or_in_brand(brand.as_deref())).await?;
    request.ask(Action::Merge { surviving, discarded }).await?;
    Ok(json(StatusCode::OK, EMPTY))
}

/// POST `…/appusers/{id}/unmerge`: separates `discarded` again. Shows both.
pub(super) async fn unmerge(request: ApiRequest) -> Result<Response, ApiError> {
    request.caller.must_be_app()?;
    let (surviving, discarded) = (request.user().await?, request.read_names(rest::v1::unmerge)?);
    let done = request.ask(Action::Unmerge { surviving, discarded }).await?;
    let visibility = request.caller.visibility;
    let text = |view: View| v1::app_user(&visibility.show_owned(view));
    let shown = |view: Option<View>| raw(view.map_or_else(|| EMPTY.to_owned(), text));
    let both = BTreeMap::from([("appUser", shown(done.user)), ("discarded", shown(done.other))]);
    Ok(answer(StatusCode::OK, &both))
}

/// GET `…/appusers`: a page of the matching app users, in the requested order; see
/// [`list_request::ListRequest`]. `limit` is 1 to 1000, by default 25; `after` is the cursor of the
/// previous page. A stream of all of them with an [`export::ExportFormat`].
pub(super) async fn list(request: ApiRequest) -> Result<Response, ApiError> {
    request.caller.must_be_app()?;
    if let Some(form) = ExportFormat::accepted(&request.headers) {
        return export::open(request, form).await;
    }
    let asked =
        list_request::ListRequest::read(&request.caller.app, &request.query, list_request::MOST_IN_V1)?;
    let show = |users: &[ShownUser<'_>]| raw_array(users.iter().map(v1::app_user));
    let page = asked.page(&request, &reads::PAGE, show).await?;
    let count = asked.count(&request).await?;
    let after = page.next.as_ref().map(|next| asked.cursor(next));
    let links = PageLinks::of(&request, &["after"], None, after.as_deref().map(|after| ("after", after)));
    let answered = AppUsersAnswer {
        app_users: page.users,
        has_more: page.next.is_some(),
        looked: page.looked,
        after: after.as_deref(),
        count,
        links: &links,
    };
    Ok(links.head(answer(StatusCode::OK, &answered)))
}
