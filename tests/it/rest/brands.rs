//! One `externalId` in several brands: a different app user in each (Smooch's specification 17.12.0).

mod app_tokens;
mod devices;
mod selection;

use serde_json::{Value, json};

use super::{APP, Answer, Home, Program, app, ask, start_as, token};

/// A v2 message of a user, as Smooch sends it at that minute.
pub(super) fn report(program: &Program, minute: u32, id: &str, mut user: Value) {
    user["id"] = id.into();
    let author = json!({ "type": "user", "userId": id, "user": user });
    let event = json!({ "id": format!("{id}-{minute}"), "type": "conversation:message",
        "createdAt": format!("2024-03-01T10:{minute:02}:00.000Z"), "payload": { "message": { "id": "m", "author": author } } });
    let body = json!({ "app": { "id": APP }, "webhook": { "id": "w", "version": "v2" }, "events": [event] });
    assert_eq!(program.webhook(body.to_string()).status, 200);
}

/// Calls v2; `line` is a method and the path after the app.
fn v2(program: &Program, line: &str, body: &Value) -> Answer {
    let (method, path) = line.split_once(' ').unwrap();
    ask(program, &app(), &format!("{method} /v2/apps/{APP}{path}"), body)
}

/// x in 811, and, reported later, y in 812.
fn two(program: &Program) {
    report(program, 0, "x", json!({ "externalId": "shop-7", "brandId": "811" }));
    report(program, 1, "y", json!({ "externalId": "shop-7", "brandId": "812" }));
}

/// The `_id`s of all app users, each as shown.
fn all_users(program: &Program) -> Vec<Value> {
    program.all_app_users()
}

fn conflict(answer: &Answer, line: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (409, "conflict"), "{line}: {answer:?}");
    for word in ["811", "812", "brandId"] {
        assert!(answer.text.contains(word), "{line} does not name {word}: {answer:?}");
    }
}

#[test]
fn a_name_with_a_brand_means_the_one_in_that_brand() {
    let program = Home::new().start();
    two(&program);
    for (brand, id) in [("811", "x"), ("812", "y")] {
        let get = v2(&program, &format!("GET /users/shop-7?brandId={brand}"), &Value::Null);
        assert_eq!((get.status, &get.json()["user"]["id"]), (200, &json!(id)), "{get:?}");
        assert_eq!(get.json()["user"]["brandId"], brand);
        let v1 = program.get(&format!("/v1/appusers/shop-7?brandId={brand}"));
        assert_eq!(v1.json()["appUser"]["_id"], id, "{v1:?}");
        let patched = v2(
            &program,
            &format!("PATCH /users/shop-7?brandId={brand}"),
            &json!({ "profile": { "surname": brand } }),
        );
        assert_eq!((patched.status, &patched.json()["user"]["id"]), (200, &json!(id)), "{patched:?}");
        for path in ["clients", "devices", "history"] {
            let base =
                if path == "history" { "/v1/appusers".to_owned() } else { format!("/v2/apps/{APP}/users") };
            let answer = program.get(&format!("{base}/shop-7/{path}?brandId={brand}"));
            assert_eq!(answer.status, 200, "{path}: {answer:?}");
            if path == "history" {
                assert_eq!(answer.json()["history"][0]["users"], json!([id]), "{answer:?}");
            }
        }
        let then = program.get(&format!("/v1/appusers/shop-7?brandId={brand}&asOf=2"));
        assert_eq!(then.json()["appUser"]["_id"], id, "{then:?}");
    }
    assert_eq!(v2(&program, "GET /users/shop-7", &Value::Null).json()["user"]["id"], "y", "the newest");
    let surnames: Vec<Value> = all_users(&program).iter().map(|user| user["surname"].clone()).collect();
    assert_eq!(surnames, ["811", "812"]);
    let cleared = v2(&program, "DELETE /users/shop-7/personalinformation?brandId=811", &Value::Null);
    assert_eq!((cleared.status, &cleared.json()["user"]["id"]), (200, &json!("x")), "{cleared:?}");
    let gone = v2(&program, "DELETE /users/shop-7?brandId=811", &Value::Null);
    assert_eq!(gone.status, 200, "{gone:?}");
    assert_eq!(all_users(&program).iter().map(|user| user["_id"].clone()).collect::<Vec<_>>(), ["y"]);
    // No app user is left in that brand; the name alone resolves to the other again.
    assert_eq!(v2(&program, "DELETE /users/shop-7?brandId=811", &Value::Null).status, 404);
    assert_eq!(v2(&program, "PATCH /users/shop-7", &json!({})).json()["user"]["id"], "y");
}

