//! Filters that look into clients and identities: the same in v1, in v2, in counts and in exports.

use serde_json::{Value, json};

use super::{joined, joined_in_v2};
use crate::operator_commands::run;
use crate::support::{APP, Home, KEY_ID, KEY_SECRET, Program, basic, encoded};

/// All matching app users, queried in every possible way; all ways agree.
fn found(home: &Home, program: &Program, query: &[(&str, &str)]) -> Vec<String> {
    let question = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let ids = joined(program, &question, 2);
    assert_eq!(joined_in_v2(program, &question, 2), [ids.clone(), ids.clone()], "{query:?} in v2");
    let written: String =
        query.iter().map(|(name, value)| format!("&{}={}", encoded(name), encoded(value))).collect();
    let count = program.get(&format!("/v1/appusers?count=exact{written}")).json();
    assert_eq!((&count["count"], &count["countExact"]), (&json!(ids.len()), &json!(true)), "{query:?}");
    let auth = basic(KEY_ID, KEY_SECRET);
    let headers = [("authorization", &*auth), ("accept", "application/x-ndjson"), ("connection", "close")];
    let path = format!("/v1/appusers?{}", written.trim_start_matches('&'));
    let stream = program.request("GET", &path, &headers, b"");
    let mut streamed = Vec::new();
    for id in &ids {
        assert!(stream.text.contains(&format!("{{\"_id\":\"{id}\"")), "{query:?}: {id} is in the stream");
    }
    assert_eq!(stream.text.matches("\"_id\":\"").count(), ids.len(), "{query:?}: {}", stream.text);
    let filters: Vec<String> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let arguments = filters.iter().flat_map(|filter| ["--filter", filter]);
    let exported = run(home, program, &["export"].into_iter().chain(arguments).collect::<Vec<_>>()).well();
    for line in exported.lines() {
        streamed.push(line["appUser"]["_id"].as_str().unwrap().to_owned());
    }
    assert_eq!(streamed, ids, "{query:?}: exported by the command");
    ids
}

/// A v1 webhook with an app user with these clients: platform, version, `active` flag.
fn with_clients(program: &Program, id: &str, clients: &[(&str, Option<&str>, bool)]) {
    let client = |(n, (platform, version, active)): (usize, &(&str, Option<&str>, bool))| {
        let mut client = json!({ "id": format!("{id}-{n}"), "platform": platform, "active": active });
        if let Some(version) = version {
            client["appVersion"] = json!(version);
        }
        client
    };
    let clients: Vec<Value> = clients.iter().enumerate().map(client).collect();
    let user = json!({ "_id": id, "clients": clients });
    let body = json!({ "trigger": "conversation:start", "app": { "_id": APP }, "timestamp": 1.5e9, "appUser": user });
    assert_eq!(program.webhook(body.to_string()).status, 200);
}

#[test]
fn platform_and_version_are_asked_of_one_and_the_same_client() {
    let home = Home::new();
    let program = home.start();
    with_clients(&program, "a", &[("ios", Some("1.9"), true), ("android", Some("2.0"), true)]);
    with_clients(&program, "b", &[("ios", Some("1.10"), true)]);
    with_clients(&program, "c", &[("ios", Some("2.0-beta"), true)]);
    with_clients(&program, "d", &[("ios", Some("2.0"), false), ("messenger", None, true)]);
    with_clients(&program, "e", &[("ios", Some("nightly"), true)]);
    with_clients(&program, "f", &[("ios", None, true)]);
    with_clients(&program, "g", &[("android", Some("1.0"), true), ("web", Some("3"), true)]);
    for (query, expected) in [
        (&[("appVersion", "1.9")][..], &["a"][..]),
        (&[("appVersion", "2.0")], &["a", "d"]),
        (&[("appVersion", "2.0"), ("platform", "ios")], &["d"]),
        (&[("platform", "android"), ("appVersion", "1.9")], &[]),
        (&[("appVersion", "nightly")], &["e"]),
        (&[("appVersion", "2")], &[]),
        (&[("appVersionSince", "1.10")], &["a", "b", "c", "d", "g"]),
        (&[("appVersionSince", "1.10"), ("platform", "ios")], &["b", "c", "d"]),
        (&[("appVersionSince", "2"), ("platform", "ios")], &["d"]),
        (&[("appVersionBefore", "1.10")], &["a", "g"]),
        (&[("appVersionBefore", "2.0"), ("platform", "ios")], &["a", "b", "c"]),
        (&[("appVersionSince", "1.10"), ("appVersionBefore", "2.0")], &["b", "c"]),
        (&[("appVersionSince", "2.1"), ("appVersionBefore", "1.0")], &[]),
        (&[("appVersionSince", "0"), ("platform", "messenger")], &[]),
        (&[("appVersion", "2.0"), ("appVersionBefore", "2.0")], &[]),
        (&[("platform", "ios")], &["a", "b", "c", "d", "e", "f"]),
        (&[("platform", "io")], &[]),
        (&[("platform", "iOS")], &[]),
        (&[("q", "ios")], &[]),
    ] {
        assert_eq!(found(&home, &program, query), expected, "{query:?}");
    }
    for (name, value) in [
        ("appVersionSince", "nightly"),
        ("appVersionBefore", "1..2"),
        ("appVersionSince", ""),
        ("appVersion", ""),
    ] {
        for list in ["/v1/appusers", &format!("/v2/apps/{APP}/users")] {
            let answer = program.get(&format!("{list}?{name}={value}"));
            assert!(
                answer.status == 400 && answer.text.contains(&format!("{name} must")),
                "{list}: {answer:?}"
            );
        }
    }
    program.stop();
}

