//! A journal with holes: every command that checks names them, and no record is lost by them.

use serde_json::{Value, json};

use super::{Ran, post, run, run_alone};
use crate::support::{APP, Home, KEY_ID, KEY_SECRET, Program, basic, first_message, until};

/// A history in which every app user depends on more than one entry.
fn live(program: &Program) {
    let said = |id: &str, time: i64, members: Value| {
        let mut user = json!({ "_id": id });
        user.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let body = json!({ "trigger": "message:appUser", "app": { "_id": APP }, "messages": [],
                           "timestamp": 1_600_000_000 + time, "appUser": user });
        assert_eq!(program.webhook(body.to_string()).status, 200);
    };
    let phone = json!([{ "id": "phone", "platform": "ios", "active": true }]);
    said("ann", 1, json!({ "userId": "u-ann", "givenName": "Ann", "surname": "Lee" }));
    said("bob", 2, json!({ "userId": "u-bob", "clients": phone }));
    said("ann", 3, json!({ "email": "ann@example.org", "clients": phone }));
    said("cem", 4, json!({ "properties": { "plan": "gold" } }));
    let merge = json!({ "trigger": "merge:appUser", "app": { "_id": APP }, "timestamp": 1_600_000_005,
                        "surviving": { "_id": "bob" }, "discarded": [{ "_id": "cem" }] });
    assert_eq!(program.webhook(merge.to_string()).status, 200);
    assert_eq!(program.webhook(json!({ "trigger": "new", "app": { "_id": APP } }).to_string()).status, 200);
    post(program, "/v1/appusers", &json!({ "userId": "made here", "givenName": "Mo" }));
    said("dan", 8, json!({ "givenName": "Dan" }));
    said("ann", 9, json!({ "properties": { "plan": "blue" } }));
    said("bob", 10, json!({ "givenName": "Bob" }));
    said("eve", 11, json!({ "givenName": "Eve" }));
}

/// Everything that is shown, under every name.
fn shown(program: &Program) -> (Vec<Value>, Vec<(u16, String)>) {
    let names = ["ann", "bob", "cem", "dan", "eve", "u-ann", "u-bob", "made%20here"];
    let found = names.map(|name| program.app_user(name)).map(|answer| (answer.status, answer.text));
    (program.all_app_users(), found.to_vec())
}

/// The damage to the file, and the message about it.
const DAMAGE: [(&str, &str); 24] = [
    ("DELETE FROM journal WHERE seq = 1", "journal entry 1 is missing"),
    ("DELETE FROM journal WHERE seq = 3", "journal entry 3 is missing"),
    ("DELETE FROM journal WHERE seq = 5", "journal entry 5 is missing"),
    ("DELETE FROM journal WHERE seq = 6", "journal entry 6 is missing"),
    ("DELETE FROM journal WHERE seq = 7", "journal entry 7 is missing"),
    ("DELETE FROM journal WHERE seq = 11", "journal entry 11 is missing"),
    ("DELETE FROM journal WHERE seq BETWEEN 2 AND 9", "journal entries 2 to 9 are missing"),
    ("DELETE FROM journal WHERE seq > 7", "journal entries 8 to 11 are missing"),
    ("DELETE FROM journal", "journal entries 1 to 11 are missing"),
    ("DELETE FROM journal; DELETE FROM bodies", "journal entries 1 to 11 are missing"),
    ("DELETE FROM bodies WHERE first_seq = 1", "the body of journal entry 1 is missing or damaged"),
    ("DELETE FROM bodies WHERE first_seq = 3", "the body of journal entry 3 is missing or damaged"),
    ("DELETE FROM bodies WHERE first_seq = 7", "the body of journal entry 7 is missing or damaged"),
    ("DELETE FROM bodies", "the bodies of journal entries 1 to 11 are missing or damaged"),
    ("UPDATE bodies SET bodies = zeroblob(9) WHERE first_seq = 3", "the body of journal entry 3 is missing"),
    (
        "UPDATE bodies SET bodies = substr(bodies, 1, length(bodies) - 5) WHERE first_seq = 9",
        "the body of journal entry 9 is missing",
    ),
    ("UPDATE bodies SET dictionary = 7 WHERE first_seq = 5", "the body of journal entry 5 is missing"),
    (
        "UPDATE bodies SET bodies = (SELECT bodies FROM bodies WHERE first_seq = 2) WHERE first_seq = 3",
        "the body of journal entry 3 is missing",
    ),
    ("UPDATE journal SET digest = zeroblob(16) WHERE seq = 3", "the body of journal entry 3 is missing"),
    ("UPDATE journal SET place = 4 WHERE seq = 3", "the body of journal entry 3 is missing"),
    ("UPDATE journal SET users = '[]' WHERE seq = 3", "journal entry 3 does not name the app users"),
    ("UPDATE journal SET users = '[nonsense]' WHERE seq = 9", "journal entry 9 does not name the app users"),
    (
        "UPDATE journal SET users = '[[\"dan\",null]]' WHERE seq = 11",
        "journal entry 11 does not name the app users",
    ),
    ("UPDATE journal SET app = 'another' WHERE seq = 3", "journal entry 3 does not name the app users"),
];

