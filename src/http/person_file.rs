//! GET `/v1/apps/{app}/persons/{id}`: all data of one person.

use axum::body::Bytes;
use axum::response::Response;

use super::api_request::ApiRequest;
use super::attachment::attachment;
use super::error::{ApiError, IN_THE_QUERY, no_user, refusal};
use super::reads;
use crate::clock::now_ms;
use crate::directory::DirectoryReader;
use crate::domain::brands_of;
use crate::domain::command::Refusal;
use crate::rebuild::{FileLimits, person_file};
use crate::store::{AuditAction, AuditEntry};

/// The most bytes of bodies in a file that is answered over HTTP.
const BYTES: usize = 32 << 20;

/// GET `/v1/apps/{app}/persons/{id}`, for operators: the app user, the record of each `_id`, every event with its body,
/// the event of each value, and the bodies in quarantine, as one JSON file. 400 if it is too large for an answer:
/// `rollcall export --user` has no limit. The audit log tells it before a byte is sent.
pub(super) async fn get(request: ApiRequest) -> Result<Response, ApiError> {
    request.caller.must_see_people(|| "The file of a person".to_owned())?;
    let (app, name) = (request.caller.app.clone(), request.user().await?);
    let limits = FileLimits { events: request.shared.settings.limits.history_events, bytes: BYTES };
    let read = move |reader: &mut DirectoryReader| {
        let Some(view) = reader.find_by_name(&app, &name)? else { return Ok(Err(no_user())) };
        if name.brand.is_none() && !view.has_id(&name.text) {
            let brands = brands_of(&reader.find_carriers(&app, &name.text)?);
            if brands.len() > 1 {
                return Ok(Err(refusal(Refusal::SeveralBrands(brands.into_iter().collect()), IN_THE_QUERY)));
            }
        }
        let file = person_file(reader, &app, &view, limits)?.map(|file| format!("{file}\n"));
        Ok(file.map(|file| (view, file)).ok_or_else(|| too_large(limits)))
    };
    let (view, file) = reads::PERSON_FILE.run(&request.shared.readers, read).await??;
    if let Some(by) = request.reader() {
        let entry = AuditEntry::of(now_ms(), by, AuditAction::Export);
        let (app, ids) = (Some(request.caller.app.clone()), view.ids().cloned().collect());
        let detail = Some("all data of a person".to_owned());
        request.shared.audit.add(AuditEntry { app, ids, detail, count: Some(1), ..entry }).await?;
    }
    let id: String = view.id.as_str().chars().filter(char::is_ascii_alphanumeric).collect();
    Ok(attachment(&format!("appuser-{id}.json"), Bytes::from(file)))
}

fn too_large(limits: FileLimits) -> ApiError {
    let (events, megabytes) = (limits.events, limits.bytes >> 20);
    ApiError::bad_request(format!(
        "The person has more than {events} events (limits.history_events), or {megabytes} MiB of bodies: run `rollcall export \
         --user` beside the database"
    ))
}
