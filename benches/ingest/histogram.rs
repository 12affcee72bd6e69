//! Latencies in buckets whose width is at most a sixty-fourth of their values.

use std::time::Duration;

/// Each power of two is cut into this many buckets, as a power of two.
const BITS: u32 = 6;
/// For every `u64`.
const BUCKETS: usize = 59 << BITS;

/// Counts of latencies.
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0 }
    }
}

impl Histogram {
    /// Counts one latency.
    pub fn note(&mut self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.counts[bucket(nanos)] += 1;
        self.total += 1;
    }

    /// Adds the counts of another histogram.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.total += other.total;
    }

    /// The number of values counted.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The latency, in ms, that this share of all stay within.
    pub fn quantile(&self, share: f64) -> f64 {
        let rank = (self.total as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (n, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return upper(n) as f64 / 1e6;
            }
        }
        0.0
    }

    /// The number of values above this, in ms.
    pub fn beyond(&self, ms: f64) -> u64 {
        let beyond = self.counts.iter().enumerate().filter(|(n, _)| upper(*n) as f64 / 1e6 > ms);
        beyond.map(|(_, count)| count).sum()
    }
}

fn bucket(nanos: u64) -> usize {
    let shift = (64 - nanos.leading_zeros()).saturating_sub(BITS + 1);
    ((u64::from(shift) << BITS) + (nanos >> shift)) as usize
}

/// The greatest value of a bucket.
fn upper(bucket: usize) -> u64 {
    let shift = (bucket >> BITS).saturating_sub(1);
    let within = (bucket - (shift << BITS)) as u64;
    (within << shift) | ((1 << shift) - 1)
}
