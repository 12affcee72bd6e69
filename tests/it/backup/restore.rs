//! Restores a backup: never over a database in use, and with the old or the new database in place at every moment.

use std::path::PathBuf;

use super::{backed_up, message, printed, refused};
use crate::storage_faults::{strace, traced};
use crate::support::{Home, installed, require};

/// The databases that were set aside here.
fn aside(home: &Home) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().path());
    entries
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.contains(".replaced-") && name.ends_with('Z')
        })
        .collect()
}

#[test]
fn a_database_in_use_or_in_place_is_replaced_only_when_asked() {
    let (home, made) = backed_up(5);
    let (code, said) = refused(&home, &["restore", "backup.db"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("--replace") && said.contains("already exists"), "{said}");
    let program = home.start();
    let (code, said) = refused(&home, &["restore", "--replace", "backup.db"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("in use by another process"), "{said}");
    assert_eq!(program.webhook(message(5)).status, 200);
    // Changes that are only in the log of a killed program are saved with the rest.
    program.kill();
    assert!(std::fs::metadata(home.path().join("rollcall.db-wal")).unwrap().len() > 0);
    let back = printed(&home, &["restore", "--replace", "backup.db"]);
    assert_eq!(back["checksum"], made["checksum"]);
    let aside = aside(&home);
    assert_eq!(aside.len(), 1, "{aside:?}");
    let old = printed(&home, &["verify", aside[0].to_str().unwrap()]);
    assert_eq!((old["users"].as_u64(), back["users"].as_u64()), (Some(6), Some(5)));
    let program = home.start();
    assert_eq!(program.all_app_users().len(), 5);
    program.stop();
    let (code, said) = refused(&home, &["restore", "--replace", "rollcall.db"]);
    assert_eq!(code, Some(1), "onto itself: {said}");
    std::os::unix::fs::symlink("backup.db", home.path().join("link.db")).unwrap();
    for args in
        [&["rollcall.db"][..], &["--to", "backup.db", "backup.db"], &["--to", "./link.db", "backup.db"]]
    {
        for more in [&["--replace"][..], &[]] {
            let (code, said) = refused(&home, &[&["restore"], more, args].concat());
            assert_eq!(code, Some(1), "{args:?}: {said}");
            assert!(said.contains("are the same file") && !said.contains("--replace"), "{args:?}: {said}");
        }
    }
}

#[test]
fn a_backup_alone_restores_everything_on_an_empty_machine() {
    let (there, made) = backed_up(5);
    let home = Home::new();
    std::fs::copy(there.path().join("backup.db"), home.path().join("b.db")).unwrap();
    let back = printed(&home, &["restore", "b.db"]);
    assert_eq!(back["checksum"], made["checksum"]);
    let program = home.start();
    assert_eq!(program.all_app_users().len(), 5);
    assert_eq!(program.webhook(message(4)).status, 200, "it knows what it was told before");
    assert_eq!(home.rows("journal"), 5);
    program.stop();
    // Put in place by hand, a backup becomes a database as well.
    let home = Home::new();
    std::fs::copy(there.path().join("backup.db"), home.database()).unwrap();
    let program = home.start();
    assert_eq!(program.webhook(message(5)).status, 200);
    assert_eq!(printed(&home, &["verify"])["users"], 6);
    program.stop();
}

/// Restores over a database that has something in its log only, as after a crash, and is killed at the `at`th
/// of these calls; gives whether that came to pass, and how many users there are then.
fn killed_at(call: &str, at: usize, source: &Home) -> (bool, usize) {
    let mut home = Home::new();
    std::fs::copy(source.path().join("backup.db"), home.path().join("b.db")).unwrap();
    let program = home.start();
    for n in 0..5 {
        assert_eq!(program.webhook(message(n)).status, 200);
    }
    program.kill();
    home.wrapper = strace(&home, call, &format!("{call}:signal=SIGKILL:when={at}"), &[]);
    let output = home.command(&["restore", "--replace", "b.db"]).output().unwrap();
    let killed = traced(&home).contains("killed by SIGKILL");
    assert!(killed || output.status.success(), "{call} {at}: {}", String::from_utf8_lossy(&output.stderr));
    home.wrapper.clear();
    let program = home.start();
    let users = program.all_app_users().len();
    program.stop();
    if killed {
        // A second attempt succeeds.
        printed(&home, &["restore", "--replace", "b.db"]);
        assert_eq!(home.find::<i64>("SELECT count(*) FROM app_users WHERE listed"), 3);
    }
    (killed, users)
}

/// strace counts each call by itself.
#[test]
fn killed_at_any_call_a_restore_leaves_the_old_database_or_the_new_one() {
    require!(installed("strace"));
    let (source, _) = backed_up(3);
    let (mut old, mut new) = (0, 0);
    for call in ["pwrite64", "fsync", "fdatasync", "ftruncate", "rename", "linkat", "unlink"] {
        for at in 1.. {
            let (killed, users) = killed_at(call, at, &source);
            match users {
                5 if killed => old += 1,
                3 => new += usize::from(killed),
                _ => panic!("killed at {call} {at}: {users} users"),
            }
            if !killed {
                break;
            }
        }
    }
    println!("killed at each of {} calls: {old} times the old one, {new} times the new one", old + new);
    assert!(old > 40 && new > 0, "{old} {new}");
}

/// A file too damaged for its log to be applied is saved together with the log, for inspection.
#[test]
fn a_damaged_database_is_replaced_and_saved_with_its_log() {
    let (home, made) = backed_up(3);
    let program = home.start();
    assert_eq!(program.webhook(message(3)).status, 200);
    program.kill();
    let wal = std::fs::read(home.path().join("rollcall.db-wal")).unwrap();
    assert!(!wal.is_empty());
    std::fs::write(home.database(), b"SQLite format 4\0".repeat(300)).unwrap();
    let back = printed(&home, &["restore", "--replace", "backup.db"]);
    assert_eq!(back["checksum"], made["checksum"]);
    let aside = aside(&home);
    assert!(std::fs::read(&aside[0]).unwrap().starts_with(b"SQLite format 4"));
    let log = PathBuf::from(format!("{}-wal", aside[0].display()));
    if log.exists() {
        assert_eq!(std::fs::read(log).unwrap(), wal);
    }
    assert_eq!(home.start().all_app_users().len(), 3);
}
