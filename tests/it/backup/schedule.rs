//! Scheduled backups.

use std::path::PathBuf;

use super::{message, printed, refused};
use crate::support::{Home, until};

const MADE: &str = "rollcall_backups_total{outcome=\"made\"}";
const FAILED: &str = "rollcall_backups_total{outcome=\"failed\"}";
const NEWEST: &str = "rollcall_backup_last_success_timestamp_seconds";

fn in_folder(home: &Home) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(home.path().join("kept")).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn the_configured_number_of_whole_backups_is_retained() {
    let home = Home::with("[backup]\nfolder = \"kept\"\nevery = \"50ms\"\nkeep = 3");
    std::fs::create_dir(home.path().join("kept")).unwrap();
    let (mine, left) = (home.path().join("kept/mine.db"), "rollcall-2020-01-01T00-00-00.000Z.db.partial");
    std::fs::write(&mine, "not theirs to delete").unwrap();
    std::fs::write(home.path().join("kept").join(left), "of a program that was killed").unwrap();
    let program = home.start();
    for n in 0..10 {
        assert_eq!(program.webhook(message(n)).status, 200);
        let made = program.metric(MADE);
        until("there is one more", || program.metric(MADE) > made);
    }
    assert!(program.metric(NEWEST) > 1_700_000_000.0);
    assert_eq!(program.metric(FAILED), 0.0);
    let log = program.stop();
    assert!(log.contains("backup completed"), "{log}");
    let files = in_folder(&home);
    assert_eq!(files.len(), 4, "{files:?}");
    assert_eq!(files[0], mine);
    let users = files[1..].iter().map(|file| printed(&home, &["verify", file.to_str().unwrap()]));
    let users: Vec<u64> = users.map(|found| found["users"].as_u64().unwrap()).collect();
    assert!(users.is_sorted() && users[2] >= 9, "{users:?}");
}

#[test]
fn the_age_of_the_newest_survives_a_restart_and_the_next_is_made_when_it_is_due() {
    let home = Home::with("[backup]\nfolder = \"kept\"\nevery = \"30m\"");
    let program = home.start();
    until("the first is made at once", || program.metric(MADE) == 1.0);
    until("its time is known", || program.metric(NEWEST) > 0.0);
    let newest = program.metric(NEWEST);
    program.stop();
    let program = home.start();
    until("it is known again", || program.metric(NEWEST) == newest);
    assert_eq!(program.metric(MADE), 0.0);
    program.stop();
    assert_eq!(in_folder(&home).len(), 1);
    // The clock was wrong when it was made.
    let files = in_folder(&home);
    std::fs::rename(&files[0], files[0].with_file_name("rollcall-2999-01-01T00-00-00.000Z.db")).unwrap();
    let program = home.start();
    until("one from the future says nothing", || program.metric(MADE) == 1.0);
    program.stop();
}

/// The clock was ahead for a while. Only the backups of this process decide when the next one is due.
#[test]
fn a_backup_dated_in_the_future_neither_counts_nor_displaces_a_good_one() {
    let mut home = Home::with("[backup]\nfolder = \"kept\"\nevery = \"30m\"\nkeep = 3");
    home.start().stop();
    std::fs::create_dir_all(home.path().join("kept")).unwrap();
    for file in in_folder(&home) {
        std::fs::remove_file(file).unwrap();
    }
    let name = |year: u32| format!("kept/rollcall-{year}-01-01T00-00-00.000Z.db");
    for year in [2020, 2021, 2999] {
        printed(&home, &["backup", &name(year)]);
    }
    let program = home.start();
    until("one is made, as the newest is old", || program.metric(MADE) == 1.0);
    let warned = program.wait_for_log("dated in the future");
    assert!(warned.contains("rollcall-2999-01-01"), "{warned}");
    let now = || jiff::Timestamp::now().as_second() as f64;
    until("it is the newest", || program.metric(NEWEST) > 1_700_000_000.0);
    assert!(program.metric(NEWEST) <= now());
    // Now the one that was just made is of the future: the clock was set back.
    let made =
        in_folder(&home).into_iter().find(|file| !file.to_str().unwrap().contains("-01-01T00")).unwrap();
    std::fs::rename(made, home.path().join(name(2998))).unwrap();
    program.signal("HUP");
    program.wait_for_log("rollcall-2998-01-01");
    // As long as several would take.
    for n in 0..3 {
        printed(&home, &["backup", &format!("by-hand-{n}.db")]);
    }
    assert_eq!(program.metric(MADE), 1.0);
    let newest = jiff::Timestamp::from_second(program.metric(NEWEST) as i64).unwrap();
    assert!(newest.to_string().starts_with("2021-01-01"), "{newest}");
    program.stop();
    let output = home.command(&["doctor"]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("WRONG   last backup: kept has 2"), "{said}");
    for year in [2998, 2999] {
        let says = format!(
            "WARNING last backup: {} is ignored: it is dated in the future: a clock was ahead",
            name(year)
        );
        assert!(said.contains(&says), "{said}");
    }
    // However many backups are made, these files do not count as backups and are not deleted.
    home.settings = home.settings.replace("30m", "50ms");
    let program = home.start();
    until("all that were older are gone", || program.metric(MADE) > 4.0);
    program.stop();
    let names = in_folder(&home);
    assert!([2998, 2999].iter().all(|year| home.path().join(name(*year)).exists()), "{names:?}");
    assert!([2020, 2021].iter().all(|year| !home.path().join(name(*year)).exists()), "{names:?}");
    assert!((5..=6).contains(&names.len()), "{names:?}");
}

