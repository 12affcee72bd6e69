//! An app user as it was at a moment of the past.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use serde_json::value::RawValue;

use super::journal_pages::{JournalPages, each};
use super::subject::Subject;
use crate::domain::command::Name;
use crate::domain::{AppId, ClientId, timestamp};
use crate::http::answers::{self, raw};
use crate::http::api_request::ApiRequest;
use crate::http::error::{ApiError, json, no_user};
use crate::http::reads;
use crate::rebuild::history_entry::EventRef;
use crate::rebuild::history_replay::HistoryReplay;
use crate::rebuild::sources::Sources;
use crate::smooch::v1;
use crate::store::archive::Archive as _;
use crate::store::sqlite::SqliteReader;
use crate::store::{CompactionPoint, Entry, Reader, Seq};

/// A moment of the past, and whether it is asked where each value is from.
#[derive(Clone, Copy)]
pub(in crate::http) struct PastRequest {
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
    pub(in crate::http) fn asked(query: &[(String, String)]) -> Result<Option<Self>, ApiError> {
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
pub(in crate::http) async fn then(request: &ApiRequest, then: &PastRequest) -> Result<Response, ApiError> {
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
        sources.apply(&mut fold, entry, event, &Arc::from(answers::text(&EventRef::of(entry))));
    })?;
    let view = fold.view(&subject.id).ok_or_else(no_user)?;
    let provenance = then.provenance.then(|| {
        let sources = sources.shown(&fold).into_iter();
        sources.map(|(name, source): (String, Arc<str>)| (name, raw(&*source))).collect()
    });
    Ok(answers::text(&PastAnswer { app_user: raw(v1::app_user(&view)), provenance }))
}

/// The answer of [`then`].
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PastAnswer {
    app_user: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provenance: Option<BTreeMap<String, Box<RawValue>>>,
}
