//! NUL and halves of surrogate pairs, which no database can hold: two names that differ by them stay two names.

use serde_json::{Value, json};

use crate::feed::api;
use crate::operator_commands::run_alone;
use crate::support::{APP, Home, encoded};

/// As JSON escapes them, and as they are shown in a name.
const UNITS: [(&str, &str); 4] = [
    ("\\u0000", "\u{fffd}0000"),
    ("\\ud800", "\u{fffd}d800"),
    ("\\udc00", "\u{fffd}dc00"),
    ("\\ufffd", "\u{fffd}"),
];

fn body(text: &str) -> String {
    text.replace("APP", &format!("{APP:?}"))
}

/// Webhooks in which such a text names something; `UNIT` and `#` differ between people.
const WEBHOOKS: [&str; 5] = [
    r#"{"trigger":"message:appUser","app":{"_id":APP},"appUser":{"_id":"p#","userId":"UNIT"},"messages":[]}"#,
    r#"{"trigger":"message:appUser","app":{"_id":APP},"appUser":{"_id":"aUNIT","givenName":"g#"},"messages":[]}"#,
    r#"{"trigger":"client:add","app":{"_id":APP},"appUser":{"_id":"c#"},"client":{"id":"UNIT","active":true,"platform":"web"}}"#,
    r#"{"app":{"id":APP},"events":[{"id":"e#","type":"user:update","createdAt":"2020-02-25T18:06:37.547Z","payload":{"user":{"id":"x#","externalId":"vUNIT","metadata":{"kUNIT":"k#"}}}}]}"#,
    r#"{"app":{"id":APP},"events":[{"id":"f#","type":"user:update","createdAt":"2020-02-25T18:06:37.547Z","payload":{"user":{"id":"b#","externalId":"shared","brandId":"UNIT"}}}]}"#,
];

fn webhooks() -> Vec<String> {
    let each = |(n, (unit, _)): (usize, &(&str, &str))| {
        let write = move |text: &&str| body(&text.replace("UNIT", unit).replace('#', &n.to_string()));
        WEBHOOKS.iter().map(write).collect::<Vec<_>>()
    };
    UNITS.iter().enumerate().flat_map(each).collect()
}

#[test]
fn names_that_differ_in_unstorable_characters_are_different_names() {
    let mut shown: Vec<Value> = Vec::new();
    for backwards in [false, true] {
        let home = Home::new();
        let program = home.start();
        let mut all = webhooks();
        if backwards {
            all.reverse();
        }
        for body in &all {
            let answer = program.webhook(body);
            assert_eq!((answer.status, answer.header("x-rollcall-quarantined")), (200, None), "{body}");
        }
        for (n, (_, name)) in UNITS.iter().enumerate() {
            let user = |id: &str| {
                let answer = program.get(&format!("/v1/appusers/{}", encoded(id)));
                assert_eq!(answer.status, 200, "{id:?}: {answer:?}");
                answer.json()["appUser"].clone()
            };
            assert_eq!(
                (&user(name)["_id"], &user(name)["userId"]),
                (&format!("p{n}").into(), &(*name).into())
            );
            assert_eq!(user(&format!("a{name}"))["givenName"], format!("g{n}"));
            let client = user(&format!("c{n}"))["clients"][0].clone();
            assert_eq!((&client["id"], &client["active"]), (&(*name).into(), &true.into()));
            assert_eq!(
                user(&format!("v{name}"))["properties"],
                json!({ (format!("k{name}")): format!("k{n}") })
            );
            let path = format!("/v1/appusers/shared?brandId={}", encoded(name));
            assert_eq!(program.get(&path).json()["appUser"]["_id"], format!("b{n}"), "{path}");
        }
        shown.push(program.all_app_users().len().into());
        program.stop();
        let folded = run_alone(&home, &["rebuild", "--verify"]);
        assert_eq!(folded.code, Some(0), "{folded:?}");
    }
    assert_eq!(shown[0], shown[1]);
}

#[test]
fn keys_of_one_object_that_differ_so_are_two_keys() {
    let home = Home::new();
    let program = home.start();
    let text = r#"{"trigger":"message:appUser","app":{"_id":APP},"appUser":{"_id":"a","givenName":"x\u0000","properties":{"k\u0000":1,"k\ud800":2,"k":"\ud800"}},"messages":[]}"#;
    assert_eq!(program.webhook(body(text)).status, 200);
    let user = program.app_user("a").json()["appUser"].clone();
    assert_eq!(user["properties"], json!({ "k\u{fffd}0000": 1, "k\u{fffd}d800": 2, "k": "\u{fffd}" }));
    assert_eq!(user["givenName"], "x\u{fffd}", "a text that names nobody is shown as ever");
}

#[test]
fn the_api_refuses_an_unstorable_name_and_shows_it() {
    let home = Home::new();
    let program = home.start();
    let user = json!({ "userId": "whole" });
    assert_eq!(api(&program, "POST", "/v1/appusers", &user).status, 201);
    let calls = [
        ("POST", "/v1/appusers".to_owned(), r#"{"userId":"aUNIT"}"#, "userId"),
        ("POST", "/v1/appusers".to_owned(), r#"{"userId":"a","brandId":"UNIT"}"#, "brandId"),
        (
            "POST",
            "/v1/init".to_owned(),
            r#"{"userId":"aUNIT","device":{"id":"d","platform":"web"}}"#,
            "userId",
        ),
        ("POST", "/v1/init".to_owned(), r#"{"device":{"id":"dUNIT","platform":"web"}}"#, "device.id"),
        (
            "POST",
            "/v1/appusers/merge".to_owned(),
            r#"{"surviving":{"_id":"whole"},"discarded":{"_id":"UNIT"}}"#,
            "discarded._id",
        ),
        (
            "POST",
            "/v1/appusers/merge".to_owned(),
            r#"{"surviving":{"_id":"UNIT"},"discarded":{"_id":"whole"}}"#,
            "surviving._id",
        ),
        ("POST", "/v1/appusers/whole/unmerge".to_owned(), r#"{"discarded":{"_id":"UNIT"}}"#, "discarded._id"),
        ("POST", format!("/v2/apps/{APP}/users"), r#"{"externalId":"aUNIT"}"#, "externalId"),
        ("POST", format!("/v2/apps/{APP}/users"), r#"{"externalId":"a","brandId":"UNIT"}"#, "brandId"),
        ("PATCH", format!("/v2/apps/{APP}/users/whole"), r#"{"brandId":"UNIT"}"#, "brandId"),
    ];
    let key = crate::support::basic(crate::support::KEY_ID, crate::support::KEY_SECRET);
    let headers = [("authorization", key.as_str()), ("content-type", "application/json")];
    for (method, path, text, names) in &calls {
        for (unit, _) in &UNITS[..3] {
            let answer = program.request(method, path, &headers, text.replace("UNIT", unit).as_bytes());
            assert_eq!(answer.status, 400, "{method} {path} {text}: {answer:?}");
            assert!(answer.text.contains(names), "{method} {path} {text}: {answer:?}");
        }
    }
    for (method, path) in [
        ("GET", "/v1/appusers/%00"),
        ("PUT", "/v1/appusers/a%00"),
        ("PUT", "/v1/appusers/whole/devices/d%00"),
        ("DELETE", "/v1/appusers/a%00"),
    ] {
        assert_eq!(api(&program, method, path, &json!({})).status, 400, "{method} {path}");
    }
    assert_eq!(program.all_app_users().len(), 1);
}
