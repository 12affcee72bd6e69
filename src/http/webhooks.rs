//! The webhook target. A 200 means on disk: until then Smooch has the only copy.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{ConnectInfo, Path};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::addresses::trim_padding;
use super::answers::json;
use super::body;
use super::body::{BodyLimits, Share};
use super::error::ApiError;
use super::request_id::note_route;
use super::signature::{CREDENTIALS, VerifyError, WebhookCredential};
use super::state::{HttpState, State};
use crate::clock::now_ms;
use crate::domain::{AppId, Event, NAME_BYTES, UnusableReason};
use crate::ingest::job::{WebhookJob, WebhookResult};
use crate::ingest::queue::SubmitError;
use crate::metrics::WebhookOutcome;
use crate::smooch::{self, Unusable};

/// The number of quarantined events of a delivery, or bodies; absent if none is.
pub const QUARANTINED: HeaderName = HeaderName::from_static("x-rollcall-quarantined");

/// The most bytes of headers stored with a quarantined body.
const MOST_HEADERS: usize = 4096;

/// GET and HEAD: a check that the target exists.
pub(super) async fn probe() -> Response {
    let mut response = json(StatusCode::OK, "{}");
    note_route(&mut response, Some("/webhooks"));
    response
}

/// POST. Answers as in the table of `docs/architecture.md`: 200 once it is on disk, in the directory or
/// in quarantine; 401 without the right secret; 503 for a temporary failure.
pub(super) async fn receive(
    shared: State,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    path: Result<Option<Path<String>>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let path = match &path {
        // Slashes and white space that were copied with the address are not part of it.
        Ok(path) => path.as_ref().map(|Path(app)| app.as_str()).filter(|app| !trim_padding(app).is_empty()),
        // An undecodable name belongs to no app.
        Err(_) => Some(""),
    };
    let request = WebhookHead { headers: &headers, path, peer: peer.ip() };
    let mut response = match take(&shared, &request, body).await {
        Ok(receipt) => stored(&receipt),
        Err(error) => error.into_response(),
    };
    note_route(&mut response, Some(if path.is_some() { "/webhooks/{app}" } else { "/webhooks" }));
    response
}

/// 200. Senders act on the status alone; the header reports the quarantine to people and to `rollcall
/// replay`.
fn stored(receipt: &WebhookResult) -> Response {
    let mut response = json(StatusCode::OK, "{}");
    if receipt.quarantined > 0 {
        response.headers_mut().insert(QUARANTINED, receipt.quarantined.into());
    }
    response
}

struct WebhookHead<'r> {
    headers: &'r HeaderMap,
    path: Option<&'r str>,
    peer: IpAddr,
}

impl WebhookHead<'_> {
    /// An app other than the secret's is answered as one that does not exist.
    fn names<'s>(&self, app: &'s AppId) -> Result<&'s AppId, VerifyError> {
        let is_it =
            |path: &str| path == app.as_str() || trim_padding(path).eq_ignore_ascii_case(app.as_str());
        if self.path.is_none_or(is_it) { Ok(app) } else { Err(VerifyError::OtherApp) }
    }
}

async fn take(shared: &HttpState, request: &WebhookHead<'_>, body: Body) -> Result<WebhookResult, ApiError> {
    let settings = &shared.settings;
    let bounds = shared.body_limits(settings.limits.webhook_body);
    body::refuse_compressed(request.headers).map_err(|error| refused(shared, request, error))?;
    let proof =
        shared.secrets.find_credential(request.headers, now_ms() / 1000, settings.ingest.signature_tolerance);
    let proof = proof.and_then(|proof| match proof {
        WebhookCredential::Secret(app) => request.names(app).map(WebhookCredential::Secret),
        signature => Ok(signature),
    });
    let proof = match proof {
        Ok(proof) => proof,
        Err(doubt) => return Err(drain_body(shared, doubt, request, body, bounds).await),
    };
    let mut share = shared.bodies.share(matches!(proof, WebhookCredential::Secret(_)));
    let body = body::read(request.headers, body, bounds, &mut share).await;
    let body = body.map_err(|error| refused(shared, request, error))?;
    let began = Instant::now();
    let taken = accept(shared, request, &proof, body, share).await;
    shared.metrics.receive_seconds.observe(began.elapsed().as_secs_f64());
    taken
}

