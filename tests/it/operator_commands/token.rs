//! `rollcall token`.

use super::run_alone;
use crate::support::Home;

const TWO_APPS: &str = r#"
[[apps]]
id = "one"
webhook_secrets = ["first"]
keys = [{ id = "k1", secret = "sixteen bytes or more" }, { id = "k2", secret = "another sixteen bytes" }]
[[apps]]
id = "two"
webhook_secrets = ["second"]
"#;

/// The status of a call with the token that a command line prints.
fn status(home: &Home, line: &str, path: &str) -> u16 {
    let args: Vec<&str> = std::iter::once("token").chain(line.split_whitespace()).collect();
    let token = run_alone(home, &args).well().out;
    let program = home.start();
    let authorization = format!("Bearer {}", token.trim_end());
    program.request("GET", path, &[("authorization", &authorization)], b"").status
}

#[test]
fn a_printed_token_is_one_the_service_takes() {
    let home = Home::new();
    for line in ["", "--scope app", "--expires-in 1h", "--key app_demo"] {
        assert_eq!(status(&home, line, "/v1/appusers"), 200, "{line}");
    }
    let bob = "--scope appUser --user-id bob";
    assert_eq!(status(&home, bob, "/v1/appusers"), 403, "it speaks for one app user");
    assert_eq!(status(&home, bob, "/v1/appusers/bob"), 404, "who is not there");
    // It lasts a second at least, and a minute is for clocks that differ.
    assert_eq!(status(&home, "--expires-in 1ms", "/v1/appusers"), 200);
    let two = Home::with(TWO_APPS);
    assert_eq!(status(&two, "--app one --key k2", "/v1/apps/one/appusers"), 200);
    assert_eq!(status(&two, "--app one", "/v1/apps/two/appusers"), 400);
}

#[test]
fn impossible_claims_are_refused_with_a_plain_message() {
    let (one, two) = (Home::new(), Home::with(TWO_APPS));
    for (line, home, code, says) in [
        ("", &two, 2, "name one with --app (one, two)"),
        ("--app three", &two, 2, "no app \"three\"; the settings have one, two"),
        ("--app two", &two, 1, "the app two has no keys"),
        ("--app one --key k3", &two, 2, "no key \"k3\"; it has k1, k2"),
        ("--user-id bob", &one, 2, "goes with --scope appUser"),
        ("--scope appUser", &one, 2, "--user-id <USERID>"),
        ("--scope appUser --user-id=", &one, 2, "not empty"),
        ("--scope integration", &one, 2, "possible values: app, appUser"),
        ("--expires-in soon", &one, 2, "not a duration"),
    ] {
        let args: Vec<&str> = std::iter::once("token").chain(line.split_whitespace()).collect();
        let ran = run_alone(home, &args);
        assert_eq!((ran.code, ran.out.as_str()), (Some(code), ""), "{line}: {ran:?}");
        assert!(ran.err.contains(says), "{line}: {ran:?}");
    }
}
