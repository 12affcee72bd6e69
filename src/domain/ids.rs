//! Identifiers, and the stamp that orders statements about one thing.

use std::fmt;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The identifier as given.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// A Smooch app: `app._id` in v1, `app.id` in v2.
    AppId
}
name! {
    /// An app user's `_id`. Smooch's are 24 lower-case hex digits; other forms are accepted unchanged.
    SmoochId
}
name! {
    /// The `id` of a client: a device, or an account on a channel.
    ClientId
}

impl SmoochId {
    /// The id of an app's own record, which stores the recent events that concern no app user. No app user has it,
    /// because an empty `_id` is invalid.
    pub const APP: &'static str = "";

    /// True for the id of an app's own record.
    pub fn is_app(&self) -> bool {
        self.as_str() == Self::APP
    }
}

/// The first 16 bytes of the SHA-256 of an event's canonical JSON: sorted keys, no white space,
/// numbers as written.
pub type Digest = [u8; 16];

/// The position of a statement in the total order of statements. Of two statements about one thing the greater one is
/// valid.
///
/// A stamp is a function of the event alone, never of its arrival, so both deliveries of one event have one stamp.
/// The digest orders different events of one instant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Stamp {
    /// Event time in µs since 1970, or [`Stamp::NO_TIME`].
    pub time: i64,
    /// The sender's event id; empty if there is none.
    pub event: Arc<str>,
    /// The digest of the event's content.
    #[serde(with = "serde_bytes")]
    pub digest: Digest,
}

/// A stamp before those of all events: for statements whose time only other statements can give.
pub static BEFORE_ALL: LazyLock<Arc<Stamp>> =
    LazyLock::new(|| Arc::new(Stamp { time: Stamp::NO_TIME, event: "".into(), digest: Digest::default() }));

impl Stamp {
    /// The time of an event without a time: before all others, so that the event only fills gaps.
    pub const NO_TIME: i64 = i64::MIN;

    /// The event time in µs since 1970, if the event has one.
    pub fn known_time(&self) -> Option<i64> {
        (self.time != Self::NO_TIME).then_some(self.time)
    }
}
