//! The summary of a replay, of a size independent of the number of payloads.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::payloads::{NotSent, PayloadLocation};

const NAMED: u64 = 10;

pub(crate) enum PostOutcome {
    /// The target answered; its answer was read this long after the request began.
    Answered {
        place: PayloadLocation,
        status: StatusCode,
        quarantined: bool,
        latency: Duration,
        description: Option<String>,
    },
    /// No answer; the payload may have arrived.
    Unanswered {
        place: PayloadLocation,
        reason: &'static str,
        detail: String,
    },
    NotSent {
        place: PayloadLocation,
        why: NotSent,
    },
    PassedOver {
        why: &'static str,
    },
}

impl PostOutcome {
    /// The location of the payload; `None` for a skipped one.
    pub(crate) fn place(&self) -> Option<&PayloadLocation> {
        match self {
            Self::Answered { place, .. } | Self::Unanswered { place, .. } | Self::NotSent { place, .. } => {
                Some(place)
            }
            Self::PassedOver { .. } => None,
        }
    }

    /// True if no further action is needed.
    pub(crate) fn is_well(&self) -> bool {
        match self {
            Self::Answered { status, .. } => status.is_success(),
            Self::Unanswered { .. } | Self::NotSent { .. } => false,
            Self::PassedOver { .. } => true,
        }
    }
}

#[derive(Default)]
pub(crate) struct ReplaySummary {
    answers: BTreeMap<u16, u64>,
    quarantined: u64,
    unanswered: BTreeMap<&'static str, u64>,
    pub(crate) not_sent: BTreeMap<&'static str, u64>,
    pub(crate) passed_over: BTreeMap<&'static str, u64>,
    failures: u64,
    latencies: Latencies,
}

impl ReplaySummary {
    /// Counts an outcome. Returns a line to print for one of the first failures.
    pub(crate) fn add(&mut self, outcome: &PostOutcome) -> Option<String> {
        let failure = match outcome {
            PostOutcome::Answered { place, status, quarantined, latency, description } => {
                self.quarantined += u64::from(*quarantined);
                *self.answers.entry(status.as_u16()).or_default() += 1;
                self.latencies.add(*latency);
                if status.is_success() {
                    return None;
                }
                let description = description.as_ref().map_or_else(String::new, |text| format!(": {text}"));
                format!("{place}: {status}{description}")
            }
            PostOutcome::Unanswered { place, reason, detail } => {
                *self.unanswered.entry(reason).or_default() += 1;
                format!("{place}: no answer: {reason} ({detail})")
            }
            PostOutcome::NotSent { place, why } => {
                *self.not_sent.entry(why.reason()).or_default() += 1;
                format!("{place}: not sent: {why}")
            }
            PostOutcome::PassedOver { why } => {
                *self.passed_over.entry(why).or_default() += 1;
                return None;
            }
        };
        self.failures += 1;
        (self.failures <= NAMED).then_some(failure)
    }

    pub(crate) fn all_well(&self) -> bool {
        self.failures == 0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.failures == 0 && self.sent() == 0
    }

    /// The number of failures without a line, if any.
    pub(crate) fn unnamed_failures(&self) -> Option<u64> {
        self.failures.checked_sub(NAMED).filter(|more| *more > 0)
    }

    fn answered(&self) -> u64 {
        self.answers.values().sum()
    }

    fn sent(&self) -> u64 {
        self.answered() + self.unanswered.values().sum::<u64>()
    }

    fn per_second(&self, took: Duration) -> f64 {
        self.answered() as f64 / took.as_secs_f64().max(1e-9)
    }

    /// The summary as text, without a final newline.
    pub(crate) fn text(&self, took: Duration) -> String {
        let (sent, seconds, rate) = (self.sent(), took.as_secs_f64(), self.per_second(took));
        let mut text = format!("sent {sent} in {seconds:.2} s, {rate:.1} answered a second");
        let mut line = |what: &str, count: u64| {
            // Writing to a string cannot fail.
            let _ = write!(text, "\n  {what}: {count}");
        };
        self.answers.iter().for_each(|(status, count)| line(&status.to_string(), *count));
        if self.quarantined > 0 {
            line("of these in quarantine", self.quarantined);
        }
        self.unanswered.iter().for_each(|(reason, count)| line(&format!("no answer, {reason}"), *count));
        text.push_str(&self.unsent_text());
        if let Some([p50, p99, max]) = self.latencies.figures() {
            let _ = write!(text, "\nlatency p50 {p50:.1} ms, p99 {p99:.1} ms, max {max:.1} ms");
        }
        text
    }

    /// The lines on what was not sent, each behind a newline.
    pub(crate) fn unsent_text(&self) -> String {
        let not_sent = self.not_sent.iter().map(|(why, count)| format!("\n  not sent, {why}: {count}"));
        let passed_over =
            self.passed_over.iter().map(|(why, count)| format!("\n  passed over, {why}: {count}"));
        not_sent.chain(passed_over).collect()
    }

    /// The summary for programs: counts, seconds, and milliseconds (null if nothing was answered).
    pub(crate) fn json(&self, took: Duration) -> Value {
        let rounded = |number: f64| (number * 1e3).round() / 1e3;
        let latency = self.latencies.figures().map(|figures| {
            let [p50, p99, max] = figures.map(rounded);
            json!({"p50": p50, "p99": p99, "max": max})
        });
        let answers: BTreeMap<String, u64> =
            self.answers.iter().map(|(status, count)| (status.to_string(), *count)).collect();
        json!({
            "sent": self.sent(),
            "answers": answers,
            "quarantined": self.quarantined,
            "unanswered": self.unanswered,
            "notSent": self.not_sent,
            "passedOver": self.passed_over,
            "seconds": rounded(took.as_secs_f64()),
            "perSecond": rounded(self.per_second(took)),
            "latencyMs": latency,
        })
    }
}

