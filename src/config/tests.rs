//! The shipped file, the precedence of sources, and the message for every mistake.

use std::fmt::Write as _;
use std::time::Duration;

use tracing::level_filters::LevelFilter;

use super::layers::SHIPPED;
use super::*;

fn parse_with(text: &str, env: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Settings, String> {
    let owned = |(a, b): &(&str, &str)| ((*a).to_owned(), (*b).to_owned());
    let env = env.iter().map(owned).collect();
    let flags: Vec<_> = flags.iter().map(owned).collect();
    Settings::parse(text, "config.toml", &env, &flags).map_err(|problems| problems.to_string())
}

fn parse(text: &str) -> Result<Settings, String> {
    parse_with(text, &[], &[])
}

/// Two apps without a fault, on the lines after `text`.
fn with_apps(text: &str) -> String {
    format!(
        r#"{text}
[[apps]]
id = "one"
webhook_secrets = ["first secret"]
keys = [{{ id = "key_1", secret = "sixteen bytes or more" }}]
[[apps]]
id = "two"
app_token = "token"
webhook_secrets = ["second secret", "second secret"]
"#
    )
}

#[test]
fn the_shipped_file_is_valid_alone_and_has_the_defaults() {
    let shipped = parse("").unwrap();
    let named = parse(SHIPPED).unwrap();
    assert_eq!(format!("{shipped:?}"), format!("{named:?}"));

    assert_eq!(shipped.server.listen.to_string(), "127.0.0.1:8787");
    assert_eq!(shipped.server.admin_listen.to_string(), "127.0.0.1:8788");
    assert_eq!(shipped.server.header_bytes, 32 << 10);
    assert_eq!(shipped.limits.rest_body, 100_000);
    assert_eq!(shipped.ingest.answer_within, Duration::from_millis(4500));
    assert_eq!(shipped.ingest.future_tolerance, Duration::from_secs(24 * 3600));
    assert_eq!(shipped.store.url, StoreUrl::Sqlite("rollcall.db".into()));
    assert_eq!(shipped.log.level, LevelFilter::INFO);
    let [app] = shipped.apps.as_slice() else { panic!("one demo app") };
    assert_eq!((app.id.as_str(), app.name.as_str()), ("5698edbf2a43bd081be982f1", "Demo"));
    assert_eq!(app.app_token.as_ref().unwrap().expose(), "demo-app-token");
    assert_eq!(app.webhook_secrets[0].expose(), "demo-webhook-secret");
    assert_eq!(app.keys[0].id, "app_demo");
    assert_eq!(app.keys[0].secret.expose(), "demo-key-secret-change-me");
    assert_eq!(app.gcm_project, None);
    assert!(shipped.account_keys.is_empty() && shipped.server.cors_origins.is_empty());
    assert_eq!((shipped.limits.requests_per_second, shipped.limits.request_burst), (0, 0));
}

#[test]
fn every_key_of_the_shipped_file_has_a_comment_above_it() {
    let mut above = "";
    let mut keys = 0;
    for line in SHIPPED.lines() {
        if line.contains(" = ") && !line.starts_with('#') {
            assert!(above.starts_with("# ") && above.ends_with('.'), "{line}");
            keys += 1;
        }
        above = line;
    }
    assert_eq!(keys, 64);
}

#[test]
fn the_examples_in_the_shipped_file_are_valid() {
    let is_example = |line: &&str| {
        line.starts_with("[") || line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '))
    };
    let commented = SHIPPED.lines().filter_map(|line| line.strip_prefix("# ")).filter(is_example);
    let text: Vec<&str> = commented.collect();
    let settings = parse(&text.join("\n")).unwrap();
    let [operator] = settings.console.operators.as_slice() else { panic!("one operator: {text:?}") };
    assert_eq!((operator.name.as_str(), operator.role), ("ann", Role::Viewer));
    assert_eq!(settings.console.proxy.unwrap().peers, [std::net::IpAddr::from([127, 0, 0, 1])]);
}

#[test]
fn flags_go_before_the_environment_before_the_file_before_the_defaults() {
    let port = |text, env: &[_], flags: &[_]| parse_with(text, env, flags).unwrap().server.listen.port();
    let file = "server.listen = \"127.0.0.1:2\"";
    let env = [("ROLLCALL__SERVER__LISTEN", "127.0.0.1:3"), ("ROLLCALL_CONFIG", "x"), ("PATH", "/bin")];
    assert_eq!(port("", &[], &[]), 8787);
    assert_eq!(port(file, &[], &[]), 2);
    assert_eq!(port(file, &env, &[]), 3);
    assert_eq!(port(file, &env, &[("server.listen", "127.0.0.1:4")]), 4);
}

#[test]
fn an_app_can_be_set_by_variables_and_then_keeps_nothing_of_the_demo() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, "from a file\n").unwrap();
    let settings = parse_with(
        "",
        &[
            ("ROLLCALL__APPS__0__ID", "mine"),
            ("ROLLCALL__APPS__0__WEBHOOK_SECRETS__0", "direct"),
            ("ROLLCALL__APPS__0__WEBHOOK_SECRETS__1_FILE", path.to_str().unwrap()),
            ("ROLLCALL__APPS__0__KEYS__0__ID", "key"),
            ("ROLLCALL__APPS__0__KEYS__0__SECRET", "0123456789012345"),
            ("ROLLCALL__APPS__0__HAS_ICON", "true"),
            ("ROLLCALL__LIMITS__JSON_DEPTH", "12"),
        ],
        &[],
    )
    .unwrap();
    let [app] = settings.apps.as_slice() else { panic!("one app") };
    assert_eq!((app.id.as_str(), app.name.as_str()), ("mine", "mine"));
    assert!(app.app_token.is_none() && app.has_icon);
    let secrets: Vec<_> = app.webhook_secrets.iter().map(Secret::expose).collect();
    assert_eq!(secrets, ["direct", "from a file"]);
    assert_eq!(app.keys[0].secret.expose(), "0123456789012345");
    assert_eq!(settings.limits.json_depth, 12);

    let demo = parse_with("", &[("ROLLCALL__APPS__0__APP_TOKEN", "mine")], &[]).unwrap();
    assert_eq!(demo.apps[0].webhook_secrets.len(), 1, "without another id it is still the demo");
    let two = parse_with(&with_apps(""), &[("ROLLCALL__APPS__1__APP_TOKEN", "")], &[]).unwrap();
    assert!(two.apps[1].app_token.is_none(), "a variable changes one value of the file's app");
}

