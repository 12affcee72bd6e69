//! `/openapi.json` and `/docs`. That the answers of all tests are in the document is checked where they are
//! read: `support/conform.rs`.

mod examples;
mod fuzz;
mod members;

mod routes;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{DOCUMENT, Home, METHODS, resolve, valid};

/// Every call of the document: its path, its method, itself, and the item it is in.
fn calls() -> impl Iterator<Item = (&'static str, &'static str, &'static Value, &'static Value)> {
    let items = DOCUMENT["paths"].as_object().unwrap().iter();
    items.flat_map(|(path, item)| {
        METHODS.iter().filter_map(move |method| Some((path.as_str(), *method, item.get(method)?, item)))
    })
}

/// The parameters of a call.
fn parameters(call: &'static Value, item: &'static Value) -> Vec<&'static Value> {
    let both = [&item["parameters"], &call["parameters"]].into_iter();
    both.flat_map(|list| list.as_array().into_iter().flatten()).map(resolve).collect()
}

#[test]
fn the_document_is_served_with_its_title_and_version() {
    let program = Home::new().start();
    let answer = program.request("GET", "/openapi.json", &[], b"");
    assert_eq!((answer.status, &answer.json()), (200, &*DOCUMENT));
    assert_eq!(DOCUMENT["openapi"], "3.1.0");
    assert_eq!(DOCUMENT["info"]["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn every_call_is_described_whole() {
    let mut names = BTreeSet::new();
    for (path, method, call, item) in calls() {
        let line = format!("{method} {path}");
        assert!(names.insert(call["operationId"].as_str().unwrap()), "{line}: its operationId is another's");
        assert!(call["summary"].as_str().is_some_and(|text| text.len() > 5), "{line}: summary");
        assert_eq!(call["tags"].as_array().map(Vec::len), Some(1), "{line}: tags");
        assert!(call["security"].is_array(), "{line}: security");
        let schemes =
            call["security"].as_array().unwrap().iter().flat_map(|one| one.as_object().unwrap().keys());
        for scheme in schemes {
            assert!(DOCUMENT["components"]["securitySchemes"].get(scheme).is_some(), "{line}: {scheme}");
        }
        let responses = call["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with(['2', '3'])), "{line}: no success");
        for (status, response) in responses {
            assert!(resolve(response)["description"].is_string(), "{line}: {status}");
        }
        let named: BTreeSet<&str> =
            path.split('/').filter_map(|word| word.strip_prefix('{')?.strip_suffix('}')).collect();
        let parameters = parameters(call, item);
        let described = parameters.iter().filter(|parameter| parameter["in"] == "path");
        let described: BTreeSet<&str> =
            described.map(|parameter| parameter["name"].as_str().unwrap()).collect();
        assert_eq!(named, described, "{line}: the parameters of its path");
        for parameter in parameters {
            assert!(parameter["description"].is_string(), "{line}: {}", parameter["name"]);
        }
    }
}

#[test]
fn every_reference_leads_somewhere_and_everything_shared_is_used() {
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
                members.values().for_each(|member| references(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    references(&DOCUMENT, &mut found);
    for place in &found {
        assert!(DOCUMENT.pointer(&place[1..]).is_some(), "{place} is nowhere");
    }
    for (kind, members) in DOCUMENT["components"].as_object().unwrap() {
        // Answers with an example are written out where they are given.
        for name in
            members.as_object().unwrap().keys().filter(|_| kind != "securitySchemes" && kind != "responses")
        {
            let place = format!("#/components/{kind}/{name}");
            assert!(found.contains(&place), "nothing refers to {place}");
        }
    }
}

#[test]
fn every_schema_can_be_checked_against() {
    for (name, schema) in DOCUMENT["components"]["schemas"].as_object().unwrap() {
        // The result does not matter here: an invalid schema panics.
        _ = valid(schema, &Value::Null);
        assert!(schema.is_object(), "{name}");
    }
}

#[test]
fn the_page_loads_nothing_from_elsewhere() {
    let program = Home::new().start();
    for (path, kind) in
        [("/docs", "text/html"), ("/docs/page.css", "text/css"), ("/docs/page.js", "text/javascript")]
    {
        let answer = program.request("GET", path, &[], b"");
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.header("content-type").unwrap().starts_with(kind), "{path}: {answer:?}");
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
        for elsewhere in
            ["http://", "https://", "//cdn", "@import", "innerHTML", "eval(", "style=", "onclick"]
        {
            assert!(!answer.text.contains(elsewhere), "{path} has {elsewhere}");
        }
        let sources = ["src=\"", "href=\""].iter().flat_map(|name| answer.text.split(name).skip(1));
        for source in sources.map(|text| text.split('"').next().unwrap()).filter(|_| path == "/docs") {
            let local = source.starts_with('#');
            assert!(local || program.request("GET", source, &[], b"").status == 200, "{source}");
        }
    }
}
