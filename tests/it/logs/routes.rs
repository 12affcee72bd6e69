//! Every route, with canaries in all that a request can carry, while everything is logged.

use serde_json::{Value, json};

use super::{has_no_canary, talkative};
use crate::feed::follower::Stream;
use crate::support::{APP, Answer, Home, KEY_ID, KEY_SECRET, Program, basic, request};

/// The headers that a request can carry.
const HEADERS: [(&str, &str); 9] = [
    ("content-type", "application/json; charset=canary"),
    ("x-request-id", "canary of a request / that is unfit"),
    ("traceparent", "00-canary-canary-01"),
    ("tracestate", "canary=canary"),
    ("cookie", "canary=canary"),
    ("x-forwarded-for", "canary"),
    ("user-agent", "canary/1"),
    ("referer", "https://canary.example/canary"),
    ("origin", "https://canary.example"),
];

/// The routes of the program as `src/http/router.rs` has them: methods and path.
fn routes() -> Vec<(Vec<&'static str>, String)> {
    let source = include_str!("../../../src/http/router.rs");
    let mut found = Vec::new();
    for (at, _) in source.match_indices(".route(") {
        let text = &source[at + ".route(".len()..];
        let mut depth = 1;
        let end = text.find(|c| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            depth == 0
        });
        let text = &text[..end.unwrap()];
        let Some(path) = text.split('"').nth(1) else { continue };
        let code = &text[text.rfind('"').unwrap()..];
        let calls = |method: &&str| {
            code.match_indices(&format!("{method}(")).any(|(at, _)| {
                at == 0 || !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
            })
        };
        let methods: Vec<&str> =
            ["get", "post", "put", "patch", "delete"].into_iter().filter(calls).collect();
        // A function's name, which makes the methods elsewhere.
        found.push((if methods.is_empty() { vec!["get", "post"] } else { methods }, path.to_owned()));
    }
    found
}

/// A body with something for every call.
fn body(n: usize) -> String {
    let id = json!({ "_id": "canary-named" });
    json!({
        "userId": format!("canary-user-{n}"), "externalId": format!("canary-external-{n}"),
        "givenName": "canary-given", "surname": "canary-surname", "email": "canary@example.org",
        "signedUpAt": "canary-time", "name": "canary-event", "properties": { "canary-key": "canary-value" },
        "profile": { "givenName": "canary-profile", "email": "canary-profile" }, "metadata": { "canary": "canary" },
        "device": { "id": format!("canary-device-{n}"), "platform": "canary", "pushNotificationToken": "canary",
                    "info": { "canary": "canary" } },
        "appVersion": "canary", "pushNotificationToken": "canary-push", "info": { "canary": "canary" },
        "surviving": id, "discarded": id, "canary-member": ["canary"],
    })
    .to_string()
}

fn ask(program: &Program, method: &str, path: &str, credential: (&str, &str), body: &str) -> Answer {
    let headers =
        [&HEADERS[..], &[credential, ("idempotency-key", "canary-key"), ("if-match", "\"canary\"")]];
    program.request(method, path, &headers.concat(), body.as_bytes())
}

/// Every method of every route, under every base, with each kind of credential, and bodies that fit or do not.
fn sweep(program: &Program) {
    let key = basic(KEY_ID, KEY_SECRET);
    let credentials = [
        ("authorization", key.as_str()),
        ("app-token", "canary-app-token"),
        ("authorization", "Bearer canary.canary.canary"),
    ];
    let bases = [
        "",
        "/v1",
        "/v1.1",
        &format!("/v1/apps/{APP}"),
        &format!("/v1.1/apps/{APP}"),
        &format!("/v2/apps/{APP}"),
    ];
    let mut n = 0;
    for (methods, route) in routes() {
        let (mut path, mut rest) = (String::new(), route.as_str());
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').unwrap();
            path.push_str(&format!("{before}canary-{name}"));
            rest = after;
        }
        path.push_str(rest);
        for method in methods.iter().map(|method| method.to_uppercase()) {
            for base in bases {
                for credential in credentials {
                    n += 1;
                    // A query that a call does not know is refused before all else.
                    for (body, query) in [
                        (body(n).as_str(), ""),
                        ("{\"canary-broken\": canary", ""),
                        ("{}", "?canary=canary&since=canary&q=canary"),
                    ] {
                        let path = format!("{base}{path}{query}");
                        let answer = ask(program, &method, &path, credential, body);
                        assert_ne!(answer.status, 500, "{method} {path}: {answer:?}");
                    }
                }
            }
            request(program.admin, &method, &path, &HEADERS, body(n).as_bytes()).unwrap();
        }
    }
}