#[test]
fn a_device_of_init_is_targeted_by_its_platform_and_version() {
    let home = Home::new();
    let program = home.start();
    let init = |device: Value| {
        let headers = [("app-token", "demo-app-token"), ("content-type", "application/json")];
        let body = json!({ "device": device, "userId": "bob@example.com" }).to_string();
        let answer = program.request("POST", "/v1/init", &headers, body.as_bytes());
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["appUser"]["_id"].as_str().unwrap().to_owned()
    };
    let bob = [init(json!({ "id": "d1", "platform": "ios", "appVersion": "1.0" }))];
    let ios = |version: &'static str| [("platform", "ios"), ("appVersion", version)];
    assert_eq!(found(&home, &program, &ios("1.0")), bob);
    init(json!({ "id": "d1", "platform": "ios", "appVersion": "1.10" }));
    assert_eq!(found(&home, &program, &ios("1.0")), [""; 0], "it has another version now");
    assert_eq!(found(&home, &program, &ios("1.10")), bob);
    assert_eq!(found(&home, &program, &[("appVersionSince", "1.9"), ("platform", "ios")]), bob);
    program.stop();
}

/// A v2 event about a user.
fn update(program: &Program, user: &Value) {
    let event = json!({ "id": "1", "type": "user:update", "createdAt": "2024-03-01T10:00:00.000Z",
        "payload": { "user": user } });
    let body = json!({ "app": { "id": APP }, "webhook": { "id": "W", "version": "v2" }, "events": [event] });
    assert_eq!(program.webhook(body.to_string()).status, 200);
}

