//! What is told of app users that no look-up shows, and of values that our own API overrides.

use serde_json::{Value, json};

use super::{ask, masked, operator};
use crate::support::{APP, Home, Program, first_message};

fn at(path: &str) -> String {
    format!("/v1/apps/{APP}{path}")
}

fn with(ids: &[&str]) -> Program {
    let program = Home::new().start_for(operator("maria"));
    for (n, id) in ids.iter().enumerate() {
        assert_eq!(program.webhook(first_message(id, 1_444_348_338.0 + n as f64)).status, 200);
    }
    program
}

fn merge(program: &Program, surviving: &str, discarded: &str) {
    let both = json!({ "surviving": { "_id": surviving }, "discarded": { "_id": discarded } });
    assert_eq!(ask(program, "POST", &at("/appusers/merge"), &both.to_string()).status, 200);
}

#[test]
fn a_removed_and_an_erased_id_is_told_from_one_that_nothing_has_named() {
    let program = with(&["ann", "ann-2", "bob", "bob-2", "cem"]);
    merge(&program, "ann", "ann-2");
    merge(&program, "bob", "bob-2");
    assert_eq!(ask(&program, "DELETE", &at("/appusers/ann"), "").status, 200);
    let erased = ask(&program, "DELETE", &at("/appusers/bob?erase=true"), "").json()["erasure"].clone();
    for (id, state) in [("ann", "removed"), ("ann-2", "removed"), ("bob", "erased"), ("bob-2", "erased")] {
        assert_eq!(ask(&program, "GET", &at(&format!("/appusers/{id}")), "").status, 404);
        let told = ask(&program, "GET", &at(&format!("/tombstones/{id}")), "").json();
        assert_eq!((&told["_id"], &told["state"]), (&json!(id), &json!(state)), "{told}");
        let expected = if state == "erased" { &erased } else { &Value::Null };
        for member in ["seq", "time", "_ids", "erased", "complete"] {
            assert_eq!(told["erasure"][member], expected[member], "{id}: {member}");
        }
    }
    for id in ["cem", "nobody", "000000000000000000000000"] {
        assert_eq!(ask(&program, "GET", &at(&format!("/tombstones/{id}")), "").status, 404, "{id}");
    }
    // A later event restores nobody.
    assert_eq!(program.webhook(first_message("ann", 1_544_348_338.0)).status, 200);
    assert_eq!(ask(&program, "GET", &at("/tombstones/ann"), "").json()["state"], "removed");
}

#[test]
fn a_value_that_our_api_overrides_stands_beside_that_of_smooch() {
    let program = with(&[]);
    let said = |received: f64, given: &str| {
        let user = format!("\"givenName\":\"{given}\",\"surname\":\"Lee\",\"properties\":{{\"plan\":1.50}}");
        let body = first_message("ann", received);
        assert_eq!(program.webhook(body.replace("\"properties\":{}", &user)).status, 200);
    };
    let reported = || ask(&program, "GET", &at("/appusers/ann?include=provenance"), "").json();
    said(1_444_348_338.0, "Ann");
    assert!(reported().get("reported").is_none(), "{}", reported());
    let change = json!({ "givenName": "Anna", "surname": null, "email": "a@x.example", "properties": { "plan": "gold" } });
    assert_eq!(ask(&program, "PUT", &at("/appusers/ann"), &change.to_string()).status, 200);
    let told = reported();
    let expected = json!({ "givenName": "Ann", "surname": "Lee", "email": null, "properties.plan": 1.5 });
    assert_eq!(told["reported"], expected, "{told}");
    let raw = ask(&program, "GET", &at("/appusers/ann?include=provenance"), "").text;
    assert!(raw.contains("\"properties.plan\":1.50"), "as it was sent: {raw}");
    assert_eq!(told["appUser"]["givenName"], "Anna");
    // Once Smooch reports another value, ours does not hold any more.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    said(now.as_secs_f64() + 60.0, "Annie");
    let told = reported();
    assert_eq!(
        (&told["appUser"]["givenName"], told["reported"].get("givenName")),
        (&json!("Annie"), None),
        "{told}"
    );
    // Members that are private are not told.
    let home = Home::new();
    let program = home.start_for(masked("max"));
    assert_eq!(program.webhook(first_message("ann", 1.0)).status, 200);
    let change = program.request(
        "PUT",
        "/v1/appusers/ann",
        &[("authorization", &crate::support::basic(crate::support::KEY_ID, crate::support::KEY_SECRET))],
        change.to_string().as_bytes(),
    );
    assert_eq!(change.status, 200);
    let told = ask(&program, "GET", &at("/appusers/ann?include=provenance"), "").json();
    assert!(told.get("reported").is_none(), "{told}");
}
