//! The names things go by, and the stamp that orders what was said about them.

use std::fmt;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as it was given.
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
    /// An app user's `_id`. Smooch's are 24 lower-case hex digits; anything else is taken as it comes.
    SmoochId
}
name! {
    /// The `id` of a client: a device, or an account on a channel.
    ClientId
}

impl SmoochId {
    /// The name under which an app's own record is kept: it remembers the events that speak of
    /// no app user. No app user has it, because an empty `_id` is none.
    pub const APP: &'static str = "";

    /// Whether it names an app's own record.
    pub fn is_app(&self) -> bool {
        self.as_str() == Self::APP
    }
}

/// The first 16 bytes of the SHA-256 of an event's canonical JSON: sorted keys, no white space,
/// numbers as written.
pub type Digest = [u8; 16];

/// Where a statement stands among all statements. Of two about one thing the greater holds.
///
/// A function of the event alone, never of its arrival, so that both deliveries of one event
/// carry one stamp; the digest decides between different events of one instant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Stamp {
    /// Event time in µs since 1970, or [`Stamp::NO_TIME`].
    pub time: i64,
    /// The sender's id of the event; empty where the sender gives none.
    pub event: Arc<str>,
    /// What the event says, in short.
    #[serde(with = "serde_bytes")]
    pub digest: Digest,
}

/// Before every event's: of what only other words can give a time.
pub static BEFORE_ALL: LazyLock<Arc<Stamp>> =
    LazyLock::new(|| Arc::new(Stamp { time: Stamp::NO_TIME, event: "".into(), digest: Digest::default() }));

impl Stamp {
    /// The time of an event that carries none: before all others, so that it only fills gaps.
    pub const NO_TIME: i64 = i64::MIN;

    /// The event time in µs since 1970, if the event has one.
    pub fn known_time(&self) -> Option<i64> {
        (self.time != Self::NO_TIME).then_some(self.time)
    }
}
