//! A call to the API as history, `journal show` and the export of a person show it.

use serde_json::{Value, json};

use crate::erasure::CANARY;
use crate::erasure::traces::Traces;
use crate::operator_commands::{run, run_alone};
use crate::support::{APP, Home, KEY_ID, KEY_SECRET, Program, basic, first_message, signed_with};

const INNER: [&str; 8] =
    ["\"Set\"", "\"Seen\"", "GivenName", "\"Minted\"", "ClientSet", "\"Merged\"", "\"stamp\"", "UserId\""];

fn jwt(claims: Value) -> String {
    let header = json!({ "alg": "HS256", "kid": KEY_ID }).to_string();
    format!("Bearer {}", signed_with(&header, &claims.to_string(), KEY_SECRET))
}

/// The credentials, each with its key and its scope as shown in histories.
fn credentials() -> [(&'static str, String, Option<&'static str>, &'static str); 4] {
    [
        ("authorization", basic(KEY_ID, KEY_SECRET), Some(KEY_ID), "app"),
        ("authorization", jwt(json!({ "scope": "app" })), Some(KEY_ID), "app"),
        ("authorization", jwt(json!({ "scope": "appUser", "userId": "bob" })), Some(KEY_ID), "appUser"),
        ("app-token", "demo-app-token".to_owned(), None, "appToken"),
    ]
}

fn send(program: &Program, line: &str, (name, value): (&str, &str), body: &str) -> Value {
    let (method, path) = line.split_once(' ').unwrap();
    let headers = [(name, value), ("content-type", "application/json")];
    let answer = program.request(method, path, &headers, body.as_bytes());
    assert!(answer.status < 300, "{line}: {answer:?}");
    answer.json()
}

/// The newest entry of a history, from a page of one.
fn newest(program: &Program, name: &str, include: &str) -> Value {
    program.get(&format!("/v1/appusers/{name}/history?limit=1{include}")).json()["history"][0].clone()
}

/// Checks that the newest entry of an app user is this call, wherever it is shown; returns its number.
fn check_newest(
    home: &Home,
    program: &Program,
    name: &str,
    line: &str,
    body: &str,
    key: Option<&str>,
    scope: &str,
) -> u64 {
    let (method, path) = line.split_once(' ').unwrap();
    let entry = newest(program, name, "&include=body");
    let call = &entry["call"];
    assert_eq!((&call["method"], &call["path"]), (&json!(method), &json!(path)), "{line}: {entry}");
    assert_eq!(
        (&call["scope"], call.get("key")),
        (&json!(scope), key.map(Value::from).as_ref()),
        "{line}: {entry}"
    );
    assert_eq!((&entry["body"], &entry["source"]), (&json!(body), &json!("api")), "{line}: {entry}");
    let mut without = entry.clone();
    without.as_object_mut().unwrap().remove("body");
    assert_eq!(newest(program, name, ""), without, "{line}");
    assert!(
        !entry.to_string().contains(KEY_SECRET) && !entry.to_string().contains("demo-app-token"),
        "{entry}"
    );
    let seq = entry["seq"].as_u64().unwrap();
    let shown = run(home, program, &["journal", "show", &seq.to_string()]).well().out;
    assert!(shown.contains(&format!("call      {line}\n")), "{line}: {shown}");
    assert!(
        key.is_none_or(|key| shown.contains(key)) && shown.contains(&format!("scope {scope}")),
        "{shown}"
    );
    let by = key.map_or_else(
        || "by        scope appToken\n".to_owned(),
        |key| format!("by        key {key}, scope {scope}"),
    );
    assert!(shown.contains(&by), "{by}: {shown}");
    let ends = format!("\n\n{}\n", if body.is_empty() { "(no body)" } else { body });
    assert!(shown.ends_with(&ends), "{line}: {shown}");
    let raw = run(home, program, &["journal", "show", &seq.to_string(), "--body"]).well().out;
    assert_eq!(raw, body, "{line}");
    let json = run(home, program, &["journal", "show", &seq.to_string(), "--json"]).well();
    assert_eq!((&json.lines()[0]["call"], &json.lines()[0]["body"]), (call, &json!(body)), "{line}");
    assert!(!json.lines()[0]["decided"]["facts"].as_array().unwrap().is_empty(), "{json:?}");
    for inner in INNER {
        let told = [&entry.to_string(), &shown, &json.out];
        assert!(told.iter().all(|text| !text.contains(inner)), "{line}: {inner}: {told:?}");
    }
    seq
}

#[test]
fn every_kind_of_call_is_shown_as_made() {
    let home = Home::new();
    let program = home.start();
    let key = ("authorization", &*basic(KEY_ID, KEY_SECRET));
    let v2 = format!("/v2/apps/{APP}/users");
    let with_app = format!("/v1.1/apps/{APP}/appUsers");
    let did = |name: &str, line: &str, body: &str| {
        send(&program, line, key, body);
        check_newest(&home, &program, name, line, body, Some(KEY_ID), "app")
    };
    did("bob", "POST /v1/appusers", r#"{ "userId": "bob", "givenName":"Bob" }"#);
    did("eve", &format!("POST {v2}"), r#"{"externalId":"eve","metadata":{"a":1.0}}"#);
    did("a%2Fb", &format!("POST {with_app}"), "\u{feff}{\"userId\":\"a/b\"}");
    did("bob", "PUT /v1/appusers/bob", r#"{"givenName":"Rob","properties":{"plan":"gold"}}"#);
    did("a%2Fb", "PUT //v1.1//appUsers/a/b", r#"{"surname":"B"}"#);
    did("eve", &format!("PATCH {v2}/eve"), r#"{"profile":{"email":"eve@example.org"}}"#);
    did("bob", "POST /v1/init", r#"{"device":{"id":"phone","platform":"ios"},"userId":"bob"}"#);
    did("bob", "PUT /v1/appusers/bob/devices/phone", r#"{"appVersion":"2.0"}"#);
    did("bob", "POST /v1/appusers/bob/events", r#"{"name":"seen"}"#);
    let id = |name: &str| program.app_user(name).json()["appUser"]["_id"].as_str().unwrap().to_owned();
    let (bob, eve) = (id("bob"), id("eve"));
    let both = json!({ "surviving": { "_id": bob }, "discarded": { "_id": eve } }).to_string();
    did("bob", "POST /v1/appusers/merge", &both);
    let one = json!({ "discarded": { "_id": eve } }).to_string();
    did("bob", "POST /v1/appusers/bob/unmerge", &one);
    did("bob", "DELETE /v1/appusers/bob/profile", "");
    did("eve", &format!("DELETE {v2}/eve/personalinformation"), "");
    did(&eve, &format!("DELETE {v2}/eve"), "");
    did(&bob, "DELETE /v1/appusers/bob", "");
}

#[test]
fn every_credential_is_shown_by_its_key_and_scope_and_never_by_its_secret() {
    let settings = "account_keys = [{ id = \"acc_1\", secret = \"an-account-secret-of-some-length\" }]\n";
    let home = Home::with(settings);
    let program = home.start();
    for (n, (name, value, key, scope)) in credentials().into_iter().enumerate() {
        let body = format!(r#"{{"device":{{"id":"d{n}","platform":"ios"}},"userId":"bob"}}"#);
        // Once a JWT was used, no token reaches bob.
        let body = if scope == "appToken" { body.replace("bob", "ann") } else { body };
        send(&program, "POST /v1/init", (name, &value), &body);
        let whom = if scope == "appToken" { "ann" } else { "bob" };
        check_newest(&home, &program, whom, "POST /v1/init", &body, key, scope);
        let told = newest(&program, whom, "");
        assert_eq!(told["call"].get("userId"), (scope == "appUser").then(|| json!("bob")).as_ref(), "{told}");
    }
    let account = basic("acc_1", "an-account-secret-of-some-length");
    let line = format!("PUT /v1/apps/{APP}/appusers/bob");
    send(&program, &line, ("authorization", &account), r#"{"surname":"X"}"#);
    check_newest(&home, &program, "bob", &line, r#"{"surname":"X"}"#, Some("acc_1"), "account");
    // A read of an app user may be a call that changes it.
    send(
        &program,
        "POST /v1/appusers",
        credentials().each_ref().map(|(n, v, ..)| (*n, &**v))[0],
        r#"{"userId":"cat"}"#,
    );
    let cat = jwt(json!({ "scope": "appUser", "userId": "cat" }));
    send(&program, "GET /v1/appusers/cat", ("authorization", &cat), "");
    check_newest(&home, &program, "cat", "GET /v1/appusers/cat", "", Some(KEY_ID), "appUser");
}

#[test]
fn an_imported_line_is_shown() {
    let home = Home::new();
    let program = home.start();
    let line = r#"{"_id": "5a7b1c2d3e4f5a6b7c8d9e0f", "givenName":"Ann"}"#;
    let file = home.path().join("people.ndjson");
    std::fs::write(&file, format!("{line}\n")).unwrap();
    run(&home, &program, &["import", file.to_str().unwrap()]).well();
    let entry = newest(&program, "5a7b1c2d3e4f5a6b7c8d9e0f", "&include=body");
    assert_eq!((&entry["body"], &entry["call"]["scope"]), (&json!(line), &json!("admin")), "{entry}");
    let path = entry["call"]["path"].as_str().unwrap();
    assert!(path.starts_with("/import?") && entry["call"]["method"] == "POST", "{entry}");
}

#[test]
fn entries_of_an_earlier_version_are_shown_as_far_as_known() {
    let home = Home::new();
    let program = home.start();
    let key = ("authorization", &*basic(KEY_ID, KEY_SECRET));
    send(&program, "POST /v1/appusers", key, r#"{"userId":"bob","givenName":"Bob"}"#);
    program.stop();
    without_calls(&home);
    let program = home.start();
    let entry = newest(&program, "bob", "&include=body");
    assert!(entry["note"].as_str().unwrap().contains("earlier version"), "{entry}");
    assert_eq!((entry.get("call"), entry.get("body"), &entry["trigger"]), (None, None, &json!("api:create")));
    let set =
        entry["decided"]["facts"].as_array().unwrap().iter().find(|fact| fact["fact"] == "set").unwrap();
    assert_eq!(
        (&set["fields"]["userId"], &set["fields"]["givenName"]),
        (&json!("bob"), &json!("Bob")),
        "{entry}"
    );
    let shown = run(&home, &program, &["journal", "show", "1"]).well().out;
    assert!(shown.contains("earlier version") && shown.contains(r#""givenName":"Bob""#), "{shown}");
    let body = run(&home, &program, &["journal", "show", "1", "--body"]);
    assert!(body.code == Some(1) && body.err.contains("earlier version"), "{body:?}");
    assert!(
        INNER.iter().all(|inner| !entry.to_string().contains(inner) && !shown.contains(inner)),
        "{entry} {shown}"
    );
    program.stop();
    assert_eq!(run_alone(&home, &["rebuild", "--verify"]).code, Some(0));
}

/// Replaces the bodies of the journal with those of a version that stored no calls.
fn without_calls(home: &Home) {
    let sql = home.sql();
    let dictionary = include_bytes!("../../../src/format/bodies.dictionary");
    let mut select = sql.prepare("SELECT first_seq, bodies FROM bodies").unwrap();
    let rows = select.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?))).unwrap();
    for (first, packed) in rows.map(Result::unwrap).collect::<Vec<_>>() {
        let plain = zstd::bulk::Decompressor::with_dictionary(dictionary)
            .unwrap()
            .decompress(&packed, 1 << 20)
            .unwrap();
        let mut event: Value = serde_json::from_slice(&plain[4..]).unwrap();
        event.as_object_mut().unwrap().remove("call").unwrap();
        let text = event.to_string();
        let mut again = u32::try_from(text.len()).unwrap().to_le_bytes().to_vec();
        again.extend_from_slice(text.as_bytes());
        let packed =
            zstd::bulk::Compressor::with_dictionary(1, dictionary).unwrap().compress(&again).unwrap();
        sql.execute("UPDATE bodies SET bodies = ?2 WHERE first_seq = ?1", (first, packed)).unwrap();
    }
}

/// Every kind of call about the person, and one by them; returns the `_id`s of the person and of another app user.
fn live(program: &Program) -> (String, String) {
    let key = ("authorization", &*basic(KEY_ID, KEY_SECRET));
    let name = format!("{CANARY}/user@example.org");
    let encoded = crate::support::encoded(&name);
    let own = jwt(json!({ "scope": "appUser", "userId": name }));
    let given = format!(
        r#"{{"userId":"{name}","givenName":"{CANARY}-given","properties":{{"{CANARY}":"{CANARY}"}}}}"#
    );
    send(program, "POST /v1/appusers", key, &given);
    send(program, "POST /v1/appusers", key, r#"{"userId":"other"}"#);
    send(
        program,
        &format!("PUT /v1/appusers/{encoded}"),
        key,
        &format!(r#"{{"email":"{CANARY}@example.org"}}"#),
    );
    send(
        program,
        &format!("POST /v1/appusers/{encoded}/events"),
        key,
        &format!(r#"{{"name":"{CANARY}-event"}}"#),
    );
    let device = format!(r#"{{"device":{{"id":"{CANARY}-phone","platform":"ios"}}}}"#);
    send(program, "POST /v1/init", ("authorization", &own), &device);
    send(
        program,
        &format!("PUT /v1/appusers/{encoded}/devices/{CANARY}-phone"),
        key,
        r#"{"appVersion":"2"}"#,
    );
    let id = |name: &str| program.app_user(name).json()["appUser"]["_id"].as_str().unwrap().to_owned();
    let (person, other) = (id(&name), id("other"));
    // Another app user of the same call stays.
    let both = format!(r#"{{"surviving":{{"_id":"other"}},"discarded":{{"_id":"{name}"}}}}"#);
    send(program, "POST /v1/appusers/merge", key, &both);
    send(
        program,
        "POST /v1/appusers/other/unmerge",
        key,
        &format!(r#"{{"discarded":{{"_id":"{person}"}}}}"#),
    );
    send(program, "PUT /v1/appusers/other", key, &format!(r#"{{"properties":{{"friend":"{person}"}}}}"#));
    (person, other)
}

#[test]
fn an_erased_user_is_in_no_stored_call() {
    for by_name in [false, true] {
        let home = Home::new();
        let program = home.start();
        let (person, other) = live(&program);
        assert!(Traces::of(&home).found() > 0);
        let name = if by_name {
            crate::support::encoded(&format!("{CANARY}/user@example.org"))
        } else {
            person.clone()
        };
        let key = ("authorization", &*basic(KEY_ID, KEY_SECRET));
        let receipt = send(&program, &format!("DELETE /v1/appusers/{name}?erase=true"), key, "");
        assert_eq!(receipt["erasure"]["complete"], true, "{receipt}");
        Traces::of(&home).nothing_in("the files");
        let gone = newest(&program, &person, "&include=body");
        assert_eq!(
            (&gone["trigger"], &gone["call"]["erased"]),
            (&json!("api:erase"), &json!(true)),
            "{gone}"
        );
        assert_eq!((&gone["call"]["key"], gone["call"].get("path")), (&json!(KEY_ID), None), "{gone}");
        let history = program.get(&format!("/v1/appusers/{other}/history?include=body")).json();
        let calls: Vec<&Value> = history["history"].as_array().unwrap().iter().collect();
        let merge = calls.iter().find(|entry| entry["trigger"] == "api:merge").unwrap();
        assert_eq!((&merge["call"]["method"], merge.get("body")), (&json!("POST"), None), "{merge}");
        assert!(
            merge["note"].as_str().unwrap().contains("erased") && merge["decided"].is_object(),
            "{merge}"
        );
        let make = calls.iter().find(|entry| entry["trigger"] == "api:create").unwrap();
        assert_eq!(make["body"], r#"{"userId":"other"}"#, "of others nothing is lost: {make}");
        let friend = calls.iter().find(|entry| entry["trigger"] == "api:update").unwrap();
        assert_eq!((friend.get("body"), &friend["call"]["erased"]), (None, &json!(true)), "{friend}");
        // A later body that names them is not stored as received either.
        send(
            &program,
            "PUT /v1/appusers/other",
            key,
            &format!(r#"{{"properties":{{"b":"{person}","c":"x"}}}}"#),
        );
        let later = newest(&program, "other", "&include=body");
        assert_eq!((later.get("body"), &later["call"]["erased"]), (None, &json!(true)), "{later}");
        program.stop();
        assert_eq!(run_alone(&home, &["rebuild", "--verify"]).code, Some(0));
    }
}

#[test]
fn a_call_goes_with_the_body_that_retention_drops() {
    let home = Home::with("[retention]\nbodies_bytes = \"1KB\"\n");
    let program = home.start();
    let key = ("authorization", &*basic(KEY_ID, KEY_SECRET));
    send(&program, "POST /v1/appusers", key, r#"{"userId":"bob","givenName":"Bob"}"#);
    for n in 0..60 {
        assert_eq!(program.webhook(first_message(&format!("u{n}"), f64::from(n))).status, 200);
    }
    let dropped = || newest(&program, "bob", "&include=body");
    crate::support::until("the body is dropped", || dropped().get("call").is_none());
    let entry = dropped();
    let kept = ["body", "note", "decided"].map(|name| entry.get(name));
    assert_eq!((kept, &entry["trigger"]), ([None; 3], &json!("api:create")), "{entry}");
    let shown = run(&home, &program, &["journal", "show", "1"]).well().out;
    assert!(shown.contains("the body was removed"), "{shown}");
}
