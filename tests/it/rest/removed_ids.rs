//! The `_id` of a removed app user stays reserved, even if another app user has it as `userId`.

use serde_json::{Value, json};

use super::{
    APP, Home, Program, app, ask, deliver, done, id, look_up, message, refused, start_as, token, user,
};
use crate::operator_commands::run;

/// The app user to remove; its `_id` is the `userId` of another.
const X: &str = "5d7c0b3f0000000000000005";
const Y: &str = "5d7c0b3f0000000000000006";

/// The ways to remove X, as method and path.
const ENDS: [&str; 3] =
    ["DELETE /v1/appusers/", "DELETE /v1/appusers/?erase=true", "DELETE /v1/appusers/?erase=true&only=true"];

fn at(line: &str, name: &str) -> String {
    line.replacen("/appusers/", &format!("/appusers/{name}"), 1).replacen(
        "/users/",
        &format!("/users/{name}"),
        1,
    )
}

/// X is removed; in some cases X was merged into another app user before.
fn world(program: &Program, end: &str, merged: bool) -> Value {
    deliver(program, &message(X, 1_700_000_000.0, json!({ "userId": "of-x" })));
    deliver(program, &message(Y, 1_700_000_001.0, json!({ "userId": X, "givenName": "Y" })));
    if merged {
        deliver(program, &message("survivor", 1_700_000_002.0, json!({})));
        let merge = json!({ "surviving": { "_id": "survivor" }, "discarded": { "_id": X } });
        done(program, "POST /v1/appusers/merge", merge);
    }
    let answer = ask(program, &app(), &at(end, X), &Value::Null);
    assert_eq!(answer.status, 200, "{end}: {answer:?}");
    if end.contains("erase") {
        assert!(answer.json()["erasure"]["_ids"].to_string().contains(X), "{answer:?}");
    }
    look_up(program, Y)
}

/// Every call that names an app user, with its outcome for a removed one.
fn calls() -> Vec<(String, Value)> {
    let lines = [
        ("GET /v1/appusers/", json!(null)),
        ("GET /v1/appusers/?include=provenance", json!(null)),
        ("GET /v1/appusers//channels", json!(null)),
        ("PUT /v1/appusers/", json!({ "givenName": "Z" })),
        ("POST /v1/appusers//events", json!({ "name": "seen" })),
        ("PUT /v1/appusers//devices/d", json!({ "appVersion": "2" })),
        ("DELETE /v1/appusers//profile", json!(null)),
        ("POST /v1/appusers//unmerge", json!({ "discarded": { "_id": Y } })),
        ("DELETE /v1/appusers/", json!(null)),
        ("GET /v2/apps/A/users/", json!(null)),
        ("GET /v2/apps/A/users//clients", json!(null)),
        ("GET /v2/apps/A/users//devices", json!(null)),
        ("PATCH /v2/apps/A/users/", json!({ "profile": { "givenName": "Z" } })),
        ("DELETE /v2/apps/A/users//personalinformation", json!(null)),
        ("DELETE /v2/apps/A/users/", json!(null)),
    ];
    let mut calls: Vec<_> = lines
        .into_iter()
        .map(|(line, body)| (at(&line.replace("/A/", &format!("/{APP}/")), X), body))
        .collect();
    for (one, other) in [(X, "other"), ("other", X)] {
        let body = json!({ "surviving": { "_id": one }, "discarded": { "_id": other } });
        calls.push(("POST /v1/appusers/merge".to_owned(), body));
    }
    calls
}

#[test]
fn no_call_by_the_id_of_a_removed_user_reaches_one_with_that_user_id() {
    for end in ENDS {
        for merged in [false, true] {
            let home = Home::new();
            let program = home.start();
            let before = world(&program, end, merged);
            deliver(&program, &message("other", 1_700_000_003.0, json!({})));
            for (line, body) in calls() {
                let answer = ask(&program, &app(), &line, &body);
                assert_eq!(answer.status, 404, "{end} {merged} {line}: {answer:?}");
                assert_eq!(look_up(&program, Y), before, "{end} {merged} {line}");
            }
            for who in [token(), user(X)] {
                let answer = ask(&program, &who, &format!("GET /v1/appusers/{X}"), &Value::Null);
                assert_eq!(answer.status, 404, "{answer:?}");
            }
            // Erased once, or removed before: the receipt is of X, however often it is asked for.
            for line in [
                format!("DELETE /v1/appusers/{X}?erase=true"),
                format!("DELETE /v2/apps/{APP}/users/{X}?erase=true"),
            ] {
                let again = ask(&program, &app(), &line, &Value::Null);
                assert_eq!(again.status, 200, "{line}: {again:?}");
                let ids = again.json()["erasure"]["_ids"].to_string();
                assert!(ids.contains(X) && !ids.contains(Y), "{line}: {ids}");
            }
            let erased = run(&home, &program, &["erase", X, "--to", &format!("http://{}", program.listen)]);
            assert!(!erased.well().lines()[0]["erasure"]["_ids"].to_string().contains(Y));
            assert_eq!(look_up(&program, Y), before, "{end} {merged}");
            // They are found by their `userId` in a list, and by their own `_id`.
            let list = done(&program, &format!("GET /v1/appusers?userId={X}"), Value::Null);
            assert_eq!(
                (list["appUsers"].as_array().unwrap().len(), &list["appUsers"][0]["_id"]),
                (1, &json!(Y))
            );
            let entries = run(&home, &program, &["journal", "list", "--json", "--user", X]).well().lines();
            assert!(entries.iter().all(|entry| !entry.to_string().contains(Y)), "{entries:?}");
        }
    }
}

