//! The next page: the same URL in the body and in the `Link` header, and usable as it is.

use serde_json::{Value, json};

use crate::support::{APP, Answer, Home, KEY_ID, KEY_SECRET, Program, basic, first_message};

/// The address in a `Link` header with this relation.
fn link(answer: &Answer, relation: &str) -> Option<String> {
    let header = answer.header("link")?;
    let link = header.split(", ").find(|link| link.ends_with(&format!("; rel=\"{relation}\"")))?;
    Some(link.split_once('>').unwrap().0.trim_start_matches('<').to_owned())
}

/// Reads a list by its links from an address on; `items` are the names of its items on a page.
fn followed(
    program: &Program,
    first: &str,
    relation: &str,
    items: impl Fn(&Value) -> Vec<String>,
) -> Vec<Vec<String>> {
    let (mut pages, mut next) = (Vec::new(), Some(first.to_owned()));
    while let Some(address) = next {
        let answer = program.get(&address);
        assert_eq!(answer.status, 200, "{address}: {answer:?}");
        let page = answer.json();
        for relation in ["next", "prev"] {
            assert_eq!(
                page["links"][relation].as_str().map(str::to_owned),
                link(&answer, relation),
                "{address}"
            );
        }
        pages.push(items(&page));
        next = link(&answer, relation);
        assert_ne!(next.as_deref(), Some(&*address), "it goes on");
    }
    pages
}

fn named(list: &'static str, id: &'static str) -> impl Fn(&Value) -> Vec<String> {
    move |page| {
        page[list].as_array().unwrap().iter().map(|item| item[id].as_str().unwrap().to_owned()).collect()
    }
}

#[test]
fn every_page_has_the_link_of_the_next_one() {
    let program = Home::new().start();
    let odd = "a b&c=d+é/?#[x]";
    for n in 0..7 {
        let clients: Vec<Value> = (0..5)
            .map(|c| json!({ "id": format!("c{n}-{c}"), "platform": "messenger", "active": true }))
            .collect();
        let user = json!({ "_id": format!("u{n}"), "properties": { odd: odd }, "clients": clients });
        let body = json!({ "trigger": "conversation:start", "app": { "_id": APP }, "timestamp": 1.5e9, "appUser": user });
        assert_eq!(program.webhook(body.to_string()).status, 200);
    }
    let all: Vec<String> = (0..7).map(|n| format!("u{n}")).collect();
    let odd = serde_urlencoded::to_string([(format!("property.{odd}"), odd)]).unwrap();
    for base in ["/v1", "/v1.1", &format!("/v1/apps/{APP}"), &format!("/v1.1/apps/{APP}")] {
        for list in ["appusers", "appUsers"] {
            let first = format!("{base}/{list}?limit=3&count=exact&sort=-lastSeen&{odd}");
            let pages = followed(&program, &first, "next", named("appUsers", "_id"));
            assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 1], "{first}");
            assert_eq!(pages.concat(), all.iter().rev().cloned().collect::<Vec<_>>(), "{first}");
        }
    }
    let users = format!("/v2/apps/{APP}/users");
    let pages = followed(&program, &format!("{users}?page[size]=3&{odd}"), "next", named("users", "id"));
    assert_eq!(pages.concat(), all);
    let last = program.get(&format!("{users}?page[size]=3&sort=-_id")).json();
    let last = program.get(last["links"]["next"].as_str().unwrap());
    let pages = followed(&program, &link(&last, "prev").unwrap(), "prev", named("users", "id"));
    assert_eq!(pages, [["u6", "u5", "u4"].map(str::to_owned)], "the first page has nothing before it");
    let clients = format!("{users}/u3/clients?page[size]=2");
    let pages = followed(&program, &clients, "next", named("clients", "id"));
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
    let last = program.get(&format!("{users}/u3/clients?page[size]=100")).json();
    assert_eq!(last["links"], json!({}), "one page is all");
}

#[test]
fn a_history_and_the_feed_have_links_too() {
    let program = Home::new().start();
    for n in 0..7 {
        assert_eq!(program.webhook(first_message("u", f64::from(n))).status, 200);
    }
    let seqs = |page: &Value| -> Vec<String> {
        page["history"].as_array().unwrap().iter().map(|entry| entry["seq"].to_string()).collect()
    };
    let pages = followed(&program, "/v1/appusers/u/history?limit=3&include=body", "next", seqs);
    assert_eq!(pages.concat(), ["7", "6", "5", "4", "3", "2", "1"]);
    // A feed has no end: its last page has the address for the next request.
    let mut address = "/v1/changes?snapshot=true&limit=1".to_owned();
    for _ in 0..3 {
        let answer = program.get(&address);
        assert_eq!(answer.status, 200, "{address}: {answer:?}");
        let next = answer.json()["links"]["next"].as_str().unwrap().to_owned();
        assert_eq!(link(&answer, "next"), Some(next.clone()));
        address = next;
    }
    assert_eq!(program.webhook(first_message("v", 1.0)).status, 200);
    let page = program.get(&address).json();
    assert_eq!((page["changes"].as_array().unwrap().len(), &page["changes"][0]["_id"]), (1, &json!("v")));
}

#[test]
fn a_stream_is_saved_under_a_name() {
    let program = Home::new().start();
    let auth = basic(KEY_ID, KEY_SECRET);
    for (accept, name) in [
        ("text/csv", format!("appusers-{APP}.csv")),
        ("application/x-ndjson", format!("appusers-{APP}.ndjson")),
    ] {
        let headers = [("authorization", &*auth), ("accept", accept)];
        let answer = program.request("GET", "/v1/appusers", &headers, b"");
        let expected = format!("attachment; filename=\"{name}\"");
        assert_eq!(answer.header("content-disposition"), Some(&*expected), "{answer:?}");
    }
    assert_eq!(program.get("/v1/appusers").header("content-disposition"), None);
}
