//! F8 and F19: a disk that takes seconds for a sync. Events that cannot be stored in time are refused at once.

use super::*;
use crate::support::Answer;

/// Posts all bodies at the same moment; gives each answer with its time.
fn all_at_once(program: &Program, bodies: &[String]) -> Vec<(Answer, Duration)> {
    let start = std::sync::Barrier::new(bodies.len());
    std::thread::scope(|scope| {
        let threads: Vec<_> = bodies
            .iter()
            .map(|body| {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    let began = Instant::now();
                    (program.webhook(body), began.elapsed())
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn resident_kib(program: &Program) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", program.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// The slack of an answer on a busy machine.
const SLACK: Duration = Duration::from_millis(1500);

#[test]
fn on_a_slow_disk_every_answer_comes_in_time_and_the_queue_does_not_grow() {
    require!(installed("strace"));
    let mut home = used("[ingest]\nqueue_jobs = 8\nbatch_jobs = 4\nanswer_within = \"1500ms\"");
    home.wrapper =
        strace(&home, "fsync,fdatasync", "fsync,fdatasync:delay_enter=3000000", &["rollcall.db-wal"]);
    // Free memory is returned at once, so that the resident size shows memory in use.
    home.env.push(("MIMALLOC_PURGE_DELAY".to_owned(), "0".to_owned()));
    let program = home.start();
    let mut before = 0;
    let (mut busy, mut late) = (0, 0);
    for wave in 0..4 {
        let bodies: Vec<String> = (0..40).map(|n| large(wave * 40 + n, 30_000)).collect();
        for (answer, took) in all_at_once(&program, &bodies) {
            assert!(took < Duration::from_millis(1500) + SLACK, "{took:?}: {answer:?}");
            if answer.status == 200 {
                continue;
            }
            assert_eq!(answer.status, 503, "{answer:?}");
            assert!(answer.header("retry-after").is_some());
            if answer.code() == "too_busy" {
                assert!(took < SLACK, "a full queue is an answer, not a wait: {took:?}");
                busy += 1;
            } else {
                late += 1;
            }
        }
        assert_eq!(program.app_user("00000000000000000000aaaa").status, 200, "reading does not wait");
        if wave == 0 {
            before = resident_kib(&program);
        }
    }
    assert!(busy >= 40 && late > 0, "{busy} too busy, {late} late");
    let grown = resident_kib(&program).saturating_sub(before);
    // A refused body is released at once: the program's counter is exact to the byte.
    assert_eq!(program.metric("rollcall_bodies_bytes"), 0.0, "every body was answered");
    assert!(program.metric("rollcall_queue_depth") <= 8.0, "the queue is bounded");
    assert!(grown < 16 * 1024, "{grown} KiB more after three more waves");
    println!("slow disk: {busy} too busy, {late} late, {grown} KiB grown");
    program.kill();
}

#[test]
fn the_queue_is_bounded_in_bytes_as_well() {
    require!(installed("strace"));
    let mut home = used(
        "[limits]\nwebhook_body = \"100KB\"\n[ingest]\nqueue_bytes = \"100KB\"\nbatch_jobs = 1\nanswer_within = \"20s\"",
    );
    home.wrapper =
        strace(&home, "fsync,fdatasync", "fsync,fdatasync:delay_enter=300000", &["rollcall.db-wal"]);
    let program = home.start();
    // Each body carries its text twice: about 20 kB, so that five have room.
    let bodies: Vec<String> = (0..24).map(|n| large(n, 9_900)).collect();
    let answers = all_at_once(&program, &bodies);
    let stored = answers.iter().filter(|(answer, _)| answer.status == 200).count();
    assert!((4..=8).contains(&stored), "{stored} found room");
    for (answer, took) in answers.iter().filter(|(answer, _)| answer.status != 200) {
        assert_eq!((answer.status, answer.code().as_str()), (503, "too_busy"));
        assert!(*took < SLACK, "{took:?}");
    }
    crate::support::until("the room is given back", || program.metric("rollcall_queue_bytes") == 0.0);
    assert_eq!(program.webhook(&bodies[0]).status, 200);
    // The largest body finds room in an empty queue.
    assert_eq!(program.webhook(large(99, 49_000)).status, 200);
}
