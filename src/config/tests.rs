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
    assert_eq!(keys, 60);
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

/// One fault each on the first line of a file, with its message.
const FAULTS: &[(&str, &str)] = &[
    ("server.listen = \"localhost:80\"", "server.listen: not an address: write an IP and a port"),
    ("server.listen = 8787", "server.listen: must be a text in quotes, and is of type integer"),
    ("server.listen = [\"127.0.0.1:1\"]", "server.listen: must be a single value"),
    ("server.listen = []", "server.listen: must be a text in quotes, and is of type array"),
    ("server.listen.port = 1", "server.listen: must be a single value"),
    (
        "server.listen = \"127.0.0.1:8788\"",
        "server.listen: server.listen and server.admin_listen must be different",
    ),
    ("server = 5", "server: must be a table"),
    ("server = []", "server: must be a table"),
    ("server.lisen = \"127.0.0.1:1\"", "server.lisen: unknown key; did you mean server.listen?"),
    ("sever.listen = \"127.0.0.1:1\"", "sever: unknown key; did you mean server?"),
    ("\"server.listen\" = \"127.0.0.1:1\"", "\"server.listen\": unknown key; did you mean server.listen?"),
    ("colour = \"red\"", "colour: unknown key"),
    ("colour = {}", "colour: unknown key"),
    ("colour = [{ name = \"red\" }, { name = \"blue\" }]", "colour: unknown key"),
    ("\"a\\nb.c\" = { d = 1 }", "\"a\\nb.c\": unknown key"),
    ("apps.id = \"a\"", "apps: must be a list"),
    ("server.body_timeout = \"0s\"", "server.body_timeout: must be more than zero"),
    ("server.body_timeout = \"-1s\"", "server.body_timeout: not a duration"),
    ("server.body_timeout = \"5\"", "server.body_timeout: not a duration"),
    ("server.body_timeout = 5", "server.body_timeout: must be a text in quotes"),
    ("server.body_timeout = \"9000h\"", "server.body_timeout: must be at most 8784h"),
    ("server.header_bytes = \"4KiB\"", "server.header_bytes: must be from 8KiB to 1MiB"),
    ("server.max_connections = 0", "server.max_connections: must be a whole number from 1 to 1000000"),
    ("server.max_connections = -1", "server.max_connections: must be a whole number from 1 to 1000000"),
    (
        "server.max_connections = \"5\"",
        "server.max_connections: must be a whole number, and is of type string",
    ),
    ("server.cors_origins = \"*\"", "server.cors_origins: must be a list"),
    ("server.cors_origins = [\"https://a.b/\"]", "server.cors_origins.0: must be * or an origin"),
    ("server.cors_origins = [\"https://A.b\"]", "server.cors_origins.0: must be * or an origin"),
    ("server.cors_origins = [\"*\", \"a.b\"]", "server.cors_origins.1: must be * or an origin"),
    ("server.cors_origins = [\"https://a.b:x\"]", "server.cors_origins.0: must be * or an origin"),
    ("server.cors_origins = [\"https://\"]", "server.cors_origins.0: must be * or an origin"),
    ("limits.requests_per_second = -1", "limits.requests_per_second: must be a whole number from 0"),
    (
        "account_keys = [{ id = \"k\", secret = \"hush\" }]",
        "account_keys.0.secret: must be at least 16 bytes",
    ),
    ("account_keys = [{ id = \"k\" }]", "account_keys.0.secret: is missing"),
    (
        "account_keys = [{ id = \"app_demo\", secret = \"hush hush hush hush\" }]",
        "account_keys.0.id: must not be the same as apps.0.keys.0.id",
    ),
    ("limits.json_depth = 513", "limits.json_depth: must be a whole number from 1 to 512"),
    ("limits.webhook_body = \"1 parsec\"", "limits.webhook_body: not a size"),
    ("limits.webhook_body = \"99999999999GiB\"", "limits.webhook_body: too large"),
    ("limits.webhook_body = 1.5", "limits.webhook_body: must be a size"),
    (
        "ingest.queue_bytes = \"512KiB\"",
        "ingest.queue_bytes: ingest.queue_bytes must not be less than limits.webhook_body",
    ),
    (
        "limits.webhook_body = \"33MiB\"",
        "limits.webhook_body: limits.bodies_in_flight must be at least twice limits.webhook_body",
    ),
    (
        "ingest.queue_jobs = 1023",
        "ingest.queue_jobs: ingest.batch_jobs must not be more than ingest.queue_jobs",
    ),
    (
        "ingest.batch_jobs = 4097",
        "ingest.batch_jobs: ingest.batch_jobs must not be more than ingest.queue_jobs",
    ),
    (
        "store.wal_limit = \"1MiB\"",
        "store.wal_limit: store.wal_limit must not be less than store.wal_checkpoint",
    ),
    ("store.url = \"postgres://me:hush@db/x\"", "store.url: PostgreSQL is not built in yet; use sqlite://"),
    ("store.url = \"rollcall.db\"", "store.url: must be sqlite:// and a path"),
    ("store.url = \"sqlite://\"", "store.url: names no file"),
    ("store.url = \"sqlite://:memory:\"", "store.url: must be a plain path"),
    ("store.url = \"sqlite://file:x?mode=memory\"", "store.url: must be a plain path"),
    ("store.url = \"sqlite://x.db?mode=ro\"", "store.url: takes no options"),
    ("log.level = \"loud\"", "log.level: must be off, error, warn, info, debug or trace"),
    ("log.format = \"xml\"", "log.format: must be auto, json or text"),
    ("apps = []", "apps: there must be at least one app"),
    ("apps = \"hush\"", "apps: must be a list"),
    ("apps = [{ id = \"a\" }]", "apps.0.webhook_secrets: there must be at least one webhook secret"),
    ("apps = [{ id = \"a\", webhook_secrets = \"hush\" }]", "apps.0.webhook_secrets: must be a list"),
    ("apps = [{ id = \"a\", webhook_secrets = [\"\"] }]", "apps.0.webhook_secrets.0: must not be empty"),
    (
        "apps = [{ id = \"a\", webhook_secrets = [\"hush \"] }]",
        "apps.0.webhook_secrets.0: must have no white space",
    ),
    ("apps = [{ id = \"a\", webhook_secrets = [7] }]", "apps.0.webhook_secrets.0: must be a text in quotes"),
    (
        "apps = [{ id = \"a\", webhook_secrets = [[\"hush\"]] }]",
        "apps.0.webhook_secrets.0: must be a single value",
    ),
    (
        "apps = [{ id = \"a\", webhook_secret = \"hush\", webhook_secrets = [\"b\"] }]",
        "apps.0.webhook_secret: unknown key; did you mean apps.0.webhook_secrets?",
    ),
    ("apps = [{ webhook_secrets = [\"hush\"] }]", "apps.0.id: is missing"),
    ("apps = [{ id = \"\", webhook_secrets = [\"hush\"] }]", "apps.0.id: must not be empty"),
    (
        "apps = [{ id = \"a\", webhook_secrets = [\"b\"], has_icon = \"yes\" }]",
        "apps.0.has_icon: must be true or false",
    ),
    (
        "apps = [{ id = \"a\", webhook_secrets = [\"b\"], keys = [{ id = \"k\", secret = \"hush\" }] }]",
        "apps.0.keys.0.secret: must be at least 16 bytes",
    ),
    (
        "apps = [{ id = \"a\", webhook_secrets = [\"b\"], keys = [{ id = \"k\" }] }]",
        "apps.0.keys.0.secret: is missing",
    ),
    (
        "apps = [{ id = \"a\", webhook_secrets = [\"b\"] }, { id = \"a\", webhook_secrets = [\"c\"] }]",
        "apps.1.id: must not be the same as apps.0.id",
    ),
    (
        "apps = [{ id = \"App\", webhook_secrets = [\"b\"] }, { id = \"aPP\", webhook_secrets = [\"c\"] }]",
        "apps.1.id: must not be the same as apps.0.id, in any case",
    ),
    (
        "apps = [{ id = \"a\", webhook_secrets = [\"hush\"] }, { id = \"b\", webhook_secrets = [\"c\", \"hush\"] }]",
        "apps.1.webhook_secrets.1: must not be the same as apps.0.webhook_secrets.0",
    ),
    (
        "apps = [{ id = \"a\", app_token = \"hush\", webhook_secrets = [\"b\"] }, { id = \"b\", app_token = \"hush\", webhook_secrets = [\"c\"] }]",
        "apps.1.app_token: must not be the same as apps.0.app_token",
    ),
    (
        "apps = [{ id = \"a\", webhook_secrets = [\"b\"], keys = [{ id = \"k\", secret = \"hush hush hush hush\" }, { id = \"k\", secret = \"hush hush hush hush\" }] }]",
        "apps.0.keys.1.id: must not be the same as apps.0.keys.0.id",
    ),
];

