//! The cost of followers of the change feed for writers: the same load on the program with and without a hundred
//! streams, in turn, in the same run.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::Args;
use crate::load::{self, Plan, Source, Users};
use crate::machine::median;
use crate::prepare;
use crate::server::Server;

const WARM_UP: Duration = Duration::from_millis(500);
/// Streams, as many as the goal names.
const READERS: usize = 100;
/// Existing users that write, so that every event is a change.
const BUSY: u64 = 1000;
/// The least that may be left of the rate.
const LEAST: f64 = 0.8;
/// `app_demo` and its secret, as Basic.
const BASIC: &str = "YXBwX2RlbW86ZGVtby1rZXktc2VjcmV0LWNoYW5nZS1tZQ==";

/// Measures and prints.
pub fn run(args: &Args, folder: &Path) -> Result<()> {
    println!("{BUSY} busy users, 64 connections, medians of {} rounds", args.rounds);
    let (mut alone, mut beside, mut ratios, mut told) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..args.rounds {
        let home = folder.join("feed");
        prepare::fresh(&home)?;
        let program = Server::program(&args.program, &home)?;
        // No app user is new in the measured part.
        write(&program, args, 90 + u64::from(round))?;
        let mut rates = [0.0; 2];
        for turn in 0..2 {
            let with = turn == round % 2;
            let seed = 100 + u64::from(2 * round + turn);
            rates[usize::from(with)] = if with {
                let (rate, megabytes) = followed(&program, args, seed)?;
                told.push(megabytes);
                rate
            } else {
                write(&program, args, seed)?
            };
        }
        alone.push(rates[0]);
        beside.push(rates[1]);
        ratios.push(rates[1] / rates[0]);
        program.stop()?;
    }
    let (ratio, told) = (median(&ratios), median(&told));
    let mark = if ratio >= LEAST { "✓" } else { "✗" };
    println!("alone              {:>8.0} webhooks/s", median(&alone));
    println!("with {READERS} followers {:>8.0} webhooks/s, {told:.1} MB/s told to them", median(&beside));
    println!("ratio {ratio:.2} goal >= {LEAST} {mark}");
    Ok(())
}

/// Webhooks a second.
fn write(program: &Server, args: &Args, seed: u64) -> Result<f64> {
    let time = Duration::from_secs_f64(args.seconds);
    let plan = Plan { address: program.address, connections: 64, warm_up: WARM_UP, time };
    let source = Source::new(Users::Among(BUSY), program.address, seed);
    let (_, outcome) = load::run(plan, source, || ())?;
    ensure!(outcome.refused + outcome.broken == 0, "webhooks: {:?}", outcome.trouble);
    program.settle();
    Ok(outcome.latencies.total() as f64 / time.as_secs_f64())
}

/// The result of the readers of the streams.
#[derive(Default)]
struct Readers {
    end: AtomicBool,
    open: AtomicUsize,
    bytes: AtomicU64,
}

/// Webhooks a second while streams are read from the end of the feed on, and MB a second on all of these.
fn followed(program: &Server, args: &Args, seed: u64) -> Result<(f64, f64)> {
    let (from, address) = (last(program.address)?, program.address);
    let readers = Arc::new(Readers::default());
    let of = readers.clone();
    let reading = thread::spawn(move || read(address, from, &of));
    while readers.open.load(Ordering::Acquire) < READERS && !reading.is_finished() {
        thread::sleep(Duration::from_millis(1));
    }
    let rate = write(program, args, seed);
    readers.end.store(true, Ordering::Release);
    reading.join().map_err(|_| anyhow::anyhow!("the readers panicked"))??;
    let told = readers.bytes.load(Ordering::Relaxed) as f64 / 1e6 / (args.seconds + WARM_UP.as_secs_f64());
    ensure!(told > 0.0, "the followers were told nothing");
    rate.map(|rate| (rate, told))
}

/// Reads all streams on one thread, and only counts the bytes.
fn read(address: SocketAddr, from: u64, readers: &Arc<Readers>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut streams = JoinSet::new();
        for _ in 0..READERS {
            streams.spawn(stream(address, from, readers.clone()));
        }
        while let Some(ended) = streams.join_next().await {
            ended??;
        }
        Ok(())
    })
}

async fn stream(address: SocketAddr, from: u64, readers: Arc<Readers>) -> Result<()> {
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    let request = format!(
        "GET /v1/changes?since={from} HTTP/1.0\r\nhost: {address}\r\naccept: text/event-stream\r\n\
         authorization: Basic {BASIC}\r\n\r\n"
    );
    load::write(&mut stream, request.as_bytes()).await?;
    let (mut buffer, mut begun) = (vec![0; 64 << 10], false);
    while !readers.end.load(Ordering::Acquire) {
        // So that it sees the end also where nothing comes any more.
        _ = timeout(Duration::from_millis(100), stream.readable()).await;
        let read = match stream.try_read(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            read => read?,
        };
        ensure!(read > 0, "a stream ended");
        if !std::mem::replace(&mut begun, true) {
            ensure!(buffer.starts_with(b"HTTP/1.0 200"), "a stream was refused");
            readers.open.fetch_add(1, Ordering::AcqRel);
        }
        // No parsing: this thread uses as little of the machine as it can.
        readers.bytes.fetch_add(read as u64, Ordering::Relaxed);
    }
    Ok(())
}

/// The number of the last change.
fn last(address: SocketAddr) -> Result<u64> {
    let mut stream = TcpStream::connect(address)?;
    // A position beyond the end is refused with its reason.
    write!(
        stream,
        "GET /v1/changes?since=999999999999 HTTP/1.0\r\nhost: {address}\r\nauthorization: Basic {BASIC}\r\n\r\n"
    )?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let number = text.split("the last change, ").nth(1).context(text.clone())?;
    number.chars().take_while(char::is_ascii_digit).collect::<String>().parse().context(text)
}
