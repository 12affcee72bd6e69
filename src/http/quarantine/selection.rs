//! Which bodies of the quarantine a call is about.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::directory::DirectoryReader;
use crate::directory::entries::{EntryBound, EntrySpan};
use crate::domain::{AppId, UnusableReason, timestamp};
use crate::http::error::ApiError;
use crate::http::operator_request::OperatorRequest;
use crate::http::parameters::word;
use crate::store::readers::ActiveRead;
use crate::store::rows::RowFilter;
use crate::store::tables::QuarantinedSummary;
use crate::store::{self, Seq};

/// Bodies read at a time.
const PIECE: usize = 500;

/// Bodies looked at in one step, behind which other reads get a turn.
const STEP: usize = 20_000;

/// Conditions on bodies in quarantine. All must hold.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::http) struct QuarantineSelection {
    #[serde(skip_serializing_if = "Option::is_none")]
    apps: Option<BTreeSet<AppId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<UnusableReason>,
    span: EntrySpan,
    #[serde(skip_serializing_if = "Option::is_none")]
    seqs: Option<BTreeSet<Seq>>,
}

/// Some of the selected bodies.
pub(in crate::http) struct SelectedBodies {
    pub(in crate::http) bodies: Vec<QuarantinedSummary>,
    pub(super) looked: usize,
    /// The last body that was looked at; none at the end.
    pub(in crate::http) next: Option<Seq>,
}

impl QuarantineSelection {
    /// That of the parameters of a list.
    pub(super) fn of_query(request: &OperatorRequest) -> Result<Self, ApiError> {
        let given = |name: &str| request.value(name);
        Self::new(request, given("app"), given("reason"), given("since"), given("until"))
    }

    /// The selection by these words. 400 names the one that is invalid.
    pub(in crate::http) fn new(
        request: &OperatorRequest,
        app: Option<&str>,
        reason: Option<&str>,
        since: Option<&str>,
        until: Option<&str>,
    ) -> Result<Self, ApiError> {
        let apps = request.apps(app);
        let reason = reason.map(|reason| word::<UnusableReason>("reason", reason)).transpose()?;
        let [since, until] = [("since", since), ("until", until)]
            .map(|(name, value)| value.map(|value| bound(name, value)).transpose());
        let span = EntrySpan::between(since?, until?);
        let span = span.ok_or_else(|| ApiError::bad_request("until is before since"))?;
        Ok(Self { apps, reason, span, seqs: None })
    }

    fn admits(&self, held: &QuarantinedSummary) -> bool {
        self.span.has(held.seq, held.received)
            && self.apps.as_ref().is_none_or(|apps| apps.contains(&held.app))
            && self.reason.is_none_or(|reason| reason.as_str() == held.reason)
            && self.seqs.as_ref().is_none_or(|seqs| seqs.contains(&held.seq))
    }

    /// At most `limit` bodies, the newest first, before a number. Looks at no more than `most`.
    pub(super) fn page(
        &self,
        reader: &DirectoryReader,
        before: Option<Seq>,
        limit: usize,
        most: usize,
    ) -> store::Result<SelectedBodies> {
        let filter = RowFilter { newest_first: true, ..RowFilter::default() };
        self.read(reader, filter, before, (limit, most))
    }

    /// At most `limit` bodies, the oldest first, behind a number.
    pub(in crate::http) fn ahead(
        &self,
        reader: &DirectoryReader,
        after: Option<Seq>,
        limit: usize,
    ) -> store::Result<SelectedBodies> {
        self.read(reader, RowFilter::default(), after, (limit, STEP))
    }

    /// The apps; `None` for all.
    pub(in crate::http) fn apps(&self) -> Option<&BTreeSet<AppId>> {
        self.apps.as_ref()
    }

    fn read(
        &self,
        reader: &DirectoryReader,
        mut filter: RowFilter,
        from: Option<Seq>,
        (limit, most): (usize, usize),
    ) -> store::Result<SelectedBodies> {
        from.into_iter().for_each(|from| filter.continue_after(from));
        let (mut found, mut last) = (SelectedBodies { bodies: Vec::new(), looked: 0, next: None }, from);
        loop {
            // One more than may be looked at, to see whether there are more.
            let piece = reader.list_quarantined(&filter, PIECE.min(most - found.looked + 1))?;
            let Some(end) = piece.last().map(|held| held.seq) else { return Ok(found) };
            for held in piece {
                let is_selected = self.admits(&held);
                if found.looked == most || is_selected && found.bodies.len() == limit {
                    found.next = last;
                    return Ok(found);
                }
                found.looked += 1;
                last = Some(held.seq);
                if is_selected {
                    found.bodies.push(held);
                }
            }
            filter.continue_after(end);
        }
    }

    /// The same of these numbers alone, if any are given.
    pub(in crate::http) fn with_seqs(self, seqs: Option<BTreeSet<Seq>>) -> Self {
        Self { seqs, ..self }
    }

    /// How many bodies have each reason, in the order of the reasons, whichever is selected.
    pub(super) async fn count_reasons(
        &self,
        reads: &ActiveRead<DirectoryReader>,
    ) -> Result<BTreeMap<String, usize>, ApiError> {
        let mut counts = BTreeMap::new();
        let any = Self { reason: None, ..self.clone() };
        any.scan(reads, RowFilter::default(), |held| *counts.entry(held.reason).or_default() += 1).await?;
        Ok(counts)
    }

    /// How many bodies are selected, and the first of them, at most `most`, the oldest first.
    pub(in crate::http) async fn find(
        &self,
        reads: &ActiveRead<DirectoryReader>,
        most: usize,
    ) -> Result<(u64, Vec<QuarantinedSummary>), ApiError> {
        let (mut count, mut bodies) = (0, Vec::new());
        let filter = RowFilter::default();
        let put = |held| {
            count += 1;
            if bodies.len() < most {
                bodies.push(held);
            }
        };
        self.scan(reads, filter, put).await?;
        Ok((count, bodies))
    }

    /// Passes the selected bodies of a filter on, in its order. Other reads get a turn after every [`STEP`].
    async fn scan(
        &self,
        reads: &ActiveRead<DirectoryReader>,
        filter: RowFilter,
        put: impl FnMut(QuarantinedSummary),
    ) -> Result<(), ApiError> {
        let (mut next, mut put) = (Some(filter), put);
        while let Some(mut from) = next.take() {
            let selection = self.clone();
            let step = move |reader: &mut DirectoryReader| {
                let (mut admitted, mut looked) = (Vec::new(), 0);
                while looked < STEP {
                    let piece = reader.list_quarantined(&from, PIECE)?;
                    let Some(end) = piece.last().map(|held| held.seq) else { return Ok((admitted, None)) };
                    looked += piece.len();
                    admitted.extend(piece.into_iter().filter(|held| selection.admits(held)));
                    from.continue_after(end);
                }
                Ok((admitted, Some(from)))
            };
            let (admitted, rest) = reads.run(step).await?;
            admitted.into_iter().for_each(&mut put);
            next = rest;
        }
        Ok(())
    }
}

fn bound(name: &str, value: &str) -> Result<EntryBound, ApiError> {
    EntryBound::parse(value).ok_or_else(|| {
        let forms = timestamp::PARAMETER_FORMS;
        ApiError::bad_request(format!("{name} must be a number of the quarantine, or {forms}"))
    })
}
