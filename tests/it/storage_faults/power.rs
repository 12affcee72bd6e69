//! F2: a power cut. The file system is shut down under the program: data without a sync is lost.
//!
//! Needs root, a loop device and `xfs_io`; `ROLLCALL_POWER_CUTS` sets the number of cuts. A disk that falsely reports
//! a sync as done is not available here.

use super::*;
use crate::crash::{number, seed, send_until};
use crate::support::until;

const SENDERS: u64 = 8;
/// So little that there is a checkpoint under way, or just over, at most cuts.
const MANY_CHECKPOINTS: &str = "wal_checkpoint = \"64KiB\"\nwal_limit = \"512KiB\"";

/// A file with an empty file system on it.
fn image(home: &Home, kind: &str) -> Result<String, Missing> {
    let mkfs = format!("mkfs.{kind}");
    installed(&mkfs)?;
    let path = home.path().join("disk.img");
    let size = if kind == "xfs" { 310 } else { 64 };
    std::fs::File::create(&path).unwrap().set_len(size << 20).unwrap();
    let made = Command::new(mkfs).arg("-q").arg(&path).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    Ok(path.to_str().unwrap().to_owned())
}

/// One run of the program on the disk, with a power cut at its end. The ledger marks events acknowledged before the
/// cut.
fn life(home: &Home, disk: Mounted, senders: &mut [Sender], ledger: &mut Ledger, acks: u64) {
    let program = home.start();
    send_until(program.listen, senders, ledger, acks, |ledger, answers| {
        answers.try_iter().for_each(|sent| ledger.note(sent));
        let cut = Command::new("xfs_io").args(["-x", "-c", "shutdown"]).arg(&disk.0).output().unwrap();
        assert!(cut.status.success(), "{cut:?}");
        // A real cut stops the processor as well: later acknowledgements do not count.
        program.kill();
        answers.into_iter().for_each(|sent| ledger.note(Sent { acknowledged: false, ..sent }));
    });
    until("unmounted", || Command::new("umount").arg(&disk.0).output().unwrap().status.success());
    std::mem::drop(disk);
}

/// Cuts the power `cuts` times; returns how often an acknowledged event was lost.
fn losses(kind: &str, cuts: u64, lies: bool) -> Result<u64, Missing> {
    let mut home = Home::with(ON_DISK);
    let image = image(&home, kind)?;
    let mount = |home: &Home| Mounted::new(home, &["-o", "loop", &image]);
    let disk = mount(&home)?;
    home.start().stop();
    drop(disk);
    let mut rng = seed(kind);
    let mut lost = 0;
    let mut senders: Vec<Sender> = (0..SENDERS).map(|n| Sender::new(n, rng.next())).collect();
    let mut ledger = Ledger::default();
    for n in 0..cuts {
        home.settings =
            if n % 2 == 0 { format!("{ON_DISK}\n{MANY_CHECKPOINTS}") } else { ON_DISK.to_owned() };
        let disk = mount(&home)?;
        let paths = ["disk/rollcall.db", "disk/rollcall.db-wal"];
        let sync = "fsync,fdatasync";
        home.wrapper =
            if lies { strace(&home, sync, &format!("{sync}:retval=0"), &paths) } else { Vec::new() };
        life(&home, disk, &mut senders, &mut ledger, 1 + rng.below(200));
        let disk = mount(&home)?;
        home.wrapper.clear();
        let program = home.start();
        let conn = rusqlite::Connection::open(disk.0.join("rollcall.db")).unwrap();
        match ledger.trouble(&conn) {
            Some(_) if lies => lost += 1,
            Some(trouble) => panic!("{kind}, cut {n}: {trouble}"),
            None => {}
        }
        drop(conn);
        drop(program.stop());
        until("unmounted", || Command::new("umount").arg(&disk.0).output().unwrap().status.success());
    }
    println!("{kind}: {cuts} power cuts; {ledger}; {lost} with losses");
    Ok(lost)
}

#[test]
fn after_a_power_cut_it_has_everything_it_acknowledged_before() {
    require!(installed("xfs_io"));
    let cuts = number("ROLLCALL_POWER_CUTS", 5);
    assert_eq!(require!(losses("ext4", cuts, false)), 0);
    assert_eq!(require!(losses("xfs", cuts, false)), 0);
}

/// With syncs that only pretend, the same test must find losses: else it would be blind.
#[test]
fn without_syncs_a_power_cut_loses_acknowledged_events() {
    require!(installed("xfs_io"));
    require!(installed("strace"));
    assert_ne!(require!(losses("ext4", 3, true)), 0);
}
