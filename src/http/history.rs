//! What happened to an app user, and what was known of it then.

mod journal_pages;

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::Response;

use super::api_request::{ApiRequest, no_user};
use super::error::{ApiError, json};
use super::page_links::PageLinks;
use super::query::limit;
use super::reads;
use crate::domain::command::Name;
use crate::domain::{AppId, ClientId, Field, SmoochId, View, timestamp};
use crate::rebuild::history_replay::{Difference, EventDiff, HistoryReplay, Merge};
use crate::rebuild::sources::Sources;
use crate::smooch::json::write_string;
use crate::smooch::{journal_entry, v1};
use crate::store::archive::Archive as _;
use crate::store::readers::LooksUp as _;
use crate::store::sqlite::SqliteReader;
use crate::store::{self, CompactionPoint, Entry, Heads, Reader, Seq, Source};
use journal_pages::{JournalPages, each};

const DEFAULT_LIMIT: usize = 25;
const MOST: usize = 1000;

/// Merges of a page of which it is told what un-merging would give: each is a look-up.
const MOST_APART: usize = 100;

/// Whom a history is of.
struct Subject {
    /// The `_id` it was asked for by, else the one that the `userId` leads to.
    id: SmoochId,
    /// Those `_id`s whose events are its own.
    group: BTreeSet<SmoochId>,
    /// Everybody whom merges connect with it, undone ones as well.
    connected: Heads,
    /// Nothing is to be told of it but that it was erased.
    erased: bool,
}

impl Subject {
    /// Whom a name means: an `_id`, also of somebody who was removed, or a `userId`.
    fn find(reader: &mut SqliteReader, app: &AppId, name: &Name) -> Result<Self, ApiError> {
        let mut found = Err(store::Error::Interrupted);
        reader.at_one_moment(|reader| found = Self::look_up(reader, app, name));
        let found = found?;
        if found.id.is_app() || !found.connected.contains_key(&found.id) { Err(no_user()) } else { Ok(found) }
    }

    fn look_up(reader: &mut SqliteReader, app: &AppId, name: &Name) -> store::Result<Self> {
        let named = SmoochId::from(&*name.text);
        let view = reader.by_name(app, name)?;
        let is_id = |view: &View| view.ids().any(|id| *id == named);
        let id = view.as_ref().filter(|view| !is_id(view)).map_or(named.clone(), |view| view.id.clone());
        // Of somebody who was removed no brand is known any more.
        let is_meant = view.is_some() || reader.by_id(app, &id)?.is_none();
        let connected =
            if is_meant { reader.connected(app, std::slice::from_ref(&id))? } else { Heads::new() };
        let group = view.iter().flat_map(View::ids).cloned();
        let erased = reader.receipt(app, &id)?.is_some();
        Ok(Self { group: group.chain([id.clone()]).collect(), id, connected, erased })
    }
}

/// GET `…/appusers/{id}/history`: every event that touched the app user or a member of its group, the
/// newest first, each with what it changed, and whom it merged, why, and what un-merging them would give
/// now. `limit` is 1 to 1000, by default 25; the next page is that `after` what this one says.
/// Of a call to our own API it is told how it was made. `include=body` adds the bodies as they were received. Where the journal was trimmed, `oldest` is the first
/// entry that is kept, and `oldestBody` the first whose body is.
pub(super) async fn list(request: ApiRequest) -> Result<Response, ApiError> {
    request.caller.must_be_app()?;
    let asked = HistoryRequest::read(&request.query)?;
    let (app, name, most) =
        (request.caller.app.clone(), request.user()?, request.shared.limits.history_events);
    let read = move |reader: &mut SqliteReader| Ok(page(reader, &app, &name, most, &asked));
    let (text, after) = reads::HISTORY.run(&request.shared.readers, read).await??;
    let after = after.map(|after| after.to_string());
    let links = PageLinks::of(&request, &["after"], None, after.as_deref().map(|after| ("after", after)));
    Ok(links.head(json(StatusCode::OK, format!("{{{text},{}}}", links.member()))))
}

