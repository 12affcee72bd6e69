//! GET `/audit`, its table, and `rollcall audit list`.

use serde_json::{Value, json};

use super::{acts, admin, api, create, log};
use crate::operator_commands::{run, run_alone};
use crate::support::{APP, Home, KEY_ID, encoded, request};

/// Two app users made, merged, and one of them erased.
fn some(home: &Home) -> (crate::support::Program, String, String) {
    let program = home.start();
    let (ann, bob) = (create(&program, "ann"), create(&program, "bob"));
    create(&program, "cem");
    let merge = json!({ "surviving": { "_id": ann }, "discarded": { "_id": bob } });
    assert_eq!(api(&program, "POST", "/v1/appusers/merge", &merge, &[]).status, 200);
    assert_eq!(program.webhook("not json").status, 200);
    assert_eq!(admin(&program, "DELETE", "/quarantine/1", "{}").status, 200);
    (program, ann, bob)
}

#[test]
fn the_page_the_table_and_the_command_show_the_same() {
    let home = Home::new();
    let (program, ann, bob) = some(&home);
    let long_ago = "2001-01-01";
    for (filter, args, count) in [
        ("", vec![], 5),
        ("action=create", vec!["--action", "create"], 3),
        (&*format!("who={KEY_ID}"), vec!["--who", KEY_ID], 4),
        ("who=nobody", vec!["--who", "nobody"], 0),
        (&*format!("user={bob}"), vec!["--user", &bob], 3),
        ("user=ann", vec!["--user", "ann"], 3),
        ("user=unknown", vec!["--user", "unknown"], 0),
        (&*format!("app={APP}"), vec!["--app", APP], 5),
        (&*format!("since={long_ago}"), vec!["--since", long_ago], 5),
        (&*format!("until={long_ago}"), vec!["--until", long_ago], 0),
    ] {
        let entries = log(&program, filter);
        assert_eq!(entries.len(), count, "{filter}");
        let listed =
            run(&home, &program, &[&["audit", "list", "--json", "--limit", "0"], &args[..]].concat());
        assert_eq!(listed.well().lines(), entries, "{filter}");
        let table =
            request(program.admin, "GET", &format!("/audit?{filter}"), &[("accept", "text/csv")], b"")
                .unwrap();
        let cell = |row: &str| row.split(',').next().unwrap().to_owned();
        // Each table is in the log itself. A line without a comma is the size of a chunk.
        let is_row = |row: &&str| row.contains(',') && !row.starts_with("seq,") && !row.contains(",export,");
        let rows = table.text.lines().filter(is_row);
        let seqs: Vec<String> = entries.iter().map(|entry| entry["seq"].to_string()).collect();
        assert_eq!(rows.map(cell).collect::<Vec<_>>(), seqs, "{filter}");
        assert!(table.text.contains("seq,time,who,role,how,app,action,_ids,entries,bodies,count,outcome,"));
        let of_this = "DELETE FROM audit WHERE action = 'export'";
        crate::support::until("the table is told", || log(&program, "action=export").len() >= 2);
        home.sql().execute(of_this, []).unwrap();
    }
    let shown = run(&home, &program, &["audit", "list", "--limit", "2"]).well();
    assert_eq!(shown.out.lines().count(), 3, "{shown:?}");
    assert!(shown.out.contains("bodies 1") && shown.out.contains(&format!("{ann},{bob}")), "{shown:?}");
    assert!(shown.err.contains("there are more"), "{shown:?}");
}