fn is_named(ran: &Ran, said: &str, what: &str) {
    assert_eq!(ran.code, Some(1), "{what}: {ran:?}");
    assert!(ran.out.contains(said) || ran.err.contains(said), "{what}: {said} of {ran:?}");
}

#[test]
fn every_hole_is_named_by_every_command_and_no_user_loses_data() {
    for (damage, said) in DAMAGE {
        for running in [true, false] {
            let home = Home::new();
            let mut program = home.start();
            live(&program);
            let before = shown(&program);
            if running {
                home.sql().execute_batch(damage).unwrap();
            } else {
                program.stop();
                home.sql().execute_batch(damage).unwrap();
                program = home.start();
            }
            is_named(&run(&home, &program, &["verify"]), said, damage);
            is_named(&run(&home, &program, &["rebuild", "--verify"]), said, damage);
            let doctor = run(&home, &program, &["doctor"]);
            is_named(&doctor, said, damage);
            assert!(doctor.out.contains("WRONG   journal"), "{damage}: {doctor:?}");
            is_named(&run(&home, &program, &["rebuild"]), said, damage);
            assert_eq!(shown(&program), before, "{damage}, rebuilt by the service");
            assert_eq!(program.webhook(first_message("later", 1_600_000_100.0)).status, 200);
            assert_eq!(program.app_user("later").status, 200);
            program.stop();
            is_named(&run_alone(&home, &["rebuild"]), said, damage);
            let program = home.start();
            assert_eq!(program.app_user("later").status, 200);
            let (mut everybody, found) = shown(&program);
            everybody.retain(|user| user["_id"] != "later");
            assert_eq!((everybody, found), before, "{damage}, rebuilt by the command");
        }
    }
}

/// The journal and the directory are damaged at once: missing rows are restored as far as the journal reaches.
#[test]
fn a_lost_record_is_restored_as_far_as_the_journal_reaches() {
    let home = Home::new();
    let program = home.start();
    live(&program);
    let others = ["bob", "dan"].map(|id| program.app_user(id).text);
    program.stop();
    home.sql()
        .execute_batch("DELETE FROM journal WHERE seq = 3; DELETE FROM app_users WHERE id IN ('ann', 'dan')")
        .unwrap();
    is_named(&run_alone(&home, &["rebuild"]), "journal entry 3 is missing", "a record as well");
    let program = home.start();
    let ann = program.app_user("u-ann").json();
    assert_eq!((&ann["appUser"]["givenName"], &ann["appUser"]["email"]), (&"Ann".into(), &Value::Null));
    assert_eq!(["bob", "dan"].map(|id| program.app_user(id).text)[1], others[1]);
}

