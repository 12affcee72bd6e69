//! F4: a failed sync. The data that it should have secured may be lost, even if a later sync succeeds.

use super::*;

const FAILED: &str = "fsync,fdatasync";
/// The acknowledgements of each sender if the program continued: then the test does not wait for it.
const ENOUGH: u64 = 2000;

fn failing(home: &mut Home, when: &str, path: &str) {
    let inject = format!("fsync,fdatasync:error=EIO:when={when}");
    home.wrapper = strace(home, FAILED, &inject, &[path]);
}

/// The start after: verified, and everything acknowledged is there.
fn recovers(home: &mut Home, ledger: &Ledger, when: &str) {
    assert!(home.path().join("rollcall.db.verify").exists(), "{when}: a mark for the next start");
    home.wrapper.clear();
    let program = home.start();
    program.wait_for_log("a sync failed in the last run");
    assert!(!home.path().join("rollcall.db.verify").exists(), "{when}: verified");
    ledger.verify(&home.database(), when);
    assert_eq!(program.webhook(first_message("00000000000000000000bbbb", 1_600_000_001.5)).status, 200);
    program.stop();
}

#[test]
fn after_a_failed_sync_nothing_is_acknowledged_and_the_process_ends() {
    require!(installed("strace"));
    for when in (1..=30).chain([40]).map(|n| n.to_string()).chain(["3+".to_owned()]) {
        let when = &*when;
        let mut home = used("");
        failing(&mut home, when, "rollcall.db-wal");
        let program = home.start();
        let mut ledger = Ledger::default();
        ledger.knows(&first_message("00000000000000000000aaaa", 1_600_000_000.5));
        // One sender: the order of its answers is the order of the commits.
        let refused = send(&program, &mut [Sender::new(1, 4)], &mut ledger, ENOUGH).unwrap();
        let (status, log) = program.wait();
        let took = refused.elapsed();
        assert_eq!(status.code(), Some(74), "{when}: {log}");
        assert!(took < Duration::from_secs(5), "{when}: ended {took:?} after the first refusal");
        let first: usize = when.trim_end_matches('+').parse().unwrap();
        assert!(ledger.stored() < first, "{when}: {} stored", ledger.stored());
        println!("sync {when} failed: {ledger}; ended after {took:?}");
        recovers(&mut home, &ledger, when);
    }
}

#[test]
fn a_batch_of_many_whose_sync_fails_is_acknowledged_to_none_of_them() {
    require!(installed("strace"));
    for (when, seed) in [("2", 1), ("5", 2), ("20", 3)] {
        let mut home = used("");
        failing(&mut home, when, "rollcall.db-wal");
        let program = home.start();
        let mut ledger = Ledger::default();
        ledger.knows(&first_message("00000000000000000000aaaa", 1_600_000_000.5));
        let mut senders: Vec<Sender> = (0..16).map(|n| Sender::new(n, seed)).collect();
        send(&program, &mut senders, &mut ledger, ENOUGH);
        let (status, log) = program.wait();
        assert_eq!(status.code(), Some(74), "{when}: {log}");
        recovers(&mut home, &ledger, when);
    }
}

#[test]
fn a_checkpoint_whose_sync_fails_ends_the_process_and_loses_nothing() {
    require!(installed("strace"));
    let mut home = used("[store]\nwal_checkpoint = \"256KiB\"");
    failing(&mut home, "1", "rollcall.db");
    let program = home.start();
    let mut ledger = Ledger::default();
    ledger.knows(&first_message("00000000000000000000aaaa", 1_600_000_000.5));
    let mut senders: Vec<Sender> = (0..4).map(|n| Sender::new(n, 5)).collect();
    send(&program, &mut senders, &mut ledger, ENOUGH);
    let (status, log) = program.wait();
    assert_eq!(status.code(), Some(74), "{log}");
    assert!(log.contains("can no longer be trusted"), "{log}");
    recovers(&mut home, &ledger, "checkpoint");
}

/// The memory from which a checkpoint would copy may be newer than the disk, or be read again from
/// it: only a start that reads the file afresh knows.
#[test]
fn after_a_failed_sync_the_database_is_not_written_any_more() {
    require!(installed("strace"));
    let mut home = used("");
    let calls = ["fsync", "fdatasync", "pwrite64", "ftruncate", "unlink"];
    let inject = "fsync,fdatasync:error=EIO:when=4";
    home.wrapper = strace(&home, &calls.join(","), inject, &["rollcall.db", "rollcall.db-wal"]);
    let program = home.start();
    let mut ledger = Ledger::default();
    send(&program, &mut [Sender::new(1, 4)], &mut ledger, ENOUGH);
    program.wait();
    let log = traced(&home);
    let (_, after) = log.split_once("INJECTED").expect("a sync failed");
    // A thread that the end of the process interrupts is a line too, without the name of a call.
    let is_call = |line: &&str| calls.iter().any(|call| line.contains(&format!("{call}(")));
    let written: Vec<&str> = after.lines().skip(1).filter(is_call).collect();
    assert!(written.is_empty(), "after the failed sync:\n{}", written.join("\n"));
}
