//! What happened to an app user, and what was known of it then.

mod past;

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use axum::response::Response;

use super::app_users::{limit, unknown_parameter};
use super::call::{Call, no_user};
use super::error::{ApiError, json};
use crate::domain::{ClientId, SmoochId};
use crate::store::sqlite::SqliteReader;
use crate::store::{Entry, Heads, Reader, Seq, Source};
use crate::wire::json::write_string;
use crate::wire::{iso, v1};
use past::{Difference, Fold, Past};

const DEFAULT_LIMIT: usize = 25;
const MOST: usize = 1000;

/// Entries of a history that is folded. Of a longer one `changed` is not told, nor what was known when.
const MOST_FOLDED: usize = 5000;

/// Whom a history is of.
struct Subject {
    /// The `_id` it was asked for by, else the one that the `userId` leads to.
    id: SmoochId,
    /// Those `_id`s whose events are its own.
    group: BTreeSet<SmoochId>,
    /// Everybody whom merges connect with it, undone ones as well.
    connected: Heads,
}

impl Subject {
    /// Whom the path names, by an `_id`, also of somebody who was removed, or by a `userId`.
    async fn find(call: &Call) -> Result<Self, ApiError> {
        let (app, name) = (call.caller.app.clone(), call.user()?);
        let find = move |reader: &mut SqliteReader| {
            let named = SmoochId::from(&*name);
            let by_id = reader.by_id(&app, &named)?;
            let by_name = if by_id.is_none() { reader.by_user_id(&app, &name)? } else { None };
            let id = by_name.as_ref().map_or(named, |view| view.id.clone());
            let connected = reader.connected(&app, std::slice::from_ref(&id))?;
            let group = by_id.or(by_name).into_iter().flat_map(|view| [vec![view.id], view.aliases].concat());
            Ok(Self { group: group.chain([id.clone()]).collect(), id, connected })
        };
        let found = call.shared.readers.run(find).await?;
        if found.id.is_app() || !found.connected.contains_key(&found.id) { Err(no_user()) } else { Ok(found) }
    }
}

/// GET `…/appusers/{id}/history`: every event that touched the app user or a member of its group, the
/// newest first, each with what it changed. `limit` is 1 to 1000, by default 25; the next page is that
/// `after` what this one says. `include=body` adds the bodies as they were received.
pub(super) async fn list(call: Call) -> Result<Response, ApiError> {
    call.caller.must_be_app()?;
    let asked = Asked::read(&call.query)?;
    let subject = Subject::find(&call).await?;
    let mut past = Past::of(&call.shared, &call.caller.app, &subject.connected);
    let whole = past.read(MOST_FOLDED).await?;
    let wanted = |entry: &Entry| {
        entry.seq < asked.after && entry.users.iter().any(|(id, _)| subject.group.contains(id))
    };
    while past.entries.values().filter(|(entry, _)| wanted(entry)).count() <= asked.limit
        && past.more().await?
    {}
    let mut changed: BTreeMap<Seq, Vec<Difference>> = BTreeMap::new();
    if whole {
        let mut fold = Fold::new(&call.caller.app);
        for (seq, (entry, body)) in &past.entries {
            changed.insert(*seq, fold.learn(entry, body, &[]));
        }
    }
    let mut page = past.entries.values().rev().filter(|(entry, _)| wanted(entry));
    let mut texts = Vec::new();
    let mut last = 0;
    for (entry, body) in page.by_ref().take(asked.limit) {
        let body = asked.bodies.then(|| String::from_utf8_lossy(body));
        texts.push(text(entry, changed.get(&entry.seq), body.as_deref()));
        last = entry.seq;
    }
    let more = page.next().is_some();
    let after = if more { format!(",\"after\":\"{last}\"") } else { String::new() };
    let text = format!("{{\"history\":[{}],\"hasMore\":{more}{after}}}", texts.join(","));
    Ok(json(StatusCode::OK, text))
}

/// `{"seq","trigger","source","time"?,"received","users","changed"?,"body"?}`.
fn text(entry: &Entry, changed: Option<&Vec<Difference>>, body: Option<&str>) -> String {
    let mut out = format!("{{{}", event_text(entry));
    let source = if entry.source == Source::Api { "api" } else { "webhook" };
    out.push_str(&format!(",\"source\":\"{source}\",\"received\":{},\"users\":[", iso(entry.received)));
    for (n, (id, _)) in entry.users.iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        write_string(id.as_str(), &mut out);
    }
    out.push(']');
    if let Some(changed) = changed {
        let changed: Vec<String> = changed.iter().map(Difference::text).collect();
        out.push_str(&format!(",\"changed\":[{}]", changed.join(",")));
    }
    if let Some(body) = body {
        out.push_str(",\"body\":");
        write_string(body, &mut out);
    }
    out.push('}');
    out
}

/// Which event: `"seq","trigger","time"?`, the members of an object.
fn event_text(entry: &Entry) -> String {
    let mut out = format!("\"seq\":{},\"trigger\":", entry.seq);
    write_string(&entry.trigger, &mut out);
    if let Some(time) = entry.event_time {
        out.push_str(&format!(",\"time\":{}", iso(time.div_euclid(1000))));
    }
    out
}

