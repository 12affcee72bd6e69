//! J1 to J4: the credentials for look-ups, from outside.

mod malformed;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Sha256, Sha384, Sha512};

use crate::ingress::hmac;
use crate::support::{
    APP, Answer, Connection, Home, KEY_ID, KEY_SECRET, Program, base64, basic, signed_with,
};

const LIST: &str = "/v1/appusers";
const HEADER: &str = r#"{"typ":"JWT","alg":"HS256","kid":"app_demo"}"#;
const CLAIMS: &str = r#"{"scope":"app"}"#;
const OTHER_APP: &str = r#"
[[apps]]
id = "5698edbf2a43bd081be982f1"
app_token = "demo-app-token"
webhook_secrets = ["demo-webhook-secret"]
keys = [{ id = "app_demo", secret = "demo-key-secret-change-me" }]
[[apps]]
id = "other"
webhook_secrets = ["the-secret-of-the-other-app"]
keys = [{ id = "app_other", secret = "the-other-key-secret" }, { id = "app_two", secret = "a-second-key-of-the-other" }]
"#;

fn signed(header: &str, claims: &str) -> String {
    signed_with(header, claims, KEY_SECRET)
}

fn ask(program: &Program, path: &str, authorization: &str) -> Answer {
    program.request("GET", path, &[("authorization", authorization)], b"")
}

fn bearer(program: &Program, token: &str) -> Answer {
    ask(program, LIST, &format!("Bearer {token}"))
}

fn invalid(answer: &Answer, what: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (401, "invalid_auth"), "{what}: {answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"), "{what}");
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

