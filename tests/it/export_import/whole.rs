//! Export of a whole database, and import into another.

use serde_json::json;

use super::*;
use crate::operator_commands::{messages, post, run_alone};
use crate::support::{APP, KEY_ID, KEY_SECRET, basic, encoded, first_message, fixtures};

/// A directory of webhooks and calls: merged, unmerged, removed, made here, secured, on devices.
fn story(home: &Home, program: &Program) {
    let recorded = fixtures().join("webhooks");
    run(home, program, &["replay", "--concurrency", "1", "--app", APP, recorded.to_str().unwrap()]);
    messages(program, &["a", "b", "c", "d", "e", "f"]);
    post(program, "/v1/appusers", &json!({ "userId": "bob@example.org", "properties": { "plan": "gold" } }));
    let device = json!({ "id": "phone", "platform": "ios", "pushNotificationToken": "t" });
    post(program, "/v1/init", &json!({ "device": device, "userId": "bob@example.org" }));
    post(program, "/v1/init", &json!({ "device": { "id": "tablet", "platform": "web" } }));
    for (surviving, discarded) in [("a", "b"), ("a", "c"), ("e", "f")] {
        let body = json!({ "surviving": { "_id": surviving }, "discarded": { "_id": discarded } });
        post(program, "/v1/appusers/merge", &body);
    }
    post(program, "/v1/appusers/a/unmerge", &json!({ "discarded": { "_id": "c" } }));
    let auth = basic(KEY_ID, KEY_SECRET);
    let headers = [("authorization", auth.as_str()), ("content-type", "application/json")];
    let email = json!({ "email": "ours@example.org", "properties": { "n": 1.50 } }).to_string();
    assert_eq!(program.request("PUT", "/v1/appusers/a", &headers, email.as_bytes()).status, 200);
    for removed in ["d", "e"] {
        assert_eq!(program.request("DELETE", &format!("/v1/appusers/{removed}"), &headers, b"").status, 200);
    }
}

/// Each `_id` ever seen, and each `userId`, leads to the same in both.
fn look_alike(home: &Home, one: &Program, other: &Program) {
    assert_eq!(one.all_app_users(), other.all_app_users());
    let sql = home.sql();
    let mut select = sql.prepare("SELECT id FROM app_users WHERE id <> '' UNION SELECT value FROM identifiers WHERE kind = 'userId'").unwrap();
    let names: Vec<String> = select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert!(names.len() > 10);
    for name in names {
        let name = serde_json::from_str(&name).unwrap_or(name);
        let path = format!("/v1/appusers/{}", encoded(&name));
        let (one, other) = (one.get(&path), other.get(&path));
        assert_eq!((one.status, &one.text), (other.status, &other.text), "{name}");
    }
}

#[test]
fn an_export_imported_into_an_empty_database_is_the_same_directory() {
    let (home, empty) = (Home::new(), Home::new());
    let program = home.start();
    story(&home, &program);
    let taken = home.path().join("directory.ndjson");
    let output = taken.to_str().unwrap().to_owned();
    let ran = run(&home, &program, &["export", "-o", &output]).well();
    assert_eq!(ran.out, "");
    let text = std::fs::read_to_string(&taken).unwrap();
    assert_eq!(text, exported(&home, &program), "the same on stdout");

    let copy = empty.start();
    let first = import(&empty, &copy, &[&output]).well();
    assert_eq!(counts(&first), [text.lines().count() as u64, 0, 0]);
    look_alike(&home, &program, &copy);
    assert_eq!(exported(&empty, &copy), text);

    // Once more changes nothing, and neither do the lines in another order.
    let rows = || ["journal", "changes", "app_users", "identifiers"].map(|table| empty.rows(table));
    let before = rows();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.reverse();
    let backwards = file(&empty, "backwards", &lines.join("\n"));
    for again in [output.as_str(), backwards.to_str().unwrap()] {
        let again = import(&empty, &copy, &[again]).well();
        assert_eq!(counts(&again), [0, lines.len() as u64, 0]);
    }
    assert_eq!(rows(), before);

    // Later events give the same result in both; removed app users stay removed.
    for program in [&program, &copy] {
        for (id, received) in
            [("a", 1_500_000_000.0), ("c", 1_700_000_000.0), ("d", 1_700_000_001.0), ("e", 1.0)]
        {
            assert_eq!(program.webhook(first_message(id, received)).status, 200);
        }
        let known = json!({
            "trigger": "conversation:start", "app": { "_id": APP }, "timestamp": 1_700_000_005.0,
            "appUser": { "_id": "5f0000000000000000000001", "userId": "bob@example.org",
                         "properties": {}, "clients": [] },
        });
        assert_eq!(program.webhook(known.to_string()).status, 200);
    }
    look_alike(&home, &program, &copy);
    assert_eq!(copy.app_user("d").status, 404);

    // The journal of the copy makes the same directory again.
    run(&empty, &copy, &["rebuild", "--verify"]).well();
    copy.stop();
    program.stop();
}

#[test]
fn the_lines_of_one_app_user_include_all_merged_ids() {
    let (home, empty) = (Home::new(), Home::new());
    let program = home.start();
    story(&home, &program);
    let text = exported(&home, &program);
    let line = text.lines().find(|line| line.contains("\"appUser\":{\"_id\":\"a\"")).unwrap();
    let copy = empty.start();
    import(&empty, &copy, &[file(&empty, "one", line).to_str().unwrap()]).well();
    for id in ["a", "b"] {
        assert_eq!(copy.app_user(id).text, program.app_user(id).text, "{id}");
    }
}

