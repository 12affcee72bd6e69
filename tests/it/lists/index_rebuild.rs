//! A large index is remade in the background: webhooks are stored meanwhile, and answers stay correct.

use super::joined;
use crate::operator_commands::{messages, run};
use crate::support::{Home, Program, first_message, until};

/// More rows than a start rebuilds before it is ready.
const MANY: i64 = 30_000;
/// Webhooks that are sent while the index is remade.
const MEANWHILE: u32 = 200;

/// A database with many app users, each found by its own word.
fn large() -> Home {
    let home = Home::new();
    let program = home.start();
    messages(&program, &["somebody"]);
    program.stop();
    // Rows beside those of the program: their words are as usual, their records those of another app user.
    let copies = format!(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {MANY})
         INSERT INTO app_users (app, id, listed, record, last_seen, signed_up, flags, words)
             SELECT app, printf('copy %06d', n), listed, record, last_seen, signed_up, flags, words
             FROM app_users, n WHERE id = 'somebody'"
    );
    home.sql().execute_batch(&copies).unwrap();
    home.sql()
        .execute_batch(
            "INSERT OR IGNORE INTO seen SELECT app, last_seen, id, rowid FROM app_users WHERE listed;
             UPDATE upkeep SET searchable = -1",
        )
        .unwrap();
    home
}

fn found(program: &Program, question: &[(&str, &str)]) -> Option<usize> {
    let pairs: Vec<String> = question.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let answer = program.get(&format!("/v1/appusers?limit=1000&{}", pairs.join("&")));
    (answer.status == 200).then(|| answer.json()["appUsers"].as_array().unwrap().len())
}

#[test]
fn webhooks_are_stored_and_searches_are_true_while_the_index_is_made_anew() {
    let home = large();
    let program = home.start();
    let verbose = program.admin("/readyz?verbose");
    assert_eq!(verbose.status, 200, "{verbose:?}");
    if !verbose.text.contains("[!]search: being made anew") {
        // It was done before the answer, as on a machine that is busy otherwise.
        program.wait_for_log("search was remade in");
    }
    let name = serde_json::json!({ "trigger": "message:appUser", "app": { "_id": crate::support::APP }, "messages": [],
        "timestamp": 1_700_000_000, "appUser": { "_id": "late", "givenName": "Quirin" } });
    assert_eq!(program.webhook(name.to_string()).status, 200);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..MEANWHILE {
                let body = first_message(&format!("sender {}", n % 50), 1_600_000_000.0 + f64::from(n));
                assert_eq!(program.webhook(body).status, 200, "{}", program.log());
            }
        });
        // A user who is not in the index yet is found by a scan.
        let question = vec![("q".to_owned(), "quirin".to_owned())];
        assert_eq!(joined(&program, &question, 100), ["late"]);
    });
    until("the index is whole", || program.metric("rollcall_derived_rows_missing{table=\"search\"}") == 0.0);
    program.wait_for_log("search was remade in");
    assert_eq!(found(&program, &[("q", "quirin")]), Some(1));
    assert!(!run(&home, &program, &["rebuild", "--verify"]).out.contains("search is damaged"));
}

#[test]
fn killed_at_any_place_the_backfill_of_the_index_resumes() {
    let home = large();
    for _ in 0..3 {
        let program = home.start();
        assert_eq!(program.webhook(first_message("somebody else", 1_600_000_000.0)).status, 200);
        program.kill();
    }
    let program = home.start();
    until("the index is whole", || program.metric("rollcall_derived_rows_missing{table=\"search\"}") == 0.0);
    program.stop();
    assert_eq!(home.find::<Option<i64>>("SELECT searchable FROM upkeep"), None);
    home.sql().execute("INSERT INTO search (search, rank) VALUES ('integrity-check', 1)", []).unwrap();
}

#[test]
fn lists_by_last_seen_say_why_they_cannot_be_read_yet() {
    let home = large();
    home.sql().execute_batch("UPDATE upkeep SET sortable = -1, searchable = NULL; DELETE FROM seen").unwrap();
    let program = home.start();
    let mut refused = false;
    until("the order is whole", || {
        let answer = program.get("/v1/appusers?sort=-lastSeen&limit=1000");
        if answer.status == 200 {
            assert_eq!(answer.json()["appUsers"].as_array().unwrap().len(), 1000, "whole, or not at all");
            return true;
        }
        assert!(answer.status == 503 && answer.text.contains("is being rebuilt"), "{answer:?}");
        assert_eq!(program.webhook(first_message("meanwhile", 1_600_000_000.0)).status, 200);
        refused = true;
        false
    });
    if !refused {
        program.wait_for_log("seen was remade in");
    }
    // The same in every other order, from the start on.
    assert_eq!(found(&program, &[("sort", "_id")]), Some(1000));
}
