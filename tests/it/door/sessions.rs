//! How sessions begin and end.

use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{Stream, ask_from, post, sign_in, who};
use crate::support::{Answer, Home, Program, Session, key_of, request, until};

fn operator(name: &str, role: &str, secrets: &[&str]) -> String {
    format!("[[console.operators]]\nname = \"{name}\"\nrole = \"{role}\"\nsecrets = {secrets:?}\n")
}

pub fn reload(home: &Home, program: &Program) {
    let applied = || program.metric("rollcall_reloads_total{outcome=\"applied\"}");
    let before = applied();
    // It writes the settings.
    home.command(&["check-config"]).output().unwrap();
    program.signal("HUP");
    until("the reload is applied", || applied() > before);
}

fn begin(answer: &Answer) -> Session {
    Session::of(answer)
}

/// Runs what ends a session, and fails unless the session and its stream end within a second of it.
fn ends_by(program: &Program, session: &Session, end: impl FnOnce()) {
    assert_eq!(who(program, &session.headers()), 200);
    let stream = Stream::open(program, &session.headers());
    end();
    let since = Instant::now();
    stream.ends();
    assert_eq!(who(program, &session.headers()), 401);
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
}

#[test]
fn a_session_tells_who_it_is_and_has_a_cookie_that_only_this_host_gets() {
    let home = Home::with(&operator("ann", "viewer", &["a secret of sixteen bytes"]));
    let program = home.start();
    let begun = sign_in(&program, "ann", "a secret of sixteen bytes");
    let cookie = begun.header("set-cookie").unwrap();
    let (value, rest) = cookie.split_once("; ").unwrap();
    assert!(
        value.starts_with("rollcall_session=") && value.len() == "rollcall_session=".len() + 43,
        "{cookie}"
    );
    assert_eq!(rest, "Path=/; Max-Age=43200; HttpOnly; SameSite=Strict");
    let mut said = begun.json();
    assert!(!cookie.contains(said["half"].as_str().unwrap()), "the halves differ");
    said.as_object_mut().unwrap().remove("half");
    let shown = request(program.admin, "GET", "/session", &begin(&begun).headers(), b"").unwrap();
    assert_eq!(shown.json(), said);
    let log = program.stop();
    assert!(log.contains("signed in") && !log.contains("ann") && !log.contains("a secret"), "{log}");
    let stored = std::fs::read(home.database()).unwrap();
    let has = |text: &str| stored.windows(text.len()).any(|part| part == text.as_bytes());
    let session = begin(&begun);
    assert!(has("viewer") && !has(&session.half) && !has(&session.cookie["rollcall_session=".len()..]));
    assert!(!has("a secret of sixteen bytes"));
}

#[test]
fn a_console_behind_tls_has_a_cookie_that_no_other_host_can_set() {
    let home = Home::with("[console]\nurl = \"https://console.example/rollcall/\"\n");
    let program = home.start();
    let key = key_of(program.admin).unwrap();
    let (status, _) = ask_from("127.0.0.1", program.admin, "GET", "/livez", &[("host", "console.example")]);
    assert_eq!(status, 200, "its name is one of the listener's");
    let begun = post(&program, "/session", &[], &json!({ "code": program.sign_in_code("viewer") }));
    let cookie = begun.header("set-cookie").unwrap();
    assert!(cookie.starts_with("__Host-rollcall_session=") && cookie.ends_with("; Secure"), "{cookie}");
    let session = begin(&begun);
    let page = [("origin", "https://console.example"), ("sec-fetch-site", "same-origin")];
    assert_eq!(who(&program, &[&session.headers()[..], &page].concat()), 200);
    let other = [("origin", "http://console.example"), ("sec-fetch-site", "same-origin")];
    let answer = crate::support::request_as_is(
        program.admin,
        "GET",
        "/session",
        &[&[("authorization", &*format!("Bearer {key}"))], &other[..]].concat(),
        b"",
    );
    assert_eq!(answer.unwrap().status, 403, "another scheme is another origin");
    let link = console(&home, &program, &[]);
    let link = String::from_utf8(link.stdout).unwrap();
    assert!(link.starts_with("https://console.example/rollcall/console/#/login/"), "{link}");
}

