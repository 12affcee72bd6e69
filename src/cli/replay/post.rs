//! Posts a payload at its scheduled time and returns the outcome.

use std::error::Error as _;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Response, Url, retry};
use serde_json::Value;
use tokio::time::Instant;

use super::payloads::PayloadLocation;
use super::sign::Headers;
use super::summary::PostOutcome;
use crate::cli::admin_client::{self, client_builder};
use crate::http::QUARANTINED;

/// Bytes of an answer that are read; a webhook target sends a few dozen.
const ANSWER: usize = 16 << 10;
/// Characters of an answer's description that are shown.
const DESCRIPTION: usize = 200;
/// The most that a late pacer catches up: more than timer jitter, too little for a burst after a stall.
const CATCH_UP: Duration = Duration::from_millis(100);

pub(crate) struct SignedPayload {
    pub(crate) place: PayloadLocation,
    pub(crate) body: Vec<u8>,
    pub(crate) headers: Headers,
}

/// Posts to one target, each request once.
pub(crate) struct Poster {
    client: Client,
    target: Url,
    pace: Option<Mutex<RequestPacer>>,
}

impl Poster {
    /// `timeout` is for a whole request, from connecting to the end of its answer; `rate` is requests a
    /// second.
    /// Fails if the target is https and this machine knows no certificate authority.
    pub(crate) fn new(target: Url, timeout: Duration, rate: Option<NonZeroU32>) -> anyhow::Result<Self> {
        let client = client_builder(target.scheme() == "http")
            .user_agent(concat!("rollcall-replay/", env!("CARGO_PKG_VERSION")))
            .timeout(timeout)
            // Every failure is counted.
            .retry(retry::never());
        let client = client.build().context("the HTTP client could not be set up")?;
        let pace = rate.map(|rate| Mutex::new(RequestPacer::new(rate, Instant::now())));
        Ok(Self { client, target, pace })
    }

    pub(crate) async fn wait_for_slot(&self) {
        if let Some(pace) = &self.pace {
            let turn = pace.lock().unwrap_or_else(PoisonError::into_inner).turn(Instant::now());
            tokio::time::sleep_until(turn).await;
        }
    }

    pub(crate) async fn post(&self, request: SignedPayload) -> PostOutcome {
        let SignedPayload { place, body, headers } = request;
        let posted = self
            .client
            .post(self.target.clone())
            .headers(headers.into_iter().collect())
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        let began = Instant::now();
        match posted.send().await {
            Ok(answer) => {
                let status = answer.status();
                let quarantined = answer.headers().contains_key(QUARANTINED);
                let description = description(&beginning(answer).await);
                let latency = began.elapsed();
                PostOutcome::Answered { place, status, quarantined, latency, description }
            }
            Err(error) => PostOutcome::Unanswered { place, reason: reason(&error), detail: cause(&error) },
        }
    }
}

/// The beginning of an answer's body; usually all of it, so that the connection can be reused.
async fn beginning(mut answer: Response) -> Vec<u8> {
    let mut body = Vec::new();
    // The status has arrived: a truncated body still counts as an answer.
    while let Ok(Some(chunk)) = answer.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER {
            break;
        }
    }
    body
}

/// The error description of an answer in Smooch's format; `None` for others, which may echo the body.
fn description(body: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let title = || answer.pointer("/errors/0/title")?.as_str();
    let text = admin_client::description(&answer).or_else(title)?;
    Some(text.chars().filter(|c| !c.is_control()).take(DESCRIPTION).collect())
}

fn reason(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "timed out"
    } else if error.is_connect() {
        "no connection"
    } else {
        "connection broken"
    }
}

/// The innermost cause. The outer ones repeat the URL, which may hold a password.
fn cause(error: &reqwest::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.last().map_or_else(String::new, ToString::to_string)
}

/// Assigns time slots on a grid, so that delays do not add up.
struct RequestPacer {
    interval: Duration,
    next: Instant,
}

impl RequestPacer {
    fn new(rate: NonZeroU32, start: Instant) -> Self {
        // Rounded up, so that the rate is never exceeded.
        let interval = Duration::from_nanos(1_000_000_000_u64.div_ceil(rate.get().into()));
        Self { interval, next: start }
    }

    /// The time slot of the next request; may be in the past.
    fn turn(&mut self, now: Instant) -> Instant {
        let earliest = now.checked_sub(CATCH_UP).unwrap_or(now);
        let turn = self.next.max(earliest);
        self.next = turn + self.interval;
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_makes_up_for_late_timers_but_not_for_a_stall() {
        let start = Instant::now();
        let ms = Duration::from_millis;
        let mut pace = RequestPacer::new(NonZeroU32::new(100).unwrap(), start);
        for n in 0..1_000 {
            let late = ms(n % 7);
            assert_eq!(pace.turn(start + ms(10 * n) + late), start + ms(10 * n));
        }
        let stalled = start + ms(60_000);
        let at_once = (0..50).filter(|_| pace.turn(stalled) <= stalled).count();
        assert_eq!(at_once, 11, "a tenth of a second's worth, and the one that is due");
    }

    #[test]
    fn only_descriptions_in_smoochs_shape_are_shown_and_not_without_bound() {
        let v1 = br#"{"error":{"code":"unauthorized","description":"Wrong\u001b[31m secret"}}"#;
        assert_eq!(description(v1).as_deref(), Some("Wrong[31m secret"));
        assert_eq!(description(br#"{"errors":[{"code":"x","title":"No app"}]}"#).as_deref(), Some("No app"));
        let long = format!(r#"{{"error":{{"description":"{}"}}}}"#, "é".repeat(1_000));
        assert_eq!(description(long.as_bytes()), Some("é".repeat(DESCRIPTION)));
        for other in ["", "{}", "null", "<html>", r#"{"error":"x"}"#, r#"{"error":{"description":1}}"#] {
            assert_eq!(description(other.as_bytes()), None, "{other}");
        }
    }
}
