//! A list as one stream: every app user that fits, a line or a row each.
//!
//! Whoever reads it pulls: a page is read from the database when the connection has room for it, so a slow
//! one costs a page of memory, no long look at the database and nobody's time.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use futures_util::stream::unfold;
use tokio::sync::watch;
use tokio::time::sleep;

use super::app_users::unknown_parameter;
use super::call::Call;
use super::error::{ApiError, json};
use crate::domain::View;
use crate::store::Reader;
use crate::wire::{csv, v1};

/// App users read at a time.
const PAGE: usize = 100;
/// How often a page is asked for again that the database has no time for, and how long after.
const AGAIN: u32 = 5;
const PAUSE: Duration = Duration::from_millis(300);

/// The form of a stream.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// An app user a line, as GET shows it.
    Ndjson,
    /// A header, and an app user a row.
    Csv,
}

impl Form {
    /// What a caller accepts: the first of the forms that a list can have. Nothing for pages of JSON.
    pub(super) fn accepted(headers: &HeaderMap) -> Option<Self> {
        let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let mut kinds = accepted.flat_map(|value| value.split(',')).map(|kind| kind.split(';').next());
        let form = kinds.find_map(|kind| match kind.unwrap_or("").trim().to_ascii_lowercase().as_str() {
            "application/x-ndjson" => Some(Some(Self::Ndjson)),
            "text/csv" => Some(Some(Self::Csv)),
            "application/json" | "application/*" | "*/*" => Some(None),
            _ => None,
        });
        form.flatten()
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8; header=present",
        }
    }

    fn text(self, users: &[View]) -> Vec<u8> {
        match self {
            Self::Ndjson => users.iter().flat_map(|user| (v1::app_user(user) + "\n").into_bytes()).collect(),
            Self::Csv => csv::rows(users),
        }
    }
}

/// GET `…/appusers` with `Accept: application/x-ndjson` or `text/csv`: everybody who fits. What goes wrong
/// before the first page has a status; later, the body breaks off, and never ends as if it were complete.
pub(super) async fn open(call: Call, form: Form) -> Result<Response, ApiError> {
    let mut reading = Reading::begin(call, form)?;
    // Refused while there is still a status to say so with.
    let first = reading.page().await?;
    let mut begin = if form == Form::Csv { csv::header() } else { Vec::new() };
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
    Ok(response)
}

/// A list being read.
struct Reading {
    call: Call,
    form: Form,
    draining: watch::Receiver<bool>,
    after: Option<String>,
    ended: bool,
}

impl Reading {
    fn begin(call: Call, form: Form) -> Result<Self, ApiError> {
        for (name, _) in &call.query {
            return Err(match name.as_str() {
                "limit" | "after" => {
                    ApiError::bad_request(format!("{name} is for pages; a stream is all of them"))
                }
                name => unknown_parameter(name),
            });
        }
        let draining = call.shared.draining.subscribe();
        Ok(Self { call, form, draining, after: None, ended: false })
    }

    /// The next app users as they are sent; empty at the end, and only there.
    async fn page(&mut self) -> Result<Vec<u8>, ApiError> {
        let (app, after) = (self.call.caller.app.clone(), self.after.take());
        let read = move |reader: &mut _| Reader::list(reader, &app, after.as_deref(), PAGE);
        let users = self.call.shared.readers.run(read).await?;
        self.call.shared.metrics.export_pages.inc();
        self.after = users.last().map(|user| user.id.to_string());
        self.ended = users.len() < PAGE;
        Ok(self.form.text(&users))
    }

    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        for _ in 0..AGAIN {
            if self.ended {
                return None;
            }
            if *self.draining.borrow() {
                break;
            }
            let place = self.after.clone();
            match self.page().await {
                // Nobody was left.
                Ok(page) if page.is_empty() => {}
                Ok(page) => return Some(Ok(page.into())),
                Err(_) => {
                    self.after = place;
                    sleep(PAUSE).await;
                }
            }
        }
        self.ended = true;
        Some(Err(io::Error::other("the list cannot be read on")))
    }
}