fn console(home: &Home, program: &Program, args: &[&str]) -> Output {
    let admin = format!("server.admin_listen={}", program.admin);
    home.command(&[&["--set", &admin, "console"], args].concat()).output().unwrap()
}

#[test]
fn sessions_survive_a_restart_and_a_kill_and_no_restored_backup_has_one() {
    let home = Home::with(&operator("ann", "operator", &["a secret of sixteen bytes"]));
    let program = home.start();
    let (one, two) =
        (program.sign_in("viewer"), begin(&sign_in(&program, "ann", "a secret of sixteen bytes")));
    let gone = program.sign_in("operator");
    assert_eq!(request(program.admin, "DELETE", "/session", &gone.headers(), b"").unwrap().status, 200);
    program.kill();
    let program = home.start();
    assert_eq!([&one, &two, &gone].map(|session| who(&program, &session.headers())), [200, 200, 401]);
    let shown = request(program.admin, "GET", "/session", &one.headers(), b"").unwrap().json();
    assert_eq!((&shown["who"], &shown["role"]), (&json!("guest"), &json!("viewer")));
    assert_eq!(home.command(&["backup", "backup.db"]).output().unwrap().status.code(), Some(0));
    program.stop();
    let program = home.start();
    assert_eq!(who(&program, &two.headers()), 200);
    program.stop();
    let restored = home.command(&["restore", "--replace", "backup.db"]).output().unwrap();
    assert_eq!(restored.status.code(), Some(0), "{restored:?}");
    let program = home.start();
    assert_eq!([&one, &two].map(|session| who(&program, &session.headers())), [401, 401]);
    until("they are deleted", || home.rows("sessions") == 0);
}

#[test]
fn a_session_whose_operator_was_taken_away_meanwhile_does_not_survive_a_restart() {
    let ann = operator("ann", "operator", &["a secret of sixteen bytes"]);
    let mut home = Home::with(&ann);
    let program = home.start();
    let session = begin(&sign_in(&program, "ann", "a secret of sixteen bytes"));
    program.stop();
    home.settings = String::new();
    let program = home.start();
    assert_eq!(who(&program, &session.headers()), 401);
    until("it is deleted", || home.rows("sessions") == 0);
    program.stop();
    home.settings = ann;
    assert_eq!(who(&home.start(), &session.headers()), 401, "nor does it come back");
}

#[test]
fn signing_out_ends_a_session_and_its_streams() {
    let program = Home::new().start();
    let (session, other) = (program.sign_in("viewer"), program.sign_in("viewer"));
    ends_by(&program, &session, || {
        let out = request(program.admin, "DELETE", "/session", &session.headers(), b"").unwrap();
        assert_eq!(out.text, "{}");
        assert!(
            out.header("set-cookie").unwrap().starts_with("rollcall_session=; Path=/; Max-Age=0"),
            "{out:?}"
        );
    });
    assert_eq!(who(&program, &other.headers()), 200);
}

#[test]
fn a_reload_that_takes_an_operator_or_a_secret_away_ends_sessions_and_streams() {
    let (first, second) = ("the first of two secrets", "the second of two secrets");
    let bob = operator("bob", "viewer", &["a secret of sixteen bytes"]);
    let mut home = Home::with(&format!("{}{bob}", operator("ann", "operator", &[first, second])));
    let program = home.start();
    let by = |name: &str, secret: &str| begin(&sign_in(&program, name, secret));
    let (one, two, three) = (by("ann", first), by("ann", second), by("bob", "a secret of sixteen bytes"));
    let basic = crate::support::basic("ann", first);
    let script = Stream::open(&program, &[("authorization", &basic)]);
    home.settings = format!("{}{bob}", operator("ann", "operator", &[second]));
    ends_by(&program, &one, || reload(&home, &program));
    script.ends();
    assert_eq!(who(&program, &[("authorization", &basic)]), 401);
    assert_eq!([&two, &three].map(|session| who(&program, &session.headers())), [200, 200]);
    home.settings = format!("{}{bob}", operator("ann", "viewer", &[second]));
    ends_by(&program, &two, || reload(&home, &program));
    home.settings = bob;
    let four = program.sign_in("operator");
    reload(&home, &program);
    home.settings = "[limits]\njson_depth = 64\n".to_owned();
    ends_by(&program, &three, || reload(&home, &program));
    assert_eq!(who(&program, &four.headers()), 200, "a link is of nobody in the settings");
}

