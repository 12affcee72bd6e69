//! The labels of metrics. None carries anything about a user.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};

/// The result of a webhook request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct WebhookLabels {
    pub(super) outcome: WebhookOutcome,
}

/// The result of a webhook request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "the names are the label's values")]
pub enum WebhookOutcome {
    /// Something in it was new.
    stored,
    /// All of it was stored before.
    repeated,
    /// It was dropped, because it names an erased app user. Anything else in it was stored before.
    erased,
    /// It is in quarantine, whole or in part.
    quarantined,
    /// No or a wrong secret.
    unauthorized,
    /// Too large, too slow or compressed; or sent to another address than the target.
    refused,
    /// Not stored; the sender should try again.
    unavailable,
}

impl WebhookOutcome {
    pub(super) const ALL: [Self; 7] = [
        Self::stored,
        Self::repeated,
        Self::erased,
        Self::quarantined,
        Self::unauthorized,
        Self::refused,
        Self::unavailable,
    ];
}

/// One of a few fixed reasons.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ReasonLabel {
    pub(super) reason: &'static str,
}

/// One of a few fixed outcomes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OutcomeLabel {
    pub(super) outcome: &'static str,
}

/// A request to the REST interface: the route, never the path, and the status of the answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RouteLabels {
    pub(super) route: String,
    pub(super) status: u16,
}

/// A class of reads.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ReadClassLabel {
    pub(super) class: &'static str,
}

/// A class of reads, and how they ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ReadOutcomeLabels {
    pub(super) class: &'static str,
    pub(super) outcome: &'static str,
}

/// An app, by its `_id`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct AppLabel {
    pub(super) app: String,
}

/// A derived table.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct TableLabel {
    pub(super) table: &'static str,
}