#[test]
fn a_change_of_a_name_that_several_brands_have_does_nothing() {
    let program = Home::new().start();
    two(&program);
    let before = all_users(&program);
    for line in [
        "PATCH /users/shop-7",
        "DELETE /users/shop-7",
        "DELETE /users/shop-7?erase=true",
        "DELETE /users/shop-7/personalinformation",
    ] {
        conflict_v2(&v2(&program, line, &json!({})), line);
    }
    let merge =
        |one: &str, other: &str| json!({ "surviving": { "_id": one }, "discarded": { "_id": other } });
    for (line, body) in [
        ("PUT /v1/appusers/shop-7", json!({ "surname": "S" })),
        ("PUT /v1.1/appusers/shop-7", json!({ "surname": "S" })),
        ("DELETE /v1/appusers/shop-7", Value::Null),
        ("DELETE /v1/appusers/shop-7?erase=true", Value::Null),
        ("DELETE /v1/appusers/shop-7/profile", Value::Null),
        ("POST /v1/appusers/shop-7/events", json!({ "name": "n" })),
        ("PUT /v1/appusers/shop-7/devices/d", json!({})),
        ("POST /v1/appusers/shop-7/unmerge", json!({ "discarded": { "_id": "x" } })),
        ("POST /v1/appusers/merge", merge("shop-7", "x")),
        ("POST /v1/appusers/merge", merge("x", "shop-7")),
    ] {
        conflict(&ask(&program, &app(), line, &body), line);
    }
    conflict(&start_as(&program, &token(), "d", Some("shop-7")), "init");
    assert_eq!(all_users(&program), before);
}

fn conflict_v2(answer: &Answer, line: &str) {
    let errors = answer.json()["errors"].clone();
    assert_eq!((answer.status, &errors[0]["code"]), (409, &json!("conflict")), "{line}: {answer:?}");
    for word in ["811", "812", "brandId"] {
        assert!(answer.text.contains(word), "{line} does not name {word}: {answer:?}");
    }
}

#[test]
fn one_is_made_in_each_brand_and_none_twice() {
    let program = Home::new().start();
    let make = |body: Value| v2(&program, "POST /users", &body);
    let in_brand = |brand: &str| json!({ "externalId": "shop-7", "brandId": brand });
    let ids: Vec<Value> = ["811", "812"]
        .iter()
        .map(|brand| {
            let made = make(in_brand(brand));
            assert_eq!((made.status, &made.json()["user"]["brandId"]), (201, &json!(brand)), "{made:?}");
            made.json()["user"]["id"].clone()
        })
        .collect();
    for (brand, id) in ["811", "812"].iter().zip(&ids) {
        let again = make(in_brand(brand));
        assert_eq!((again.status, &again.json()["user"]["id"]), (409, id), "{again:?}");
        let get = v2(&program, &format!("GET /users/shop-7?brandId={brand}"), &Value::Null);
        assert_eq!(&get.json()["user"]["id"], id);
    }
    // A name without a brand is of no brand, and of no other.
    let alone = make(json!({ "externalId": "shop-7" }));
    assert_eq!((alone.status, alone.json()["user"].get("brandId")), (201, None), "{alone:?}");
    assert_eq!(make(json!({ "externalId": "shop-7", "brandId": null })).status, 409);
    // v1 without a brand creates no app user with a name that any app user has.
    let v1 = ask(&program, &app(), "POST /v1/appusers", &json!({ "userId": "shop-7" }));
    assert_eq!(v1.status, 409, "{v1:?}");
    // No app user is moved to a brand that has the name already.
    for (line, body, status) in [
        (format!("PATCH /users/{}", ids[0].as_str().unwrap()), json!({ "brandId": "812" }), 409),
        (format!("PATCH /users/{}", ids[0].as_str().unwrap()), json!({ "brandId": null }), 409),
        ("PATCH /users/shop-7?brandId=811".to_owned(), json!({ "brandId": "811" }), 200),
        ("PATCH /users/shop-7?brandId=811".to_owned(), json!({ "brandId": "813" }), 200),
        ("GET /users/shop-7?brandId=811".to_owned(), Value::Null, 404),
        ("GET /users/shop-7?brandId=813".to_owned(), Value::Null, 200),
    ] {
        let answer = v2(&program, &line, &body);
        assert_eq!(answer.status, status, "{line} {body}: {answer:?}");
    }
    assert_eq!(make(json!({ "externalId": "shop-7", "brandId": 811 })).status, 400);
}

