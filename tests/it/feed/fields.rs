//! The fields that a change names.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::api;
use crate::support::{APP, Home, Program};

fn changes(program: &Program) -> Vec<Value> {
    program.get("/v1/changes?limit=1000").json()["changes"].as_array().unwrap().clone()
}

fn named(change: &Value) -> BTreeSet<String> {
    change["fields"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

/// The members that an app user shows; a flag that is false and an empty list say nothing.
fn set(user: &Value) -> BTreeSet<String> {
    let members = user.as_object().unwrap().iter();
    let members = members.filter(|(name, value)| {
        !["_id", "properties"].contains(&name.as_str()) && **value != json!(false) && **value != json!([])
    });
    let properties = user["properties"].as_object().unwrap().keys();
    members.map(|(name, _)| name.clone()).chain(properties.map(|key| format!("properties.{key}"))).collect()
}

fn v2(id: &str, user: &Value) -> String {
    json!({ "app": { "id": APP }, "webhook": { "id": "w", "version": "v2" },
            "events": [{ "id": format!("e-{id}-{user}"), "type": "user:update", "createdAt": "2024-03-01T10:00:00.000Z",
                         "payload": { "user": user } }] })
    .to_string()
}

#[test]
fn a_created_app_user_names_all_that_is_set() {
    let home = Home::new();
    let program = home.start();
    let full = json!({ "trigger": "message:appUser", "app": { "_id": APP },
        "messages": [{ "_id": "m", "type": "text", "text": "Hi", "role": "appUser", "authorId": "x", "received": 1_500_000_000.0 }],
        "appUser": { "_id": "x", "userId": "u", "givenName": "G", "signedUpAt": "2015-10-07T19:16:27.371Z", "hobby": "chess",
                     "properties": { "a": 1, "b\"c": null, "d": "e" },
                     "clients": [{ "id": "c", "platform": "web", "active": true }] } });
    assert_eq!(program.webhook(full.to_string()).status, 200);
    let user = json!({ "id": "y", "externalId": "ext", "authenticated": true, "zendeskId": "z",
                       "profile": { "surname": "S", "avatarUrl": "https://x.example/a.png", "locale": "de" },
                       "metadata": { "m": true }, "identities": [{ "type": "email", "value": "a@b.example" }] });
    assert_eq!(program.webhook(v2("y", &user)).status, 200);
    let made = api(&program, "POST", "/v1/appusers", &json!({ "userId": "made", "properties": { "p": 1 } }));
    assert_eq!(made.status, 201);
    let merge = json!({ "surviving": { "_id": "x" }, "discarded": { "_id": "y" } });
    assert_eq!(api(&program, "POST", "/v1/appusers/merge", &merge).status, 200);
    let undo = json!({ "discarded": { "_id": "y" } });
    assert_eq!(api(&program, "POST", "/v1/appusers/x/unmerge", &undo).status, 200);
    let mut seen = BTreeSet::new();
    for change in changes(&program).iter().filter(|one| one["kind"] == "created" || one["kind"] == "unmerged")
    {
        let user = &change["appUser"];
        assert!(!named(change).is_empty(), "{change}");
        assert_eq!(named(change), set(user), "{change}");
        seen.insert(change["kind"].as_str().unwrap().to_owned());
    }
    assert_eq!(seen.len(), 2);
}

#[test]
fn no_change_names_a_member_that_no_answer_of_the_version_shows() {
    let home = Home::new();
    let program = home.start();
    let user = |more: Value| {
        let mut user = json!({ "id": "y", "profile": { "surname": "S" } });
        user.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        user
    };
    assert_eq!(program.webhook(v2("y", &user(json!({})))).status, 200);
    let later = json!({ "authenticated": true, "brandId": "b", "profile": { "avatarUrl": "https://x.example/a.png", "surname": "T" } });
    assert_eq!(program.webhook(v2("y", &user(later)).replace("T10:", "T11:")).status, 200);
    let only = json!({ "authenticated": false, "profile": { "avatarUrl": "https://x.example/b.png", "surname": "T" } });
    assert_eq!(program.webhook(v2("y", &user(only)).replace("T10:", "T12:")).status, 200);
    let told = changes(&program);
    let names: Vec<_> = told.iter().map(named).collect();
    let of = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(names[0], of(&["surname"]), "{told:?}");
    assert_eq!(names[1], of(&["surname"]), "{told:?}");
    assert!(names.iter().flatten().all(|name| set(&told[0]["appUser"]).contains(name)), "{told:?}");
}
