//! Look-ups among known users beside a handler that looks nothing up, alone and while webhooks are
//! stored; and devices that start.

use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::Args;
use crate::bodies::{self, Random};
use crate::load::{self, Outcome, Plan, Requests, Source, Users};
use crate::machine::{cpu_of, median};
use crate::prepare::{self, Cache};
use crate::server::Server;

const WARM_UP: Duration = Duration::from_millis(500);
/// `app_demo` and its secret, as Basic.
pub const BASIC: &str = "YXBwX2RlbW86ZGVtby1rZXktc2VjcmV0LWNoYW5nZS1tZQ==";

/// The kind of request.
#[derive(Clone, Copy)]
pub enum Ask {
    ById,
    ByUserId,
    Init,
}

const ASKS: [(Ask, &str); 2] = [(Ask::ById, "GET by _id"), (Ask::ByUserId, "GET by userId")];

struct Asks {
    ask: Ask,
    users: u64,
    random: Random,
    address: SocketAddr,
}

impl Requests for Asks {
    fn next(&mut self, out: &mut Vec<u8>, _: Instant) -> u64 {
        let user = self.random.below(self.users);
        let (mut name, host) = (Vec::new(), self.address);
        out.clear();
        match self.ask {
            Ask::ById => bodies::user_id(&mut name, user),
            Ask::ByUserId | Ask::Init => name.extend(bodies::name_of(user).bytes()),
        }
        let name = String::from_utf8_lossy(&name);
        let request = match self.ask {
            Ask::Init => {
                let body = format!(
                    "{{\"device\":{{\"id\":\"bench-{user:08}\",\"platform\":\"ios\",\"appVersion\":\"4.12\"}},\"userId\":\"{name}\"}}"
                );
                format!(
                    "POST /v1/init HTTP/1.1\r\nhost: {host}\r\nauthorization: Basic {BASIC}\r\ncontent-type: \
                     application/json\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                )
            }
            _ => format!(
                "GET /v1/appusers/{name} HTTP/1.1\r\nhost: {host}\r\nauthorization: Basic {BASIC}\r\n\r\n"
            ),
        };
        out.extend_from_slice(request.as_bytes());
        0
    }
}

/// Asks a server; gives the requests a second, p50 and p99 in ms, and the server's processor time for a request
/// in µs.
pub fn measure(server: &Server, ask: Ask, connections: usize, args: &Args, seed: u64) -> Result<[f64; 4]> {
    let time = Duration::from_secs_f64(args.seconds);
    let plan = Plan { address: server.address, connections, warm_up: WARM_UP, time };
    let asks = Asks { ask, users: args.users, random: Random(seed), address: server.address };
    let pid = server.pid();
    let began = std::rc::Rc::new(std::cell::Cell::new(cpu_of(pid)));
    let counting = began.clone();
    let begin = move || counting.set(cpu_of(pid));
    let (_, Outcome { latencies, refused, broken, trouble, .. }) = load::run(plan, asks, begin)?;
    let cpu = cpu_of(pid).saturating_sub(began.get()).as_secs_f64() * 1e6 / latencies.total().max(1) as f64;
    ensure!(refused + broken == 0, "{refused} refused, {broken} broken: {trouble:?}");
    let rate = latencies.total() as f64 / time.as_secs_f64();
    Ok([rate, latencies.quantile(0.5), latencies.quantile(0.99), cpu])
}

/// The same while webhooks of known users are stored over as many connections; gives their rate as well.
fn mixed((asked, writer): (&Server, &Server), ask: Ask, args: &Args, seed: u64) -> Result<([f64; 4], f64)> {
    let time = Duration::from_secs_f64(args.seconds);
    let plan = Plan { address: writer.address, connections: 32, warm_up: WARM_UP, time };
    let source = Source::new(Users::Among(args.users), writer.address, seed);
    thread::scope(|scope| {
        let writes = scope.spawn(move || load::run(plan, source, || ()));
        let [rate, p50, p99, _] = measure(asked, ask, 32, args, seed)?;
        let (_, written) = writes.join().map_err(|_| anyhow::anyhow!("the load panicked"))??;
        ensure!(written.refused + written.broken == 0, "webhooks: {:?}", written.trouble);
        // Its processor time is that of the webhooks as well.
        Ok(([rate, p50, p99, f64::NAN], written.latencies.total() as f64 / time.as_secs_f64()))
    })
}

/// Measures and prints everything.
pub fn run(args: &Args, cache: &Cache, folder: &Path, noop: &Server) -> Result<()> {
    let home = folder.join("reads");
    prepare::fresh(&home)?;
    prepare::copy(&cache.known(args.users)?, &home)?;
    let program = Server::program(&args.program, &home)?;
    println!("{} users, medians of {} rounds", args.users, args.rounds);
    println!("{:<34}{:>8}{:>8}{:>8}{:>8}{:>14}", "", "req/s", "p50 ms", "p99 ms", "CPU us", "of no-op");
    let print = |what: &str, [rate, p50, p99, cpu]: [f64; 4], ratio: &str| {
        let cpu = if cpu.is_nan() { String::new() } else { format!("{cpu:.1}") };
        println!("{what:<34}{rate:>8.0}{p50:>8.2}{p99:>8.2}{cpu:>8}{ratio:>14}");
    };
    for (ask, what) in ASKS {
        let (mut ours, mut ratios) = (Vec::new(), Vec::new());
        for round in 0..u64::from(args.rounds) {
            let base = measure(noop, ask, 64, args, round)?;
            let read = measure(&program, ask, 64, args, round)?;
            ratios.push(read[0] / base[0]);
            ours.push(read);
        }
        print(what, middle(&ours), &format!("{:.2} >= 0.5", median(&ratios)));
    }
    // Afterwards, because the content they leave in the log is read from there.
    for (ask, what) in ASKS {
        let (mut ours, mut ratios, mut writes) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..u64::from(args.rounds) {
            let (base, _) = mixed((noop, &program), ask, args, 10 + round)?;
            let (read, written) = mixed((&program, &program), ask, args, 20 + round)?;
            ratios.push(read[0] / base[0]);
            ours.push(read);
            writes.push(written);
        }
        let beside = format!("{what}, {:.0} webhooks/s", median(&writes));
        print(&beside, middle(&ours), &format!("{:.2} >= 0.35", median(&ratios)));
    }
    let inits = (0..u64::from(args.rounds)).map(|round| measure(&program, Ask::Init, 64, args, 30 + round));
    print("POST init", middle(&inits.collect::<Result<Vec<_>>>()?), "");
    program.stop()
}

/// The medians of rates and latencies over the rounds.
fn middle(rounds: &[[f64; 4]]) -> [f64; 4] {
    std::array::from_fn(|n| median(&rounds.iter().map(|round| round[n]).collect::<Vec<_>>()))
}
