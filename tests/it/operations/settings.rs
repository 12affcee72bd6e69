//! Lists in flags and variables as people write them, and places that cannot hold a database.

use std::fs;

use crate::backup::refused;
use crate::support::{Home, basic};

/// The origins, of these three, that a service started like this admits.
fn origins(home: &Home, args: &[&str]) -> Vec<&'static str> {
    let ports = ["--set", "server.listen=127.0.0.1:0", "--set", "server.admin_listen=127.0.0.1:0"];
    let program =
        home.start_with(&[&ports[..], args].concat(), "\"ready on ").map_err(|(_, log)| log).unwrap();
    let admitted =
        ["https://a.example", "https://b.example", "https://c.example"].into_iter().filter(|origin| {
            let json = "application/json";
            let headers = [("app-token", "demo-app-token"), ("origin", *origin), ("content-type", json)];
            let body = br#"{"device":{"id":"d","platform":"web"}}"#;
            let answer = program.request("POST", "/v1/init", &headers, body);
            assert_eq!(answer.status, 200, "{answer:?}");
            answer.header("access-control-allow-origin").is_some()
        });
    admitted.collect()
}

const A: &str = "https://a.example";
const B: &str = "https://b.example";

#[test]
fn a_list_is_read_from_a_flag_and_from_a_variable_however_it_is_written() {
    let all = ["https://a.example", "https://b.example", "https://c.example"];
    for (text, expected) in [
        ("[\"*\"]", &all[..]),
        ("*", &all),
        ("[\"https://a.example\", \"https://b.example\"]", &[A, B]),
        ("[ 'https://a.example' ,\n'https://b.example', ]", &[A, B]),
        ("https://a.example,https://b.example", &[A, B]),
        ("https://a.example , https://b.example", &[A, B]),
        ("https://a.example", &[A]),
        ("[]", &[]),
        ("", &[]),
    ] {
        // A list in the file is replaced as a whole, not item by item.
        let in_file =
            "[server]\ncors_origins = [\"https://c.example\", \"https://c.example\", \"https://c.example\"]";
        let mut home = Home::with(in_file);
        let flag = format!("server.cors_origins={text}");
        assert_eq!(origins(&home, &["--set", &flag]), expected, "{flag}");
        home.env.push(("ROLLCALL__SERVER__CORS_ORIGINS".to_owned(), text.to_owned()));
        assert_eq!(origins(&home, &[]), expected, "variable {text:?}");
        // A flag overrides the variable, and an item of a flag overrides the list of the variable.
        assert_eq!(origins(&home, &["--set", "server.cors_origins=https://b.example"]), [B], "{text:?}");
        if expected == [A, B] {
            assert_eq!(
                origins(&home, &["--set", "server.cors_origins.0=https://c.example"]),
                [B, "https://c.example"]
            );
        }
    }
}

#[test]
fn apps_secrets_and_keys_are_lists_as_well() {
    let mut home = Home::new();
    let apps = "[{ id = \"one\", webhook_secrets = [\"first\", \"sec,ond\"], keys = [{ id = \"k\", secret = \"sixteen bytes or more\" }] }]";
    home.env.push(("ROLLCALL__APPS".to_owned(), apps.to_owned()));
    let program = home.start();
    let post = |secret: &str| program.request("POST", "/webhooks", &[("x-api-key", secret)], b"{}").status;
    assert_eq!(
        (post("first"), post("sec,ond"), post("demo-webhook-secret")),
        (200, 200, 401),
        "the demo is gone"
    );
    let auth = basic("k", "sixteen bytes or more");
    assert_eq!(program.request("GET", "/v1/appusers", &[("authorization", &auth)], b"").status, 200);
    program.stop();
    home.env = vec![
        ("ROLLCALL__APPS__0__ID".to_owned(), "one".to_owned()),
        ("ROLLCALL__APPS__0__WEBHOOK_SECRETS".to_owned(), "first, second".to_owned()),
    ];
    let program = home.start();
    let post = |secret: &str| program.request("POST", "/webhooks", &[("x-api-key", secret)], b"{}").status;
    assert_eq!((post("first"), post("second")), (200, 200));
    program.stop();
}