fn ids(program: &Program, query: &str) -> Vec<String> {
    let page = program.get(&format!("/v2/apps/{APP}/users?{query}"));
    assert_eq!(page.status, 200, "{page:?}");
    let page = page.json();
    let users = page["users"].as_array().unwrap().iter();
    users.map(|user| user["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_identity_is_found_by_its_address_and_nothing_else_is() {
    let home = Home::new();
    let program = home.start();
    let identity = |kind: &str, value: &str| json!({ "type": kind, "value": value });
    update(
        &program,
        &json!({ "id": "x", "externalId": "idn", "identities": [identity("email", "idn@mail.example")] }),
    );
    update(
        &program,
        &json!({ "id": "y", "profile": { "email": "idn@mail.example" },
            "identities": [identity("phoneNumber", "idn@mail.example")] }),
    );
    update(
        &program,
        &json!({ "id": "z", "profile": { "email": "other@mail.example" },
            "identities": [identity("email", "One@Mail.Example"), identity("email", "zwei@mail.example")] }),
    );
    for (address, expected) in [
        ("idn@mail.example", &["x"][..]),
        ("IDN@mail.EXAMPLE", &["x"]),
        ("one@mail.example", &["z"]),
        ("ZWEI@mail.example", &["z"]),
        ("other@mail.example", &[]),
        ("idn@mail.exampl", &[]),
    ] {
        let query = format!("filter[identities.email]={address}");
        assert_eq!(ids(&program, &query), expected, "{query}");
        let counted = program.get(&format!("/v2/apps/{APP}/users?count=exact&{query}")).json();
        assert_eq!(counted["meta"]["count"], expected.len(), "{query}");
        let v1 = program.get(&format!("/v1/appusers?count=exact&identityEmail={address}")).json();
        let shown: Vec<&Value> = v1["appUsers"].as_array().unwrap().iter().map(|user| &user["_id"]).collect();
        assert_eq!((json!(shown), &v1["count"]), (json!(expected), &json!(expected.len())), "{v1}");
        let filter = format!("identityEmail={address}");
        let exported = run(&home, &program, &["export", "--filter", &filter]).well();
        let exported: Vec<Value> =
            exported.lines().iter().map(|line| line["appUser"]["_id"].clone()).collect();
        assert_eq!(json!(exported), json!(expected), "{filter}");
    }
    // The profile's address is different, in both versions.
    assert_eq!(ids(&program, "email=idn@mail.example"), ["y"]);
    let v1 = program.get("/v1/appusers?email=idn@mail.example").json();
    assert_eq!((v1["appUsers"].as_array().unwrap().len(), &v1["appUsers"][0]["_id"]), (1, &json!("y")));
    update(&program, &json!({ "id": "x", "identities": [] }));
    let body = json!({ "app": { "id": APP }, "webhook": { "id": "W", "version": "v2" }, "events": [
        { "id": "2", "type": "user:update", "createdAt": "2024-03-02T10:00:00.000Z",
          "payload": { "user": { "id": "x", "identities": [identity("email", "new@mail.example")] } } }] });
    assert_eq!(program.webhook(body.to_string()).status, 200);
    assert_eq!(ids(&program, "filter[identities.email]=idn@mail.example"), [""; 0]);
    assert_eq!(ids(&program, "filter[identities.email]=new@mail.example"), ["x"]);
}

#[test]
fn a_time_is_read_in_every_way_it_is_written_or_refused_by_name() {
    let home = Home::new();
    let program = home.start();
    // At 2017-07-14T02:40:10.250Z, and a day later.
    for (id, time) in [("early", 1_500_000_010.25), ("late", 1_500_086_410.25)] {
        let user = json!({ "_id": id, "signedUpAt": jiff::Timestamp::from_millisecond((time * 1000.0) as i64).unwrap().to_string() });
        let body = json!({ "trigger": "conversation:start", "app": { "_id": APP }, "timestamp": time, "appUser": user });
        assert_eq!(program.webhook(body.to_string()).status, 200);
    }
    for (time, since) in [
        ("1500000010", &["early", "late"][..]),
        ("1500000010.25", &["early", "late"]),
        ("1500000010.5", &["late"]),
        ("1500000010250", &["early", "late"]),
        ("1500000010500", &["late"]),
        ("2017-07-14", &["early", "late"]),
        ("2017-07-15", &["late"]),
        ("2017-07-16", &[]),
        ("2017-07-14T02:40:11Z", &["late"]),
        ("2017-07-14T04:40:11+02:00", &["late"]),
    ] {
        let before: Vec<&str> = ["early", "late"].into_iter().filter(|id| !since.contains(id)).collect();
        for what in ["seen", "signedUp"] {
            assert_eq!(
                found(&home, &program, &[(&format!("{what}Since"), time)]),
                since,
                "{what} since {time}"
            );
            assert_eq!(
                found(&home, &program, &[(&format!("{what}Before"), time)]),
                before,
                "{what} before {time}"
            );
        }
    }
    // A plus that was not written as %2B.
    let page = program.get("/v1/appusers?seenSince=2017-07-14T04:40:11+02:00").json();
    assert_eq!(page["appUsers"][0]["_id"], "late");
    for wrong in
        ["yesterday", "1500000010500000", "2017-07-14T02:40:10", "2017-13-01", "2017-07", "-", "inf", ""]
    {
        for name in ["seenSince", "seenBefore", "signedUpSince", "signedUpBefore"] {
            for list in ["/v1/appusers", &format!("/v2/apps/{APP}/users")] {
                let answer = program.get(&format!("{list}?{name}={wrong}"));
                assert!(
                    answer.status == 400 && answer.text.contains(&format!("{name} must be a date")),
                    "{answer:?}"
                );
            }
        }
        let then = program.get(&format!("/v1/appusers/early?asOf={wrong}"));
        assert!(then.status == 400 && then.text.contains("asOf must be"), "{wrong}: {then:?}");
    }
    let now = jiff::Timestamp::now();
    let (ms, date) = (now.as_millisecond(), now.to_string()[..10].to_owned());
    for (moment, status) in [
        (now.to_string(), 200),
        (ms.to_string(), 200),
        (format!("{}.5", now.as_second() + 1), 200),
        ("1".to_owned(), 200),
        (date, 404),
        ("1500000010500".to_owned(), 404),
        ("2017-07-14".to_owned(), 404),
        // Whole seconds would be a number of the journal, and there is no such number yet.
        (now.as_second().to_string(), 400),
        ("3".to_owned(), 400),
    ] {
        let then = program.get(&format!("/v1/appusers/early?asOf={moment}"));
        assert_eq!(then.status, status, "{moment}: {then:?}");
    }
    program.stop();
}