#[test]
fn every_fault_is_reported_alone_with_its_line_and_without_its_value() {
    for (fault, told) in FAULTS {
        let said = parse(&format!("# a comment\n{fault}")).unwrap_err();
        assert!(said.starts_with(&format!("config.toml:2: {told}")), "{fault}\n{said}");
        assert_eq!(said.lines().count(), 1, "{fault}\n{said}");
        assert!(!said.contains("hush"), "{fault}\n{said}");
    }
}

#[test]
fn all_problems_are_reported_at_once_in_the_order_of_the_file() {
    let text = with_apps("server.listen = \"nowhere\"\nlimits.json_depth = 0\nlog.levle = \"info\"");
    let text =
        text.replace("\"second secret\", ", "\"first secret\", ").replace("sixteen bytes or more", "short");
    let env = [
        ("ROLLCALL__INGEST__QUEUE_JOBS", "few"),
        ("ROLLCALL__STORE__PATH", "x"),
        ("ROLLCALL__X_FILE", "/nowhere"),
    ];
    let said = parse_with(&text, &env, &[("server.drain_within", "soon")]).unwrap_err();
    let places: Vec<_> =
        said.lines().map(|line| line.split(": ").take(2).collect::<Vec<_>>().join(": ")).collect();
    assert_eq!(
        places,
        [
            "config.toml:1: server.listen",
            "config.toml:2: limits.json_depth",
            "config.toml:3: log.levle",
            "config.toml:7: apps.0.keys.0.secret",
            "config.toml:11: apps.1.webhook_secrets.0",
            "environment ROLLCALL__INGEST__QUEUE_JOBS: ingest.queue_jobs",
            "environment ROLLCALL__STORE__PATH: store.path",
            "environment ROLLCALL__X_FILE: its file cannot be read",
            "command line: server.drain_within",
        ],
        "{said}"
    );
}