/// The members of the page that is asked for, as text, and where the next one begins. Up to `most` events the journal is read from its beginning.
fn page(
    reader: &mut SqliteReader,
    app: &AppId,
    name: &Name,
    most: usize,
    asked: &HistoryRequest,
) -> Result<(String, Option<Seq>), ApiError> {
    let subject = Subject::find(reader, app, name)?;
    let mut past = JournalPages::of(reader, app, &subject.connected, &subject.group);
    let whole = past.read(most)?;
    while past.touching.range(..asked.after).count() <= asked.limit && past.more()? {}
    let mut page: BTreeSet<Seq> =
        past.touching.range(..asked.after).rev().take(asked.limit + 1).copied().collect();
    let more = page.len() > asked.limit && page.pop_first().is_some();
    let (horizon, base) = past.base(&BTreeSet::new())?;
    let mut fold = HistoryReplay::new(app, base);
    let mut told = Vec::new();
    let seqs = match page.last() {
        Some(newest) if whole => {
            let folded = past.seqs.range(horizon.folded + 1..).take_while(|seq| *seq <= newest);
            folded.chain(&page).copied().collect()
        }
        _ => page.clone(),
    };
    each(reader, app, seqs, horizon, |entry, body, event| {
        if page.contains(&entry.seq) {
            let learned = event.filter(|_| whole).map(|event| fold.apply_with_diff(entry, event, &[]));
            let body = Some(body).filter(|body| !body.is_empty());
            let body = body.filter(|_| asked.bodies || entry.source != Source::Webhook);
            told.push((entry.clone(), learned, body.cloned()));
        } else if let Some(event) = event {
            fold.apply(event);
        }
    })?;
    let (mut texts, mut apart) = (Vec::new(), UnmergePreviews { reader, app, left: MOST_APART });
    for (entry, learned, body) in told.iter().rev() {
        let merges = match learned {
            Some(learned) => apart.merges(&learned.merges)?,
            None => Vec::new(),
        };
        texts.push(text(entry, learned.as_ref(), &merges, body.as_ref(), asked.bodies));
    }
    let next = page.first().copied().filter(|_| more);
    let after = next.map(|last| format!(",\"after\":\"{last}\"")).unwrap_or_default();
    let oldest = if horizon.folded > 0 {
        format!(",\"oldest\":{},\"oldestBody\":{}", horizon.oldest, horizon.folded + 1)
    } else {
        String::new()
    };
    Ok((format!("\"history\":[{}],\"hasMore\":{more}{after}{oldest}", texts.join(",")), next))
}

/// What un-merging gives, for as many merges as one answer looks it up.
struct UnmergePreviews<'r> {
    reader: &'r mut SqliteReader,
    app: &'r AppId,
    left: usize,
}

impl UnmergePreviews<'_> {
    fn merges(&mut self, merges: &[Merge]) -> Result<Vec<String>, ApiError> {
        let mut texts = Vec::with_capacity(merges.len());
        for merge in merges {
            let Some(left) = self.left.checked_sub(1) else {
                texts.push(merge.text(None));
                continue;
            };
            self.left = left;
            let apart = self.reader.apart(self.app, &merge.surviving, &merge.discarded)?;
            texts.push(merge.text(Some(&apart)));
        }
        Ok(texts)
    }
}

