//! The webhook target. A 200 means on disk: until then Smooch has the only copy.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering;
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{ConnectInfo, Path};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::error::{ApiError, json};
use super::signature::{CREDENTIALS, Doubt};
use super::{Shared, State, body};
use crate::domain::{AppId, Event};
use crate::ingest::queue::{Delivered, Receipt, Refused};
use crate::ingest::worker::now_ms;
use crate::metrics::Outcome;
use crate::wire::{self, Delivery, Unusable};

/// Bytes of headers kept with a body in quarantine.
const MOST_HEADERS: usize = 4096;

/// GET and HEAD: somebody looks whether the target is there.
pub(super) async fn probe() -> Response {
    json(StatusCode::OK, "{}")
}

/// POST. Answers as in the table of `docs/architecture.md`: 200 once it is on disk, in the directory
/// or in quarantine; 401 without the right secret; 503 for whatever may be better in a moment.
pub(super) async fn receive(
    shared: State,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    path: Result<Option<Path<String>>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let read = async {
        super::compressed(&headers).map_or(Ok(()), Err)?;
        body::read(&headers, body, shared.bounds.webhook_body, shared.bounds.body_timeout).await
    };
    let body = match read.await {
        Ok(body) => body,
        Err(error) => {
            shared.metrics.refuse(Outcome::refused, error.code());
            return error.into_response();
        }
    };
    let began = Instant::now();
    let path = match &path {
        Ok(path) => path.as_ref().map(|Path(app)| app.as_str()),
        // What cannot be decoded is nobody's app.
        Err(_) => Some(""),
    };
    let response = match accept(&shared, peer.ip(), path, &headers, body).await {
        Ok(_) => json(StatusCode::OK, "{}"),
        Err(error) => error.into_response(),
    };
    shared.metrics.receive_seconds.observe(began.elapsed().as_secs_f64());
    response
}

async fn accept(
    shared: &Shared,
    peer: IpAddr,
    path: Option<&str>,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Receipt, ApiError> {
    let received = now_ms();
    let believed = shared.secrets.verify(headers, &body, received / 1000, shared.bounds.signature_tolerance);
    let believed = believed.and_then(|app| {
        // An app that is not this secret's is answered as an app that does not exist.
        if path.is_none_or(|path| path == app.as_str()) { Ok(app) } else { Err(Doubt::Wrong) }
    });
    let app = believed.map_err(|doubt| disbelieve(shared, peer, doubt, &body))?;
    if shared.draining.load(Ordering::Acquire) {
        return Err(unavailable(shared, Refused::Closed));
    }
    let tolerance = i64::try_from(shared.bounds.future_tolerance.as_micros()).unwrap_or(i64::MAX);
    let bounds = wire::Bounds {
        depth: shared.bounds.json_depth,
        events: shared.bounds.webhook_events,
        latest: (received * 1000).saturating_add(tolerance),
    };
    let delivered = match wire::read(&body, &bounds) {
        Err(unusable) => sort(app, received, headers, body, vec![Err(unusable)]),
        Ok(Delivery { app: Some(named), .. }) if named != app.as_str() => {
            if path.is_none() {
                return Err(disbelieve(shared, peer, Doubt::Wrong, &body));
            }
            let unusable = Unusable::new("other_app", "the path and the body name different apps");
            sort(app, received, headers, body, vec![Err(unusable)])
        }
        Ok(delivery) => {
            shared.metrics.repeated_keys.inc_by(delivery.repeated_keys as u64);
            sort(app, received, headers, body, delivery.events)
        }
    };
    match shared.queue.submit(delivered).await {
        Ok(receipt) => {
            shared.metrics.accept(match receipt {
                Receipt { quarantined: 1.., .. } => Outcome::quarantined,
                Receipt { learned: 0, kept: 0, .. } => Outcome::repeated,
                _ => Outcome::stored,
            });
            Ok(receipt)
        }
        Err(refused) => Err(unavailable(shared, refused)),
    }
}

/// What can be used of a body, and what cannot.
fn sort(
    app: &AppId,
    received: i64,
    headers: &HeaderMap,
    body: Bytes,
    read: Vec<Result<Event, Unusable>>,
) -> Delivered {
    let (mut events, mut unusable) = (Vec::with_capacity(read.len()), Vec::new());
    for (place, event) in read.into_iter().enumerate() {
        match event {
            Ok(event) => events.push((place, event)),
            Err(Unusable { reason, detail }) => unusable.push((reason, detail)),
        }
    }
    let headers = if unusable.is_empty() { String::new() } else { masked(headers) };
    if let Some((reason, detail)) = unusable.first() {
        tracing::warn!(app = %app, reason, "a body goes to quarantine: {detail}");
    }
    Delivered { app: app.clone(), received, body, events, unusable, headers }
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

/// The refusal of a stranger. Nothing of the body is kept but its length and hash: whoever cannot prove to be Smooch must
/// not be able to fill the disk.
fn disbelieve(shared: &Shared, peer: IpAddr, doubt: Doubt, body: &[u8]) -> ApiError {
    let reason = doubt.reason();
    shared.metrics.refuse(Outcome::unauthorized, reason);
    if shared.metrics.may_log_refusal() {
        let sha256: String = Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect();
        tracing::warn!(reason, source = %peer, bytes = body.len(), sha256, "a webhook was refused: {reason}");
    }
    ApiError::unauthorized(match doubt {
        Doubt::Missing => "Authorization is required: the webhook's secret as X-API-Key, or a signature",
        Doubt::Malformed => "The webhook's secret or signature is malformed or repeated",
        Doubt::Wrong => "The webhook's secret or signature is not of this app",
        Doubt::Stale => "The signature's timestamp is too far from now",
    })
}

fn unavailable(shared: &Shared, refused: Refused) -> ApiError {
    shared.metrics.refuse(Outcome::unavailable, refused.code());
    refused.into()
}
