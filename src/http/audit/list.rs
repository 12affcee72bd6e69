//! GET `/audit`: the audit log, as pages or as one table.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use futures_util::stream::unfold;
use serde_json::json;

use super::export::AuditedExport;
use super::shown::{AUDIT_COLUMNS, ShownAudit};
use crate::directory::DirectoryReader;
use crate::directory::audit::{AuditFilter, AuditPage};
use crate::domain::brand::Name;
use crate::domain::{AppId, SmoochId, Visibility};
use crate::http::accept::{ExportFormat, refuse_pages};
use crate::http::answers::{answer, json as json_answer};
use crate::http::error::ApiError;
use crate::http::operator_request::OperatorRequest;
use crate::http::state::HttpState;
use crate::http::{list_cursor, parameters, reads};
use crate::smooch::csv::write_table;
use crate::store::{self, Seq};

const DEFAULT_LIMIT: usize = 50;
const MOST: usize = 200;
/// The most entries that a page looks at.
const MOST_LOOKED_AT: usize = 20_000;
/// Entries of a piece of a table.
const PIECE: usize = 1000;

/// GET `/audit?who=&action=&app=&user=&since=&until=&limit=&after=`: the audit log, the newest entry first. 200
/// `{"entries","hasMore","after"?,"looked"}`; a page looks at 20,000 entries at most, so it may have fewer than `limit`
/// although there are more. `user` is an `_id` or a `userId`, and means everybody merged with them. With
/// `Accept: text/csv` all entries that match, as one table.
pub(in crate::http) async fn list(
    request: OperatorRequest,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (shared, query) = (&request.shared, &request.query);
    let is_table = ExportFormat::accepted(&headers) == Some(ExportFormat::Csv);
    let mut asked = AuditRequest::read(&request)?;
    asked.filter.ids = find_ids(shared, &asked).await?;
    if is_table {
        refuse_pages(query)?;
        let export =
            AuditedExport::begin(&shared.audit, request.reader().as_ref(), None, "the audit log").await?;
        let filter = asked.filter;
        let (shared, visibility) = (shared.clone(), request.visibility());
        let rows = AuditTable { shared, filter, visibility, before: None, is_ended: false, export };
        return table(rows).await;
    }
    let (filter, bounds) = (asked.filter, (asked.limit, MOST_LOOKED_AT));
    let read = move |reader: &mut DirectoryReader| reader.read_audit(&filter, asked.after, bounds);
    let page = reads::AUDIT.run(&shared.readers, read).await?;
    let visibility = request.visibility();
    let entries = page.entries.iter().map(|(seq, entry)| ShownAudit::of(*seq, entry, visibility));
    let entries: Vec<_> = entries.collect();
    let mut answered = json!({ "entries": entries, "hasMore": page.next.is_some(), "looked": page.looked });
    if let Some(next) = page.next {
        answered["after"] = list_cursor::cursor(&list_cursor::list_of("audit", query), &next).into();
    }
    Ok(answer(StatusCode::OK, &answered))
}

struct AuditRequest {
    filter: AuditFilter,
    /// The app and the name of an app user.
    user: Option<(AppId, String)>,
    /// The app user may be named by an `_id` alone.
    by_id_alone: bool,
    limit: usize,
    after: Option<Seq>,
}

impl AuditRequest {
    /// Reads the parameters. 400 names a wrong one; 403 for an app that the operator may not see.
    fn read(request: &OperatorRequest) -> Result<Self, ApiError> {
        let apps = request.apps(request.value("app"));
        let (mut filter, mut user) = (AuditFilter { apps, ..AuditFilter::default() }, None);
        let (mut limit, mut after) = (DEFAULT_LIMIT, None);
        for (name, value) in &request.query {
            match name.as_str() {
                "who" => filter.who = Some(parameters::text(name, value)?),
                "action" => filter.action = Some(parameters::word(name, value)?),
                "user" => {
                    user = Some((request.app_of_user(request.value("app"))?, parameters::text(name, value)?));
                }
                "since" => filter.since = Some(parameters::time_ms(name, value)?),
                "until" => filter.until = Some(parameters::time_ms(name, value)?),
                "limit" => limit = parameters::limit(name, value, MOST)?,
                "after" => {
                    let list = list_cursor::list_of("audit", &request.query);
                    after = Some(list_cursor::place(&list, name, value)?);
                }
                _ => {}
            }
        }
        if filter.since.zip(filter.until).is_some_and(|(since, until)| until < since) {
            return Err(ApiError::bad_request("until is before since"));
        }
        let by_id_alone = request.visibility().is_masked();
        Ok(Self { filter, user, by_id_alone, limit, after })
    }
}

/// Every `_id` of the app user that is asked for; of one that the directory does not know, the name itself.
async fn find_ids(shared: &HttpState, asked: &AuditRequest) -> Result<Option<BTreeSet<SmoochId>>, ApiError> {
    let Some((app, name)) = asked.user.clone() else { return Ok(None) };
    let by_id_alone = asked.by_id_alone;
    let read = move |reader: &mut DirectoryReader| -> store::Result<BTreeSet<SmoochId>> {
        let id = SmoochId::from(name.as_str());
        let mut ids = if by_id_alone {
            reader.resolve_id(&app, &id)?
        } else {
            reader.resolve_ids(&app, &Name::from(name.as_str()))?
        };
        if ids.is_empty() {
            ids.insert(id);
        }
        Ok(ids)
    };
    Ok(Some(reads::AUDITED_USER.run(&shared.readers, read).await?))
}

/// A table under way.
struct AuditTable {
    shared: Arc<HttpState>,
    filter: AuditFilter,
    visibility: Visibility,
    before: Option<Seq>,
    is_ended: bool,
    export: Option<AuditedExport>,
}

impl AuditTable {
    /// The next rows; empty if none of a piece matches.
    async fn piece(&mut self) -> Result<Vec<u8>, ApiError> {
        let (filter, before) = (self.filter.clone(), self.before);
        let read =
            move |reader: &mut DirectoryReader| reader.read_audit(&filter, before, (PIECE, MOST_LOOKED_AT));
        let AuditPage { entries, next, .. } = reads::AUDIT.run(&self.shared.readers, read).await?;
        self.export.iter_mut().for_each(|export| export.count(entries.len()));
        (self.before, self.is_ended) = (next, next.is_none());
        Ok(write_table(
            entries.iter().map(|(seq, entry)| ShownAudit::of(*seq, entry, self.visibility).cells()),
        ))
    }

    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        while !self.is_ended {
            match self.piece().await {
                Ok(rows) if rows.is_empty() => {}
                Ok(rows) => return Some(Ok(rows.into())),
                Err(_) => {
                    (self.is_ended, self.export) = (true, None);
                    return Some(Err(io::Error::other("the audit log cannot be read on")));
                }
            }
        }
        // The client has taken all that was before.
        self.export.iter_mut().for_each(AuditedExport::finish);
        None
    }
}

/// All entries that match. An error before the first rows has a status; an answer that breaks off is not complete.
async fn table(mut table: AuditTable) -> Result<Response, ApiError> {
    let head = write_table(std::iter::once(AUDIT_COLUMNS.map(str::to_owned).to_vec()));
    let first = [head, table.piece().await?].concat();
    let stream = unfold((Some(first), table), |(first, mut table)| async {
        let rows = match first {
            Some(first) => Ok(Bytes::from(first)),
            None => table.next().await?,
        };
        Some((rows, (None, table)))
    });
    let mut response = json_answer(StatusCode::OK, Body::from_stream(stream));
    for (name, value) in [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"audit.csv\""),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}
