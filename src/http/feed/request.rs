//! The parameters of a follower.

use std::time::Duration;

use super::cursors::{ChangeCursor, FeedCursor, SnapshotCursor};
use super::envelope::{self, Envelope};
use crate::http::accept::accepts;
use crate::http::api_request::ApiRequest;
use crate::http::error::ApiError;
use crate::http::event_stream::STREAM;
use crate::http::parameters::{boolean, limit};

const DEFAULT_LIMIT: usize = 100;
const MOST: usize = 1000;
/// The longest wait for a change, in s.
const LONGEST_WAIT: u64 = 60;

pub(super) struct FeedRequest {
    pub(super) from: FeedCursor,
    pub(super) limit: usize,
    pub(super) wait: Duration,
    pub(super) envelope: Envelope,
    /// The events of a stream have their kinds as types.
    pub(super) types: bool,
}

impl FeedRequest {
    pub(super) fn read(request: &ApiRequest) -> Result<Self, ApiError> {
        let mut envelope = accepts(&request.headers, envelope::BATCH);
        let (mut since, mut snapshot, mut after, mut types) = (None, false, None, None);
        let (mut size, mut wait) = (DEFAULT_LIMIT, None);
        for (key, value) in &request.query {
            match key.as_str() {
                "since" => since = Some(ChangeCursor::read(value)?),
                "limit" => size = limit(key, value, MOST)?,
                "wait" => {
                    let seconds = value.parse().ok().filter(|seconds| *seconds <= LONGEST_WAIT);
                    let why = || format!("wait must be from 0 to {LONGEST_WAIT} seconds");
                    wait = Some(seconds.ok_or_else(|| ApiError::bad_request(why()))?);
                }
                "snapshot" => snapshot = boolean(key, value)?,
                "types" => types = Some(boolean(key, value)?),
                "envelope" if value == "cloudevents" => envelope = true,
                "envelope" => return Err(ApiError::bad_request("envelope may be cloudevents")),
                "after" => {
                    let why = "after is not a cursor of the snapshot";
                    let read = SnapshotCursor::read(value, &request.caller.app)?;
                    after = Some(read.ok_or_else(|| ApiError::bad_request(why))?);
                }
                // Unknown parameters were refused before.
                _ => {}
            }
        }
        let from = match (since, snapshot, after) {
            (since, false, None) => FeedCursor::Change(since.unwrap_or_default()),
            (None, true, after) => FeedCursor::Snapshot(after),
            (Some(_), true, _) => return Err(ApiError::bad_request("since and snapshot exclude each other")),
            (_, false, Some(_)) => return Err(ApiError::bad_request("after is for snapshot=true")),
        };
        // A parameter without effect is refused: its caller relies on it.
        if types.is_some() && !accepts(&request.headers, STREAM) {
            return Err(ApiError::bad_request(format!("types is for a stream: ask with Accept: {STREAM}")));
        }
        if wait.is_some() && snapshot {
            let why =
                "wait is for changes: a snapshot is there at once, so wait and snapshot exclude each other";
            return Err(ApiError::bad_request(why));
        }
        let (wait, types) = (wait.unwrap_or(0), types.unwrap_or(true));
        let envelope = Envelope::new(envelope, &request.caller);
        Ok(Self { from, limit: size, wait: Duration::from_secs(wait), envelope, types })
    }
}