#[test]
fn a_page_continues_after_its_cursor_whatever_is_added_meanwhile() {
    let home = Home::new();
    let (program, ..) = some(&home);
    let page = program.admin("/audit?limit=2").json();
    let after = page["after"].as_str().unwrap();
    create(&program, "dan");
    let rest = program.admin(&format!("/audit?limit=200&after={}", encoded(after))).json();
    let seqs = |page: &Value| -> Vec<u64> {
        page["entries"].as_array().unwrap().iter().map(|entry| entry["seq"].as_u64().unwrap()).collect()
    };
    assert_eq!([seqs(&page), seqs(&rest)].concat(), [5, 4, 3, 2, 1]);
    assert_eq!((&rest["looked"], &rest["hasMore"]), (&json!(3), &json!(false)));
    let told = acts(page["entries"].as_array().unwrap());
    assert_eq!(told[1][0], "merge");
    for (query, named) in [
        (
            format!("action=create&after={}", encoded(after)),
            "after is not a cursor of this list: app, filters and sort",
        ),
        ("after=nonsense".to_owned(), "after is not a cursor of this list"),
        ("action=destroy".to_owned(), "action must be one of init, create"),
        ("limit=201".to_owned(), "limit must be from 1 to 200"),
        ("since=soon".to_owned(), "since must be"),
        ("since=2026-01-02&until=2026-01-01".to_owned(), "until is before since"),
        ("usr=ann".to_owned(), "Unknown parameter: usr"),
    ] {
        let answer = program.admin(&format!("/audit?{query}"));
        assert!(answer.status == 400 && answer.text.contains(named), "{query}: {answer:?}");
    }
    let table = request(program.admin, "GET", "/audit?limit=1", &[("accept", "text/csv")], b"").unwrap();
    assert!(table.status == 400 && table.text.contains("limit is for pages"), "{table:?}");
    let ran = run(&home, &program, &["audit", "list", "--action", "destroy"]);
    assert!(ran.code == Some(2) && ran.err.contains("must be one of init, create"), "{ran:?}");
}

#[test]
fn a_page_says_how_many_entries_it_looked_at() {
    let home = Home::new();
    let (program, ..) = some(&home);
    let many = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 30000)
        INSERT INTO audit (time, how, action, ids, entries, bodies, outcome)
            SELECT 1, 'api', 'update', '[]', '[]', '[]', 'done' FROM n";
    home.sql().execute(many, []).unwrap();
    let page = program.admin("/audit?action=merge").json();
    assert_eq!(
        (&page["entries"], &page["looked"], &page["hasMore"]),
        (&json!([]), &json!(20_000), &json!(true))
    );
    assert_eq!(log(&program, "action=merge").len(), 1, "on the next page");
    let listed = run(&home, &program, &["audit", "list", "--action", "merge", "--json"]).well();
    assert_eq!(listed.lines().len(), 1);
}

#[test]
fn a_lost_entry_is_found_and_a_backup_has_them_all() {
    let home = Home::new();
    let (program, ..) = some(&home);
    run(&home, &program, &["backup", "whole.db"]).well();
    run(&home, &program, &["verify", "whole.db"]).well();
    home.sql().execute("DELETE FROM audit WHERE seq IN (2, 3)", []).unwrap();
    let ran = run(&home, &program, &["verify"]);
    let why = "the entries 2 to 3 of the audit log are missing";
    assert!(ran.code == Some(1) && ran.err.contains(why), "{ran:?}");
    home.sql().execute("DELETE FROM audit WHERE seq = 1", []).unwrap();
    run(&home, &program, &["verify"]).well();
    program.stop();
    run_alone(&home, &["restore", "--replace", "whole.db"]).well();
    let program = home.start();
    assert_eq!(log(&program, "").len(), 5);
}

#[test]
fn the_journal_says_by_whom_a_call_was_made() {
    let home = Home::new();
    let (program, ann, _) = some(&home);
    let init = json!({ "device": { "id": "d1", "platform": "ios" } }).to_string();
    let token = [("app-token", "demo-app-token")];
    assert_eq!(program.request("POST", "/v1/init", &token, init.as_bytes()).status, 200);
    let listed = run(&home, &program, &["journal", "list", "--json", "--limit", "2"]).well().lines();
    assert_eq!(listed[0]["by"], json!({ "scope": "appToken" }));
    assert_eq!(listed[1]["by"], json!({ "key": KEY_ID, "scope": "app" }));
    let lines = run(&home, &program, &["journal", "list", "--user", &ann]).well();
    assert!(lines.out.contains(&format!("  by key {KEY_ID}, scope app\n")), "{lines:?}");
    let tail = run(&home, &program, &["tail", "--since", "1", "--count", "1", "--json"]).well().lines();
    assert_eq!(tail[0]["by"]["key"], KEY_ID);
}
