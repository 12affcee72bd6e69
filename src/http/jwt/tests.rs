//! What `tests/it/tokens` cannot see from outside: exact times, every bit, and the vectors of HMAC.

use super::*;

const SECRET: &[u8] = b"a secret of some length";
const NOW: i64 = 1_700_000_000;

fn signed(claims: &str) -> String {
    let [header, claims] = [r#"{"alg":"HS256","kid":"k"}"#, claims].map(|part| URL_SAFE_NO_PAD.encode(part));
    let message = format!("{header}.{claims}");
    let tag = mac::<Hmac<Sha256>>(SECRET, message.as_bytes()).finalize().into_bytes();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
}

#[test]
fn nobody_has_the_empty_key() {
    let blank = sign(&Claims { scope: Scope::App, user_id: None }, "k", b"", None, None);
    assert_eq!(verify(&blank, b"", NOW), Err(TokenError::Signature));
}

#[test]
fn any_flipped_bit_is_noticed() {
    let token = signed(r#"{"scope":"app"}"#);
    for (at, bit) in (0..token.len()).flat_map(|at| (0..7).map(move |bit| (at, bit))) {
        let mut bytes = token.clone().into_bytes();
        bytes[at] ^= 1 << bit;
        let changed = String::from_utf8(bytes).unwrap();
        assert!(verify(&changed, SECRET, NOW).is_err(), "byte {at}, bit {bit}");
    }
}

#[test]
fn times_hold_where_they_are_present() {
    let outcome =
        |claims: &str| verify(&signed(&format!(r#"{{"scope":"app",{claims}}}"#)), SECRET, NOW).map(|_| ());
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
