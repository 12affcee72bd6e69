//! App users in v1 and v1.1: made, looked up, changed, removed, listed.

use axum::http::StatusCode;
use axum::response::Response;

use super::api_request::{ApiRequest, UserRepresentation};
use super::error::{ApiError, json};
use super::export_format::ExportFormat;
use super::page_links::PageLinks;
use super::{erasure, export, history, list_request, reads};
use crate::domain::View;
use crate::domain::command::Action;
use crate::smooch::json::write_string;
use crate::smooch::{rest, v1};

/// An answer that shows one app user.
fn one(view: &View) -> UserRepresentation {
    UserRepresentation::new(view, format!("{{\"appUser\":{}}}", v1::app_user(view)))
}

/// POST `…/appusers`: makes an app user before Smooch knows it. 201; 409 for a `userId` that is taken,
/// with the `_id` of whoever has it.
pub(super) async fn create(request: ApiRequest) -> Result<Response, ApiError> {
    request.caller.must_be_app()?;
    let rest::CreateRequest { user_id, fields, secured } = request.read(rest::v1::create)?;
    let view = request.change(Action::Create { user_id, fields, secured }).await?;
    Ok(request.show(StatusCode::CREATED, one(&view)))
}

/// GET `…/appusers/{id}`: the app user with this `_id`, also one that was merged away, or with
/// this `userId`. 404 if there is none, or if it was removed. With `asOf` or `include=provenance` what
/// [`history::then`] tells.
pub(super) async fn get(request: ApiRequest) -> Result<Response, ApiError> {
    if let Some(then) = history::PastRequest::asked(&request.query)? {
        return history::then(&request, &then).await;
    }
    let shown = request.look_up(one).await?;
    Ok(request.show(StatusCode::OK, shown))
}

/// PUT `…/appusers/{id}`: what is given is changed, null clears, the rest stays.
pub(super) async fn update(request: ApiRequest) -> Result<Response, ApiError> {
    let (user, fields) = (request.user()?, request.read(rest::v1::update)?);
    let view = request.change(Action::Update { user, fields, repeated: Vec::new() }).await?;
    Ok(request.show(StatusCode::OK, one(&view)))
}

/// DELETE `…/appusers/{id}`: the app user is gone, and whatever is told of it later is not heard. With
/// `erase=true` what [`erasure::erase`] does.
pub(super) async fn delete(request: ApiRequest) -> Result<Response, ApiError> {
    request.caller.must_be_app()?;
    if let erasure::DeleteMode::Erasure { only } = erasure::DeleteMode::read(&request.query)? {
        return erasure::erase(&request, only).await;
    }
    request.ask(Action::Delete { user: request.user()? }).await?;
    Ok(json(StatusCode::OK, "{}"))
}

/// DELETE `…/appusers/{id}/profile`: clears name, e-mail, properties and what the clients tell.
pub(super) async fn delete_profile(request: ApiRequest) -> Result<Response, ApiError> {
    request.caller.must_be_app()?;
    let view = request.change(Action::DeleteProfile { user: request.user()? }).await?;
    Ok(request.show(StatusCode::OK, one(&view)))
}

/// GET `…/appusers/{id}/channels`: the clients on channels of others.
pub(super) async fn channels(request: ApiRequest) -> Result<Response, ApiError> {
    Ok(json(StatusCode::OK, request.look_up(rest::v1::channels).await?))
}

/// POST `…/appusers/{id}/events`: kept in the app user's history. 201.
pub(super) async fn track(request: ApiRequest) -> Result<Response, ApiError> {
    let (user, (name, fields)) = (request.user()?, request.read(rest::v1::track)?);
    request.ask(Action::Track { user, name, fields }).await?;
    Ok(json(StatusCode::CREATED, "{\"conversationUpdated\":false}"))
}

/// POST `…/appusers/merge`: `discarded` is part of `surviving` from now on.
pub(super) async fn merge(request: ApiRequest) -> Result<Response, ApiError> {
    request.caller.must_be_app()?;
    let (surviving, discarded) = request.read(rest::v1::merge)?;
    let brand = request.brand()?;
    let [surviving, discarded] = [surviving, discarded].map(|user| user.or_in_brand(brand.as_deref()));
    request.ask(Action::Merge { surviving, discarded }).await?;
    Ok(json(StatusCode::OK, "{}"))
}

/// POST `…/appusers/{id}/unmerge`: `discarded` stands for itself again. Shows both.
pub(super) async fn unmerge(request: ApiRequest) -> Result<Response, ApiError> {
    request.caller.must_be_app()?;
    let (surviving, discarded) = (request.user()?, request.read(rest::v1::unmerge)?);
    let done = request.ask(Action::Unmerge { surviving, discarded }).await?;
    let text = |view: Option<View>| view.as_ref().map_or_else(|| "{}".to_owned(), v1::app_user);
    let both = format!("{{\"appUser\":{},\"discarded\":{}}}", text(done.user), text(done.other));
    Ok(json(StatusCode::OK, both))
}

/// GET `…/appusers`: a page of those who fit, in the order asked for; see [`list_request::ListRequest`]. `limit` is 1 to
/// 1000, by default 25; `after` is what the page before said. All of them
/// with an [`export::ExportFormat`].
pub(super) async fn list(request: ApiRequest) -> Result<Response, ApiError> {
    request.caller.must_be_app()?;
    if let Some(form) = ExportFormat::accepted(&request.headers) {
        return export::open(request, form).await;
    }
    let asked = list_request::ListRequest::read(&request.query, &list_request::V1)?;
    let show = |users: &[View]| users.iter().map(v1::app_user).collect::<Vec<_>>().join(",");
    let page = asked.page(&request, &reads::PAGE, show).await?;
    let count = asked.count(&request).await?;
    let mut text = format!("{{\"appUsers\":[{}],\"hasMore\":{}", page.users, page.next.is_some());
    let after = page.next.map(|next| list_request::cursor(&asked.query, &next));
    if let Some(after) = &after {
        text.push_str(",\"after\":");
        write_string(after, &mut text);
    }
    if let Some(count) = count {
        text.push_str(&count.members());
    }
    let links = PageLinks::of(&request, &["after"], None, after.as_deref().map(|after| ("after", after)));
    text.push_str(&format!(",{}}}", links.member()));
    Ok(links.head(json(StatusCode::OK, text)))
}
