//! The labels of metrics. None carries anything about a user.

use prometheus_client::encoding::EncodeLabelValue;

type Label<V> = [(&'static str, V); 1];
/// One of a few fixed values.
pub(super) type FixedLabel = Label<&'static str>;
pub(super) type WebhookLabel = Label<WebhookOutcome>;
pub(super) type AppLabel = Label<String>;
/// A request to the REST interface: the route, never the path, and the status of the answer.
pub(super) type RouteLabels = (Label<String>, Label<u16>);
/// A class of reads, and how they ended.
pub(super) type ReadLabels = (FixedLabel, FixedLabel);

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
