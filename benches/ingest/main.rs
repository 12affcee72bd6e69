//! Measures the program beside a handler that does nothing, in turn and under the same load, and checks that
//! everything acknowledged is stored. `cargo bench --bench ingest -- --help`
//!
//! Both servers and the load share this machine, so only the ratio is meaningful, not the rate.

#![expect(unreachable_pub, reason = "nobody can import from a program")]

mod bodies;
mod feed;
mod histogram;
mod lists;
mod load;
mod long_reads;
mod machine;
mod noop;
mod peer;
mod prepare;
mod reads;
mod report;
mod retention;
mod rounds;
mod server;
mod skewed;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Parser;

use prepare::Cache;
use report::Report;
use rounds::Workload;

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures how fast webhooks are stored
#[derive(Parser)]
struct Args {
    /// Duration of each load in each round
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// Number of repetitions of the whole measurement
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Number of known users in the workload of many users, and of look-ups, lists and skewed traffic
    #[arg(long, default_value_t = 1_000_000)]
    users: u64,
    /// Only this workload; may be repeated
    #[arg(long, value_enum)]
    workload: Vec<Workload>,
    /// Connections at once
    #[arg(long, value_delimiter = ',', default_value = "64,256,1")]
    connections: Vec<usize>,
    /// Compares with Node, fastify and better-sqlite3 as well; installs them into benches/peer
    #[arg(long)]
    peer: bool,
    /// Measures look-ups and init instead of webhooks
    #[arg(long)]
    reads: bool,
    /// Measures the cost of a hundred followers of the change feed instead
    #[arg(long)]
    feed: bool,
    /// Measures the cost of retention for writers instead
    #[arg(long)]
    retention: bool,
    /// Measures lists and searches instead of webhooks
    #[arg(long)]
    lists: bool,
    /// Measures look-ups beside 64 long reads at once instead of webhooks
    #[arg(long)]
    long_reads: bool,
    /// Measures this many minutes of skewed traffic (Zipf) among the known users instead
    #[arg(long, value_name = "MINUTES", num_args = 0..=1, default_missing_value = "60")]
    skewed: Option<u32>,
    /// Measures this build of the program, such as an older one
    #[arg(long, value_name = "PATH", default_value = env!("CARGO_BIN_EXE_rollcall"))]
    program: PathBuf,
    /// Writes the figures to this file as well
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
    /// Passed by cargo when it runs benches
    #[arg(long, hide = true)]
    bench: bool,
    /// Is the handler that does nothing, on this port
    #[arg(long, hide = true, value_name = "PORT")]
    noop: Option<u16>,
}

fn main() -> Result<()> {
    let mut args = Args::parse();
    // It is started in a folder of its own.
    args.program = std::path::absolute(&args.program)?;
    if let Some(port) = args.noop {
        return noop::run(port);
    }
    if !args.bench {
        println!("only `cargo bench` runs this");
        return Ok(());
    }
    let Some(report) = measure(&args)? else { return Ok(()) };
    report::print(&report);
    if let Some(path) = &args.json {
        std::fs::write(path, format!("{:#}\n", report::json(&report)))
            .with_context(|| path.display().to_string())?;
    }
    Ok(())
}

fn measure(args: &Args) -> Result<Option<Report>> {
    // On the disk of the build, because /tmp may be memory.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ingest");
    let cache = Cache::open(&folder.join("prepared"), &args.program)?;
    let home = folder.join(format!("run-{}", std::process::id()));
    let measured = in_folder(args, &cache, &home);
    // The remains of a run are large and useless.
    _ = std::fs::remove_dir_all(&home);
    measured
}

/// The report on webhooks; look-ups and followers are printed as they are measured.
fn in_folder(args: &Args, cache: &Cache, folder: &Path) -> Result<Option<Report>> {
    prepare::fresh(folder)?;
    if args.feed {
        return feed::run(args, folder).map(|()| None);
    }
    if args.retention {
        return retention::run(args, folder).map(|()| None);
    }
    let mut workloads = vec![Workload::New, Workload::Known, Workload::Many, Workload::Busy];
    workloads.retain(|workload| args.workload.is_empty() || args.workload.contains(workload));
    if args.long_reads {
        return long_reads::run(args, cache, folder).map(|()| None);
    }
    if let Some(minutes) = args.skewed {
        return skewed::run(args, cache, folder, minutes).map(|()| None);
    }
    if args.lists {
        return lists::run(args, cache, folder).map(|()| None);
    }
    let noop_home = folder.join("noop");
    prepare::fresh(&noop_home)?;
    let noop = noop::start(&noop_home)?;
    if args.reads {
        return reads::run(args, cache, folder, &noop).map(|()| None);
    }
    let before = machine::sync_time(folder)?;
    let measured = workloads.iter().map(|workload| rounds::run(*workload, args, cache, folder, &noop));
    let mut measured = measured.collect::<Result<Vec<_>>>()?;
    let no_peer =
        if args.peer { peers(&mut measured, args, folder)? } else { Some("run with --peer".to_owned()) };
    let empty = folder.join("empty");
    let mut first_answers = Vec::new();
    for _ in 0..5 {
        prepare::fresh(&empty)?;
        first_answers.extend(rounds::first_answers(&args.program, &empty, 1)?);
    }
    let killed = rounds::kill(args, cache, folder)?;
    let sync_times = [before, machine::sync_time(folder)?];
    Ok(Some(Report { measured, first_answers, killed, sync_times, users: args.users, no_peer }))
}

/// Measures the peer; gives the reason if that is not possible here.
fn peers(measured: &mut [rounds::Measured], args: &Args, folder: &Path) -> Result<Option<String>> {
    let installed = match peer::install() {
        Ok(installed) => installed,
        Err(why) => return Ok(Some(format!("{why:#}"))),
    };
    for measured in measured {
        rounds::compare(measured, args, folder, &installed)?;
    }
    Ok(None)
}
