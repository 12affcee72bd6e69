//! Files that a killed process left are removed by the next start and by an erasure, or named.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use super::{CANARY, erase, message, ok};
use crate::feed::api;
use crate::operator_commands::{command, run, run_alone};
use crate::support::{Home, Program, until};

fn live(home: &Home) -> Program {
    let program = home.start();
    for n in 0..500 {
        let known =
            json!({ "givenName": format!("{CANARY} {n}"), "properties": { "text": CANARY.repeat(50) } });
        ok(program.webhook(message(&format!("p{n}"), 1_600_000_000.0, &known, CANARY)));
    }
    program
}

/// A copy of the database, cut off as if its writer had been killed.
fn half(home: &Home) -> Vec<u8> {
    home.sql().execute_batch("PRAGMA wal_checkpoint(PASSIVE)").unwrap();
    let bytes = std::fs::read(home.database()).unwrap();
    bytes[..bytes.len() / 2].to_vec()
}

/// Everything that a killed process of ours may leave in a folder, as it leaves it.
fn plant(home: &Home) -> Vec<std::path::PathBuf> {
    let at = |name: &str| home.path().join(name);
    std::fs::create_dir_all(at("rollcall.db.rebuild")).unwrap();
    std::fs::create_dir_all(at("kept")).unwrap();
    let database = half(home);
    let export = format!("{{\"rollcall\":1,\"app\":\"x\",\"name\":\"{CANARY}\"").into_bytes();
    let planted = [
        ("rollcall.db.rebuild/directory.db", &database),
        ("rollcall.db.restoring", &database),
        ("rollcall.db.before-0004.partial", &database),
        ("monday.db.partial", &database),
        ("kept/rollcall-2026-01-01T00-00-00.000Z.db.partial", &database),
        ("users.ndjson.partial", &export),
        ("users.ndjson.4711.partial", &export),
        ("users.csv.partial", &b"_id,userId".to_vec()),
        ("bob.json.partial", &b"{\"app\":\"x\"".to_vec()),
    ];
    planted
        .map(|(name, content)| {
            std::fs::write(at(name), content).unwrap();
            at(name)
        })
        .to_vec()
}

fn settings(home: &mut Home) {
    home.settings = "[backup]\nfolder = \"kept\"\nevery = \"8000h\"\n".to_owned();
}

#[test]
fn leftovers_are_removed_by_a_start_and_by_an_erasure_and_found_by_doctor() {
    let mut home = Home::new();
    settings(&mut home);
    let program = live(&home);
    program.wait_for_log("backup completed");
    let left = plant(&home);
    let found = run(&home, &program, &["doctor"]);
    let lines: Vec<&str> = found.out.lines().filter(|line| line.contains("unfinished files")).collect();
    assert_eq!(lines.len(), left.len(), "{found:?}");
    assert!(lines.iter().all(|line| line.starts_with("WARNING")), "{found:?}");
    let erased = erase(&home, &program, &["p1"]);
    assert!(erased.status.success(), "{erased:?}");
    assert!(left.iter().all(|path| !path.exists()), "the erasure removed them");
    let found = run(&home, &program, &["doctor"]);
    assert!(found.out.contains("fine    unfinished files: there are none"), "{found:?}");

    let left = plant(&home);
    let (ours, at) = (half(&home), |name: &str| home.path().join(name));
    std::fs::write(at("rollcall.db.restoring-journal"), "").unwrap();
    let stays = [
        ("rollcall.db.before-0004", &ours),
        ("rollcall.db.replaced-2026", &ours),
        ("monday.db", &ours),
        ("other.db.restoring", &ours),
        ("in-use.db.partial", &ours),
        ("film.partial", &b"of somebody else".to_vec()),
        ("film.4711.partial", &b"of somebody else".to_vec()),
        ("users.ndjson.part", &b"{\"rollcall\":1,".to_vec()),
    ];
    stays.iter().for_each(|(name, content)| std::fs::write(at(name), content).unwrap());
    let held = std::fs::File::open(at("in-use.db.partial")).unwrap();
    held.try_lock().unwrap();
    program.stop();
    let program = home.start();
    assert!(left.iter().all(|path| !path.exists()), "the start removed them");
    assert!(!at("rollcall.db.restoring-journal").exists(), "with the log of each");
    assert!(stays.iter().all(|(name, _)| at(name).exists()));
    let receipt = ok(api(&program, "DELETE", "/v1/appusers/p2?erase=true", &json!({}))).json();
    let remains = receipt["erasure"]["remains"].as_str().unwrap();
    assert!(
        remains.contains("Beside the database: rollcall.db.before-0004, rollcall.db.replaced-2026."),
        "{receipt}"
    );
    assert!(program.log().contains("removed an unfinished file of a killed process"), "{}", program.log());
}