/// A service whose retention leaves this many entries.
fn keeping(home: &Home, entries: usize) -> Program {
    let entries = format!("retention.history_entries={entries}");
    let args = ["server.listen=127.0.0.1:0", "server.admin_listen=127.0.0.1:0", &entries];
    let args: Vec<&str> = args.iter().flat_map(|set| ["--set", set]).collect();
    home.start_with(&args, "\"ready on ").unwrap()
}

/// Retention folds the journal into the base, hole and all, and afterwards the hole cannot be seen any more.
#[test]
fn retention_with_a_hole_loses_no_users_data() {
    for (damage, _) in DAMAGE.into_iter().filter(|(damage, _)| !damage.contains("seq > 7")) {
        let home = Home::new();
        let program = home.start();
        live(&program);
        let before = shown(&program);
        program.stop();
        home.sql().execute_batch(damage).unwrap();
        let program = keeping(&home, 1);
        for n in 0..30 {
            let body = first_message(&format!("later {}", n % 3), 1_600_000_100.0 + f64::from(n));
            assert_eq!(program.webhook(body).status, 200, "{damage}");
        }
        until("the journal is trimmed", || home.rows("journal") <= 1);
        run(&home, &program, &["rebuild"]);
        let (mut everybody, found) = shown(&program);
        everybody.retain(|user| !user["_id"].as_str().unwrap().starts_with("later"));
        assert_eq!((everybody, found), before, "{damage}");
    }
}

/// Entries deleted by an erasure or by retention are not holes.
#[test]
fn erased_and_expired_entries_are_no_holes() {
    let home = Home::new();
    let program = home.start();
    live(&program);
    for id in ["ann", "cem"] {
        let to = format!("http://{}", program.listen);
        run_alone(&home, &["erase", "--app", APP, "--to", &to, id]).well();
    }
    assert!(home.rows("gaps") > 0);
    for args in [&["verify"][..], &["rebuild", "--verify"]] {
        run(&home, &program, args).well();
    }
    program.stop();
    let program = keeping(&home, 3);
    assert_eq!(program.webhook(first_message("later", 1_600_000_100.0)).status, 200);
    until("the journal is trimmed", || home.rows("journal") <= 3);
    for args in [&["verify"][..], &["rebuild", "--verify"]] {
        run(&home, &program, args).well();
    }
    assert_eq!(home.rows("gaps"), 1, "one gap, from the first entry on");
}

/// The damage to a body, the number of the entry, and its app user.
const OTHER_BODIES: [(&str, u64, &str); 7] = [
    ("DELETE FROM bodies WHERE first_seq = 1", 1, "ann"),
    ("DELETE FROM bodies WHERE first_seq = 3", 3, "ann"),
    ("DELETE FROM bodies WHERE first_seq = 7", 7, "made%20here"),
    ("UPDATE bodies SET bodies = zeroblob(9) WHERE first_seq = 3", 3, "ann"),
    (
        "UPDATE bodies SET bodies = (SELECT bodies FROM bodies WHERE first_seq = 2) WHERE first_seq = 3",
        3,
        "ann",
    ),
    ("UPDATE journal SET digest = zeroblob(16) WHERE seq = 3", 3, "ann"),
    ("UPDATE journal SET place = 4 WHERE seq = 9", 9, "ann"),
];

