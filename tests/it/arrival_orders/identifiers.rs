//! An externalId can be cleared, and can belong to another user afterwards.

use serde_json::{Value, json};

use super::{in_every_order, listed, shown, v2};
use crate::support::{APP, Home, Program, encoded};

fn called(day: u32, id: &str, name: &Value) -> Value {
    v2(day, "user:update", json!({ "user": { "id": id, "externalId": name } }))
}

/// The app user that a name resolves to, at each of the routes.
fn found(program: &Program, name: &str) -> [Option<String>; 2] {
    let v1 = program.app_user(name);
    let v2 = program.get(&format!("/v2/apps/{APP}/users/{}", encoded(name)));
    let id = |value: &Value| value.as_str().map(str::to_owned);
    [id(&v1.json()["appUser"]["_id"]), id(&v2.json()["user"]["id"])]
}

#[test]
fn a_null_in_an_update_clears_and_the_name_is_the_new_holders_alone() {
    let program = Home::new().start();
    let (name, null) = (json!("moves$"), Value::Null);
    let bodies = [called(1, "x$", &name), called(2, "x$", &null), called(2, "y$", &name)];
    in_every_order(&program, &bodies, |sign| {
        let (x, y, name) = (sign("x$"), sign("y$"), sign("moves$"));
        assert_eq!(shown(&program, &x).get("userId"), None);
        assert_eq!(shown(&program, &y)["userId"], name);
        assert_eq!(listed(&program, &format!("userId={name}")), *std::slice::from_ref(&y));
        assert_eq!(listed(&program, &format!("q={name}")), *std::slice::from_ref(&y));
        let page = program.get(&format!("/v2/apps/{APP}/users?filter[externalId]={name}"));
        assert!(page.status == 400 || !page.text.contains(&format!("\"{x}\"")), "{page:?}");
        assert_eq!(found(&program, &name), [Some(y.clone()), Some(y)]);
    });
    // And back again, via another app user.
    let bodies = [
        called(1, "v$", &json!("back$")),
        called(2, "v$", &null),
        called(3, "w$", &json!("back$")),
        called(4, "w$", &json!("other$")),
        called(5, "v$", &json!("back$")),
    ];
    in_every_order(&program, &bodies, |sign| {
        assert_eq!(listed(&program, &format!("userId={}", sign("back$"))), [sign("v$")]);
        assert_eq!(listed(&program, &format!("userId={}", sign("other$"))), [sign("w$")]);
    });
}

#[test]
fn an_older_null_clears_nothing_and_no_other_null_does() {
    let program = Home::new().start();
    let older = [called(2, "x$", &json!("stays$")), called(1, "x$", &Value::Null)];
    let of_user = json!({ "user": { "id": "y$", "externalId": null } });
    let author =
        json!({ "message": { "author": { "type": "user", "user": { "id": "z$", "externalId": null } } } });
    let elsewhere = [
        called(1, "y$", &json!("stays-y$")),
        v2(2, "conversation:postback", of_user),
        called(1, "z$", &json!("stays-z$")),
        v2(2, "conversation:message", author),
    ];
    in_every_order(&program, &older, |sign| {
        assert_eq!(shown(&program, &sign("x$"))["userId"], sign("stays$"));
        assert_eq!(found(&program, &sign("stays$")), [Some(sign("x$")), Some(sign("x$"))]);
    });
    in_every_order(&program, &elsewhere, |sign| {
        assert_eq!(shown(&program, &sign("y$"))["userId"], sign("stays-y$"));
        assert_eq!(shown(&program, &sign("z$"))["userId"], sign("stays-z$"));
    });
}

#[test]
fn a_null_of_the_survivor_clears_the_name_of_a_merged_user() {
    let program = Home::new().start();
    let merge = json!({ "mergedUsers": { "surviving": { "id": "x$" }, "discarded": { "id": "y$" } } });
    let bodies = [called(1, "y$", &json!("old$")), v2(2, "user:merge", merge), called(3, "x$", &Value::Null)];
    in_every_order(&program, &bodies, |sign| {
        assert_eq!(shown(&program, &sign("y$")).get("userId"), None);
        assert!(listed(&program, &format!("userId={}", sign("old$"))).is_empty());
    });
}