async fn accept(
    shared: &HttpState,
    request: &WebhookHead<'_>,
    proof: &WebhookCredential<'_, '_>,
    body: Bytes,
    share: Share<'_>,
) -> Result<WebhookResult, ApiError> {
    let received = now_ms();
    let reject = |doubt: VerifyError, body: &Bytes| {
        let hash = shared.metrics.may_log_refusal(doubt.reason()).then(|| Sha256::new().chain_update(body));
        reject(shared, doubt, request.peer, body.len(), hash)
    };
    let app = shared.secrets.verify(proof, &body).and_then(|app| request.names(app));
    let app = app.map_err(|doubt| reject(doubt, &body))?;
    if *shared.draining.borrow() {
        return Err(unavailable(shared, SubmitError::Closed));
    }
    let read = read(shared, app, received, &body);
    if request.path.is_none()
        && read.as_ref().is_err_and(|unusable| unusable.reason == UnusableReason::OtherApp.as_str())
    {
        return Err(reject(VerifyError::OtherApp, &body));
    }
    let mut delivered = split_usable(app, received, body, read);
    let trouble = delivered.unusable.first().cloned();
    if trouble.is_some() {
        delivered.headers = masked(request.headers);
    }
    // From here on the queue accounts for it.
    drop(share);
    match shared.queue.submit_webhook(delivered).await {
        Ok(receipt) => {
            shared.app_activity.record_webhook(app, received);
            shared.metrics.accept(outcome(&receipt));
            shared.app_activity.count_delivery(app, outcome(&receipt));
            log_unusable(app, trouble, &receipt);
            Ok(receipt)
        }
        Err(refused) => Err(unavailable(shared, refused)),
    }
}

/// The outcome of a delivery that is on disk, or need not be.
fn outcome(receipt: &WebhookResult) -> WebhookOutcome {
    match receipt {
        WebhookResult { quarantined: 1.., .. } => WebhookOutcome::quarantined,
        WebhookResult { learned: 0, kept: 0, erased: 1.., .. } => WebhookOutcome::erased,
        WebhookResult { learned: 0, kept: 0, .. } => WebhookOutcome::repeated,
        _ => WebhookOutcome::stored,
    }
}

