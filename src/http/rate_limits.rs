//! Requests per credential, bounded in time.

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::http::StatusCode;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};

use super::error::ApiError;

/// Credentials remembered before those that have not been used for a while are forgotten.
const MOST_CREDENTIALS: usize = 10_000;

/// How many requests each credential may make.
pub(super) struct RateLimits {
    per_second: u32,
    burst: u32,
    limiter: Option<Arc<DefaultKeyedRateLimiter<String>>>,
}

impl RateLimits {
    /// So many in a second, and so many at once; 0 in a second is no bound.
    pub(super) fn new(per_second: u32, burst: u32) -> Self {
        let quota = NonZeroU32::new(per_second)
            .map(|rate| Quota::per_second(rate).allow_burst(NonZeroU32::new(burst).unwrap_or(rate)));
        let limiter = quota.map(DefaultKeyedRateLimiter::keyed).map(Arc::new);
        Self { per_second, burst, limiter }
    }

    /// For other settings: where they say the same, nobody's requests are forgotten.
    pub(super) fn again(&self, per_second: u32, burst: u32) -> Self {
        if (per_second, burst) != (self.per_second, self.burst) {
            return Self::new(per_second, burst);
        }
        Self { per_second, burst, limiter: self.limiter.clone() }
    }

    /// Takes one of a credential's requests. Refusal: 429 with the time to wait, in s.
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
            refusal.after(wait.as_secs() + 1)
        })
    }
}
