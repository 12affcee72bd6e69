//! The audit log: one entry for each change that somebody with a key or on the admin listener made, and none without.

mod door;
mod exports;
mod filters;
mod model;

use serde_json::{Value, json};

use crate::operator_commands::run;
use crate::support::{APP, Answer, Home, KEY_ID, KEY_SECRET, Program, basic, encoded, request, until};

/// A call to the users API with the demo key, and these headers besides.
fn api(program: &Program, method: &str, path: &str, body: &Value, more: &[(&str, &str)]) -> Answer {
    let key = basic(KEY_ID, KEY_SECRET);
    let own = [("authorization", key.as_str()), ("content-type", "application/json")];
    program.request(method, path, &[&own[..], more].concat(), body.to_string().as_bytes())
}

/// A call to the admin listener, as a command makes it.
fn admin(program: &Program, method: &str, path: &str, body: &str) -> Answer {
    request(program.admin, method, path, &[("content-type", "application/json")], body.as_bytes()).unwrap()
}

fn create(program: &Program, name: &str) -> String {
    let answer = api(program, "POST", "/v1/appusers", &json!({ "userId": name }), &[]);
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()["appUser"]["_id"].as_str().unwrap().to_owned()
}

/// The whole audit log, the newest entry first, by pages of a filter.
fn log(program: &Program, filter: &str) -> Vec<Value> {
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let page = program.admin(&format!("/audit?limit=3&{filter}{after}"));
        assert_eq!(page.status, 200, "{page:?}");
        let mut page = page.json();
        found.append(page["entries"].as_array_mut().unwrap());
        assert_eq!(page["hasMore"].as_bool(), Some(page["after"].is_string()), "{page}");
        match page["after"].as_str() {
            Some(next) => after = format!("&after={}", encoded(next)),
            None => return found,
        }
    }
}

/// Of each entry its action, who did it, how, and the outcome.
fn acts(entries: &[Value]) -> Vec<[&str; 4]> {
    fn of(entry: &Value) -> [&str; 4] {
        let text = |name: &str| entry[name].as_str().unwrap_or("-");
        [text("action"), text("who"), text("how"), text("outcome")]
    }
    entries.iter().map(of).collect()
}

#[test]
fn every_change_says_who_made_it_how_and_what_it_was_about() {
    let home = Home::new();
    let program = home.start();
    let (ann, bob) = (create(&program, "ann"), create(&program, "bob"));
    let named = [("x-request-id", "request-17")];
    let path = format!("/v1/appusers/{ann}");
    assert_eq!(api(&program, "PUT", &path, &json!({ "givenName": "Ann" }), &named).status, 200);
    let merge = json!({ "surviving": { "_id": ann }, "discarded": { "_id": bob } });
    assert_eq!(api(&program, "POST", "/v1/appusers/merge", &merge, &[]).status, 200);
    let unmerge = json!({ "discarded": { "_id": bob } });
    assert_eq!(api(&program, "POST", &format!("{path}/unmerge"), &unmerge, &[]).status, 200);
    assert_eq!(api(&program, "DELETE", &path, &json!({}), &[]).status, 200);
    assert_eq!(program.webhook("not json").status, 200);
    assert_eq!(admin(&program, "POST", "/quarantine/1/redrive", "{}").status, 200);
    assert_eq!(admin(&program, "DELETE", "/quarantine/1", "{}").status, 200);
    let line = json!({ "_id": "c0ffee", "givenName": "Cem" }).to_string();
    assert_eq!(admin(&program, "POST", &format!("/import?app={APP}"), &line).status, 200);
    let entries = log(&program, "");
    let key = |action| [action, KEY_ID, "api", "done"];
    let mut told = acts(&entries);
    told.iter_mut().filter(|told| told[2] == "command").for_each(|told| told[1] = "");
    let expected = [
        ["import", "", "command", "done"],
        ["drop", "", "command", "done"],
        ["redrive", "", "command", "failed"],
        key("delete"),
        key("unmerge"),
        key("merge"),
        key("update"),
        key("create"),
        key("create"),
    ];
    assert_eq!(told, expected);
    let [import, drop, _, delete, _, merge, update, ..] = &entries[..] else { panic!() };
    assert_eq!((&import["_ids"], &import["count"]), (&json!(["c0ffee"]), &json!(1)));
    assert_eq!((&drop["bodies"], &drop["_ids"], &drop["app"]), (&json!([1]), &json!([]), &json!(APP)));
    assert_eq!((&delete["_ids"], &merge["_ids"]), (&json!([ann]), &json!([ann, bob])));
    assert_eq!(
        (&update["requestId"], &update["role"], &update["entries"]),
        (&json!("request-17"), &json!("app"), &json!([3]))
    );
}