#[test]
fn the_error_for_an_invalid_list_shows_its_form() {
    for (set, says) in [
        ("server.cors_origins=[\"*\"", "such as [\"a\", \"b\"]"),
        ("server.cors_origins=[*]", "such as [\"a\", \"b\"]"),
        ("account_keys=mine", "[{ id = \"a\" }]"),
        ("apps=one", "[{ id = \"a\" }]"),
        ("server.cors_origins=[\"ftp//x\"]", "server.cors_origins.0: must be * or an origin"),
        ("server.cors_origins=[5]", "server.cors_origins.0"),
    ] {
        let (code, said) = refused(&Home::new(), &["--set", set, "check-config"]);
        assert_eq!(code, Some(78), "{set}: {said}");
        assert!(said.contains("command line") && said.contains(says), "{set}: {said}");
    }
    let (code, said) = refused(&Home::with("[server]\ncors_origins = \"*\""), &["check-config"]);
    assert!(code == Some(78) && said.contains("such as [\"a\", \"b\"]"), "{said}");
    // A value that starts like a list need not be one.
    let home = Home::new();
    let (code, said) = refused(&home, &["--set", "server.listen=[::1]:8787", "check-config"]);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn apps_that_an_address_cannot_distinguish_are_refused() {
    let app = |id: &str| format!("[[apps]]\nid = \"{id}\"\nwebhook_secrets = [\"secret of {id}\"]\n");
    for (one, other, code) in [("Shop-1", "shop-1", 78), ("shop-1", "shop-1", 78), ("shop-1", "shop-2", 0)] {
        let home = Home::with(&format!("{}{}", app(one), app(other)));
        let (said_code, said) = refused(&home, &["check-config"]);
        assert_eq!(said_code, Some(code), "{one} {other}: {said}");
        let told = "config.toml:5: apps.1.id: must not be the same as apps.0.id, in any case";
        assert_eq!(said.contains(told), code == 78, "{one} {other}: {said}");
    }
}

#[test]
fn an_impossible_path_of_the_database_is_reported_with_its_kind() {
    let home = Home::new();
    fs::write(home.path().join("file"), "").unwrap();
    fs::create_dir(home.path().join("folder")).unwrap();
    for (url, says) in [
        ("sqlite://nowhere/rollcall.db", "there is no folder nowhere"),
        ("sqlite:///no/such/folder/rollcall.db", "there is no folder /no/such/folder"),
        ("sqlite://file/rollcall.db", "file"),
        ("sqlite://folder", "folder is no file"),
        ("sqlite:///proc/rollcall.db", "/proc"),
    ] {
        let set = format!("store.url={url}");
        let (code, said) = refused(&home, &["--set", &set, "check-config"]);
        if url.contains("/proc") && code == Some(0) {
            continue; // The system lets this user try, and only then refuses.
        }
        assert_eq!(code, Some(78), "{url}: {said}");
        assert!(said.contains("command line: store.url: ") && said.contains(says), "{url}: {said}");
        let (code, said) = refused(
            &home,
            &[
                "--set",
                &set,
                "--set",
                "server.listen=127.0.0.1:0",
                "--set",
                "server.admin_listen=127.0.0.1:0",
                "serve",
            ],
        );
        assert_eq!(code, Some(74), "{url}: {said}");
    }
    let (_, said) = refused(&home, &["--set", "store.url=sqlite://nowhere/rollcall.db", "export"]);
    assert!(said.contains("there is no folder for it (store.url): make it"), "{said}");
}

#[test]
fn an_impossible_path_of_backups_is_reported_by_check_config_and_by_doctor() {
    let home = Home::new();
    home.start().stop();
    fs::write(home.path().join("file"), "").unwrap();
    fs::create_dir(home.path().join("kept")).unwrap();
    std::os::unix::fs::symlink("nothing", home.path().join("dangling")).unwrap();
    for (folder, says) in [
        ("file", "file is no folder"),
        ("dangling", "dangling is no folder"),
        ("no/such/kept", "there is no folder no/such"),
        ("/no/such/folder/kept", "there is no folder /no/such/folder"),
        ("file/kept", "file"),
        ("rollcall.db-journal", "belongs to the database"),
        ("rollcall.db.rebuild/kept", "there is no folder rollcall.db.rebuild"),
    ] {
        let set = format!("backup.folder={folder}");
        let (code, said) = refused(&home, &["--set", &set, "check-config"]);
        assert_eq!(code, Some(78), "{folder}: {said}");
        assert!(said.contains("command line: backup.folder: ") && said.contains(says), "{folder}: {said}");
        let output = home.command(&["--set", &set, "doctor"]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let is_told =
            text.lines().any(|line| line.starts_with("WRONG   last backup: ") && line.contains(says));
        assert!(is_told, "{folder}: {text}");
    }
    // It is made by the first backup.
    for folder in ["kept", "new", ""] {
        let (code, said) = refused(&home, &["--set", &format!("backup.folder={folder}"), "check-config"]);
        assert_eq!(code, Some(0), "{folder}: {said}");
    }
}
