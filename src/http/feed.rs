//! The change feed: everything that happened to the app users of an app, in order, and what a
//! follower who knows nothing begins with.
//!
//! A follower keeps a copy: it replaces its app user `_id` by each `appUser` it is told, and drops the
//! `_id` of each `merged` and `removed`. An `appUser` is shown as it is when it is read, so it may be ahead
//! of its change, never behind it: once the follower has applied all changes, its copy is the directory.
//!
//! The snapshot is read a page at a time while the directory goes on. It names the number from which the
//! follower then takes the changes, and that is the last one given before its first page: whatever a page
//! shows too late or not at all is in a later change.

mod envelope;
mod pace;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::time::{Instant, sleep_until};

use super::Shared;
use super::app_users::{limit, unknown_parameter};
use super::call::Call;
use super::error::ApiError;
use crate::domain::{AppId, View};
use crate::metrics::Metrics;
use crate::store::sqlite::SqliteReader;
use crate::store::{Changes, Reader};
use envelope::Envelope;
use pace::Pace;

const DEFAULT_LIMIT: usize = 100;
const MOST: usize = 1000;
/// The longest wait for a change, in s.
const LONGEST_WAIT: u64 = 60;

/// GET `…/changes`: what changed after the change `since`, by default everything; the next page is that
/// since `next`. `limit` is 1 to 1000, by default 100, and a page of large app users has fewer. `wait` is
/// how long to wait for a change if there is none yet: 0 to 60 s. With `snapshot=true` all app users, a
/// page `after` the other, and in `next` where to go on once they are read. 400 for a `since` that is yet
/// to come, 410 for one that is not kept any more, with the `oldest` change that is.
///
/// With `Accept: text/event-stream` the same as a stream; with `Accept: application/cloudevents-batch+json`, or
/// `envelope=cloudevents`, each change as a CloudEvent.
pub(super) async fn changes(call: Call) -> Result<Response, ApiError> {
    call.caller.must_be_app()?;
    let asked = Asked::read(&call)?;
    if accepts(&call.headers, "text/event-stream") {
        return stream::open(call, asked).await;
    }
    match &asked.from {
        Place::Change(since) => poll(&call, *since, &asked).await,
        Place::Snapshot(place) => {
            let page = Page::read(&call.shared, &call.caller.app, place.clone(), asked.limit).await?;
            Ok(asked.envelope.snapshot(&asked, &page))
        }
    }
}

async fn poll(call: &Call, since: u64, asked: &Asked) -> Result<Response, ApiError> {
    let until = Instant::now() + asked.wait;
    let _counted = Reading::begin(&call.shared.metrics);
    let mut news = call.shared.news.follow();
    let mut draining = call.shared.draining.subscribe();
    loop {
        news.mark_unchanged();
        let page = read(&call.shared, &call.caller.app, since, asked.limit).await?;
        if !page.changes.is_empty() || Instant::now() >= until || *draining.borrow() {
            return Ok(asked.envelope.page(asked, since, &page));
        }
        tokio::select! {
            _ = news.changed() => {}
            _ = draining.wait_for(|draining| *draining) => {}
            () = sleep_until(until) => {}
        }
    }
}

/// The changes after `since`, unless it is none of this feed's.
async fn read(shared: &Shared, app: &AppId, since: u64, limit: usize) -> Result<Changes, ApiError> {
    let of = app.clone();
    let page = shared.readers.run(move |reader| reader.changes(&of, since, limit)).await?;
    if since > page.last {
        return Err(ApiError::bad_request(format!("since is beyond the last change, {}", page.last)));
    }
    kept(since, page.oldest).map(|()| page)
}

/// Whether every change after `since` is kept.
fn kept(since: u64, oldest: u64) -> Result<(), ApiError> {
    if since + 1 < oldest {
        let description = "The changes to go on from are not kept any more; begin with snapshot=true";
        return Err(ApiError::gone(description, oldest));
    }
    Ok(())
}

/// Where a follower is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// It has applied every change up to this one.
    Change(u64),
    /// It reads the snapshot.
    Snapshot(Option<After>),
}

/// Where a follower is in the snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
struct After {
    /// The last change given before its first page.
    seq: u64,
    /// The last app user it was shown.
    id: String,
}

impl After {
    fn cursor(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("snapshot\0{}\0{}", self.seq, self.id))
    }

    fn read(cursor: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
        let (seq, id) = text.strip_prefix("snapshot\0")?.split_once('\0')?;
        Some(Self { seq: seq.parse().ok()?, id: id.to_owned() })
    }
}

/// A page of the snapshot.
struct Page {
    users: Vec<View>,
    /// The last change given before the first page.
    seq: u64,
    more: bool,
}

