//! Rate limits per credential.

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::http::StatusCode;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};

use super::error::ApiError;
use crate::config::LimitSettings;

/// Above this number, credentials that were not used for a while are dropped.
const MOST_CREDENTIALS: usize = 10_000;

/// The request rates of all credentials; none is no limit.
pub(super) struct RateLimits(Option<Arc<DefaultKeyedRateLimiter<String>>>);

impl RateLimits {
    pub(super) fn new(limits: &LimitSettings) -> Self {
        let burst = NonZeroU32::new(limits.request_burst);
        let quota = NonZeroU32::new(limits.requests_per_second)
            .map(|rate| Quota::per_second(rate).allow_burst(burst.unwrap_or(rate)));
        Self(quota.map(DefaultKeyedRateLimiter::keyed).map(Arc::new))
    }

    /// The same by other settings; unchanged limits retain their counts.
    pub(super) fn with_settings(&self, old: &LimitSettings, new: &LimitSettings) -> Self {
        let rate = |limits: &LimitSettings| (limits.requests_per_second, limits.request_burst);
        if rate(old) == rate(new) { Self(self.0.clone()) } else { Self::new(new) }
    }

    /// Counts a request of a credential. Refusal: 429 with the time to wait, in s.
    pub(super) fn take(&self, credential: &str) -> Result<(), ApiError> {
        let Some(limiter) = &self.0 else { return Ok(()) };
        if limiter.len() > MOST_CREDENTIALS {
            limiter.retain_recent();
        }
        limiter.check_key(&credential.to_owned()).map_err(|until| {
            let wait = until.wait_time_from(DefaultClock::default().now());
            let code = "too_many_requests";
            let why = "Too many requests with this credential";
            let refusal = ApiError::new(StatusCode::TOO_MANY_REQUESTS, code, why);
            ApiError { after: Some(wait.as_secs() + 1), ..refusal }
        })
    }
}
