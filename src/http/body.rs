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

/// The memory budget of all bodies being received.
pub(super) struct Budget {
    taken: Arc<AtomicUsize>,
    most: usize,
}

/// The part of the budget that one body uses; returned on drop.
pub(super) struct Share<'b> {
    taken: &'b AtomicUsize,
    most: usize,
    bytes: usize,
}

impl Budget {
    pub(super) fn new(most: usize) -> Self {
        Self { taken: Arc::default(), most }
    }

    /// The same budget with another size: each share counts against both.
    pub(super) fn resized(&self, most: usize) -> Self {
        Self { taken: self.taken.clone(), most }
    }

    /// A share for one body. An unauthenticated sender may use only the first half of the budget:
    /// strangers must not be able to lock Smooch out.
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
            return Err(ApiError::unavailable("too_busy", "Too many bodies are being received; try again"));
        }
        Ok(())
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[derive(Clone, Copy)]
pub(super) struct BodyLimits {
    pub(super) bytes: usize,
    pub(super) time: Duration,
}

/// Reads a body into memory, accounted in `share`. Refuses as [`pass`] does, and with 503 if the budget
/// is exhausted.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
    bounds: BodyLimits,
    share: &mut Share<'_>,
) -> Result<Bytes, ApiError> {
    // Nearly every body is one part, which is used without a copy. Others are concatenated as they
    // arrive: many small parts would need many times their bytes.
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

/// Passes each part of a body to `look` and stores none. Refusals: 413 for a body that is too large, at
/// once if its header declares it; 408 for one that is too slow or breaks off; 400 for wrong framing.
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
            let Ok(part) = frame.map_err(|error| read_error(&error))?.into_data() else { continue };
            left = left.checked_sub(part.len()).ok_or_else(too_large)?;
            look(part)?;
        }
        Ok(())
    };
    timeout(bounds.time, parts).await.unwrap_or_else(|_| {
        Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", "The body took too long"))
    })
}

/// A broken body is answered 408 and not 400: Smooch retries after a 408, and never after a 400.
fn read_error(error: &(dyn Error + 'static)) -> ApiError {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if matches!(kind, Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData)) {
            return ApiError::bad_request("The body is framed wrongly");
        }
        cause = error.source();
    }
    ApiError::new(StatusCode::REQUEST_TIMEOUT, "incomplete_body", "The body broke off")
}

/// Refuses a compressed body: inflation is how a small body becomes a large one.
pub(super) fn refuse_compressed(headers: &HeaderMap) -> Result<(), ApiError> {
    let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    if encodings.all(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Ok(());
    }
    let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    Err(ApiError::new(status, "unsupported_media_type", "Compressed bodies are not accepted"))
}
