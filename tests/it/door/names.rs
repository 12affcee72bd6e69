//! Nobody has a name that the audit log could take for another's.

use serde_json::json;

use super::{ask_from, post, who};
use crate::operator_commands::run;
use crate::support::{Home, NamedOperator, Session, key_of};

const PROXY: &str = "[console.proxy]\npeers = [\"127.0.0.2\"]\nsecret_header = \"x-proxy-secret\"\n\
                     secret = \"the secret of the proxy\"\nname_header = \"remote-user\"\n\
                     groups_header = \"remote-groups\"\noperator_groups = [\"leads\"]\n";

/// Names that show less than they have, or are the name of the commands.
const DECEIVING: [&str; 5] =
    ["ann\u{202e}eilrahc", "car\u{200b}la", "\u{feff}carla", "key file", "Key\u{a0} File"];

#[test]
fn a_proxy_signs_nobody_in_under_a_name_that_deceives() {
    let home = Home::with(&format!("{PROXY}{}", NamedOperator::new("ann", "viewer").settings()));
    let program = home.start();
    let ask = |name: &str| {
        let headers = [
            ("x-proxy-secret", "the secret of the proxy"),
            ("remote-groups", "leads"),
            ("remote-user", name),
        ];
        ask_from("127.0.0.2", program.admin, "GET", "/session", &headers).0
    };
    for name in ["carla", "Zofia Łęcka", "carla@example.org", "oidc:carla"] {
        assert_eq!(ask(name), 200, "{name}");
    }
    for name in DECEIVING {
        assert_eq!(ask(name), 401, "{name:?}");
    }
    for name in ["ann", "Ann"] {
        assert_eq!(ask(name), 403, "{name}: an operator of the settings has it");
    }
}

#[test]
fn a_link_signs_nobody_in_under_the_name_of_another() {
    let mut home = Home::with(&NamedOperator::new("ann", "viewer").settings());
    let program = home.start();
    let key = format!("Bearer {}", key_of(program.admin).unwrap());
    let key = [("authorization", key.as_str())];
    let make = |name: &str| post(&program, "/session/code", &key, &json!({ "name": name }));
    for name in DECEIVING.iter().chain(&["ANN", "ann", "", " ", "a\nb"]) {
        let answer = make(name);
        assert!(answer.status == 400 && answer.text.contains("name "), "{name:?}: {answer:?}");
    }
    let ran = run(&home, &program, &["console", "--name", "ann"]);
    assert!(ran.code == Some(1) && ran.err.contains("--name"), "{ran:?}");
    let code = make("bob").json()["code"].clone();
    let bob = Session::of(&post(&program, "/session", &[], &json!({ "code": code })));
    let code = make("cem").json()["code"].clone();
    let cem = Session::of(&post(&program, "/session", &[], &json!({ "code": code })));
    home.settings.push_str(&NamedOperator::new("bob", "viewer").settings());
    super::sessions::reload(&home, &program);
    assert_eq!([&bob, &cem].map(|session| who(&program, &session.headers())), [401, 200]);
}
