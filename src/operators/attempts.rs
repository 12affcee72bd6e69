//! Wrong secrets, counted by name and by address, so that nobody finds one by trying.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

use super::secrets::Fingerprint;

/// Wrong secrets that a name or an address has in a [`WINDOW`].
const MOST: usize = 5;
/// In ms.
const WINDOW: i64 = 60_000;
/// Names and addresses that are remembered; those that were wrong last are kept.
const REMEMBERED: usize = 10_000;

/// A name or an address that wrong secrets are counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Source {
    Name(Fingerprint),
    Address(IpAddr),
}

/// The wrong secrets of the last minute.
#[derive(Default)]
pub(super) struct Attempts(HashMap<Source, Vec<i64>>);

impl Attempts {
    /// Tries a secret, unless the name or the address had too many wrong ones; then the time to wait, in s. `now` in ms
    /// since 1970.
    pub(super) fn attempt<T>(
        &mut self,
        name: Fingerprint,
        from: IpAddr,
        now: i64,
        attempt: impl FnOnce() -> Option<T>,
    ) -> Result<Option<T>, u64> {
        let sources = [Source::Name(name), Source::Address(network(from))];
        let wait = sources.iter().filter_map(|source| self.wait(source, now)).max();
        if let Some(wait) = wait {
            return Err(wait);
        }
        let found = attempt();
        if found.is_none() {
            self.note(sources, now);
        }
        Ok(found)
    }

    fn wait(&self, source: &Source, now: i64) -> Option<u64> {
        let times = self.0.get(source)?;
        let first = times.len().checked_sub(MOST).and_then(|first| times.get(first))?;
        let left = first + WINDOW - now;
        (left > 0).then_some(left.unsigned_abs().div_ceil(1000))
    }

    fn note(&mut self, sources: [Source; 2], now: i64) {
        if self.0.len() >= REMEMBERED {
            self.forget();
        }
        for source in sources {
            let times = self.0.entry(source).or_default();
            times.retain(|time| time + WINDOW > now);
            times.push(now);
        }
    }

    /// Forgets the half that was wrong the longest time ago.
    fn forget(&mut self) {
        let mut last: Vec<i64> = self.0.values().filter_map(|times| times.last().copied()).collect();
        let middle = last.len() / 2;
        let (_, middle, _) = last.select_nth_unstable(middle);
        self.0.retain(|_, times| times.last().is_some_and(|last| last > middle));
    }
}

/// One machine may have all addresses of a network of IPv6.
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
        ip => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_wrong_secrets_in_a_minute_are_the_most_of_a_name_and_of_an_address() {
        let (ann, bob) = ([1; 32], [2; 32]);
        let [here, there, near] =
            ["127.0.0.1", "2001:db8::1", "2001:db8::2"].map(|ip| ip.parse::<IpAddr>().unwrap());
        let mut attempts = Attempts::default();
        for n in 0..5 {
            assert_eq!(attempts.attempt(ann, here, n * 1000, || None::<()>), Ok(None));
        }
        assert_eq!(attempts.attempt(ann, there, 5000, || Some(())), Err(55), "the name");
        assert_eq!(attempts.attempt(bob, here, 5000, || Some(())), Err(55), "the address");
        assert_eq!(attempts.attempt(bob, there, 5000, || Some(())), Ok(Some(())));
        assert_eq!(attempts.attempt(ann, here, 59_999, || Some(())), Err(1));
        assert_eq!(attempts.attempt(ann, here, 60_000, || None::<()>), Ok(None), "one is a minute old");
        assert_eq!(attempts.attempt(ann, here, 60_001, || Some(())), Err(1));
        for n in 0..5 {
            assert_eq!(attempts.attempt([n; 32], near, 200_000, || None::<()>), Ok(None));
        }
        assert_eq!(attempts.attempt([9; 32], there, 200_000, || Some(())), Err(60), "of one network");
        for n in 0..100 {
            assert_eq!(attempts.attempt(bob, "::1".parse().unwrap(), n, || Some(())), Ok(Some(())));
        }
    }

    #[test]
    fn no_more_than_a_bounded_number_is_remembered() {
        let mut attempts = Attempts::default();
        for n in 0..12_000_u32 {
            let name: Fingerprint = std::array::from_fn(|at| n.to_le_bytes()[at % 4]);
            let from = IpAddr::from(n.to_be_bytes());
            assert_eq!(attempts.attempt(name, from, i64::from(n), || None::<()>), Ok(None));
            assert!(attempts.0.len() <= REMEMBERED + 1);
        }
    }
}
