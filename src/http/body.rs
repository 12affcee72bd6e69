//! A request's body, within its bounds of size, time and memory.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt;
use tokio::time::timeout;

use super::error::ApiError;

/// What the bodies that are being received may take together.
pub(super) struct Budget {
    taken: Arc<AtomicUsize>,
    most: usize,
}

/// What one body takes of it; given back when dropped.
pub(super) struct Share<'b> {
    taken: &'b AtomicUsize,
    most: usize,
    bytes: usize,
}

impl Budget {
    pub(super) fn new(most: usize) -> Self {
        Self { taken: Arc::default(), most }
    }

    /// The same, of another size: what is taken of one is taken of both.
    pub(super) fn resized(&self, most: usize) -> Self {
        Self { taken: self.taken.clone(), most }
    }

    /// For one body. While its sender is not known it may only take what leaves the other half to
    /// those who are: strangers must not be able to keep Smooch out.
    pub(super) fn share(&self, known: bool) -> Share<'_> {
        Share { taken: &self.taken, most: if known { self.most } else { self.most / 2 }, bytes: 0 }
    }

    pub(super) fn bytes(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

impl Share<'_> {
    fn take(&mut self, bytes: usize) -> Result<(), ApiError> {
        self.bytes += bytes;
        if self.taken.fetch_add(bytes, Ordering::Relaxed) + bytes > self.most {
            return Err(ApiError::unavailable("too_busy", "Too much is being received; try again"));
        }
        Ok(())
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// What a body may cost.
#[derive(Clone, Copy)]
pub(super) struct BodyLimits {
    pub(super) bytes: usize,
    pub(super) time: Duration,
}

/// Reads a body and keeps it, in `share`. Refuses as [`pass`] does, and with 503 where there is no room.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
    bounds: BodyLimits,
    share: &mut Share<'_>,
) -> Result<Bytes, ApiError> {
    // Nearly every body is one part, which is kept as it is. Others are put together as they come: many
    // small parts would take many times their bytes.
    let (mut first, mut whole) = (Bytes::new(), Vec::new());
    let read = pass(headers, body, bounds, |part| {
        share.take(part.len())?;
        if first.is_empty() {
            first = part;
        } else {
            if whole.is_empty() {
                whole.extend_from_slice(&first);
            }
            whole.extend_from_slice(&part);
        }
        Ok(())
    });
    read.await?;
    Ok(if whole.is_empty() { first } else { whole.into() })
}

/// Shows each part of a body to `look` and keeps none. Refusals: 413 for one that is too large, at once
/// where it says so itself; 408 for one that is too slow or breaks off; 400 for one that is framed wrongly.
pub(super) async fn pass(
    headers: &HeaderMap,
    mut body: Body,
    bounds: BodyLimits,
    mut look: impl FnMut(Bytes) -> Result<(), ApiError>,
) -> Result<(), ApiError> {
    let too_large = || {
        let description = format!("The body is larger than {} bytes", bounds.bytes);
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", description)
    };
    let announced =
        headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > bounds.bytes as u64) {
        return Err(too_large());
    }
    let mut left = bounds.bytes;
    let parts = async {
        while let Some(frame) = body.frame().await {
            let Ok(part) = frame.map_err(|error| broken(&error))?.into_data() else { continue };
            left = left.checked_sub(part.len()).ok_or_else(too_large)?;
            look(part)?;
        }
        Ok(())
    };
    timeout(bounds.time, parts).await.unwrap_or_else(|_| {
        Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", "The body took too long"))
    })
}

/// A body that breaks off says nothing about what its sender wanted to send: Smooch tries again after a
/// 408, and never after a 400.
fn broken(error: &(dyn Error + 'static)) -> ApiError {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if matches!(kind, Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData)) {
            return ApiError::bad_request("The body is framed wrongly");
        }
        cause = error.source();
    }
    ApiError::new(StatusCode::REQUEST_TIMEOUT, "incomplete_body", "The body breaks off")
}

/// The refusal of a compressed body: inflating is how a small body becomes a large one.
pub(super) fn refuse_compressed(headers: &HeaderMap) -> Option<ApiError> {
    let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    encodings.find(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"))?;
    let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    Some(ApiError::new(status, "unsupported_media_type", "Compressed bodies are not read"))
}
