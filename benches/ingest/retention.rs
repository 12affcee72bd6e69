//! The cost of retention for writers: the same load with retention and without, in turn, in the same run. Each
//! request waits for one commit, so a commit delayed by a step shows here. Some are slow without retention as well,
//! whenever the disk is: there must not be more of them.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::histogram::Histogram;
use crate::load::{self, Plan, Source, Users};
use crate::machine::median;
use crate::server::{Server, number};
use crate::{Args, prepare};

const WARM_UP: Duration = Duration::from_millis(500);
/// Users that write.
const BUSY: u64 = 1000;
/// So many times the median is the most that a request should take.
const MOST: f64 = 10.0;
/// So little is retained that every new entry displaces an old one.
const KEEP: [&str; 3] = [
    "--set=retention.history_entries=1000",
    "--set=retention.bodies_bytes=100KB",
    "--set=retention.feed_changes=1000",
];

/// Measures and prints.
pub fn run(args: &Args, folder: &Path) -> Result<()> {
    println!("{BUSY} busy users, {} rounds of {} s", args.rounds, args.seconds);
    println!(
        "{:<8}{:<12}{:>8}{:>8}{:>8}{:>10}{:>8}{:>16}{:>14}",
        "conns",
        "retention",
        "req/s",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "max ms",
        "> 10 medians",
        "entries left"
    );
    for connections in &args.connections {
        let mut off = Figures::default();
        let mut on = Figures::default();
        for round in 0..args.rounds {
            for turn in 0..2 {
                let with = turn == round % 2;
                let figures = if with { &mut on } else { &mut off };
                measure(args, *connections, u64::from(2 * round + turn), with, folder, figures)?;
            }
        }
        let usual = off.print(*connections, "off");
        let slow = on.print(*connections, "on");
        let mark = if slow <= usual { "✓" } else { "✗" };
        println!("beyond {MOST} medians with retention goal: no more often than without {mark}");
    }
    Ok(())
}

#[derive(Default)]
struct Figures {
    rates: Vec<f64>,
    latencies: Histogram,
    left: Vec<f64>,
}

impl Figures {
    /// Prints them; gives the share of requests that took too long.
    fn print(&self, connections: usize, retention: &str) -> f64 {
        let [p50, p99, p999, max] = [0.5, 0.99, 0.999, 1.0].map(|share| self.latencies.quantile(share));
        let beyond = self.latencies.beyond(MOST * p50);
        let of_all = format!("{beyond} of {}", self.latencies.total());
        println!(
            "{connections:<8}{retention:<12}{:>8.0}{p50:>8.2}{p99:>8.2}{p999:>10.2}{max:>8.2}{of_all:>16}{:>14.0}",
            median(&self.rates),
            median(&self.left)
        );
        beyond as f64 / self.latencies.total().max(1) as f64
    }
}

fn measure(
    args: &Args,
    connections: usize,
    seed: u64,
    retention: bool,
    folder: &Path,
    figures: &mut Figures,
) -> Result<()> {
    let home = folder.join("retention");
    prepare::fresh(&home)?;
    let program = Server::program_with(&args.program, &home, if retention { &KEEP } else { &[] })?;
    let time = Duration::from_secs_f64(args.seconds);
    let plan = Plan { address: program.address, connections, warm_up: WARM_UP, time };
    let source = Source::new(Users::Among(BUSY), program.address, 200 + seed);
    let (_, outcome) = load::run(plan, source, || ())?;
    ensure!(outcome.refused + outcome.broken == 0, "webhooks: {:?}", outcome.trouble);
    figures.rates.push(outcome.latencies.total() as f64 / time.as_secs_f64());
    figures.latencies.merge(&outcome.latencies);
    program.stop()?;
    figures.left.push(number(&home, "SELECT count(*) FROM journal")? as f64);
    Ok(())
}
