//! The calls of v2: users, their clients and their devices.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use serde_json::value::RawValue;

use super::answers::{answer, json, member, raw, raw_array};
use super::api_request::{ApiRequest, UserRepresentation};
use super::error::ApiError;
use super::list_request::{FitCount, ListRequest, MOST_IN_V2, PageStart};
use super::page_links::PageLinks;
use super::parameters::limit;
use super::{list_cursor, reads};
use crate::domain::ShownUser;
use crate::domain::command::Action;
use crate::smooch::rest;

const DEFAULT: usize = 25;

fn one(view: &ShownUser<'_>) -> UserRepresentation {
    UserRepresentation::new(view, member("user", raw(rest::v2::user(view))))
}

/// POST `/v2/apps/{app}/users`. 201; 409 for an `externalId` that is taken.
pub(super) async fn create(request: ApiRequest) -> Result<Response, ApiError> {
    let rest::CreateRequest { user_id, fields, secured } = request.read(rest::v2::create)?;
    let view = request.change(Action::Create { user_id, fields, secured }).await?;
    Ok(request.show(StatusCode::CREATED, one(&view)))
}

/// GET `…/users/{id or externalId}`.
pub(super) async fn get(request: ApiRequest) -> Result<Response, ApiError> {
    let shown = request.look_up(one).await?;
    Ok(request.show(StatusCode::OK, shown))
}

/// PATCH `…/users/{id or externalId}`: changes the given members; null clears one, the others stay.
pub(super) async fn update(request: ApiRequest) -> Result<Response, ApiError> {
    let (user, (fields, repeated)) = (request.user().await?, request.read(rest::v2::change)?);
    let view = request.change(Action::Update { user, fields, repeated }).await?;
    Ok(request.show(StatusCode::OK, one(&view)))
}

/// DELETE `…/users/{id or externalId}/personalinformation`.
pub(super) async fn delete_profile(request: ApiRequest) -> Result<Response, ApiError> {
    let view = request.change(Action::DeleteProfile { user: request.user().await? }).await?;
    Ok(request.show(StatusCode::OK, one(&view)))
}

/// GET `…/users/{id or externalId}/clients`: a page of the clients with a type that v2 has.
pub(super) async fn clients(request: ApiRequest) -> Result<Response, ApiError> {
    let page = ItemPage::read(&request)?;
    let all = request.look_up(rest::v2::clients).await?;
    let (start, end) = match (&page.after, &page.before) {
        (_, Some(before)) => {
            let end = all.partition_point(|(id, _)| id < before);
            (end.saturating_sub(page.size), end)
        }
        (after, None) => {
            let start = after.as_ref().map_or(0, |after| all.partition_point(|(id, _)| id <= after));
            (start, all.len().min(start + page.size))
        }
    };
    let backwards = page.before.is_some();
    let more = if backwards { start > 0 } else { end < all.len() };
    let here = &all[start..end];
    let clients = raw_array(here.iter().map(|(_, text)| text.clone()));
    let ends = [here.first(), here.last()]
        .map(|item| item.map(|(id, _)| list_cursor::cursor(&clients_of(&request), id)));
    let at_start = !backwards && page.after.is_none();
    Ok(paged(&request, PageItems::Clients(clients), &PageEnds { ends, more, backwards, at_start }, None))
}

/// GET `…/users/{id or externalId}/devices`: the devices with a type that v2 has, in one answer.
pub(super) async fn devices(request: ApiRequest) -> Result<Response, ApiError> {
    let all = request.look_up(rest::v2::devices).await?;
    let devices = raw_array(all.into_iter().map(|(_, text)| text));
    Ok(json(StatusCode::OK, member("devices", devices)))
}

/// GET `…/users/{id or externalId}/devices/{device}`.
pub(super) async fn device(request: ApiRequest) -> Result<Response, ApiError> {
    let all = request.look_up(rest::v2::devices).await?;
    let id = request.part()?;
    let found = all.into_iter().find(|(known, _)| known == id);
    let (_, text) =
        found.ok_or_else(|| ApiError::missing("device_not_found", "The user has no such device"))?;
    Ok(json(StatusCode::OK, member("device", raw(text))))
}

