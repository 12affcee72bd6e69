//! What an operator of some apps, and one who sees no people, may not do for the service as a whole.

use super::APPS;
use crate::console::{ask, masked, of_app};
use crate::support::{APP, Home};

#[test]
fn an_operator_of_one_app_imports_into_no_other_and_rebuilds_nothing() {
    let program = Home::with(APPS).start_for(of_app("one", "other"));
    let bob = r#"{"userId":"bob"}"#;
    for query in [format!("app={APP}"), format!("default={APP}"), "app=nowhere".to_owned()] {
        assert_eq!(ask(&program, "POST", &format!("/import?{query}"), bob).status, 403, "{query}");
    }
    let named = ask(&program, "POST", "/import", &format!(r#"{{"userId":"bob","app":"{APP}"}}"#)).json();
    assert_eq!((&named["imported"], &named["wrong"][0]["line"]), (&0.into(), &1.into()), "{named}");
    assert_eq!(program.app_user("bob").status, 404);
    assert_eq!(ask(&program, "POST", "/import?app=other", bob).json()["imported"], 1);
    assert_eq!(ask(&program, "POST", "/rebuild", r#"{"rows":[],"derived":["search"]}"#).status, 403);
}

#[test]
fn an_operator_who_sees_no_people_imports_none() {
    let operator = masked("two");
    let program = Home::with(APPS).start_for(operator);
    let answer = ask(&program, "POST", "/import?app=other", r#"{"userId":"bob"}"#);
    assert!(answer.status == 403 && answer.text.contains("personal_data"), "{answer:?}");
}