#[test]
fn what_changes_nothing_or_is_nobodys_act_has_no_entry() {
    let home = Home::new();
    let program = home.start();
    let once = [("idempotency-key", "once")];
    let (path, body) = ("/v1/appusers", json!({ "userId": "ann" }));
    for _ in 0..3 {
        assert_eq!(api(&program, "POST", path, &body, &once).status, 201, "repeated");
    }
    assert_eq!(api(&program, "POST", path, &body, &[]).status, 409, "taken");
    assert_eq!(api(&program, "DELETE", "/v1/appusers/nobody", &json!({}), &[]).status, 404);
    assert_eq!(admin(&program, "DELETE", "/quarantine/7", "{}").status, 404);
    assert_eq!(admin(&program, "POST", "/quarantine/7/redrive", "{}").status, 404);
    let line = json!({ "_id": "c0ffee", "givenName": "Cem" }).to_string();
    for known in [0, 1] {
        let answer = admin(&program, "POST", &format!("/import?app={APP}"), &line);
        assert_eq!(answer.json()["known"], known, "{answer:?}");
    }
    // A device and an app user act for themselves.
    let init = json!({ "device": { "id": "d1", "platform": "ios" } }).to_string();
    let token = [("app-token", "demo-app-token")];
    assert_eq!(program.request("POST", "/v1/init", &token, init.as_bytes()).status, 200);
    assert_eq!(program.webhook(crate::support::first_message("bob", 1.0)).status, 200);
    let told: Vec<_> = acts(&log(&program, "")).iter().map(|told| told[0].to_owned()).collect();
    assert_eq!(told, ["import", "create"]);
    assert_eq!(home.rows("journal"), 4, "all four have an entry of the journal");
}

#[test]
fn an_erasure_leaves_no_more_than_the_id() {
    let home = Home::new();
    let program = home.start();
    let secret = "secretname";
    let ann = create(&program, secret);
    let path = format!("/v1/appusers/{ann}");
    let named = [("x-request-id", secret)];
    let profile = json!({ "givenName": secret, "properties": { secret: secret } });
    assert_eq!(api(&program, "PUT", &path, &profile, &named).status, 200);
    assert_eq!(log(&program, "")[0]["requestId"], secret);
    assert_eq!(api(&program, "DELETE", &format!("{path}?erase=true"), &json!({}), &named).status, 200);
    let entries = log(&program, &format!("user={ann}"));
    assert_eq!(acts(&entries).iter().map(|told| told[0]).collect::<Vec<_>>(), ["erase", "update", "create"]);
    for entry in &entries {
        assert_eq!((&entry["_ids"], entry.get("requestId")), (&json!([ann]), None), "{entry}");
    }
    until("the receipt is done", || {
        home.find::<i64>("SELECT count(*) FROM receipts WHERE done IS NULL") == 0
    });
    program.stop();
    let file = std::fs::read(home.database()).unwrap();
    assert!(memchr::memmem::find(&file, secret.as_bytes()).is_none(), "not in a page of the file either");
    assert!(memchr::memmem::find(&file, ann.as_bytes()).is_some());
}

