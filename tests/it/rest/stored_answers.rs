//! A stored answer is repeated only to a caller that may still see it.

use serde_json::{Value, json};

use super::{Answer, Home, Program, Who, app, ask, create, done, refused, start_as, token, user, with};

/// Starts a device under a name, with a key that makes it safe to repeat.
fn start(program: &Program, who: &Who, device: &str, name: Option<&str>) -> Answer {
    start_as(program, &with(who.clone(), "idempotency-key", format!("key-{device}")), device, name)
}

/// Records an event of an app user, with an idempotency key; an app token may do that too.
fn track(program: &Program, who: &Who, name: &str) -> Answer {
    let who = with(who.clone(), "idempotency-key", format!("key-{name}"));
    ask(program, &who, &format!("POST /v1/appusers/{name}/events"), &json!({ "name": "seen" }))
}

/// The status of a look-up of an app user by the app.
fn own(program: &Program, name: &str) -> u16 {
    ask(program, &user(name), &format!("GET /v1/appusers/{name}"), &Value::Null).status
}

#[test]
fn a_stored_answer_is_refused_to_an_app_token_after_the_user_is_secured() {
    let home = Home::new();
    let program = home.start();
    let first = start(&program, &token(), "d9", Some("ann"));
    assert_eq!((first.status, start(&program, &token(), "d9", Some("ann")).text), (200, first.text.clone()));
    assert_eq!(track(&program, &token(), "ann").status, 201);
    assert_eq!(own(&program, "ann"), 200);
    refused(&start(&program, &token(), "d9", Some("ann")), 401, "unauthorized");
    refused(&track(&program, &token(), "ann"), 401, "unauthorized");
    program.kill();
    let program = home.start();
    refused(&start(&program, &token(), "d9", Some("ann")), 401, "unauthorized");
    // For a caller that may see them now, with another key or without one.
    assert_eq!(start(&program, &app(), "d9", Some("ann")).status, 200);
}

#[test]
fn a_stored_answer_is_refused_to_an_app_token_after_a_merge_with_a_secured_user() {
    let program = Home::new().start();
    let visitor = start(&program, &token(), "d1", None);
    let visitor = super::id(&visitor.json());
    create(&program, "ann");
    assert_eq!(own(&program, "ann"), 200);
    let merge = json!({ "surviving": { "_id": "ann" }, "discarded": { "_id": visitor } });
    done(&program, "POST /v1/appusers/merge", merge);
    refused(&start(&program, &token(), "d1", None), 401, "unauthorized");
    // Two app users that were merged when they were shown; one of them is secured now.
    let [one, other] = ["one", "other"].map(|name| create(&program, name));
    let merge = json!({ "surviving": { "_id": one }, "discarded": { "_id": other } });
    done(&program, "POST /v1/appusers/merge", merge);
    assert_eq!(start(&program, &token(), "d2", Some("one")).status, 200);
    done(&program, "POST /v1/appusers/one/unmerge", json!({ "discarded": { "_id": other } }));
    assert_eq!(start(&program, &token(), "d2", Some("one")).status, 200);
    assert_eq!(own(&program, "other"), 200);
    refused(&start(&program, &token(), "d2", Some("one")), 401, "unauthorized");
}

#[test]
fn a_stored_answer_about_a_removed_user_is_for_the_app_alone_and_about_an_erased_one_for_none() {
    let program = Home::new().start();
    for (n, line) in ["DELETE /v1/appusers/ID", "DELETE /v1/appusers/ID?erase=true"].into_iter().enumerate() {
        let names = [format!("a{n}"), format!("b{n}"), format!("c{n}")];
        let callers = [token(), app(), user(&names[2])];
        for ((name, who), expected) in
            names.iter().zip(&callers).zip([404, if n == 0 { 200 } else { 404 }, 404])
        {
            let shown = start(&program, who, name, Some(name));
            assert_eq!(shown.status, 200, "{shown:?}");
            let answer = ask(&program, &app(), &line.replace("ID", &super::id(&shown.json())), &Value::Null);
            assert!([200, 202].contains(&answer.status), "{answer:?}");
            assert_eq!(start(&program, who, name, Some(name)).status, expected, "{line} {name}");
        }
    }
}

#[test]
fn a_stored_answer_is_for_a_jwt_only_while_the_user_is_its_own() {
    let program = Home::new().start();
    assert_eq!(start(&program, &user("ann"), "d1", None).status, 200);
    assert_eq!(start(&program, &user("ann"), "d1", None).status, 200);
    done(&program, "POST /v1/appusers", json!({ "userId": "ann", "brandId": "5" }));
    refused(&start(&program, &user("ann"), "d1", None), 409, "conflict");
    refused(&track(&program, &user("ann"), "ann"), 409, "conflict");
    let program = Home::new().start();
    create(&program, "bob");
    let shown = super::id(&start(&program, &user("ann"), "d1", None).json());
    let merge = json!({ "surviving": { "_id": "bob" }, "discarded": { "_id": shown } });
    done(&program, "POST /v1/appusers/merge", merge);
    refused(&start(&program, &user("ann"), "d1", None), 403, "forbidden");
}

#[test]
fn a_stored_answer_is_refused_to_an_expired_credential() {
    let home = Home::new();
    let program = home.start();
    let make = |program: &Program, who: Who| {
        ask(program, &with(who, "idempotency-key", "k"), "POST /v1/appusers", &json!({ "userId": "ann" }))
    };
    assert_eq!((make(&program, app()).status, make(&program, app()).status), (201, 201));
    let old = "demo-app-token";
    refused(&make(&program, vec![("app-token", format!("{old}-of-before"))]), 401, "unauthorized");
    refused(
        &make(&program, super::jwt_of("app_gone", super::KEY_SECRET, &json!({ "scope": "app" }))),
        401,
        "invalid_auth",
    );
    refused(&make(&program, token()), 401, "unauthorized");
    refused(&make(&program, user("ann")), 403, "forbidden");
}
