//! Tokens of another form: each is 401, and its description says what is wrong.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};

use super::{CLAIMS, HEADER, bearer, invalid, signed};
use crate::support::{Home, base64};

const PARTS: &str = "It must be three parts in unpadded base64url";
const LONG: &str = "It is longer than 8192 bytes";
const HEADERS: &str = "Invalid JWT header. It must be a JSON object, with each member once";
const EXTENSIONS: &str = "Extensions (crit, b64) are not supported";
const ALGORITHM: &str = "The algorithm (alg) must be HS256, HS384 or HS512";
const KEY: &str = "The key id (kid) must be a string of 1 to 128 printable characters";
const SIGNATURE: &str = "Unknown key id (kid) or wrong signature";
const PAYLOAD: &str = "Invalid JWT payload. It must be a JSON object, with each member once";
const SCOPE: &str = "The scope must be app, appUser or account";
const USER_ID: &str = "With the scope appUser, userId must be a string that is not empty and without NUL";

fn refused(tokens: impl IntoIterator<Item = (String, &'static str)>) {
    let program = Home::new().start();
    assert_eq!(bearer(&program, &signed(HEADER, CLAIMS)).status, 200);
    for (token, says) in tokens {
        let answer = bearer(&program, &token);
        invalid(&answer, &token);
        assert!(answer.text.contains(says), "{token}: {answer:?}");
    }
}

#[test]
fn only_one_spelling_of_a_token_is_taken() {
    let good = signed(HEADER, CLAIMS);
    let parts: Vec<&str> = good.split('.').collect();
    let (header, claims, tag) = (parts[0], parts[1], parts[2]);
    let tag_bytes = URL_SAFE_NO_PAD.decode(tag).unwrap();
    let unused_bits = format!("{}{}", &tag[..tag.len() - 1], next_letter(tag));
    refused([
        (String::new(), PARTS),
        ("..".to_owned(), HEADERS),
        (header.to_owned(), PARTS),
        (format!("{header}.{claims}"), PARTS),
        (format!("{header}.{tag}"), PARTS),
        (format!("{claims}.{tag}"), PARTS),
        (format!("{header}.{claims}."), SIGNATURE),
        (format!("{good}."), PARTS),
        (format!("{good}.{tag}"), PARTS),
        (format!("{good}.{claims}"), PARTS),
        // As JWE has.
        (format!("{good}.{tag}.{tag}"), PARTS),
        (format!(".{claims}."), HEADERS),
        (format!(".{claims}.{tag}"), HEADERS),
        (format!("{header}..{tag}"), SIGNATURE),
        (format!("{claims}.{header}.{tag}"), ALGORITHM),
        (format!("{header}.{header}.{tag}"), SIGNATURE),
        (format!("{good}="), PARTS),
        (format!("{header}=.{claims}.{tag}"), PARTS),
        (format!("{header}. {claims}.{tag}"), PARTS),
        (format!("{header}.{claims}.{}", STANDARD.encode([0xFF; 32])), PARTS),
        (format!("{header}.{claims}.+/{}", &tag[2..]), PARTS),
        (format!("{header}.{claims}.{}", URL_SAFE.encode(&tag_bytes)), PARTS),
        (format!("{header}.{claims}.{}", base64(&tag_bytes[..31])), SIGNATURE),
        (format!("{header}.{claims}.{}", &tag[..40]), SIGNATURE),
        (format!("{header}.{claims}.{}", base64([&tag_bytes[..], b"x"].concat())), SIGNATURE),
        (format!("{header}.{claims}.{}", base64([0; 32])), SIGNATURE),
        (format!("{header}.{claims}.{unused_bits}"), PARTS),
        (format!("{header}.{claims}.{}", tag.replacen(&tag[3..4], "%0A", 1)), PARTS),
        (format!(r#"{{"protected":"{header}","payload":"{claims}","signature":"{tag}"}}"#), PARTS),
        (
            format!(
                r#"{{"payload":"{claims}","signatures":[{{"protected":"{header}","signature":"{tag}"}}]}}"#
            ),
            PARTS,
        ),
        (format!("{header}.{}.{tag}", "A".repeat(9000)), LONG),
        ("a".repeat(8193), LONG),
    ]);
}

/// The letter after the last one: the same bytes, were it not for the bits that mean nothing.
fn next_letter(tag: &str) -> char {
    let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = tag.chars().last().unwrap();
    letters.chars().nth(letters.find(last).unwrap() + 1).unwrap()
}

#[test]
fn a_header_is_read_strictly() {
    let (long, longer) = ("é".repeat(128), "é".repeat(129));
    let headers = [
        (r#"{"alg":"HS256","kid":"app_demo","crit":["exp"]}"#, EXTENSIONS),
        (r#"{"alg":"HS256","kid":"app_demo","crit":[]}"#, EXTENSIONS),
        (r#"{"alg":"HS256","kid":"app_demo","b64":false}"#, EXTENSIONS),
        (r#"{"alg":"HS256","kid":"app_demo","b64":true}"#, EXTENSIONS),
        (r#"{"alg":"none","alg":"HS256","kid":"app_demo"}"#, HEADERS),
        (r#"{"alg":"HS256","kid":"app_demo","kid":"l"}"#, HEADERS),
        (r#"{"alg":"HS256","kid":"app_demo","\u006bid":"l"}"#, HEADERS),
        (r#"{"alg":"HS256","kid":"app_demo","x":1,"x":1}"#, HEADERS),
        (r#"{"alg":"HS256","kid":"app_demo"} x"#, HEADERS),
        (r#"[{"alg":"HS256","kid":"app_demo"}]"#, HEADERS),
        (r#""HS256""#, HEADERS),
        ("null", HEADERS),
        ("[]", HEADERS),
        ("alg=HS256", HEADERS),
        ("", HEADERS),
        ("{", HEADERS),
        ("{}", ALGORITHM),
        (r#"{"kid":"app_demo"}"#, ALGORITHM),
        (r#"{"alg":"HS512","kid":"app_demo"}"#, SIGNATURE),
        (r#"{"alg":"HS256","typ":"JWT"}"#, "Invalid JWT header. Missing key id (kid)"),
        (r#"{"alg":"HS256","kid":"a\u0000b"}"#, KEY),
        (r#"{"alg":"HS256","kid":"a\nb"}"#, KEY),
        (r#"{"alg":"HS256","kid":"\ud800"}"#, HEADERS),
        (r#"{"alg":"HS256","kid":""}"#, KEY),
        (r#"{"alg":"HS256","kid":["app_demo"]}"#, KEY),
        (r#"{"alg":"HS256","kid":{"$ne":1}}"#, KEY),
        (r#"{"alg":"HS256","kid":17}"#, KEY),
        (r#"{"alg":"HS256","kid":null}"#, KEY),
        (&format!(r#"{{"alg":"HS256","kid":"{longer}"}}"#), KEY),
        // None of our keys.
        (&format!(r#"{{"alg":"HS256","kid":"{long}"}}"#), SIGNATURE),
        (r#"{"alg":"HS256","kid":"' OR 1=1 --"}"#, SIGNATURE),
    ];
    refused(headers.map(|(header, says)| (signed(header, CLAIMS), says)));
}

#[test]
fn a_scope_is_one_of_three_and_a_user_has_an_id() {
    let claims = [
        ("{}", SCOPE),
        (r#"{"scope":"integration"}"#, SCOPE),
        (r#"{"scope":"appMaker"}"#, SCOPE),
        (r#"{"scope":"admin"}"#, SCOPE),
        (r#"{"scope":"App"}"#, SCOPE),
        (r#"{"scope":"APP"}"#, SCOPE),
        (r#"{"scope":"appUser app","userId":"u"}"#, SCOPE),
        (r#"{"scope":["app"]}"#, SCOPE),
        (r#"{"scope":null}"#, SCOPE),
        (r#"{"scope":"appUser","scope":"app","userId":"u"}"#, PAYLOAD),
        (r#"{"scope":"appUser"}"#, USER_ID),
        (r#"{"scope":"appUser","userId":""}"#, USER_ID),
        (r#"{"scope":"appUser","userId":7}"#, USER_ID),
        (r#"{"scope":"appUser","userId":null}"#, USER_ID),
        (r#"{"scope":"appUser","userId":["u"]}"#, USER_ID),
        (r#"{"scope":"appUser","userId":"u\u0000"}"#, USER_ID),
        (r#"{"scope":"appUser","userId":"u","user\u0049d":"v"}"#, PAYLOAD),
        (r#"["app"]"#, PAYLOAD),
        ("scope=app", PAYLOAD),
        ("", PAYLOAD),
        (r#"{"scope":"app"}{}"#, PAYLOAD),
        (r#"{"scope":"app","exp":1e400}"#, PAYLOAD),
        (r#"{"scope":"app","exp":NaN}"#, PAYLOAD),
        (r#"{"scope":"app","exp":null}"#, "exp must be a number of seconds, not below zero"),
        (r#"{"scope":"app","nbf":"0"}"#, "nbf must be a number of seconds, not below zero"),
        (r#"{"scope":"app","iat":{}}"#, "iat must be a number of seconds, not below zero"),
        (r#"{"scope":"app","exp":0}"#, "JWT expired"),
        (r#"{"scope":"app","nbf":1e300}"#, "JWT not yet valid (nbf is in the future)"),
        // A time in ms.
        (r#"{"scope":"app","iat":1700000000000}"#, "JWT not yet valid (iat is in the future)"),
    ];
    refused(claims.map(|(claims, says)| (signed(HEADER, claims), says)));
    let program = Home::new().start();
    let odd = r#" {"scope": "app", "sub": {}, "aud": [1], "iss": 5, "userId": 7} "#;
    assert_eq!(bearer(&program, &signed(HEADER, odd)).status, 200, "only an appUser token speaks for a user");
    let blanks = bearer(&program, &signed(HEADER, r#"{"scope":"appUser","userId":"  "}"#));
    assert_eq!(blanks.status, 403, "a userId of blanks is a userId: {blanks:?}");
}