#[test]
fn an_id_resolves_in_any_brand_unless_known_to_be_of_another() {
    let program = Home::new().start();
    two(&program);
    report(&program, 2, "n", json!({}));
    for (path, status) in [
        ("/users/x?brandId=811", 200),
        ("/users/x?brandId=812", 404),
        ("/users/n?brandId=812", 200),
        ("/users/shop-7?brandId=813", 404),
        ("/users/shop-7?brandId=", 400),
        ("/users/shop-7/clients?brandId=", 400),
    ] {
        let answer = v2(&program, &format!("GET {path}"), &Value::Null);
        assert_eq!(answer.status, status, "{path}: {answer:?}");
    }
    let before = all_users(&program);
    for line in ["DELETE /users/x?brandId=812", "DELETE /users/x?brandId=812&erase=true"] {
        assert_eq!(v2(&program, line, &Value::Null).status, 404, "{line}");
    }
    assert_eq!(all_users(&program), before);
    // An `_id` of one may be the name of another in a brand.
    report(&program, 3, "z", json!({ "externalId": "x", "brandId": "812" }));
    assert_eq!(v2(&program, "GET /users/x?brandId=812", &Value::Null).json()["user"]["id"], "z");
    assert_eq!(v2(&program, "GET /users/x", &Value::Null).json()["user"]["id"], "x");
}

#[test]
fn a_user_created_here_is_merged_into_smoochs_in_the_same_brand() {
    for (made, reported, is_one) in [
        (Some("811"), Some("811"), true),
        (Some("811"), Some("812"), false),
        (None, Some("811"), true),
        (None, None, true),
        (Some("811"), None, false),
    ] {
        let program = Home::new().start();
        let ours = v2(&program, "POST /users", &json!({ "externalId": "shop-7", "brandId": made }));
        let ours = ours.json()["user"]["id"].as_str().unwrap().to_owned();
        report(&program, 0, "x", json!({ "externalId": "shop-7", "brandId": reported }));
        let found = program.app_user(&ours).json()["appUser"]["_id"].clone();
        assert_eq!(found == "x", is_one, "{made:?} {reported:?}: {found}");
        // The brand may be reported after the name, or before it.
        for (first, second) in [("externalId", "brandId"), ("brandId", "externalId")] {
            let program = Home::new().start();
            let ours = v2(&program, "POST /users", &json!({ "externalId": "shop-7", "brandId": made }));
            let ours = ours.json()["user"]["id"].as_str().unwrap().to_owned();
            let all = json!({ "externalId": "shop-7", "brandId": reported });
            for (minute, member) in [(0, first), (1, second)] {
                report(&program, minute, "x", json!({ member: all[member] }));
            }
            let found = program.app_user(&ours).json()["appUser"]["_id"].clone();
            assert_eq!(found == "x", is_one, "{made:?} {reported:?} {first} first: {found}");
        }
    }
}

#[test]
fn two_carriers_in_two_brands_are_no_conflict() {
    let program = Home::new().start();
    two(&program);
    assert_eq!(program.metric("rollcall_identity_conflicts_total"), 0.0);
    report(&program, 2, "z", json!({ "externalId": "shop-7", "brandId": "812" }));
    assert_eq!(program.metric("rollcall_identity_conflicts_total"), 1.0);
}

#[test]
fn a_brand_that_is_a_number_is_its_text() {
    let program = Home::new().start();
    report(&program, 0, "x", json!({ "externalId": "shop-7", "brandId": 811 }));
    let found = v2(&program, "GET /users/shop-7?brandId=811", &Value::Null);
    assert_eq!(found.json()["user"]["brandId"], "811", "{found:?}");
}

#[test]
fn a_list_has_all_carriers_of_a_name_or_those_of_one_brand() {
    let program = Home::new().start();
    two(&program);
    report(&program, 2, "n", json!({ "externalId": "shop-7" }));
    report(&program, 3, "other", json!({ "externalId": "shop-8", "brandId": "811" }));
    for (query, expected) in [
        ("userId=shop-7", vec!["n", "x", "y"]),
        ("userId=shop-7&brandId=811", vec!["x"]),
        ("userId=shop-7&brandId=813", vec![]),
        ("brandId=811", vec!["other", "x"]),
        ("q=shop-7&brandId=812", vec!["y"]),
    ] {
        for query in [query.to_owned(), query.replace("userId", "externalId")] {
            let page = v2(&program, &format!("GET /users?count=true&{query}"), &Value::Null).json();
            let users = page["users"].as_array().unwrap().iter();
            let ids: Vec<&str> = users.map(|user| user["id"].as_str().unwrap()).collect();
            assert_eq!(
                (ids.as_slice(), &page["meta"]["count"]),
                (&*expected, &json!(expected.len())),
                "{query}"
            );
        }
        let page = program.get(&format!("/v1/appusers?{query}")).json();
        assert_eq!(page["appUsers"].as_array().unwrap().len(), expected.len(), "{query}: {page}");
    }
    for query in ["userId=a&externalId=a", "brandId=", "externalId="] {
        assert_eq!(v2(&program, &format!("GET /users?{query}"), &Value::Null).status, 400, "{query}");
    }
}