/// `{"seq","trigger","source","time"?,"received","users","changed"?,"merges"?,"call"?,"note"?,"body"?,"decided"?}`.
/// `body` is what the journal has of it; of a call, the body as it was sent is only told `whole`.
fn text(
    entry: &Entry,
    learned: Option<&EventDiff>,
    merges: &[String],
    body: Option<&Bytes>,
    whole: bool,
) -> String {
    let mut out = format!("{{{}", event_text(entry));
    let source = entry.source.as_shown();
    out.push_str(&format!(
        ",\"source\":\"{source}\",\"received\":{},\"users\":[",
        timestamp::json_from_ms(entry.received)
    ));
    for (n, (id, _)) in entry.users.iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        write_string(id.as_str(), &mut out);
    }
    out.push(']');
    if let Some(learned) = learned {
        let shown = learned.changed.iter().filter(|difference| Field::is_name_in_v1(&difference.member));
        let changed: Vec<String> = shown.map(Difference::text).collect();
        out.push_str(&format!(",\"changed\":[{}]", changed.join(",")));
    }
    if !merges.is_empty() {
        out.push_str(&format!(",\"merges\":[{}]", merges.join(",")));
    }
    match (body, entry.source) {
        (None, _) => {}
        (Some(body), Source::Webhook) => {
            out.push_str(",\"body\":");
            write_string(&String::from_utf8_lossy(body), &mut out);
        }
        (Some(body), source) => {
            let is_call = source == Source::Api;
            let content = whole.then(|| journal_entry::content(body, is_call));
            for (name, text) in journal_entry::about(body, is_call).into_iter().chain(content) {
                out.push_str(&format!(",\"{name}\":{text}"));
            }
        }
    }
    out.push('}');
    out
}

/// Which event: `"seq","trigger","time"?`, the members of an object.
fn event_text(entry: &Entry) -> String {
    let mut out = format!("\"seq\":{},\"trigger\":", entry.seq);
    write_string(&entry.trigger, &mut out);
    if let Some(time) = entry.event_time {
        out.push_str(&format!(",\"time\":{}", timestamp::json_from_ms(time.div_euclid(1000))));
    }
    out
}

struct HistoryRequest {
    limit: usize,
    after: Seq,
    bodies: bool,
}

impl HistoryRequest {
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
                _ => {}
            }
        }
        Ok(asked)
    }
}

/// A moment of the past, and whether it is asked where each value is from.
#[derive(Clone, Copy)]
pub(super) struct PastRequest {
    moment: AsOf,
    provenance: bool,
}

/// Up to where the journal counts.
#[derive(Clone, Copy)]
enum AsOf {
    Now,
    Entry(Seq),
    /// In ms since 1970.
    Received(i64),
}

impl PastRequest {
    /// Nothing if the app user is asked for as it is. What the call does not know was refused before.
    pub(super) fn asked(query: &[(String, String)]) -> Result<Option<Self>, ApiError> {
        let mut then = Self { moment: AsOf::Now, provenance: false };
        for (key, value) in query {
            match (key.as_str(), value.as_str()) {
                ("asOf", value) => then.moment = AsOf::read(value)?,
                ("include", "provenance") => then.provenance = true,
                ("include", _) => return Err(ApiError::bad_request("include may be provenance")),
                _ => {}
            }
        }
        Ok((then.provenance || !matches!(then.moment, AsOf::Now)).then_some(then))
    }
}

/// A number of the journal. From a hundred thousand million on it is a time in ms.
fn journal_number(value: &str) -> Option<Seq> {
    value.parse().ok().filter(|number| *number < 100_000_000_000)
}

impl AsOf {
    fn read(value: &str) -> Result<Self, ApiError> {
        let time = || timestamp::parse_parameter(value).map(|time| Self::Received(time.div_euclid(1000)));
        // No journal and no clock of Smooch's is below zero: as a moment it would silently be before everything.
        let is_below_zero = value.starts_with('-');
        let moment = journal_number(value).map(Self::Entry).or_else(time).filter(|_| !is_below_zero);
        let expected = || {
            ApiError::bad_request(format!("asOf must be a journal number, or {}", timestamp::PARAMETER_FORMS))
        };
        moment.ok_or_else(expected)
    }