#[test]
fn the_three_algorithms_of_hmac_are_accepted_and_the_scheme_in_any_case() {
    let program = Home::new().start();
    let tag = |alg: &str, message: &str| match alg {
        "HS256" => hmac::<Sha256>(64, KEY_SECRET.as_bytes(), message.as_bytes()),
        "HS384" => hmac::<Sha384>(128, KEY_SECRET.as_bytes(), message.as_bytes()),
        _ => hmac::<Sha512>(128, KEY_SECRET.as_bytes(), message.as_bytes()),
    };
    for alg in ["HS256", "HS384", "HS512"] {
        let header = format!(r#"{{"alg":"{alg}","kid":"app_demo"}}"#);
        let message = format!("{}.{}", base64(header), base64(CLAIMS));
        let token = format!("{message}.{}", base64(tag(alg, &message)));
        for scheme in ["Bearer", "bearer", "BEARER"] {
            assert_eq!(ask(&program, LIST, &format!("{scheme} {token}")).status, 200, "{alg} {scheme}");
        }
        for other in ["HS256", "HS384", "HS512"].iter().filter(|other| **other != alg) {
            let confused = format!("{message}.{}", base64(tag(other, &message)));
            invalid(&bearer(&program, &confused), &format!("{alg} signed with {other}"));
        }
    }
}

#[test]
fn no_other_algorithm_is_taken() {
    let program = Home::new().start();
    for alg in [
        r#""none""#,
        r#""None""#,
        r#""nOnE""#,
        r#""NONE""#,
        r#""""#,
        r#""hs256""#,
        r#""HS256 ""#,
        r#""HS1""#,
        r#""HS224""#,
        r#""HS256/64""#,
        r#""RS256""#,
        r#""RS384""#,
        r#""RS512""#,
        r#""ES256""#,
        r#""ES256K""#,
        r#""ES384""#,
        r#""ES512""#,
        r#""PS256""#,
        r#""PS384""#,
        r#""PS512""#,
        r#""EdDSA""#,
        r#""Ed25519""#,
        r#""dir""#,
        r#""A128KW""#,
        r#""A256KW""#,
        r#""PBES2-HS256+A128KW""#,
        r#"["HS256"]"#,
        "256",
        "null",
        "true",
        "{}",
    ] {
        let header = format!(r#"{{"alg":{alg},"kid":"app_demo"}}"#);
        invalid(&bearer(&program, &signed(&header, CLAIMS)), alg);
        let unsigned = format!("{}.{}.", base64(&header), base64(CLAIMS));
        invalid(&bearer(&program, &unsigned), &format!("{alg}, without a signature"));
    }
    invalid(&bearer(&program, &signed(r#"{"kid":"app_demo"}"#, CLAIMS)), "no alg");
    let twice = r#"{"alg":"none","alg":"HS256","kid":"app_demo"}"#;
    invalid(&bearer(&program, &signed(twice, CLAIMS)), "alg twice");
}

#[test]
fn keys_that_a_header_carries_or_points_to_are_not_looked_at() {
    let program = Home::new().start();
    for member in [
        r#""jwk":{"kty":"oct","k":"YXR0YWNrZXJz"}"#,
        r#""jku":"http://127.0.0.1:1/keys""#,
        r#""x5u":"http://127.0.0.1:1/chain""#,
        r#""x5c":["MII"]"#,
    ] {
        let header = format!(r#"{{"alg":"HS256","kid":"app_demo",{member}}}"#);
        assert_eq!(
            bearer(&program, &signed(&header, CLAIMS)).status,
            200,
            "{member}: signed with our own key"
        );
        invalid(&bearer(&program, &signed_with(&header, CLAIMS, "attackers")), member);
    }
}

#[test]
fn a_key_id_is_looked_up_and_is_nothing_else() {
    let home = Home::with(OTHER_APP);
    let program = home.start();
    let long = "k".repeat(129);
    for kid in [
        "",
        " ",
        "app_demo ",
        "APP_DEMO",
        "app_demo' OR '1'='1",
        "app_demo\\u0000",
        "../../etc/passwd",
        "/dev/null",
        "app_",
        "*",
        "%",
        &long,
        "demo-key-secret-change-me",
        "\\r\\nx: y",
    ] {
        let header = format!(r#"{{"alg":"HS256","kid":"{kid}"}}"#);
        invalid(&bearer(&program, &signed(&header, CLAIMS)), kid);
    }
    for kid in ["null", "1", "[\"app_demo\"]", "{}", "true"] {
        let header = format!(r#"{{"alg":"HS256","kid":{kid}}}"#);
        invalid(&bearer(&program, &signed(&header, CLAIMS)), kid);
    }
    invalid(&bearer(&program, &signed(r#"{"alg":"HS256"}"#, CLAIMS)), "no kid");
    let unknown = bearer(&program, &signed(r#"{"alg":"HS256","kid":"nobody"}"#, CLAIMS));
    let others = bearer(&program, &signed(r#"{"alg":"HS256","kid":"app_other"}"#, CLAIMS));
    assert_eq!((others.status, &others.text), (401, &unknown.text), "which key ids exist is not told");
}

#[test]
fn a_key_that_was_taken_out_of_the_settings_is_refused() {
    let mut home = Home::with(OTHER_APP);
    let token = signed_with(r#"{"alg":"HS256","kid":"app_two"}"#, CLAIMS, "a-second-key-of-the-other");
    let program = home.start();
    assert_eq!(bearer(&program, &token).status, 200);
    program.stop();
    home.settings = OTHER_APP.replace(r#", { id = "app_two", secret = "a-second-key-of-the-other" }"#, "");
    invalid(&bearer(&home.start(), &token), "a key that is gone");
}

#[test]
fn times_hold_where_they_are_there_with_a_minute_for_clocks_that_differ() {
    let program = Home::new().start();
    let now = now();
    for (claims, status) in [
        (format!(r#""iat":{now}"#), 200),
        (format!(r#""exp":{}"#, now + 100), 200),
        (format!(r#""exp":{}"#, now - 30), 200),
        (format!(r#""exp":{}"#, now - 90), 401),
        (format!(r#""exp":{}.5"#, now + 100), 200),
        (r#""exp":0"#.to_owned(), 401),
        (r#""exp":1e300"#.to_owned(), 200),
        (r#""exp":1e400"#.to_owned(), 401),
        (r#""exp":-1"#.to_owned(), 401),
        (format!(r#""exp":"{}""#, now + 100), 401),
        (r#""exp":null"#.to_owned(), 401),
        (r#""exp":true"#.to_owned(), 401),
        (r#""exp":[9999999999]"#.to_owned(), 401),
        (format!(r#""nbf":{}"#, now + 30), 200),
        (format!(r#""nbf":{}"#, now + 120), 401),
        (format!(r#""iat":{}"#, now + 290), 200),
        (format!(r#""iat":{}"#, now + 400), 401),
        (format!(r#""iat":{},"exp":{}"#, now + 290, now + 400), 200),
        (format!(r#""iat":{},"nbf":{}"#, now + 290, now + 290), 401),
        (r#""iat":"yesterday""#.to_owned(), 401),
        (format!(r#""exp":{},"exp":{}"#, now - 90, now + 100), 401),
    ] {
        let answer = bearer(&program, &signed(HEADER, &format!(r#"{{"scope":"app",{claims}}}"#)));
        assert_eq!(answer.status, status, "{claims}: {answer:?}");
        assert!(status == 200 || answer.code() == "invalid_auth", "{claims}: {answer:?}");
    }
    assert_eq!(bearer(&program, &signed(HEADER, CLAIMS)).status, 200, "a token may be for ever");
}

#[test]
fn a_valid_token_whose_scope_does_not_reach_is_403() {
    let program = Home::new().start();
    let own = ["/v1/appusers/u1".to_owned(), format!("/v1.1/apps/{APP}/appusers/u1")];
    let others = [LIST, "/v1/appusers/u2", "/v1/apps/other/appusers"].map(str::to_owned);
    let user = r#"{"scope":"appUser","userId":"u1"}"#;
    for path in &own {
        let answer = ask(&program, path, &format!("Bearer {}", signed(HEADER, user)));
        assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"), "reaches {path}: {answer:?}");
    }
    for (claims, paths) in
        [(user, others[..2].to_vec()), (r#"{"scope":"account"}"#, [&own[..], &others[..]].concat())]
    {
        for path in &paths {
            let answer = ask(&program, path, &format!("Bearer {}", signed(HEADER, claims)));
            let said = (answer.status, answer.code());
            assert_eq!(said, (403, "forbidden".to_owned()), "{claims} {path}: {answer:?}");
        }
        invalid(&bearer(&program, &signed_with(HEADER, claims, "a-secret-nobody-has")), claims);
    }
}

#[test]
fn basic_takes_a_key_id_and_its_secret_and_nothing_else() {
    let home = Home::with(OTHER_APP);
    let program = home.start();
    let of = |text: &str| format!("Basic {}", STANDARD.encode(text));
    for good in [of("app_demo:demo-key-secret-change-me"), basic("app_other", "the-other-key-secret")] {
        for scheme in ["Basic", "basic"] {
            assert_eq!(ask(&program, LIST, &good.replacen("Basic", scheme, 1)).status, 200);
        }
    }
    for bad in [
        of("app_demo:wrong"),
        of("app_demo:"),
        of("app_demo"),
        of(":demo-key-secret-change-me"),
        of(":"),
        of(""),
        of("app_demo:demo-key-secret-change-me "),
        of("app_demo:demo-key-secret-change-mE"),
        of("app_demo:demo-key-secret-change-me:x"),
        of("app_demo :demo-key-secret-change-me"),
        of("app_other:demo-key-secret-change-me"),
        of("nobody:"),
        of(&format!("{APP}:demo-key-secret-change-me")),
        format!("Basic {}", STANDARD.encode([0xFF, 0xFE, b':', b'x'])),
        "Basic app_demo:demo-key-secret-change-me".to_owned(),
        format!("{}=", of("app_demo:demo-key-secret-change-me")),
        "Basic".to_owned(),
        "Basic ".to_owned(),
    ] {
        invalid(&ask(&program, LIST, &bad), &bad);
    }
    let unknown = ask(&program, LIST, &of("nobody:wrong"));
    assert_eq!(
        ask(&program, LIST, &of("app_demo:wrong")).text,
        unknown.text,
        "which key ids exist is not told"
    );
}

#[test]
fn without_a_credential_or_with_an_app_token_it_is_401_unauthorized() {
    let home = Home::with(OTHER_APP);
    let program = home.start();
    let answer = program.request("GET", LIST, &[("app-token", "demo-app-token")], b"");
    assert_eq!((answer.status, answer.code().as_str()), (401, "unauthorized"), "{answer:?}");
    for headers in [&[][..], &[("app-token", "nonsense")], &[("x-api-key", "demo-webhook-secret")]] {
        for path in [LIST, "/v1/appusers/a", "/v1.1/apps/other/appusers"] {
            let answer = program.request("GET", path, headers, b"");
            assert_eq!((answer.status, answer.code().as_str()), (401, "unauthorized"), "{headers:?} {path}");
        }
    }
    let token = signed(HEADER, CLAIMS);
    let both = [("app-token", "nonsense"), ("authorization", &*format!("Bearer {token}"))];
    assert_eq!(program.request("GET", LIST, &both, b"").status, 200, "a valid JWT wins");
    let wrong = [("app-token", "demo-app-token"), ("authorization", "Bearer x.y.z")];
    invalid(&program.request("GET", LIST, &wrong, b""), "no falling back to the token");
}

#[test]
fn other_schemes_and_two_authorization_headers_are_401() {
    let program = Home::new().start();
    let token = signed(HEADER, CLAIMS);
    for other in [
        token.clone(),
        format!("Token {token}"),
        format!("Digest {token}"),
        String::new(),
        "Bearer".to_owned(),
        format!("Bearer  {token}"),
        format!("Bearer {token}, Bearer {token}"),
        format!("Bearer\t{token}"),
    ] {
        invalid(&ask(&program, LIST, &other), &other);
    }
    let good = format!("Bearer {token}");
    let pair = basic(KEY_ID, KEY_SECRET);
    for (first, second) in [(&good, &good), (&good, &pair), (&pair, &good), (&good, &String::new())] {
        let headers = [("authorization", first.as_str()), ("authorization", second)];
        invalid(&program.request("GET", LIST, &headers, b""), "two of them");
    }
    let mut connection = Connection::open(program.listen);
    connection.send(b"GET /v1/appusers HTTP/1.1\r\nhost: x\r\nauthorization: Bearer \xff\xfe\r\n\r\n");
    invalid(&connection.answer().unwrap(), "not text");
}

#[test]
fn another_app_in_the_path_is_400_whether_it_exists_or_not() {
    let home = Home::with(OTHER_APP);
    let program = home.start();
    let auth = format!("Bearer {}", signed(HEADER, CLAIMS));
    let own = ask(&program, &format!("/v1/apps/{APP}/appusers"), &auth);
    assert_eq!(own.status, 200);
    for version in ["v1", "v1.1"] {
        let answers = ["other", "nobodys", "%00", "5698EDBF2A43BD081BE982F1", "%ff"].map(|app| {
            let list = ask(&program, &format!("/{version}/apps/{app}/appusers"), &auth);
            let one = ask(&program, &format!("/{version}/apps/{app}/appusers/a"), &auth);
            assert_eq!((one.status, &one.text), (list.status, &list.text), "{app}");
            (list.status, list.code(), list.text)
        });
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        assert_eq!((answers[0].0, answers[0].1.as_str()), (400, "bad_request"));
        assert_eq!(
            ask(&program, &format!("/{version}/apps/other/appusers"), "Bearer x").status,
            401,
            "who asks comes first"
        );
    }
}
