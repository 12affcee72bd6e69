//! Import of CSV and other lists: accepted lines, and the report of the others.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;

use serde_json::{Value, json};

use super::*;
use crate::operator_commands::{command, messages, post, run_alone, run_stopped};
use crate::support::{APP, request};

/// A webhook with an app user's name, received at a given time.
fn named(id: &str, user_id: Option<&str>, name: &str, at: f64) -> String {
    let mut user = json!({ "_id": id, "givenName": name, "properties": {}, "clients": [] });
    if let Some(user_id) = user_id {
        user["userId"] = user_id.into();
    }
    json!({ "trigger": "conversation:start", "app": { "_id": APP }, "timestamp": at, "appUser": user })
        .to_string()
}

fn name(program: &Program, id: &str) -> Value {
    program.app_user(id).json()["appUser"]["givenName"].clone()
}

#[test]
fn the_list_of_one_service_is_taken_by_another() {
    let (home, empty) = (Home::new(), Home::new());
    let (program, copy) = (home.start(), empty.start());
    messages(&program, &["a", "b"]);
    let client = json!({ "id": "c1", "platform": "ios", "active": true, "lastSeen": "2020-05-05T05:05:05Z" });
    let webhook = json!({
        "trigger": "conversation:start", "app": { "_id": APP }, "timestamp": 1_600_000_000.25,
        "appUser": { "_id": "u", "userId": "ann", "givenName": "Ann, \"A\"", "email": "=1+1@example.org",
                     "signedUpAt": "2019-01-01T00:00:00Z", "properties": { "n": 1.50, "t": true, "s": "x\r\ny" },
                     "clients": [client] },
    });
    assert_eq!(program.webhook(webhook.to_string()).status, 200);
    let accept = |kind: &str| {
        let auth = crate::support::basic(crate::support::KEY_ID, crate::support::KEY_SECRET);
        program.request("GET", "/v1/appusers", &[("authorization", &auth), ("accept", kind)], b"")
    };
    let unchunked = |text: &str| super::stream::unchunked(text);
    let ndjson = unchunked(&accept("application/x-ndjson").text);
    let lines = file(&empty, "list.ndjson", &ndjson);
    assert_eq!(counts(&import(&empty, &copy, &[lines.to_str().unwrap()]).well()), [3, 0, 0]);
    assert_eq!(copy.all_app_users(), program.all_app_users());

    let other = Home::new();
    let third = other.start();
    let table = run(&home, &program, &["export", "--format", "csv"]).well().out;
    assert_eq!(table, unchunked(&accept("text/csv").text), "the same over HTTP");
    assert!(table.starts_with("_id,userId,givenName,surname,email,"), "{table}");
    assert!(table.contains("\"Ann, \"\"A\"\"\""), "{table}");
    let table = file(&other, "list.csv", &table);
    assert_eq!(counts(&import(&other, &third, &[table.to_str().unwrap()]).well()), [3, 0, 0]);
    assert_eq!(third.all_app_users(), program.all_app_users());
}

#[test]
fn a_line_has_the_brand_and_an_import_keeps_brands_apart() {
    let (home, empty) = (Home::new(), Home::new());
    let (program, copy) = (home.start(), empty.start());
    for (id, brand) in [("a1", Some("811")), ("a2", Some("812")), ("a3", None)] {
        let mut user = json!({ "id": id, "externalId": "shop", "profile": { "givenName": id } });
        if let Some(brand) = brand {
            user["brandId"] = brand.into();
        }
        let event = json!({ "id": id, "type": "user:update", "createdAt": "2024-01-01T00:00:00.000Z", "payload": { "user": user } });
        let body =
            json!({ "app": { "id": APP }, "webhook": { "id": "w", "version": "v2" }, "events": [event] });
        assert_eq!(program.webhook(body.to_string()).status, 200);
    }
    let auth = crate::support::basic(crate::support::KEY_ID, crate::support::KEY_SECRET);
    let headers = [("authorization", auth.as_str()), ("accept", "application/x-ndjson")];
    let list = |program: &Program| {
        super::stream::unchunked(&program.request("GET", "/v1/appusers", &headers, b"").text)
    };
    let lines = list(&program);
    let brands: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["brandId"].clone()).collect();
    assert_eq!(brands, [json!("811"), json!("812"), Value::Null], "{lines}");
    assert!(
        program.all_app_users().iter().all(|user| user.get("brandId").is_none()),
        "v1 has no brands elsewhere"
    );
    let file = file(&empty, "list.ndjson", &lines);
    assert_eq!(counts(&import(&empty, &copy, &[file.to_str().unwrap()]).well()), [3, 0, 0]);
    assert_eq!(list(&copy), lines);
    for (parameter, of_pages) in [("colour=1", false), ("limit=1", true)] {
        let answer = program.request("GET", &format!("/v1/appusers?{parameter}"), &headers, b"");
        assert_eq!(answer.status, 400, "{answer:?}");
        let said = answer.json()["error"]["description"].as_str().unwrap().to_owned();
        let offered = said.split("knows ").nth(1).unwrap_or_default();
        assert!(offered.split(", ").all(|name| !["limit", "after", "count"].contains(&name)), "{said}");
        assert_eq!(said.contains("for pages"), of_pages, "{said}");
    }
}