#[test]
fn another_key_file_ends_all_sessions() {
    let home = Home::new();
    let program = home.start();
    let session = program.sign_in("operator");
    let before = key_of(program.admin).unwrap();
    let with_key = [("authorization", format!("Bearer {before}"))];
    let with_key = with_key.each_ref().map(|(name, value)| (*name, value.as_str()));
    let command = Stream::open(&program, &with_key);
    let code = program.sign_in_code("viewer");
    std::fs::remove_file(home.path().join("rollcall.db-key")).unwrap();
    ends_by(&program, &session, || reload(&home, &program));
    command.ends();
    let after = key_of(program.admin).unwrap();
    assert_ne!(before, after);
    assert_eq!(who(&program, &with_key), 401);
    assert_eq!(post(&program, "/session", &[], &json!({ "code": code })).status, 401, "nor a code");
    assert_eq!(who(&program, &program.sign_in("operator").headers()), 200);
}

#[test]
fn a_session_ends_when_it_is_idle_and_when_it_is_old() {
    let home = Home::with("[console]\nsession_idle = \"400ms\"\nsession_life = \"1h\"\n");
    let program = home.start();
    program.sign_in("viewer");
    let began = Instant::now();
    until("it is idle", || home.rows("sessions") == 0);
    assert!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());

    let home = Home::with("[console]\nsession_idle = \"400ms\"\nsession_life = \"2s\"\n");
    let program = home.start();
    let follower = program.sign_in("viewer");
    let began = Instant::now();
    Stream::open(&program, &follower.headers()).ends();
    assert!(began.elapsed() >= Duration::from_millis(1900), "its stream is a use: {:?}", began.elapsed());
    assert_eq!(who(&program, &follower.headers()), 401);

    let home = Home::with("[console]\nsession_idle = \"1s\"\nsession_life = \"1s\"\n");
    let program = home.start();
    let old = program.sign_in("viewer");
    let began = Instant::now();
    until("it is old, although it is used", || who(&program, &old.headers()) == 401);
    assert!(began.elapsed() >= Duration::from_millis(900), "{:?}", began.elapsed());
    until("it is deleted", || home.rows("sessions") == 0);
}

#[test]
fn a_code_is_good_once_and_no_longer_than_it_lives() {
    let mut home = Home::new();
    let program = home.start();
    let code = json!({ "code": program.sign_in_code("viewer") });
    let page = [("origin", "https://evil.example")];
    assert_eq!(post(&program, "/session", &page, &code).status, 403, "a foreign page does not use it up");
    assert_eq!(post(&program, "/session", &[], &code).status, 200);
    assert_eq!(post(&program, "/session", &[], &code).status, 401, "a second time");
    for body in
        [json!({}), json!({ "name": "ann" }), json!({ "code": "a", "name": "ann", "secret": "b" }), json!([])]
    {
        assert_eq!(post(&program, "/session", &[], &body).status, 400, "{body}");
    }
    program.stop();
    home.env.push(("ROLLCALL_CODE_LIFE_MS".to_owned(), "0".to_owned()));
    let program = home.start();
    let code = json!({ "code": program.sign_in_code("viewer") });
    assert_eq!(post(&program, "/session", &[], &code).status, 401, "its time is over");
}
