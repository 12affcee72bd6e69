//! Killed at any instant, the program has everything it acknowledged (law 1; F1 and F16).
//!
//! `ROLLCALL_CRASH_ROUNDS` and `ROLLCALL_CRASH_SEED` set how often and with which numbers.

pub mod ledger;
pub mod traffic;

use rollcall::directory::tallies::{CountedBy, HOUR, MINUTE};
use rollcall::directory::{DirectoryReader, open_reader};
use rollcall::store::rows::RowFilter;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::rebuild::Rebuilt;
use crate::storage_faults::large;
use crate::support::{Home, PATIENCE, Program};
use ledger::Ledger;
use traffic::{Rng, Sender, Sent};

const SENDERS: u64 = 16;
/// The time limit for a start on a busy machine; the goal is 2 s.
const READY_WITHIN: Duration = Duration::from_secs(10);

pub fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

/// The seed of this run, printed so that it can be had again.
pub fn seed(of: &str) -> Rng {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().subsec_nanos();
    let seed = number("ROLLCALL_CRASH_SEED", u64::from(now));
    println!("{of}: ROLLCALL_CRASH_SEED={seed}");
    Rng(seed)
}

/// The end of a round.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Killed,
    Told,
}

/// Runs the senders until `acks` more are acknowledged, and records every answer so far; then `end` ends the program
/// under load, and the rest is recorded.
pub fn send_until(
    to: SocketAddr,
    senders: &mut [Sender],
    ledger: &mut Ledger,
    acks: u64,
    end: impl FnOnce(&mut Ledger, mpsc::Receiver<Sent>),
) {
    std::thread::scope(|scope| {
        let (sent, answers) = mpsc::channel::<Sent>();
        for sender in senders {
            let sent = sent.clone();
            scope.spawn(move || sender.run(to, &sent));
        }
        drop(sent);
        let mut left = acks;
        while left > 0 {
            let sent = answers.recv_timeout(PATIENCE).unwrap();
            left = left.saturating_sub(u64::from(sent.acknowledged));
            ledger.note(sent);
        }
        end(ledger, answers);
    });
}

/// A life of the program that ends like this.
fn round(program: Program, senders: &mut [Sender], ledger: &mut Ledger, acks: u64, end: End) {
    send_until(program.listen, senders, ledger, acks, |ledger, answers| {
        match end {
            End::Killed => program.kill(),
            End::Told => {
                let asked = Instant::now();
                program.stop();
                let took = asked.elapsed();
                assert!(took < Duration::from_secs(10), "stopping took {took:?}");
            }
        }
        answers.into_iter().for_each(|sent| ledger.note(sent));
    });
}

/// Rounds in one home: the file grows, and each start recovers from the end of the round before.
fn rounds(home: &mut Home, rounds: u64, mut rng: Rng) {
    let mut senders: Vec<Sender> = (0..SENDERS).map(|n| Sender::new(n, rng.next())).collect();
    let (mut ledger, mut rebuilt) = (Ledger::default(), Rebuilt::new());
    let mut slowest = Duration::ZERO;
    let mut told = 0;
    for n in 0..rounds {
        let small = rng.below(2) == 0;
        home.settings =
            if small { "[store]\nwal_checkpoint = \"256KiB\"\nwal_limit = \"2MiB\"" } else { "" }.to_owned();
        let program = home.start();
        let end = if rng.below(5) == 0 { End::Told } else { End::Killed };
        told += u64::from(end == End::Told);
        let acks = if rng.below(8) == 0 { rng.below(4) } else { rng.below(300) };
        round(program, &mut senders, &mut ledger, acks, end);
        let began = Instant::now();
        let program = home.start();
        let took = began.elapsed();
        slowest = slowest.max(took);
        assert!(took < READY_WITHIN, "round {n}: ready after {took:?}");
        ledger.verify(&home.database(), &format!("round {n}, {end:?} after {acks}"));
        let reader = open_reader(&home.database()).unwrap();
        let touched = rebuilt.follow(&reader);
        rebuilt.compare(&reader, &touched);
        ledger.look_up(&program, &rebuilt, &mut rng, n + 1 == rounds);
        if (n + 1).is_multiple_of(50) {
            println!("{} of {rounds} rounds", n + 1);
        }
        // Half of the rounds begin with the state after a kill, not with the one after a clean stop.
        if rng.below(2) == 0 { program.kill() } else { drop(program.stop()) }
    }
    let program = home.start();
    let reader = open_reader(&home.database()).unwrap();
    let mut afresh = Rebuilt::new();
    afresh.follow(&reader);
    let records = afresh.compare_all(&reader);
    tallies_equal_the_journal(&reader);
    drop(program.stop());
    println!(
        "{rounds} rounds, {told} of them with SIGTERM; {ledger}; {records} records; ready within {slowest:?}"
    );
}

