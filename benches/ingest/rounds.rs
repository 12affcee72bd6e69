//! The rounds: the program and the baseline in turn, then a count of the stored events.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::ValueEnum;

use crate::histogram::Histogram;
use crate::load::{self, Outcome, Plan, Source, Users};
use crate::machine::{cpu_of, cpu_of_all, peak_memory};
use crate::prepare::{self, Cache};
use crate::server::{Server, database, journalled};
use crate::{Args, peer};

const WARM_UP: Duration = Duration::from_millis(500);
/// The number of busy users.
const BUSY: u64 = 1000;
/// The number of known users.
const KNOWN: u64 = 100_000;
/// Load before the program is killed.
const KILL_AFTER: Duration = Duration::from_millis(1500);

/// The app users of the events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Workload {
    /// Every event of a user never seen before
    New,
    /// Every event of any of 100,000 known users
    Known,
    /// Every event of any of the known users that `--users` says
    Many,
    /// Every event of one of 1,000 busy users
    Busy,
}

impl Workload {
    fn users(self, args: &Args) -> Users {
        match self {
            Self::New => Users::New(0),
            Self::Known | Self::Many | Self::Busy => Users::Among(self.known(args)),
        }
    }

    /// The number of users before the first event.
    fn known(self, args: &Args) -> u64 {
        match self {
            Self::New => 0,
            Self::Known => KNOWN,
            Self::Many => args.users,
            Self::Busy => BUSY,
        }
    }

    /// A database for it, in `home`.
    fn lay_out(self, args: &Args, cache: &Cache, home: &Path) -> Result<()> {
        prepare::fresh(home)?;
        match self.known(args) {
            0 => Ok(()),
            users => prepare::copy(&cache.known(users)?, home),
        }
    }
}

/// The figures of one server under one load, one for each round.
#[derive(Default)]
pub struct Figures {
    /// Requests a second.
    pub rates: Vec<f64>,
    /// Processor time of the server for each request, in µs.
    pub cpu: Vec<f64>,
    /// Processor time of the load generator for each request, in µs.
    pub load_cpu: Vec<f64>,
    /// Processor time of everything else, in per cent of one processor.
    pub other: Vec<f64>,
    /// Of all rounds.
    pub latencies: Histogram,
    /// Answers other than 200, and broken connections.
    pub failed: u64,
}

/// One load on the program and on the yardstick.
pub struct Cell {
    pub connections: usize,
    pub program: Figures,
    pub noop: Figures,
    pub peer: Figures,
}

/// A run of the program and its home.
pub struct Kept {
    /// Events answered 200, and those stored before.
    pub accepted: u64,
    /// Events in the journal afterwards.
    pub stored: u64,
    /// Requests without an answer, because the program was killed.
    pub unanswered: u64,
}

/// Everything measured of one workload.
pub struct Measured {
    pub workload: Workload,
    pub cells: Vec<Cell>,
    /// The most memory of each run of the program, in MB.
    pub memory: Vec<f64>,
    /// From start to first answer on the databases left behind, in ms.
    pub first_answers: Vec<f64>,
    pub kept: Vec<Kept>,
    /// Mean bytes of a body.
    pub body: u64,
    /// Bytes by which each run of the program let the file grow for each event.
    pub growth: Vec<f64>,
    /// Bytes of the file before the first event, for each known user: a row and the webhook that it came with.
    pub prepared: Option<f64>,
}

/// Measures one workload in all rounds.
pub fn run(workload: Workload, args: &Args, cache: &Cache, folder: &Path, noop: &Server) -> Result<Measured> {
    let cell = |connections: &usize| Cell {
        connections: *connections,
        program: Figures::default(),
        noop: Figures::default(),
        peer: Figures::default(),
    };
    let cells = args.connections.iter().map(cell).collect();
    let mut measured = Measured {
        workload,
        cells,
        memory: Vec::new(),
        first_answers: Vec::new(),
        kept: Vec::new(),
        body: 0,
        growth: Vec::new(),
        prepared: None,
    };
    let home = folder.join("program");
    for round in 0..args.rounds {
        eprintln!("{workload:?}, round {} of {}", round + 1, args.rounds);
        workload.lay_out(args, cache, &home)?;
        let known = workload.known(args);
        let before = if known > 0 { journalled(&home)? } else { 0 };
        let size_before = if known > 0 { file_size(&home)? } else { 0.0 };
        measured.prepared = (known > 0).then(|| size_before / known as f64);
        let program = Server::program(&args.program, &home)?;
        let users = workload.users(args);
        let mut ours = Some(Source::new(users, program.address, 1 + u64::from(round)));
        let mut theirs = Some(Source::new(users, noop.address, 1 + u64::from(round)));
        let mut accepted = before;
        for cell in &mut measured.cells {
            for turn in 0..2 {
                if turn == round % 2 {
                    let outcome = measure(&program, &mut ours, cell.connections, args, &mut cell.program)?;
                    accepted += outcome.accepted;
                    measured.body = outcome.bytes / outcome.accepted.max(1);
                } else {
                    measure(noop, &mut theirs, cell.connections, args, &mut cell.noop)?;
                }
            }
        }
        measured.memory.push(peak_memory(program.pid()));
        program.stop()?;
        measured.growth.push((file_size(&home)? - size_before) / (accepted - before).max(1) as f64);
        measured.kept.push(check(&home, accepted, 0)?);
        measured.first_answers.extend(first_answers(&args.program, &home, 3)?);
    }
    Ok(measured)
}

