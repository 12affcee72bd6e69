//! Codes for signing in and for downloads: each is good once, for a short time, and lives in memory only.

use std::collections::HashMap;

use super::operator::Role;
use super::secrets::{Fingerprint, random_text};

/// The time for which a code is good, in ms.
const LIFE: i64 = 60_000;

/// The most codes that are good at the same time; the oldest one goes first.
const MOST: usize = 1000;

/// The same; a test of the program cannot wait for a minute.
fn life() -> i64 {
    #[cfg(debug_assertions)]
    if let Some(life) = std::env::var("ROLLCALL_CODE_LIFE_MS").ok().and_then(|life| life.parse().ok()) {
        return life;
    }
    LIFE
}

/// Whom a code signs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Guest {
    pub(super) name: String,
    pub(super) role: Role,
}

/// The codes that are good, each with what it is for.
pub(super) struct Codes<T>(HashMap<Fingerprint, (T, i64)>);

impl<T> Default for Codes<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T> Codes<T> {
    /// Makes a code at `now`, in ms since 1970. Returns it with the time at which it is good no longer.
    pub(super) fn make(&mut self, what: T, now: i64, hide: impl Fn(&str) -> Fingerprint) -> (String, i64) {
        self.0.retain(|_, (_, until)| *until > now);
        if self.0.len() >= MOST {
            let oldest = self.0.iter().min_by_key(|(_, (_, until))| *until).map(|(code, _)| *code);
            oldest.and_then(|oldest| self.0.remove(&oldest));
        }
        let (code, until) = (random_text(), now + life());
        self.0.insert(hide(&code), (what, until));
        (code, until)
    }

    /// What a code is for, which stays good.
    pub(super) fn get(&self, code: Fingerprint, now: i64) -> Option<&T> {
        let (what, until) = self.0.get(&code)?;
        (now < *until).then_some(what)
    }

    /// Uses a code up.
    pub(super) fn take(&mut self, code: Fingerprint, now: i64) -> Option<T> {
        let (what, until) = self.0.remove(&code)?;
        (now < until).then_some(what)
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::secrets::fingerprint;

    #[test]
    fn a_code_is_good_once_and_for_a_minute() {
        let hide = |code: &str| fingerprint("key", "code", code);
        let guest = Guest { name: "ann".to_owned(), role: Role::Viewer };
        let mut codes = Codes::default();
        let (code, until) = codes.make(guest.clone(), 1000, hide);
        assert_eq!(until, 61_000);
        assert_eq!(codes.get(hide(&code), 1000), Some(&guest), "to look is not to use");
        assert_eq!(codes.get(hide(&code), until), None);
        assert_eq!(codes.take(hide("another"), 1000), None);
        assert_eq!(codes.take(hide(&code), 60_999), Some(guest.clone()));
        assert_eq!(codes.take(hide(&code), 60_999), None, "it was used");
        let (code, until) = codes.make(guest.clone(), 1000, hide);
        assert_eq!(codes.take(hide(&code), until), None, "a minute later");
        let first = codes.make(guest.clone(), 0, hide).0;
        let rest: Vec<String> = (1..=1000).map(|now| codes.make(guest.clone(), now, hide).0).collect();
        assert_eq!(codes.take(hide(&first), 1000), None, "the oldest of too many");
        assert!(rest.iter().all(|code| codes.take(hide(code), 1000).is_some()));
    }
}
