//! F5: no room. A refusal that passes once there is room, without a restart.

use super::*;
use crate::support::{request, until};

/// Writes until the program refuses; gives how many it took, and the refusal.
fn fill(program: &Program, from: usize) -> (usize, crate::support::Answer) {
    for n in from..from + 4000 {
        let answer = program.webhook(large(n, 20_000));
        if answer.status != 200 {
            return (n, answer);
        }
    }
    panic!("never refused");
}

#[test]
fn a_full_disk_is_a_refusal_that_ends_when_there_is_room_again() {
    let home = Home::with(ON_DISK);
    let disk = require!(Mounted::new(&home, &["-t", "tmpfs", "-o", "size=8m", "tmpfs"]));
    let program = home.start();
    let (stored, refusal) = fill(&program, 1);
    assert_eq!((refusal.status, refusal.code().as_str()), (503, "storage_full"), "{refusal:?}");
    assert!(refusal.header("retry-after").is_some());
    assert!(stored > 50, "{stored}");

    for n in [1, stored - 1] {
        assert_eq!(program.app_user(&format!("{n:024x}")).status, 200, "reading goes on");
    }
    let not_ready = program.admin("/readyz");
    assert_eq!(not_ready.status, 503, "{not_ready:?}");
    assert_eq!(program.admin("/livez").status, 200);
    assert_eq!(program.webhook(large(1, 20_000)).status, 200, "what is stored needs no room");
    assert_eq!(program.admin("/readyz").status, 503, "and does not show that there is any");
    for _ in 0..20 {
        assert_eq!(program.webhook(large(stored, 20_000)).status, 503, "still full");
    }

    disk.remount("size=64m");
    assert_eq!(program.webhook(large(stored, 20_000)).status, 200, "room again");
    assert_eq!(program.admin("/readyz").status, 200);
    let (again, _) = fill(&program, stored + 1);
    // Killed while full, it starts on the full disk, and then has everything.
    program.kill();
    let program = home.start();
    for n in 1..again {
        assert_eq!(program.app_user(&format!("{n:024x}")).status, 200, "{n}");
    }
    program.stop();
    let conn = rusqlite::Connection::open(home.path().join("disk/rollcall.db")).unwrap();
    let integrity: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(integrity, "ok");
}

/// A write that fails somewhere in the middle of a transaction.
#[test]
fn a_write_that_fails_is_a_refusal_and_the_next_one_is_stored() {
    require!(installed("strace"));
    for (error, code) in [
        ("ENOSPC", "storage_full"),
        ("EDQUOT", "unavailable"),
        ("EIO", "unavailable"),
        ("EROFS", "unavailable"),
    ] {
        let mut home = used("");
        let inject = format!("pwrite64:error={error}:when=20..26");
        home.wrapper = strace(&home, "pwrite64", &inject, &["rollcall.db-wal"]);
        let program = home.start();
        let statuses: Vec<_> = (1..20).map(|n| program.webhook(large(n, 1000))).collect();
        let refused: Vec<_> = statuses.iter().filter(|answer| answer.status != 200).collect();
        assert!(!refused.is_empty() && refused.len() < 10, "{error}: {} refused", refused.len());
        for answer in refused {
            assert_eq!((answer.status, answer.code().as_str()), (503, code), "{error}");
        }
        for (n, answer) in (1..20).zip(&statuses).filter(|(_, answer)| answer.status == 503) {
            assert_eq!(program.app_user(&format!("{n:024x}")).status, 404, "{answer:?}");
            assert_eq!(program.webhook(large(n, 1000)).status, 200, "{error}: again");
        }
        program.kill();
        home.wrapper.clear();
        let program = home.start();
        assert!((1..20).all(|n| program.app_user(&format!("{n:024x}")).status == 200), "{error}");
        assert_eq!(home.rows("journal"), 20, "{error}");
    }
}

#[test]
fn a_file_grown_to_its_limit_is_a_refusal_and_does_not_end_the_program() {
    require!(installed("prlimit"));
    let mut home = Home::new();
    home.wrapper = ["prlimit", "--fsize=4194304"].map(String::from).into();
    let program = home.start();
    let (stored, refusal) = fill(&program, 1);
    assert_eq!(refusal.status, 503, "{refusal:?}");
    for n in [1, stored - 1] {
        assert_eq!(program.app_user(&format!("{n:024x}")).status, 200);
    }
    assert_eq!(program.webhook(large(stored, 20_000)).status, 503, "alive, and still refusing");
    program.kill();
    home.wrapper.clear();
    let program = home.start();
    assert!((1..stored).all(|n| program.app_user(&format!("{n:024x}")).status == 200));
    assert_eq!(program.webhook(large(stored, 20_000)).status, 200);
}

/// F7: unreadable data is not reported as absent.
#[test]
fn a_read_that_fails_is_503_and_never_404() {
    require!(installed("strace"));
    let home = Home::new();
    let program = home.start();
    for n in 1..400 {
        assert_eq!(program.webhook(large(n, 2000)).status, 200);
    }
    program.stop();
    let mut home = home;
    home.wrapper =
        strace(&home, "pread64", "pread64:error=EIO:when=160+", &["rollcall.db", "rollcall.db-wal"]);
    let program = home.start();
    let mut refused = 0;
    for n in (1..400).rev() {
        let answer = program.app_user(&format!("{n:024x}"));
        assert!([200, 503].contains(&answer.status), "{n}: {answer:?}");
        refused += u64::from(answer.status == 503);
    }
    assert!(refused > 20, "{refused}: {}", traced(&home).len());
    let list = program.get("/v1/appusers?limit=1000");
    assert_eq!(list.status, 503, "{list:?}");
    // The probe's own row is in memory. A webhook that needs the disk is refused, and then the program is not ready,
    // or has ended because it no longer knows the state of the disk.
    let refused = (1..400).any(|n| program.webhook(large(n, 2001)).status == 503);
    assert!(refused, "webhooks were stored without reading: {}", traced(&home).len());
    until("not ready", || {
        request(program.admin, "GET", "/readyz", &[], b"").map_or(true, |answer| answer.status == 503)
    });
    program.kill();
    home.wrapper.clear();
    let program = home.start();
    assert!((1..400).all(|n| program.app_user(&format!("{n:024x}")).status == 200));
}
