//! The key file, and the commands that prove themselves with it.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use serde_json::json;

use super::{post, who};
use crate::operator_commands::{run, run_alone};
use crate::support::{Home, Missing, NamedOperator, Session, key_of, request, require};

#[test]
fn the_key_file_is_made_once_for_its_owner_and_refused_when_others_may_read_it() {
    let home = Home::new();
    let path = home.path().join("rollcall.db-key");
    let program = home.start();
    let key = key_of(program.admin).unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    program.stop();
    let program = home.start();
    assert_eq!(key_of(program.admin).unwrap(), key);
    set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let chmod = format!("chmod 600 {}", path.display());
    // A running service goes on with what it has.
    program.signal("HUP");
    let line = program.wait_for_log("SIGHUP: reload refused");
    assert!(line.contains("ERROR") && program.log().contains(&chmod), "{line}");
    assert_eq!(who(&program, &[("authorization", &format!("Bearer {key}"))]), 200);
    program.stop();
    let (status, log) = home.try_start().err().unwrap();
    assert_eq!(status.code(), Some(78), "{log}");
    assert!(log.contains(&chmod) && !log.contains(&key), "{log}");
    std::fs::write(&path, "no key\n").unwrap();
    set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let (status, log) = home.try_start().err().unwrap();
    assert_eq!(status.code(), Some(78), "{log}");
    assert!(log.contains("delete it"), "{log}");
    std::fs::remove_file(&path).unwrap();
    assert_ne!(key_of(home.start().admin).unwrap(), key);
}

/// A pipe would hold up whoever opens it; none of them is a key that could be deleted as a file.
#[test]
fn something_else_in_the_place_of_the_key_file_is_named_and_holds_nothing_up() {
    let home = Home::new();
    let program = home.start();
    let path = home.path().join("rollcall.db-key");
    let remove = |what: &str| match what {
        "a folder" => std::fs::remove_dir(&path).unwrap(),
        _ => std::fs::remove_file(&path).unwrap(),
    };
    std::fs::remove_file(&path).unwrap();
    for what in ["a pipe", "a folder", "a link to nothing"] {
        match what {
            "a pipe" => assert!(Command::new("mkfifo").arg(&path).status().unwrap().success()),
            "a folder" => std::fs::create_dir(&path).unwrap(),
            _ => std::os::unix::fs::symlink("nothing", &path).unwrap(),
        }
        let command = run(&home, &program, &["console"]);
        assert_eq!(command.code, Some(74), "{what}: {command:?}");
        assert!(command.err.contains(what) && command.err.contains("remove it"), "{what}: {command:?}");
        let doctor = run_alone(&home, &["doctor"]).out;
        assert!(doctor.contains("WRONG   key file: ") && doctor.contains("rm -r "), "{what}: {doctor}");
        // A running service goes on with what it has.
        program.signal("HUP");
        program.wait_for_log(&format!("and is {what}"));
        remove(what);
    }
    program.stop();
    for what in ["a pipe", "a link to nothing"] {
        match what {
            "a pipe" => assert!(Command::new("mkfifo").arg(&path).status().unwrap().success()),
            _ => std::os::unix::fs::symlink("nothing", &path).unwrap(),
        }
        let (status, log) = home.try_start().err().unwrap();
        assert_eq!(status.code(), Some(78), "{log}");
        assert!(log.contains(what) && log.contains("remove it"), "{log}");
        remove(what);
    }
    home.start();
}

#[test]
fn no_command_writes_over_the_key_file() {
    let home = Home::new();
    home.start().stop();
    let before = std::fs::read(home.path().join("rollcall.db-key")).unwrap();
    for args in [["backup", "rollcall.db-key"], ["export", "--out"]] {
        let mut args = args.to_vec();
        args.extend((args[0] == "export").then_some("rollcall.db-key"));
        assert_ne!(run_alone(&home, &args).code, Some(0), "{args:?}");
    }
    assert_eq!(std::fs::read(home.path().join("rollcall.db-key")).unwrap(), before);
}

