//! App users in v2's words: users, their clients and their devices.

use axum::http::StatusCode;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::call::{Call, Shown};
use super::error::{ApiError, json};
use super::links::PageLinks;
use super::parameters::limit;
use super::{lists, reads};
use crate::domain::View;
use crate::domain::command::Action;
use crate::smooch::json::write_string;
use crate::smooch::rest;

/// The most items of a page, and how many it has without being told.
const MOST: usize = 100;
const DEFAULT: usize = 25;

fn one(view: &View) -> Shown {
    Shown::new(view, format!("{{\"user\":{}}}", rest::v2::user(view)))
}

/// POST `/v2/apps/{app}/users`. 201; 409 for an `externalId` that is taken.
pub(super) async fn create(call: Call) -> Result<Response, ApiError> {
    let rest::CreateRequest { user_id, fields, secured } = call.read(rest::v2::create)?;
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
    let (user, rest::UpdateRequest { fields, repeated }) = (call.user()?, call.read(rest::v2::change)?);
    let view = call.change(Action::Update { user, fields, repeated }).await?;
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
    let ends = [here.first(), here.last()].map(|item| item.map(|(id, _)| cursor(id)));
    let backwards = page.before.is_some();
    let at_start = !backwards && page.after.is_none();
    Ok(paged(&call, "clients", &items.join(","), &Ends { ends, more, backwards, at_start }, None))
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

/// GET `/v2/apps/{app}/users`: a page of those who fit, in the order asked for; see [`lists::Asked`].
pub(super) async fn list(call: Call) -> Result<Response, ApiError> {
    let asked = lists::Asked::read(&call.query, &lists::V2)?;
    let show = |users: &[View]| users.iter().map(rest::v2::user).collect::<Vec<_>>().join(",");
    let page = asked.page(&call, &reads::PAGE, show).await?;
    let count = asked.count(&call).await?;
    let [mut first, mut last] = page.ends.map_or([None, None], |ends| ends.map(Some));
    let more = page.next.is_some();
    if matches!(asked.from, lists::From::Before(_)) {
        (first, last) = (page.next.or(last), first);
    } else {
        last = page.next.or(last);
    }
    let ends = [first, last].map(|place| place.map(|place| lists::cursor(&asked.query, &place)));
    let backwards = matches!(asked.from, lists::From::Before(_));
    let at_start = matches!(asked.from, lists::From::Start);
    Ok(paged(&call, "users", &page.users, &Ends { ends, more, backwards, at_start }, count))
}

/// Where a page of v2 begins and ends.
struct Ends {
    /// The cursors of its first and its last item.
    ends: [Option<String>; 2],
    /// There are more in the direction in which it was read.
    more: bool,
    backwards: bool,
    /// It is the first page.
    at_start: bool,
}

/// A page in v2's shape.
fn paged(call: &Call, name: &str, items: &str, ends: &Ends, count: Option<lists::FitCount>) -> Response {
    let Ends { ends: [first, last], more, backwards, at_start } = ends;
    let mut text = format!("{{\"{name}\":[{items}],\"meta\":{{\"hasMore\":{more}");
    for (name, cursor) in [("afterCursor", last), ("beforeCursor", first)] {
        if let Some(cursor) = cursor {
            text.push_str(&format!(",\"{name}\":"));
            write_string(cursor, &mut text);
        }
    }
    if let Some(count) = count {
        text.push_str(&count.members());
    }
    let prev = first.as_deref().filter(|_| if *backwards { *more } else { !at_start });
    let next = last.as_deref().filter(|_| *backwards || *more);
    let links = PageLinks::of(
        call,
        &["page[after]", "page[before]"],
        prev.map(|cursor| ("page[before]", cursor)),
        next.map(|cursor| ("page[after]", cursor)),
    );
    text.push_str(&format!("}},{}}}", links.member()));
    links.head(json(StatusCode::OK, text))
}

/// A page of a list that is read whole.
struct Page {
    size: usize,
    after: Option<String>,
    before: Option<String>,
}

impl Page {
    fn read(query: &[(String, String)]) -> Result<Self, ApiError> {
        let mut page = Self { size: DEFAULT, after: None, before: None };
        for (key, value) in query {
            match key.as_str() {
                "page[size]" => page.size = limit(key, value, MOST)?,
                "page[after]" => page.after = Some(position(key, value)?),
                "page[before]" => page.before = Some(position(key, value)?),
                // What the call does not know was refused before.
                _ => {}
            }
        }
        if page.after.is_some() && page.before.is_some() {
            return Err(ApiError::bad_request("page[after] and page[before] exclude each other"));
        }
        Ok(page)
    }
}

/// What begins every cursor of a list that is read whole.
const BY_ID: &[u8] = b"id\0";

/// The place of an item, by its id.
fn cursor(id: &str) -> String {
    URL_SAFE_NO_PAD.encode([BY_ID, id.as_bytes()].concat())
}

/// The id in a cursor.
fn position(name: &str, cursor: &str) -> Result<String, ApiError> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
    let id = bytes.and_then(|bytes| String::from_utf8(bytes.strip_prefix(BY_ID)?.to_vec()).ok());
    id.ok_or_else(|| ApiError::bad_request(format!("{name} is not a cursor of this list")))
}