/// A request for the body of a damaged entry, or for data that depends on it, is answered with the number of that
/// entry, never with another body.
#[test]
fn no_entry_is_shown_or_sent_with_the_body_of_another() {
    for (damage, seq, name) in OTHER_BODIES {
        let home = Home::new();
        let program = home.start();
        live(&program);
        home.sql().execute_batch(damage).unwrap();
        let said = format!("the body of journal entry {seq} is missing or damaged");
        for rest in ["/history?include=body", "/history", "?asOf=9999999999999", "?include=provenance"] {
            let answer = program.get(&format!("/v1/appusers/{name}{rest}"));
            assert_eq!(answer.status, 503, "{damage}: {rest}: {answer:?}");
            assert!(answer.text.contains(&said), "{damage}: {rest}: {answer:?}");
        }
        assert_eq!(program.get(&format!("/v1/appusers/{name}")).status, 200, "{damage}");
        for rest in ["/history?include=body", "?asOf=9999999999999"] {
            assert_eq!(program.get(&format!("/v1/appusers/dan{rest}")).status, 200, "{damage}: {rest}");
        }
        let number = seq.to_string();
        let user = name.replace("%20", " ");
        for args in [
            &["journal", "show", &number][..],
            &["journal", "show", &number, "--body"],
            &["journal", "show", &number, "--json"],
            &["export", "--user", &user],
        ] {
            let ran = run(&home, &program, args);
            assert_eq!((ran.code, &*ran.out), (Some(74), ""), "{damage}: {args:?}: {ran:?}");
            assert!(ran.err.contains(&said), "{damage}: {args:?}: {ran:?}");
        }
        run(&home, &program, &["journal", "show", "2", "--body"]).well();
        // Entry 7 is a call of our own API, which a replay passes over.
        let is_webhook = seq != 7;
        let all = run(&home, &program, &["journal", "replay", "..", "--dry-run", "--json"]);
        assert_eq!(all.code, Some(i32::from(is_webhook)), "{damage}: {all:?}");
        let told = &all.lines()[0];
        assert_eq!(told["wouldSend"], 10 - u64::from(is_webhook), "{damage}: {all:?}");
        let lost = &told["notSent"]["body missing or damaged"];
        assert_eq!(lost.as_u64(), is_webhook.then_some(1), "{damage}: {all:?}");
        let one = run(&home, &program, &["journal", "replay", &number]);
        assert_eq!(one.code, Some(1), "{damage}: {one:?}");
        assert!(!is_webhook || one.err.contains("its body is missing or damaged"), "{damage}: {one:?}");
        assert_eq!(program.webhook(first_message("later", 1_600_000_100.0)).status, 200);
    }
}

