//! The two formats of a page and an event of the feed: plain, or CloudEvents 1.0.
//!
//! A CloudEvent has the same object as its `data`. Its `id` is the change, or in a snapshot the position
//! of the app user; `id` and `source` stay the same however often it is sent.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::value::RawValue;

use super::cursors::{ChangeCursor, FeedCursor};
use super::pages::SnapshotPage;
use crate::directory::feed::{FeedChange, FeedPage};
use crate::domain::{Field, SmoochId, View, Visibility, timestamp};
use crate::http::answers::{answer, raw, raw_array, to_json};
use crate::http::api_request::ApiRequest;
use crate::http::auth::Caller;
use crate::http::page_links::PageLinks;
use crate::smooch::v1;
use crate::store::Epoch;

pub(super) const BATCH: &str = "application/cloudevents-batch+json";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ChangeAnswer<'c> {
    seq: u64,
    time: String,
    kind: &'static str,
    #[serde(rename = "_id")]
    user: &'c SmoochId,
    #[serde(skip_serializing_if = "Option::is_none")]
    surviving: Option<&'c SmoochId>,
    fields: Vec<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_user: Option<Box<RawValue>>,
}

/// A CloudEvent 1.0 in the structured form. Its `source` is a reference to the feed.
#[derive(Serialize)]
struct CloudEvent<'e> {
    specversion: &'static str,
    id: &'e str,
    source: &'e str,
    r#type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    datacontenttype: &'static str,
    data: Box<RawValue>,
}

