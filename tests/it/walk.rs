//! Operators' random walks: commands, signals and faults of the disk beside senders and a follower. After each
//! step and at the end: no acknowledged event is missing, no erased person is found, no fault is reported as
//! healthy, and the follower has the directory.
//!
//! `ROLLCALL_WALKS` sets how many, `ROLLCALL_WALK_SEED` repeats one. A restore takes back what was acknowledged
//! after its backup was begun.

mod checks;
mod faults;
mod person;
mod steps;

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};

use crate::crash::ledger::Ledger;
use crate::crash::number;
use crate::crash::traffic::{Rng, Sender, Sent};
use crate::feed::rules::{Follower, Step as Followed, WAYS};
use crate::support::{Home, Program};
use person::Person;
use steps::{Backup, Step};

/// The seed of the first walk; the others follow it.
const FIRST_SEED: u64 = 20_261_129;
/// Walks at a time: they wait for the disk and for processes most of the time.
const AT_A_TIME: u64 = 6;
/// Deliveries that each sender gets acknowledged beside a step.
const BESIDE: u64 = 12;

#[test]
fn no_walk_of_an_operator_loses_an_event_or_shows_erased_data() {
    let one = std::env::var("ROLLCALL_WALK_SEED").ok().map(|seed| seed.parse::<u64>().unwrap());
    let (first, walks) = one.map_or((FIRST_SEED, number("ROLLCALL_WALKS", 200)), |seed| (seed, 1));
    let (next, failed) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME.min(walks) {
            scope.spawn(|| {
                let next_seed = || Some(first + next.fetch_add(1, Ordering::Relaxed));
                while let Some(seed) = next_seed().filter(|seed| *seed < first + walks) {
                    if catch_unwind(AssertUnwindSafe(|| walk(seed))).is_err() {
                        failed.lock().unwrap().push(seed);
                    }
                    let walked = seed + 1 - first;
                    if walked.is_multiple_of(100) {
                        println!("about {walked} of {walks} walks");
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{} of {walks} walks failed; ROLLCALL_WALK_SEED={failed:?}", failed.len());
}

/// The state of an operator's installation, and its expected state.
struct Walk {
    rng: Rng,
    home: Home,
    /// The service, unless it is down in the middle of a step.
    program: Option<Program>,
    ledger: Ledger,
    backups: Vec<Backup>,
    /// An export, and the fate of the person in it.
    export: Option<Person>,
    person: Person,
    persons: u64,
    /// Entries may have been deleted from the journal.
    is_trimmed: bool,
}

/// One walk. A failure is printed, and its home is not deleted.
fn walk(seed: u64) {
    let mut rng = Rng(seed);
    let steps = steps::choose(&mut rng);
    let mut senders: Vec<Sender> = (0..2).map(|n| Sender::new(n, rng.next())).collect();
    let way = WAYS[rng.below(WAYS.len() as u64) as usize];
    let mut follower = Follower::new(way, Rng(rng.next()));
    let mut walk = Walk::begin(rng);
    let (to, end) = (Mutex::new(walk.listen()), AtomicBool::new(false));
    let mut at = "the first step".to_owned();
    let walked = catch_unwind(AssertUnwindSafe(|| {
        std::thread::scope(|scope| {
            let following = scope.spawn(|| follow(&mut follower, &to, &end));
            let walked = catch_unwind(AssertUnwindSafe(|| {
                for (n, step) in steps.iter().enumerate() {
                    at = format!("step {n}, {step:?}");
                    walk.round(*step, &mut senders);
                    *to.lock().unwrap() = walk.listen();
                }
                // A stream that waits for a change gets one.
                walk.message("the-last-one");
            }));
            end.store(true, Ordering::Release);
            if walked.is_err() {
                // No server answers any more, so the follower need not wait.
                drop(walk.program.take());
            }
            _ = following.join();
            walked.unwrap_or_else(|failed| resume_unwind(failed));
        });
        at = "the end".to_owned();
        walk.end(&mut follower);
    }));
    if let Err(failed) = walked {
        let kept = walk.keep(seed);
        println!(
            "ROLLCALL_WALK_SEED={seed}: {at} of {steps:?}, followed by {way:?}, failed; {}",
            kept.display()
        );
        resume_unwind(failed);
    }
}

/// Follows until `end`; the rest is read after that.
fn follow(follower: &mut Follower, to: &Mutex<SocketAddr>, end: &AtomicBool) {
    while !end.load(Ordering::Acquire) {
        let address = *to.lock().unwrap();
        match follower.step(address) {
            Followed::Moved => {}
            Followed::Nothing => follower.wait_for_news(address),
            Followed::Failed => std::thread::yield_now(),
        }
    }
}

impl Walk {
    fn begin(rng: Rng) -> Self {
        let home = Home::with(steps::APPS);
        Self {
            rng,
            program: Some(home.start()),
            home,
            ledger: Ledger::default(),
            backups: Vec::new(),
            export: None,
            person: Person::Nobody,
            persons: 0,
            is_trimmed: false,
        }
    }

    /// Copies the home, so that it can be looked at.
    fn keep(&self, seed: u64) -> PathBuf {
        let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("walk-{seed}"));
        std::fs::create_dir_all(&to).unwrap();
        for file in std::fs::read_dir(self.home.path()).unwrap().map(Result::unwrap) {
            _ = std::fs::copy(file.path(), to.join(file.file_name()));
        }
        to
    }

    fn program(&self) -> &Program {
        self.program.as_ref().unwrap()
    }

    fn listen(&self) -> SocketAddr {
        self.program().listen
    }

    /// Takes a step while the senders send, and checks the result.
    fn round(&mut self, step: Step, senders: &mut [Sender]) {
        let to = self.listen();
        let answers = std::thread::scope(|scope| {
            let (sent, answers) = mpsc::channel::<Sent>();
            for sender in senders {
                let sent = sent.clone();
                scope.spawn(move || sender.run_until(to, &sent, BESIDE));
            }
            drop(sent);
            let failed = catch_unwind(AssertUnwindSafe(|| self.take(step, &answers)));
            if let Err(failed) = failed {
                // So that the senders end.
                drop(self.program.take());
                resume_unwind(failed);
            }
            answers
        });
        self.note(&answers);
        self.check(step);
    }

    /// Notes every answer so far.
    fn note(&mut self, answers: &Receiver<Sent>) {
        answers.try_iter().for_each(|sent| self.ledger.note(sent));
    }
}
