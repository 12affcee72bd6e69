//! Which bodies of the quarantine a call is about.

use std::collections::{BTreeMap, BTreeSet};

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
#[derive(Clone, Debug, Default)]
pub(super) struct QuarantineSelection {
    apps: Option<BTreeSet<AppId>>,
    reason: Option<UnusableReason>,
    span: EntrySpan,
    seqs: Option<BTreeSet<Seq>>,
}

/// Some of the selected bodies.
pub(super) struct SelectedBodies {
    pub(super) bodies: Vec<QuarantinedSummary>,
    pub(super) looked: usize,
    /// The last body that was looked at; none at the end.
    pub(super) next: Option<Seq>,
}

impl QuarantineSelection {
    /// That of the parameters of a list.
    pub(super) fn of_query(request: &OperatorRequest) -> Result<Self, ApiError> {
        let given = |name: &str| request.value(name);
        Self::new(request, given("app"), given("reason"), given("since"), given("until"))
    }

    /// The selection by these words. 400 names the one that is invalid.
    pub(super) fn new(
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
        let mut filter = RowFilter { newest_first: true, ..RowFilter::default() };
        before.into_iter().for_each(|before| filter.continue_after(before));
        let (mut found, mut last) = (SelectedBodies { bodies: Vec::new(), looked: 0, next: None }, before);
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
    pub(super) fn with_seqs(self, seqs: Option<BTreeSet<Seq>>) -> Self {
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

    /// How many bodies behind a number are selected, and the first of them, at most `most`, the oldest first.
    pub(super) async fn find(
        &self,
        reads: &ActiveRead<DirectoryReader>,
        after: Option<Seq>,
        most: usize,
    ) -> Result<(usize, Vec<QuarantinedSummary>), ApiError> {
        let (mut count, mut bodies) = (0, Vec::new());
        let mut filter = RowFilter::default();
        after.into_iter().for_each(|after| filter.continue_after(after.min(i64::MAX as Seq - 1)));
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
