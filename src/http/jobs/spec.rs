//! What a job is to be done with, as it is stored until the job ends.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::directory::entries::{EntryQuery, EntrySpan};
use crate::domain::{AppId, SmoochId};
use crate::http::answers::to_json;
use crate::http::error::ApiError;
use crate::http::quarantine::QuarantineSelection;
use crate::store::{Outcome, Seq, Source};

/// What a job is to be done with.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum JobSpec {
    /// The app users of a list.
    Users(UsersSpec),
    /// Bodies in quarantine.
    Bodies(QuarantineSelection),
    /// Entries of the journal.
    Entries(EntrySelection),
    /// A new backup.
    Backup {},
    /// A backup, by its name.
    VerifyBackup {
        /// The name of the file.
        name: String,
    },
}

/// The app users of a list, and what is done with them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UsersSpec {
    /// The query string of the list.
    pub(super) filter: String,
    /// The segment that it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) segment: Option<String>,
    /// The property that is set or cleared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) property: Option<String>,
    /// Its value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<Box<RawValue>>,
    /// The format of an export.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) format: Option<String>,
}

/// Conditions on entries of the journal. All must hold.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EntrySelection {
    /// The apps; `None` for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) apps: Option<BTreeSet<AppId>>,
    /// An app, and app users of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) users: Option<(AppId, BTreeSet<SmoochId>)>,
    /// The trigger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) trigger: Option<String>,
    /// What was done with the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) outcome: Option<String>,
    /// The range.
    pub(super) span: EntrySpan,
    /// The numbers; `None` for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) seqs: Option<BTreeSet<Seq>>,
}

impl EntrySelection {
    /// The webhooks that it selects behind an entry, the oldest first.
    pub(super) fn query(&self, after: Option<Seq>) -> EntryQuery {
        let from = after.map_or(0, |after| after.saturating_add(1));
        let first = self.seqs.as_ref().and_then(|seqs| seqs.first().copied()).unwrap_or(0);
        let last = self.seqs.as_ref().and_then(|seqs| seqs.last().copied()).unwrap_or(Seq::MAX);
        let span =
            EntrySpan { from: self.span.from.max(from).max(first), to: self.span.to.min(last), ..self.span };
        EntryQuery {
            apps: self.apps.clone(),
            users: self.users.clone(),
            trigger: self.trigger.clone(),
            source: Some(Source::Webhook.as_shown()),
            outcome: self.outcome.as_ref().and_then(|outcome| outcome.parse::<Outcome>().ok()),
            span,
            oldest_first: true,
        }
    }

    /// Whether it selects an entry that meets the query.
    pub(super) fn has_number(&self, seq: Seq) -> bool {
        self.seqs.as_ref().is_none_or(|seqs| seqs.contains(&seq))
    }
}

impl JobSpec {
    /// As it is stored.
    pub(super) fn to_json(&self) -> String {
        to_json(self)
    }

    /// From what is stored.
    pub(super) fn read(stored: &str) -> Result<Self, ApiError> {
        serde_json::from_str(stored)
            .map_err(|error| ApiError::bad_request(format!("The job cannot be read: {error}")))
    }

    /// The apps that it is about; `None` for all, and for one alone, which the job itself names.
    pub(super) fn apps(&self) -> Option<&BTreeSet<AppId>> {
        match self {
            Self::Bodies(selection) => selection.apps(),
            Self::Entries(selection) => selection.apps.as_ref(),
            Self::Users(_) | Self::Backup {} | Self::VerifyBackup { .. } => None,
        }
    }
}