#[test]
fn a_killed_rebuild_leaves_nothing_behind_an_erasure_and_one_under_way_is_named() {
    let home = Home::new();
    let program = live(&home);
    let folder = home.path().join("rollcall.db.rebuild");
    let lock = std::fs::File::create(home.path().join("rollcall.db.rebuild.lock")).unwrap();
    lock.lock().unwrap();
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("directory.db"), half(&home)).unwrap();
    let erased = erase(&home, &program, &["p1"]);
    assert_eq!(erased.status.code(), Some(1), "{erased:?}");
    let receipt: Value = serde_json::from_slice(&erased.stdout).unwrap();
    let receipt = &receipt["erasure"];
    assert_eq!((&receipt["complete"], receipt.get("completedAt")), (&json!(false), None), "{receipt}");
    assert_eq!(receipt["leftovers"], json!(["rollcall.db.rebuild: in use"]));
    assert!(String::from_utf8_lossy(&erased.stderr).contains("rollcall.db.rebuild: in use"), "{erased:?}");
    assert!(folder.exists());
    drop(lock);
    let erased = erase(&home, &program, &["p1"]);
    assert!(erased.status.success() && !folder.exists(), "{erased:?}");
    assert_eq!(
        ok(api(&program, "DELETE", "/v1/appusers/p1?erase=true", &json!({}))).json()["erasure"]["complete"],
        true
    );
}

#[test]
fn a_real_rebuild_that_is_killed_is_cleared_away() {
    let home = Home::new();
    let program = live(&home);
    let mut rebuild = command(&home, &program, &["rebuild", "--verify"]);
    let mut rebuild = rebuild.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let folder = home.path().join("rollcall.db.rebuild");
    until("the rebuild has begun", || {
        folder.join("directory.db").exists() || rebuild.try_wait().unwrap().is_some()
    });
    rebuild.kill().unwrap();
    rebuild.wait().unwrap();
    let erased = erase(&home, &program, &["p1"]);
    assert!(erased.status.success(), "{erased:?}");
    assert!(!folder.exists());
}

#[test]
fn files_that_cannot_be_removed_are_named() {
    let home = Home::new();
    let program = live(&home);
    let folder = home.path().join("rollcall.db.rebuild");
    std::fs::create_dir_all(folder.join("inner")).unwrap();
    std::fs::write(folder.join("inner/directory.db"), half(&home)).unwrap();
    let mode =
        |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(&folder.join("inner"), 0o500);
    let erased = erase(&home, &program, &["p1"]);
    if folder.exists() {
        mode(&folder.join("inner"), 0o700);
    }
    // The superuser may remove it.
    if folder.exists() {
        assert_eq!(erased.status.code(), Some(1), "{erased:?}");
        let receipt: Value = serde_json::from_slice(&erased.stdout).unwrap();
        let left = receipt["erasure"]["leftovers"][0].as_str().unwrap().to_owned();
        assert!(left.starts_with("rollcall.db.rebuild: "), "{left}");
    } else {
        assert!(erased.status.success(), "{erased:?}");
    }
}

#[test]
fn a_killed_export_leaves_nothing_that_the_next_one_does_not_put_in_place() {
    let home = Home::new();
    let program = live(&home);
    program.stop();
    let path = home.path().join("all.ndjson");
    let output = path.to_str().unwrap();
    let names = || -> Vec<String> {
        let entries = std::fs::read_dir(home.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name.starts_with("all.ndjson"));
        names
    };
    for _ in 0..20 {
        let mut export = home.command(&["export", "-o", output]);
        let mut export = export.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // At some moment of it.
        std::thread::yield_now();
        export.kill().unwrap();
        export.wait().unwrap();
        _ = std::fs::remove_file(&path);
        let left = names();
        assert!(left.is_empty() || left == ["all.ndjson.partial"], "{left:?}");
    }
    let ran = run_alone(&home, &["export", "-o", output]).well();
    assert_eq!(ran.out, "");
    assert!(ran.err.starts_with("exported 500 app users, ") && ran.err.contains(" s to "), "{ran:?}");
    assert_eq!(names(), ["all.ndjson"]);
}

#[test]
fn a_killed_backup_to_another_folder_is_found_by_an_erasure() {
    let (home, elsewhere) = (Home::new(), tempfile::tempdir().unwrap());
    let program = live(&home);
    let to = elsewhere.path().join("monday.db");
    let partial = elsewhere.path().join("monday.db.partial");
    let mut backup = command(&home, &program, &["backup", to.to_str().unwrap()]);
    let mut backup = backup.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("the backup has begun", || partial.exists() || to.exists());
    backup.kill().unwrap();
    backup.wait().unwrap();
    let erased = erase(&home, &program, &["p1"]);
    assert!(erased.status.success(), "{erased:?}");
    assert!(!partial.exists());
    let names = std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let notes = names.filter(|name| name.to_string_lossy().contains(".unfinished-")).count();
    run(&home, &program, &["doctor"]);
    assert!(notes <= 1, "what the note was on is gone, and so is the note after the next look");
}

#[test]
fn the_note_of_a_killed_command_goes_once_its_file_is_gone() {
    let (home, elsewhere) = (Home::new(), tempfile::tempdir().unwrap());
    home.start().stop();
    let note = |number: u32, names: &str| {
        let path = home.path().join(format!("rollcall.db.unfinished-{number}"));
        std::fs::write(&path, elsewhere.path().join(names).to_str().unwrap()).unwrap();
        path
    };
    let is_there = elsewhere.path().join("there.db.partial");
    std::fs::write(&is_there, "half").unwrap();
    let (needed, needless) = (note(4_000_001, "there.db.partial"), note(4_000_002, "gone.db.partial"));
    run_alone(&home, &["export", "-o", elsewhere.path().join("all.ndjson").to_str().unwrap()]).well();
    assert!(needed.exists() && !needless.exists());
    std::fs::remove_file(is_there).unwrap();
    run_alone(&home, &["backup", elsewhere.path().join("monday.db").to_str().unwrap()]).well();
    assert!(!needed.exists());
}