#[test]
fn a_link_of_the_console_signs_in_once() {
    let home = Home::new();
    let program = home.start();
    let printed = run(&home, &program, &["console", "--role", "viewer", "--name", "ann"]).well();
    let begin = format!("http://{}/console/#/login/", program.admin);
    let code = printed.out.strip_prefix(&begin).unwrap_or_else(|| panic!("{printed:?}")).trim_end();
    let begun = post(&program, "/session", &[], &json!({ "code": code }));
    let said = begun.json();
    assert_eq!((&said["who"], &said["role"]), (&json!("ann"), &json!("viewer")));
    assert_eq!(post(&program, "/session", &[], &json!({ "code": code })).status, 401);
    let session = Session::of(&begun);
    let made = request(program.admin, "POST", "/session/code", &session.headers(), b"{}").unwrap();
    assert_eq!(made.status, 403, "a session makes no other: {made:?}");
    assert_eq!(run(&home, &program, &["console", "--role", "owner"]).code, Some(2));
    program.stop();
    let alone = run_alone(&home, &["console"]);
    assert_eq!(alone.code, Some(69), "{alone:?}");
    assert!(alone.err.contains("is it running?"), "{alone:?}");
}

#[test]
fn a_command_without_the_right_key_says_what_to_do() {
    let home = Home::new();
    let program = home.start();
    let path = home.path().join("rollcall.db-key");
    let key = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let missing = run(&home, &program, &["quarantine", "redrive", "1"]);
    assert_eq!(missing.code, Some(69), "{missing:?}");
    assert!(missing.err.contains("rollcall.db-key does not exist"), "{missing:?}");
    std::fs::write(&path, "A".repeat(43)).unwrap();
    set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let other = run(&home, &program, &["console"]);
    assert_eq!(other.code, Some(69), "{other:?}");
    assert!(other.err.contains("does not accept the key in") && !other.err.contains("AAAA"), "{other:?}");
    std::fs::write(&path, key).unwrap();
    set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    let open = run(&home, &program, &["console"]);
    assert_eq!(open.code, Some(74), "{open:?}");
    assert!(open.err.contains(&format!("chmod 600 {}", path.display())), "{open:?}");
}

#[test]
fn a_user_who_may_not_read_the_key_file_is_told_whose_it_is() {
    let home = Home::new();
    let program = home.start();
    // Everything but the key file may be read by the other user.
    set_permissions(home.path(), Permissions::from_mode(0o777)).unwrap();
    let copy = home.path().join("rollcall");
    std::fs::copy(env!("CARGO_BIN_EXE_rollcall"), &copy).unwrap();
    for file in ["rollcall.db", "rollcall.db-wal", "rollcall.db-shm"] {
        set_permissions(home.path().join(file), Permissions::from_mode(0o666)).unwrap();
    }
    let key = home.path().join("rollcall.db-key");
    require!(chown(&key, Some(0), Some(0)).map_err(|why| Missing::new(format!("not root: {why}"))));
    let admin = format!("server.admin_listen={}", program.admin);
    let mut command = Command::new(&copy);
    command.args(["--set", &admin, "console"]).current_dir(home.path()).env_remove("ROLLCALL_CONFIG");
    let output = command.uid(65534).gid(65534).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(74), "{said}");
    assert!(said.contains("cannot be read by this user") && said.contains("runuser"), "{said}");
}

#[test]
fn an_import_into_another_service_needs_a_name_and_a_secret() {
    let ann = NamedOperator::new("ann", "operator");
    let there = Home::with(&ann.settings()).start();
    let here = Home::new();
    std::fs::write(here.path().join("people.ndjson"), "{\"userId\":\"bob\"}\n").unwrap();
    let import = |to: &str| run_alone(&here, &["import", "--to", to, "people.ndjson"]);
    let none = import(&format!("http://{}", there.admin));
    assert_eq!(none.code, Some(69), "{none:?}");
    let wrong = import(&format!("http://ann:wrong@{}", there.admin));
    assert_eq!(wrong.code, Some(69), "{wrong:?}");
    assert!(
        wrong.err.contains("does not know this name and secret") && !wrong.err.contains("wrong"),
        "{wrong:?}"
    );
    let right = import(&format!("http://ann:the%20secret%20of%20ann@{}", there.admin));
    assert_eq!(right.code, Some(0), "{right:?}");
    assert_eq!(there.all_app_users().len(), 1);
}

#[test]
fn the_doctor_looks_at_the_key_file() {
    let home = Home::new();
    let doctor = || run_alone(&home, &["doctor"]).out;
    home.start().stop();
    assert!(doctor().contains("fine    key file: "), "{}", doctor());
    let path = home.path().join("rollcall.db-key");
    set_permissions(&path, Permissions::from_mode(0o604)).unwrap();
    let open = doctor();
    assert!(open.contains("WRONG   key file: ") && open.contains("chmod 600"), "{open}");
    std::fs::remove_file(&path).unwrap();
    assert!(doctor().contains("the next start"), "{}", doctor());
}
