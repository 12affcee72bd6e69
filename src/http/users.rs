//! App users in v2's words: users, their clients and their devices.

use axum::http::StatusCode;
use axum::response::Response;

use super::app_users::{cursor, limit, position, unknown_parameter};
use super::call::{Call, Shown};
use super::error::{ApiError, json};
use crate::domain::command::Action;
use crate::domain::{SmoochId, View};
use crate::store::Reader;
use crate::wire::json::write_string;
use crate::wire::rest;

/// The most items of a page, and how many it has without being told.
const MOST: usize = 100;
const DEFAULT: usize = 25;

fn one(view: &View) -> Shown {
    Shown::new(view, format!("{{\"user\":{}}}", rest::v2::user(view)))
}

/// POST `/v2/apps/{app}/users`. 201; 409 for an `externalId` that is taken.
pub(super) async fn create(call: Call) -> Result<Response, ApiError> {
    let rest::Created { user_id, fields, secured } = call.read(rest::v2::create)?;
    let view = call.change(Action::Create { user_id, fields, secured }).await?;
    Ok(call.show(StatusCode::CREATED, one(&view)))
}

/// GET `…/users/{id or externalId}`.
pub(super) async fn get(call: Call) -> Result<Response, ApiError> {
    let shown = call.look_up(one).await?;
    Ok(call.show(StatusCode::OK, shown))
}

/// PATCH `…/users/{id or externalId}`: what is given is changed, null clears, the rest stays.
pub(super) async fn update(call: Call) -> Result<Response, ApiError> {
    let (user, fields) = (call.user()?, call.read(rest::v2::patch)?);
    let view = call.change(Action::Update { user, fields }).await?;
    Ok(call.show(StatusCode::OK, one(&view)))
}

/// DELETE `…/users/{id or externalId}/personalinformation`.
pub(super) async fn delete_profile(call: Call) -> Result<Response, ApiError> {
    let view = call.change(Action::DeleteProfile { user: call.user()? }).await?;
    Ok(call.show(StatusCode::OK, one(&view)))
}

/// GET `…/users/{id or externalId}/clients`: a page of those whose type v2 knows.
pub(super) async fn clients(call: Call) -> Result<Response, ApiError> {
    let page = Page::read(&call.query)?;
    let all = call.look_up(rest::v2::clients).await?;
    let start = match (&page.after, &page.before) {
        (Some(after), _) => all.partition_point(|(id, _)| id <= after),
        (None, Some(before)) => all.partition_point(|(id, _)| id < before).saturating_sub(page.size),
        (None, None) => 0,
    };
    let end = match &page.before {
        Some(before) => all.partition_point(|(id, _)| id < before),
        None => all.len().min(start + page.size),
    };
    let more = if page.before.is_some() { start > 0 } else { end < all.len() };
    let here = &all[start.min(end)..end];
    let items: Vec<&str> = here.iter().map(|(_, text)| text.as_str()).collect();
    let ends =
        [here.first(), here.last()].map(|item| item.map(|(id, _)| cursor(&SmoochId::from(id.as_str()))));
    Ok(json(StatusCode::OK, paged("clients", &items.join(","), more, ends)))
}

/// GET `…/users/{id or externalId}/devices`: those whose type v2 knows, in one answer.
pub(super) async fn devices(call: Call) -> Result<Response, ApiError> {
    let all = call.look_up(rest::v2::devices).await?;
    let items: Vec<String> = all.into_iter().map(|(_, text)| text).collect();
    Ok(json(StatusCode::OK, format!("{{\"devices\":[{}]}}", items.join(","))))
}

/// GET `…/users/{id or externalId}/devices/{device}`.
pub(super) async fn device(call: Call) -> Result<Response, ApiError> {
    let all = call.look_up(rest::v2::devices).await?;
    let id = call.part()?;
    let found = all.into_iter().find(|(known, _)| known == id);
    let (_, text) =
        found.ok_or_else(|| ApiError::missing("device_not_found", "The user has no such device"))?;
    Ok(json(StatusCode::OK, format!("{{\"device\":{text}}}")))
}

/// GET `/v2/apps/{app}/users`: all, or those with an e-mail address, in the order of their ids.
pub(super) async fn list(call: Call) -> Result<Response, ApiError> {
    let (page, app) = (Page::read(&call.query)?, call.caller.app.clone());
    if page.before.is_some() {
        return Err(ApiError::bad_request("page[before] is not supported for users"));
    }
    let size = page.size;
    let read = move |reader: &mut _| match &page.email {
        Some(email) => Reader::by_email(reader, &app, email, page.after.as_deref(), size + 1),
        None => Reader::list(reader, &app, page.after.as_deref(), size + 1),
    };
    let mut views = call.shared.readers.run(read).await?;
    let more = views.len() > size;
    views.truncate(size);
    let items: Vec<String> = views.iter().map(rest::v2::user).collect();
    let ends = [None, views.last().map(|view| cursor(&view.id))];
    Ok(json(StatusCode::OK, paged("users", &items.join(","), more, ends)))
}

/// A page in v2's shape; the cursors are those of its first and its last item.
fn paged(name: &str, items: &str, more: bool, [first, last]: [Option<String>; 2]) -> String {
    let mut text = format!("{{\"{name}\":[{items}],\"meta\":{{\"hasMore\":{more}");
    for (name, cursor) in [("afterCursor", last), ("beforeCursor", first)] {
        if let Some(cursor) = cursor {
            text.push_str(&format!(",\"{name}\":"));
            write_string(&cursor, &mut text);
        }
    }
    text.push_str("},\"links\":{}}");
    text
}

struct Page {
    size: usize,
    after: Option<String>,
    before: Option<String>,
    email: Option<String>,
}

impl Page {
    fn read(query: &[(String, String)]) -> Result<Self, ApiError> {
        let mut page = Self { size: DEFAULT, after: None, before: None, email: None };
        for (key, value) in query {
            match key.as_str() {
                "page[size]" => page.size = limit(value, MOST)?,
                "page[after]" => page.after = Some(position(value)?),
                "page[before]" => page.before = Some(position(value)?),
                "filter[identities.email]" => page.email = Some(value.clone()),
                other => return Err(unknown_parameter(other)),
            }
        }
        if page.after.is_some() && page.before.is_some() {
            return Err(ApiError::bad_request("page[after] and page[before] exclude each other"));
        }
        Ok(page)
    }
}