#[test]
fn a_backup_that_is_not_whole_is_named_and_does_not_count() {
    let home = Home::with("[backup]\nfolder = \"kept\"\nevery = \"30m\"\nkeep = 1");
    let program = home.start();
    until("one is made", || program.metric(MADE) == 1.0);
    program.stop();
    let doctor = || String::from_utf8(home.command(&["doctor"]).output().unwrap().stdout).unwrap();
    assert!(doctor().contains("fine    last backup: kept has 1"), "{}", doctor());
    let made = in_folder(&home).pop().unwrap();
    let (name, whole) = (made.file_name().unwrap().to_str().unwrap(), std::fs::read(&made).unwrap());
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    let half = format!("has {} bytes, and had {}", whole.len() / 2, whole.len());
    let longer = [&whole[..], b"more"].concat();
    let live = std::fs::read(home.database()).unwrap();
    for (bytes, says) in [
        (&flipped[..], "is damaged: its bytes are not those that were written"),
        (&[], "is no database of rollcall"),
        (&longer, "bytes, and had"),
        (&live, "has no checksum"),
        (&whole[..whole.len() / 2], &half),
    ] {
        std::fs::write(&made, bytes).unwrap();
        let said = doctor();
        let is_told = said.lines().any(|line| {
            line.starts_with("WRONG   last backup: ") && line.contains(name) && line.contains(says)
        });
        assert!(is_told, "{says}: {said}");
        // A database is whole, though no backup.
        if bytes != live {
            let (code, said) = refused(&home, &["verify", made.to_str().unwrap()]);
            assert_eq!(code, Some(1), "{says}: {said}");
        }
    }
    // So the next one is made at once. Incomplete files do not count as backups and are not deleted.
    let program = home.start();
    let log = program.wait_for_log("backup file ignored");
    assert!(log.contains(name) && log.contains(&half), "{log}");
    until("another one is made", || program.metric(MADE) == 1.0);
    program.stop();
    assert_eq!(in_folder(&home).len(), 2);
    assert!(made.exists());
}

#[test]
fn a_failed_backup_is_logged_and_counted_and_the_service_runs() {
    let mut home = Home::with("[backup]\nfolder = \"no/such/disk\"\nevery = \"50ms\"");
    let program = home.start();
    until("it is tried again", || program.metric(FAILED) >= 2.0);
    let line = program.wait_for_log("backup failed");
    assert!(line.contains("no/such/disk"), "{line}");
    assert_eq!(program.metric(NEWEST), 0.0);
    assert_eq!(program.webhook(message(1)).status, 200);
    assert_eq!(program.admin("/readyz").status, 200);
    // The disk is there; or the settings name another.
    home.settings = "[backup]\nfolder = \"kept\"\nevery = \"50ms\"".to_owned();
    home.command(&["check-config"]).output().unwrap();
    program.signal("HUP");
    until("it is made there", || program.metric(MADE) >= 1.0);
    program.stop();
    assert!(!in_folder(&home).is_empty());
}
