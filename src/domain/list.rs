//! Filters and sort orders of lists.

use serde::Serialize;

use super::app_version::AppVersion;
use super::client::Client;

/// A list request: filter and order.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Query {
    /// The conditions.
    pub filter: Filter,
    /// The sort key; app users with equal keys are sorted by `_id`.
    pub sort: Sort,
    /// True for the reverse order.
    pub descending: bool,
}

/// The conditions of a list; an app user must satisfy all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Filter {
    /// Each word of this is the start of a word of the name, e-mail address or `userId`.
    pub q: Option<String>,
    /// The `userId` shown.
    pub user_id: Option<String>,
    /// The brand shown.
    pub brand: Option<String>,
    /// The e-mail address shown, compared exactly.
    pub email: Option<String>,
    /// An e-mail address among the identities, compared without case.
    pub identity_email: Option<String>,
    /// A client that satisfies all of this exists.
    pub client: ClientFilter,
    /// True: a `userId` is shown. False: none is.
    pub identified: Option<bool>,
    /// True: the conversation has started. False: it has not.
    pub started: Option<bool>,
    /// The range of the last event's time.
    pub seen: TimeRange,
    /// The range of the sign-up time.
    pub signed_up: TimeRange,
    /// Property keys and values; see [`View::has_property`](super::View::has_property).
    pub properties: Vec<(String, String)>,
}

/// The conditions for one client; the same client must satisfy all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ClientFilter {
    /// The platform.
    pub platform: Option<String>,
    /// The exact version of the app.
    pub version: Option<String>,
    /// The earliest version.
    pub version_since: Option<AppVersion>,
    /// The first version that no longer matches.
    pub version_before: Option<AppVersion>,
}

impl ClientFilter {
    /// True if the filter accepts any version.
    pub fn is_of_any_version(&self) -> bool {
        self.version.is_none() && !self.compares()
    }

    fn compares(&self) -> bool {
        self.version_since.is_some() || self.version_before.is_some()
    }

    /// True if a client satisfies all conditions.
    pub fn has(&self, client: &Client) -> bool {
        let traits = client.traits();
        let is =
            |wanted: &Option<String>, value: Option<&str>| wanted.is_none() || wanted.as_deref() == value;
        let in_span = || {
            let version = traits.app_version.as_deref().and_then(AppVersion::read);
            version.is_some_and(|version| {
                self.version_since.as_ref().is_none_or(|since| version >= *since)
                    && self.version_before.as_ref().is_none_or(|before| version < *before)
            })
        };
        is(&self.platform, traits.platform.as_deref())
            && is(&self.version, traits.app_version.as_deref())
            && (!self.compares() || in_span())
    }
}

/// A range of time, in µs since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TimeRange {
    /// The start, included.
    pub since: Option<i64>,
    /// The end, excluded.
    pub before: Option<i64>,
}

impl TimeRange {
    /// True if the range has neither start nor end.
    pub fn is_open(&self) -> bool {
        self.since.is_none() && self.before.is_none()
    }

    /// True if the range contains the time. A missing time is only in the open range.
    pub fn has(&self, moment: Option<i64>) -> bool {
        let Some(moment) = moment else { return self.is_open() };
        self.since.is_none_or(|since| moment >= since) && self.before.is_none_or(|before| moment < before)
    }
}

/// The sort key of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Sort {
    /// By `_id`.
    #[default]
    Id,
    /// By the time of the last event; app users without one come first.
    LastSeen,
    /// By the sign-up time; app users without one come first.
    SignedUp,
}