impl<'e> CloudEvent<'e> {
    /// The event of a `kind` about `subject`, with its data, a JSON object.
    fn new(id: &'e str, source: &'e str, kind: &str, subject: Option<&'e str>, data: String) -> Self {
        Self {
            specversion: "1.0",
            id,
            source,
            r#type: format!("rollcall.{kind}"),
            subject,
            time: None,
            datacontenttype: "application/json",
            data: raw(data),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ChangesAnswer<'a> {
    epoch: String,
    changes: Box<RawValue>,
    next: String,
    has_more: bool,
    links: &'a PageLinks,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SnapshotAnswer<'a> {
    epoch: String,
    app_users: Box<RawValue>,
    next: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<String>,
    has_more: bool,
    links: &'a PageLinks,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SnapshotUser {
    kind: &'static str,
    app_user: Box<RawValue>,
}

/// The first or the last event of the snapshot.
#[derive(Serialize)]
struct SnapshotMark {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<String>,
    next: String,
}

#[derive(Clone)]
pub(super) struct Envelope {
    /// Of CloudEvents the feed as the `source` of the events, a reference from the address of the service.
    source: Option<String>,
    visibility: Visibility,
}

impl Envelope {
    pub(super) fn new(cloud_events: bool, caller: &Caller) -> Self {
        let app = || utf8_percent_encode(caller.app.as_str(), NON_ALPHANUMERIC);
        let source = cloud_events.then(|| format!("/v1/apps/{}/changes", app()));
        Self { source, visibility: caller.visibility }
    }

    /// An app user as JSON text.
    fn user(&self, user: &View) -> Box<RawValue> {
        raw(v1::app_user(&self.visibility.show(user)))
    }

    pub(super) fn change(&self, epoch: Epoch, changed: &FeedChange) -> String {
        let (change, time) = (&changed.change, timestamp::format_ms(changed.time));
        // Aliases are no member of an app user: the feed has the merges themselves.
        let names = change.fields.iter().filter(|name| *name != "aliases" && Field::is_name_in_v1(name));
        let names = self.visibility.names(names.map(String::as_str));
        let data = to_json(&ChangeAnswer {
            seq: changed.seq,
            time: time.clone(),
            kind: change.kind.as_str(),
            user: &change.user,
            surviving: change.kind.surviving(),
            fields: names,
            app_user: changed.user.as_ref().map(|user| self.user(user)),
        });
        let Some(source) = &self.source else { return data };
        let (id, kind) = (ChangeCursor::name(epoch, changed.seq), format!("change.{}", change.kind.as_str()));
        let event = CloudEvent::new(&id, source, &kind, Some(change.user.as_str()), data);
        to_json(&CloudEvent { time: Some(time), ..event })
    }

    /// The events of a page of the snapshot: the id, the kind and the data of each. The first begins a new copy, the
    /// last has the change to continue from.
    pub(super) fn snapshot_events(&self, page: &SnapshotPage) -> Vec<(String, &'static str, String)> {
        let (from, next) = (&page.from, page.from.next());
        let mark = |kind, epoch| to_json(&SnapshotMark { kind, epoch, next: next.clone() });
        let begin = from.id().is_none().then(|| {
            let data = mark("begin", Some(from.epoch.to_string()));
            (from.cursor(), "begin", None, data)
        });
        let users = page.users.iter().map(|user| {
            let data = to_json(&SnapshotUser { kind: "user", app_user: self.user(user) });
            (page.after(user).cursor(), "user", Some(user.id.as_str()), data)
        });
        let follow = page.next().is_none().then(|| (next.clone(), "follow", None, mark("follow", None)));
        let events = begin.into_iter().chain(users).chain(follow).map(|(id, kind, subject, data)| {
            let Some(source) = &self.source else { return (id, kind, data) };
            let (source, of_snapshot) = (format!("{source}?snapshot=true"), format!("snapshot.{kind}"));
            let event = to_json(&CloudEvent::new(&id, &source, &of_snapshot, subject, data));
            (id, kind, event)
        });
        events.collect()
    }

    /// A page of the changes after `since`.
    pub(super) fn page(&self, request: &ApiRequest, since: u64, page: &FeedPage) -> Response {
        let epoch = page.epoch.epoch;
        let last = page.changes.last().map_or(since, |last| last.seq);
        let changes = raw_array(page.changes.iter().map(|changed| self.change(epoch, changed)));
        let links = links(request, self, &FeedCursor::Change(ChangeCursor { epoch: Some(epoch), seq: last }));
        match self.source {
            None => {
                let next = ChangeCursor::name(epoch, last);
                let (epoch, has_more) = (epoch.to_string(), last < page.last);
                let answered = ChangesAnswer { epoch, changes, next, has_more, links: &links };
                links.head(answer(StatusCode::OK, &answered))
            }
            Some(_) => batch(&changes, &links),
        }
    }

    pub(super) fn snapshot(&self, request: &ApiRequest, page: &SnapshotPage) -> Response {
        let after = page.next().map(|after| FeedCursor::Snapshot(Some(after)));
        let links = links(request, self, &after.unwrap_or_else(|| FeedCursor::Change(page.from.since())));
        match self.source {
            None => {
                let answered = SnapshotAnswer {
                    epoch: page.from.epoch.to_string(),
                    app_users: raw_array(page.users.iter().map(|user| self.user(user).get().to_owned())),
                    next: page.from.next(),
                    after: page.next().map(|after| after.cursor()),
                    has_more: page.more,
                    links: &links,
                };
                links.head(answer(StatusCode::OK, &answered))
            }
            Some(_) => {
                let events = self.snapshot_events(page).into_iter().map(|(.., event)| event);
                batch(&raw_array(events), &links)
            }
        }
    }
}

/// The links to the next page. CloudEvents stay CloudEvents, also if only a header asked for them.
fn links(request: &ApiRequest, envelope: &Envelope, next: &FeedCursor) -> PageLinks {
    let mut with = Vec::new();
    let place = match next {
        FeedCursor::Change(since) => Some(("since", since.to_string())),
        FeedCursor::Snapshot(after) => {
            with.push(("snapshot", "true"));
            after.as_ref().map(|after| ("after", after.cursor()))
        }
    };
    with.extend(place.as_ref().map(|(name, place)| (*name, &**place)));
    if envelope.source.is_some() {
        with.push(("envelope", "cloudevents"));
    }
    PageLinks::next(request, &["since", "snapshot", "after", "envelope"], &with)
}

/// A page of CloudEvents. It has no member for the next page: that is in its `Link`.
fn batch(events: &RawValue, links: &PageLinks) -> Response {
    let mut response = links.head(answer(StatusCode::OK, &events));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(BATCH));
    response
}