/// DELETEs an app user with this query.
fn removed(program: &Program, id: &str, query: &str) {
    let auth = basic(KEY_ID, KEY_SECRET);
    let path = format!("/v1/appusers/{id}{query}");
    let answer = program.request("DELETE", &path, &[("authorization", auth.as_str())], b"");
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// The rows of all removed app users, and of those connected with them by merges.
fn rows_of(home: &Home) -> Vec<String> {
    let sql = "SELECT app || ' ' || id || ' ' || hex(record) FROM app_users WHERE id IN ('w', 'w2')
               UNION ALL SELECT 'erased ' || app || ' ' || id FROM erasures ORDER BY 1";
    let sqlite = home.sql();
    let mut select = sqlite.prepare(sql).unwrap();
    select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// The ways to remove an app user, and the entries that the journal loses then.
const GONE: [(&str, &[&str], &str); 10] = [
    ("single", &["erase w"], "trigger = 'api:erase'"),
    ("single", &["erase w"], "1"),
    ("single", &["remove w"], "seq = (SELECT max(seq) FROM journal)"),
    ("single", &["remove w"], "1"),
    ("pair", &["merge", "erase w"], "trigger = 'api:erase'"),
    ("pair", &["merge", "erase w"], "1"),
    ("pair", &["merge", "remove w"], "seq = (SELECT max(seq) FROM journal)"),
    ("pair", &["erase w", "merge"], "trigger = 'api:erase'"),
    ("pair", &["erase w", "erase w2", "merge"], "trigger = 'merge:appUser'"),
    ("pair", &["erase w", "erase w2", "merge"], "1"),
];

/// A program with a removed app user, after all erasures are done.
fn with_removed(home: &Home, who: &str, steps: &[&str]) -> Program {
    let program = home.start();
    let of = if who == "pair" { &["w", "w2", "ann"][..] } else { &["w", "ann"] };
    super::messages(&program, of);
    for step in steps {
        match step.split_once(' ') {
            Some(("erase", id)) => removed(&program, id, "?erase=true"),
            Some((_, id)) => removed(&program, id, ""),
            None => {
                let merge = json!({ "trigger": "merge:appUser", "app": { "_id": APP }, "timestamp": 1_600_000_005,
                                    "surviving": { "_id": "w" }, "discarded": [{ "_id": "w2" }] });
                assert_eq!(program.webhook(merge.to_string()).status, 200);
            }
        }
        let sql = "SELECT count(*) FROM receipts WHERE done IS NULL";
        until("nothing is to be erased", || home.sql().query_row(sql, [], |row| row.get(0)) == Ok(0));
    }
    program
}

/// An entry that erased or removed an app user, or merged erased ones, may be lost: they stay removed.
#[test]
fn a_hole_restores_no_removed_user() {
    for (who, steps, lost) in GONE {
        for running in [true, false] {
            let what = format!("{who} {steps:?} {lost} {running}");
            let home = Home::new();
            let mut program = with_removed(&home, who, steps);
            let before = rows_of(&home);
            let everybody = program.all_app_users();
            let damage = format!("DELETE FROM journal WHERE {lost}");
            let rebuilt = if running {
                home.sql().execute_batch(&damage).unwrap();
                run(&home, &program, &["rebuild"])
            } else {
                program.stop();
                home.sql().execute_batch(&damage).unwrap();
                let rebuilt = run_alone(&home, &["rebuild"]);
                program = home.start();
                rebuilt
            };
            is_named(&rebuilt, "missing", &what);
            assert!(rebuilt.out.contains("are kept as the directory has them"), "{what}: {rebuilt:?}");
            assert!(!rebuilt.out.contains(" 0 app users are kept"), "{what}: {rebuilt:?}");
            assert!(!rebuilt.out.contains("put right"), "{what}: {rebuilt:?}");
            for ran in [run(&home, &program, &["verify"]), run(&home, &program, &["rebuild"]), rebuilt] {
                is_named(&ran, "missing", &what);
                assert!(!format!("{ran:?}").contains("tombstones"), "{what}: {ran:?}");
            }
            assert_eq!((rows_of(&home), program.all_app_users()), (before, everybody.clone()), "{what}");
            // Smooch delivers late.
            for id in ["w", "w2"].into_iter().take(if who == "pair" { 2 } else { 1 }) {
                let was = program.app_user(id).text;
                assert_eq!(program.webhook(first_message(id, 1_600_000_100.0)).status, 200, "{what}");
                assert_eq!(program.app_user(id).text, was, "{what}");
            }
            assert_eq!(program.all_app_users(), everybody, "{what}");
        }
    }
}

/// Retention passes the hole: app users erased by a lost entry stay erased.
#[test]
fn an_erased_user_stays_erased_after_retention_has_passed_the_hole() {
    for (who, steps, lost) in GONE {
        let what = format!("{who} {steps:?} {lost}");
        let home = Home::new();
        let program = with_removed(&home, who, steps);
        let before = rows_of(&home);
        program.stop();
        home.sql().execute_batch(&format!("DELETE FROM journal WHERE {lost}")).unwrap();
        let program = keeping(&home, 1);
        for n in 0..30 {
            let body = first_message(&format!("later {}", n % 3), 1_600_000_100.0 + f64::from(n));
            assert_eq!(program.webhook(body).status, 200, "{what}");
        }
        until("the journal is trimmed", || home.rows("journal") <= 1);
        run(&home, &program, &["rebuild"]).well();
        assert_eq!(rows_of(&home), before, "{what}");
    }
}
