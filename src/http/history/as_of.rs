//! An app user as of a point in the past.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use serde_json::value::RawValue;

use super::group::MergeTree;
use super::journal_pages::{JournalPages, Subject, each};
use crate::directory::DirectoryReader;
use crate::directory::entries::EntryBound;
use crate::domain::command::Name;
use crate::domain::{AppId, ClientId, Field, SmoochId, Visibility, timestamp};
use crate::http::answers::{json, raw, to_json};
use crate::http::api_request::ApiRequest;
use crate::http::error::{ApiError, no_user};
use crate::http::reads;
use crate::rebuild::history_entry::EventRef;
use crate::rebuild::history_replay::HistoryReplay;
use crate::rebuild::sources::Sources;
use crate::smooch::v1;
use crate::store::{CompactionPoint, Entry, Seq};

/// A point in the past, and what is requested beside the app user.
#[derive(Clone, Copy)]
pub(in crate::http) struct PastRequest {
    moment: AsOf,
    provenance: bool,
    group: bool,
}

/// The end of the journal for this answer.
#[derive(Clone, Copy)]
enum AsOf {
    Now,
    Entry(Seq),
    /// In ms since 1970.
    Received(i64),
}

impl PastRequest {
    /// None if the current app user is requested. Unknown parameters were refused before.
    pub(in crate::http) fn asked(query: &[(String, String)]) -> Result<Option<Self>, ApiError> {
        let mut then = Self { moment: AsOf::Now, provenance: false, group: false };
        for (key, value) in query {
            match (key.as_str(), value.as_str()) {
                ("asOf", value) => then.moment = AsOf::read(value)?,
                ("include", value) => value.split(',').try_for_each(|part| then.include(part))?,
                _ => {}
            }
        }
        let is_plain = !then.provenance && !then.group && matches!(then.moment, AsOf::Now);
        Ok((!is_plain).then_some(then))
    }

    fn include(&mut self, part: &str) -> Result<(), ApiError> {
        match part {
            "provenance" => self.provenance = true,
            "group" => self.group = true,
            _ => {
                let expected = "include may be provenance or group, or both with a comma between them";
                return Err(ApiError::bad_request(expected));
            }
        }
        Ok(())
    }
}

impl AsOf {
    fn read(value: &str) -> Result<Self, ApiError> {
        let moment = EntryBound::parse(value).map(|bound| match bound {
            EntryBound::Entry(seq) => Self::Entry(seq),
            EntryBound::Received(time) => Self::Received(time),
        });
        let expected = || {
            ApiError::bad_request(format!("asOf must be a journal number, or {}", timestamp::PARAMETER_FORMS))
        };
        moment.ok_or_else(expected)
    }

    /// True if the journal was compacted beyond this point.
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

/// GET `…/appusers/{id}?asOf=`: the app user as known after that entry of the journal, or at that time.
/// Later entries do not count, even if they are about an earlier time. 404 if it was not known yet, or
/// was removed. `include=provenance` adds to each shown member the first event that set it (a merge sets
/// none), and Smooch's value of each member that our own API overrides. `include=group` adds the `_id`s that are this app user, and their merges.
///
/// A client claimed by two app users is active for the latest claimant, as far as both exist now: removal
/// deletes claims. 410 for a point that the journal no longer reaches, with the `oldest` number it
/// reaches; a value older than that has no event.
pub(in crate::http) async fn then(request: &ApiRequest, then: &PastRequest) -> Result<Response, ApiError> {
    request.caller.must_be_app()?;
    let (app, name, most) =
        (request.caller.app.clone(), request.user().await?, request.shared.settings.limits.history_events);
    let (then, visibility) = (*then, request.caller.visibility);
    let read = move |reader: &mut DirectoryReader| Ok(as_of(reader, &app, &name, most, &then, visibility));
    Ok(json(StatusCode::OK, reads::THEN.run(&request.shared.readers, read).await??))
}

fn as_of(
    reader: &mut DirectoryReader,
    app: &AppId,
    name: &Name,
    most: usize,
    then: &PastRequest,
    visibility: Visibility,
) -> Result<String, ApiError> {
    if let AsOf::Entry(number) = then.moment {
        // Most likely a time in seconds: it would silently mean now.
        let last = reader.last_entry_seq()?;
        if number > last {
            let why = format!(
                "asOf is beyond the last entry of the journal, {last}; a time is written in ISO 8601 or in ms"
            );
            return Err(ApiError::bad_request(why));
        }
    }
    let subject = Subject::find(reader, app, name).map_err(ApiError::mention_former_user_ids)?;
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
    let rivals = reader.find_claimants(app, &clients)?;
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
        let why = "The journal does not reach back to that point any more";
        return Err(ApiError::gone(why, horizon.folded, None));
    }
    let seqs: BTreeSet<Seq> = own.union(&others.seqs).copied().collect();
    let mut fold = HistoryReplay::new(app, base);
    let (mut sources, mut merged_by) = (Sources::of(&subject.id), BTreeMap::new());
    each(reader, app, seqs.range(horizon.folded + 1..).copied(), horizon, |entry, _, event| {
        let Some(event) = event.filter(|_| then.moment.has(entry)) else { return };
        if then.provenance {
            sources.apply(&mut fold, entry, event, &Arc::from(to_json(&EventRef::of(entry))));
        } else {
            fold.apply(event);
        }
        if then.group {
            merged_by.extend(fold.merges_of(entry, event).map(|pair| (pair, entry.seq)));
        }
    })?;
    let view = fold.view(&subject.id).ok_or_else(no_user)?;
    let provenance = then.provenance.then(|| shown_sources(&sources, &fold, visibility));
    let reported = then.provenance.then(|| overridden(&fold, &subject.id, visibility));
    let reported = reported.filter(|reported| !reported.is_empty());
    let tree = then.group.then(|| fold.merge_tree(&subject.id)).flatten();
    let group = tree.map(|(root, members)| MergeTree::of(root, &members, &merged_by));
    Ok(to_json(&PastAnswer {
        app_user: raw(v1::app_user(&visibility.show(&view))),
        provenance,
        reported,
        group,
    }))
}

/// The event of each member of v1 that is shown.
fn shown_sources(
    sources: &Sources<Arc<str>>,
    fold: &HistoryReplay,
    visibility: Visibility,
) -> BTreeMap<String, Box<RawValue>> {
    let sources = sources.shown(fold).into_iter();
    let sources = sources.filter(|(name, _)| Field::is_name_in_v1(name) && !visibility.hides(name));
    sources.map(|(name, source)| (name, raw(&*source))).collect()
}

/// Smooch's value of each member of v1 that our own API overrides; null if Smooch has none.
fn overridden(
    fold: &HistoryReplay,
    id: &SmoochId,
    visibility: Visibility,
) -> BTreeMap<String, Box<RawValue>> {
    let fields = fold.group(id).map(|group| group.overridden()).unwrap_or_default().into_iter();
    let named = fields.map(|(field, value)| (field.to_string(), value));
    let shown = named.filter(|(name, _)| Field::is_name_in_v1(name) && !visibility.hides(name));
    shown.map(|(name, value)| (name, raw(value.map_or("null", |text| text)))).collect()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PastAnswer<'a> {
    app_user: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provenance: Option<BTreeMap<String, Box<RawValue>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reported: Option<BTreeMap<String, Box<RawValue>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<MergeTree<'a>>,
}