/// GET `/v2/apps/{app}/users`: a page of the matching users, in the requested order; see
/// [`ListRequest`].
pub(super) async fn list(request: ApiRequest) -> Result<Response, ApiError> {
    let mut asked = ListRequest::read(&request.caller.app, &request.query, MOST_IN_V2)?;
    // An empty page has no cursor backwards: a slow disk must not make one.
    asked.longest_scan = Duration::MAX;
    let show = |users: &[ShownUser<'_>]| raw_array(users.iter().map(rest::v2::user));
    let page = asked.page(&request, &reads::PAGE, show).await?;
    let count = asked.count(&request).await?;
    let [mut first, mut last] = page.ends.map_or([None, None], |ends| ends.map(Some));
    let more = page.next.is_some();
    if matches!(asked.from, PageStart::Before(_)) {
        (first, last) = (page.next.or(last), first);
    } else {
        last = page.next.or(last);
    }
    let ends = [first, last].map(|place| place.map(|place| asked.cursor(&place)));
    let backwards = matches!(asked.from, PageStart::Before(_));
    let at_start = matches!(asked.from, PageStart::Start);
    Ok(paged(&request, PageItems::Users(page.users), &PageEnds { ends, more, backwards, at_start }, count))
}

struct PageEnds {
    /// The cursors of its first and its last item.
    ends: [Option<String>; 2],
    /// There are more items in the direction of the read.
    more: bool,
    backwards: bool,
    at_start: bool,
}

#[derive(Serialize)]
struct PageAnswer<'a> {
    #[serde(flatten)]
    items: PageItems,
    meta: PageMeta<'a>,
    links: &'a PageLinks,
}

/// The items of a page, under their name.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum PageItems {
    Clients(Box<RawValue>),
    Users(Box<RawValue>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PageMeta<'a> {
    has_more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    after_cursor: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before_cursor: Option<&'a str>,
    #[serde(flatten)]
    count: Option<FitCount>,
}

fn paged(request: &ApiRequest, items: PageItems, ends: &PageEnds, count: Option<FitCount>) -> Response {
    let PageEnds { ends: [first, last], more, backwards, at_start } = ends;
    let prev = first.as_deref().filter(|_| if *backwards { *more } else { !at_start });
    let next = last.as_deref().filter(|_| *backwards || *more);
    let links = PageLinks::of(
        request,
        &["page[after]", "page[before]"],
        prev.map(|cursor| ("page[before]", cursor)),
        next.map(|cursor| ("page[after]", cursor)),
    );
    let meta =
        PageMeta { has_more: *more, after_cursor: last.as_deref(), before_cursor: first.as_deref(), count };
    links.head(answer(StatusCode::OK, &PageAnswer { items, meta, links: &links }))
}

/// The list of the clients of the named user.
fn clients_of(request: &ApiRequest) -> (&'static str, &str, Option<&str>) {
    ("clients", request.caller.app.as_str(), request.path.user.as_deref())
}

/// A page of a list that is read as a whole.
struct ItemPage {
    size: usize,
    after: Option<String>,
    before: Option<String>,
}

impl ItemPage {
    fn read(request: &ApiRequest) -> Result<Self, ApiError> {
        let list = clients_of(request);
        let position = |key: &str, value: &str| list_cursor::place(&list, key, value);
        let mut page = Self { size: DEFAULT, after: None, before: None };
        for (key, value) in &request.query {
            match key.as_str() {
                "page[size]" => page.size = limit(key, value, MOST_IN_V2)?,
                "page[after]" => page.after = Some(position(key, value)?),
                "page[before]" => page.before = Some(position(key, value)?),
                // Unknown parameters were refused before.
                _ => {}
            }
        }
        if page.after.is_some() && page.before.is_some() {
            return Err(ApiError::bad_request("page[after] and page[before] exclude each other"));
        }
        Ok(page)
    }
}