impl Page {
    async fn read(
        shared: &Shared,
        app: &AppId,
        place: Option<After>,
        limit: usize,
    ) -> Result<Self, ApiError> {
        let app = app.clone();
        let read = move |reader: &mut SqliteReader| {
            // The number first: what changes between the two is told again, and nothing is missed.
            let feed = reader.changes(&app, 0, 0)?;
            let (seq, id) = place.map_or((feed.last, None), |after| (after.seq, Some(after.id)));
            let mut users = reader.list(&app, id.as_deref(), limit + 1)?;
            let more = users.len() > limit;
            users.truncate(limit);
            Ok((Self { users, seq, more }, feed.oldest))
        };
        let (page, oldest) = shared.readers.run(read).await?;
        // Whoever reads so slowly that what follows is gone meanwhile need not read on.
        kept(page.seq, oldest).map(|()| page)
    }

    fn after(&self, user: &View) -> After {
        After { seq: self.seq, id: user.id.as_str().to_owned() }
    }

    /// Where the next page begins, if there is one.
    fn next(&self) -> Option<After> {
        self.users.last().filter(|_| self.more).map(|last| self.after(last))
    }
}

/// What a follower asks for.
struct Asked {
    from: Place,
    limit: usize,
    wait: Duration,
    envelope: Envelope,
}

impl Asked {
    fn read(call: &Call) -> Result<Self, ApiError> {
        let mut envelope = accepts(&call.headers, envelope::BATCH);
        let (mut since, mut snapshot, mut after) = (None, false, None);
        let (mut size, mut wait) = (DEFAULT_LIMIT, 0);
        for (key, value) in &call.query {
            match key.as_str() {
                "since" => since = Some(number(value)?),
                "limit" => size = limit(value, MOST)?,
                "wait" => wait = seconds(value)?,
                "snapshot" => snapshot = truth(value)?,
                "envelope" if value == "cloudevents" => envelope = true,
                "envelope" => return Err(ApiError::bad_request("envelope may be cloudevents")),
                "after" => after = Some(After::read(value).ok_or_else(not_a_cursor)?),
                other => return Err(unknown_parameter(other)),
            }
        }
        let from = match (since, snapshot, after) {
            (since, false, None) => Place::Change(since.unwrap_or(0)),
            (None, true, after) => Place::Snapshot(after),
            (Some(_), true, _) => return Err(ApiError::bad_request("since and snapshot exclude each other")),
            (_, false, Some(_)) => return Err(ApiError::bad_request("after is for snapshot=true")),
        };
        let envelope = Envelope::new(envelope, &call.caller.app);
        Ok(Self { from, limit: size, wait: Duration::from_secs(wait), envelope })
    }
}

/// A number that the database can hold.
fn number(value: &str) -> Result<u64, ApiError> {
    let number = value.parse().ok().filter(|number| i64::try_from(*number).is_ok());
    number.ok_or_else(|| ApiError::bad_request("since must be the number of a change"))
}

fn seconds(value: &str) -> Result<u64, ApiError> {
    let wait = value.parse().ok().filter(|wait| *wait <= LONGEST_WAIT);
    wait.ok_or_else(|| ApiError::bad_request(format!("wait must be from 0 to {LONGEST_WAIT} seconds")))
}

fn truth(value: &str) -> Result<bool, ApiError> {
    value.parse().map_err(|_| ApiError::bad_request("snapshot must be true or false"))
}

fn not_a_cursor() -> ApiError {
    ApiError::bad_request("after is not a cursor of the snapshot")
}

/// Whether a kind of answer is among those that are asked for.
fn accepts(headers: &HeaderMap, wanted: &str) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut kinds = accepted.flat_map(|value| value.split(','));
    kinds.any(|kind| kind.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case(wanted))
}

/// What all followers share.
pub(super) struct Feed {
    pace: Arc<Pace>,
    heartbeat: Duration,
    stream_life: Duration,
}

impl Feed {
    pub(super) fn new(settings: &crate::config::Feed) -> Self {
        Self { pace: Arc::default(), heartbeat: settings.heartbeat, stream_life: settings.stream_life }
    }

    /// The same with other settings, for followers that begin from now on.
    pub(super) fn again(&self, settings: &crate::config::Feed) -> Self {
        Self { pace: self.pace.clone(), ..Self::new(settings) }
    }
}

/// A follower, counted while it is there.
struct Reading(Arc<Metrics>);

impl Reading {
    fn begin(metrics: &Arc<Metrics>) -> Self {
        metrics.feed_readers.inc();
        Self(metrics.clone())
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.feed_readers.dec();
    }
}
