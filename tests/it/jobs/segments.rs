//! Segments: named lists of an app.

use serde_json::{Value, json};

use super::{count, parts, people, post};
use crate::console::{ask, masked, of_app, operator};
use crate::journal_calls::{OTHER, two_apps};
use crate::support::{APP, Home, KEY_ID, KEY_SECRET, Program, basic, request};

fn create(program: &Program, app: &str, name: &str, query: &str) -> Value {
    let made = post(program, "/segments", &json!({ "app": app, "name": name, "query": query }));
    assert_eq!(made.status, 201, "{made:?}");
    made.json()
}

fn names(program: &Program, query: &str) -> Vec<String> {
    let all = ask(program, "GET", &format!("/segments{query}"), "").json()["segments"].clone();
    all.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn segments_are_shared_kept_and_told_in_the_audit_log() {
    let home = two_apps("");
    let program = home.start_for(operator("maria"));
    people(&program, 10);
    let gold = create(&program, APP, "Gold", "property.plan=gold&sort=-lastSeen");
    create(&program, APP, "All", "");
    create(&program, OTHER, "Gold", "platform=ios");
    assert_eq!(names(&program, ""), ["All", "Gold", "Gold"]);
    assert_eq!(names(&program, &format!("?app={APP}")), ["All", "Gold"]);
    assert_eq!((&gold["by"], &gold["app"]), (&json!("maria"), &json!(APP)));
    let path = format!("/segments/{}", gold["id"].as_str().unwrap());
    assert_eq!(ask(&program, "GET", &path, "").json(), gold);
    let taken = ask(&program, "PUT", &path, &json!({ "name": "All", "query": "" }).to_string());
    assert_eq!(taken.status, 409, "{taken:?}");
    assert_eq!(post(&program, "/segments", &json!({ "app": APP, "name": "Gold", "query": "" })).status, 409);
    let renamed = json!({ "name": "Free", "query": "property.plan=free" }).to_string();
    assert_eq!(ask(&program, "PUT", &path, &renamed).json()["query"], "property.plan=free");
    program.stop();
    let program = home.start_for(operator("maria"));
    assert_eq!(names(&program, &format!("?app={APP}")), ["All", "Free"]);
    let body = json!({ "kind": "remove", "segment": gold["id"], "expect": 5 });
    assert_eq!(parts(&program.end_of_job(&post(&program, "/jobs", &body))), [5, 0, 5]);
    assert_eq!(count(&program, ""), 5);
    assert_eq!(ask(&program, "DELETE", &path, "").status, 200);
    assert_eq!(ask(&program, "DELETE", &path, "").status, 404);
    assert_eq!(ask(&program, "GET", &path, "").status, 404);
    assert_eq!(names(&program, &format!("?app={APP}")), ["All"]);
    let told = ask(&program, "GET", "/audit?action=segment", "").json()["entries"].clone();
    let told: Vec<&str> =
        told.as_array().unwrap().iter().map(|entry| entry["detail"].as_str().unwrap()).collect();
    let id = gold["id"].as_str().unwrap();
    assert_eq!(told[..2], [&*format!("{id} deleted"), &*format!("{id} changed")]);
}

#[test]
fn what_cannot_be_a_segment_is_named() {
    let program = Home::new().start();
    for (name, query, said) in [
        ("", "", "name must not be empty"),
        (" \t", "", "name must not be empty"),
        (&*"x".repeat(201), "", "name must have at most 200 bytes"),
        ("x", &*format!("q={}", "x".repeat(4096)), "query must have at most 4096 bytes"),
        ("x", "platfrom=ios", "Unknown parameter: platfrom"),
        ("x", "sort=name", "sort must be"),
        ("x", "count=exact", "count is for pages"),
    ] {
        let answer = post(&program, "/segments", &json!({ "app": APP, "name": name, "query": query }));
        assert_eq!(answer.status, 400, "{name} {query}: {answer:?}");
        let description = answer.json()["error"]["description"].as_str().unwrap().to_owned();
        assert!(description.contains(said), "{description}");
    }
    assert_eq!(
        post(&program, "/segments", &json!({ "app": "nope", "name": "x", "query": "" })).code(),
        "app_not_found"
    );
}

#[test]
fn a_segment_says_what_of_it_is_not_known_any_more_and_goes_with_whom_it_names() {
    let home = Home::new();
    let program = home.start();
    people(&program, 3);
    create(&program, APP, "Later", "platform=ios");
    create(&program, APP, "One", "q=u00001");
    create(&program, APP, "Others", "q=u0000");
    let name = json!({ "givenName": "Zora", "surname": "Quuxley" }).to_string();
    assert_eq!(ask(&program, "PUT", &format!("/v1/apps/{APP}/appusers/u00001"), &name).status, 200);
    create(&program, APP, "Named", "q=quuxley%2C++ZORA");
    create(&program, APP, "Quuxley, Zora", "");
    create(&program, APP, "Zoras", "q=zora");
    home.sql()
        .execute("UPDATE segments SET query = 'mood=good&platform=ios' WHERE name = 'Later'", [])
        .unwrap();
    let later = ask(&program, "GET", "/segments", "").json()["segments"][0].clone();
    assert!(later["problem"].as_str().unwrap().contains("Unknown parameter: mood"), "{later}");
    let job = post(&program, "/jobs", &json!({ "kind": "remove", "segment": later["id"], "dryRun": true }));
    assert_eq!(job.status, 400, "{job:?}");
    let key = basic(KEY_ID, KEY_SECRET);
    assert_eq!(
        program.request("DELETE", "/v1/appusers/u00001?erase=true", &[("authorization", &key)], b"").status,
        200
    );
    assert_eq!(names(&program, ""), ["Later", "Others", "Zoras"]);
}

#[test]
fn an_operator_sees_the_segments_of_own_apps_and_only_names_without_values() {
    let (una, vera) = (of_app("una", OTHER), masked("vera"));
    let home = two_apps(&format!("{}{}", una.settings(), vera.settings()));
    let program = home.start_for(operator("maria"));
    let gold = create(&program, APP, "Canary", "property.plan=canary");
    create(&program, APP, "On iOS", "platform=ios");
    create(&program, OTHER, "Theirs", "");
    let ask_as = |who: &str, method: &str, path: &str, body: &str| {
        let headers = [("authorization", who), ("content-type", "application/json")];
        let answer = request(program.admin, method, path, &headers, body.as_bytes()).unwrap();
        (answer.status, answer.json())
    };
    let (una, vera) = (una.proof(), vera.proof());
    let (_, theirs) = ask_as(&una, "GET", "/segments", "");
    assert_eq!(theirs["segments"].as_array().unwrap().len(), 1);
    let path = format!("/segments/{}", gold["id"].as_str().unwrap());
    assert_eq!(ask_as(&una, "GET", &path, "").0, 404);
    assert_eq!(ask_as(&una, "DELETE", &path, "").0, 404);
    assert_eq!(ask_as(&una, "PUT", &path, &json!({ "name": "x", "query": "" }).to_string()).0, 404);
    assert_eq!(
        ask_as(&una, "POST", "/segments", &json!({ "app": APP, "name": "x", "query": "" }).to_string()).0,
        403
    );
    assert_eq!(ask_as(&una, "GET", &format!("/segments?app={APP}"), "").0, 403);
    let (_, masked) = ask_as(&vera, "GET", "/segments", "");
    assert!(!masked.to_string().to_lowercase().contains("canary"), "{masked}");
    assert_eq!(masked["segments"][0]["masked"], json!(["name", "query"]));
    assert_eq!(masked["segments"][1]["name"], "On iOS");
    assert_eq!(ask_as(&vera, "GET", &path, ""), (200, masked["segments"][0].clone()));
    for method in ["PUT", "DELETE"] {
        let body = json!({ "name": "x", "query": "" }).to_string();
        assert_eq!(ask_as(&vera, method, &path, &body).0, 403, "{method} of what vera does not see");
    }
    let by_value = json!({ "app": APP, "name": "x", "query": "email=a" }).to_string();
    assert_eq!(ask_as(&vera, "POST", "/segments", &by_value).0, 403);
    assert_eq!(
        ask_as(
            &vera,
            "POST",
            "/segments",
            &json!({ "app": APP, "name": "x", "query": "identified=true" }).to_string()
        )
        .0,
        201
    );
}
