//! Every table of the schema, emptied and dropped, under a running service and without one: each is rebuilt, or named
//! as damaged. No answer stays wrong, no command and no start waits without end.

use std::collections::BTreeSet;

use super::damage_repair::{copy_of, damage, doctor, is_whole, lived, names};
use crate::operator_commands::{messages, run, run_alone};
use crate::support::{Home, first_message, request, until};

/// The consequence of a lost table.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    /// It is rebuilt, and reported under this name.
    Anew(&'static str),
    /// A source of truth: if dropped, the error names it, and nothing works without it.
    Truth,
}
use Fate::{Anew, Truth};

const TABLES: [(&str, Fate); 26] = [
    ("journal", Truth),
    ("bodies", Truth),
    ("changes", Truth),
    ("quarantine", Truth),
    ("base", Truth),
    ("audit", Truth),
    ("app_users", Anew("records")),
    ("identifiers", Anew("identifiers")),
    ("erasures", Anew("tombstones")),
    ("receipts", Anew("receipts")),
    ("gaps", Anew("gaps")),
    ("seen", Anew("seen")),
    ("moves", Anew("moves")),
    ("search", Anew("search")),
    ("feeds", Anew("counters")),
    ("epochs", Anew("counters")),
    ("clock", Anew("counters")),
    ("upkeep", Anew("counters")),
    ("horizon", Anew("counters")),
    ("answer_key", Anew("counters")),
    ("answers", Anew("answers")),
    ("sessions", Anew("sessions")),
    ("tallies", Anew("tallies")),
    ("jobs", Anew("jobs")),
    ("job_failures", Anew("jobs")),
    ("segments", Anew("segments")),
];

/// Empty tables are not suspicious here: the rows of these may all have been deleted.
const MAY_BE_EMPTY: [&str; 7] =
    ["answers", "job_failures", "jobs", "moves", "segments", "sessions", "tallies"];

/// Emptied tables that are a source of truth: `verify` and `rebuild` find each entry that the others still refer to.
fn is_reported_when_emptied(table: &str) -> bool {
    TABLES.iter().any(|(name, fate)| *name == table && *fate != Truth) && !MAY_BE_EMPTY.contains(&table)
}

fn emptied(table: &str) -> String {
    // The table itself takes no DELETE without the words of each row.
    let table = if table == "search" { "search_data" } else { table };
    format!("DELETE FROM {table}")
}

/// The database of `lived`, with a little more in every table.
fn home() -> Home {
    let (home, _) = lived();
    let program = home.start();
    assert_eq!(program.webhook(first_message("ann", 1_600_000_000.0)).status, 200);
    assert_eq!(program.webhook("{\"trigger\":\"nonsense\"}").status, 200);
    program.stop();
    home
}

#[test]
fn every_table_of_the_schema_is_here() {
    let home = home();
    let sql = "SELECT group_concat(name) FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
                   AND name NOT LIKE 'search\\_%' ESCAPE '\\'";
    let there = home.find::<String>(sql);
    let there: BTreeSet<&str> = there.split(',').collect();
    assert_eq!(there, TABLES.iter().map(|(name, _)| *name).collect());
}

#[test]
fn a_lost_table_is_named_while_nothing_runs_and_made_anew_where_it_can_be() {
    let home = home();
    for (table, fate) in TABLES {
        for (sql, dropped) in [(emptied(table), false), (format!("DROP TABLE {table}"), true)] {
            let home = copy_of(&home);
            damage(&home, &sql);
            match fate {
                Anew(name) if dropped || is_reported_when_emptied(table) => {
                    names(&run_alone(&home, &["verify"]), name, &sql);
                    names(&run_alone(&home, &["rebuild", "--verify"]), name, &sql);
                    let found = doctor(&home);
                    assert!(found["said"].as_str().unwrap().contains(name), "{sql}: {found}");
                    run_alone(&home, &["rebuild"]).well();
                    is_whole(&home, None, &sql);
                    home.start().stop();
                }
                Truth if dropped => {
                    let what = format!("the table {table} is missing");
                    let found = doctor(&home);
                    assert!(
                        found["state"] == "wrong" && found["said"].as_str().unwrap().contains(&what),
                        "{found}"
                    );
                    for args in [&["verify"][..], &["rebuild"], &["rebuild", "--verify"]] {
                        let ran = run_alone(&home, args);
                        let out = if args == ["verify"] { "verdict damaged\n" } else { "" };
                        assert!(ran.code == Some(1) && ran.out == out, "{sql}: {ran:?}");
                        let said =
                            format!("{what}, which is part of the source and cannot be rebuilt; restore a");
                        assert!(ran.err.contains(&said), "{sql}: {ran:?}");
                    }
                    let (status, log) = home.try_start().err().unwrap();
                    assert!(status.code() == Some(74) && log.contains(&what), "{sql}: {status} {log}");
                }
                _ => {}
            }
        }
    }
}

