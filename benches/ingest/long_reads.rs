//! Look-ups by `_id` alone, and beside many reads that each go through many app users.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::Args;
use crate::machine::median;
use crate::prepare::{self, Cache};
use crate::reads::{Ask, BASIC, measure};
use crate::server::Server;

/// The number of concurrent long reads.
const LONG: usize = 64;
/// Connections of look-ups: fewer than take all of a small machine by themselves.
const CONNECTIONS: usize = 4;
/// The limit of the median beside long reads, as a multiple of the median without them.
const FAR: f64 = 5.0;

/// The requests, in turn.
const ASKED: [&str; 6] = [
    "/v1/appusers?count=exact&limit=1&property.plan=gold",
    "/v1/appusers?limit=1000&property.plan=nobody-has-this",
    "/v1/appusers?count=10000&limit=1&conversationStarted=true",
    "/v1/appusers?limit=1000&sort=-lastSeen",
    "/v1/appusers?q=ul&sort=-signedUpAt&limit=100",
    "/v1/changes?snapshot=true&limit=1000",
];

/// The status of an answer, once all of it is there.
fn status(address: SocketAddr, path: &str) -> Result<u16> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Basic {BASIC}\r\nconnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let status = answer.get(9..12).and_then(|status| std::str::from_utf8(status).ok()?.parse().ok());
    status.with_context(|| format!("no answer to {path}"))
}

/// The answers of the long reads, and of the probes beside them.
#[derive(Default)]
struct Answers {
    answered: AtomicU64,
    unavailable: AtomicU64,
    ready: AtomicU64,
    not_ready: AtomicU64,
}

/// Asks for long reads until it is over.
fn ask(address: SocketAddr, from: usize, over: &AtomicBool, answers: &Answers) -> Result<()> {
    for path in ASKED.iter().cycle().skip(from) {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let counted = match status(address, path)? {
            200 => &answers.answered,
            503 => &answers.unavailable,
            other => anyhow::bail!("{path}: {other}"),
        };
        counted.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

fn probe(admin: SocketAddr, over: &AtomicBool, answers: &Answers) -> Result<()> {
    while !over.load(Ordering::Relaxed) {
        let counted = if status(admin, "/readyz")? == 200 { &answers.ready } else { &answers.not_ready };
        counted.fetch_add(1, Ordering::Relaxed);
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// Look-ups while long reads are asked for.
fn beside(program: &Server, args: &Args, round: u64, answers: &Answers) -> Result<[f64; 4]> {
    let (address, admin, over) = (program.address, program.admin()?, AtomicBool::new(false));
    let over = &over;
    thread::scope(|scope| {
        let mut others: Vec<_> =
            (0..LONG).map(|n| scope.spawn(move || ask(address, n, over, answers))).collect();
        others.push(scope.spawn(move || probe(admin, over, answers)));
        let measured = measure(program, Ask::ById, CONNECTIONS, args, round);
        over.store(true, Ordering::Relaxed);
        for other in others {
            other.join().map_err(|_| anyhow::anyhow!("a client panicked"))??;
        }
        measured
    })
}

/// Measures and prints everything.
pub fn run(args: &Args, cache: &Cache, folder: &Path) -> Result<()> {
    let home = folder.join("long-reads");
    prepare::fresh(&home)?;
    prepare::copy(&cache.known(args.users)?, &home)?;
    let program = Server::program(&args.program, &home)?;
    let (mut alone, mut crowded, answers) = (Vec::new(), Vec::new(), Answers::default());
    for round in 0..u64::from(args.rounds) {
        alone.push(measure(&program, Ask::ById, CONNECTIONS, args, round)?);
        crowded.push(beside(&program, args, round, &answers)?);
    }
    let middle =
        |rounds: &[[f64; 4]], n: usize| median(&rounds.iter().map(|round| round[n]).collect::<Vec<_>>());
    println!("{} users, {CONNECTIONS} connections, medians of {} rounds", args.users, args.rounds);
    println!("{:<34}{:>8}{:>8}{:>8}", "GET by _id", "req/s", "p50 ms", "p99 ms");
    for (what, rounds) in [("alone", &alone), ("beside long reads", &crowded)] {
        let [rate, p50, p99] = [0, 1, 2].map(|n| middle(rounds, n));
        println!("{what:<34}{rate:>8.0}{p50:>8.2}{p99:>8.2}");
    }
    println!("p50 {:.1} <= {FAR} times that alone", middle(&crowded, 1) / middle(&alone, 1));
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let Answers { answered, unavailable, ready, not_ready } = &answers;
    println!("{LONG} long reads at once: {} answered, {} were 503", count(answered), count(unavailable));
    println!("/readyz: {} times ready, {} times not", count(ready), count(not_ready));
    ensure!(count(not_ready) == 0, "it was not ready although webhooks would have been stored");
    program.stop()
}