/// Durations counted in classes that are at most 1/64 wide for their size, in µs, and the longest itself.
#[derive(Default)]
struct Latencies {
    classes: BTreeMap<u64, u64>,
    count: u64,
    longest: u64,
}

impl Latencies {
    fn add(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        *self.classes.entry(Self::class(micros)).or_default() += 1;
        self.count += 1;
        self.longest = self.longest.max(micros);
    }

    /// The upper end of the class: the value with all but its first seven bits set.
    fn class(micros: u64) -> u64 {
        let bits = u64::BITS - micros.leading_zeros();
        micros | ((1 << bits.saturating_sub(7)) - 1)
    }

    /// The percentile in µs, by nearest rank, at most 1/64 too high.
    fn percentile(&self, share: f64) -> u64 {
        let rank = ((self.count as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        let reached = self.classes.iter().find(|(_, count)| {
            seen += **count;
            seen >= rank
        });
        reached.map_or(0, |(class, _)| (*class).min(self.longest))
    }

    /// p50, p99 and the longest, in ms.
    fn figures(&self) -> Option<[f64; 3]> {
        let figures = [self.percentile(0.5), self.percentile(0.99), self.longest];
        (self.count > 0).then(|| figures.map(|micros| micros as f64 / 1e3))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn of(micros: impl IntoIterator<Item = u64>) -> Latencies {
        let mut all = Latencies::default();
        micros.into_iter().for_each(|micros| all.add(Duration::from_micros(micros)));
        all
    }

    fn place() -> PayloadLocation {
        PayloadLocation { file: "a.jsonl".into(), line: Some(3) }
    }

    fn outcomes() -> ReplaySummary {
        let mut tally = ReplaySummary::default();
        let latency = Duration::from_millis(4);
        for (status, said) in [
            (StatusCode::OK, None),
            (StatusCode::OK, None),
            (StatusCode::UNAUTHORIZED, Some("a.jsonl:3: 401 Unauthorized: Wrong secret")),
        ] {
            let description = Some("Wrong secret".to_owned());
            let quarantined = status == StatusCode::OK;
            let outcome = PostOutcome::Answered { place: place(), status, quarantined, latency, description };
            assert_eq!(tally.add(&outcome).as_deref(), said);
        }
        let detail = "refused".to_owned();
        let silent = PostOutcome::Unanswered { place: place(), reason: "no connection", detail };
        assert_eq!(tally.add(&silent).unwrap(), "a.jsonl:3: no answer: no connection (refused)");
        let broken = PostOutcome::NotSent { place: place(), why: NotSent::NotJson("at byte 1".to_owned()) };
        assert_eq!(tally.add(&broken).unwrap(), "a.jsonl:3: not sent: not JSON: at byte 1");
        tally
    }

    #[test]
    fn the_summary_counts_everything_once() {
        let tally = outcomes();
        assert!(!tally.all_well());
        assert_eq!(
            tally.text(2 * SECOND),
            "sent 4 in 2.00 s, 1.5 answered a second\n  200: 2\n  401: 1\n  of these in quarantine: 2\n  \
             no answer, no connection: 1\n  \
             not sent, not JSON: 1\nlatency p50 4.0 ms, p99 4.0 ms, max 4.0 ms"
        );
        assert_eq!(
            tally.json(2 * SECOND),
            json!({
                "sent": 4, "answers": {"200": 2, "401": 1}, "quarantined": 2, "unanswered": {"no connection": 1},
                "notSent": {"not JSON": 1}, "passedOver": {}, "seconds": 2.0, "perSecond": 1.5,
                "latencyMs": {"p50": 4.0, "p99": 4.0, "max": 4.0},
            })
        );
        let nothing = ReplaySummary::default();
        assert!(nothing.all_well() && nothing.is_empty() && !tally.is_empty());
        assert_eq!(nothing.text(SECOND), "sent 0 in 1.00 s, 0.0 answered a second");
        assert_eq!(nothing.json(SECOND)["latencyMs"], Value::Null);
    }

    #[test]
    fn ten_failures_are_named_and_the_others_counted() {
        let mut tally = outcomes();
        assert_eq!(tally.unnamed_failures(), None);
        let outcome = PostOutcome::NotSent { place: place(), why: NotSent::NoApp };
        let named = (0..20).filter(|_| tally.add(&outcome).is_some()).count();
        assert_eq!((named, tally.unnamed_failures()), (7, Some(13)));
    }

    #[test]
    fn percentiles_are_those_of_a_sorted_list_within_a_sixty_fourth() {
        assert_eq!(of([]).figures(), None);
        assert_eq!(of([0]).figures(), Some([0.0, 0.0, 0.0]));
        assert_eq!(of([1_000, 3_000]).percentile(0.5), 1_007);
        assert_eq!(of(1..=100).percentile(0.5), 50);
        assert_eq!(of(1..=100).percentile(0.99), 99);
        let mut sorted: Vec<u64> = (0..10_000_u64).map(|n| n * n % 1_000_003 * 31).collect();
        let all = of(sorted.iter().copied());
        sorted.sort_unstable();
        for (share, rank) in [(0.01, 100), (0.5, 5_000), (0.99, 9_900), (0.999, 9_990), (1.0, 10_000)] {
            let (exact, found) = (sorted[rank - 1], all.percentile(share));
            assert!(exact <= found && found <= exact + exact / 64, "{share}: {exact}, {found}");
        }
        assert_eq!(all.longest, sorted[9_999]);
        assert!(all.classes.len() < 1_000);
        assert_eq!(of([u64::MAX]).percentile(0.5), u64::MAX);
    }
}