/// Logs a body, or a part of one, that cannot be used.
fn log_unusable(app: &AppId, trouble: Option<(&'static str, String)>, receipt: &WebhookResult) {
    let is_dropped = receipt.quarantined == 0;
    match trouble {
        Some((reason, _)) if is_dropped => {
            tracing::warn!(app = %app, reason, "an unusable body was dropped: it names an erased app user");
        }
        Some((reason, detail)) => tracing::warn!(app = %app, reason, "a body goes to quarantine: {detail}"),
        None if is_dropped => {}
        // The worker has logged the reason.
        None => {
            let reason = UnusableReason::CannotApply.as_str();
            tracing::warn!(app = %app, reason, "a body goes to quarantine");
        }
    }
}

/// Parses a body of this app, by the bounds of the settings.
pub(super) fn read(
    shared: &HttpState,
    app: &AppId,
    received: i64,
    body: &[u8],
) -> Result<Vec<Read>, Unusable> {
    let (limits, ingest) = (&shared.settings.limits, &shared.settings.ingest);
    let tolerance = i64::try_from(ingest.future_tolerance.as_micros()).unwrap_or(i64::MAX);
    let bounds = smooch::ParseLimits {
        depth: limits.json_depth,
        events: limits.webhook_events,
        latest: (received * 1000).saturating_add(tolerance),
        name_bytes: NAME_BYTES,
    };
    let delivery = smooch::parse_webhook(body, &bounds)?;
    if delivery.app.is_some_and(|named| named != app.as_str()) {
        return Err(Unusable::new(UnusableReason::OtherApp, "the path and the body name different apps"));
    }
    shared.metrics.repeated_keys.inc_by(delivery.repeated_keys as u64);
    Ok(delivery.events)
}

/// An event of a body, or the reason why it cannot be used.
type Read = Result<Event, Unusable>;

/// Splits a body into usable and unusable events.
pub(super) fn split_usable(
    app: &AppId,
    received: i64,
    body: Bytes,
    read: Result<Vec<Read>, Unusable>,
) -> WebhookJob {
    let (mut events, mut unusable) = (Vec::new(), Vec::new());
    for (place, event) in read.unwrap_or_else(|unusable| vec![Err(unusable)]).into_iter().enumerate() {
        match event {
            Ok(event) => events.push((place, event)),
            Err(Unusable { reason, detail }) => unusable.push((reason, detail)),
        }
    }
    WebhookJob { app: app.clone(), received, body, events, unusable, headers: String::new() }
}

/// The headers, one a line, without credentials.
fn masked(headers: &HeaderMap) -> String {
    let mut text = String::new();
    for (name, value) in headers {
        let value = if CREDENTIALS.contains(&name.as_str()) {
            "***".into()
        } else {
            String::from_utf8_lossy(value.as_bytes())
        };
        let line = format!("{name}: {value}\n");
        if text.len() + line.len() > MOST_HEADERS {
            break;
        }
        text.push_str(&line);
    }
    text
}

/// Discards the body of an unauthenticated sender, so that one that writes it all before it reads gets
/// the answer.
async fn drain_body(
    shared: &HttpState,
    doubt: VerifyError,
    request: &WebhookHead<'_>,
    body: Body,
    bounds: BodyLimits,
) -> ApiError {
    let mut hash = shared.metrics.may_log_refusal(doubt.reason()).then(Sha256::new);
    let mut bytes = 0;
    let passed = body::pass(request.headers, body, bounds, |part| {
        bytes += part.len();
        hash.iter_mut().for_each(|hash| hash.update(&part));
        Ok(())
    });
    match passed.await {
        Ok(()) => reject(shared, doubt, request.peer, bytes, hash),
        Err(error) => refused(shared, request, error),
    }
}

/// Refuses and logs an unauthenticated request; `hash` is that of its body. Only length and hash are
/// logged, and the body is not stored: a sender without the secret must not be able to fill the disk.
fn reject(
    shared: &HttpState,
    doubt: VerifyError,
    peer: IpAddr,
    bytes: usize,
    hash: Option<Sha256>,
) -> ApiError {
    let reason = doubt.reason();
    shared.metrics.refuse(WebhookOutcome::unauthorized, reason);
    if let Some(hash) = hash {
        let sha256: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        tracing::warn!(reason, source = %peer, bytes, sha256, "a webhook was refused: {reason}");
    }
    ApiError::unauthorized(match doubt {
        VerifyError::Missing => {
            "Authorization is required: the webhook's secret as X-API-Key, or a signature"
        }
        VerifyError::Malformed => "The webhook's secret or signature is malformed or repeated",
        VerifyError::Wrong | VerifyError::OtherApp => "The webhook's secret or signature is not of this app",
        VerifyError::Stale => "The signature's timestamp is too far from now",
    })
}

fn refused(shared: &HttpState, request: &WebhookHead<'_>, error: ApiError) -> ApiError {
    let outcome = if error.is_temporary() { WebhookOutcome::unavailable } else { WebhookOutcome::refused };
    let reason = error.code;
    shared.metrics.refuse(outcome, reason);
    if shared.metrics.may_log_refusal(reason) {
        tracing::warn!(reason, source = %request.peer, "a webhook was refused: {reason}");
    }
    error
}

fn unavailable(shared: &HttpState, refused: SubmitError) -> ApiError {
    shared.metrics.refuse(WebhookOutcome::unavailable, refused.code());
    refused.into()
}
