//! Addresses of downloads: good once, for a minute, for whoever asked for them.

use serde_json::{Value, json};

use crate::console::{masked, of_app};
use crate::door::{APPS, post};
use crate::support::{
    APP, Answer, Home, NamedOperator, Program, Session, first_message, request, request_as_is,
};

/// Asks for an address, with the halves of a session.
fn make(program: &Program, session: &Session, body: &Value) -> Answer {
    post(program, "/downloads", &session.headers()[..2], body)
}

/// The address that a session gets for a call.
fn address(program: &Program, session: &Session, of: &str, accept: Option<&str>) -> String {
    let mut body = json!({ "of": of });
    accept.into_iter().for_each(|accept| body["accept"] = accept.into());
    let made = make(program, session, &body);
    assert_eq!(made.status, 200, "{of}: {made:?}");
    format!("/{}", made.json()["address"].as_str().unwrap())
}

/// Follows an address as a browser does: with the cookie, and without the other half.
fn follow(program: &Program, session: &Session, address: &str) -> Answer {
    let page = [("cookie", session.cookie.as_str()), ("sec-fetch-site", "same-origin")];
    request_as_is(program.admin, "GET", address, &page, b"").unwrap()
}

/// Two app users, and a body in quarantine.
fn fill(program: &Program) {
    for (n, id) in ["ann", "bob"].into_iter().enumerate() {
        assert_eq!(program.webhook(first_message(id, 1.0 + n as f64)).status, 200);
    }
    assert_eq!(program.webhook("no JSON").status, 200);
}

/// The parts of an answer that do not depend on the request.
fn shape(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let headers = answer.headers.iter().filter(|(name, _)| !["date", "x-request-id"].contains(&&**name));
    (answer.status, headers.cloned().collect(), answer.text.clone())
}

#[test]
fn every_file_is_what_its_call_answers_and_can_be_had_once() {
    let program = Home::new().start();
    fill(&program);
    let session = program.sign_in("viewer");
    for (of, accept, name) in [
        (format!("/v1/apps/{APP}/appusers?sort=_id"), Some("text/csv"), ".csv"),
        (format!("/v1/apps/{APP}/appusers?platform=web"), Some("application/x-ndjson"), ".ndjson"),
        (format!("/v1/apps/{APP}/persons/ann"), None, "appuser-ann.json"),
        ("/audit?action=signIn".to_owned(), Some("text/csv"), "audit.csv"),
        ("/journal/1/body".to_owned(), None, "journal-1.json"),
        ("/quarantine/1/body".to_owned(), None, "quarantine-1.json"),
    ] {
        let address = address(&program, &session, &of, accept);
        let file = follow(&program, &session, &address);
        let direct = request(program.admin, "GET", &of, &[("accept", accept.unwrap_or("*/*"))], b"").unwrap();
        assert_eq!((file.status, direct.status), (200, 200), "{of}: {file:?}");
        let without_time = |text: &str| match serde_json::from_str::<Value>(text) {
            Ok(mut whole) if whole.get("exported").is_some() => {
                whole["exported"] = Value::Null;
                whole.to_string()
            }
            _ => text.to_owned(),
        };
        assert_eq!(without_time(&file.text), without_time(&direct.text), "{of}");
        assert!(!file.text.is_empty(), "{of}");
        assert_eq!(file.header("content-type"), direct.header("content-type"));
        for (header, value) in [
            ("content-security-policy", "sandbox"),
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(file.header(header), Some(value), "{of}: {file:?}");
        }
        let disposition = file.header("content-disposition").unwrap();
        assert!(
            disposition.starts_with("attachment; filename=") && disposition.contains(name),
            "{disposition}"
        );
        assert_eq!(follow(&program, &session, &address).status, 401, "{of}: a second time");
    }
}

