//! Every fault of the settings, with its place and without its value.

use crate::backup::refused;
use crate::support::Home;

/// What `check-config` says about these settings, if they are wrong.
fn check(home: &Home, flags: &[&str]) -> Result<(), String> {
    let (code, said) = refused(home, &[flags, &["check-config"]].concat());
    match code {
        Some(0) => Ok(()),
        _ => {
            assert_eq!(code, Some(78), "{said}");
            Err(said)
        }
    }
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

const OPERATOR: &str =
    "[[console.operators]]\nname = \"ann\"\nrole = \"viewer\"\nsecrets = [\"a secret of sixteen bytes\"]\n";

/// One fault each on the second line of a file, with its message.
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
        let said = check(&Home::with(&format!("# a comment\n{fault}")), &[]).unwrap_err();
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
    let mut home = Home::with(&text);
    for (name, value) in [
        ("ROLLCALL__INGEST__QUEUE_JOBS", "few"),
        ("ROLLCALL__STORE__PATH", "x"),
        ("ROLLCALL__X_FILE", "/nowhere"),
    ] {
        home.env.push((name.to_owned(), value.to_owned()));
    }
    let said = check(&home, &["--set", "server.drain_within=soon"]).unwrap_err();
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
    let text = "[server\nlisten = \"a\"\n[[apps]]\napp_token = hush hush\nkeys = [{ secret = \"hush }]\n";
    let said = check(&Home::with(text), &[]).unwrap_err();
    for line in [1, 4, 5] {
        assert!(said.contains(&format!("config.toml:{line}: ")), "{said}");
    }
    assert!(!said.contains("hush"), "{said}");
    let twice = check(&Home::with("log.level = \"info\"\nlog.level = \"warn\""), &[]).unwrap_err();
    assert!(twice.starts_with("config.toml:2: duplicate key"), "{twice}");
}

#[test]
fn the_demo_stays_on_loopback() {
    for (listen, holds) in [("127.0.0.1:1", true), ("[::1]:1", true), ("0.0.0.0:1", false), ("[::]:1", false)]
    {
        for key in ["server.listen", "server.admin_listen"] {
            let set = format!("{key}={listen}");
            let outcome = check(&Home::new(), &["--set", &set]);
            assert_eq!(outcome.is_ok(), holds, "{key} {listen}");
            let secrets = ["app_token", "keys.0.secret", "webhook_secrets.0"];
            for (line, secret) in outcome.err().iter().flat_map(|said| said.lines()).zip(secrets) {
                assert!(line.starts_with(&format!("defaults: apps.0.{secret}: is the demo's")), "{line}");
                assert!(line.contains(key) && !line.contains("demo-"), "{line}");
            }
            let mut home = Home::with(&with_apps(""));
            let own = check(&home, &["--set", &set]);
            assert_eq!(own.is_ok(), holds || key == "server.listen", "with secrets of one's own: {own:?}");
            home.settings.push_str(OPERATOR);
            assert_eq!(check(&home, &["--set", &set]), Ok(()), "with an operator too");
        }
    }
    let one = with_apps("server.listen = \"0.0.0.0:1\"").replace("first secret", "demo-webhook-secret");
    let said = check(&Home::with(&one), &[]).unwrap_err();
    assert!(said.starts_with("config.toml:4: apps.0.webhook_secrets.0: is the demo's"), "{said}");
}

#[test]
fn contradictory_or_incomplete_variables_are_reported() {
    let with = |variables: &[(&str, &str)]| {
        let mut home = Home::new();
        home.env = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        check(&home, &[]).unwrap_err()
    };
    let said = with(&[("ROLLCALL__LOG__LEVEL", "info"), ("ROLLCALL__LOG__level", "warn")]);
    assert_eq!(said, "environment ROLLCALL__LOG__level: another variable sets the same key\n");
    let said = with(&[("ROLLCALL__APPS__0__WEBHOOK_SECRETS__2", "hush")]);
    let gap = "WEBHOOK_SECRETS__2: apps.0.webhook_secrets.2: there is no apps.0.webhook_secrets.1";
    assert!(said.contains(gap), "{said}");
    let mut home = Home::with(&with_apps(""));
    home.env.push(("ROLLCALL__APPS__7__ID".to_owned(), "x".to_owned()));
    let gap = "environment ROLLCALL__APPS__7__ID: apps.7: there is no apps.2 before it\n";
    assert_eq!(check(&home, &[]).unwrap_err(), gap);
    let refused = home.command(&[]).output().unwrap();
    assert_eq!((refused.status.code(), refused.stderr), (Some(78), gap.as_bytes().to_vec()));
    home.env.push(("ROLLCALL__APPS__2__ID".to_owned(), "y".to_owned()));
    let said = check(&home, &[]).unwrap_err();
    let lacks = "environment ROLLCALL__APPS__2__ID: apps.2.webhook_secrets: there must be at least one";
    assert!(said.contains(lacks) && said.contains("apps.7: there is no apps.3 before it"), "{said}");
}

#[test]
fn an_emptied_or_incomplete_list_is_reported_at_the_source_that_set_it() {
    let no_secret = "apps.0.webhook_secrets: there must be at least one webhook secret\n";
    let no_app = "apps: there must be at least one app\n";
    for (key, value, reported) in [
        ("apps.0.webhook_secrets", "[]", no_secret),
        ("apps.0.webhook_secrets", "", no_secret),
        ("apps", "[]", no_app),
        ("apps", "", no_app),
        ("apps", "[{ id = \"a\" }]", no_secret),
        ("apps.0.keys", "[{ id = \"a\" }]", "apps.0.keys.0.secret: is missing\n"),
        ("account_keys", "[{ id = \"a\" }]", "account_keys.0.secret: is missing\n"),
    ] {
        let file = with_apps("account_keys = [{ id = \"k\", secret = \"sixteen bytes or more\" }]");
        let mut home = Home::with(&file);
        let set = format!("{key}={value}");
        assert_eq!(check(&home, &["--set", &set]), Err(format!("command line: {reported}")), "{set}");
        let variable = format!("ROLLCALL__{}", key.to_uppercase().replace('.', "__"));
        home.env.push((variable.clone(), value.to_owned()));
        assert_eq!(check(&home, &[]), Err(format!("environment {variable}: {reported}")), "{set}");
    }
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let home = Home::new();
    let said = check(&home, &["--config", "mine.toml"]).unwrap_err();
    assert!(said.starts_with("mine.toml: cannot be read: "), "{said}");
    std::fs::write(home.path().join("mine.toml"), with_apps("server.drain_within = \"3s\"")).unwrap();
    assert_eq!(check(&home, &["--config", "mine.toml"]), Ok(()));
}