/// Loads a server once, and adds the result to its figures.
fn measure(
    server: &Server,
    source: &mut Option<Source>,
    connections: usize,
    args: &Args,
    figures: &mut Figures,
) -> Result<Outcome> {
    let time = Duration::from_secs_f64(args.seconds);
    let plan = Plan { address: server.address, connections, warm_up: WARM_UP, time };
    let Some(given) = source.take() else { anyhow::bail!("the last load did not end") };
    let (pid, own) = (server.pid(), std::process::id());
    let now = move || (Instant::now(), cpu_of(pid), cpu_of(own), cpu_of_all());
    let start = std::rc::Rc::new(std::cell::Cell::new(now()));
    let counting = start.clone();
    let (given, outcome) = load::run(plan, given, move || counting.set(now()))?;
    *source = Some(given);
    let ((began, server_cpu, own_cpu, all), end) = (start.get(), now());
    let (server_cpu, own_cpu) = (end.1 - server_cpu, end.2 - own_cpu);
    let other = (end.3 - all).saturating_sub(server_cpu + own_cpu);
    let counted = outcome.latencies.total().max(1) as f64;
    figures.rates.push(counted / time.as_secs_f64());
    figures.cpu.push(server_cpu.as_secs_f64() * 1e6 / counted);
    figures.load_cpu.push(own_cpu.as_secs_f64() * 1e6 / counted);
    figures.other.push(other.as_secs_f64() / (end.0 - began).as_secs_f64() * 100.0);
    figures.latencies.merge(&outcome.latencies);
    figures.failed += outcome.refused + outcome.broken;
    if let Some(trouble) = &outcome.trouble {
        eprintln!("  {} refused, {} broken: {trouble}\n{}", outcome.refused, outcome.broken, server.log());
    }
    ensure!(outcome.accepted > 0, "nothing was accepted");
    server.settle();
    Ok(outcome)
}

/// The bytes of the database in a folder, without its log.
fn file_size(home: &Path) -> Result<f64> {
    Ok(std::fs::metadata(database(home))?.len() as f64)
}

/// Counts the stored events. Fewer than acknowledged ends the bench.
fn check(home: &Path, accepted: u64, unanswered: u64) -> Result<Kept> {
    let stored = journalled(home)?;
    ensure!(
        stored >= accepted,
        "{accepted} events were acknowledged, {stored} are stored: LOST {}",
        accepted - stored
    );
    Ok(Kept { accepted, stored, unanswered })
}

/// Starts the program several times; gives the times to its first answer, in ms.
pub fn first_answers(program: &Path, home: &Path, times: usize) -> Result<Vec<f64>> {
    let start = |_| {
        let server = Server::program(program, home)?;
        let took = server.first_answer.as_secs_f64() * 1e3;
        server.stop().map(|()| took)
    };
    (0..times).map(start).collect()
}

/// Kills the program under load, and counts the stored events.
pub fn kill(args: &Args, cache: &Cache, folder: &Path) -> Result<Kept> {
    eprintln!("kill -9 under load");
    let home = folder.join("killed");
    Workload::Busy.lay_out(args, cache, &home)?;
    let before = journalled(&home)?;
    let mut program = Server::program(&args.program, &home)?;
    let plan = Plan { address: program.address, connections: 64, warm_up: KILL_AFTER, time: KILL_AFTER };
    let source = Source::new(Workload::Busy.users(args), plan.address, 99);
    let loaded = thread::scope(|scope| {
        let load = scope.spawn(move || load::run(plan, source, || ()));
        thread::sleep(KILL_AFTER);
        program.kill()?;
        load.join().map_err(|_| anyhow::anyhow!("the load panicked"))?.map_err(anyhow::Error::from)
    });
    let (_, outcome) = loaded?;
    check(&home, before + outcome.accepted, outcome.unanswered)
}

/// Measures the peer under the loads of a workload, after the others.
pub fn compare(measured: &mut Measured, args: &Args, folder: &Path, installed: &Path) -> Result<()> {
    let workload = measured.workload;
    eprintln!("{workload:?}, the peer");
    let home = folder.join("peer");
    prepare::fresh(&home)?;
    peer::prepare(&home, workload.known(args))?;
    let server = peer::start(installed, &home)?;
    let mut source = Some(Source::new(workload.users(args), server.address, 77));
    let mut accepted = 0;
    for cell in measured.cells.iter_mut().filter(|cell| cell.connections > 1) {
        accepted += measure(&server, &mut source, cell.connections, args, &mut cell.peer)?.accepted;
    }
    drop(server);
    let stored = peer::stored(&home)?;
    ensure!(stored >= accepted, "the peer acknowledged {accepted} events, {stored} are stored");
    Ok(())
}