#[test]
fn an_address_that_is_not_good_is_one_answer() {
    let mut home = Home::new();
    let program = home.start();
    fill(&program);
    let (session, other) = (program.sign_in("operator"), program.sign_in("operator"));
    let used = address(&program, &session, "/journal/1/body", None);
    assert_eq!(follow(&program, &session, &used).status, 200);
    let unused = address(&program, &session, "/journal/1/body", None);
    let expected = shape(&request_as_is(program.admin, "GET", &unused, &[], b"").unwrap());
    assert_eq!(expected.0, 401);
    for (why, answer) in [
        ("used", follow(&program, &session, &used)),
        ("never made", follow(&program, &session, "/downloads/abc")),
        ("another session's", follow(&program, &other, &unused)),
    ] {
        assert_eq!(shape(&answer), expected, "{why}");
    }
    for (header, value) in [("origin", "https://evil.example"), ("sec-fetch-site", "same-site")] {
        let page = [("cookie", session.cookie.as_str()), (header, value)];
        assert_eq!(request_as_is(program.admin, "GET", &unused, &page, b"").unwrap().status, 403, "{header}");
    }
    let host = [("host", "evil.example"), ("cookie", session.cookie.as_str())];
    assert_eq!(request_as_is(program.admin, "GET", &unused, &host, b"").unwrap().status, 421);
    assert_eq!(follow(&program, &session, &unused).status, 200, "nobody has used it up");
    let left = address(&program, &session, "/journal/1/body", None);
    assert_eq!(request(program.admin, "DELETE", "/session", &session.headers(), b"").unwrap().status, 200);
    assert_eq!(shape(&follow(&program, &session, &left)), expected, "signed out");
    let log = program.stop();
    assert!(
        ![used, unused, left].iter().any(|address| log.contains(&address["/downloads/".len()..])),
        "{log}"
    );

    home.env.push(("ROLLCALL_CODE_LIFE_MS".to_owned(), "0".to_owned()));
    home.settings = NamedOperator::new("ann", "viewer").settings();
    let program = home.start();
    let session = Session::of(&crate::door::sign_in(&program, "ann", "the secret of ann"));
    let old = address(&program, &session, "/journal/1/body", None);
    assert_eq!(follow(&program, &session, &old).status, 401, "too old");
}

#[test]
fn an_address_holds_over_a_reload_and_ends_with_its_operator() {
    let ann = NamedOperator::new("ann", "viewer").settings();
    let mut home = Home::with(&ann);
    let program = home.start();
    fill(&program);
    let session = Session::of(&crate::door::sign_in(&program, "ann", "the secret of ann"));
    let addresses = [0; 2].map(|_| address(&program, &session, "/journal/1/body", None));
    let reload = |home: &Home| {
        std::fs::write(home.path().join("config.toml"), &home.settings).unwrap();
        assert_eq!(crate::console::ask(&program, "POST", "/reload", "{}").status, 200);
    };
    home.settings = format!("[limits]\njson_depth = 64\n{ann}");
    reload(&home);
    assert_eq!(follow(&program, &session, &addresses[0]).status, 200);
    home.settings = "[limits]\njson_depth = 64\n".to_owned();
    reload(&home);
    assert_eq!(follow(&program, &session, &addresses[1]).status, 401);
}

#[test]
fn what_is_no_file_is_refused_with_the_reason() {
    let program = Home::new().start();
    let session = program.sign_in("operator");
    let list = format!("/v1/apps/{APP}/appusers");
    for (body, why) in [
        (json!({}), "The body must be"),
        (json!({ "of": "/audit", "accept": "text/csv", "x": 1 }), "The body must be"),
        (json!({ "of": "audit" }), "beginning with /"),
        (json!({ "of": "https://evil.example/audit" }), "beginning with /"),
        (json!({ "of": "//evil.example/audit" }), "no call"),
        (json!({ "of": "/metrics" }), "/audit, /journal/{seq}/body"),
        (json!({ "of": "/downloads/abc" }), "is not a call"),
        (json!({ "of": "/session" }), "is not a call"),
        (json!({ "of": format!("{list}/bob") }), "is not a call"),
        (json!({ "of": list }), "accept must be text/csv or application/x-ndjson"),
        (json!({ "of": list, "accept": "application/json" }), "accept must be text/csv"),
        (json!({ "of": "/audit", "accept": "application/x-ndjson" }), "accept must be text/csv"),
        (json!({ "of": "/journal/1/body", "accept": "text/csv" }), "accept must be left out"),
        (json!({ "of": format!("{list}?colour=red"), "accept": "text/csv" }), "Unknown parameter: colour"),
        (json!({ "of": format!("{list}?limit=3"), "accept": "text/csv" }), "limit is for pages"),
    ] {
        let refused = make(&program, &session, &body);
        let said = refused.json()["error"]["description"].as_str().unwrap().to_owned();
        let expected = if why == "no call" { "is not a call" } else { why };
        assert!(refused.status == 400 && said.contains(expected), "{body}: {} {said}", refused.status);
    }
    let other = json!({ "of": "/v1/apps/unknown/appusers", "accept": "text/csv" });
    assert_eq!(make(&program, &session, &other).status, 404);
    let missing = address(&program, &session, "/journal/7/body", None);
    let answer = follow(&program, &session, &missing);
    assert_eq!((answer.status, answer.header("content-disposition")), (404, None), "{answer:?}");
}