#[test]
fn the_id_of_an_erased_user_is_refused_as_a_user_id() {
    let home = Home::new();
    let program = home.start();
    let before = world(&program, "DELETE /v1/appusers/?erase=true", false);
    let everybody = program.all_app_users();
    for name in [X.to_owned(), X.to_uppercase(), format!("shop-{X}")] {
        for (line, member) in [("POST /v1/appusers", "userId"), ("POST /v2/apps/A/users", "externalId")] {
            let answer =
                ask(&program, &app(), &line.replace("/A/", &format!("/{APP}/")), &json!({ member: name }));
            // By this very name Y is there already.
            let expected = if name == X { 409 } else { 400 };
            assert_eq!(answer.status, expected, "{line} {name}: {answer:?}");
        }
        if name != X {
            for who in [token(), app(), user(&name)] {
                refused(&start_as(&program, &who, "d", Some(&name)), 400, "bad_request");
            }
        }
        let list = home.path().join("list.csv");
        std::fs::write(&list, format!("userId,surname\n{name},S\n")).unwrap();
        run(&home, &program, &["import", list.to_str().unwrap()]);
        assert_eq!(program.all_app_users(), everybody, "{name}");
    }
    assert_eq!(look_up(&program, Y), before);
    // An app user that got the name since stays that app user.
    let started = start_as(&program, &user(X), "d", Some(X));
    assert_eq!((started.status, id(&started.json())), (200, Y.to_owned()), "{started:?}");
    assert_eq!(ask(&program, &app(), &format!("DELETE /v1/appusers/{Y}"), &Value::Null).status, 200);
    for who in [token(), app(), user(X)] {
        refused(&start_as(&program, &who, "d2", Some(X)), 400, "bad_request");
    }
    refused(&ask(&program, &app(), "POST /v1/appusers", &json!({ "userId": X })), 400, "bad_request");
}

#[test]
fn a_removed_id_may_be_a_name_that_a_list_finds() {
    let program = Home::new().start();
    deliver(&program, &message(X, 1_700_000_000.0, json!({})));
    done(&program, &at("DELETE /v1/appusers/", X), Value::Null);
    let made = id(&done(&program, "POST /v1/appusers", json!({ "userId": X })));
    assert_eq!(ask(&program, &app(), &format!("GET /v1/appusers/{X}"), &Value::Null).status, 404);
    assert_eq!(look_up(&program, &made)["userId"], X);
    assert_eq!(
        done(&program, &format!("GET /v1/appusers?userId={X}"), Value::Null)["appUsers"][0]["_id"],
        made
    );
}

#[test]
fn no_user_is_removed_by_a_name_that_several_carry_in_one_brand() {
    for brand in [json!({}), json!({ "brandId": "811" })] {
        let program = Home::new().start();
        for (minute, id) in [(0, "one"), (1, "two")] {
            let mut told = brand.clone();
            told["externalId"] = "dup".into();
            super::brands::report(&program, minute, id, told);
        }
        let before = program.all_app_users();
        for query in ["", "?erase=true", "?brandId=811", "?brandId=811&erase=true"] {
            let is_nobody = query.contains("brandId") && brand.get("brandId").is_none();
            for line in
                [format!("DELETE /v1/appusers/dup{query}"), format!("DELETE /v2/apps/{APP}/users/dup{query}")]
            {
                let answer = ask(&program, &app(), &line, &Value::Null);
                assert_eq!(answer.status, if is_nobody { 404 } else { 409 }, "{line}: {answer:?}");
                assert_eq!(program.all_app_users(), before, "{line}");
            }
        }
        assert_eq!(ask(&program, &app(), "DELETE /v1/appusers/two", &Value::Null).status, 200);
        assert_eq!(ask(&program, &app(), "DELETE /v1/appusers/dup", &Value::Null).status, 200);
        assert_eq!(program.all_app_users(), Vec::<Value>::new());
    }
}