#[test]
fn a_newer_webhook_wins_over_a_list_and_an_older_one_does_not() {
    let home = Home::new();
    let program = home.start();
    for (id, at) in [("old", 1_500_000_000.0), ("new", 1_700_000_000.0)] {
        assert_eq!(program.webhook(named(id, None, "told", at)).status, 200);
    }
    let list = file(
        &home,
        "list.csv",
        "_id,givenName,lastSeen,properties.plan\r\n\
         old,listed,2020-01-01T00:00:00Z,gold\r\n\
         new,listed,2020-01-01T00:00:00Z,gold\r\n\
         later,listed,2020-01-01T00:00:00Z,gold\r\n\
         timeless,listed,,gold\r\n",
    );
    let list = list.to_str().unwrap();
    // Everything about the app user reported later is known; only its earlier time seen is new.
    assert_eq!(counts(&import(&home, &program, &[list]).well()), [4, 0, 0]);
    assert_eq!((name(&program, "old"), name(&program, "new")), (json!("listed"), json!("told")));
    for (id, at) in [("later", 1_700_000_000.0), ("timeless", 1.0)] {
        assert_eq!(name(&program, id), json!("listed"), "{id}");
        assert_eq!(program.webhook(named(id, None, "told", at)).status, 200);
        assert_eq!(name(&program, id), json!("told"), "{id}");
    }
    assert_eq!(counts(&import(&home, &program, &[list]).well()), [0, 4, 0]);
    assert_eq!(name(&program, "later"), json!("told"));
}

#[test]
fn a_list_without_ids_makes_the_app_users_of_its_user_ids() {
    let home = Home::new();
    let program = home.start();
    assert_eq!(program.webhook(named("5f0000000000000000000001", Some("known"), "Kim", 1.6e9)).status, 200);
    let made = post(&program, "/v1/appusers", &json!({ "userId": "made" }));
    let list = file(
        &home,
        "customers.csv",
        "userId,email,properties.plan\nknown,k@x.y,gold\nmade,m@x.y,gold\nnew,n@x.y,gold\n",
    );
    let list = list.to_str().unwrap();
    assert_eq!(counts(&import(&home, &program, &[list]).well()), [3, 0, 0]);
    assert_eq!(counts(&import(&home, &program, &[list]).well()), [0, 3, 0]);
    assert_eq!(program.all_app_users().len(), 3);
    for user in ["known", "made", "new"] {
        let user = program.app_user(user).json()["appUser"].clone();
        assert_eq!(user["properties"], json!({ "plan": "gold" }), "{user}");
    }
    assert_eq!(program.app_user("made").json()["appUser"]["_id"], made["appUser"]["_id"]);
    let before = program.app_user("new").json()["appUser"]["_id"].as_str().unwrap().to_owned();
    assert_eq!(program.webhook(named("5f0000000000000000000002", Some("new"), "Nia", 1.6e9)).status, 200);
    let user = program.app_user(&before).json()["appUser"].clone();
    assert_eq!(user["_id"], json!("5f0000000000000000000002"));
    assert_eq!((&user["email"], &user["properties"]["plan"]), (&json!("n@x.y"), &json!("gold")));
    assert_eq!(program.all_app_users().len(), 3);
}

