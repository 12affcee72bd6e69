//! A request's body, within its bounds of size and time.

use std::error::Error;
use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::timeout;

use super::error::ApiError;

/// Reads a body of at most `most` bytes, all of it within `time`. Refusals: 413; 408, also for a
/// body that breaks off; 400 for one that is framed wrongly.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
    most: usize,
    time: Duration,
) -> Result<Bytes, ApiError> {
    let too_large = || {
        let description = format!("The body is larger than {most} bytes");
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", description)
    };
    let announced =
        headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > most as u64) {
        return Err(too_large());
    }
    match timeout(time, Limited::new(body, most).collect()).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => Err(broken(&*error)),
        Err(_) => {
            Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", "The body took too long"))
        }
    }
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