    /// Whether the journal does not go on from there any more.
    fn is_before(self, horizon: CompactionPoint) -> bool {
        match self {
            Self::Now => false,
            Self::Entry(last) => last < horizon.folded,
            Self::Received(last) => horizon.folded > 0 && last < horizon.received,
        }
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
/// had been removed. With `include=provenance`, for each member that is shown the event that said so first; a
/// merge says nothing, it only shows what was said before.
///
/// A client that two app users claim is active for the one who claimed it last, as far as both still
/// exist now: the claims of somebody who was removed are forgotten. 410 for a moment from which the journal
/// does not reach on any more, with the `oldest` number for which it does; of a value that is older, nobody
/// knows the event.
pub(super) async fn then(request: &ApiRequest, then: &PastRequest) -> Result<Response, ApiError> {
    request.caller.must_be_app()?;
    let (app, name, most) =
        (request.caller.app.clone(), request.user()?, request.shared.limits.history_events);
    let then = *then;
    let read = move |reader: &mut SqliteReader| Ok(as_of(reader, &app, &name, most, &then));
    Ok(json(StatusCode::OK, reads::THEN.run(&request.shared.readers, read).await??))
}

/// What [`then`] answers, as text.
fn as_of(
    reader: &mut SqliteReader,
    app: &AppId,
    name: &Name,
    most: usize,
    then: &PastRequest,
) -> Result<String, ApiError> {
    if let AsOf::Entry(number) = then.moment {
        // A time in seconds, most likely: it would silently mean now.
        let last = reader.last()?;
        if number > last {
            let why = format!(
                "asOf is beyond the last entry of the journal, {last}; a time is written in ISO 8601 or in ms"
            );
            return Err(ApiError::bad_request(why));
        }
    }
    let subject = Subject::find(reader, app, name).map_err(ApiError::by_names_of_now)?;
    if subject.erased {
        return Err(no_user());
    }
    let nobody = BTreeSet::new();
    let mut past = JournalPages::of(reader, app, &subject.connected, &nobody);
    let mut whole = past.read(most)?;
    let (horizon, base) = past.base(&nobody)?;
    let own = past.seqs;
    let mut fold = HistoryReplay::new(app, base);
    if whole {
        each(reader, app, own.range(horizon.folded + 1..).copied(), horizon, |entry, _, event| {
            if let Some(event) = event.filter(|_| then.moment.has(entry)) {
                fold.apply(event);
            }
        })?;
    }
    let clients: Vec<ClientId> = fold.claimed();
    let rivals = reader.claimants(app, &clients)?;
    let mut others = JournalPages::of(reader, app, &rivals, &nobody);
    whole = whole && others.read(most)?;
    if !whole {
        let why = format!(
            "The app user, or whoever shares a client with it, has more than {most} events \
             (limits.history_events), too many to tell what was known when"
        );
        return Err(ApiError::bad_request(why));
    }
    let (horizon, base) = others.base(&subject.connected.keys().cloned().collect())?;
    if then.moment.is_before(horizon) {
        return Err(ApiError::gone("What was known then is not kept any more", horizon.folded));
    }
    let seqs: BTreeSet<Seq> = own.union(&others.seqs).copied().collect();
    let mut fold = HistoryReplay::new(app, base);
    let mut sources = Sources::of(&subject.id);
    each(reader, app, seqs.range(horizon.folded + 1..).copied(), horizon, |entry, _, event| {
        let Some(event) = event.filter(|_| then.moment.has(entry)) else { return };
        if !then.provenance {
            return fold.apply(event);
        }
        sources.apply(&mut fold, entry, event, &Arc::from(event_text(entry)));
    })?;
    let view = fold.view(&subject.id).ok_or_else(no_user)?;
    let mut text = format!("{{\"appUser\":{}", v1::app_user(&view));
    if then.provenance {
        let shown = sources.shown(&fold).into_iter().filter(|(name, _)| Field::is_name_in_v1(name));
        let told = shown.map(|(name, source): (String, Arc<str>)| {
            let mut text = String::new();
            write_string(&name, &mut text);
            format!("{text}:{{{source}}}")
        });
        text.push_str(&format!(",\"provenance\":{{{}}}", told.collect::<Vec<_>>().join(",")));
    }
    text.push('}');
    Ok(text)
}