#[test]
fn a_bad_line_is_named_and_the_others_are_imported() {
    let home = Home::new();
    let program = home.start();
    let lines = [
        r#"{"_id":"good"}"#,
        "",
        r#"{"_id":"secret-1","email":7}"#,
        "not json, secret-2",
        r#"{"app":"another","_id":"secret-3"}"#,
        r#"{"_id":"last","lastSeen":"2999-01-01T00:00:00Z"}"#,
        r#"{"_id":"fine"}"#,
    ];
    let list = file(&home, "l.ndjson", &lines.join("\n"));
    let table = file(
        &home,
        "t.csv",
        "_id,conversationStarted,properties\nrow,yes,\nrow,true,{]\nrow\nbest,TRUE,\"{\"\"k\"\":1}\"\n",
    );
    let broken = file(&home, "b.csv", "_id,colour\na,red\n");
    let named = ["l.ndjson", "t.csv", "b.csv"].map(|name| home.path().join(name).display().to_string());
    let args = [&list, &table, &broken].map(|path| path.to_str().unwrap());
    let dry = import(&home, &program, &[&["--dry-run"], &args[..]].concat());
    assert!(program.all_app_users().is_empty());
    let ran = import(&home, &program, &args);
    assert_eq!((ran.code, counts(&ran)), (Some(1), [3, 0, 8]), "{ran:?}");
    assert_eq!((dry.code, counts(&dry)), (Some(1), [3, 0, 8]), "{dry:?}");
    for ran in [&ran, &dry] {
        for said in [
            format!("{}:3: email must be a string", named[0]),
            format!("{}:4: not JSON", named[0]),
            format!("{}:5: app is", named[0]),
            format!("{}:6: dated too far ahead", named[0]),
            format!("{}:2: conversationStarted must be true or false", named[1]),
            format!("{}:3: properties must be a JSON object", named[1]),
            format!("{}:4: has 1 cells for 3 columns", named[1]),
            format!("{}:1: column colour is none of _id,", named[2]),
        ] {
            assert!(ran.err.contains(&said), "{said}: {}", ran.err);
        }
        assert!(!ran.err.contains("secret"), "{}", ran.err);
    }
    let ids: Vec<Value> = program.all_app_users().into_iter().map(|user| user["_id"].clone()).collect();
    assert_eq!(ids, ["best", "fine", "good"]);
    assert!(!program.log().contains("secret"));
}

#[test]
fn an_import_needs_the_service_and_no_web_page_can_make_one() {
    let home = Home::new();
    let list = file(&home, "l.ndjson", "{\"_id\":\"a\"}\n");
    let list = list.to_str().unwrap();
    assert_eq!(run_alone(&home, &["import", list]).code, Some(69));
    assert_eq!(run_alone(&home, &["import", "lost.ndjson"]).code, Some(74));
    run_alone(&home, &["import", "--dry-run", list]).well();
    let program = home.start();
    for headers in [
        vec![("content-type", "application/x-ndjson"), ("origin", "https://evil.example")],
        vec![("content-type", "text/plain")],
        vec![],
    ] {
        let answer = request(program.admin, "POST", "/import?app=x", &headers, b"{\"_id\":\"a\"}").unwrap();
        assert!([403, 415].contains(&answer.status), "{answer:?}");
    }
    for (app, shown) in [("three", "\"three\""), ("%C3%BC%00%1B", "\"ü\\u0000\\u001b\"")] {
        let (path, json) = (format!("/import?app={app}"), ("content-type", "application/json"));
        let answer = request(program.admin, "POST", &path, &[json], b"").unwrap();
        let said = answer.json()["error"]["description"].to_string();
        let said: String = serde_json::from_str(&said).unwrap();
        assert!(said.starts_with(&format!("there is no app {shown}: ")), "{said}");
    }
    let to = format!("http://{}", program.admin);
    run_alone(&home, &["import", "--to", &to, list]).well();
    assert_eq!(program.app_user("a").status, 200);
    assert!(
        run_alone(&home, &["import", "--app", "another", "--to", &to, list])
            .err
            .contains("not in the settings")
    );
}

#[test]
fn a_stopped_import_prints_the_summary_of_what_it_imported() {
    // Lines are sent once there are many.
    let lines: Vec<String> = (0..600).map(|n| format!("{{\"_id\":\"user{n}\"}}\n")).collect();
    for signal in ["-INT", "-TERM"] {
        let home = Home::new();
        let program = home.start();
        let import = command(&home, &program, &["import", "--json", "-"]);
        let ran = run_stopped(import, &lines.concat(), signal, || home.rows("app_users") > 0);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert_eq!(counts(&ran), [home.rows("app_users") as u64, 0, 0]);
        assert_eq!(ran.err, "stopped by a signal; the rest was not imported\n");
    }
    // One that retries, as nothing is stored.
    let home = Home::new();
    let refusing = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = format!("http://{}", refusing.local_addr().unwrap());
    let (asked, is_asked) = mpsc::channel();
    thread::spawn(move || {
        for stream in refusing.incoming() {
            let mut stream = stream.unwrap();
            _ = stream.read(&mut [0; 64 << 10]);
            let busy = "HTTP/1.1 503 \r\nRetry-After: 30\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
            _ = stream.write_all(busy.as_bytes());
            _ = asked.send(());
        }
    });
    let import = home.command(&["import", "--json", "--to", &to, "-"]);
    let ran = run_stopped(import, &lines.concat(), "-TERM", || is_asked.try_recv().is_ok());
    assert_eq!((ran.code, counts(&ran)), (Some(1), [0, 0, 0]), "{ran:?}");
}
