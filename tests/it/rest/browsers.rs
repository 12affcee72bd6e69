//! Pages of other origins, and how much one credential may ask.

use serde_json::{Value, json};

use super::{Answer, Home, Program, Who, app, ask, create, key, send, token, user, with};

const ORIGIN: &str = "https://shop.example.com";
const LISTED: &str = "[server]\ncors_origins = [\"https://shop.example.com\"]";

fn preflight(program: &Program, path: &str, origin: &str) -> Answer {
    let who = with(with(Vec::new(), "origin", origin), "access-control-request-method", "PUT");
    send(program, &who, &format!("OPTIONS {path}"), b"")
}

fn allowed(answer: &Answer) -> Option<&str> {
    answer.header("access-control-allow-origin")
}

#[test]
fn a_page_of_a_listed_origin_may_ask_as_the_sdk_does() {
    let home = Home::with(LISTED);
    let program = home.start();
    create(&program, "bob");
    for path in ["/v1/init", "/v1/appusers/bob", "/v1/appUsers/a/b", "/v1.1/appusers/bob/devices/d1"] {
        let answer = preflight(&program, path, ORIGIN);
        assert_eq!((answer.status, allowed(&answer)), (200, Some(ORIGIN)), "{path}: {answer:?}");
        let (methods, headers) = ["methods", "headers"]
            .map(|name| answer.header(&format!("access-control-allow-{name}")).unwrap())
            .into();
        for method in ["GET", "POST", "PUT", "DELETE"] {
            assert!(methods.contains(method), "{answer:?}");
        }
        for header in ["app-token", "authorization", "content-type", "x-smooch-sdk"] {
            assert!(headers.contains(header), "{answer:?}");
        }
        assert_eq!(allowed(&preflight(&program, path, "https://evil.example.com")), None);
    }
    let get = |who: Who, origin: &str| {
        ask(&program, &with(who, "origin", origin), "GET /v1/appusers/bob", &Value::Null)
    };
    for who in [token(), user("bob")] {
        let answer = get(who.clone(), ORIGIN);
        assert_eq!((answer.status, allowed(&answer)), (200, Some(ORIGIN)), "{answer:?}");
        assert!(answer.header("vary").unwrap().contains("origin"), "{answer:?}");
        assert_eq!(allowed(&get(who, "https://evil.example.com")), None);
    }
    for who in [app(), key()] {
        let answer = get(who, ORIGIN);
        assert_eq!((answer.status, allowed(&answer)), (200, None), "the app's own authority is no page's");
    }
}

#[test]
fn without_the_setting_no_page_of_another_origin_may_read() {
    let program = Home::new().start();
    create(&program, "bob");
    let answer = preflight(&program, "/v1/appusers/bob", ORIGIN);
    assert_eq!((answer.status, allowed(&answer)), (405, None));
    let answer = ask(&program, &with(token(), "origin", ORIGIN), "GET /v1/appusers/bob", &Value::Null);
    assert_eq!((answer.status, allowed(&answer)), (200, None));
}

#[test]
fn one_credential_asks_so_often_and_the_others_are_not_held_up() {
    let home = Home::with("[limits]\nrequests_per_second = 1\nrequest_burst = 3");
    let program = home.start();
    let get = |who: &Who| ask(&program, who, "GET /v1/appusers/bob", &Value::Null);
    // Far more than can become free again while they are asked.
    let refused: Vec<Answer> = (0..60).map(|_| get(&token())).filter(|answer| answer.status != 404).collect();
    assert!(!refused.is_empty());
    for answer in refused {
        super::refused(&answer, 429, "too_many_requests");
        assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1, "{answer:?}");
    }
    for who in [user("bob"), user("eve"), app()] {
        assert_ne!(get(&who).status, 429, "another credential has its own");
    }
    assert_eq!(ask(&program, &Vec::new(), "POST /v1/init", &json!({})).status, 401);
}
