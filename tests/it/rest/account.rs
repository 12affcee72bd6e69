//! Keys of the account: good for every app, and for nothing but the scope account.

use super::*;

const ACCOUNT: &str = "account_keys = [{ id = \"act_1\", secret = \"the-secret-of-the-account\" }]";

fn account(claims: &Value) -> Who {
    jwt_of("act_1", "the-secret-of-the-account", claims)
}

#[test]
fn an_account_key_reaches_any_app_that_the_path_names_and_claims_nothing_else() {
    let program = Home::with(ACCOUNT).start();
    let who = account(&json!({ "scope": "account" }));
    let body = json!({ "userId": "ann" });
    for line in
        [&format!("POST /v1/apps/{APP}/appusers"), &format!("POST /v1.1/apps/{APP}/appusers/ann/events")]
    {
        let body = if line.ends_with("events") { json!({ "name": "e" }) } else { body.clone() };
        assert_eq!(ask(&program, &who, line, &body).status, 201, "{line}");
    }
    assert_eq!(ask(&program, &who, &format!("GET /v2/apps/{APP}/users/ann"), &Value::Null).status, 200);
    refused(&ask(&program, &who, "GET /v1/appusers/ann", &Value::Null), 403, "forbidden");
    refused(&ask(&program, &who, "GET /v1/apps/another/appusers/ann", &Value::Null), 400, "bad_request");
    for claims in [json!({ "scope": "app" }), json!({ "scope": "appUser", "userId": "ann" })] {
        let line = format!("GET /v1/apps/{APP}/appusers/ann");
        refused(&ask(&program, &account(&claims), &line, &Value::Null), 403, "forbidden");
    }
}
