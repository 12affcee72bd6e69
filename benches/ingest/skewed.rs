//! Traffic in which few users write often and most rarely, for an hour: neither rates nor latencies may drift, and the
//! log of the database must stay within its bounds.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::load::{self, Plan, Source, Users};
use crate::machine::{median, peak_memory};
use crate::prepare::{self, Cache};
use crate::server::{Server, database, journalled};
use crate::{Args, report};

/// The share of the median rate below which no minute may be.
const LEAST: f64 = 0.8;
/// `store.wal_limit` of the shipped settings.
const LOG_LIMIT: u64 = 256 << 20;

/// Measures, and prints a line for each minute.
pub fn run(args: &Args, cache: &Cache, folder: &Path, minutes: u32) -> Result<()> {
    let home = folder.join("skewed");
    prepare::fresh(&home)?;
    prepare::copy(&cache.known(args.users)?, &home)?;
    let before = journalled(&home)?;
    let program = Server::program(&args.program, &home)?;
    let connections = args.connections[0];
    let mut source = Source::new(Users::Skewed(args.users), program.address, 7);
    println!("{} users, Zipf 1.0, {connections} connections", args.users);
    println!(
        "{:>6}{:>9}{:>9}{:>9}{:>10}{:>9}{:>12}{:>9}{:>11}",
        "minute", "req/s", "p50 ms", "p99 ms", "p99.9 ms", "max ms", "file MB", "log MB", "memory MB"
    );
    let (mut rates, mut largest_log, mut accepted) = (Vec::new(), 0, before);
    for minute in 1..=minutes {
        let time = Duration::from_secs(60);
        let plan = Plan { address: program.address, connections, warm_up: Duration::ZERO, time };
        let (given, outcome) = load::run(plan, source, || ())?;
        source = given;
        ensure!(outcome.refused + outcome.broken == 0, "webhooks: {:?}", outcome.trouble);
        accepted += outcome.accepted;
        let [p50, p99, p999, max] = [0.5, 0.99, 0.999, 1.0].map(|share| outcome.latencies.quantile(share));
        let rate = outcome.latencies.total() as f64 / time.as_secs_f64();
        let file = std::fs::metadata(database(&home))?.len();
        let log = std::fs::metadata(home.join("rollcall.db-wal")).map_or(0, |log| log.len());
        rates.push(rate);
        largest_log = log.max(largest_log);
        println!(
            "{minute:>6}{rate:>9.0}{p50:>9.2}{p99:>9.2}{p999:>10.2}{max:>9.1}{:>12.0}{:>9.1}{:>11.0}",
            file as f64 / 1e6,
            log as f64 / 1e6,
            peak_memory(program.pid())
        );
    }
    program.stop()?;
    let stored = journalled(&home)?;
    ensure!(stored >= accepted, "{accepted} events were acknowledged, {stored} are stored");
    let least = rates.iter().copied().fold(f64::MAX, f64::min) / median(&rates);
    println!("slowest minute, of the median rate: {}", report::at_least(least, LEAST));
    println!("log: {}", report::at_most(largest_log as f64 / 1e6, LOG_LIMIT as f64 / 1e6, "MB"));
    println!("{accepted} events acknowledged, {stored} stored");
    Ok(())
}
