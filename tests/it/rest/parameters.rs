//! A call refuses a parameter that it does not know, and does nothing.

use serde_json::{Value, json};

use super::{Answer, create, done, look_up};
use crate::support::{APP, DOCUMENT, Home, METHODS, Program, encoded, is_on, request, resolve};

/// Calls whose addresses others write: senders, probes, browsers. They ignore unknown parameters.
const OPEN: [&str; 12] = [
    "/webhooks",
    "/webhooks/{app}",
    "/livez",
    "/readyz",
    "/healthz",
    "/metrics",
    "/openapi.json",
    "/docs",
    "/docs/",
    "/",
    "/console",
    "/console/",
];

/// A call of the document: its method, its address for `bob`, whether it is the admin listener's, its parameters.
struct Called {
    method: String,
    path: String,
    admin: bool,
    names: Vec<&'static str>,
}

fn calls() -> Vec<Called> {
    let mut calls = Vec::new();
    for (path, item) in DOCUMENT["paths"].as_object().unwrap() {
        if OPEN
            .iter()
            .any(|open| path == open || open.len() > 1 && open.ends_with('/') && path.starts_with(open))
        {
            continue;
        }
        for method in METHODS {
            let Some(call) = item.get(method) else { continue };
            let all = [&item["parameters"], &call["parameters"]].into_iter().filter_map(Value::as_array);
            let query = all.flatten().map(resolve).filter(|parameter| parameter["in"] == "query");
            let names = query.map(|parameter| parameter["name"].as_str().unwrap()).collect();
            let path = path.replace("{app}", APP).replace("{id}", "bob").replace("{device}", "d1");
            let path = path.replace("{seq}", "1");
            let admin = !is_on(item, false);
            calls.push(Called { method: method.to_uppercase(), path, admin, names });
        }
    }
    assert!(calls.len() > 60, "{}", calls.len());
    calls
}

fn ask(program: &Program, call: &Called, query: &str) -> Answer {
    let to = if call.admin { program.admin } else { program.listen };
    let key = crate::support::basic(crate::support::KEY_ID, crate::support::KEY_SECRET);
    let headers: &[(&str, &str)] = if call.admin { &[] } else { &[("authorization", &key)] };
    let headers = [headers, &[("content-type", "application/json")]].concat();
    request(to, &call.method, &format!("{}?{query}", call.path), &headers, b"{}").unwrap()
}

/// The text of a refusal, in either shape.
fn refusal_text(answer: &Answer) -> String {
    let answer = answer.json();
    let text = answer["error"]["description"].as_str().or(answer["errors"][0]["title"].as_str());
    text.unwrap_or_else(|| panic!("{answer}")).to_owned()
}

#[test]
fn every_call_refuses_unknown_parameters_and_does_nothing() {
    let program = Home::new().start();
    create(&program, "bob");
    let before = look_up(&program, "bob");
    for call in calls() {
        // An unknown name, those of other calls, and its own in another spelling.
        let mut strangers: Vec<String> =
            ["errase", "asof", "includes", "ersae", "_", "page[Size]", "property"].map(str::to_owned).into();
        strangers.extend(["asOf", "erase", "include", "limit", "since", "app"].map(str::to_owned));
        strangers.extend(call.names.iter().map(|name| name.to_uppercase()));
        strangers.retain(|name| !call.names.contains(&name.as_str()) && name != "Q");
        for name in strangers {
            let answer = ask(&program, &call, &format!("{}=true", encoded(&name)));
            let line = format!("{} {}?{name}", call.method, call.path);
            assert_eq!(answer.status, 400, "{line}: {answer:?}");
            let said = refusal_text(&answer);
            assert!(
                said.starts_with(&format!("Unknown parameter: {name}; this call knows ")),
                "{line}: {said}"
            );
            assert!(call.names.iter().all(|known| said.contains(known)), "{line}: {said}");
            assert!(!call.names.is_empty() || said.ends_with("none"), "{line}: {said}");
        }
        for name in &call.names {
            let name = encoded(&name.replace("KEY", "k"));
            let answer = ask(&program, &call, &format!("{name}=true&{name}=true"));
            assert_eq!(answer.status, 400, "{} {}?{name}, twice: {answer:?}", call.method, call.path);
            assert!(refusal_text(&answer).starts_with("Repeated parameter: "), "{answer:?}");
        }
    }
    assert_eq!(look_up(&program, "bob"), before);
    assert_eq!(program.all_app_users().len(), 1);
}

#[test]
fn a_wrong_credential_goes_before_a_wrong_parameter() {
    let program = Home::new().start();
    let answer = program.request("DELETE", "/v1/appusers/bob?errase=true", &[], b"");
    assert_eq!(answer.status, 401, "{answer:?}");
}

#[test]
fn a_refusal_repeats_only_short_printable_text() {
    let program = Home::new().start();
    let name = format!("{}%00%0A{}", "x".repeat(20), "y".repeat(5000));
    let said = refusal_text(&program.get(&format!("/v1/appusers/bob?{name}=1")));
    assert!(said.len() < 200 && said.chars().all(|char| !char.is_control()), "{said}");
}

#[test]
fn senders_and_probes_may_append_any_parameters() {
    let program = Home::new().start();
    let body = crate::support::first_message("5a7b1c2d3e4f5a6b7c8d9e0f", 1.5e9);
    for path in ["/webhooks?token=x&token=y", &format!("/webhooks/{APP}?a=%FF&b")] {
        let secret = [("x-api-key", crate::support::SECRET)];
        let answer = program.request("POST", path, &secret, body.as_bytes());
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert_eq!(program.request("GET", path, &[], b"").status, 200, "{path}");
    }
    for path in ["/livez?t=1&t=1", "/readyz?x=1&verbose", "/healthz?%FF", "/metrics?collect[]=a&collect[]=b"]
    {
        let answer = request(program.admin, "GET", path, &[], b"").unwrap();
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
}

#[test]
fn two_filters_by_property_are_two_parameters() {
    let program = Home::new().start();
    done(&program, "POST /v1/appusers", json!({ "userId": "bob", "properties": { "a": "1", "b": "2" } }));
    let page = program.get("/v1/appusers?property.a=1&property.b=2");
    assert_eq!(page.json()["appUsers"].as_array().map(Vec::len), Some(1), "{page:?}");
    assert_eq!(program.get("/v1/appusers?property.a=1&property.a=1").status, 400);
}
