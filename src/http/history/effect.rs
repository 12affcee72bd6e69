//! What one entry of the journal changed.

use std::collections::BTreeSet;

use super::MOST_PREVIEWS;
use super::journal_pages::{JournalPages, each};
use crate::directory::DirectoryReader;
use crate::domain::{Field, SmoochId, Visibility};
use crate::http::error::ApiError;
use crate::rebuild::history_replay::HistoryReplay;
use crate::store::{Entry, Outcome};

/// What an entry changed of what v1 shows, and its merges, each as JSON text.
#[derive(Default)]
pub(in crate::http) struct EntryEffect {
    pub(in crate::http) changed: Vec<String>,
    pub(in crate::http) merges: Vec<String>,
}

/// What an entry changed of its app users. The journal of these, and of all whom merges connect with them, is applied up
/// to it. Fails where that is not possible, with the reason.
pub(in crate::http) fn effect_of(
    reader: &mut DirectoryReader,
    entry: &Entry,
    most: usize,
    visibility: Visibility,
) -> Result<EntryEffect, ApiError> {
    if entry.outcome == Outcome::Kept {
        return Ok(EntryEffect::default());
    }
    let app = &entry.app;
    let ids: Vec<SmoochId> = entry.users.iter().map(|(id, _)| id.clone()).collect();
    let connected = reader.find_connected(app, &ids)?;
    let mut past = JournalPages::of(reader, app, &connected, &BTreeSet::new());
    if !past.read(most)? {
        let why = format!("Its app users have more than {most} events (limits.history_events)");
        return Err(ApiError::bad_request(why));
    }
    let (horizon, base) = past.base(&BTreeSet::new())?;
    if entry.seq <= horizon.folded {
        let why = "The bodies of the events up to it are not kept any more ([retention])";
        return Err(ApiError::gone(why, horizon.folded + 1, None));
    }
    let mut replay = HistoryReplay::new(app, base);
    let mut diff = None;
    let seqs = past.seqs.range(horizon.folded + 1..=entry.seq).copied();
    let seqs: Vec<_> = seqs.collect();
    each(reader, app, seqs, horizon, |one, _, event| {
        let Some(event) = event else { return };
        if one.seq == entry.seq {
            diff = Some(replay.apply_with_diff(one, event, &[]));
        } else {
            replay.apply(event);
        }
    })?;
    let diff = diff.unwrap_or_default();
    let pairs = diff.merges.iter().map(|merge| (&merge.surviving, &merge.discarded));
    let mut previews =
        reader.preview_unmerges(app, &pairs.take(MOST_PREVIEWS).collect::<Vec<_>>())?.into_iter();
    let shown = diff.changed.iter().filter(|difference| Field::is_name_in_v1(&difference.member));
    Ok(EntryEffect {
        changed: shown.map(|difference| difference.text(visibility)).collect(),
        merges: diff.merges.iter().map(|merge| merge.text(previews.next().as_ref(), visibility)).collect(),
    })
}
