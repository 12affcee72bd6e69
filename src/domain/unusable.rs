//! Why a body is in quarantine.

use serde::{Deserialize, Serialize};

use super::value_names;

/// Why a body, or an event of one, cannot be used. Its name is a label of the metrics and a filter of the quarantine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnusableReason {
    /// It is not JSON.
    NotJson,
    /// It is nested deeper than `limits.json_depth`.
    TooDeep,
    /// It lacks the shape of a webhook.
    WrongShape,
    /// It has more events than `limits.webhook_events`.
    TooManyEvents,
    /// It names no app user where one is required.
    NoAppUser,
    /// It is dated too far ahead of the clock.
    FutureDated,
    /// An identifier in it is longer than [`NAME_BYTES`](super::NAME_BYTES).
    NameTooLong,
    /// It is of another app than its address.
    OtherApp,
    /// The directory cannot take it.
    CannotApply,
}

value_names!(UnusableReason {
    NotJson: "not_json",
    TooDeep: "too_deep",
    WrongShape: "wrong_shape",
    TooManyEvents: "too_many_events",
    NoAppUser: "no_app_user",
    FutureDated: "future_dated",
    NameTooLong: "name_too_long",
    OtherApp: "other_app",
    CannotApply: "cannot_apply",
});