/// The tallies are written with their batch, so they count each entry once, however often the program was killed.
fn tallies_equal_the_journal(reader: &DirectoryReader) {
    let mut entries = BTreeMap::new();
    for entry in reader.find_entries(&RowFilter::default(), usize::MAX).unwrap() {
        *entries.entry(entry.trigger.to_string()).or_insert(0) += 1;
    }
    for step in [MINUTE, HOUR] {
        let (mut triggers, mut outcomes) = (BTreeMap::new(), BTreeMap::new());
        for (_, _, tally) in reader.read_tallies(step, 0, i64::MAX).unwrap() {
            for (counts, by) in [(&mut triggers, CountedBy::Trigger), (&mut outcomes, CountedBy::Outcome)] {
                tally
                    .counts(by)
                    .iter()
                    .for_each(|(name, count)| *counts.entry(name.clone()).or_insert(0) += count);
            }
        }
        assert_eq!(triggers, entries, "of {step} ms");
        let journalled: u64 = ["learned", "kept"].iter().filter_map(|name| outcomes.get(*name)).sum();
        assert_eq!(journalled, entries.values().sum::<u64>(), "of {step} ms");
    }
}

#[test]
fn killed_at_any_instant_it_has_everything_it_acknowledged() {
    let mut home = Home::new();
    rounds(&mut home, number("ROLLCALL_CRASH_ROUNDS", 50), seed("crash"));
}

/// The log of a busy program that is killed between two checkpoints is read at the next start.
#[test]
fn a_start_on_a_log_of_tens_of_mebibytes_has_everything_that_was_acknowledged() {
    const BODIES: usize = 1600;
    let home = Home::with("[store]\nwal_checkpoint = \"256MiB\"\nwal_limit = \"512MiB\"");
    let program = home.start();
    std::thread::scope(|scope| {
        for part in 0..8 {
            let program = &program;
            scope.spawn(move || {
                for n in (part..BODIES).step_by(8) {
                    assert_eq!(program.webhook(large(n, 20_000)).status, 200);
                }
            });
        }
    });
    program.kill();
    let log = std::fs::metadata(home.path().join("rollcall.db-wal")).unwrap().len();
    println!("a log of {log} bytes");
    assert!(log > 30 << 20, "{log}");
    let began = Instant::now();
    let program = home.start();
    let took = began.elapsed();
    assert!(took < READY_WITHIN, "ready after {took:?}");
    for n in 0..BODIES {
        assert_eq!(program.app_user(&format!("{n:024x}")).status, 200, "{n}");
    }
    assert_eq!(home.rows("journal"), BODIES as i64);
    program.stop();
    assert_eq!(home.find::<String>("PRAGMA integrity_check"), "ok");
}

#[test]
fn the_ledger_notices_a_lost_and_a_doubled_event() {
    let home = Home::new();
    let program = home.start();
    let (mut ledger, mut sender) = (Ledger::default(), [Sender::new(1, 7)]);
    round(program, &mut sender, &mut ledger, 20, End::Told);
    ledger.verify(&home.database(), "nothing was done to it");
    let notices = |damage: &str| {
        let conn = rusqlite::Connection::open(home.database()).unwrap();
        conn.execute_batch("BEGIN").unwrap();
        conn.execute_batch(damage).unwrap();
        let verdict = ledger.trouble(&conn);
        conn.execute_batch("ROLLBACK").unwrap();
        verdict.is_some()
    };
    assert!(notices("DELETE FROM journal WHERE seq = (SELECT max(seq) FROM journal)"), "a lost event");
    assert!(
        notices(
            "INSERT INTO journal SELECT seq + 1000, app, source, received, event_time, trigger, outcome, digest, users, body, place FROM journal WHERE seq = 1"
        ),
        "a doubled event"
    );
    assert!(notices("UPDATE feeds SET seq = seq + 1"), "a gap in the feed");
}