#[test]
fn retention_deletes_the_oldest_entries_alone() {
    let mut home = Home::new();
    let program = home.start();
    for name in ["ann", "bob", "cem"] {
        create(&program, name);
    }
    program.stop();
    home.sql().execute("UPDATE audit SET time = time - 100000000 WHERE seq < 3", []).unwrap();
    home.settings = "[retention]\naudit_age = \"1d\"\n".to_owned();
    let program = home.start();
    until("they are deleted", || home.rows("audit") == 1);
    create(&program, "dan");
    let entries = log(&program, "");
    assert_eq!(
        entries.iter().map(|entry| &entry["seq"]).collect::<Vec<_>>(),
        [4, 3],
        "no number is given again"
    );
    assert_eq!(home.rows("journal"), 4);
}

#[test]
fn an_export_is_told_before_its_first_byte_and_at_its_end() {
    let home = Home::new();
    let program = home.start();
    for name in ["ann", "bob"] {
        create(&program, name);
    }
    let table = [("accept", "text/csv"), ("x-request-id", "the-export")];
    let answer = api(&program, "GET", "/v1/appusers", &json!({}), &table);
    let rows = answer.text.lines().filter(|line| line.contains(",ann,") || line.contains(",bob,")).count();
    assert_eq!((answer.status, rows), (200, 2), "{answer:?}");
    until("the end is told", || log(&program, "action=export").len() == 2);
    let entries = log(&program, "action=export");
    assert_eq!(acts(&entries), [["export", KEY_ID, "api", "done"], ["export", KEY_ID, "api", "begun"]]);
    assert_eq!((&entries[0]["count"], entries[1].get("count")), (&json!(2), None));
    assert!(entries.iter().all(|entry| entry["requestId"] == "the-export" && entry["detail"] == "app users"));
}

#[test]
fn reloads_scheduled_backups_and_rebuilds_are_told() {
    let mut home = Home::new();
    home.settings = format!("[backup]\nfolder = \"{}\"\n", home.path().join("backups").display());
    let program = home.start();
    until("a backup is told", || log(&program, "action=backup").len() == 1);
    program.signal("HUP");
    until("the reload is told", || log(&program, "action=reload").len() == 1);
    std::fs::write(home.path().join("config.toml"), "nonsense").unwrap();
    program.signal("HUP");
    until("the refused one as well", || log(&program, "action=reload").len() == 2);
    run(&home, &program, &["audit", "list"]);
    let derived = json!({ "rows": [], "derived": ["search"] }).to_string();
    assert_eq!(admin(&program, "POST", "/rebuild", &derived).status, 200);
    let entries = log(&program, "");
    let told: Vec<[&str; 3]> = acts(&entries).iter().map(|told| [told[0], told[2], told[3]]).collect();
    assert_eq!(
        told,
        [
            ["rebuild", "command", "done"],
            ["reload", "signal", "failed"],
            ["reload", "signal", "done"],
            ["backup", "schedule", "done"]
        ]
    );
    assert_eq!(entries[0]["detail"], "search");
}

#[test]
fn the_rows_of_a_repair_are_told_in_its_transaction() {
    let home = Home::new();
    let program = home.start();
    let ann = create(&program, "ann");
    home.sql().execute("UPDATE app_users SET flags = 0", []).unwrap();
    run(&home, &program, &["rebuild"]).well();
    let entry = log(&program, "action=rebuild").into_iter().find(|entry| entry["_ids"] != json!([])).unwrap();
    assert_eq!((&entry["_ids"], &entry["count"], &entry["app"]), (&json!([ann]), &json!(1), &json!(APP)));
    program.stop();
    home.sql().execute("UPDATE app_users SET flags = 0", []).unwrap();
    crate::operator_commands::run_alone(&home, &["rebuild"]).well();
    let by: i64 =
        home.find("SELECT count(*) FROM audit WHERE action = 'rebuild' AND how = 'command' AND ids <> '[]'");
    assert_eq!(by, 2, "without a service as well");
}
