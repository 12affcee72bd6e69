//! The users API on the admin listener: the caller is the app in the path, by an operator.

use serde_json::{Value, json};

use super::{ask, ask_with, of_app, operator};
use crate::support::{APP, Home, Program, first_message};

fn at(path: &str) -> String {
    format!("/v1/apps/{APP}{path}")
}

fn with_ann() -> Program {
    let program = Home::new().start_for(operator("maria"));
    assert_eq!(program.webhook(first_message("ann", 1_444_348_338.0)).status, 200);
    program
}

#[test]
fn an_operator_reads_and_changes_as_the_app_does() {
    let program = with_ann();
    let public = program.get("/v1/appusers/ann");
    let own = ask(&program, "GET", &at("/appusers/ann"), "");
    assert_eq!((own.status, &own.text, own.header("etag")), (200, &public.text, public.header("etag")));
    let tag = own.header("etag").unwrap();
    let changed =
        ask_with(&program, "PUT", &at("/appusers/ann"), &[("if-match", tag)], r#"{"givenName":"Ann"}"#);
    assert_eq!(changed.json()["appUser"]["givenName"], "Ann");
    let late = ask_with(&program, "PUT", &at("/appusers/ann"), &[("if-match", tag)], r#"{"givenName":"Bo"}"#);
    assert_eq!((late.status, late.code().as_str()), (412, "precondition_failed"));
    let page = ask(&program, "GET", &at("/appusers?q=an&count=exact"), "").json();
    assert_eq!((&page["count"], &page["appUsers"][0]["_id"]), (&json!(1), &json!("ann")));
}

#[test]
fn the_journal_says_which_operator_made_a_call() {
    let program = with_ann();
    assert_eq!(ask(&program, "PUT", &at("/appusers/ann"), r#"{"surname":"Lee"}"#).status, 200);
    for history in
        [ask(&program, "GET", &at("/appusers/ann/history"), ""), program.get("/v1/appusers/ann/history")]
    {
        let call = &history.json()["history"][0]["call"];
        assert_eq!((&call["scope"], &call["operator"]), (&json!("operator"), &json!("maria")));
        assert_eq!((&call["key"], &call["path"]), (&Value::Null, &json!(at("/appusers/ann"))));
    }
}

#[test]
fn an_app_that_an_operator_does_not_see_is_answered_as_one_that_does_not_exist() {
    let settings = "[[apps]]\nid = \"a\"\nwebhook_secrets = [\"a-secret-of-a\"]\n\
                    [[apps]]\nid = \"b\"\nwebhook_secrets = [\"a-secret-of-b\"]\n";
    let program = Home::with(settings).start_for(of_app("bo", "a"));
    for (path, body) in [("/appusers", "{\"userId\":\"u\"}"), ("/appusers/merge", "{}"), ("/init", "{}")] {
        let [other, none] =
            ["b", "nothing"].map(|app| ask(&program, "POST", &format!("/v1/apps/{app}{path}"), body));
        assert_eq!((other.status, &other.text), (403, &none.text), "{path}");
    }
    for path in ["/appusers", "/appusers/u", "/appusers/u/history", "/appusers/u/channels", "/changes"] {
        let [own, other, none] =
            ["a", "b", "nothing"].map(|app| ask(&program, "GET", &format!("/v1/apps/{app}{path}"), ""));
        assert_eq!((other.status, &other.text), (403, &none.text), "{path}");
        assert!(own.text != other.text, "{path}: {own:?}");
    }
    assert_eq!(ask(&program, "POST", "/v1/apps/a/appusers", "{\"userId\":\"u\"}").status, 201);
}

#[test]
fn no_page_of_another_origin_may_read_an_operators_answers() {
    let home = Home::with("[server]\ncors_origins = [\"*\"]");
    let program = home.start_for(operator("maria"));
    let origin = ("origin", "https://shop.example.com");
    let answer = ask_with(&program, "GET", &at("/appusers"), &[origin], "");
    assert_eq!(answer.header("access-control-allow-origin"), None, "{answer:?}");
}