struct Asked {
    limit: usize,
    after: Seq,
    bodies: bool,
}

impl Asked {
    fn read(query: &[(String, String)]) -> Result<Self, ApiError> {
        let mut asked = Self { limit: DEFAULT_LIMIT, after: Seq::MAX, bodies: false };
        for (key, value) in query {
            match (key.as_str(), value.as_str()) {
                ("limit", value) => asked.limit = limit("limit", value, MOST)?,
                ("after", value) => {
                    let after = value.parse().ok();
                    asked.after =
                        after.ok_or_else(|| ApiError::bad_request("after is not a place in a history"))?;
                }
                ("include", "body") => asked.bodies = true,
                ("include", _) => return Err(ApiError::bad_request("include may be body")),
                (other, _) => return Err(unknown_parameter(other)),
            }
        }
        Ok(asked)
    }
}

/// A moment of the past, and whether it is asked where each value is from.
pub(super) struct Then {
    moment: Moment,
    provenance: bool,
}

/// Up to where the journal counts.
#[derive(Clone, Copy)]
enum Moment {
    Now,
    Entry(Seq),
    /// In ms since 1970.
    Received(i64),
}

impl Then {
    /// Nothing if the app user is asked for as it is. Other parameters are not looked at.
    pub(super) fn asked(query: &[(String, String)]) -> Result<Option<Self>, ApiError> {
        let mut then = Self { moment: Moment::Now, provenance: false };
        for (key, value) in query {
            match (key.as_str(), value.as_str()) {
                ("asOf", value) => then.moment = Moment::read(value)?,
                ("include", "provenance") => then.provenance = true,
                ("include", _) => return Err(ApiError::bad_request("include may be provenance")),
                _ => {}
            }
        }
        Ok((then.provenance || !matches!(then.moment, Moment::Now)).then_some(then))
    }
}

impl Moment {
    fn read(value: &str) -> Result<Self, ApiError> {
        let time = || value.parse().ok().map(|time: jiff::Timestamp| Self::Received(time.as_millisecond()));
        let moment = value.parse().ok().map(Self::Entry).or_else(time);
        moment.ok_or_else(|| ApiError::bad_request("asOf must be a journal number or an ISO 8601 time"))
    }

    fn has(self, entry: &Entry) -> bool {
        match self {
            Self::Now => true,
            Self::Entry(last) => entry.seq <= last,
            Self::Received(last) => entry.received <= last,
        }
    }
}

/// GET `…/appusers/{id}?asOf=`: the app user as it was known after that entry of the journal, or at that
/// time: what was told later is not in it, whatever time it was told of. 404 if it was not known yet, or
/// had been removed. With `include=provenance`, for each member that is shown the event with which it came
/// to be shown so.
///
/// A client that two app users claim is active for the one who claimed it last, as far as both still
/// exist now: the claims of somebody who was removed are forgotten.
pub(super) async fn then(call: &Call, then: &Then) -> Result<Response, ApiError> {
    call.caller.must_be_app()?;
    let app = &call.caller.app;
    let subject = Subject::find(call).await?;
    let mut past = Past::of(&call.shared, app, &subject.connected);
    let mut whole = past.read(MOST_FOLDED).await?;
    let mut fold = Fold::new(app);
    past.entries.values().filter(|(entry, _)| then.moment.has(entry)).for_each(|(entry, body)| {
        fold.learn(entry, body, &[]);
    });
    let clients: Vec<ClientId> = fold.claimed();
    let of = app.clone();
    let rivals = call.shared.readers.run(move |reader| reader.claimants(&of, &clients)).await?;
    let mut others = Past::of(&call.shared, app, &rivals);
    whole &= others.read(MOST_FOLDED).await?;
    if !whole {
        let why =
            format!("The app user has more than {MOST_FOLDED} events, too many to tell what was known when");
        return Err(ApiError::bad_request(why));
    }
    past.entries.append(&mut others.entries);
    let mut fold = Fold::new(app);
    let mut sources = BTreeMap::new();
    for (entry, body) in past.entries.values().filter(|(entry, _)| then.moment.has(entry)) {
        let changed = fold.learn(entry, body, std::slice::from_ref(&subject.id));
        sources.extend(changed.into_iter().map(|told| ((told.user, told.member), entry)));
    }
    let view = fold.view(&subject.id).ok_or_else(no_user)?;
    let mut text = format!("{{\"appUser\":{}", v1::app_user(&view));
    if then.provenance {
        let shown = crate::wire::history::members(&view);
        let told = shown.keys().filter_map(|name| {
            let mut text = String::new();
            write_string(name, &mut text);
            Some(format!("{text}:{{{}}}", event_text(sources.get(&(view.id.clone(), name.clone()))?)))
        });
        text.push_str(&format!(",\"provenance\":{{{}}}", told.collect::<Vec<_>>().join(",")));
    }
    text.push('}');
    Ok(json(StatusCode::OK, text))
}