#[test]
fn a_table_lost_under_a_running_service_is_made_anew_or_ends_it_by_its_name() {
    let home = home();
    for (table, fate) in TABLES {
        for (sql, dropped) in [(emptied(table), false), (format!("DROP TABLE {table}"), true)] {
            let home = copy_of(&home);
            let program = home.start();
            damage(&home, &sql);
            if fate == Truth {
                if dropped {
                    // Within seconds, whether a webhook comes or not.
                    let (status, log) = program.wait();
                    let what = format!("the table {table} is missing");
                    assert!(status.code() == Some(74) && log.contains(&what), "{sql}: {status} {log}");
                }
                continue;
            }
            messages(&program, &["new", "ann", "new"]);
            until(&format!("{sql}: all is answered"), || {
                let asked = ["/v1/appusers/new", "/v1/appusers?q=ann", "/v1/appusers?sort=lastSeen"];
                let asked = asked.iter().chain(&["/v1/changes?since=0"]);
                asked.into_iter().all(|path| program.get(path).status == 200)
            });
            run(&home, &program, &["rebuild"]).well();
            is_whole(&home, Some(&program), &sql);
            program.stop();
            is_whole(&home, None, &sql);
        }
    }
}

/// The service reads its numbers from some of these tables as well.
#[test]
fn the_log_first_names_the_table_that_is_missing() {
    let home = home();
    let dropped = ["receipts", "gaps", "moves", "seen", "horizon"].map(|table| {
        let home = copy_of(&home);
        let program = home.start();
        damage(&home, &format!("DROP TABLE {table}"));
        (format!("the table {table} is missing"), program, home)
    });
    for (what, program, _home) in &dropped {
        until(&format!("{what}: it is noticed"), || program.log().contains("is damaged"));
        let log = program.log();
        let first = log.lines().find(|line| line.contains("is damaged")).unwrap();
        assert!(first.contains(what), "{what}: {first}");
    }
    for table in ["receipts", "gaps", "moves", "seen"] {
        let home = copy_of(&home);
        damage(&home, &format!("DROP TABLE {table}"));
        let log = home.start().log();
        assert!(log.contains(&format!("the table {table} is missing")), "{log}");
    }
}

#[test]
fn a_table_rebuilt_beside_another_lost_one_has_not_failed() {
    let home = home();
    let program = home.start();
    damage(&home, "DROP TABLE receipts; DROP TABLE gaps");
    let is_there = "SELECT count(*) FROM sqlite_schema WHERE name IN ('receipts', 'gaps', 'receipts_open')";
    until("both are there", || home.find::<i64>(is_there) == 3);
    let asked = [("content-type", "application/json")];
    let nothing = br#"{"rows":[],"derived":[]}"#;
    let answer = request(program.admin, "POST", "/rebuild", &asked, nothing).unwrap();
    assert_eq!(answer.json()["failed"], serde_json::json!([]), "{}", program.log());
    run(&home, &program, &["rebuild"]).well();
    is_whole(&home, Some(&program), "both");
}

#[test]
fn receipts_that_are_lost_are_asked_for_again_and_completed() {
    let home = home();
    for sql in [
        "DELETE FROM receipts",
        "DROP TABLE receipts",
        "UPDATE receipts SET counts = 'x'",
        "UPDATE receipts SET done = NULL, work = 'x'",
        "UPDATE receipts SET done = NULL, work = NULL",
        "INSERT INTO receipts SELECT 1, app, 1, NULL, '{}', NULL FROM receipts LIMIT 1",
    ] {
        let home = copy_of(&home);
        let program = home.start();
        damage(&home, sql);
        until(&format!("{sql}: the receipt is there, and complete"), || {
            let sql =
                "SELECT NOT EXISTS (SELECT 1 FROM receipts WHERE done IS NULL OR NOT json_valid(counts))
                           AND EXISTS (SELECT 1 FROM receipts AS r JOIN erasures AS e ON e.receipt = r.seq)";
            home.sql().query_row(sql, [], |row| row.get::<_, bool>(0)).is_ok_and(|done| done)
        });
        is_whole(&home, Some(&program), sql);
    }
}
