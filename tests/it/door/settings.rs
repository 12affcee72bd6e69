//! The faults of `[console]`, with their lines.

use crate::backup::refused;
use crate::support::Home;

const PROXY: &str = "[console.proxy]\npeers = [\"127.0.0.1\"]\nsecret_header = \"x-secret\"\nsecret = \"sixteen bytes or more\"\n\
                     name_header = \"x-user\"\ngroups_header = \"x-groups\"\nviewer_groups = [\"staff\"]\n";
const ANN: &str =
    "[[console.operators]]\nname = \"ann\"\nrole = \"viewer\"\nsecrets = [\"sixteen bytes or more\"]\n";

type Faults = Vec<(String, &'static str)>;

fn bob() -> String {
    ANN.replace("\"ann\"", "\"bob\"").replace("sixteen", "seventeen")
}

fn of_operators() -> Faults {
    vec![
        (
            format!("{ANN}{}", bob().replace("seventeen", "sixteen")),
            "config.toml:8: console.operators.1.secrets.0: must not be the same as console.operators.0.secrets.0",
        ),
        (
            format!("{ANN}{}", ANN.replace("sixteen", "twenty")),
            "config.toml:6: console.operators.1.name: must not be the same as console.operators.0.name",
        ),
        (
            ANN.replace("sixteen bytes or more", "fifteen bytes !"),
            "config.toml:4: console.operators.0.secrets.0: must be at least 16 bytes",
        ),
        (
            ANN.replace("[\"sixteen bytes or more\"]", "[]"),
            "config.toml:4: console.operators.0.secrets: there must be at least one secret",
        ),
        (
            ANN.replace("viewer", "owner"),
            "config.toml:3: console.operators.0.role: must be viewer or operator",
        ),
        (ANN.replace("\"ann\"", "\"a:b\""), "config.toml:2: console.operators.0.name: must have no colon"),
        (
            ANN.replace("\"ann\"", "\"Key File\""),
            "config.toml:2: console.operators.0.name: must not be key file, which is the name of the commands",
        ),
        (
            ANN.replace("\"ann\"", "\"a\\u202Enn\""),
            "config.toml:2: console.operators.0.name: must have no white space around it, and no control characters or others",
        ),
        (ANN.replace("name = \"ann\"\n", ""), "console.operators.0.name: is missing"),
        (
            format!("{ANN}apps = [\"nothing\"]\n"),
            "config.toml:5: console.operators.0.apps.0: is the id of none of the apps",
        ),
        (
            format!("{ANN}apps = []\n"),
            "config.toml:5: console.operators.0.apps: there must be at least one app",
        ),
        (
            format!("{ANN}personal_data = \"no\"\n"),
            "config.toml:5: console.operators.0.personal_data: must be true or false",
        ),
        (
            format!("{ANN}secret = \"sixteen bytes or more\"\n"),
            "config.toml:5: console.operators.0.secret: unknown key; did you mean console.operators.0.secrets?",
        ),
    ]
}

fn of_the_proxy() -> Faults {
    vec![
        (
            PROXY.replace("x-user", "X-Secret"),
            "config.toml:3: console.proxy.secret_header: secret_header, name_header and groups_header must be three different headers",
        ),
        (
            PROXY.replace("secret = \"sixteen bytes or more\"\n", ""),
            "config.toml:1: console.proxy.secret: is missing",
        ),
        (
            PROXY.replace("sixteen bytes or more", "fifteen bytes !"),
            "config.toml:4: console.proxy.secret: must be at least 16 bytes",
        ),
        (
            PROXY.replace("[\"127.0.0.1\"]", "[]"),
            "config.toml:2: console.proxy.peers: there must be at least one",
        ),
        (
            PROXY.replace("127.0.0.1", "127.0.0.1:80"),
            "config.toml:2: console.proxy.peers.0: must be an IP address",
        ),
        (
            PROXY.replace("x-user", "x user"),
            "config.toml:5: console.proxy.name_header: must be the name of a header",
        ),
        (
            PROXY.replace("viewer_groups = [\"staff\"]\n", ""),
            "console.proxy.operator_groups: there must be at least one here",
        ),
        (
            format!("{ANN}{PROXY}"),
            "config.toml:8: console.proxy.secret: must not be the same as console.operators.0.secrets.0",
        ),
    ]
}

fn of_the_console() -> Faults {
    vec![
        (
            "[console]\nurl = \"rollcall.example\"\n".to_owned(),
            "config.toml:2: console.url: must be an address such as",
        ),
        (
            "[console]\nurl = \"ftp://rollcall.example\"\n".to_owned(),
            "config.toml:2: console.url: must be an address such as",
        ),
        (
            "[console]\nurl = \"https://ann:secret@rollcall.example\"\n".to_owned(),
            "config.toml:2: console.url: must be an address such as",
        ),
        (
            "[console]\nurl = \"https://rollcall.example/?a\"\n".to_owned(),
            "config.toml:2: console.url: must be an address such as",
        ),
        (
            "[console]\nurl = \"https://\"\n".to_owned(),
            "config.toml:2: console.url: must be an address such as",
        ),
        (
            "[console]\nsession_idle = \"2h\"\nsession_life = \"1h\"\n".to_owned(),
            "console.session_idle must not be more than console.session_life",
        ),
        (
            "[console]\nsession_life = \"never\"\n".to_owned(),
            "config.toml:2: console.session_life: not a duration",
        ),
    ]
}

#[test]
fn each_fault_is_named_with_its_line() {
    for (text, says) in [of_operators(), of_the_proxy(), of_the_console()].concat() {
        let (code, said) = refused(&Home::with(&text), &["check-config"]);
        assert_eq!(code, Some(78), "{text}: {said}");
        assert!(said.contains(says), "{text}\n{said}\nis not: {says}");
        for secret in ["sixteen bytes", "fifteen bytes", "ann:secret"] {
            assert!(!said.contains(secret), "{said}");
        }
    }
    for right in [
        format!("{ANN}{}", bob()),
        PROXY.to_owned(),
        "[console]\nurl = \"https://example.org:8443/rollcall/\"\n".to_owned(),
    ] {
        assert_eq!(refused(&Home::with(&right), &["check-config"]).0, Some(0), "{right}");
    }
}

#[test]
fn an_admin_listener_beyond_loopback_needs_somebody_who_can_sign_in() {
    let app = "[[apps]]\nid = \"a\"\nwebhook_secrets = [\"a secret of my own\"]\n";
    let listen = "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"0.0.0.0:0\"\n";
    let (code, said) = refused(&Home::with(&format!("{listen}{app}")), &["serve"]);
    assert_eq!(code, Some(78), "{said}");
    assert!(
        said.contains("config.toml:3: server.admin_listen: ") && said.contains("[[console.operators]]"),
        "{said}"
    );
    for who in [ANN, PROXY] {
        let (code, said) = refused(&Home::with(&format!("{listen}{app}{who}")), &["check-config"]);
        assert_eq!(code, Some(0), "{said}");
    }
    let copied = ANN.replace("sixteen bytes or more", "example-operator-secret");
    let (code, said) = refused(&Home::with(&format!("{listen}{app}{copied}")), &["check-config"]);
    assert_eq!(code, Some(78), "the secret of the shipped example is public: {said}");
    assert!(said.contains("config.toml:10: console.operators.0.secrets.0: is the demo's"), "{said}");
    // Nor does a reload take the last one away.
    let mut home = Home::with(&format!("{listen}{app}{ANN}"));
    let program = home.start_with(&[], "\"ready on ").map_err(|(_, log)| log).unwrap();
    home.settings = format!("[server]\nlisten = \"127.0.0.1:0\"\n{app}");
    home.command(&["check-config"]).output().unwrap();
    program.signal("HUP");
    program.wait_for_log("SIGHUP: config.toml: server.admin_listen: ");
    program.wait_for_log("reload refused");
}

#[test]
fn secrets_of_operators_come_from_files_as_others_do() {
    let mut home = Home::new();
    std::fs::write(home.path().join("secret"), "a secret of sixteen bytes\n").unwrap();
    for (key, value) in [("NAME", "ops"), ("ROLE", "operator"), ("SECRETS__0_FILE", "secret")] {
        home.env.push((format!("ROLLCALL__CONSOLE__OPERATORS__0__{key}"), value.to_owned()));
    }
    let program = home.start();
    let ops = crate::support::basic("ops", "a secret of sixteen bytes");
    assert_eq!(super::who(&program, &[("authorization", &ops)]), 200);
}