#[test]
fn invalid_toml_is_reported_with_every_line_and_without_its_text() {
    let said =
        parse("[server\nlisten = \"a\"\n[[apps]]\napp_token = hush hush\nkeys = [{ secret = \"hush }]\n")
            .unwrap_err();
    for line in [1, 4, 5] {
        assert!(said.contains(&format!("config.toml:{line}: ")), "{said}");
    }
    assert!(!said.contains("hush"), "{said}");
    let twice = parse("log.level = \"info\"\nlog.level = \"warn\"").unwrap_err();
    assert!(twice.starts_with("config.toml:2: duplicate key"), "{twice}");
}

#[test]
fn the_demo_stays_on_loopback() {
    for (listen, holds) in [("127.0.0.1:1", true), ("[::1]:1", true), ("0.0.0.0:1", false), ("[::]:1", false)]
    {
        for key in ["server.listen", "server.admin_listen"] {
            let outcome = parse_with("", &[], &[(key, listen)]);
            assert_eq!(outcome.is_ok(), holds, "{key} {listen}");
            for (line, secret) in outcome.err().iter().flat_map(|said| said.lines()).zip([
                "app_token",
                "keys.0.secret",
                "webhook_secrets.0",
            ]) {
                assert!(line.starts_with(&format!("defaults: apps.0.{secret}: is the demo's")), "{line}");
                assert!(line.contains(key) && !line.contains("demo-"), "{line}");
            }
            assert!(parse_with(&with_apps(""), &[], &[(key, listen)]).is_ok(), "with secrets of one's own");
        }
    }
    let one = with_apps("server.listen = \"0.0.0.0:1\"").replace("first secret", "demo-webhook-secret");
    assert!(parse(&one).unwrap_err().starts_with("config.toml:4: apps.0.webhook_secrets.0: is the demo's"));
}

#[test]
fn contradictory_or_incomplete_variables_are_reported() {
    let env = [("ROLLCALL__LOG__LEVEL", "info"), ("ROLLCALL__LOG__level", "warn")];
    let said = parse_with("", &env, &[]).unwrap_err();
    assert_eq!(said, "environment ROLLCALL__LOG__level: another variable sets the same key");
    let said = parse_with("", &[("ROLLCALL__APPS__0__WEBHOOK_SECRETS__2", "hush")], &[]).unwrap_err();
    assert!(
        said.contains("WEBHOOK_SECRETS__2: apps.0.webhook_secrets.2: there is no apps.0.webhook_secrets.1"),
        "{said}"
    );
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.toml");
    let said = Settings::load(Some(&path), &[]).unwrap_err().to_string();
    assert!(said.starts_with(&format!("{}: cannot be read: ", path.display())), "{said}");
    std::fs::write(&path, with_apps("server.drain_within = \"3s\"")).unwrap();
    assert_eq!(Settings::load(Some(&path), &[]).unwrap().server.drain_within, Duration::from_secs(3));
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
