//! Wrong names and secrets.

use super::{ask_from, sign_in, who};
use crate::support::{Home, NamedOperator, basic, key_of};

#[test]
fn five_wrong_secrets_a_minute_are_all_that_anybody_has() {
    let ann = NamedOperator::new("ann", "viewer");
    let program = Home::with(&ann.settings()).start();
    let session = program.sign_in("viewer");
    for n in 0..5 {
        let refused = if n % 2 == 0 {
            sign_in(&program, "ann", &format!("wrong {n}")).status
        } else {
            who(&program, &[("authorization", &basic("ann", &format!("wrong {n}")))])
        };
        assert_eq!(refused, 401, "{n}");
    }
    for (name, secret) in [("ann", "wrong"), ("ann", "the secret of ann"), ("bob", "wrong")] {
        let refused = sign_in(&program, name, secret);
        assert_eq!((refused.status, refused.code().as_str()), (429, "too_many_requests"), "{name} {secret}");
        let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&wait), "{wait}");
        assert_eq!(who(&program, &[("authorization", &basic(name, secret))]), 429);
    }
    let key = format!("Bearer {}", key_of(program.admin).unwrap());
    assert_eq!(who(&program, &[("authorization", &key)]), 200, "the key is no secret that can be found");
    assert_eq!(who(&program, &session.headers()), 200, "whoever is in stays in");
    assert!(program.metric("rollcall_admin_refused_total{reason=\"too_many\"}") >= 6.0);
}

#[test]
fn an_unknown_name_and_a_wrong_secret_are_one_answer() {
    let ann = NamedOperator::new("ann", "viewer");
    let program = Home::with(&ann.settings()).start();
    let asked = [("ann", "wrong"), ("nobody", "wrong"), ("nobody", "the secret of ann"), ("", "")];
    let answers = asked.map(|(name, secret)| {
        let mut answer = sign_in(&program, name, secret);
        answer.headers.retain(|(name, _)| !["date", "x-request-id"].contains(&name.as_str()));
        (answer.status, answer.headers, answer.text)
    });
    assert_eq!(answers[0].0, 401);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let nothing = crate::support::request_as_is(program.admin, "GET", "/session", &[], b"").unwrap();
    assert_eq!(nothing.text, answers[0].2, "nor is a missing credential another one");
}

#[test]
fn behind_a_proxy_an_attacker_locks_out_nobody_but_their_own_address() {
    let proxy = "[console.proxy]\npeers = [\"127.0.0.2\"]\nsecret_header = \"x-secret\"\n\
                 secret = \"sixteen bytes or more\"\nname_header = \"x-user\"\ngroups_header = \"x-groups\"\n\
                 viewer_groups = [\"staff\"]\n";
    let ann = NamedOperator::new("ann", "viewer");
    let program = Home::with(&format!("{proxy}{}", ann.settings())).start();
    let proof = ann.proof();
    // Once through the proxy of the settings, once through one on this machine.
    for (peer, attacker) in [("127.0.0.2", "192.0.2.1"), ("127.0.0.1", "192.0.2.2")] {
        let ask = |authorization: &str, seen: &str| {
            let headers = [("authorization", authorization), ("x-forwarded-for", seen)];
            ask_from(peer, program.admin, "GET", "/session", &headers).0
        };
        // What the attacker sends of that header stands before what the proxy adds.
        let sent = format!("198.51.100.9, {attacker}");
        for n in 0..5 {
            assert_eq!(ask(&basic(&format!("name {n}"), "wrong"), &sent), 401, "{n}");
        }
        assert_eq!(ask(&proof, &sent), 429, "the attacker's address, even with the right secret");
        assert_eq!(ask(&proof, "198.51.100.9"), 200, "another behind the proxy");
        let direct = ask_from(peer, program.admin, "GET", "/session", &[("authorization", &proof)]).0;
        assert_eq!(direct, 200, "nor the proxy's own address");
    }
}