#[test]
fn an_export_needs_no_service_and_leaves_no_half_file() {
    let home = Home::new();
    let output = home.path().join("x.ndjson");
    let args = ["export", "-o", output.to_str().unwrap()];
    let missing = run_alone(&home, &args);
    assert_eq!(missing.code, Some(74), "{missing:?}");
    let program = home.start();
    messages(&program, &["a", "b"]);
    program.stop();
    let ran = run_alone(&home, &args).well();
    assert_eq!((ran.out.as_str(), std::fs::read_to_string(&output).unwrap().lines().count()), ("", 2));
    let wrong = run_alone(&home, &["export", "--app", "nobody"]);
    assert!(wrong.code == Some(2) && wrong.err.contains("nobody"), "{wrong:?}");
    let nowhere = run_alone(&home, &["export", "-o", "no/such/folder/x"]);
    assert_eq!(nowhere.code, Some(74), "{nowhere:?}");
    let before = "{\"rollcall\":1,\"app\":\"as it was\"}\n";
    std::fs::write(&output, before).unwrap();
    let sql = home.sql();
    sql.execute("UPDATE app_users SET record = x'00' WHERE id = 'b'", []).unwrap();
    let damaged = run_alone(&home, &args);
    assert_eq!(damaged.code, Some(74), "{damaged:?}");
    assert_eq!(std::fs::read_to_string(&output).unwrap(), before);
    let left: Vec<_> =
        std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("partial")), "{left:?}");
}

#[test]
fn an_erased_user_stays_erased_in_every_copy_of_the_directory() {
    let (home, other) = (Home::new(), Home::new());
    let (program, copy) = (home.start(), other.start());
    messages(&program, &["a", "gone"]);
    let known = json!({
        "trigger": "conversation:start", "app": { "_id": APP }, "timestamp": 1_600_000_009.0,
        "appUser": { "_id": "gone", "email": "canary@example.org", "properties": {}, "clients": [] },
    });
    assert_eq!(program.webhook(known.to_string()).status, 200);
    let before = exported(&home, &program);
    assert!(before.contains("canary"));
    let before = file(&other, "before", &before);
    import(&other, &copy, &[before.to_str().unwrap()]).well();

    let auth = basic(KEY_ID, KEY_SECRET);
    let erased = program.request("DELETE", "/v1/appusers/gone?erase=true", &[("authorization", &auth)], b"");
    assert!(erased.status < 300, "{erased:?}");
    let rows = home.rows("journal");
    let again = import(&home, &program, &[before.to_str().unwrap()]).well();
    assert_eq!(counts(&again), [0, 2, 0]);
    assert_eq!(home.rows("journal"), rows, "nothing of them comes back");
    let after = exported(&home, &program);
    assert!(after.contains("\"erased\":true") && !after.contains("canary"), "{after}");

    let after = file(&other, "after", &after);
    assert_eq!(counts(&import(&other, &copy, &[after.to_str().unwrap()]).well()), [1, 1, 0]);
    assert_eq!(copy.app_user("gone").status, 404);
    assert_eq!(exported(&other, &copy), std::fs::read_to_string(&after).unwrap());
    assert_eq!(copy.webhook(known.to_string()).status, 200);
    assert_eq!(exported(&other, &copy), std::fs::read_to_string(&after).unwrap());
    run(&other, &copy, &["rebuild", "--verify"]).well();
}

#[test]
fn two_users_created_for_one_user_id_one_in_a_brand_stay_two_in_any_order() {
    let home = Home::new();
    let program = home.start();
    for n in 0..8 {
        post(&program, "/v1/appusers", &json!({ "userId": format!("w{n}"), "givenName": "Nob" }));
        let branded =
            json!({ "externalId": format!("w{n}"), "brandId": "b2", "profile": { "surname": "Bra" } });
        post(&program, &format!("/v2/apps/{APP}/users"), &branded);
    }
    let text = exported(&home, &program);
    let forwards: Vec<&str> = text.lines().collect();
    let backwards: Vec<&str> = text.lines().rev().collect();
    for lines in [forwards, backwards] {
        let empty = Home::new();
        let copy = empty.start();
        let file = file(&empty, "lines", &lines.join("\n"));
        assert_eq!(counts(&import(&empty, &copy, &[file.to_str().unwrap()]).well()), [16, 0, 0]);
        look_alike(&home, &program, &copy);
        assert_eq!(exported(&empty, &copy), text);
    }
    let rows = |names: std::ops::Range<u8>, brand: &str| -> String {
        names.map(|n| format!("v{n},{brand},Vee\n")).collect()
    };
    for brands in [["", "b2"], ["b2", ""]] {
        let empty = Home::new();
        let copy = empty.start();
        for brand in brands {
            let table =
                file(&empty, "table.csv", &format!("userId,brandId,givenName\n{}", rows(0..4, brand)));
            import(&empty, &copy, &["--format", "csv", table.to_str().unwrap()]).well();
        }
        assert_eq!(copy.all_app_users().len(), 8, "{brands:?}");
    }
}