#[test]
fn an_operator_gets_no_more_by_an_address_than_by_the_call() {
    let program = Home::with(APPS).start_for(masked("max"));
    fill(&program);
    let ask = |body: &Value| crate::console::ask(&program, "POST", "/downloads", &body.to_string());
    for of in
        ["/journal/1/body".to_owned(), "/quarantine/1/body".to_owned(), format!("/v1/apps/{APP}/persons/ann")]
    {
        let refused = ask(&json!({ "of": of }));
        assert!(refused.status == 403 && refused.text.contains("personal_data"), "{of}: {refused:?}");
    }
    let made = ask(&json!({ "of": "/audit", "accept": "text/csv" })).json();
    let address = format!("/{}", made["address"].as_str().unwrap());
    assert_eq!(program.admin(&address).status, 200, "there is nobody's value in it");
    assert_eq!(program.admin(&address).status, 404, "used, and the secret proves the operator");

    let program = Home::with(APPS).start_for(of_app("one", "other"));
    fill(&program);
    let ask = |body: &Value| crate::console::ask(&program, "POST", "/downloads", &body.to_string());
    let list = json!({ "of": format!("/v1/apps/{APP}/appusers"), "accept": "text/csv" });
    assert_eq!(ask(&list).status, 403);
    let made = ask(&json!({ "of": "/journal/1/body" })).json();
    assert_eq!(
        program.admin(&format!("/{}", made["address"].as_str().unwrap())).status,
        404,
        "of another app"
    );
}

#[test]
fn the_audit_log_has_a_download_as_it_has_the_call() {
    let program = Home::new().start();
    fill(&program);
    let session = program.sign_in("viewer");
    for (of, accept) in [
        (format!("/v1/apps/{APP}/appusers"), Some("text/csv")),
        (format!("/v1/apps/{APP}/persons/bob"), None),
        ("/quarantine/1/body".to_owned(), None),
    ] {
        let address = address(&program, &session, &of, accept);
        assert_eq!(follow(&program, &session, &address).status, 200);
    }
    // The end of a list is noted once its client has taken it.
    let entries = || {
        let told = program.admin("/audit?limit=4").json();
        let entries = told["entries"].as_array().unwrap().clone();
        let one = |entry: &Value| {
            let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
            [text("action"), text("outcome"), text("how"), text("detail")].join(" ")
        };
        let mut told: Vec<String> = entries.iter().map(one).collect();
        told.sort();
        told
    };
    let expected = [
        "export begun console app users",
        "export done console all data of a person",
        "export done console app users",
        "showBody done console ",
    ];
    crate::support::until("the entries", || entries() == expected);
    let of_bob = program.admin("/audit?action=export&user=bob").json();
    assert_eq!(of_bob["entries"][0]["_ids"], json!(["bob"]), "{of_bob}");
}

#[test]
fn the_file_of_a_person_is_that_of_the_command() {
    let mut home = Home::new();
    let program = home.start();
    fill(&program);
    let merged = json!({ "surviving": { "_id": "ann" }, "discarded": { "_id": "bob" } });
    let path = format!("/v1/apps/{APP}");
    assert_eq!(
        crate::console::ask(&program, "POST", &format!("{path}/appusers/merge"), &merged.to_string()).status,
        200
    );
    let mut file = program.admin(&format!("{path}/persons/bob")).json();
    let command = home.command(&["export", "--user", "bob"]).output().unwrap();
    let mut written: Value = serde_json::from_slice(&command.stdout).unwrap();
    (file["exported"], written["exported"]) = (Value::Null, Value::Null);
    assert_eq!(file, written);
    assert_eq!((file["history"].as_array().unwrap().len(), &file["appUser"]["_id"]), (3, &json!("ann")));
    assert_eq!(program.admin(&format!("{path}/persons/nobody")).status, 404);
    assert_eq!(program.admin(&format!("{path}/persons/bob?brand=x")).status, 400);
    program.stop();

    home.settings = "[limits]\nhistory_events = 2\n".to_owned();
    let program = home.start();
    let refused = program.admin(&format!("{path}/persons/bob"));
    assert!(refused.status == 400 && refused.text.contains("export --user"), "{refused:?}");
}
