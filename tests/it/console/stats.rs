//! GET `/stats`: counts over time that equal what was sent.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{masked, of_app};
use crate::support::{APP, Home, Program, first_message, until};

/// The sums of the series, by name. Each has a value for each step.
fn sums(program: &Program, query: &str, values: usize) -> BTreeMap<String, u64> {
    let answer = program.admin(&format!("/stats?{query}"));
    assert_eq!(answer.status, 200, "{answer:?}");
    let series = answer.json()["series"].as_array().unwrap().clone();
    let sum = |one: &Value| {
        let counts = one["values"].as_array().unwrap();
        assert_eq!(counts.len(), values, "{query}");
        (one["name"].as_str().unwrap().to_owned(), counts.iter().map(|count| count.as_u64().unwrap()).sum())
    };
    series.iter().map(sum).collect()
}

fn named(counts: &[(&str, u64)]) -> BTreeMap<String, u64> {
    counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

#[test]
fn counts_equal_what_was_sent_also_after_a_kill() {
    let home = Home::new();
    let program = home.start();
    for id in ["ann", "bob", "cem"] {
        assert_eq!(program.webhook(first_message(id, 1_600_000_000.0)).status, 200);
    }
    for body in
        [first_message("ann", 1_600_000_000.0), "{\"trigger\":\"nonsense\"}".to_owned(), "{".to_owned()]
    {
        assert_eq!(program.webhook(body).status, 200);
    }
    let by_outcome = named(&[("kept", 1), ("learned", 3), ("quarantined", 1), ("repeated", 1)]);
    let all = |program: &Program| {
        [("minute", 60), ("hour", 48), ("day", 30)].map(|(step, values)| {
            assert_eq!(
                sums(program, &format!("step={step}&by=trigger"), values),
                named(&[("message:appUser", 3), ("nonsense", 1)])
            );
            assert_eq!(sums(program, &format!("step={step}&by=change"), values), named(&[("created", 3)]));
            sums(program, &format!("step={step}&app={APP}"), values)
        })
    };
    until("the repeated delivery is counted", || all(&program) == [0; 3].map(|_| by_outcome.clone()));
    program.kill();
    let program = home.start();
    assert_eq!(all(&program), [0; 3].map(|_| by_outcome.clone()));
    let hour = program.admin("/stats?from=2020-01-01T00:00:00Z&to=2020-01-01T01:30:00Z").json();
    assert_eq!(
        (&hour["from"], &hour["to"]),
        (&"2020-01-01T00:00:00.000Z".into(), &"2020-01-01T02:00:00.000Z".into())
    );
    assert_eq!((&hour["series"], &hour["complete"]), (&Value::Array(Vec::new()), &false.into()));
}

#[test]
fn an_operator_sees_the_counts_of_its_apps_alone() {
    let settings = "[[apps]]\nid = \"a\"\nwebhook_secrets = [\"a-secret-of-a\"]\n\
                    [[apps]]\nid = \"b\"\nwebhook_secrets = [\"a-secret-of-b\"]\n";
    let home = Home::with(settings);
    let program = home.start();
    for (app, id) in [("a", "ann"), ("b", "bob"), ("b", "ben")] {
        let (message, key) = (first_message(id, 1.0).replace(APP, app), format!("a-secret-of-{app}"));
        let answer = program.request("POST", "/webhooks", &[("x-api-key", &key)], message.as_bytes());
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert_eq!(sums(&program, "", 48), named(&[("learned", 3)]));
    program.stop();
    let program = home.start_for(of_app("one", "b"));
    assert_eq!(sums(&program, "", 48), named(&[("learned", 2)]));
    assert_eq!(sums(&program, "app=b", 48), named(&[("learned", 2)]));
    for app in ["a", "nowhere"] {
        assert_eq!(program.admin(&format!("/stats?app={app}")).status, 403, "{app}");
    }
    program.stop();
    let program = home.start_for(masked("two"));
    assert_eq!(sums(&program, "", 48), named(&[("learned", 3)]));
}

#[test]
fn a_wrong_parameter_is_named() {
    let home = Home::new();
    let program = home.start();
    for (query, named) in
        [("step=week", "step"), ("by=user", "by"), ("from=soon", "from"), ("since=1", "since")]
    {
        let answer = program.admin(&format!("/stats?{query}"));
        assert_eq!((answer.status, answer.text.contains(named)), (400, true), "{answer:?}");
    }
}