#[test]
fn every_kind_of_value_is_read() {
    let text = with_apps(
        r#"
        account_keys = [{ id = "act_1", secret = "sixteen bytes or more" }]
        limits = { requests_per_second = 50, request_burst = 200 }
        server = { cors_origins = ["https://example.org", "http://[::1]:80", "*"], header_timeout = "1h 30m", header_bytes = 0x2000, max_connections = 1_000, listen = "[::1]:0" }
        store = { url = "sqlite:///var/lib/rollcall/users.db", wal_limit = "1 GiB" }
        log = { format = "json", level = "trace" }"#,
    );
    let settings = parse(&text).unwrap();
    assert_eq!(settings.server.header_timeout, Duration::from_secs(5400));
    assert_eq!((settings.server.header_bytes, settings.server.max_connections), (8192, 1000));
    assert_eq!(settings.store.url.to_string(), "sqlite:///var/lib/rollcall/users.db");
    assert_eq!(settings.store.wal_limit, 1 << 30);
    assert_eq!((settings.log.format, settings.log.level), (LogFormat::Json, LevelFilter::TRACE));
    assert_eq!(settings.apps.len(), 2);
    assert_eq!(settings.account_keys[0].id, "act_1");
    assert_eq!(settings.server.cors_origins, ["https://example.org", "http://[::1]:80", "*"]);
    assert_eq!((settings.limits.requests_per_second, settings.limits.request_burst), (50, 200));
}

#[test]
fn a_secret_is_not_shown() {
    let settings = parse(&with_apps("")).unwrap();
    let mut shown = String::new();
    write!(shown, "{settings:?} {settings:#?}").unwrap();
    assert!(shown.contains("***"));
    for secret in ["first secret", "second secret", "sixteen bytes or more", "\"token\""] {
        assert!(!shown.contains(secret), "{secret}");
    }
}

#[test]
fn the_silence_limit_of_an_app_overrides_the_common_one() {
    let silent =
        |text: &str| parse(text).map(|settings| settings.apps[0].silent_after.map(|time| time.as_secs()));
    let app = |own: &str| format!("[[apps]]\nid = \"one\"\nwebhook_secrets = [\"secret\"]\n{own}");
    let all = |own: &str| format!("[ingest]\nsilent_after = \"1h\"\n{}", app(own));
    assert_eq!(silent(&app("")), Ok(None));
    assert_eq!(silent(&app("silent_after = \"5s\"")), Ok(Some(5)));
    assert_eq!(silent(&all("")), Ok(Some(3600)));
    assert_eq!(silent(&all("silent_after = \"\"")), Ok(Some(3600)));
    assert_eq!(silent(&all("silent_after = \"never\"")), Ok(None));
    assert!(silent(&app("silent_after = \"soon\"")).unwrap_err().contains("or never"));
}

#[test]
fn no_problem_quotes_a_password_wherever_it_stands() {
    for line in [
        "[store]\nurl = \"sqlite://ann:hunter2@db.example/rollcall.db\"",
        "[store]\nurl = \"sqlite:///ann:hunter2@db.example/rollcall.db\"",
        "[store]\nurl = \"postgres://ann:hunter2@db.example/x\"",
        "[store]\nurl = \"postgres:/ann:hunter2@db.example/x\"",
        "[store]\nurl = \"ann:hunter2@db.example\"",
        "[store]\nurl = [\"hunter2\"]",
        "[store]\nurl = { password = \"hunter2\" }",
        "[store]\nurl = postgres://ann:hunter2@db.example/x",
        "[store]\nurl = \"hunter2",
        "[store]\nurl = 'hunter2\n'",
        "[store]\nurl = \"hunter2\"\nurl = \"hunter2\"",
        "[store]\nurl \"hunter2\"",
        "[store]\nurl = \"\\hunter2\"",
        "[store]\nurl = hunter2",
        "[store]\nurl = 1hunter2",
        "[backup]\nfolder = \"s3://ann:hunter2@bucket/x\"",
        "[backup]\nfolder = \"ann:hunter2@host:/x\"",
        "[console]\nurl = \"https://ann:hunter2@rollcall.example\"",
        "[server]\ncors_origins = [\"https://ann:hunter2@shop.example\"]",
        "[server]\nlisten = \"ann:hunter2@127.0.0.1:1\"",
        "[log]\nlevel = \"hunter2\"",
        "[retention]\nhistory_age = \"hunter2\"",
        "account_keys = [{ id = \"a\", secret = \"hunter2\" }]",
    ] {
        let said = parse(line).map(|_| ()).expect_err(line);
        assert!(!said.contains("hunter2"), "{line}: {said}");
    }
    for path in ["sqlite:///var/lib/a@b/x.db", "sqlite://C:x.db", "sqlite://a@b:c.db"] {
        parse(&format!("[store]\nurl = \"{path}\"")).expect(path);
    }
}
