//! App users in v1 and v1.1: made, looked up, changed, removed, listed.

use axum::http::StatusCode;
use axum::response::Response;

use super::call::{Call, Shown};
use super::error::{ApiError, json};
use super::form::Form;
use super::links::PageLinks;
use super::{export, forget, history, lists, reads};
use crate::domain::View;
use crate::domain::command::Action;
use crate::smooch::json::write_string;
use crate::smooch::{rest, v1};

/// An answer that shows one app user.
fn one(view: &View) -> Shown {
    Shown::new(view, format!("{{\"appUser\":{}}}", v1::app_user(view)))
}

/// POST `…/appusers`: makes an app user before Smooch knows it. 201; 409 for a `userId` that is taken,
/// with the `_id` of whoever has it.
pub(super) async fn create(call: Call) -> Result<Response, ApiError> {
    call.caller.must_be_app()?;
    let rest::CreateRequest { user_id, fields, secured } = call.read(rest::v1::create)?;
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
    let view = call.change(Action::Update { user, fields, repeated: Vec::new() }).await?;
    Ok(call.show(StatusCode::OK, one(&view)))
}

/// DELETE `…/appusers/{id}`: the app user is gone, and whatever is told of it later is not heard. With
/// `erase=true` what [`forget::erase`] does.
pub(super) async fn delete(call: Call) -> Result<Response, ApiError> {
    call.caller.must_be_app()?;
    if let forget::Asked::Erasure { only } = forget::Asked::read(&call.query)? {
        return forget::erase(&call, only).await;
    }
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
    let brand = call.brand()?;
    let [surviving, discarded] = [surviving, discarded].map(|user| user.or_in_brand(brand));
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

/// GET `…/appusers`: a page of those who fit, in the order asked for; see [`lists::Asked`]. `limit` is 1 to
/// 1000, by default 25; `after` is what the page before said. All of them
/// with an [`export::Form`].
pub(super) async fn list(call: Call) -> Result<Response, ApiError> {
    call.caller.must_be_app()?;
    if let Some(form) = Form::accepted(&call.headers) {
        return export::open(call, form).await;
    }
    let asked = lists::Asked::read(&call.query, &lists::V1)?;
    let show = |users: &[View]| users.iter().map(v1::app_user).collect::<Vec<_>>().join(",");
    let page = asked.page(&call, &reads::PAGE, show).await?;
    let count = asked.count(&call).await?;
    let mut text = format!("{{\"appUsers\":[{}],\"hasMore\":{}", page.users, page.next.is_some());
    let after = page.next.map(|next| lists::cursor(&asked.query, &next));
    if let Some(after) = &after {
        text.push_str(",\"after\":");
        write_string(after, &mut text);
    }
    if let Some(count) = count {
        text.push_str(&count.members());
    }
    let links = PageLinks::of(&call, &["after"], None, after.as_deref().map(|after| ("after", after)));
    text.push_str(&format!(",{}}}", links.member()));
    Ok(links.head(json(StatusCode::OK, text)))
}
