//! Records that are unreadable or lost are rebuilt from the journal, while all others are served.

use serde_json::json;

use super::damage_repair::{copy_of, damage, doctor, is_whole, lists, lived, names};
use crate::operator_commands::{messages, run, run_alone};
use crate::support::{APP, Home, Program, first_message, until};

/// Three app users, each with a name.
fn named() -> (Home, Program) {
    let home = Home::new();
    let program = home.start();
    for (id, name) in [("ann", "Ann"), ("bob", "Bob"), ("eve", "Eve")] {
        let user = json!({ "_id": id, "userId": name, "givenName": name, "properties": { "of": name } });
        let body = json!({ "trigger": "conversation:read", "app": { "_id": APP }, "appUser": user });
        assert_eq!(program.webhook(body.to_string()).status, 200);
    }
    (home, program)
}

/// The faults of a record.
const UNREADABLE: [&str; 4] = ["x''", "x'ff'", "x'02ffffffffffffffff'", "zeroblob(20)"];

fn spoil(home: &Home, id: &str, record: &str) -> i64 {
    damage(home, &format!("UPDATE app_users SET record = {record} WHERE id = '{id}'"));
    home.find(&format!("SELECT rowid FROM app_users WHERE id = '{id}'"))
}

#[test]
fn a_record_that_cannot_be_read_is_named_by_every_command_and_mended_by_rebuild() {
    let (home, program) = named();
    let before = program.all_app_users();
    program.stop();
    for record in UNREADABLE {
        let home = copy_of(&home);
        let row = spoil(&home, "bob", record);
        let place = format!("row {row} of app_users");
        let found = doctor(&home);
        assert!(found["state"] == "wrong" && found["said"].as_str().unwrap().contains(&place), "{found}");
        assert!(found["remedy"].as_str().unwrap().contains("rebuild"), "{found}");
        for args in [&["verify"][..], &["rebuild", "--verify"]] {
            let ran = run_alone(&home, args);
            names(&ran, "records", record);
            assert!(format!("{}{}", ran.out, ran.err).contains(&place), "{ran:?}");
        }
        run_alone(&home, &["rebuild"]).well();
        is_whole(&home, None, record);
        assert_eq!(home.start().all_app_users(), before, "{record}");
    }
}

#[test]
fn a_record_that_cannot_be_read_ends_no_service_which_learns_it_again() {
    for record in UNREADABLE {
        let (home, program) = named();
        program.stop();
        let program = home.start();
        let row = spoil(&home, "bob", record);
        // A webhook about both is not stored in part; others about one of them are still accepted.
        assert_eq!(program.webhook(first_message("bob", 1_600_000_001.0)).status, 503, "{}", program.log());
        assert_eq!(program.webhook(first_message("ann", 1_600_000_002.0)).status, 200);
        assert_eq!(program.webhook(first_message("new", 1_600_000_003.0)).status, 200);
        let log = program.wait_for_log("cannot be read");
        assert!(log.contains(&format!("row {row} of app_users")) && !log.contains("bob"), "{log}");
        until(&format!("{record}: it is learned again"), || {
            program.webhook(first_message("bob", 1_600_000_004.0)).status == 200
        });
        let bob = program.get("/v1/appusers/bob").json();
        assert_eq!(bob["appUser"]["givenName"], "Bob", "{bob}");
        is_whole(&home, Some(&program), record);
        // And so the next time.
        spoil(&home, "bob", record);
        until(&format!("{record}: it is learned again"), || program.get("/v1/appusers/Bob").status == 200);
        until("the record is whole", || run(&home, &program, &["verify"]).code == Some(0));
    }
}

#[test]
fn a_read_finds_a_record_that_cannot_be_read_as_well() {
    for path in
        ["/v1/appusers/bob", "/v1/appusers/Bob", "/v1/appusers", "/v1/appusers?q=bob", "/v1/changes?since=0"]
    {
        let (home, program) = named();
        spoil(&home, "bob", "x'ff'");
        let asked = program.get(path);
        assert_eq!(asked.status, 503, "{path}: {asked:?}");
        assert_eq!(program.get("/v1/appusers/ann").status, 200);
        until(path, || program.get(path).status == 200);
    }
}

#[test]
fn records_that_are_lost_are_learned_again() {
    let (lived, _) = lived();
    let before = lists(&copy_of(&lived).start());
    for sql in ["DROP TABLE app_users", "DELETE FROM app_users"] {
        // While no service runs: every command reports it, and rebuild mends it.
        let home = copy_of(&lived);
        damage(&home, sql);
        names(&run_alone(&home, &["verify"]), "records", sql);
        names(&run_alone(&home, &["rebuild", "--verify"]), "records", sql);
        assert!(doctor(&home)["said"].as_str().unwrap().contains("records is damaged"), "{sql}");
        run_alone(&home, &["rebuild"]).well();
        is_whole(&home, None, sql);
        assert_eq!(lists(&home.start()), before, "{sql}");
        // So does a start.
        let home = copy_of(&lived);
        damage(&home, sql);
        let program = home.start();
        program.wait_for_log("rebuilt from the journal");
        until(sql, || program.get("/v1/appusers?sort=lastSeen").status == 200);
        assert_eq!(lists(&program), before, "{sql}");
        is_whole(&home, Some(&program), sql);
        drop(program);
        // And a service under which it happens.
        let home = copy_of(&lived);
        let program = home.start();
        damage(&home, sql);
        messages(&program, &["new", "newer", "new"]);
        program.wait_for_log("rebuilt from the journal");
        run(&home, &program, &["rebuild"]).well();
        is_whole(&home, Some(&program), sql);
        for id in ["new", "newer"] {
            assert_eq!(program.get(&format!("/v1/appusers/{id}")).status, 200, "{sql}");
        }
        assert!(program.all_app_users().len() > 20, "{sql}");
    }
}
