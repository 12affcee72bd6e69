//! Looking app users up: one by any of its names, or all of them a page at a time.

use axum::extract::{OriginalUri, Query};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::percent_decode_str;

use super::State;
use super::error::{ApiError, json};
use crate::domain::{AppId, SmoochId};
use crate::ingest::worker::now_ms;
use crate::store::Reader;
use crate::wire::{json::write_string, v1};

const DEFAULT_LIMIT: usize = 25;
const MOST: usize = 1000;

/// GET `…/appusers/{id}`: the app user with this `_id`, also one that was merged away, or with
/// this `userId`. 404 if there is none, or if it was removed.
pub(super) async fn get(shared: State, uri: OriginalUri, headers: HeaderMap) -> Result<Response, ApiError> {
    let path = Path::of(uri.path());
    let app = shared.apps.authorise(&headers, path.app.as_deref(), now_ms() / 1000)?;
    let name =
        path.user.ok_or_else(|| ApiError::bad_request("The id in the path is not percent-encoded UTF-8"))?;
    let found = shared.readers.run(move |reader| {
        let by_id = reader.by_id(&app, &SmoochId::from(name.as_str()))?;
        if by_id.is_some() { Ok(by_id) } else { reader.by_user_id(&app, &name) }
    });
    let view =
        found.await?.ok_or_else(|| ApiError::not_found("There is no app user with this _id or userId"))?;
    Ok(json(StatusCode::OK, format!("{{\"appUser\":{}}}", v1::app_user(&view))))
}

/// GET `…/appusers`: all app users in the order of their `_id`s. `limit` is 1 to 1000, by default
/// 25; `after` is what the page before said.
pub(super) async fn list(
    shared: State,
    uri: OriginalUri,
    query: Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let path = Path::of(uri.path());
    let app = shared.apps.authorise(&headers, path.app.as_deref(), now_ms() / 1000)?;
    let page = Page::read(&query)?;
    let limit = page.limit;
    let mut views = shared.readers.run(move |reader| list_after(reader, &app, page)).await?;
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

fn list_after(
    reader: &mut impl Reader,
    app: &AppId,
    page: Page,
) -> crate::store::Result<Vec<crate::domain::View>> {
    // One more than asked for tells whether there is a next page.
    reader.list(app, page.after.as_deref(), page.limit + 1)
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
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| (1..=MOST).contains(limit));
                    page.limit = limit
                        .ok_or_else(|| ApiError::bad_request(format!("limit must be from 1 to {MOST}")))?;
                }
                "after" => {
                    let after = position(value);
                    page.after = Some(
                        after.ok_or_else(|| ApiError::bad_request("after is not a cursor of this list"))?,
                    );
                }
                other => {
                    return Err(ApiError::bad_request(format!(
                        "Unknown parameter: {}",
                        other.escape_default()
                    )));
                }
            }
        }
        Ok(page)
    }
}

/// What begins every cursor: which list it is of.
const BY_ID: &[u8] = b"id\0";

fn cursor(id: &SmoochId) -> String {
    URL_SAFE_NO_PAD.encode([BY_ID, id.as_str().as_bytes()].concat())
}

fn position(cursor: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    String::from_utf8(bytes.strip_prefix(BY_ID)?.to_vec()).ok()
}

/// The names in a path, decoded each on its own: a `%2F` in a `userId` is not a slash of the path.
struct Path {
    app: Option<String>,
    user: Option<String>,
}

impl Path {
    fn of(path: &str) -> Self {
        let mut segments = path.split('/').skip(2);
        let decode = |segment: &str| percent_decode_str(segment).decode_utf8().ok().map(Into::into);
        let first = segments.next();
        if first == Some("apps") {
            let app = segments.next().map(|segment| decode(segment).unwrap_or_default());
            return Self { app, user: segments.nth(1).and_then(decode) };
        }
        Self { app: None, user: segments.next().and_then(decode) }
    }
}
