//! Which app users a list shows, and in which order.

use serde::Serialize;

use super::app_version::AppVersion;
use super::client::Client;

/// Which app users, in which order.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Query {
    /// Which.
    pub filter: Filter,
    /// By what they are sorted; those of one moment by their `_id`s.
    pub sort: Sort,
    /// The other way round.
    pub descending: bool,
}

/// What an app user must be to be listed: all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Filter {
    /// Each word of this begins a word of its given name, surname, e-mail address or `userId`.
    pub q: Option<String>,
    /// Shows this `userId`.
    pub user_id: Option<String>,
    /// Is shown in this brand.
    pub brand: Option<String>,
    /// Shows this e-mail address, letter for letter.
    pub email: Option<String>,
    /// Has this e-mail address among its identities, whatever the case of its letters.
    pub identity_email: Option<String>,
    /// Has a client that is all of this.
    pub client: ClientFilter,
    /// Shows a `userId`, or shows none.
    pub identified: Option<bool>,
    /// Its conversation has started, or has not.
    pub started: Option<bool>,
    /// When its last event was.
    pub seen: Span,
    /// When it signed up.
    pub signed_up: Span,
    /// Has these properties, each with this value; see [`View::has_property`](super::View::has_property).
    pub properties: Vec<(String, String)>,
}

/// What one and the same client must be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ClientFilter {
    /// Of this platform.
    pub platform: Option<String>,
    /// Of exactly this version of its app.
    pub version: Option<String>,
    /// Of this version or a later one.
    pub version_since: Option<AppVersion>,
    /// Of an earlier version.
    pub version_before: Option<AppVersion>,
}

impl ClientFilter {
    /// Whether any version will do.
    pub fn is_of_any_version(&self) -> bool {
        self.version.is_none() && !self.compares()
    }

    fn compares(&self) -> bool {
        self.version_since.is_some() || self.version_before.is_some()
    }

    /// Whether a client is all of it.
    pub fn has(&self, client: &Client) -> bool {
        let traits = client.traits();
        let is = |asked: &Option<String>, told: Option<&str>| asked.is_none() || asked.as_deref() == told;
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

/// A span of time, in µs since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Span {
    /// Not earlier than this.
    pub since: Option<i64>,
    /// Earlier than this.
    pub before: Option<i64>,
}

impl Span {
    /// Whether it is open at both ends.
    pub fn is_open(&self) -> bool {
        self.since.is_none() && self.before.is_none()
    }

    /// Whether a moment is in it. Who has no moment is in none that has an end.
    pub fn has(&self, moment: Option<i64>) -> bool {
        let Some(moment) = moment else { return self.is_open() };
        self.since.is_none_or(|since| moment >= since) && self.before.is_none_or(|before| moment < before)
    }
}

/// By what app users are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Sort {
    /// By `_id`.
    #[default]
    Id,
    /// By when their last event was; who has none is the first.
    LastSeen,
    /// By when they signed up; who has not said is the first.
    SignedUp,
}
