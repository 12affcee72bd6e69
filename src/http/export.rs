//! A list as one stream: every matching app user, one line or row each.
//!
//! The client pulls: a page is read from the database when the connection has room for it. A slow client
//! costs a page of memory and holds neither a snapshot of the database nor a reader.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use futures_util::stream::unfold;
use tokio::sync::watch;
use tokio::time::sleep;

use super::accept::{ExportFormat, OF_PAGES, refuse_pages};
use super::answers::json;
use super::api_request::ApiRequest;
use super::attachment::name_file;
use super::audit::AuditedExport;
use super::error::ApiError;
use super::list_request::{ListRequest, MOST_IN_V1, PageStart};
use super::{parameters, reads};
use crate::domain::list::Query;
use crate::domain::{AppId, ShownUser};
use crate::smooch::{csv, v1};

const PAGE: usize = 100;
/// The retries of a page that the database was too busy for, and the pause between them.
const MOST_RETRIES: u32 = 5;
const RETRY_PAUSE: Duration = Duration::from_millis(300);

impl ExportFormat {
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8; header=present",
        }
    }

    /// The name of the file for a browser.
    pub(super) fn file_name(self, app: &AppId) -> String {
        // An app's id may be any text; a file name may not.
        let app: String = app.as_str().chars().filter(char::is_ascii_alphanumeric).collect();
        let ending = if self == Self::Csv { "csv" } else { "ndjson" };
        format!("appusers-{app}.{ending}")
    }

    /// What comes before the first app user.
    pub(super) fn head(self) -> Vec<u8> {
        if self == Self::Csv { csv::header_row() } else { Vec::new() }
    }

    pub(super) fn text(self, users: &[ShownUser<'_>]) -> Vec<u8> {
        match self {
            Self::Ndjson => users.iter().flat_map(|user| (v1::line(user) + "\n").into_bytes()).collect(),
            Self::Csv => csv::write_rows(users.iter().cloned()),
        }
    }
}

/// GET `…/appusers` with `Accept: application/x-ndjson` or `text/csv`: all matching app users. An error
/// before the first page has a status; after it, the body is cut off and never ends as if it were
/// complete.
pub(super) async fn open(request: ApiRequest, form: ExportFormat) -> Result<Response, ApiError> {
    request.caller.must_see_people(|| "An export".to_owned())?;
    let file_name = form.file_name(&request.caller.app);
    let mut reading = ExportStream::begin(request, form).await?;
    // A refusal still has a status here.
    let first = reading.page().await?;
    let mut begin = form.head();
    begin.extend(first);
    let stream = unfold((Some(begin), reading), |(first, mut reading)| async {
        let chunk = match first {
            Some(first) if !first.is_empty() => Ok(Bytes::from(first)),
            _ => reading.next().await?,
        };
        Some((chunk, (None, reading)))
    });
    let mut response = json(StatusCode::OK, Body::from_stream(stream));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(form.content_type()));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    name_file(&mut response, &file_name);
    Ok(response)
}

struct ExportStream {
    request: ApiRequest,
    form: ExportFormat,
    draining: watch::Receiver<bool>,
    asked: ListRequest,
    ended: bool,
    audited: Option<AuditedExport>,
}

impl ExportStream {
    async fn begin(request: ApiRequest, form: ExportFormat) -> Result<Self, ApiError> {
        let mut asked = query(&request.caller.app, &request.query)?;
        asked.limit = PAGE;
        let draining = request.shared.draining.subscribe();
        let (audit, app) = (&request.shared.audit, Some(&request.caller.app));
        let audited = AuditedExport::begin(audit, request.reader(), app, "app users").await?;
        Ok(Self { request, form, draining, asked, ended: false, audited })
    }

    /// The next app users as bytes of the stream; empty if no row of the page matched.
    async fn page(&mut self) -> Result<Vec<u8>, ApiError> {
        let form = self.form;
        let shown = move |users: &[ShownUser<'_>]| (users.len(), form.text(users));
        let page = self.asked.page(&self.request, &reads::EXPORT, shown).await?;
        self.request.shared.metrics.export_pages.inc();
        let (count, users) = page.users;
        self.audited.iter_mut().for_each(|audited| audited.count(count));
        match page.next {
            Some(place) => self.asked.from = PageStart::After(place),
            None => self.ended = true,
        }
        Ok(users)
    }

    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        let mut tries = 0;
        while !self.ended && !*self.draining.borrow() {
            match self.page().await {
                // Few rows match, or none is left.
                Ok(page) if page.is_empty() => tries = 0,
                Ok(page) => return Some(Ok(page.into())),
                // Waits without limit: a stream that has begun is not refused for lack of room.
                Err(error) if error.is_temporary() && error.code == "busy" => sleep(RETRY_PAUSE).await,
                Err(_) if tries == MOST_RETRIES => break,
                Err(_) => {
                    tries += 1;
                    sleep(RETRY_PAUSE).await;
                }
            }
        }
        if self.ended {
            // The client has taken all that was before.
            self.audited.iter_mut().for_each(AuditedExport::finish);
            return None;
        }
        self.audited = None;
        self.ended = true;
        Some(Err(io::Error::other("the list cannot be read on")))
    }
}

/// The list in the parameters of a stream. 400 for the parameters of pages.
fn query(app: &AppId, parameters: &[(String, String)]) -> Result<ListRequest, ApiError> {
    refuse_pages(parameters)?;
    ListRequest::read(app, parameters, MOST_IN_V1)
}

/// The query in the parameters of GET `/v1/appusers`, without those of pages. 400 names the first wrong one.
pub(super) fn read_query(given: &[(String, String)]) -> Result<Query, ApiError> {
    parameters::check(&Method::GET, "/appusers", &OF_PAGES, given)?;
    // Only a cursor is of an app.
    Ok(query(&AppId::from(""), given)?.query)
}

/// The same for a command. Errors: the first wrong parameter.
pub fn parse_filter(given: &[(String, String)]) -> Result<Query, String> {
    read_query(given).map_err(|error| error.description.into_owned())
}