/// The calls as they are meant, which succeed.
fn calls(program: &Program) {
    let key = basic(KEY_ID, KEY_SECRET);
    let ask = |method: &str, path: &str, body: Value, status: u16| {
        let headers = [&HEADERS[..], &[("authorization", key.as_str())]].concat();
        let answer = program.request(method, path, &headers, body.to_string().as_bytes());
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        answer.json()
    };
    let fields = json!({ "givenName": "canary-given", "surname": "canary-surname", "email": "canary@example.org",
        "properties": { "canary-key": "canary-value" } });
    let mut new = fields.clone();
    new["userId"] = json!("canary-ann");
    let made = ask("POST", "/v1/appusers", new.clone(), 201);
    let ann = made["appUser"]["_id"].as_str().unwrap();
    ask("POST", "/v1/appusers", new, 409);
    let device = json!({ "id": "canary-phone", "platform": "ios", "pushNotificationToken": "canary-push",
        "info": { "devicePlatform": "canary" } });
    ask("POST", "/v1/init", json!({ "device": device, "userId": "canary-ann" }), 200);
    let bob = ask("POST", "/v1/init", json!({ "device": { "id": "canary-tablet", "platform": "ios" } }), 200);
    let bob = bob["appUser"]["_id"].as_str().unwrap();
    ask("PUT", "/v1/appusers/canary-ann", fields, 200);
    ask("PUT", "/v1/appusers/canary-ann/devices/canary-phone", json!({ "appVersion": "canary" }), 200);
    ask("POST", "/v1/appusers/canary-ann/events", json!({ "name": "canary-event" }), 201);
    ask("GET", "/v1/appusers/canary-ann/channels", json!({}), 200);
    let merge = json!({ "surviving": { "_id": ann }, "discarded": { "_id": bob } });
    ask("POST", "/v1/appusers/merge", merge, 200);
    for path in [
        "/v1/appusers",
        "/v1/appusers/canary-ann",
        "/v1/appusers/canary-ann/history?include=body",
        "/v1/appusers/canary-ann?asOf=1&include=provenance",
        "/v1/changes",
        "/v1/changes?snapshot=true",
        "/v1/changes?envelope=cloudevents",
    ] {
        assert!(ask("GET", path, json!({}), 200).to_string().contains("canary-ann"), "{path}");
    }
    let mut stream = Stream::open(program.listen, "/v1/changes", None).unwrap();
    assert!(stream.next().unwrap().data.contains("canary-ann"));
    let v2 = format!("/v2/apps/{APP}/users");
    let user = json!({ "externalId": "canary-cat", "profile": { "givenName": "canary-given" }, "metadata": { "canary": "canary" } });
    ask("POST", &v2, user, 201);
    ask("PATCH", &format!("{v2}/canary-cat"), json!({ "profile": { "email": "canary@example.org" } }), 200);
    for path in
        ["", "/canary-cat", "/canary-ann/clients", "/canary-ann/devices", "/canary-ann/devices/canary-phone"]
    {
        ask("GET", &format!("{v2}{path}"), json!({}), 200);
    }
    ask("GET", &format!("{v2}?filter%5Bidentities.email%5D=canary%40example.org"), json!({}), 200);
    ask("POST", &format!("/v1/appusers/{ann}/unmerge"), json!({ "discarded": { "_id": bob } }), 200);
    ask("DELETE", "/v1/appusers/canary-ann/profile", json!({}), 200);
    ask("DELETE", &format!("{v2}/canary-cat/personalinformation"), json!({}), 200);
    ask("DELETE", &format!("{v2}/canary-cat"), json!({}), 200);
    ask("DELETE", "/v1/appusers/canary-ann", json!({}), 200);
}

#[test]
fn no_canary_of_any_route_gets_into_the_log_or_the_metrics() {
    let mut home: Home = talkative();
    home.settings =
        home.settings.replace("[limits]", "[server]\ncors_origins = [\"https://canary.example\"]\n[limits]");
    let program = home.start();
    calls(&program);
    sweep(&program);
    let metrics = program.admin("/metrics").text;
    let routes = routes();
    assert!(routes.len() >= 20, "{routes:?}");
    for (_, route) in
        routes.iter().filter(|(_, route)| ["/appusers", "/users"].iter().any(|of| route.starts_with(of)))
    {
        assert!(metrics.contains(&format!("{route}\",status=\"")), "{route} was asked");
    }
    assert!(metrics.contains("status=\"200\"") && metrics.contains("status=\"401\""));
    let log = program.stop();
    assert!(log.contains("answered with 200") && log.contains("answered with 401"));
    has_no_canary("the log", &log);
    has_no_canary("the metrics", &metrics);
    assert!(
        home.find::<i64>("SELECT count(*) FROM identifiers WHERE value LIKE 'canary-%'") > 0,
        "they came in"
    );
}
