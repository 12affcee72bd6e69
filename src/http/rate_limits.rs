//! Rate limits per credential.

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::http::StatusCode;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};

use super::error::ApiError;

/// Above this number, credentials that were not used for a while are dropped.
const MOST_CREDENTIALS: usize = 10_000;

/// The request rates of all credentials.
pub(super) struct RateLimits {
    per_second: u32,
    burst: u32,
    limiter: Option<Arc<DefaultKeyedRateLimiter<String>>>,
}

impl RateLimits {
    /// The rate and the burst; a rate of 0 is no limit.
    pub(super) fn new(per_second: u32, burst: u32) -> Self {
        let quota = NonZeroU32::new(per_second)
            .map(|rate| Quota::per_second(rate).allow_burst(NonZeroU32::new(burst).unwrap_or(rate)));
        let limiter = quota.map(DefaultKeyedRateLimiter::keyed).map(Arc::new);
        Self { per_second, burst, limiter }
    }

    /// For other settings; unchanged limits retain their counts.
    pub(super) fn with_limits(&self, per_second: u32, burst: u32) -> Self {
        if (per_second, burst) != (self.per_second, self.burst) {
            return Self::new(per_second, burst);
        }
        Self { per_second, burst, limiter: self.limiter.clone() }
    }

    /// Counts a request of a credential. Refusal: 429 with the time to wait, in s.
    pub(super) fn take(&self, credential: &str) -> Result<(), ApiError> {
        let Some(limiter) = &self.limiter else { return Ok(()) };
        if limiter.len() > MOST_CREDENTIALS {
            limiter.retain_recent();
        }
        limiter.check_key(&credential.to_owned()).map_err(|until| {
            let wait = until.wait_time_from(DefaultClock::default().now());
            let code = "too_many_requests";
            let refusal =
                ApiError::new(StatusCode::TOO_MANY_REQUESTS, code, "Too many requests with this credential");
            refusal.retry_after(wait.as_secs() + 1)
        })
    }
}
