//! Version numbers of apps and their order.

use std::cmp::Ordering;

/// A version: numbers with dots between, then perhaps a pre-release after a hyphen, and perhaps a build after
/// a plus: `1.10`, `2.0-beta.2`, `2.0.1+57`.
#[derive(Clone, Debug, serde::Serialize)]
pub struct AppVersion {
    /// The numbers without leading zeros; trailing zero numbers are dropped, so `1.0` equals `1`.
    numbers: Vec<String>,
    /// `None` for a release, which sorts after all of its pre-releases.
    prerelease: Option<Vec<PrereleaseIdentifier>>,
}

/// A part of a pre-release. Numbers sort before words.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
enum PrereleaseIdentifier {
    Number(String),
    Word(String),
}

impl AppVersion {
    /// Parses a version; `None` if the text is not one.
    pub fn read(text: &str) -> Option<Self> {
        let (text, build) = text.split_once('+').map_or((text, None), |(text, build)| (text, Some(build)));
        if build.is_some_and(|build| !build.split('.').all(is_identifier)) {
            return None;
        }
        let (numbers, prerelease) =
            text.split_once('-').map_or((text, None), |(numbers, rest)| (numbers, Some(rest)));
        let mut numbers: Vec<String> = numbers.split('.').map(parse_number).collect::<Option<_>>()?;
        while numbers.last().is_some_and(String::is_empty) {
            numbers.pop();
        }
        let identifier = |text: &str| match parse_number(text) {
            Some(number) => Some(PrereleaseIdentifier::Number(number)),
            None => is_identifier(text).then(|| PrereleaseIdentifier::Word(text.to_owned())),
        };
        let prerelease = prerelease.map(|text| text.split('.').map(identifier).collect::<Option<_>>());
        // An invalid pre-release makes the whole text invalid.
        Some(Self { numbers, prerelease: prerelease.map_or(Some(None), |read| read.map(Some))? })
    }
}

/// The digits of a number without leading zeros.
fn parse_number(text: &str) -> Option<String> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.trim_start_matches('0').to_owned())
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn compare_numbers(one: &str, other: &str) -> Ordering {
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

impl Ord for PrereleaseIdentifier {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(one), Self::Number(other)) => compare_numbers(one, other),
            (Self::Number(_), Self::Word(_)) => Ordering::Less,
            (Self::Word(_), Self::Number(_)) => Ordering::Greater,
            (Self::Word(one), Self::Word(other)) => one.cmp(other),
        }
    }
}

impl PartialOrd for PrereleaseIdentifier {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for AppVersion {
    /// Compares the numbers; a pre-release sorts before its release, as in Semantic Versioning 2.0.
    fn cmp(&self, other: &Self) -> Ordering {
        let both = self.numbers.iter().zip(&other.numbers);
        let numbers = both.map(|(one, other)| compare_numbers(one, other)).find(|order| order.is_ne());
        let numbers = numbers.unwrap_or_else(|| self.numbers.len().cmp(&other.numbers.len()));
        numbers.then_with(|| match (&self.prerelease, &other.prerelease) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(one), Some(other)) => one.cmp(other),
        })
    }
}

impl PartialOrd for AppVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for AppVersion {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for AppVersion {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn version(text: &str) -> AppVersion {
        AppVersion::read(text).unwrap_or_else(|| panic!("{text} is a version"))
    }

    #[test]
    fn versions_are_in_their_order() {
        let rising = "0 0.0.1 0.9 1.0-1 1.0-2 1.0-11 1.0-alpha 1.0-alpha.1 1.0-alpha.beta 1.0-beta 1.0-beta.2 \
                      1.0-beta.11 1.0-rc.1 1.0 1.0.0.1 1.2 1.9 1.10 1.10.1 2.0-beta 2.0 9 10 99999999999999999999 \
                      100000000000000000000";
        let rising: Vec<&str> = rising.split_whitespace().collect();
        for (n, one) in rising.iter().enumerate() {
            for (m, other) in rising.iter().enumerate() {
                assert_eq!(version(one).cmp(&version(other)), n.cmp(&m), "{one} and {other}");
            }
        }
    }

    #[test]
    fn other_spellings_of_a_version_are_equal() {
        for (one, other) in [
            ("1", "1.0"),
            ("1.0", "1.0.0.0"),
            ("01.02", "1.2"),
            ("1.0+7", "1.0"),
            ("0", "0.0"),
            ("2-rc.01", "2.0-rc.1"),
        ] {
            assert_eq!(version(one), version(other), "{one} and {other}");
        }
    }

    #[test]
    fn an_invalid_version_is_none() {
        for text in [
            "", " ", "v1.0", "1.", ".1", "1..2", "1.x", "1.0-", "1.0-a..b", "1.0+", "1.0 (7)", " 1.0", "1,0",
            "-1", "beta", "1.0-ä", "١.٢", "1.0-a_b",
        ] {
            assert!(AppVersion::read(text).is_none(), "{text:?}");
        }
    }

    fn any_version() -> impl Strategy<Value = String> {
        "(0|[1-9][0-9]{0,2}|00[0-9])(\\.(0|[1-9][0-9]{0,2})){0,3}(-[0-9a-b-]{1,3}(\\.[0-9a-b]{1,2}){0,2})?(\\+[a-b0-9]{1,2})?"
    }

    /// The order as a plain model has it: numbers filled up with zeros, and a mark for a release.
    fn model(text: &str) -> (Vec<u64>, bool, Vec<(bool, u64, String)>) {
        let text = text.split('+').next().unwrap_or_default();
        let (numbers, rest) =
            text.split_once('-').map_or((text, None), |(numbers, rest)| (numbers, Some(rest)));
        let mut numbers: Vec<u64> = numbers.split('.').map(|number| number.parse().unwrap()).collect();
        numbers.resize(8, 0);
        let part = |part: &str| match part.parse::<u64>() {
            Ok(number) if part.bytes().all(|byte| byte.is_ascii_digit()) => (false, number, String::new()),
            _ => (true, 0, part.to_owned()),
        };
        (numbers, rest.is_none(), rest.into_iter().flat_map(|rest| rest.split('.')).map(part).collect())
    }

    proptest! {
        #[test]
        fn the_order_is_the_models(one in any_version(), other in any_version(), third in any_version()) {
            let [a, b, c] = [&one, &other, &third].map(|text| version(text));
            prop_assert_eq!(a.cmp(&b), model(&one).cmp(&model(&other)), "{} and {}", one, other);
            prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
            if a <= b && b <= c {
                prop_assert!(a <= c);
            }
        }

        #[test]
        fn nothing_makes_it_panic(text in ".{0,20}") {
            _ = AppVersion::read(&text);
        }
    }
}
