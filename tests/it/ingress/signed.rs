//! Signatures of relays: Standard Webhooks and `X-Hub-Signature-256`.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::Sha256;

use super::{hmac, post};
use crate::support::{APP, Connection, Home, Program, SECRET, first_message};

/// The key of the published vector, as it is written in settings, and as it signs.
const WHSEC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const SETTINGS: &str = r#"
[[apps]]
id = "5698edbf2a43bd081be982f1"
webhook_secrets = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "demo-webhook-secret"]
"#;

fn key() -> Vec<u8> {
    STANDARD.decode(WHSEC.strip_prefix("whsec_").unwrap()).unwrap()
}

fn tag(key: &[u8], id: &str, timestamp: &str, body: &str) -> Vec<u8> {
    hmac::<Sha256>(64, key, format!("{id}.{timestamp}.{body}").as_bytes())
}

/// The signature of a delivery, as its header carries it.
fn sign(id: &str, timestamp: &str, body: &str) -> String {
    format!("v1,{}", STANDARD.encode(tag(&key(), id, timestamp, body)))
}

fn hub(body: &str) -> String {
    let tag = hmac::<Sha256>(64, SECRET.as_bytes(), body.as_bytes());
    format!("sha256={}", tag.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

fn deliver(program: &Program, id: &str, timestamp: &str, signature: &str, body: &str) -> u16 {
    let headers = [("webhook-id", id), ("webhook-timestamp", timestamp), ("webhook-signature", signature)];
    post(program, &headers, body).status
}

#[test]
fn the_signer_of_these_tests_makes_the_published_vector_of_standard_webhooks_and_is_believed() {
    let (id, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", r#"{"test": 2432232314}"#);
    let published = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    assert_eq!(sign(id, "1614265330", body), published, "our own signer is right");
    // It is years old, and no setting believes that; so it is signed again for today.
    let program = Home::with(SETTINGS).start();
    assert_eq!(deliver(&program, id, "1614265330", published, body), 401);
    assert_eq!(program.metric("rollcall_webhook_rejected_total{reason=\"stale_signature\"}"), 1.0);
    let now = now().to_string();
    let signature = sign(id, &now, body);
    assert_eq!(deliver(&program, id, &now, &signature, body), 200);
    assert_eq!(deliver(&program, "msg_x", &now, &signature, body), 401);
    assert_eq!(deliver(&program, id, &now, &signature, r#"{"test": 2432232315}"#), 401);
}

/// W6.
#[test]
fn a_standard_signature_is_read_strictly() {
    let home = Home::with(SETTINGS);
    let program = home.start();
    let body = first_message("a", 1.0);
    let time = now().to_string();
    let good = sign("m1", &time, &body);
    let raw = tag(&key(), "m1", &time, &body);
    let wrong = format!("v1,{}", STANDARD.encode([7; 32]));
    let hex: String = raw.iter().map(|byte| format!("{byte:02x}")).collect();
    let by_text = tag(WHSEC.as_bytes(), "m1", &time, &body);
    let plain = tag(SECRET.as_bytes(), "m1", &time, &body);
    let many = |before: usize| format!("{}{good}", format!("{wrong} ").repeat(before));
    for (what, signature, status) in [
        ("as it should be", good.clone(), 200),
        ("with the other secret, which is no whsec_", format!("v1,{}", STANDARD.encode(&plain)), 200),
        ("after one of another key", format!("{wrong} {good}"), 200),
        ("before one of another key", format!("{good} {wrong}"), 200),
        ("after one of another version", format!("v1a,{} {good}", STANDARD.encode([7; 64])), 200),
        ("the tenth", many(9), 200),
        ("the eleventh", many(10), 401),
        ("one of ten thousand", many(80), 401),
        ("nothing", String::new(), 401),
        ("a version alone", "v1,".to_owned(), 401),
        ("no version", STANDARD.encode(&raw), 401),
        ("v1a", good.replacen("v1", "v1a", 1), 401),
        ("v2", good.replacen("v1", "v2", 1), 401),
        ("V1", good.replacen("v1", "V1", 1), 401),
        ("v1=", good.replacen("v1,", "v1=", 1), 401),
        ("a comma between two", format!("{wrong},{good}"), 401),
        ("hex", format!("v1,{hex}"), 401),
        ("no padding", format!("v1,{}", STANDARD_NO_PAD.encode(&raw)), 401),
        ("one byte short", format!("v1,{}", STANDARD.encode(&raw[..31])), 401),
        ("one byte long", format!("v1,{}", STANDARD.encode([&raw[..], b"x"].concat())), 401),
        ("the secret's text as key", format!("v1,{}", STANDARD.encode(&by_text)), 401),
        ("of an empty key", format!("v1,{}", STANDARD.encode(tag(b"", "m1", &time, &body))), 401),
        (
            "of the body alone",
            format!("v1,{}", STANDARD.encode(hmac::<Sha256>(64, &key(), body.as_bytes()))),
            401,
        ),
        ("longer than 4 KiB", format!("{good}{}", " x".repeat(2048)), 401),
    ] {
        assert_eq!(deliver(&program, "m1", &time, &signature, &body), status, "{what}");
    }
}

#[test]
fn the_id_and_the_time_of_a_standard_signature_are_read_strictly() {
    let home = Home::with(SETTINGS);
    let program = home.start();
    let body = first_message("a", 1.0);
    let now = now();
    let ok = now.to_string();
    for (what, id, time, status) in [
        ("now", "m1", ok.clone(), 200),
        ("four minutes ago", "m1", (now - 240).to_string(), 200),
        ("in four minutes", "m1", (now + 240).to_string(), 200),
        ("six minutes ago", "m1", (now - 360).to_string(), 401),
        ("in six minutes", "m1", (now + 360).to_string(), 401),
        ("1970", "m1", "0".to_owned(), 401),
        ("before 1970", "m1", "-1".to_owned(), 401),
        ("with a sign", "m1", format!("+{now}"), 401),
        ("a fraction", "m1", format!("{now}.0"), 401),
        ("an exponent", "m1", "1.7e9".to_owned(), 401),
        ("milliseconds", "m1", format!("{now}000"), 401),
        ("beyond 64 bits", "m1", "99999999999999999999".to_owned(), 401),
        ("hex", "m1", format!("0x{now:x}"), 401),
        ("other digits", "m1", "１７００００００００".to_owned(), 401),
        ("a word", "m1", "now".to_owned(), 401),
        ("nothing", "m1", String::new(), 401),
        ("an id with a dot", "m1.5", ok.clone(), 401),
        ("an id that begins with a dot", ".", ok.clone(), 401),
        ("an empty id", "", ok.clone(), 401),
    ] {
        assert_eq!(deliver(&program, id, &time, &sign(id, &time, &body), &body), status, "{what}");
    }
    // A dot moved between id and time, or time and body, leaves the signed text the same.
    let shifted = sign("m1.5", &ok, &body);
    assert_eq!(deliver(&program, "m1", &format!("5.{ok}"), &shifted, &body), 401);
    let good = sign("m1", &ok, &body);
    for missing in ["webhook-id", "webhook-timestamp"] {
        let all = [("webhook-id", "m1"), ("webhook-timestamp", &ok), ("webhook-signature", &good)];
        let some: Vec<_> = all.into_iter().filter(|(name, _)| *name != missing).collect();
        assert_eq!(post(&program, &some, &body).status, 401, "without {missing}");
        let twice: Vec<_> =
            all.into_iter().chain(all.into_iter().filter(|(name, _)| *name == missing)).collect();
        assert_eq!(post(&program, &twice, &body).status, 401, "{missing} twice");
    }
}

#[test]
fn each_header_of_the_standard_has_the_name_that_svix_gave_it_too() {
    let home = Home::with(SETTINGS);
    let program = home.start();
    let body = first_message("a", 1.0);
    let time = now().to_string();
    let good = sign("m1", &time, &body);
    let values = [("id", "m1"), ("timestamp", &*time), ("signature", &*good)];
    // Each of the three under its name of the standard, of Svix, under both, or under neither.
    for names in 0..64 {
        let mut headers = Vec::new();
        for (n, (name, value)) in values.iter().enumerate() {
            let bits = names >> (2 * n) & 3;
            headers.extend((bits & 1 == 1).then(|| (format!("webhook-{name}"), *value)));
            headers.extend((bits & 2 == 2).then(|| (format!("svix-{name}"), *value)));
        }
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let whole = (0..3).all(|n| names >> (2 * n) & 3 != 0);
        assert_eq!(post(&program, &headers, &body).status, if whole { 200 } else { 401 }, "{headers:?}");
    }
    for (n, (name, _)) in values.iter().enumerate() {
        for others in ["m2", "0", "", "v1,x"] {
            for (right, wrong) in [("webhook", "svix"), ("svix", "webhook")] {
                let mut headers: Vec<(String, &str)> =
                    values.iter().map(|(name, value)| (format!("{right}-{name}"), *value)).collect();
                headers.push((format!("{wrong}-{name}"), others));
                let headers: Vec<(&str, &str)> =
                    headers.iter().map(|(name, value)| (name.as_str(), *value)).collect();
                assert_eq!(post(&program, &headers, &body).status, 401, "the two differ: {headers:?}");
            }
        }
        let twice: Vec<(String, &str)> =
            values.iter().chain([&values[n]]).map(|(name, value)| (format!("svix-{name}"), *value)).collect();
        let twice: Vec<(&str, &str)> = twice.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        assert_eq!(post(&program, &twice, &body).status, 401, "{twice:?}");
    }
    let old = (now() - 360).to_string();
    let signature = sign("m1", &old, &body);
    let stale = [("svix-id", "m1"), ("svix-timestamp", &old), ("svix-signature", &*signature)];
    assert_eq!(post(&program, &stale, &body).status, 401);
    assert_eq!(program.metric("rollcall_webhook_rejected_total{reason=\"stale_signature\"}"), 1.0);
    // The quarantine stores no signature.
    let broken = "{";
    let signature = sign("m1", &time, broken);
    let headers = [("svix-id", "m1"), ("svix-timestamp", &*time), ("svix-signature", &*signature)];
    assert_eq!(post(&program, &headers, broken).status, 200);
    let kept: String = home.find("SELECT headers FROM quarantine");
    assert!(kept.contains("svix-signature: ***") && !kept.contains(&signature), "{kept}");
}

#[test]
fn a_plain_secret_goes_before_a_signature_and_a_wrong_one_is_not_made_good_by_it() {
    let home = Home::with(SETTINGS);
    let program = home.start();
    let body = first_message("a", 1.0);
    let right = hub(&body);
    for (key, signature, status) in [(SECRET, "sha256=00", 200), ("wrong", &*right, 401), ("", &*right, 401)]
    {
        let headers = [("x-api-key", key), ("x-hub-signature-256", signature)];
        assert_eq!(post(&program, &headers, &body).status, status, "{key}");
    }
    let time = now().to_string();
    let standard = [
        ("webhook-id", "m"),
        ("webhook-timestamp", &time),
        ("webhook-signature", "v1,x"),
        ("x-hub-signature-256", &right),
    ];
    assert_eq!(post(&program, &standard, &body).status, 401, "nor is a wrong signature by another");
}

#[test]
fn a_hub_signature_is_read_strictly() {
    let program = Home::new().start();
    let body = first_message("a", 1.0);
    let good = hub(&body);
    let hex = good.strip_prefix("sha256=").unwrap();
    let tag = hmac::<Sha256>(64, SECRET.as_bytes(), body.as_bytes());
    for (what, value, status) in [
        ("as it should be", good.clone(), 200),
        ("nothing", String::new(), 401),
        ("no algorithm", hex.to_owned(), 401),
        ("the algorithm alone", "sha256=".to_owned(), 401),
        ("another algorithm", format!("sha1={hex}"), 401),
        ("another case of the name", format!("SHA256={hex}"), 401),
        ("one digit short", good[..good.len() - 1].to_owned(), 401),
        ("one digit long", format!("{good}0"), 401),
        ("two of them", format!("{good},{good}"), 401),
        ("a digit that is none", format!("sha256=g{}", &hex[1..]), 401),
        ("a sign for a digit", format!("sha256=+{}", &hex[1..]), 401),
        ("base64", format!("sha256={}", STANDARD.encode(tag)), 401),
        ("of another body", hub("{}"), 401),
        (
            "of an empty key",
            {
                let tag = hmac::<Sha256>(64, b"", body.as_bytes());
                format!("sha256={}", tag.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
            },
            401,
        ),
    ] {
        assert_eq!(post(&program, &[("x-hub-signature-256", &value)], &body).status, status, "{what}");
    }
    let twice = [("x-hub-signature-256", good.as_str()), ("x-hub-signature-256", &good)];
    assert_eq!(post(&program, &twice, &body).status, 401);
    assert_eq!(post(&program, &[("x-hub-signature", &good)], &body).status, 401, "the header of SHA-1");
}

/// W7.
#[test]
fn one_bit_changed_in_a_signed_body_is_401_every_time() {
    let home = Home::with(SETTINGS);
    let program = home.start();
    let body = format!(r#"{{"trigger":"x","app":{{"_id":"{APP}"}}}}"#);
    let time = now().to_string();
    let (hub, standard) = (hub(&body), sign("m1", &time, &body));
    let schemes = [
        vec![("x-hub-signature-256", hub.as_str())],
        vec![("webhook-id", "m1"), ("webhook-timestamp", &time), ("webhook-signature", &standard)],
    ];
    let mut connection = Connection::open(program.listen);
    for headers in &schemes {
        assert_eq!(connection.ask("POST", "/webhooks", headers, body.as_bytes()).status, 200, "unchanged");
        for bit in 0..body.len() * 8 {
            let mut changed = body.clone().into_bytes();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(connection.ask("POST", "/webhooks", headers, &changed).status, 401, "bit {bit}");
        }
        for other in
            [&body[..body.len() - 1], &format!("{body} "), &format!(" {body}"), &body.replace(':', ": "), ""]
        {
            assert_eq!(connection.ask("POST", "/webhooks", headers, other.as_bytes()).status, 401, "{other}");
        }
    }
    assert_eq!((home.rows("journal"), home.rows("quarantine")), (1, 0), "the same event, signed twice");
}

#[test]
fn one_digit_changed_in_a_signature_is_401_every_time() {
    let program = Home::new().start();
    let body = first_message("a", 1.0);
    let good = hub(&body);
    let mut connection = Connection::open(program.listen);
    for at in "sha256=".len()..good.len() {
        let digit = u8::from_str_radix(&good[at..=at], 16).unwrap();
        let changed = format!("{}{:x}{}", &good[..at], digit ^ 1, &good[at + 1..]);
        let answer =
            connection.ask("POST", "/webhooks", &[("x-hub-signature-256", &changed)], body.as_bytes());
        assert_eq!(answer.status, 401, "digit {at}");
    }
}

/// W4.
#[test]
fn a_signed_delivery_that_is_replayed_has_no_effect_also_after_a_restart() {
    let home = Home::with(SETTINGS);
    let body = first_message("a", 1.0);
    let time = now().to_string();
    let signature = sign("m1", &time, &body);
    for _ in 0..2 {
        let program = home.start();
        for _ in 0..3 {
            assert_eq!(deliver(&program, "m1", &time, &signature, &body), 200);
        }
        let old = (now() - 301).to_string();
        assert_eq!(deliver(&program, "m1", &old, &sign("m1", &old, &body), &body), 401, "out of the window");
        assert_eq!(program.metric("rollcall_webhook_rejected_total{reason=\"stale_signature\"}"), 1.0);
        program.stop();
    }
    assert_eq!(home.rows("journal"), 1);
}
